//! One state of guild and processes, and what may happen in it.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;

use crate::codec::frame::{Header, Kind, Sum, Timing};
use crate::ids::MessageId;
use crate::journal::chain::{Holder, Link};
use crate::journal::rules::{Nonce, Position, Roots, Tip};
use crate::model::explore::{Next, System};
use crate::model::guild::{Guild, Laws, Reading, TICK};
use crate::model::process::{Process, Rules};

/// A guild with processes, at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct State {
    pub(super) now: u64,
    pub(super) guild: Guild,
    /// Requests that were sent and may yet be executed, also those whose sender is gone.
    pub(super) requests: Vec<Request>,
    pub(super) processes: Vec<Process>,
    /// Frames that somebody was told are durable, and tips that somebody took as final.
    pub(super) relied: Vec<Sum>,
    /// Frames that somebody was told will never be durable.
    pub(super) refuted: Vec<Sum>,
    /// What the checkpoint covers whose owner has trimmed: the root is not there any more, and walks begin here.
    pub(super) base: Option<Box<Position>>,
    /// Whether somebody read the journal and found nothing to begin with.
    pub(super) rootless: bool,
    /// How many messages moderators may yet delete.
    pub(super) deletions: u8,
    /// How many requests the guild may yet refuse.
    pub(super) refusals: u8,
}

/// A post on its way.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Request {
    pub(super) sender: usize,
    pub(super) link: Arc<Link>,
    pub(super) nonce: Nonce,
}

/// What is explored.
#[derive(Debug, Clone)]
pub(super) struct World {
    pub(super) laws: Laws,
    pub(super) rules: Rules,
    /// The times the chain is walked with.
    pub(super) timing: Timing,
    /// The frame everything follows.
    pub(super) root: Position,
    pub(super) processes: Vec<Process>,
    /// The last tick.
    pub(super) end: u64,
    pub(super) deletions: u8,
    /// How old a checkpoint is before its owner trims, in ticks; `None` if nobody does.
    pub(super) trims: Option<u64>,
    /// Whether what owners write are checkpoints, and who reads the whole journal must choose where to begin.
    pub(super) roots: bool,
    /// Whether somebody's `open` after the root was posted and deleted before all this.
    pub(super) deleted: bool,
    pub(super) refusals: u8,
}

impl State {
    pub(super) fn time(&self) -> Duration {
        Duration::from_millis(self.now * TICK)
    }

    pub(super) fn rely(&mut self, sum: Sum) {
        add(&mut self.relied, sum);
    }

    pub(super) fn refute(&mut self, sum: Sum) {
        add(&mut self.refuted, sum);
    }

    pub(super) fn send(&mut self, sender: usize, link: &Arc<Link>, nonce: Nonce) {
        self.requests.push(Request { sender, link: Arc::clone(link), nonce });
        self.requests.sort_by_key(|request| (request.sender, request.link.sum, request.nonce));
    }
}

fn add(sums: &mut Vec<Sum>, sum: Sum) {
    if let Err(at) = sums.binary_search(&sum) {
        sums.insert(at, sum);
    }
}

/// A frame of the model; `label` tells frames apart that are the same otherwise.
pub(super) fn frame(header: Header, kind: Kind, label: u64) -> Arc<Link> {
    let mut hasher = DefaultHasher::new();
    (&header, kind, label).hash(&mut hasher);
    let mut sum = Sum([0; 32]);
    sum.0.iter_mut().zip(hasher.finish().to_le_bytes()).for_each(|(to, from)| *to = from);
    Arc::new(Link { header, kind, sum, message: MessageId::default() })
}

/// What a frame is called in traces.
pub(super) fn name(link: &Link) -> String {
    let Link { header, kind, sum, .. } = link;
    format!(
        "{}{}[{sum:?}<{:?}]",
        header.incarnation.to_string().trim_start_matches('0'),
        kind.name(),
        header.prev
    )
}

impl System for World {
    type State = State;

    fn initial(&self) -> State {
        State {
            now: 0,
            guild: self.beginning(),
            requests: Vec::new(),
            processes: self.processes.clone(),
            relied: Vec::new(),
            refuted: Vec::new(),
            base: None,
            rootless: false,
            deletions: self.deletions,
            refusals: self.refusals,
        }
    }

    fn successors(&self, state: &State, next: Next<'_, State>) {
        if state.now < self.end {
            next(State { now: state.now + 1, ..state.clone() }, &|| format!("t={}", state.now + 1));
        }
        self.execute(state, next);
        self.moderate(state, next);
        self.trim(state, next);
        for at in 0..state.processes.len() {
            self.act(state, at, next);
        }
    }

    fn broken(&self, state: &State) -> Option<String> {
        let (chain, _) = state.guild.all(&self.laws).walk(&self.root, self.timing);
        let on_chain = |sum: &Sum| *sum == self.root.tip.sum || chain.iter().any(|link| link.sum == *sum);
        if let Some(lost) = state.relied.iter().find(|sum| !on_chain(sum)) {
            return Some(format!("{lost:?} was relied on and is not on the chain"));
        }
        if state.rootless {
            return Some("a journal without a root was read".to_owned());
        }
        let found = state.refuted.iter().find(|sum| on_chain(sum))?;
        Some(format!("{found:?} was reported as not durable and is on the chain"))
    }

