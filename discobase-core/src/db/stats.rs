//! What a connected database did, in numbers.

use std::time::Duration;

use crate::count::Took;
use crate::db::Database;
use crate::error::Result;
use crate::ids::Seq;
use crate::transport::Traffic;

/// What a database did since it was connected, and what it is about to do.
///
/// The same numbers go to the `metrics` facade if the feature `metrics` is on; the guide's chapter "Observability" has
/// their names there.
///
/// ```no_run
/// # async fn run(db: discobase_core::Database) -> discobase_core::Result<()> {
/// let stats = db.stats()?;
/// println!("{} commits in {} frames, {} queued", stats.commits, stats.frames, stats.queued);
/// println!("a commit took {:?} at the most, and waited {:?} on average", stats.commit.longest, stats.wait.mean());
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Requests, retries, answers with 429, and bytes: what was sent to Discord and what came back.
    pub traffic: Traffic,
    /// Frames of commits that became durable.
    pub frames: u64,
    /// Commits of this process that became durable.
    pub commits: u64,
    /// Commits that were queued and did not become durable here: refused by Discord, fenced, or of unknown outcome.
    pub refused: u64,
    /// Bytes of the commits that became durable, before compression.
    pub commit_bytes: u64,
    /// Commits of other processes that became visible here, while this one follows.
    pub followed: u64,
    /// For how long it has not been certain that everything which was posted is known here: zero for a writer, and for
    /// a follower what [`Database::lag`] says.
    pub lag: Duration,
    /// Commits that wait to become durable, the frame in flight included.
    pub queued: u64,
    /// From queueing the first commit of a frame until it was durable.
    pub commit: Took,
    /// How much of that a frame waited before it left, for more commits or for the rate limit, while no other frame was
    /// in flight.
    pub wait: Took,
    /// Checkpoints, from the beginning of each until it was durable.
    pub checkpoint: Took,
    /// Keys and rows that were looked up in [lazy tables](Database::table_lazy).
    pub lookups: u64,
    /// Blocks of their files that were [kept](crate::DatabaseBuilder::lookup_cache) when they were needed, and those that
    /// were not.
    pub lookup_hits: u64,
    /// See [`Stats::lookup_hits`].
    pub lookup_misses: u64,
    /// Bytes of files that were downloaded for lookups, when opening, too.
    pub lookup_bytes: u64,
    /// The last commit that reads see.
    pub seq: Seq,
}

impl Database {
    /// What the database did since it was connected. Costs nothing but reading a few numbers.
    ///
    /// # Errors
    /// `NotConnected`.
    pub fn stats(&self) -> Result<Stats> {
        let connection = self.connection()?;
        let engine = &connection.link.engine;
        let counters = engine.counters();
        let lookups = engine.lookup_counts();
        Ok(Stats {
            traffic: connection.transport.traffic(),
            frames: counters.frames.get(),
            commits: counters.commits.get(),
            refused: counters.refused.get(),
            commit_bytes: counters.commit_bytes.get(),
            followed: counters.followed.get(),
            lag: engine.lag().time,
            queued: counters.queued.get(),
            commit: counters.commit.get(),
            wait: counters.wait.get(),
            checkpoint: counters.checkpoint.get(),
            lookups: lookups.lookups.get(),
            lookup_hits: lookups.hits.get(),
            lookup_misses: lookups.misses.get(),
            lookup_bytes: lookups.bytes.get(),
            seq: engine.tables().seq(),
        })
    }
}
