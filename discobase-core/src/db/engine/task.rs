//! The one task of a connection: it writes, or it follows until it is told to write.

use std::sync::Arc;

use crate::db::engine::Engine;
use crate::journal::tail::Follower;
use crate::journal::writer::Writer;

/// What the task does.
pub(crate) enum Duty {
    /// It writes the journal.
    Write(Box<Writer>),
    /// It follows the journal.
    Follow(Box<Follower>),
}

/// The task. Its end is the engine's, whether it closed, panicked, was aborted, or lost its runtime.
pub(super) struct Task(pub(super) Arc<Engine>);

impl Task {
    pub(super) async fn run(self, mut duty: Duty) {
        loop {
            duty = match duty {
                Duty::Write(writer) => return self.0.flush_all(*writer).await,
                Duty::Follow(follower) => match self.0.follow_all(follower).await {
                    Some(writer) => Duty::Write(writer),
                    None => return,
                },
            };
        }
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        self.0.end();
    }
}
