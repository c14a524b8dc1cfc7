//! One run: a guild, processes that come and go, and the judgement at the end.

use std::sync::Arc;
use std::time::Duration;

use discobase_core::{Database, ErrorKind, Result};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use crate::env::SimEnv;
use crate::judge::{Dump, judge};
use crate::oracle::Oracle;
use crate::panics;
use crate::plan::{Assumptions, Plan};
use crate::process::Process;
use crate::report::Counts;
use crate::rng::Rng;
use crate::tables::{Claim, Entry, Register};
use crate::transport::Door;
use crate::work::Caller;
use crate::world::World;

/// What a seed came to.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// The seed.
    pub seed: u64,
    /// What can't be and was: a sentence each. Empty if all is well.
    pub violations: Vec<String>,
    /// What was counted.
    pub counts: Counts,
    /// The hash of the trace: the same for the same seed, always.
    pub hash: String,
    /// What happened, line by line, with milliseconds since the run began.
    pub trace: Vec<String>,
}

/// Runs a seed.
///
/// ```
/// let outcome = discobase_sim::run(1, discobase_sim::Assumptions::Kept);
/// assert!(outcome.violations.is_empty(), "{:#?}", outcome.violations);
/// ```
///
/// # Panics
/// If the system gives no runtime.
#[must_use]
pub fn run(seed: u64, assumptions: Assumptions) -> Outcome {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    #[expect(clippy::expect_used, reason = "without a runtime there is nothing to simulate")]
    let runtime = runtime.expect("a runtime");
    let (mut outcome, panics) = panics::catch(|| runtime.block_on(simulate(Plan::new(seed, assumptions))));
    outcome.violations.extend(panics.into_iter().map(|panic| format!("panic: {panic}")));
    outcome
}

async fn simulate(mut plan: Plan) -> Outcome {
    let (seed, mut rng) = (plan.seed, plan.rng.fork());
    let (world, oracle) = (World::new(plan), Arc::new(Oracle::default()));
    world.note(&format!("{:?}", world.plan));
    let mut lives = JoinSet::new();
    for slot in 0..world.plan.writers + world.plan.followers {
        let program = Program {
            world: Arc::clone(&world),
            oracle: Arc::clone(&oracle),
            rng: rng.fork(),
            slot,
            follows: slot >= world.plan.writers,
        };
        lives.spawn(program.live());
    }
    lives.spawn(moderate(Arc::clone(&world), rng.fork()));
    // A place for whoever watches: a program of its own, judged like the readers.
    let longest = Duration::from_millis(world.plan.duration + 3_600_000);
    if timeout(longest, async { while lives.join_next().await.is_some() {} }).await.is_err() {
        oracle.violation("an hour after the end a process still was not done".to_owned());
        lives.abort_all();
    }
    world.heal();
    // The last requests of those that crashed arrive, or not.
    sleep(Duration::from_millis(world.plan.latest() + 4 * world.plan.grace)).await;
    let end = inspect(&world, &oracle, &mut rng).await;
    let (mut counts, hash, trace) =
        world.with(|inner, _| (inner.trace.counts, inner.trace.hash(), inner.trace.lines()));
    let violations = judge(oracle.take(), &end, &mut counts);
    Outcome { seed, violations, counts, hash, trace }
}

/// Opens the database twice, each time anew, to write and to follow: it can be opened, and both find the same.
async fn inspect(world: &Arc<World>, oracle: &Oracle, rng: &mut Rng) -> Dump {
    let mut dumps = Vec::new();
    for (life, follows) in [(u64::MAX - 1, false), (u64::MAX, true)] {
        let process = Arc::new(Process::new(life, format!("inspector {}", u64::MAX - life), false));
        match inspect_once(world, process, follows, rng.fork()).await {
            Ok(dump) => dumps.push(dump),
            Err(error) => oracle.violation(format!("at the end: {:?}: {error}", error.kind())),
        }
    }
    if let [first, second] = dumps.as_slice()
        && first != second
    {
        oracle.violation(format!("two that opened one journal found {first:?} and {second:?}"));
    }
    dumps.pop().unwrap_or_default()
}

async fn inspect_once(
    world: &Arc<World>,
    process: Arc<Process>,
    follows: bool,
    mut rng: Rng,
) -> Result<Dump> {
    let db = database(world, None, follows, &mut rng)?;
    db.connect_over(Door::new(Arc::clone(world), process, rng)).await?;
    let dump = Dump::of(&db).await?;
    db.close().await?;
    Ok(dump)
}

