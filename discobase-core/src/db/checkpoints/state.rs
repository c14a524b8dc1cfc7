//! What is known of checkpoints.

use crate::error::Error;
use crate::ids::Seq;

/// How far checkpoints have come.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct CheckpointState {
    /// The last commit that the latest checkpoint has; 0 while there is none.
    pub complete_to: Seq,
    /// How many checkpoints this process wrote since the database was connected.
    pub written: u64,
    /// Why the latest one could not be written, or what it made superfluous not be deleted. It is tried again later.
    pub error: Option<Error>,
}

/// What the task knows of itself.
#[derive(Debug, Clone, Default)]
pub(super) struct Progress {
    pub(super) written: u64,
    pub(super) error: Option<Error>,
    /// Whether a checkpoint is durable that the catalog does not tell of yet.
    pub(super) mirroring: bool,
}
