//! The records of a query, one after the other.

use std::collections::VecDeque;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use futures_util::Stream;

use crate::error::Result;
use crate::ids::RowId;
use crate::orm::find::Find;
use crate::orm::record::Record;
use crate::orm::session::Shared;
use crate::orm::source::{Later, Origin, Reading};
use crate::schema::Entity;
use crate::tables::TableState;

/// How many records are made at a time.
const CHUNK: usize = 256;

/// The records of a query, one after the other: a [`Stream`], with [`Records::next`] for a plain loop. See
/// [`Find::stream`].
#[must_use = "a stream does nothing until it is asked for its next record"]
pub struct Records<T> {
    state: State<T>,
}

type Opening<T> = Pin<Box<dyn Future<Output = Result<Option<Open<T>>>> + Send>>;

enum State<T> {
    /// The query looks for its rows.
    Opening(Opening<T>),
    Open(Open<T>),
    Ended,
}

/// What is left of the query.
struct Open<T> {
    table: Arc<TableState>,
    later: Later,
    session: Option<Arc<Shared>>,
    ids: std::vec::IntoIter<RowId>,
    made: VecDeque<Record<T>>,
}

impl<T: Entity> Find<T> {
    /// The records, one after the other, so that not all are in memory at once. All are of one state, that of the moment
    /// when the stream is first asked, whatever is written meanwhile.
    ///
    /// The rows are found and sorted at first, which takes 8 bytes for each; records are made of them in chunks of 256.
    /// What was replaced since is kept as long as the stream is, as for a [`Snapshot`](crate::Snapshot). Of a [lazy
    /// table](crate::Database::table_lazy) as much is loaded at first as the query needs.
    ///
    /// ```no_run
    /// # use discobase_core as discobase;
    /// # use discobase::{Database, Result, Table};
    /// # #[derive(Debug, Table)]
    /// # #[table(crate = "discobase_core")]
    /// # struct User { #[table(key)] id: u64, name: String }
    /// # async fn run(db: Database) -> Result<()> {
    /// let mut users = User::find(&db).order_by(|u| u.name.asc()).stream();
    /// while let Some(user) = users.next().await {
    ///     println!("{}", user?.name);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// Each record may be an error, as for [`Find::all`]; it is the last item then.
    pub fn stream(self) -> Records<T> {
        let session = match self.origin() {
            Origin::Session(session) => Some(Arc::clone(session)),
            _ => None,
        };
        let opening = async move {
            self.on_table(move |reading, query, table| {
                let ids: Vec<RowId> = query.run(table).into_iter().map(|(id, _)| id).collect();
                let (table, later, made) = (Arc::clone(table), reading.later(), VecDeque::new());
                Ok(Open { table, later, session, ids: ids.into_iter(), made })
            })
            .await
        };
        Records { state: State::Opening(Box::pin(opening)) }
    }
}

impl<T: Entity> Records<T> {
    /// The next record; `None` when there are no more.
    pub async fn next(&mut self) -> Option<Result<Record<T>>> {
        std::future::poll_fn(|context| self.poll(context)).await
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Record<T>>>> {
        loop {
            let next = match &mut self.state {
                State::Opening(opening) => match ready!(opening.as_mut().poll(context)) {
                    Ok(Some(open)) => {
                        self.state = State::Open(open);
                        continue;
                    }
                    Ok(None) => None,
                    Err(error) => Some(Err(error)),
                },
                State::Open(open) => open.next(),
                State::Ended => None,
            };
            if !matches!(next, Some(Ok(_))) {
                self.state = State::Ended;
            }
            return Poll::Ready(next);
        }
    }
}

impl<T: Entity> Open<T> {
    fn next(&mut self) -> Option<Result<Record<T>>> {
        if self.made.is_empty()
            && let Err(error) = self.make()
        {
            return Some(Err(error));
        }
        self.made.pop_front().map(Ok)
    }

    /// Makes the next chunk of records.
    fn make(&mut self) -> Result<()> {
        let reading = Reading { session: self.session.as_deref(), ..self.later.reading() };
        for id in self.ids.by_ref().take(CHUNK) {
            if let Some(stored) = self.table.row(id) {
                self.made.push_back(reading.record(id, stored)?);
            }
        }
        Ok(())
    }
}

impl<T: Entity> Stream for Records<T> {
    type Item = Result<Record<T>>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        // Nothing in it minds being moved: the future is boxed.
        self.get_mut().poll(context)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        match &self.state {
            State::Opening(_) => (0, None),
            State::Open(open) => {
                let left = open.made.len() + open.ids.len();
                // A value that is none of its field's type ends the stream.
                (0, Some(left))
            }
            State::Ended => (0, Some(0)),
        }
    }
}

impl<T> Unpin for Records<T> {}

impl<T> fmt::Debug for Records<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match &self.state {
            State::Opening(_) => "opening",
            State::Open(_) => "open",
            State::Ended => "ended",
        };
        f.debug_tuple("Records").field(&state).finish()
    }
}