    fn may_break(&self, before: &State, after: &State) -> bool {
        let judged = |state: &State| (state.relied.len(), state.refuted.len(), state.rootless);
        judged(before) != judged(after) || before.guild != after.guild
    }
}

impl World {
    fn beginning(&self) -> Guild {
        let mut guild = Guild::default();
        if self.deleted {
            let holder = &self.root.holder;
            let owner = Process::opener("deleted", 9, 0);
            let open = frame(owner.header(holder.epoch.next(), self.root.tip.sum), Kind::Open, 0);
            guild.post_and_delete(&open, Nonce { after: self.root.tip.sum, against: None });
        }
        guild
    }

    /// A request arrives, perhaps long after it was sent; its answer arrives or is lost.
    fn execute(&self, state: &State, next: Next<'_, State>) {
        for (at, request) in state.requests.iter().enumerate() {
            if at > 0 && state.requests.get(at - 1) == Some(request) {
                continue;
            }
            let mut rest = state.clone();
            rest.requests.remove(at);
            for (guild, reply) in state.guild.execute(&self.laws, state.now, &request.link, request.nonce) {
                let after = State { guild, ..rest.clone() };
                let what = || format!("{} is executed: {reply:?}", name(&request.link));
                next(after.clone(), &|| format!("{}, and the answer lost", what()));
                self.answer(after, request, reply, &what, next);
            }
            self.refuse(&rest, request, next);
        }
    }

    /// Where a reading of the whole journal begins its walk.
    pub(super) fn base<'a>(&'a self, state: &'a State) -> &'a Position {
        state.base.as_deref().unwrap_or(&self.root)
    }

    /// Where a process begins that reads the whole journal, if it finds anything to begin with.
    pub(super) fn start(&self, state: &State, reading: &Reading) -> Option<Position> {
        if !self.roots {
            return Some(self.base(state).clone());
        }
        let links = reading.links();
        let mut roots = Roots::new();
        if state.base.is_none() {
            roots.offer(&links, &self.root, None, self.root.clone());
        }
        let mut checkpoints: Vec<&Link> = links.iter().filter(|link| link.kind == Kind::Checkpoint).collect();
        checkpoints.sort_unstable_by_key(|link| link.message);
        for checkpoint in checkpoints.into_iter().rev() {
            let covers = self.covers(state, checkpoint);
            if self.rules.latest_root {
                return Some(covers);
            }
            roots.offer(&links, &covers, Some(checkpoint.sum), covers.clone());
            if roots.is_final(&links) {
                break;
            }
        }
        roots.best()
    }

    /// What a checkpoint covers: everything up to the frame before it.
    fn covers(&self, state: &State, checkpoint: &Link) -> Position {
        let Header { epoch, incarnation, owner, prev, .. } = checkpoint.header.clone();
        let posted = state.guild.0.iter().map(|posted| &posted.link);
        let message = posted.filter(|link| link.sum == prev).map(|link| link.message).min();
        let tip = Tip { sum: prev, message: message.unwrap_or(self.root.tip.message) };
        Position { tip, holder: Holder { epoch, incarnation, owner, closed: false }, timing: self.timing }
    }

    /// What the owners of this exploration write.
    pub(super) fn written(&self) -> Kind {
        if self.roots { Kind::Checkpoint } else { Kind::Data }
    }

    /// A data frame that somebody relies on stands for a checkpoint of the frame before it. When it is old enough, what it
    /// covers is deleted: the chain up to there, and void frames beside it. Where owners write checkpoints, those do.
    fn trim(&self, state: &State, next: Next<'_, State>) {
        let Some(ticks) = self.trims.filter(|_| state.base.is_none()) else { return };
        let (chain, _) = state.guild.all(&self.laws).walk(&self.root, self.timing);
        let (mut base, mut before) = (self.root.clone(), Vec::new());
        for link in &chain {
            let relied = link.kind == self.written() && state.relied.contains(&link.sum);
            if relied && state.guild.is_as_old(link.sum, state.now, ticks) {
                let mut after = state.clone();
                let held = [before.as_slice(), &[base.tip.sum]].concat();
                after.guild.trim(&held, &before);
                after.base = Some(Box::new(base.clone()));
                next(after, &|| format!("what {} covers is trimmed", name(link)));
            }
            before.push(base.tip.sum);
            base = base.after(link);
        }
    }

    /// Moderators delete what nobody relies on.
    fn moderate(&self, state: &State, next: Next<'_, State>) {
        if state.deletions == 0 {
            return;
        }
        for (at, posted) in state.guild.0.iter().enumerate() {
            if !posted.gone && !state.relied.contains(&posted.link.sum) {
                let mut after = State { deletions: state.deletions - 1, ..state.clone() };
                if let Some(posted) = after.guild.0.get_mut(at) {
                    posted.gone = true;
                }
                next(after, &|| format!("a moderator deletes {}", name(&posted.link)));
            }
        }
    }
}
