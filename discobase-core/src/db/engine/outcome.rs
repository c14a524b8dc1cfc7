//! What became of a commit.

use crate::codec::checkpoint::Wrote;
use crate::db::engine::Engine;
use crate::db::engine::queue::Newest;
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
    /// This process can't tell: the commit was made by another opening of the database, is not in what was read of
    /// the journal, and may yet come or may have been too long ago; or the writer stopped before it was decided.
    Unknown,
}

impl Engine {
    /// What became of a commit.
    pub(crate) fn outcome(&self, commit: CommitId) -> Outcome {
        let newest = self.newest.lock();
        let within = |&(first, last): &(Seq, Seq)| (first..=last).contains(&commit.seq);
        if newest.incarnation != Some(commit.incarnation) {
            return elsewhere(&newest, self.tables().seq(), commit);
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

/// What became of a commit of another opening: `seq` is the last durable commit.
fn elsewhere(newest: &Newest, seq: Seq, commit: CommitId) -> Outcome {
    let by = |wrote: &Wrote| wrote.incarnation == commit.incarnation;
    if newest.past.iter().any(|wrote| by(wrote) && (wrote.first..=wrote.last).contains(&commit.seq)) {
        return Outcome::Durable;
    }
    // Numbers rise along the chain, so one that was passed without it never comes. What was passed before the first
    // that is remembered is not known.
    let oldest = newest.past.first().map_or(newest.first, |wrote| wrote.first);
    if (oldest..=seq).contains(&commit.seq) {
        return Outcome::NotDurable;
    }
    // Nor does an opening write on once another has: this one, or one that is remembered after it.
    let last = newest.past.iter().rposition(by);
    let wrote_since = newest.incarnation.is_some() && seq >= newest.first;
    match last {
        Some(last) if commit.seq > seq && (wrote_since || last + 1 < newest.past.len()) => {
            Outcome::NotDurable
        }
        _ => Outcome::Unknown,
    }
}
