//! What the engine counts.

use crate::count::{Count, Level, Times};

/// Counts since the database was connected.
#[derive(Debug)]
pub(crate) struct Counters {
    /// Frames of commits that became durable.
    pub(crate) frames: Count,
    /// Commits that became durable, those that were refused, and the bytes of the former.
    pub(crate) commits: Count,
    pub(crate) refused: Count,
    pub(crate) commit_bytes: Count,
    /// Commits that wait.
    pub(crate) queued: Level,
    /// From queueing the first commit of a frame until it is durable, and how much of that it waited to leave.
    pub(crate) commit: Times,
    pub(crate) wait: Times,
    /// Commits of other processes that became visible here.
    pub(crate) followed: Count,
    /// Checkpoints.
    pub(crate) checkpoint: Times,
}

impl Counters {
    pub(super) const fn new() -> Self {
        Self {
            frames: Count::new("discobase_frames_total"),
            commits: Count::new("discobase_commits_total"),
            refused: Count::new("discobase_refused_commits_total"),
            commit_bytes: Count::new("discobase_commit_bytes_total"),
            queued: Level::new("discobase_queued_commits"),
            commit: Times::new("discobase_commit_seconds"),
            wait: Times::new("discobase_wait_seconds"),
            followed: Count::new("discobase_followed_commits_total"),
            checkpoint: Times::new("discobase_checkpoint_seconds"),
        }
    }
}
