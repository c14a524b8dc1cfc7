//! A process that reads the journal and opens it.

use std::sync::Arc;
use std::time::Duration;

use crate::codec::frame::{Kind, Sum};
use crate::ids::MessageId;
use crate::journal::chain::Link;
use crate::journal::rules::{Goal, Nonce, Opening, Position, Progress, Tip, reopens, undecided};
use crate::model::explore::Name;
use crate::model::process::{Mode, Next, Run, Waiting};
use crate::model::state::{State, World, frame, name};

impl World {
    /// Reads the whole journal, and posts an `open` at its tip.
    pub(super) fn read(
        &self,
        state: &State,
        at: usize,
        seen: Option<Sum>,
        before: Option<&Position>,
        next: Next<'_>,
    ) {
        let Some(process) = self.process(state, at) else { return };
        for reading in state.guild.readings(&self.laws, state.now, MessageId::default()) {
            let mut after = state.clone();
            let Some(base) = self.start(state, &reading) else {
                after.rootless = true;
                next(after, &|| format!("process {at} reads, and finds no root"));
                continue;
            };
            let (chain, holder) = reading.walk(&base, self.timing);
            let last = chain.last();
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
            let tip = last.map_or(base.tip, |last| Tip { sum: last.sum, message: last.message });
            let timing = self.timing();
            let position = Position { tip, holder, timing };
            after.rely(tip.sum);
            if process.only_reads {
                self.set(&mut after, at, Mode::Gone);
                next(after, &|| format!("process {at} reads {:?}", last.map(name)));
                continue;
            }
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
    pub(super) fn post_open(
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
    pub(super) fn progress(
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
}
