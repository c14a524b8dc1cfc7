//! What checkpoints make superfluous, and from when on it may be deleted.

use std::collections::{HashSet, VecDeque};
use std::time::Duration;

use crate::codec::checkpoint::Location;
use crate::codec::frame::Sum;
use crate::ids::ChannelId;

/// What one checkpoint makes superfluous.
#[derive(Debug, Clone)]
pub(super) struct Pending {
    /// From when on it may be deleted, on the monotonic clock.
    pub(super) at: Duration,
    /// The checkpoint's frame: what it covers goes.
    pub(super) checkpoint: Sum,
    /// Messages that it dropped, and no earlier one that is pending.
    pub(super) dropped: Vec<Location>,
    /// Whether the channels of tables and indexes are to be looked through for segments that nothing refers to.
    pub(super) collect: bool,
}

/// What waits to be deleted, by checkpoints in their order.
///
/// Each waits for itself: a database that is written to all the time has a new checkpoint long before the last one is old
/// enough, and would never delete anything if only the latest counted.
#[derive(Debug, Default)]
pub(super) struct Queue(VecDeque<Pending>);

impl Queue {
    /// When the first may be deleted.
    pub(super) fn next_at(&self) -> Option<Duration> {
        self.0.front().map(|pending| pending.at)
    }

    /// Adds what a checkpoint makes superfluous that drops all of `dropped`.
    pub(super) fn push(&mut self, pending: Pending) {
        let earlier: HashSet<Location> = self.dropped().collect();
        let mut pending = pending;
        pending.dropped.retain(|dropped| !earlier.contains(dropped));
        self.0.push_back(pending);
    }

    /// Makes one of all, which waits for the last of them.
    pub(super) fn unite(&mut self) {
        let all = std::mem::take(&mut self.0);
        self.0.extend(all.into_iter().reduce(Pending::and));
    }

    /// What may be deleted now, taken out.
    pub(super) fn take_due(&mut self, now: Duration) -> Option<Pending> {
        let due = self.0.iter().take_while(|pending| pending.at <= now).count();
        self.0.drain(..due).reduce(Pending::and)
    }

    /// Puts back what could not be deleted.
    pub(super) fn put_back(&mut self, pending: Pending) {
        self.0.push_front(pending);
    }

    /// All messages that are to be deleted and may still be there.
    pub(super) fn dropped(&self) -> impl Iterator<Item = Location> + '_ {
        self.0.iter().flat_map(|pending| pending.dropped.iter().copied())
    }

    /// The checkpoints that wait.
    pub(super) fn checkpoints(&self) -> impl Iterator<Item = Sum> + '_ {
        self.0.iter().map(|pending| pending.checkpoint)
    }

    /// Forgets messages that went with their channels.
    pub(super) fn forget(&mut self, gone: &HashSet<ChannelId>) {
        for pending in &mut self.0 {
            pending.dropped.retain(|dropped| !gone.contains(&dropped.channel));
        }
    }
}

impl Pending {
    /// This and what a later checkpoint makes superfluous.
    fn and(self, later: Self) -> Self {
        let mut dropped = self.dropped;
        dropped.extend(later.dropped);
        Self { dropped, collect: self.collect || later.collect, ..later }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::MessageId;

    fn pending(at: u64, dropped: &[u64]) -> Pending {
        let location =
            |message: &u64| Location { channel: ChannelId::new(1), message: MessageId::new(*message) };
        let dropped = dropped.iter().map(location).collect();
        let checkpoint = Sum([u8::try_from(at).unwrap(); 32]);
        Pending { at: Duration::from_secs(at), checkpoint, dropped, collect: at == 1 }
    }

    fn messages(dropped: impl IntoIterator<Item = Location>) -> Vec<u64> {
        dropped.into_iter().map(|location| location.message.get()).collect()
    }

    #[test]
    fn each_checkpoint_waits_for_itself() {
        let mut queue = Queue::default();
        queue.push(pending(1, &[10, 11]));
        // A checkpoint names again what earlier ones dropped, as long as it is not known to be deleted.
        queue.push(pending(2, &[10, 11, 12]));
        queue.push(pending(3, &[10, 11, 12, 13]));
        assert_eq!(queue.next_at(), Some(Duration::from_secs(1)));
        assert!(queue.take_due(Duration::from_millis(999)).is_none());
        let due = queue.take_due(Duration::from_secs(2)).unwrap();
        assert_eq!(
            (due.checkpoint, due.collect),
            (Sum([2; 32]), true),
            "the later covers what the earlier does"
        );
        assert_eq!(messages(due.dropped.iter().copied()), [10, 11, 12]);
        assert_eq!(messages(queue.dropped()), [13]);
        // What could not be deleted is tried again, and waits alone for that.
        queue.put_back(Pending { at: Duration::from_secs(9), ..due });
        assert_eq!(queue.next_at(), Some(Duration::from_secs(9)));
        assert!(queue.take_due(Duration::from_secs(8)).is_none());
        let due = queue.take_due(Duration::from_secs(9)).unwrap();
        assert_eq!(messages(due.dropped), [10, 11, 12, 13]);
        assert_eq!(queue.next_at(), None);
    }

    #[test]
    fn what_is_united_waits_for_the_last() {
        let mut queue = Queue::default();
        queue.unite();
        assert_eq!(queue.next_at(), None);
        queue.push(pending(1, &[10]));
        queue.push(pending(2, &[11]));
        queue.unite();
        assert_eq!(queue.next_at(), Some(Duration::from_secs(2)));
        assert_eq!(messages(queue.dropped()), [10, 11]);
    }
}
