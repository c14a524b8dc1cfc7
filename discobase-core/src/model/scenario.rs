//! What is explored: who takes part, what the guild may do, and what must come of it.

use crate::codec::frame::{Header, Kind, Sum, Timing};
use crate::ids::{Epoch, Incarnation};
use crate::journal::chain::Holder;
use crate::journal::rules::{Position, Tip};
use crate::model::creation;
use crate::model::explore::{Found, explore};
use crate::model::guild::{Laws, TICK, message_at};
use crate::model::process::{Process, Rules};
use crate::model::state::{World, frame};

/// An exploration with a name.
#[derive(Debug, Clone)]
pub struct Scenario {
    /// Its short name.
    pub name: &'static str,
    /// Who takes part, and what is special.
    pub about: &'static str,
    /// Whether a wrong state must be found, because a rule is left out or an assumption broken.
    pub breaks: bool,
    /// The last tick of the version that is explored with every test; `None` if that would take too long.
    quick: Option<u64>,
    world: World,
    /// Instead of all that, how a database is created.
    creation: Option<creation::World>,
}

/// What an exploration saw.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// How many states.
    pub states: usize,
    /// Whether those were all.
    pub exhausted: bool,
    /// What is wrong with the last of them, and how it came about.
    pub broken: Option<(String, Vec<String>)>,
}

impl Scenario {
    /// Explores it, up to a number of states.
    #[must_use]
    pub fn explore(&self, limit: usize) -> Report {
        let (found, states) = match &self.creation {
            Some(creation) => explore(creation, limit),
            None => explore(&self.world, limit),
        };
        let exhausted = found == Found::Holds;
        let broken = match found {
            Found::Broken { wrong, trace } => Some((wrong, trace)),
            Found::Holds | Found::Unfinished => None,
        };
        Report { states, exhausted, broken }
    }

    /// The version that is explored with every test.
    #[must_use]
    pub fn quick(&self) -> Option<Self> {
        let end = self.quick?;
        let world = World { end, ..self.world.clone() };
        let creation = self.creation.clone().map(|creation| creation::World { end, ..creation });
        Some(Self { world, creation, ..self.clone() })
    }
}

/// Small times in the proportions of the real ones: V covers lag and skew, B >= V, N >= W + V.
pub(super) const TIMING: Timing = Timing { visibility: 2 * TICK, grace: 2 * TICK, window: 3 * TICK };
/// What the assumptions allow with these times.
pub(super) const LAWS: Laws = Laws { skew: 1, lag: 1, nonce: Some(6), race: Some(1), open_wins: false };

/// Smaller times without skew, so that the window is long beside the grace.
pub(super) const LONG: Timing = Timing { visibility: TICK, grace: TICK, window: 4 * TICK };
const STEADY: Laws = Laws { skew: 0, lag: 1, nonce: Some(5), race: Some(1), open_wins: false };

/// Without skew, nonces need not be remembered for longer than W.
pub(super) const TIGHT: Timing = Timing { visibility: 2 * TICK, grace: 2 * TICK, window: 4 * TICK };
const FORGETFUL: Laws = Laws { skew: 0, lag: 2, nonce: Some(4), race: Some(1), open_wins: false };

/// The frame everything follows: epoch 1, of owner `a`.
fn root(closed: bool, timing: Timing) -> Position {
    let (incarnation, owner) = (Incarnation::new([0; 8]), "a".to_owned());
    let epoch = Epoch::new(1);
    let header = Header { db: String::new(), epoch, incarnation, owner: owner.clone(), prev: Sum::NONE };
    let sum = frame(header, Kind::Data, 0).sum;
    let holder = Holder { epoch, incarnation, owner, closed };
    Position { tip: Tip { sum, message: message_at(0, 0) }, holder, timing }
}

