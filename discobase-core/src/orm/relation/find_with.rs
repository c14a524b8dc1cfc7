//! Queries that load what is related to the records they find.

use std::fmt;

use crate::error::Result;
use crate::orm::find::Find;
use crate::orm::record::Record;
use crate::orm::relation::related::{Load, Loading};
use crate::query::column::{Filter, Order};
use crate::query::explain::Explain;
use crate::schema::Entity;

/// A query for records of `T` and for what is related to each: see [`Find::with`].
#[must_use = "a query does nothing until all or first is called"]
pub struct FindWith<T, L> {
    find: Find<T>,
    load: L,
}

impl<T: Entity> Find<T> {
    /// Loads what is related to the records: all of a relation in one query, however many records there are, and
    /// everything as of one state of all tables. Several relations are given as a tuple, and a relation loads what is
    /// related to it in turn.
    ///
    /// ```no_run
    /// # use discobase_core as discobase;
    /// use discobase::{Database, Result, Table};
    ///
    /// #[derive(Debug, Table)]
    /// #[table(has_many(orders = Order.user_id))]
    /// # #[table(crate = "discobase_core")]
    /// struct User {
    ///     #[table(key)]
    ///     id: u64,
    ///     name: String,
    /// }
    ///
    /// #[derive(Debug, Table)]
    /// #[table(has_many(items = Item.order_id))]
    /// # #[table(crate = "discobase_core")]
    /// struct Order {
    ///     #[table(key)]
    ///     id: u64,
    ///     #[table(references = User)]
    ///     user_id: u64,
    /// }
    ///
    /// #[derive(Debug, Table)]
    /// # #[table(crate = "discobase_core")]
    /// struct Item {
    ///     #[table(key)]
    ///     id: u64,
    ///     #[table(references = Order, on_delete = cascade)]
    ///     order_id: u64,
    ///     price: i64,
    /// }
    ///
    /// async fn bill(db: &Database) -> Result<()> {
    ///     let users = User::find(db).with(|u| u.orders.with(|o| o.items)).all().await?;
    ///     for (user, orders) in users {
    ///         for (order, items) in orders {
    ///             let price: i64 = items.iter().map(|item| item.price).sum();
    ///             println!("{} owes {price} for order {}", user.name, order.id);
    ///         }
    ///     }
    ///     Ok(())
    /// }
    /// ```
    pub fn with<L: Load<T>>(self, load: impl FnOnce(T::Columns) -> L) -> FindWith<T, L> {
        FindWith { find: self, load: load(T::columns()) }
    }
}

impl<T: Entity, L: Load<T>> FindWith<T, L> {
    /// As [`Find::filter`].
    pub fn filter(mut self, filter: impl FnOnce(T::Columns) -> Filter<T>) -> Self {
        self.find = self.find.filter(filter);
        self
    }

    /// As [`Find::order_by`].
    pub fn order_by(mut self, order: impl FnOnce(T::Columns) -> Order<T>) -> Self {
        self.find = self.find.order_by(order);
        self
    }

    /// As [`Find::limit`].
    pub fn limit(mut self, limit: usize) -> Self {
        self.find = self.find.limit(limit);
        self
    }

    /// As [`Find::offset`].
    pub fn offset(mut self, offset: usize) -> Self {
        self.find = self.find.offset(offset);
        self
    }

    /// All records that match, each with what is related to it.
    ///
    /// # Errors
    /// As [`Find::all`]; `NotFound` when a record has to have a related one, and the filter on that leaves it out.
    pub async fn all(self) -> Result<Vec<(Record<T>, L::Loaded)>> {
        Ok(self.run(false).await?.0)
    }

    /// The first record that matches, with what is related to it, or `None`.
    ///
    /// # Errors
    /// As [`FindWith::all`].
    pub async fn first(self) -> Result<Option<(Record<T>, L::Loaded)>> {
        Ok(self.limit(1).run(false).await?.0.pop())
    }

    /// The queries that it takes, each as [`Find::explain`] shows it: the one for the records, and one for each relation.
    /// All of them are run to know them.
    ///
    /// # Errors
    /// As [`FindWith::all`].
    pub async fn explain(self) -> Result<Vec<Explain>> {
        Ok(self.run(true).await?.1)
    }

    async fn run(self, explained: bool) -> Result<(Vec<(Record<T>, L::Loaded)>, Vec<Explain>)> {
        let find = self.find.fixed()?;
        let queries = explained.then(|| find.clone().explain()).transpose()?.map(|first| vec![first]);
        let mut loading = Loading { origin: find.origin().clone(), queries };
        let records = find.all().await?;
        let loaded = self.load.load(&mut loading, &records).await?;
        Ok((records.into_iter().zip(loaded).collect(), loading.queries.unwrap_or_default()))
    }
}

impl<T, L: fmt::Debug> fmt::Debug for FindWith<T, L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FindWith").field("find", &self.find).field("load", &self.load).finish()
    }
}
