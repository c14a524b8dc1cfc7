//! A program: it opens the database, works, and ends somehow, over and over; and what opening takes.

use std::sync::Arc;
use std::time::Duration;

use discobase_core::{Database, Error, ErrorKind, Result, Role, Seq};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until};

use crate::env::SimEnv;
use crate::keys::{Key, is_wrong, real, with_key};
use crate::oracle::Oracle;
use crate::process::Process;
use crate::rng::Rng;
use crate::tables::{Claim, Deposit, Entry, Register};
use crate::transport::Door;
use crate::watcher::Watcher;
use crate::work::Caller;
use crate::world::World;

/// What a process opens the database for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// To write, under this owner name if it has one.
    Write(Option<String>),
    /// To follow.
    Follow,
    /// To follow, and to take over after so long a silence, in milliseconds.
    StandBy(u64),
}

/// Opens the database: with the newest of its keys, and if that is not the right one, with those before it.
pub(crate) async fn open(
    world: &Arc<World>,
    process: &Arc<Process>,
    purpose: &Purpose,
    rng: &mut Rng,
) -> Result<Database> {
    let mut refused = None;
    for key in world.keys.all() {
        let db = database(world, purpose, key, rng)?;
        match db.connect_over(Door::new(Arc::clone(world), Arc::clone(process), rng.fork())).await {
            Ok(()) => return Ok(db),
            Err(error) if is_wrong(error.kind()) => refused = Some(error),
            Err(error) => return Err(error),
        }
    }
    Err(refused.unwrap_or_else(|| Error::new(ErrorKind::KeyMissing, "there is no key to try")))
}

fn database(world: &World, purpose: &Purpose, key: Key, rng: &mut Rng) -> Result<Database> {
    let plan = &world.plan;
    let mut builder = Database::builder("bank")
        .timing(plan.visibility, plan.grace, plan.window)
        .checkpoint_every(plan.checkpoint_every, 1 << 20)
        .trim_after(Duration::from_millis(plan.trim_after), Duration::from_secs(5))
        .env(Arc::new(SimEnv::new(rng.fork())));
    if let Some(deadline) = plan.deadline {
        builder = builder.deadline(Duration::from_millis(deadline));
    }
    builder = match purpose {
        Purpose::Write(None) => builder,
        Purpose::Write(Some(owner)) => builder.owner(owner),
        Purpose::Follow => builder.follower(),
        Purpose::StandBy(silence) => builder.stand_by(Duration::from_millis(*silence)),
    };
    let lazy = plan.lazy && rng.chance(0.7);
    if lazy && rng.chance(0.7) {
        // As of a large table: its rows are not in memory.
        builder = builder.small_runs(0);
    }
    let db = with_key(builder, key).build();
    db.table::<Entry>()?.table::<Deposit>()?;
    if lazy {
        db.table_lazy::<Register>()?.table_lazy::<Claim>()?;
    } else {
        db.table::<Register>()?.table::<Claim>()?;
    }
    Ok(db)
}

/// Watches all tables.
pub(crate) fn watch_all(
    tasks: &mut JoinSet<()>,
    world: &Arc<World>,
    oracle: &Arc<Oracle>,
    db: &Database,
    process: &str,
    rng: &mut Rng,
) {
    let all = || (Arc::clone(world), Arc::clone(oracle), db.clone(), process.to_owned());
    let (one, two, three, four) = (all(), all(), all(), all());
    tasks.spawn(Watcher::<Entry>::watch(one.0, one.1, one.2, one.3, rng.fork()));
    tasks.spawn(Watcher::<Register>::watch(two.0, two.1, two.2, two.3, rng.fork()));
    tasks.spawn(Watcher::<Claim>::watch(three.0, three.1, three.2, three.3, rng.fork()));
    tasks.spawn(Watcher::<Deposit>::watch(four.0, four.1, four.2, four.3, rng.fork()));
}

/// Whether opening, taking over or changing the key may fail so.
pub(crate) fn may_fail(world: &World, kind: ErrorKind) -> bool {
    match kind {
        ErrorKind::NotCreated
        | ErrorKind::Fenced
        | ErrorKind::Refused
        | ErrorKind::Unreachable
        | ErrorKind::UnknownOutcome
        | ErrorKind::NotConnected
        | ErrorKind::MissingChannel => true,
        ErrorKind::Damaged | ErrorKind::Corrupt => world.vandalised(),
        // Somebody changes the key in this moment.
        kind => is_wrong(kind) && world.plan.rotates,
    }
}

/// A program that is started again and again.
pub(crate) struct Program {
    pub(crate) world: Arc<World>,
    pub(crate) oracle: Arc<Oracle>,
    pub(crate) rng: Rng,
    pub(crate) slot: usize,
    /// Whether it only reads what others write, at first.
    pub(crate) follows: bool,
}

