//! What waits for one watcher: whole commits, up to a bound, or the word that some were left out.

use std::collections::VecDeque;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use parking_lot::Mutex;

use crate::db::engine::news::News;
use crate::error::Error;
use crate::ids::TableId;

/// One watcher's queue.
pub(crate) struct Feed {
    table: TableId,
    queue: Mutex<Queue>,
}

struct Queue {
    /// How many changes of rows wait at most.
    capacity: usize,
    news: VecDeque<Arc<News>>,
    /// How many changes of rows the queue holds.
    rows: usize,
    /// Something was left out. Nothing is kept until the watcher knows.
    lagged: bool,
    ended: bool,
    /// Why it ended, until the watcher knows.
    failed: Option<Error>,
    waker: Option<Waker>,
}

/// What a watcher gets next.
#[derive(Debug)]
pub(crate) enum Item {
    News(Arc<News>),
    Lagged,
    Failed(Error),
}

impl Feed {
    pub(super) fn new(table: TableId, capacity: usize) -> Self {
        let queue = Queue {
            capacity,
            news: VecDeque::new(),
            rows: 0,
            lagged: false,
            ended: false,
            failed: None,
            waker: None,
        };
        Self { table, queue: Mutex::new(queue) }
    }

    pub(crate) fn set_capacity(&self, capacity: usize) {
        self.queue.lock().capacity = capacity;
    }

    pub(super) fn table(&self) -> TableId {
        self.table
    }

    /// Adds what became visible together. If it does not fit, all that waits is left out with it; a commit that is
    /// larger than the queue is kept if nothing else waits.
    pub(super) fn push(&self, all: &[Arc<News>]) {
        let mut queue = self.queue.lock();
        for news in all {
            if queue.lagged {
                break;
            }
            if !queue.news.is_empty() && queue.rows + news.rows.len() > queue.capacity {
                queue.news.clear();
                queue.rows = 0;
                queue.lagged = true;
            } else {
                queue.rows += news.rows.len();
                queue.news.push_back(Arc::clone(news));
            }
        }
        let waker = if all.is_empty() { None } else { queue.waker.take() };
        drop(queue);
        waker.into_iter().for_each(Waker::wake);
    }

    pub(super) fn rewind(&self) {
        let mut queue = self.queue.lock();
        queue.news.clear();
        queue.rows = 0;
        queue.lagged = false;
    }

    /// Nothing more comes, for a reason if it is an error. The first reason counts.
    pub(super) fn end(&self, failed: Option<&Error>) {
        let mut queue = self.queue.lock();
        if !std::mem::replace(&mut queue.ended, true) {
            queue.failed = failed.cloned();
        }
        let waker = queue.waker.take();
        drop(queue);
        waker.into_iter().for_each(Waker::wake);
    }

    /// The next item; `None` when nothing more comes.
    pub(crate) fn poll(&self, context: &Context<'_>) -> Poll<Option<Item>> {
        let mut queue = self.queue.lock();
        if std::mem::take(&mut queue.lagged) {
            return Poll::Ready(Some(Item::Lagged));
        }
        match queue.news.pop_front() {
            Some(news) => {
                queue.rows = queue.rows.saturating_sub(news.rows.len());
                Poll::Ready(Some(Item::News(news)))
            }
            None if queue.ended => Poll::Ready(queue.failed.take().map(Item::Failed)),
            None => {
                queue.waker = Some(context.waker().clone());
                Poll::Pending
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::engine::news::RowNews;
    use crate::ids::{RowId, Seq};

    fn news(seq: u64, rows: usize) -> Arc<News> {
        let row = || RowNews { row: RowId::new(1), old: None, new: None };
        Arc::new(News { seq: Seq::new(seq), rows: (0..rows).map(|_| row()).collect() })
    }

    /// What the feed gives: numbers of commits, 0 for what was left out; and whether it has ended.
    fn drain(feed: &Feed) -> (Vec<u64>, bool) {
        let mut seen = Vec::new();
        loop {
            match feed.poll(&Context::from_waker(Waker::noop())) {
                Poll::Ready(Some(Item::News(news))) => seen.push(news.seq.get()),
                Poll::Ready(Some(Item::Lagged)) => seen.push(0),
                Poll::Ready(Some(Item::Failed(_))) => seen.push(u64::MAX),
                Poll::Ready(None) => return (seen, true),
                Poll::Pending => return (seen, false),
            }
        }
    }

    #[test]
    fn what_fits_is_kept_and_what_does_not_is_told() {
        let feed = Feed::new(TableId::new(1), 3);
        feed.push(&[news(1, 1), news(2, 2)]);
        assert_eq!(drain(&feed), (vec![1, 2], false));
        feed.push(&[news(3, 2), news(4, 2), news(5, 1)]);
        feed.push(&[news(6, 1)]);
        assert_eq!(drain(&feed), (vec![0], false), "nothing is kept until the watcher knows");
        feed.push(&[news(7, 1)]);
        assert_eq!(drain(&feed), (vec![7], false));
    }

    #[test]
    fn a_commit_larger_than_the_queue_is_kept_alone() {
        let feed = Feed::new(TableId::new(1), 3);
        feed.push(&[news(1, 9)]);
        assert_eq!(drain(&feed), (vec![1], false));
        feed.push(&[news(2, 1), news(3, 9)]);
        assert_eq!(drain(&feed), (vec![0], false));
    }

    #[test]
    fn what_waits_is_given_before_the_end() {
        let feed = Feed::new(TableId::new(1), 3);
        feed.push(&[news(1, 1)]);
        feed.end(Some(&Error::new(crate::error::ErrorKind::Fenced, "fenced")));
        feed.end(None);
        assert_eq!(drain(&feed), (vec![1, u64::MAX], true));
        assert_eq!(drain(&feed), (vec![], true));
    }
}
