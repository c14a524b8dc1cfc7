//! The observer: a follower that lives as long as the run, hears through every fault, and must end up with the same
//! tables as whoever opens the database then.

use std::sync::Arc;
use std::time::Duration;

use discobase_core::{Database, ErrorKind};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::judge::Dump;
use crate::keys::is_wrong;
use crate::oracle::Oracle;
use crate::process::Process;
use crate::program::{Purpose, may_fail, open, watch_all};
use crate::rng::Rng;
use crate::world::World;

/// How often it looks whether it still can follow.
const PAUSE: Duration = Duration::from_secs(3);

/// Follows until `end` says that all is over; what it has then.
pub(crate) async fn observe(
    world: Arc<World>,
    oracle: Arc<Oracle>,
    mut rng: Rng,
    mut end: watch::Receiver<bool>,
) -> Option<Dump> {
    for number in 0.. {
        // Nothing kills it, and nothing cuts it off: whatever else goes wrong does for it too.
        let process = Arc::new(Process::new(1 << 62 | number, format!("observer {number}"), false));
        match open(&world, &process, &Purpose::Follow, &mut rng).await {
            Ok(db) => {
                let mut watchers = JoinSet::new();
                watch_all(&mut watchers, &world, &oracle, &db, &process.name, &mut rng);
                if let Some(dump) = follow(&world, &db, &oracle, &mut end).await {
                    return dump;
                }
            }
            Err(error) if may_fail(&world, error.kind()) => {}
            Err(error) => {
                oracle.violation(format!("the observer could not open: {:?}: {error}", error.kind()));
            }
        }
        world.with(|inner, _| inner.subscribers.remove(&process.life));
        process.die();
        if *end.borrow() {
            return None;
        }
        sleep(PAUSE).await;
    }
    None
}

/// Follows until the end, or until another key is needed: then there is nothing.
async fn follow(
    world: &World,
    db: &Database,
    oracle: &Oracle,
    end: &mut watch::Receiver<bool>,
) -> Option<Option<Dump>> {
    loop {
        tokio::select! {
            biased;
            _ = end.wait_for(|over| *over) => break,
            () = sleep(PAUSE) => {}
        }
        let trouble = db.lag().ok().and_then(|lag| lag.trouble);
        if trouble.is_some_and(|error| is_wrong(error.kind()) || error.kind() == ErrorKind::Tampered) {
            return None;
        }
    }
    // The dump can't fail for a database that is open, unless people deleted what a lazy table has in the guild.
    let dump = Dump::of(db).await;
    if let Err(error) = &dump
        && !may_fail(world, error.kind())
    {
        oracle.violation(format!("the observer could not read: {:?}: {error}", error.kind()));
    }
    Some(dump.ok())
}
