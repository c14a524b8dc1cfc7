//! The world: the local guild's state, the network before it, and who listens.
//!
//! Callers: `transport`, for every request; `run`, for what other people do. There are no sockets: a request is a
//! function on the guild's pure state that a task calls when the request arrives, whether its sender still waits or not.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use discobase_guild::Limits;
use discobase_guild::state::{Effects, Event, Flaws, Refusal, Seed, Snowflake, State, Write};
use parking_lot::Mutex;
use tokio::time::Instant;

use crate::gateway::Subscriber;
use crate::keys::Keys;
use crate::plan::Plan;
use crate::process::Process;
use crate::rng::Rng;
use crate::trace::Trace;

/// The time at which every run begins, in milliseconds since the Unix epoch.
pub(crate) const BEGIN: u64 = 1_790_000_000_000;

/// How long a client waits for an answer, in milliseconds.
pub(crate) const PATIENCE: u64 = 10_000;

/// Everything outside of the processes.
pub(crate) struct World {
    pub(crate) plan: Plan,
    /// The database's keys, as its programs know them.
    pub(crate) keys: Keys,
    start: Instant,
    inner: Mutex<Inner>,
}

/// What is behind the lock. No task holds it over a wait.
pub(crate) struct Inner {
    pub(crate) state: State,
    pub(crate) blobs: HashMap<Snowflake, Bytes>,
    pub(crate) trace: Trace,
    pub(crate) subscribers: BTreeMap<u64, Subscriber>,
    pub(crate) rng: Rng,
    /// From now on nothing goes wrong any more.
    pub(crate) healed: bool,
    /// Somebody deleted what belongs to the database.
    pub(crate) vandalised: bool,
}

/// What becomes of one request.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Fate {
    /// The process ends before the request leaves.
    pub(crate) crash_before: bool,
    /// The request never arrives.
    pub(crate) lost: bool,
    /// Until it arrives, in milliseconds.
    pub(crate) there: u64,
    /// It is answered without being executed.
    pub(crate) instead: Option<Instead>,
    /// The process ends when the request has been executed.
    pub(crate) crash_after: bool,
    /// The answer never arrives, or says nothing: a 5xx.
    pub(crate) unanswered: bool,
    /// Whether a client that gets no answer hears at once that the connection is gone.
    pub(crate) cut: bool,
    /// Until the answer arrives, in milliseconds.
    pub(crate) back: u64,
    /// What goes wrong inside Discord.
    pub(crate) flaws: Flaws,
}

/// An answer to a request that was not executed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Instead {
    /// A 5xx.
    Error,
    /// A 429: to be repeated after so many milliseconds.
    TooMany(u64),
    /// AutoMod does not like the text.
    Filtered,
}

impl World {
    pub(crate) fn new(mut plan: Plan) -> Arc<Self> {
        let seed = Seed { guild_name: "sim".to_owned(), token: "sim".to_owned(), secret: [7; 32] };
        let limits = Limits { nonce_window_ms: plan.nonce_window, ..Limits::unlimited() };
        let mut state = State::new(BEGIN, &seed, limits);
        drop(state.take_effects());
        let inner = Inner {
            state,
            blobs: HashMap::new(),
            trace: Trace::default(),
            subscribers: BTreeMap::new(),
            rng: plan.rng.fork(),
            healed: false,
            vandalised: false,
        };
        let keys = Keys::new(plan.encrypted);
        Arc::new(Self { plan, keys, start: Instant::now(), inner: Mutex::new(inner) })
    }

