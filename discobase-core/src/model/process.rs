//! One process: it takes the steps that the rules say, at any time it likes, or never.

use std::sync::Arc;
use std::time::Duration;

use crate::codec::frame::{Header, Sum, Timing};
use crate::ids::{Epoch, Incarnation};
use crate::journal::chain::Link;
use crate::journal::follow::Track;
use crate::journal::rules::{Clock, Event, Flow, Goal, Nonce, Opening, Owner, Position, Reply};
use crate::model::explore::{self, Name};
use crate::model::state::{Request, State, World, name};

pub(super) type Next<'a> = explore::Next<'a, State>;

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
    /// The latest checkpoint is the root, wherever its walk leads.
    pub(super) latest_root: bool,
    /// A read is believed that lacks the tip, or what decided who may write.
    pub(super) rootless: bool,
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
    /// Whether it only reads the journal, once.
    pub(super) only_reads: bool,
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
    /// It follows the journal; it has yet to hear so many messages from the gateway.
    Following { track: Box<Track>, clock: Clock, hears: u8 },
    /// It does nothing any more.
    Gone,
}

/// An undertaking of an owner.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Run {
    pub(super) flow: Flow,
    pub(super) goal: Goal,
    pub(super) frame: Option<Arc<Link>>,
    pub(super) waiting: Waiting,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Waiting {
    /// For the clock.
    Until(Duration),
    /// For an answer to a post under this nonce; it can be sent so often again.
    Reply(Nonce, u8),
}

impl Process {
    /// One that will open the journal and write `frames`.
    pub(super) fn opener(owner: &str, incarnation: u8, frames: u8) -> Self {
        let mode = Mode::Reading { at: Duration::ZERO, seen: None, before: None };
        let owner = owner.to_owned();
        Self { owner, incarnation, frames, closes: false, looks: 0, tries: 1, only_reads: false, mode }
    }

    /// One that reads the journal once and relies on what it finds.
    pub(super) fn reader() -> Self {
        Self { only_reads: true, ..Self::opener("reader", 98, 0) }
    }

    /// One that holds `root` and has settled.
    pub(super) fn holder(root: &Position, frames: u8) -> Self {
        let owner = Box::new(Owner::certain(root.clone(), Duration::ZERO));
        let mut process = Self::opener(&root.holder.owner, 0, frames);
        process.mode = Mode::Writing { owner, run: None };
        process
    }

    /// One that follows the journal from `root` on.
    pub(super) fn follower(root: &Position, hears: u8) -> Self {
        let mut clock = Clock::new(Duration::ZERO);
        clock.saw(root.tip.message, Duration::ZERO);
        let track = Box::new(Track::new(root.clone(), root.tip.message));
        Self { mode: Mode::Following { track, clock, hears }, ..Self::opener("follower", 99, 0) }
    }

    pub(super) fn header(&self, epoch: Epoch, prev: Sum) -> Header {
        let incarnation = Incarnation::new([0, 0, 0, 0, 0, 0, 0, self.incarnation]);
        Header { db: String::new(), epoch, incarnation, owner: self.owner.clone(), prev }
    }
}

impl World {
    pub(super) fn process<'a>(&self, state: &'a State, at: usize) -> Option<&'a Process> {
        state.processes.get(at)
    }

    pub(super) fn set(&self, state: &mut State, at: usize, mode: Mode) {
        if let Some(process) = state.processes.get_mut(at) {
            // Whoever has nothing left to do is the same as one that is gone.
            let settled = matches!(&mode, Mode::Writing { owner, run: None } if owner.is_certain());
            let idle = settled && process.frames == 0 && process.looks == 0;
            let idle = idle || matches!(mode, Mode::Following { hears: 0, .. });
            process.mode = if idle { Mode::Gone } else { mode };
            if process.mode == Mode::Gone {
                (process.frames, process.looks, process.tries) = (0, 0, 0);
            }
        }
    }

    pub(super) fn timing(&self) -> Timing {
        self.rules.timing.unwrap_or(self.timing)
    }

    /// What a process may do now, of its own accord.
    pub(super) fn act(&self, state: &State, at: usize, next: Next<'_>) {
        let Some(process) = self.process(state, at) else { return };
        match &process.mode {
            Mode::Gone => {}
            Mode::Following { track, clock, hears } => self.follow(state, at, track, *clock, *hears, next),
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

    pub(super) fn resend(&self, state: &State, at: usize, mode: Mode, next: Next<'_>) {
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
