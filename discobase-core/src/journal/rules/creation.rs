//! Creating: which of several journals is the database, when several processes created it at once.

use crate::codec::frame::Timing;
use crate::ids::MessageId;

/// Of several journals the one that is the database: the one with the oldest genesis.
///
/// Not the oldest journal: a process may make its channel first and post its genesis last, when another one, whose genesis
/// was the only one to be seen, has long been writing.
pub(crate) fn winner<J>(journals: impl IntoIterator<Item = (J, MessageId)>) -> Option<J> {
    journals.into_iter().min_by_key(|(_, genesis)| *genesis).map(|(journal, _)| journal)
}

/// Whether a list of channels, asked for when Discord's clock showed `then` or later, had to show every journal whose
/// genesis is older than `genesis`; if not, a process that has lost and does not know it yet may be taken for the owner.
pub(crate) fn is_certain(genesis: MessageId, then: u64, timing: Timing) -> bool {
    timing.settle().is_zero() || then >= genesis.time_ms().saturating_add(timing.visibility)
}
