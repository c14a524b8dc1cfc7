//! One run: a guild, processes that come and go, and the judgement at the end.

use std::sync::Arc;
use std::time::Duration;

use discobase_core::{ErrorKind, Result};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::judge::{Dump, judge, judge_unopened};
use crate::observer::observe;
use crate::oracle::Oracle;
use crate::panics;
use crate::people::{moderate, vandalise};
use crate::plan::{Assumptions, Plan};
use crate::process::Process;
use crate::program::{Program, Purpose, open};
use crate::report::Counts;
use crate::rng::Rng;
use crate::secret::leaks;
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
    lives.spawn(vandalise(Arc::clone(&world), rng.fork()));
    let over = watch::Sender::new(false);
    let (to_observe, told) = ((Arc::clone(&world), Arc::clone(&oracle)), over.subscribe());
    let observer = tokio::spawn(observe(to_observe.0, to_observe.1, rng.fork(), told));
    let longest = Duration::from_millis(world.plan.duration + 3_600_000);
    if timeout(longest, async { while lives.join_next().await.is_some() {} }).await.is_err() {
        oracle.violation("an hour after the end a process still was not done".to_owned());
        lives.abort_all();
    }
    world.heal();
    // The last requests of those that crashed arrive, or not.
    sleep(Duration::from_millis(world.plan.latest() + 4 * world.plan.grace)).await;
    let found = inspect(&world, &oracle, &mut rng).await;
    // By then every follower has read the tail.
    sleep(Duration::from_millis(2 * world.plan.window + 30_000)).await;
    over.send_replace(true);
    let observed = observer.await.ok().flatten();
    let (mut counts, hash, trace) =
        world.with(|inner, _| (inner.trace.counts, inner.trace.hash(), inner.trace.lines()));
    if let Some(text) = leaks(&world) {
        oracle.violation(text);
    }
    let violations = match &found {
        Some(end) => {
            if observed.as_ref().is_some_and(|observed| observed != end) {
                let differs = observed.as_ref().and_then(|observed| observed.differs(end));
                oracle.violation(format!("the observer ended with other tables: {differs:?}"));
            }
            judge(oracle.take(), end, &mut counts)
        }
        None => judge_unopened(oracle.take(), &mut counts),
    };
    Outcome { seed, violations, counts, hash, trace }
}

/// Opens the database twice, each time anew, to write and to follow: it can be opened, and both find the same. Nothing, if
/// it can't be opened: that is a violation, unless people deleted what belongs to it and both say that it is damaged.
async fn inspect(world: &Arc<World>, oracle: &Oracle, rng: &mut Rng) -> Option<Dump> {
    let (mut dumps, mut damaged) = (Vec::new(), 0);
    for (life, purpose) in [(u64::MAX - 1, Purpose::Write(None)), (u64::MAX, Purpose::Follow)] {
        let process = Arc::new(Process::new(life, format!("inspector {}", u64::MAX - life), false));
        let found = inspect_once(world, &process, &purpose, rng).await;
        let shown = found.as_ref().map(|_| ()).map_err(discobase_core::Error::kind);
        world.note(&format!("{} finds {shown:?}", process.name));
        match found {
            Ok(dump) => dumps.push(dump),
            Err(error) if world.vandalised() && is_damage(error.kind()) => damaged += 1,
            Err(error) => oracle.violation(format!("at the end: {:?}: {error}", error.kind())),
        }
    }
    if let [first, second] = dumps.as_slice()
        && first != second
    {
        oracle.violation(format!(
            "two that opened one journal found different tables: {:?}",
            first.differs(second)
        ));
    }
    if !dumps.is_empty() && damaged > 0 {
        oracle.violation("one of two that opened one journal found it damaged".to_owned());
    }
    dumps.pop()
}

async fn inspect_once(
    world: &Arc<World>,
    process: &Arc<Process>,
    purpose: &Purpose,
    rng: &mut Rng,
) -> Result<Dump> {
    let db = open(world, process, purpose, rng).await?;
    let dump = Dump::of(&db).await?;
    db.close().await?;
    Ok(dump)
}

/// What a database says of itself whose messages or channels were deleted.
const fn is_damage(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::Damaged | ErrorKind::Corrupt | ErrorKind::MissingChannel)
}