fn database(world: &World, owner: Option<String>, follows: bool, rng: &mut Rng) -> Result<Database> {
    let plan = &world.plan;
    let mut builder = Database::builder("bank")
        .timing(plan.visibility, plan.grace, plan.window)
        .checkpoint_every(plan.checkpoint_every, 1 << 20)
        .trim_after(Duration::from_millis(plan.trim_after), Duration::from_secs(5))
        .env(Arc::new(SimEnv::new(rng.fork())));
    if let Some(deadline) = plan.deadline {
        builder = builder.deadline(Duration::from_millis(deadline));
    }
    if let Some(owner) = owner {
        builder = builder.owner(owner);
    }
    if follows {
        builder = builder.follower();
    }
    let db = builder.build();
    db.table::<Entry>()?.table::<Register>()?.table::<Claim>()?;
    Ok(db)
}

/// A program that is started again and again.
struct Program {
    world: Arc<World>,
    oracle: Arc<Oracle>,
    rng: Rng,
    slot: usize,
    /// Whether it only reads what others write.
    follows: bool,
}

impl Program {
    async fn live(mut self) {
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

    /// One life. Says whether it ended without closing.
    async fn live_once(&mut self, process: &Arc<Process>) -> bool {
        let owner = self.world.plan.named.then(|| format!("owner {}", self.slot));
        let db = match database(&self.world, owner, self.follows, &mut self.rng) {
            Ok(db) => db,
            Err(error) => {
                self.oracle.violation(format!("{}: {error}", process.name));
                return false;
            }
        };
        let door = Door::new(Arc::clone(&self.world), Arc::clone(process), self.rng.fork());
        let opened = tokio::select! {
            biased;
            () = process.died() => return true,
            opened = db.connect_over(door) => opened,
        };
        self.world.note(&format!(
            "{} opens: {:?}",
            process.name,
            opened.as_ref().map_err(discobase_core::Error::kind)
        ));
        match opened {
            Ok(()) => self.world.with(|inner, _| inner.trace.counts.openings += 1),
            Err(error) => {
                let expected = matches!(
                    error.kind(),
                    ErrorKind::NotCreated
                        | ErrorKind::Fenced
                        | ErrorKind::Refused
                        | ErrorKind::Unreachable
                        | ErrorKind::UnknownOutcome
                        | ErrorKind::MissingChannel
                );
                if !expected {
                    self.oracle.violation(format!(
                        "{} could not open: {:?}: {error}",
                        process.name,
                        error.kind()
                    ));
                }
                return false;
            }
        }
        let mut callers = JoinSet::new();
        for number in 0..self.world.plan.callers {
            let (world, oracle) = (Arc::clone(&self.world), Arc::clone(&self.oracle));
            let name = format!("{}/{number}", process.name);
            callers.spawn(
                Caller { world, oracle, db: db.clone(), name, rng: self.rng.fork(), follows: self.follows }
                    .work(),
            );
        }
        let longest = self.rng.pick(10_000, &[60_000, 120_000]);
        let end = Duration::from_millis(self.rng.between(1_000, longest));
        tokio::select! {
            biased;
            () = process.died() => return true,
            () = sleep(end) => {}
            // Each of them was told that another process writes now.
            () = async { while callers.join_next().await.is_some() {} } => {}
        }
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
}

/// People write into the database's channels, now and then: nonsense, and copies of what is there.
async fn moderate(world: Arc<World>, mut rng: Rng) {
    while world.elapsed() < world.plan.duration {
        sleep(Duration::from_millis(rng.between(1_000, 60_000))).await;
        let nonsense = rng.chance(0.5);
        let which = rng.next();
        let posted = world.with(|inner, now_ms| {
            let state = &mut inner.state;
            let home = state.home();
            let count = state.channels_of(home.guild_id).count() as u64;
            let place = usize::try_from(which.checked_rem(count).unwrap_or(0)).unwrap_or(0);
            let channel = state.channels_of(home.guild_id).nth(place)?.id;
            let copied = state.messages_in(channel).next_back().map(|message| message.content.clone());
            let text = copied
                .filter(|text| !nonsense && !text.is_empty())
                .unwrap_or_else(|| "what is this?".to_owned());
            state
                .post_as(now_ms, home.owner_id, channel, &text)
                .ok()
                .map(|posted| (channel, posted.message.id))
        });
        if let Some((channel, message)) = posted {
            world.note(&format!("the owner posts {message} in {channel}"));
        }
    }
}