impl Program {
    pub(crate) async fn live(mut self) {
        for number in 0.. {
            if self.world.elapsed() >= self.world.plan.duration {
                return;
            }
            let started = Instant::now();
            let life = (self.slot as u64) << 32 | number;
            let process = Arc::new(Process::new(life, format!("p{}.{number}", self.slot), true));
            let crashed = self.live_once(&process).await;
            self.world.with(|inner, _| {
                inner.trace.counts.crashes += u64::from(crashed);
                inner.subscribers.remove(&life)
            });
            // The end of this life, whatever of it still runs.
            process.die();
            self.world.note(&format!("{} is gone", process.name));
            sleep(Duration::from_millis(self.rng.pick(1, &[500, 5_000, 30_000]))).await;
            // Who gives an owner's name promises that no two processes start with it within the grace.
            sleep_until(started + Duration::from_millis(self.world.plan.grace + 1)).await;
        }
    }

    fn purpose(&self) -> Purpose {
        match (self.follows, self.world.plan.stand_by) {
            (false, _) => Purpose::Write(self.world.plan.named.then(|| format!("owner {}", self.slot))),
            (true, None) => Purpose::Follow,
            (true, Some(silence)) => Purpose::StandBy(silence),
        }
    }

    /// One life. Says whether it ended without closing.
    async fn live_once(&mut self, process: &Arc<Process>) -> bool {
        let purpose = self.purpose();
        let opened = tokio::select! {
            biased;
            () = process.died() => return true,
            opened = open(&self.world, process, &purpose, &mut self.rng) => opened,
        };
        let shown = opened.as_ref().map(|_| ()).map_err(Error::kind);
        self.world.note(&format!("{} opens: {shown:?}", process.name));
        let db = match opened {
            Ok(db) => db,
            Err(error) => {
                self.judge(&process.name, "open", &error);
                return false;
            }
        };
        self.world.with(|inner, _| inner.trace.counts.openings += 1);
        let (mut callers, mut others) = (JoinSet::new(), JoinSet::new());
        for number in 0..self.world.plan.callers {
            let (world, oracle) = (Arc::clone(&self.world), Arc::clone(&self.oracle));
            let name = format!("{}/{number}", process.name);
            let caller =
                Caller { world, oracle, db: db.clone(), name, rng: self.rng.fork(), newest: Seq::default() };
            callers.spawn(caller.work());
        }
        if self.world.plan.watches {
            watch_all(&mut others, &self.world, &self.oracle, &db, &process.name, &mut self.rng);
        }
        self.meddle(&mut others, &db, process);
        let longest = self.rng.pick(10_000, &[60_000, 120_000]);
        let end = Duration::from_millis(self.rng.between(1_000, longest));
        let takeovers = |db: &Database| {
            let took_over = self.follows && db.role().is_ok_and(|role| role == Role::Writer);
            self.world.with(|inner, _| inner.trace.counts.takeovers += u64::from(took_over));
        };
        tokio::select! {
            biased;
            () = process.died() => return true,
            () = sleep(end) => {}
            // Each of them was told that another process writes now.
            () = async { while callers.join_next().await.is_some() {} } => {}
        }
        takeovers(&db);
        if self.rng.chance(0.3) {
            self.world.note(&format!("{} ends without a word", process.name));
            return true;
        }
        // Some callers are in the middle of a write when the database is closed, others were done.
        if self.rng.chance(0.5) {
            callers.abort_all();
        }
        tokio::select! {
            biased;
            () = process.died() => true,
            closed = db.close() => {
                self.world.note(&format!("{} closes: {:?}", process.name, closed.map_err(|error| error.kind())));
                false
            }
        }
    }

    /// Somebody may change the key while this process has the database open, or have it take over.
    fn meddle(&mut self, tasks: &mut JoinSet<()>, db: &Database, process: &Arc<Process>) {
        let plan = &self.world.plan;
        let (rotates, promotes) =
            (plan.rotates && self.rng.chance(0.3), plan.promotes && self.follows && self.rng.chance(0.7));
        let wait = Duration::from_millis(self.rng.between(1, 30_000));
        let clear = self.rng.chance(0.3);
        let (world, oracle, db) = (Arc::clone(&self.world), Arc::clone(&self.oracle), db.clone());
        let name = process.name.clone();
        let judged = move |world: &World, oracle: &Oracle, what: &str, error: &Error| {
            if !may_fail(world, error.kind()) && error.kind() != ErrorKind::ReadOnly {
                oracle.violation(format!("{name} could not {what}: {:?}: {error}", error.kind()));
            }
        };
        if promotes {
            tasks.spawn(async move {
                sleep(wait).await;
                match db.promote().await {
                    Ok(()) => world.note("a follower was promoted"),
                    Err(error) => judged(&world, &oracle, "take over", &error),
                }
            });
        } else if rotates {
            tasks.spawn(async move {
                sleep(wait).await;
                match db.rotate_key(world.keys.another(clear).map(real)).await {
                    Ok(seq) => {
                        world.note(&format!("the key was changed at commit {seq}"));
                        world.with(|inner, _| inner.trace.counts.rotations += 1);
                    }
                    Err(error) => judged(&world, &oracle, "change the key", &error),
                }
            });
        }
    }

    fn judge(&self, name: &str, what: &str, error: &Error) {
        if !may_fail(&self.world, error.kind()) {
            self.oracle.violation(format!("{name} could not {what}: {:?}: {error}", error.kind()));
        }
    }
}
