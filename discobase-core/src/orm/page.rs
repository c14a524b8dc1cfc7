//! Pages of a query, each from where the last one ended.

use std::fmt;
use std::future::{Future, IntoFuture};
use std::pin::Pin;

use futures_util::TryFutureExt as _;

use crate::error::{Error, ErrorKind, Result};
use crate::orm::cursor::Cursor;
use crate::orm::find::Find;
use crate::orm::record::Record;
use crate::query::paging::After;
use crate::schema::Entity;
use crate::tables::value_in;
use crate::value::Value;

/// A page of a query: await it. See [`Find::page`].
#[must_use = "a query does nothing until it is awaited"]
pub struct Paged<T> {
    find: Find<T>,
    size: usize,
    after: Option<Cursor>,
}

/// Some records of a query, and where the next page begins.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Page<T> {
    /// The records, in the query's order.
    pub records: Vec<Record<T>>,
    /// For [`Paged::after`]: there are more records. `None` on the last page.
    pub next: Option<Cursor>,
}

impl<T: Entity> Find<T> {
    /// Reads the records in pages of so many. Each page says with a [`Cursor`] where the next one begins: behind the last
    /// record, by its place in the order and not by a number of records. So no record comes twice and none is left out
    /// because others were saved or deleted meanwhile, and a page in the middle costs what the first one costs if an index
    /// has the order.
    ///
    /// Where records are equal in the whole order, they come as they were first saved, as in every query; that decides
    /// the place of a cursor among them, too. A record whose place in the order changes between two pages is found where it
    /// is when its page is read.
    ///
    /// ```no_run
    /// # use discobase_core as discobase;
    /// # use discobase::{Cursor, Database, Result, Table};
    /// # #[derive(Debug, Table)]
    /// # #[table(crate = "discobase_core")]
    /// # struct User { #[table(key)] id: u64, #[table(index)] points: i64 }
    /// # async fn run(db: Database) -> Result<()> {
    /// let mut cursor: Option<Cursor> = None;
    /// loop {
    ///     let page = User::find(&db).order_by(|u| u.points.desc()).page(50).after(&cursor).await?;
    ///     for user in &page.records {
    ///         println!("{}: {}", user.id, user.points);
    ///     }
    ///     // As text it can wait in the id of a button, for example, and be read with `parse`.
    ///     cursor = page.next;
    ///     if cursor.is_none() {
    ///         break;
    ///     }
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn page(self, size: usize) -> Paged<T> {
        Paged { find: self, size, after: None }
    }
}

impl<T: Entity> Paged<T> {
    /// Begins behind the page that gave this cursor, `&cursor`; at the beginning, if there is none.
    pub fn after<'c>(mut self, cursor: impl Into<Option<&'c Cursor>>) -> Self {
        self.after = cursor.into().cloned();
        self
    }

    fn run(self) -> Result<impl Future<Output = Result<Page<T>>> + Send> {
        let Self { mut find, size, after } = self;
        let invalid = |text: &str| Err(Error::new(ErrorKind::Invalid, text).in_table(T::SCHEMA.name));
        if size == 0 {
            return invalid("a page has at least one record: ask for pages of 1 or more");
        }
        if find.has_limit() {
            return invalid("pages have a size and a beginning of their own: leave out `limit` and `offset`");
        }
        let print = find.print();
        if let Some(cursor) = after {
            let (values, id) = cursor.place(print).map_err(|error| error.in_table(T::SCHEMA.name))?;
            if values.len() != find.order().len() {
                return invalid("the cursor does not fit the order of the query: begin with the first page");
            }
            find = find.begin_behind(After { values, id });
        }
        let order: Vec<usize> = find.order().iter().map(|(position, _)| *position).collect();
        // One more says whether there are more.
        let found = find.limit(size.saturating_add(1)).on_table(move |reading, query, table| {
            let mut rows = query.run(table);
            let more = rows.len() > size;
            rows.truncate(size);
            let cursor = rows.last().filter(|_| more).map(|(id, stored)| {
                let columns = order.iter().map(|&position| reading.handle.column(position));
                let values: Vec<Value> =
                    columns.map(|column| value_in(table.def(), stored.row, column).to_value()).collect();
                Cursor::new(print, &values, *id)
            });
            let records = rows.into_iter().map(|(id, stored)| reading.record(id, stored));
            Ok(Page { records: records.collect::<Result<_>>()?, next: cursor })
        });
        Ok(found.map_ok(|page| page.unwrap_or(Page { records: Vec::new(), next: None })))
    }
}

impl<T: Entity> IntoFuture for Paged<T> {
    type Output = Result<Page<T>>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    /// # Errors
    /// `Invalid` for a cursor of another query, and for a page of no records; otherwise as [`Find::all`].
    fn into_future(self) -> Self::IntoFuture {
        match self.run() {
            Ok(page) => Box::pin(page),
            Err(error) => Box::pin(std::future::ready(Err(error))),
        }
    }
}

impl<T> Clone for Paged<T> {
    fn clone(&self) -> Self {
        Self { find: self.find.clone(), size: self.size, after: self.after.clone() }
    }
}

impl<T> fmt::Debug for Paged<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Paged")
            .field("find", &self.find)
            .field("size", &self.size)
            .field("after", &self.after)
            .finish()
    }
}
