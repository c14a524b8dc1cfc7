//! Creating a database, explored: several processes find none, and each makes a journal and a genesis. Whoever goes on
//! with a journal must go on with the same one, and nobody may delete it.

use crate::codec::frame::Timing;
use crate::ids::MessageId;
use crate::journal::rules::{is_certain, winner};
use crate::model::explore::{Next, System};
use crate::model::guild::{Laws, TICK, message_at};

/// A way of choosing that is not ours, to see that the explorer would notice.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Slips {
    /// A journal that was found is believed at once, however young.
    pub(super) no_second_look: bool,
    /// A creator looks again at once, without waiting.
    pub(super) no_wait: bool,
    /// The oldest channel is taken, not the one with the oldest genesis.
    pub(super) oldest_channel: bool,
}

/// What is explored.
#[derive(Debug, Clone)]
pub(super) struct World {
    pub(super) laws: Laws,
    pub(super) timing: Timing,
    pub(super) slips: Slips,
    pub(super) processes: usize,
    /// The last tick.
    pub(super) end: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct State {
    now: u64,
    journals: Vec<Journal>,
    processes: Vec<Process>,
    requests: Vec<(usize, Request)>,
    /// Journals that somebody went on with.
    relied: Vec<usize>,
}

/// A journal's channel, in the order in which they were made.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Journal {
    made_at: u64,
    /// Each genesis in it, and when it was posted.
    genesis: Vec<(MessageId, u64)>,
    gone: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Request {
    Make,
    Genesis(usize),
    Delete(usize),
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Process {
    /// It looks from then on; for the second time if a journal that it found was too young.
    Looking { at: u64, again: bool },
    /// It waits for an answer; `made` is the journal that it made.
    Creating { made: Option<usize> },
    /// It has posted its genesis, and looks again from then on.
    Waiting { at: u64, made: Option<usize> },
    /// It went on, or gave up.
    Done,
}

impl System for World {
    type State = State;

    fn initial(&self) -> State {
        let processes = vec![Process::Looking { at: 0, again: false }; self.processes];
        State { now: 0, journals: Vec::new(), processes, requests: Vec::new(), relied: Vec::new() }
    }

    fn successors(&self, state: &State, next: Next<'_, State>) {
        if state.now < self.end {
            next(State { now: state.now + 1, ..state.clone() }, &|| format!("t={}", state.now + 1));
        }
        for at in 0..state.requests.len() {
            self.execute(state, at, next);
        }
        for at in 0..state.processes.len() {
            self.act(state, at, next);
        }
    }

    fn broken(&self, state: &State) -> Option<String> {
        let all = |journal: &Journal| !journal.gone;
        let truth = self.choose(&self.shown(state, &|_, journal| all(journal), &|_| true));
        let wrong = state.relied.iter().find(|relied| Some(**relied) != truth)?;
        Some(format!("somebody went on with journal {wrong}, and the database is {truth:?}"))
    }
}

impl World {
    /// The journals that a list shows, each with the oldest genesis that a read of it shows.
    fn shown(
        &self,
        state: &State,
        listed: &dyn Fn(usize, &Journal) -> bool,
        read: &dyn Fn(MessageId) -> bool,
    ) -> Vec<(usize, Option<MessageId>)> {
        let journals = state.journals.iter().enumerate();
        let root = |journal: &Journal| journal.genesis.iter().map(|(id, _)| *id).filter(|id| read(*id)).min();
        journals
            .filter(|(at, journal)| listed(*at, journal))
            .map(|(at, journal)| (at, root(journal)))
            .collect()
    }

    /// The journal that is the database.
    fn choose(&self, shown: &[(usize, Option<MessageId>)]) -> Option<usize> {
        let rooted = shown.iter().filter_map(|(at, genesis)| Some((*at, (*genesis)?)));
        if self.slips.oldest_channel { rooted.map(|(at, _)| at).min() } else { winner(rooted) }
    }

    /// A process looks or waits, as far as its time has come: everything that a list and reads may show now.
    fn act(&self, state: &State, at: usize, next: Next<'_, State>) {
        let (from, made, again) = match state.processes.get(at) {
            Some(Process::Looking { at, again }) => (*at, None, Some(*again)),
            Some(Process::Waiting { at, made }) => (*at, *made, None),
            _ => return,
        };
        if from > state.now {
            return;
        }
        // What is younger than the lag may be missing: channels, and each genesis.
        let young = |made: u64| made + self.laws.lag > state.now;
        let channels: Vec<usize> = (0..state.journals.len())
            .filter(|at| state.journals.get(*at).is_some_and(|journal| young(journal.made_at)))
            .collect();
        let posts: Vec<MessageId> = (state.journals.iter().flat_map(|journal| &journal.genesis))
            .filter(|(_, posted)| young(*posted))
            .map(|(id, _)| *id)
            .collect();
        for chosen in 0..1_u32 << (channels.len() + posts.len()) {
            let hidden = |place: usize| chosen >> place & 1 == 1;
            let listed = |at: usize, journal: &Journal| {
                !journal.gone && !channels.iter().position(|one| *one == at).is_some_and(hidden)
            };
            let read = |id: MessageId| {
                !posts.iter().position(|one| *one == id).is_some_and(|at| hidden(channels.len() + at))
            };
            let shown = self.shown(state, &listed, &read);
            let (mut after, found) = (state.clone(), self.choose(&shown));
            let what = format!("process {at} sees {shown:?}");
            self.decide(&mut after, at, &shown, found, made, again);
            next(after, &|| what.clone());
        }
    }

    fn decide(
        &self,
        state: &mut State,
        at: usize,
        shown: &[(usize, Option<MessageId>)],
        found: Option<usize>,
        made: Option<usize>,
        again: Option<bool>,
    ) {
        let (now, settle) = (state.now, (self.timing.visibility + self.timing.grace) / TICK);
        let mode = match (found, again) {
            (Some(found), _) => {
                let genesis = shown.iter().find(|(at, _)| *at == found).and_then(|(_, genesis)| *genesis);
                // The newest message of the journal is its genesis: nobody writes more than that here.
                let genesis = genesis.unwrap_or_default();
                let young = !is_certain(genesis, genesis.time_ms(), self.timing);
                if again == Some(false) && young && !self.slips.no_second_look {
                    Process::Looking { at: now + settle, again: true }
                } else {
                    made.filter(|made| *made != found)
                        .into_iter()
                        .for_each(|made| state.send(at, Request::Delete(made)));
                    state.rely(found);
                    Process::Done
                }
            }
            // Its own genesis can't be read back.
            (None, None) => Process::Done,
            (None, Some(_)) => {
                // A journal without a genesis is an orphan, and used.
                let request = shown.first().map_or(Request::Make, |(orphan, _)| Request::Genesis(*orphan));
                state.send(at, request);
                Process::Creating { made: None }
            }
        };
        state.set(at, mode);
    }

    /// A request is executed now, whether its sender still waits or not; or it never is, if nothing asks for it again.
    fn execute(&self, state: &State, request: usize, next: Next<'_, State>) {
        let mut rest = state.clone();
        let (sender, request) = rest.requests.remove(request);
        let settle = (self.timing.visibility + self.timing.grace) / TICK;
        let wait = if self.slips.no_wait { state.now } else { state.now + settle };
        match request {
            Request::Make => {
                let journal = Journal { made_at: state.now, genesis: Vec::new(), gone: false };
                rest.journals.push(journal);
                let made = rest.journals.len() - 1;
                let what = || format!("process {sender} makes journal {made}");
                next(rest.clone(), &|| format!("{}, and the answer is lost", what()));
                rest.send(sender, Request::Genesis(made));
                rest.set(sender, Process::Creating { made: Some(made) });
                next(rest, &what);
            }
            Request::Delete(journal) => {
                rest.journals.get_mut(journal).into_iter().for_each(|journal| journal.gone = true);
                next(rest, &|| format!("process {sender} deletes journal {journal}"));
            }
            Request::Genesis(journal) => self.genesis(&rest, sender, journal, wait, next),
        }
    }

    /// A genesis is posted: all in one journal have one nonce.
    fn genesis(&self, state: &State, sender: usize, journal: usize, wait: u64, next: Next<'_, State>) {
        let Some(target) = state.journals.get(journal) else { return };
        let Some(Process::Creating { made }) = state.processes.get(sender) else { return };
        let (made, what) = (*made, || format!("process {sender} posts a genesis in {journal}"));
        let mut answered = |mut after: State| {
            next(after.clone(), &|| format!("{}, and the answer is lost", what()));
            after.set(sender, Process::Waiting { at: wait, made });
            next(after, &what);
        };
        if target.gone {
            return;
        }
        let remembered = |posted: u64| self.laws.nonce.is_some_and(|nonce| state.now - posted <= nonce);
        let known = target.genesis.iter().find(|(_, posted)| remembered(*posted));
        if known.is_some() {
            answered(state.clone());
        }
        let races = |posted: u64| self.laws.race.is_some_and(|race| state.now - posted <= race);
        if known.is_none_or(|(_, posted)| races(*posted)) {
            let count = state.journals.iter().map(|journal| journal.genesis.len()).sum::<usize>();
            for skew in 0..=self.laws.skew {
                let mut after = state.clone();
                let id = message_at(state.now + skew, count + 1);
                after
                    .journals
                    .get_mut(journal)
                    .into_iter()
                    .for_each(|journal| journal.genesis.push((id, state.now)));
                answered(after);
            }
        }
    }
}

impl State {
    fn send(&mut self, sender: usize, request: Request) {
        self.requests.push((sender, request));
        self.requests.sort_unstable();
    }

    fn set(&mut self, at: usize, mode: Process) {
        if let Some(process) = self.processes.get_mut(at) {
            *process = mode;
        }
    }

    fn rely(&mut self, journal: usize) {
        if let Err(at) = self.relied.binary_search(&journal) {
            self.relied.insert(at, journal);
        }
    }
}