/// Who takes part: an owner name, frames to write, looks at the tail, and how often each post is sent.
#[derive(Clone, Copy)]
pub(super) struct Part(pub(super) &'static str, pub(super) u8, pub(super) u8, pub(super) u8);

impl Scenario {
    fn new(name: &'static str, about: &'static str, end: u64, (timing, laws): (Timing, Laws)) -> Self {
        let world = World {
            laws,
            rules: Rules::default(),
            timing,
            root: root(false, timing),
            processes: Vec::new(),
            end,
            deletions: 0,
            trims: None,
            roots: false,
            deleted: false,
            refusals: 0,
        };
        Self { name, about, breaks: false, quick: None, world, creation: None }
    }

    /// Times with skew.
    pub(super) fn short(name: &'static str, about: &'static str, end: u64) -> Self {
        Self::new(name, about, end, (TIMING, LAWS))
    }

    /// A long window.
    pub(super) fn long(name: &'static str, about: &'static str, end: u64) -> Self {
        Self::new(name, about, end, (LONG, STEADY))
    }

    /// Nonces that are remembered for W alone.
    pub(super) fn tight(name: &'static str, about: &'static str, end: u64) -> Self {
        Self::new(name, about, end, (TIGHT, FORGETFUL))
    }

    /// So many processes create the database, and slip in this way.
    pub(super) fn created_by(mut self, processes: usize, slips: creation::Slips) -> Self {
        let World { laws, timing, end, .. } = self.world;
        self.creation = Some(creation::World { laws, timing, slips, processes, end });
        self
    }

    /// The first part owns the journal, the others open it.
    pub(super) fn owned(mut self, parts: &[Part]) -> Self {
        let timing = self.world.rules.timing.unwrap_or(self.world.timing);
        let root = Position { timing, ..self.world.root.clone() };
        self = self.open(parts);
        if let Some(first) = self.world.processes.first_mut() {
            let owner = Process::holder(&root, first.frames).mode;
            *first = Process { incarnation: 0, mode: owner, ..first.clone() };
        }
        self
    }

    /// Owner `a` has closed; all parts open.
    pub(super) fn closed(mut self, parts: &[Part]) -> Self {
        self.world.root.holder.closed = true;
        self.open(parts)
    }

    fn open(mut self, parts: &[Part]) -> Self {
        let process = |(incarnation, part): (u8, &Part)| {
            let Part(name, frames, looks, tries) = *part;
            Process { looks, tries, ..Process::opener(name, incarnation, frames) }
        };
        self.world.processes = (1..).zip(parts).map(process).collect();
        self
    }

    /// Somebody follows too, and hears or reads so often.
    pub(super) fn followed(self, hears: u8) -> Self {
        let timing = self.world.timing;
        self.followed_with(hears, timing)
    }

    /// Somebody follows who counts with other times.
    pub(super) fn followed_with(mut self, hears: u8, timing: Timing) -> Self {
        let root = Position { timing, ..self.world.root.clone() };
        self.world.processes.push(Process::follower(&root, hears));
        self
    }

    /// A wrong state must be found.
    pub(super) fn breaks(self) -> Self {
        Self { breaks: true, ..self }
    }

    /// Up to that tick it is explored with every test.
    pub(super) fn quick_to(self, end: u64) -> Self {
        Self { quick: Some(end), ..self }
    }

    /// The guild's laws, changed. Before the parts.
    pub(super) fn laws(mut self, change: impl FnOnce(&mut Laws)) -> Self {
        change(&mut self.world.laws);
        self
    }

    /// The times, changed. Before the parts.
    pub(super) fn times(mut self, change: impl FnOnce(&mut Timing)) -> Self {
        change(&mut self.world.timing);
        self.world.root.timing = self.world.timing;
        self
    }

    /// The processes' rules, changed. Before the parts.
    pub(super) fn rules(mut self, change: impl FnOnce(&mut Rules)) -> Self {
        change(&mut self.world.rules);
        self
    }

    /// Somebody's `open` was posted and deleted before all this.
    pub(super) fn after_a_deletion(mut self) -> Self {
        self.world.deleted = true;
        self
    }

    /// Moderators may delete so many messages that nobody relies on.
    pub(super) fn deletions(mut self, deletions: u8) -> Self {
        self.world.deletions = deletions;
        self
    }

    /// Whose frame is so old trims what it covers.
    pub(super) fn trims(mut self, ticks: u64) -> Self {
        self.world.trims = Some(ticks);
        self
    }

    /// Owners write checkpoints, whoever reads the whole journal chooses where to begin, and so many processes do nothing
    /// but that. Behind the parts.
    pub(super) fn read_by(mut self, readers: usize) -> Self {
        self.world.roots = true;
        self.world.processes.extend(std::iter::repeat_n(Process::reader(), readers));
        self
    }

    /// The guild may refuse so many requests.
    pub(super) fn refusals(mut self, refusals: u8) -> Self {
        self.world.refusals = refusals;
        self
    }
}
