//! What became of a commit.

use crate::db::engine::Engine;
use crate::ids::{CommitId, Seq};

/// What is known of a commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome {
    /// It is in the journal, and every later reader sees it.
    Durable,
    /// It is not in the journal and never will be.
    NotDurable,
    /// It is still being posted.
    Pending,
    /// This process can't tell: the commit was made by another opening of the database and is not in what was
    /// read of the journal, or the writer stopped before it was decided.
    Unknown,
}

impl Engine {
    /// What became of a commit.
    pub(crate) fn outcome(&self, commit: CommitId) -> Outcome {
        let newest = self.newest.lock();
        let within = |&(first, last): &(Seq, Seq)| (first..=last).contains(&commit.seq);
        if newest.incarnation != Some(commit.incarnation) {
            let found = newest
                .past
                .iter()
                .any(|wrote| wrote.incarnation == commit.incarnation && within(&(wrote.first, wrote.last)));
            return if found { Outcome::Durable } else { Outcome::Unknown };
        }
        match () {
            () if commit.seq < newest.first => Outcome::NotDurable,
            () if newest.refused.iter().any(within) => Outcome::NotDurable,
            () if commit.seq <= self.tables().seq() => Outcome::Durable,
            () if commit.seq >= newest.next_seq => Outcome::NotDurable,
            () if newest.stopped.is_some() => Outcome::Unknown,
            () => Outcome::Pending,
        }
    }
}