    /// Milliseconds since the run began.
    pub(crate) fn elapsed(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// Adds a line to the trace.
    pub(crate) fn note(&self, what: &str) {
        self.inner.lock().trace.add(self.elapsed(), what);
    }

    /// Looks at what is behind the lock, or changes it; what that causes is delivered.
    pub(crate) fn with<R>(self: &Arc<Self>, act: impl FnOnce(&mut Inner, u64) -> R) -> R {
        let now_ms = BEGIN + self.elapsed();
        let mut inner = self.inner.lock();
        let result = act(&mut inner, now_ms);
        let Effects { events, writes } = inner.state.take_effects();
        for write in writes {
            match write {
                Write::Blob(id, bytes) => drop(inner.blobs.insert(id, bytes)),
                Write::DropBlob(id, _) => drop(inner.blobs.remove(&id)),
                _ => {}
            }
        }
        self.publish(&mut inner, &events);
        result
    }

    fn publish(self: &Arc<Self>, inner: &mut Inner, events: &[Event]) {
        for event in events {
            for event in crate::gateway::translate(&inner.state, event) {
                let Inner { subscribers, rng, trace, healed, .. } = &mut *inner;
                for subscriber in subscribers.values_mut() {
                    subscriber.send(self, &event, rng, trace, *healed);
                }
            }
        }
    }

    /// Draws what becomes of a request; of a `text` the filter may dislike what it says.
    pub(crate) fn fate(&self, process: &Process, text: bool) -> Fate {
        let (plan, mut inner) = (&self.plan, self.inner.lock());
        let Inner { rng, trace, healed, .. } = &mut *inner;
        let (there, back) = (rng.between(1, plan.latency), rng.between(1, plan.latency));
        if *healed {
            return Fate { there: 1, back: 1, ..Fate::default() };
        }
        let (chances, mut fate) =
            (plan.chances, Fate { there, back, cut: rng.chance(0.5), ..Fate::default() });
        if process.may_crash() {
            fate.crash_before = rng.chance(chances.crash / 2.0);
            fate.crash_after = rng.chance(chances.crash / 2.0);
            if rng.chance(chances.cut_off) {
                process.cut_off(Duration::from_millis(rng.between(1_000, 2 * plan.window)));
                trace.counts.faults += 1;
            }
        }
        fate.lost = rng.chance(chances.lose_request);
        fate.unanswered = rng.chance(chances.lose_reply) || rng.chance(chances.error);
        if rng.chance(chances.slow) {
            (fate.there, fate.back) = (rng.between(1, 5_000), rng.between(1, 5_000));
        }
        if rng.chance(chances.late) {
            fate.there = rng.pick(PATIENCE, &[PATIENCE, 60_000, plan.late]) + rng.below(10_000);
            fate.there = fate.there.min(plan.late);
        }
        if rng.chance(chances.error) {
            fate.instead = Some(Instead::Error);
        } else if rng.chance(chances.too_many) {
            fate.instead = Some(Instead::TooMany(rng.between(100, 5_000)));
        } else if text && rng.chance(chances.filter) {
            fate.instead = Some(Instead::Filtered);
        }
        if rng.chance(chances.flaw) {
            let blind_ms = rng.between(0, plan.blind);
            fate.flaws = Flaws {
                stale_ms: rng.between(0, plan.stale),
                hidden_ms: rng.between(0, plan.hidden),
                skew_ms: i64::try_from(rng.between(0, plan.skew)).unwrap_or(0),
                blind_ms: rng.pick(0, &[blind_ms, plan.blind]),
                late_files_ms: rng.pick(0, &[0, 1_500]),
            };
        }
        let strange = fate.lost || fate.unanswered || fate.instead.is_some() || fate.there > 5_000;
        trace.counts.faults += u64::from(strange) + u64::from(fate.flaws != Flaws::default());
        fate
    }

    /// Executes a request, now.
    pub(crate) fn execute<R>(
        self: &Arc<Self>,
        who: &str,
        what: &str,
        act: impl FnOnce(&mut Inner, u64) -> Result<R, Refusal>,
    ) -> Result<R, Refusal> {
        let result = self.with(|inner, now_ms| {
            inner.trace.counts.requests += 1;
            act(inner, now_ms)
        });
        match &result {
            Ok(_) => self.note(&format!("{who} {what}")),
            Err(refusal) => self.note(&format!("{who} {what} -> {} {}", refusal.status, refusal.code)),
        }
        result
    }

    /// Whether somebody deleted what belongs to the database: it may be damaged then, and must say so.
    pub(crate) fn vandalised(&self) -> bool {
        self.inner.lock().vandalised
    }

    /// From now on nothing goes wrong any more.
    pub(crate) fn heal(&self) {
        self.inner.lock().healed = true;
        self.note("all faults end");
    }
}
