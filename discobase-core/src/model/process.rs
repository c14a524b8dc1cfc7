//! One process: it takes the steps that the rules say, at any time it likes, or never.

use std::sync::Arc;
use std::time::Duration;

use crate::codec::frame::{Header, Kind, Sum, Timing};
use crate::ids::{Incarnation, MessageId};
use crate::journal::chain::Link;
use crate::journal::reader::Reader;
use crate::journal::rules::{
    Event, Flow, Goal, Nonce, Opening, Owner, Position, Progress, Reply, Step, Tip, Verdict, Walked, reopens,
    undecided,
};
use crate::model::explore::{self, Name};
use crate::model::state::{Request, State, World, frame, name};

type Next<'a> = explore::Next<'a, State>;

/// Rules that an exploration leaves out, to see that it would notice.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Rules {
    /// An `open` counts at once, whoever closed.
    pub(super) no_settling: bool,
    /// An `open` at the tip is believed in the second read, even if the first showed another.
    pub(super) any_open: bool,
    /// A refusal is believed although an earlier try got no answer.
    pub(super) trusts_refusals: bool,
    /// An `open` whose nonce belongs to a deleted message goes out under another.
    pub(super) second_nonce: bool,
    /// The times that processes count with, where they are not the chain's.
    pub(super) timing: Option<Timing>,
}

/// A process and what it has yet to do.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Process {
    pub(super) owner: String,
    pub(super) incarnation: u8,
    /// How many frames it will write.
    pub(super) frames: u8,
    /// Whether the last of them is a close.
    pub(super) closes: bool,
    /// How often it looks at the tail while it writes nothing.
    pub(super) looks: u8,
    /// How often each of its posts is sent.
    pub(super) tries: u8,
    pub(super) mode: Mode,
}

/// What a process is doing.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Mode {
    /// Reading the journal, from then on.
    Reading {
        at: Duration,
        /// The `open` that an earlier read showed at the tip.
        seen: Option<Sum>,
        /// What its first `open` followed, when that met another frame.
        before: Option<Position>,
    },
    /// Its `open` is posted.
    Opening { opening: Box<Opening>, open: Arc<Link>, nonce: Nonce, tries: u8, again: bool },
    /// It owns the journal, as far as it knows.
    Writing { owner: Box<Owner>, run: Option<Run> },
    /// It does nothing any more.
    Gone,
}

/// An undertaking of an owner.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Run {
    flow: Flow,
    goal: Goal,
    frame: Option<Arc<Link>>,
    waiting: Waiting,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Waiting {
    /// For the clock.
    Until(Duration),
    /// For an answer to a post under this nonce; it can be sent so often again.
    Reply(Nonce, u8),
}

impl Process {
    /// One that will open the journal and write `frames`.
    pub(super) fn opener(owner: &str, incarnation: u8, frames: u8) -> Self {
        let mode = Mode::Reading { at: Duration::ZERO, seen: None, before: None };
        Self { owner: owner.to_owned(), incarnation, frames, closes: false, looks: 0, tries: 1, mode }
    }

    /// One that holds `root` and has settled.
    pub(super) fn holder(root: &Position, frames: u8) -> Self {
        let owner = Box::new(Owner::certain(root.clone(), Duration::ZERO));
        let mut process = Self::opener(&root.holder.owner, 0, frames);
        process.mode = Mode::Writing { owner, run: None };
        process
    }

    pub(super) fn header(&self, epoch: crate::ids::Epoch, prev: Sum) -> Header {
        let incarnation = Incarnation::new([0, 0, 0, 0, 0, 0, 0, self.incarnation]);
        Header { db: String::new(), epoch, incarnation, owner: self.owner.clone(), prev }
    }
}

