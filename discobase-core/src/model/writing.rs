//! A process that owns the journal, as far as it knows: it writes, looks, and settles its term.

use std::sync::Arc;
use std::time::Duration;

use crate::codec::frame::{Kind, Sum};
use crate::journal::chain::Link;
use crate::journal::reader::Reader;
use crate::journal::rules::{Event, Goal, Owner, Step, Tip, Verdict, Walked};
use crate::model::explore::Name;
use crate::model::guild::Reading;
use crate::model::process::{Mode, Next, Process, Run, Waiting};
use crate::model::state::{State, World, frame, name};

impl World {
    /// An owner that does nothing may write a frame, or look at the tail.
    pub(super) fn begin(&self, state: &State, at: usize, owner: &Owner, next: Next<'_>) {
        let Some(process) = self.process(state, at) else { return };
        if !owner.is_certain() {
            let what = || format!("process {at} begins to settle");
            self.undertake(state.clone(), at, owner.clone(), Goal::Settle, None, &what, next);
        }
        if process.frames > 0 {
            let kind = if process.closes && process.frames == 1 { Kind::Close } else { self.written() };
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

    pub(super) fn own_frame(&self, process: &Process, owner: &Owner, kind: Kind, label: u64) -> Arc<Link> {
        frame(process.header(owner.holder().epoch, owner.tip().sum), kind, label)
    }

    #[expect(clippy::too_many_arguments, reason = "the parts of one undertaking")]
    pub(super) fn undertake(
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
    pub(super) fn advance(
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
    pub(super) fn drive(
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
            Step::Walk { from, rival } => {
                for reading in state.guild.readings(&self.laws, state.now, tail(from.tip)) {
                    let (chain, end) = reading.walk(&from, self.timing);
                    let seen = run.frame.as_ref().is_some_and(|frame| reading.shows(frame.sum));
                    let tips = chain.iter().map(|link| Tip { sum: link.sum, message: link.message });
                    let rooted = self.shows(&state, &reading, from.tip.sum);
                    let torn = !self.rules.rootless && reading.is_torn(&from, &end, rival);
                    let newest = reading.newest();
                    let walked = Walked { rooted, chain: tips.collect(), end, seen, torn, newest };
                    let shown: Vec<String> = chain.iter().map(name).collect();
                    let what = || format!("{} and reads {shown:?}", what());
                    let event = Event::Walked(walked);
                    self.advance(state.clone(), at, owner.clone(), run.clone(), event, &what, next);
                }
            }
            Step::Look => {
                for reading in state.guild.readings(&self.laws, state.now, tail(owner.tip())) {
                    let first = reading.first_after(owner.tip().sum);
                    let rooted = self.shows(&state, &reading, owner.tip().sum);
                    let torn =
                        !self.rules.rootless && reading.is_torn(&owner.position(), owner.holder(), None);
                    let event = Event::Looked { rooted, first, torn, newest: reading.newest() };
                    let what = || format!("{} and sees {first:?}", what());
                    self.advance(state.clone(), at, owner.clone(), run.clone(), event, &what, next);
                }
            }
            Step::Done(verdict) => self.done(state, at, owner, &run, verdict, what, next),
        }
    }

    /// Whether a read showed a frame; the root's message is there until it is trimmed.
    pub(super) fn shows(&self, state: &State, reading: &Reading, sum: Sum) -> bool {
        let root = sum == self.root.tip.sum && state.base.is_none();
        self.rules.rootless || root || reading.shows(sum)
    }

    #[expect(clippy::too_many_arguments, reason = "the parts of one undertaking")]
    pub(super) fn done(
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
    pub(super) fn successor(&self, state: &State, sum: Sum) -> Option<Sum> {
        let (chain, _) = state.guild.all(&self.laws).walk(&self.root, self.timing);
        chain.iter().find(|link| link.header.prev == sum).map(|link| link.sum)
    }
}
