//! The plan: all that a seed decides before the run begins.
//!
//! Callers: `run` makes it, the others obey it. Invariant: with [`Assumptions::Kept`] nothing happens that the
//! assumptions of `docs/format.md` exclude: whatever goes wrong then is the engine's fault.

use crate::rng::Rng;

/// Whether Discord keeps what the engine's safety rests on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Assumptions {
    /// It does.
    #[default]
    Kept,
    /// Messages become visible later than the visibility that the genesis frame states.
    LateVisibility,
    /// Nonces are forgotten so soon, and race for so long, that they keep nobody apart.
    ShortNonces,
}

/// What a seed decides.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub(crate) seed: u64,
    pub(crate) rng: Rng,
    /// Milliseconds: visibility, grace and window of the fencing rules.
    pub(crate) visibility: u64,
    pub(crate) grace: u64,
    pub(crate) window: u64,
    /// Discord's, in milliseconds: by how much ids may run ahead; how late messages may be visible; how old a read may
    /// be; how young a nonce may be overlooked; how long it is remembered.
    pub(crate) skew: u64,
    pub(crate) hidden: u64,
    pub(crate) stale: u64,
    pub(crate) blind: u64,
    pub(crate) nonce_window: u64,
    /// How many processes write, and how many callers each of them has.
    pub(crate) writers: usize,
    pub(crate) callers: u64,
    /// How many processes follow.
    pub(crate) followers: usize,
    /// After how long a silence, in milliseconds, each of them takes the database over by itself.
    pub(crate) stand_by: Option<u64>,
    /// Whether now and then one of them takes it over because somebody asks for it.
    pub(crate) promotes: bool,
    /// Whether processes watch the tables.
    pub(crate) watches: bool,
    /// Whether some processes leave tables in the guild until they need them.
    pub(crate) lazy: bool,
    /// Whether the database is encrypted when it is created, and whether its key is changed now and then.
    pub(crate) encrypted: bool,
    pub(crate) rotates: bool,
    /// How many messages or channels of the database people delete.
    pub(crate) deletions: u64,
    /// After how many frames a checkpoint is due, and how long after it what it covers is deleted, in milliseconds.
    pub(crate) checkpoint_every: u64,
    pub(crate) trim_after: u64,
    /// Whether each process keeps its owner name over restarts.
    pub(crate) named: bool,
    /// The callers' deadline, in milliseconds.
    pub(crate) deadline: Option<u64>,
    /// How long faults, crashes and work go on, in milliseconds.
    pub(crate) duration: u64,
    /// Between two writes of a caller, in milliseconds at most.
    pub(crate) pause: u64,
    /// One way of a request, in milliseconds at most, and of one that is very late.
    pub(crate) latency: u64,
    pub(crate) late: u64,
    pub(crate) chances: Chances,
}

/// Probabilities, of a request unless something else is said.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Chances {
    pub(crate) lose_request: f64,
    pub(crate) lose_reply: f64,
    pub(crate) error: f64,
    pub(crate) late: f64,
    pub(crate) slow: f64,
    pub(crate) too_many: f64,
    pub(crate) filter: f64,
    /// The process ends before its request leaves, or after it was executed.
    pub(crate) crash: f64,
    /// The process is cut off for a while, and goes on later as if nothing had happened.
    pub(crate) cut_off: f64,
    /// A message, an id, a read, a nonce, a file goes wrong inside Discord.
    pub(crate) flaw: f64,
    /// Of an event: lost, repeated, late.
    pub(crate) event: f64,
    /// Of an event: the gateway session is lost with it.
    pub(crate) gap: f64,
}

impl Plan {
    pub(crate) fn new(seed: u64, assumptions: Assumptions) -> Self {
        let mut rng = Rng::new(seed);
        let (visibility, grace, window) = rng.pick(
            (2_000, 3_000, 60_000),
            &[(2_000, 3_000, 8_000), (500, 800, 60_000), (1_000, 1_000, 5_000)],
        );
        // What visibility and grace allow for includes how far clocks may differ.
        let skew = rng.pick(0, &[visibility / 4, visibility / 2]);
        let hidden = rng.below(visibility - skew + 1);
        let stale = visibility - skew - hidden;
        let blind = rng.pick(0, &[grace - skew, (grace - skew) / 2]);
        let nonce_window = rng.between(window + visibility, 300_000.max(window + visibility));
        let mut plan = Self {
            seed,
            visibility,
            grace,
            window,
            skew,
            hidden,
            stale,
            blind,
            nonce_window,
            writers: usize::try_from(rng.pick(1, &[2, 2, 3])).unwrap_or(1),
            callers: rng.between(1, 4),
            followers: usize::try_from(rng.pick(0, &[1, 2])).unwrap_or(0),
            stand_by: rng.pick(None, &[None, Some(window / 2), Some(2 * window)]),
            promotes: rng.chance(0.3),
            watches: rng.chance(0.6),
            lazy: false,
            encrypted: rng.chance(0.25),
            rotates: rng.chance(0.1),
            deletions: rng.pick(0, &[0, 0, 0, 0, 0, 1, 2]),
            checkpoint_every: rng.pick(u64::MAX, &[4, 16, 64]),
            trim_after: rng.pick(600_000, &[20_000, 60_000, 90_000]),
            named: rng.chance(0.5),
            deadline: rng.pick(None, &[Some(5_000), Some(30_000)]),
            duration: rng.between(60_000, 240_000),
            pause: rng.pick(200, &[2_000, 10_000]),
            latency: rng.pick(50, &[200, 800]),
            late: LATE,
            chances: Chances::new(&mut rng),
            rng: Rng::new(0),
        };
        match assumptions {
            Assumptions::Kept => {}
            Assumptions::LateVisibility => plan.hidden = grace + 10 * visibility,
            Assumptions::ShortNonces => (plan.blind, plan.nonce_window) = (30_000, 2_000),
        }
        if plan.checkpoint_every != u64::MAX || plan.rotates {
            // Whose predecessor was trimmed, of that frame nobody can tell that it is only late: trimming waits for longer
            // than any request is late, as on Discord.
            plan.late = plan.late.min(plan.trim_after);
        }
        plan.rng = rng.fork();
        // Last, so that seeds go on to decide what they decided before there were lazy tables.
        plan.lazy = rng.chance(0.4);
        plan
    }

    /// How long after a process is gone its last requests may still be executed, in milliseconds.
    pub(crate) fn latest(&self) -> u64 {
        self.late + 4 * self.latency
    }

    /// Whether nothing of the database may ever be readable in the guild.
    pub(crate) const fn secret(&self) -> bool {
        self.encrypted && !self.rotates
    }
}

/// The most a request can be late, in milliseconds: longer than any nonce is remembered.
const LATE: u64 = 400_000;

impl Chances {
    /// Some runs are calm, some are rough, and in each something else is.
    fn new(rng: &mut Rng) -> Self {
        let rough = rng.pick(0.2, &[1.0, 1.0, 3.0]);
        let mut chance = |most: f64| rough * most * rng.pick(0.0, &[0.3, 1.0]);
        Self {
            lose_request: chance(0.03),
            lose_reply: chance(0.03),
            error: chance(0.03),
            late: chance(0.01),
            slow: chance(0.02),
            too_many: chance(0.03),
            filter: chance(0.02),
            crash: chance(0.01),
            cut_off: chance(0.002),
            flaw: chance(0.25),
            event: chance(0.15),
            gap: chance(0.005),
        }
    }
}