impl World {
    fn process<'a>(&self, state: &'a State, at: usize) -> Option<&'a Process> {
        state.processes.get(at)
    }

    fn set(&self, state: &mut State, at: usize, mode: Mode) {
        if let Some(process) = state.processes.get_mut(at) {
            // Whoever has nothing left to do is the same as one that is gone.
            let settled = matches!(&mode, Mode::Writing { owner, run: None } if owner.is_certain());
            let idle = settled && process.frames == 0 && process.looks == 0;
            process.mode = if idle { Mode::Gone } else { mode };
            if process.mode == Mode::Gone {
                (process.frames, process.looks, process.tries) = (0, 0, 0);
            }
        }
    }

    fn timing(&self) -> Timing {
        self.rules.timing.unwrap_or(self.timing)
    }

    /// What a process may do now, of its own accord.
    pub(super) fn act(&self, state: &State, at: usize, next: Next<'_>) {
        let Some(process) = self.process(state, at) else { return };
        match &process.mode {
            Mode::Gone => {}
            Mode::Reading { at: from, .. } if *from > state.time() => {}
            Mode::Reading { seen, before, .. } => self.read(state, at, *seen, before.as_ref(), next),
            Mode::Opening { opening, open, nonce, tries, again } => {
                if *tries > 0 {
                    let (opening, open, nonce) = (opening.clone(), Arc::clone(open), *nonce);
                    let mode = Mode::Opening { opening, open, nonce, tries: tries - 1, again: *again };
                    self.resend(state, at, mode, next);
                }
            }
            Mode::Writing { owner, run: None } => self.begin(state, at, owner, next),
            Mode::Writing { owner, run: Some(run) } => match run.waiting {
                Waiting::Until(until) if until <= state.time() => {
                    let what = || format!("process {at} has waited");
                    self.advance(
                        state.clone(),
                        at,
                        (**owner).clone(),
                        run.clone(),
                        Event::Waited,
                        &what,
                        next,
                    );
                }
                Waiting::Reply(nonce, tries) if tries > 0 => {
                    let run = Run { waiting: Waiting::Reply(nonce, tries - 1), ..run.clone() };
                    self.resend(state, at, Mode::Writing { owner: owner.clone(), run: Some(run) }, next);
                }
                Waiting::Until(_) | Waiting::Reply(..) => {}
            },
        }
    }

    fn resend(&self, state: &State, at: usize, mode: Mode, next: Next<'_>) {
        let (link, nonce) = match &mode {
            Mode::Opening { open, nonce, .. } => (Arc::clone(open), *nonce),
            Mode::Writing {
                run: Some(Run { frame: Some(frame), waiting: Waiting::Reply(nonce, _), .. }),
                ..
            } => (Arc::clone(frame), *nonce),
            _ => return,
        };
        let mut after = state.clone();
        self.set(&mut after, at, mode);
        after.send(at, &link, nonce);
        next(after, &|| format!("process {at} sends {} again", name(&link)));
    }

    /// Reads the whole journal, and posts an `open` at its tip.
    fn read(&self, state: &State, at: usize, seen: Option<Sum>, before: Option<&Position>, next: Next<'_>) {
        let Some(process) = self.process(state, at) else { return };
        for reading in state.guild.readings(&self.laws, state.now, MessageId::default()) {
            let (chain, holder) = reading.walk(&self.root, self.timing);
            let last = chain.last();
            let mut after = state.clone();
            let unsure = if self.rules.any_open {
                seen.is_none() && last.is_some_and(|last| last.kind == Kind::Open)
            } else {
                undecided(last, seen)
            };
            if unsure {
                let mode = Mode::Reading {
                    at: state.time() + self.timing().settle(),
                    seen: last.map(|last| last.sum),
                    before: before.cloned(),
                };
                self.set(&mut after, at, mode);
                next(after, &|| format!("process {at} reads, and is not sure of {:?}", last.map(name)));
                continue;
            }
            let tip = last.map_or(self.root.tip, |last| Tip { sum: last.sum, message: last.message });
            let timing = self.timing();
            let position = Position { tip, holder, timing };
            after.rely(tip.sum);
            if before.is_some_and(|before| !reopens(before, &position)) {
                self.set(&mut after, at, Mode::Gone);
                next(after, &|| format!("process {at} reads, and gives up"));
                continue;
            }
            let header = process.header(position.holder.epoch.next(), tip.sum);
            let open = frame(header, Kind::Open, 0);
            let newest = reading.newest().unwrap_or(self.root.tip.message);
            let (opening, nonce) = Opening::begin(position, Link::clone(&open), newest, state.time());
            let what = || format!("process {at} reads {:?}, and opens", last.map(name));
            self.post_open(after, at, Box::new(opening), open, before.is_some(), nonce, &what, next);
        }
    }

    #[expect(clippy::too_many_arguments, reason = "the parts of one mode")]
    fn post_open(
        &self,
        mut state: State,
        at: usize,
        opening: Box<Opening>,
        open: Arc<Link>,
        again: bool,
        nonce: Nonce,
        what: Name<'_>,
        next: Next<'_>,
    ) {
        let tries = self.process(&state, at).map_or(0, |process| process.tries.saturating_sub(1));
        state.send(at, &open, nonce);
        self.set(&mut state, at, Mode::Opening { opening, open, nonce, tries, again });
        next(state, what);
    }

    #[expect(clippy::too_many_arguments, reason = "the parts of one mode")]
    fn progress(
        &self,
        mut state: State,
        at: usize,
        opening: &Opening,
        again: bool,
        progress: Progress,
        what: Name<'_>,
        next: Next<'_>,
    ) {
        match progress {
            Progress::Opened { owner, quick } => {
                let mut owner = *owner;
                if !quick && !self.rules.no_settling {
                    self.set(&mut state, at, Mode::Writing { owner: Box::new(owner), run: None });
                    return next(state, what);
                }
                let (flow, step) = owner.begin(Goal::Acknowledge, state.time());
                let waiting = Waiting::Until(Duration::ZERO);
                let run = Run { flow, goal: Goal::Acknowledge, frame: None, waiting };
                self.drive(state, at, owner, run, step, what, next);
            }
            Progress::Held if !again => {
                let mode = Mode::Reading {
                    at: state.time() + self.timing().settle(),
                    seen: None,
                    before: Some(opening.before().clone()),
                };
                self.set(&mut state, at, mode);
                next(state, what);
            }
            Progress::Held | Progress::Deleted | Progress::Failed => {
                self.set(&mut state, at, Mode::Gone);
                next(state, what);
            }
        }
    }

    /// An owner that does nothing may write a frame, or look at the tail.
    fn begin(&self, state: &State, at: usize, owner: &Owner, next: Next<'_>) {
        let Some(process) = self.process(state, at) else { return };
        if !owner.is_certain() {
            let what = || format!("process {at} begins to settle");
            self.undertake(state.clone(), at, owner.clone(), Goal::Settle, None, &what, next);
        }
        if process.frames > 0 {
            let kind = if process.closes && process.frames == 1 { Kind::Close } else { Kind::Data };
            let frame = self.own_frame(process, owner, kind, u64::from(process.frames));
            let goal = Goal::Append { sum: frame.sum, kind };
            let mut after = state.clone();
            if let Some(process) = after.processes.get_mut(at) {
                process.frames -= 1;
            }
            let what = || format!("process {at} writes {}", name(&frame));
            self.undertake(after, at, owner.clone(), goal, Some(Arc::clone(&frame)), &what, next);
        }
        if process.looks > 0 {
            let mut after = state.clone();
            if let Some(process) = after.processes.get_mut(at) {
                process.looks -= 1;
            }
            let what = || format!("process {at} looks");
            self.undertake(after, at, owner.clone(), Goal::Look, None, &what, next);
        }
    }

    fn own_frame(&self, process: &Process, owner: &Owner, kind: Kind, label: u64) -> Arc<Link> {
        frame(process.header(owner.holder().epoch, owner.tip().sum), kind, label)
    }

    #[expect(clippy::too_many_arguments, reason = "the parts of one undertaking")]
    fn undertake(
        &self,
        state: State,
        at: usize,
        mut owner: Owner,
        goal: Goal,
        frame: Option<Arc<Link>>,
        what: Name<'_>,
        next: Next<'_>,
    ) {
        let (flow, step) = owner.begin(goal, state.time());
        let run = Run { flow, goal, frame, waiting: Waiting::Until(Duration::ZERO) };
        self.drive(state, at, owner, run, step, what, next);
    }

    #[expect(clippy::too_many_arguments, reason = "the parts of one undertaking")]
    fn advance(
        &self,
        mut state: State,
        at: usize,
        mut owner: Owner,
        mut run: Run,
        event: Event,
        what: Name<'_>,
        next: Next<'_>,
    ) {
        let step = owner.advance(&mut run.flow, event, state.time());
        if owner.is_certain() {
            state.rely(owner.tip().sum);
        }
        self.drive(state, at, owner, run, step, what, next);
    }

    /// Takes a step; reads are done at once, in all ways they can go.
    #[expect(clippy::too_many_arguments, reason = "the parts of one undertaking")]
    fn drive(
        &self,
        mut state: State,
        at: usize,
        owner: Owner,
        mut run: Run,
        step: Step,
        what: Name<'_>,
        next: Next<'_>,
    ) {
        let tail = |tip: Tip| Reader::tail_start(tip.message, self.timing());
        match step {
            Step::Wait(until) => {
                run.waiting = Waiting::Until(until);
                self.set(&mut state, at, Mode::Writing { owner: Box::new(owner), run: Some(run) });
                next(state, what);
            }
            Step::Post { nonce, .. } => {
                let tries = self.process(&state, at).map_or(0, |process| process.tries.saturating_sub(1));
                let Some(frame) = run.frame.clone() else { return };
                run.waiting = Waiting::Reply(nonce, tries);
                state.send(at, &frame, nonce);
                self.set(&mut state, at, Mode::Writing { owner: Box::new(owner), run: Some(run) });
                next(state, what);
            }
            Step::Walk(from) => {
                for reading in state.guild.readings(&self.laws, state.now, tail(from.tip)) {
                    let (chain, end) = reading.walk(&from, self.timing);
                    let seen = run.frame.as_ref().is_some_and(|frame| reading.shows(frame.sum));
                    let tips = chain.iter().map(|link| Tip { sum: link.sum, message: link.message });
                    let walked = Walked { chain: tips.collect(), end, seen, newest: reading.newest() };
                    let shown: Vec<String> = chain.iter().map(name).collect();
                    let what = || format!("{} and reads {shown:?}", what());
                    let event = Event::Walked(walked);
                    self.advance(state.clone(), at, owner.clone(), run.clone(), event, &what, next);
                }
            }
            Step::Look => {
                for reading in state.guild.readings(&self.laws, state.now, tail(owner.tip())) {
                    let first = reading.first_after(owner.tip().sum);
                    let event = Event::Looked { first, newest: reading.newest() };
                    let what = || format!("{} and sees {first:?}", what());
                    self.advance(state.clone(), at, owner.clone(), run.clone(), event, &what, next);
                }
            }
            Step::Done(verdict) => self.done(state, at, owner, &run, verdict, what, next),
        }
    }

    #[expect(clippy::too_many_arguments, reason = "the parts of one undertaking")]
    fn done(
        &self,
        mut state: State,
        at: usize,
        owner: Owner,
        run: &Run,
        verdict: Verdict,
        what: Name<'_>,
        next: Next<'_>,
    ) {
        let what = &|| format!("{}: {verdict:?}", what());
        let sum = run.frame.as_ref().map(|frame| frame.sum);
        match verdict {
            Verdict::Durable(_) => sum.into_iter().for_each(|sum| state.rely(sum)),
            Verdict::Refused | Verdict::Ended => {
                sum.into_iter().for_each(|sum| state.refute(sum));
                // Whoever says that a frame has lost relies on the one that won.
                let won = run.frame.as_ref().filter(|_| verdict == Verdict::Ended);
                let won = won.and_then(|lost| self.successor(&state, lost.header.prev));
                won.into_iter().for_each(|sum| state.rely(sum));
            }
            Verdict::Settled | Verdict::PutOff | Verdict::Unknown => {}
            Verdict::Contested { rival } => {
                let Some(process) = self.process(&state, at) else { return };
                let label = 100 + u64::from(process.looks);
                let frame = self.own_frame(process, &owner, Kind::Data, label);
                let goal = Goal::Object { sum: frame.sum, rival };
                return self.undertake(state, at, owner, goal, Some(frame), what, next);
            }
        }
        let mode = match owner.ended() {
            Some(_) => Mode::Gone,
            None => Mode::Writing { owner: Box::new(owner), run: None },
        };
        self.set(&mut state, at, mode);
        next(state, what);
    }

    /// The frame on the chain that follows `sum`.
    fn successor(&self, state: &State, sum: Sum) -> Option<Sum> {
        let (chain, _) = state.guild.all(&self.laws).walk(&self.root, self.timing);
        chain.iter().find(|link| link.header.prev == sum).map(|link| link.sum)
    }

    /// The answer to a request reaches its sender, if that still waits for it.
    pub(super) fn answer(
        &self,
        state: State,
        request: &Request,
        reply: Reply,
        what: Name<'_>,
        next: Next<'_>,
    ) {
        let at = request.sender;
        let Some(process) = self.process(&state, at) else { return };
        match process.mode.clone() {
            Mode::Opening { mut opening, open, nonce, again, .. }
                if open.sum == request.link.sum && nonce == request.nonce =>
            {
                if reply == Reply::Deleted && self.rules.second_nonce && nonce.against.is_none() {
                    let nonce = Nonce { against: Some(Sum::NONE), ..nonce };
                    return self.post_open(state, at, opening, open, again, nonce, what, next);
                }
                let progress = opening.replied(reply, state.time());
                self.progress(state, at, &opening, again, progress, what, next);
            }
            Mode::Writing { owner, run: Some(run) } if run.awaits(request) => {
                self.advance(state, at, *owner, run, Event::Replied(reply), what, next);
            }
            _ => {}
        }
    }

    /// A request is refused for good; with an earlier try unanswered, that proves nothing.
    pub(super) fn refuse(&self, rest: &State, request: &Request, next: Next<'_>) {
        let Some(process) = self.process(rest, request.sender) else { return };
        let Mode::Writing { run: Some(run), .. } = &process.mode else { return };
        let Waiting::Reply(_, left) = run.waiting else { return };
        if rest.refusals == 0 || !run.awaits(request) {
            return;
        }
        let first = left + 1 >= process.tries;
        let reply = if first || self.rules.trusts_refusals { Reply::Refused } else { Reply::Lost };
        let after = State { refusals: rest.refusals - 1, ..rest.clone() };
        self.answer(after, request, reply, &|| format!("{} is refused", name(&request.link)), next);
    }
}

impl Run {
    fn awaits(&self, request: &Request) -> bool {
        let waits = matches!(self.waiting, Waiting::Reply(nonce, _) if nonce == request.nonce);
        waits && self.frame.as_ref().is_some_and(|frame| frame.sum == request.link.sum)
    }
}
