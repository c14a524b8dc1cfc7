//! Updates and deletes of all rows that a condition chooses.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use crate::db::registry::Handle;
use crate::error::Result;
use crate::orm::model::deleted::Scope;
use crate::orm::model::lifecycle::validate;
use crate::orm::record::{Record, comparable_operand, local_filter};
use crate::orm::save::Work;
use crate::orm::write::{Target, Writable, execute};
use crate::query::column::{Column, Filter};
use crate::query::expr::Expr;
use crate::query::expression::IntoExpression;
use crate::query::program::{Program, Step};
use crate::query::subquery::check_database;
use crate::row::RowRef;
use crate::schema::Entity;
use crate::session::{Around, Assign, Assigns, Change, Statement, Write};

/// Begins an update of all records that satisfy a condition: `update().filter(…).set(…).run(&db)`.
///
/// It is worked out at the moment of the commit, on the newest state: a thousand of them at once add up, and none waits
/// for another or has to be repeated. Everything is one commit: all records or none.
///
/// The rules that a struct declares hold for the results, and its `updated_at` gets the time. Hooks do not run: they are
/// about one struct that somebody changed.
///
/// ```no_run
/// # use discobase_core as discobase;
/// use discobase::{Database, Result, Table, update};
///
/// #[derive(Table)]
/// # #[table(crate = "discobase_core")]
/// struct User {
///     #[table(key)]
///     id: u64,
///     points: i64,
/// }
///
/// async fn reward(db: &Database, id: u64) -> Result<bool> {
///     let rows = update::<User>().filter(|u| u.id.eq(id)).set(|u| u.points, |u| u.points + 5).run(db).await?;
///     Ok(rows == 1)
/// }
/// ```
pub fn update<T: Entity>() -> UpdateWhere<T> {
    UpdateWhere { filters: Vec::new(), set: Vec::new(), deadline: None, table: PhantomData }
}

/// Begins a delete of all records that satisfy a condition: `delete().filter(…).run(&db)`. It is one commit, worked out
/// on the newest state. A table with a `soft_delete` field keeps the records and marks them; hooks do not run.
pub fn delete<T: Entity>() -> DeleteWhere<T> {
    DeleteWhere { filters: Vec::new(), deadline: None, forever: false, table: PhantomData }
}

/// An update of all records that satisfy a condition: see [`update`].
#[must_use = "nothing is written until `run` or `returning` is called"]
pub struct UpdateWhere<T> {
    filters: Vec<Expr>,
    set: Vec<(usize, Program)>,
    deadline: Option<Duration>,
    table: PhantomData<fn() -> T>,
}

/// A delete of all records that satisfy a condition: see [`delete`].
#[must_use = "nothing is written until `run` or `returning` is called"]
pub struct DeleteWhere<T> {
    filters: Vec<Expr>,
    deadline: Option<Duration>,
    forever: bool,
    table: PhantomData<fn() -> T>,
}

macro_rules! conditions {
    () => {
        /// Only records that satisfy the filter; several filters must all be satisfied. Without one, all records.
        pub fn filter(mut self, filter: impl FnOnce(T::Columns) -> Filter<T>) -> Self {
            self.filters.push(filter(T::columns()).expr);
            self
        }

        /// How long to wait, as for a [`Save`](crate::Save).
        pub fn deadline(mut self, deadline: Duration) -> Self {
            self.deadline = Some(deadline);
            self
        }
    };
}

impl<T: Entity> UpdateWhere<T> {
    conditions!();

    /// Gives a column a new value, worked out from what the row was before the update. Of two values for one column
    /// the last counts.
    pub fn set<V, E: IntoExpression<T, V>>(
        mut self,
        column: impl FnOnce(T::Columns) -> Column<T, V>,
        value: impl FnOnce(T::Columns) -> E,
    ) -> Self {
        let column = column(T::columns()).position();
        self.set.push((column, value(T::columns()).into_expression().program));
        self
    }

    /// Writes, and gives the number of records that satisfied the filter. Those that are so already count, too, but
    /// are not written; if none is to be changed, nothing is sent.
    ///
    /// # Errors
    /// `Arithmetic` when a result does not fit its field or something was divided by zero, `TooLong`,
    /// `UniqueViolated`, `KeyChanged`: the error names table, field and key, and no record was changed. Otherwise as
    /// [`Table::save`](crate::Table::save).
    pub fn run(self, target: &impl Writable) -> Work<'static, u64> {
        let target = target.target();
        Box::pin(async move { Ok(self.execute(target).await?.written.len() as u64) })
    }

    /// Writes, and gives the records as they are now.
    ///
    /// # Errors
    /// As [`UpdateWhere::run`].
    pub fn returning(self, target: &impl Writable) -> Work<'static, Vec<Record<T>>> {
        let target = target.target();
        Box::pin(async move { self.execute(target).await?.records() })
    }

    async fn execute(self, target: Target) -> Result<super::write::Done> {
        let Self { filters, set, deadline, .. } = self;
        let database = target.db().identity();
        execute::<T>(target, deadline, |handle| {
            handle.check_writable()?;
            statement::<T>(handle, database, filters, Change::Set(local_assigns::<T>(handle, set)))
        })
        .await
    }
}

impl<T: Entity> DeleteWhere<T> {
    conditions!();

    /// Removes the rows of a table, too, whose deletes only mark a record.
    pub fn forever(mut self) -> Self {
        self.forever = true;
        self
    }

    /// Deletes, and gives the number of records that are gone. If there are none, nothing is sent.
    ///
    /// # Errors
    /// As [`Table::save`](crate::Table::save).
    pub fn run(self, target: &impl Writable) -> Work<'static, u64> {
        let target = target.target();
        Box::pin(async move { Ok(self.execute(target).await?.written.len() as u64) })
    }

    /// Deletes, and gives what the records were.
    ///
    /// # Errors
    /// As [`DeleteWhere::run`].
    pub fn returning(self, target: &impl Writable) -> Work<'static, Vec<T>> {
        let target = target.target();
        Box::pin(async move { self.execute(target).await?.values() })
    }

    async fn execute(self, target: Target) -> Result<super::write::Done> {
        let Self { filters, deadline, forever, .. } = self;
        let database = target.db().identity();
        execute::<T>(target, deadline, |handle| {
            let change = match T::MODEL.deleted_at.filter(|_| !forever) {
                Some(position) => {
                    let now = vec![(position, Program(vec![Step::Now]))];
                    // As a record's own delete, it writes the time and nothing else, and asks no rule.
                    Change::Set(Assigns { around: Around::default(), ..local_assigns::<T>(handle, now) })
                }
                None => Change::Delete,
            };
            statement::<T>(handle, database, filters, change)
        })
        .await
    }
}

fn statement<T: Entity>(
    handle: &Arc<Handle>,
    database: usize,
    mut filters: Vec<Expr>,
    change: Change,
) -> Result<Write> {
    filters.extend(Scope::Live.filter::<T>());
    let filter = local_filter(handle, filters);
    check_database(filter.as_ref(), database).map_err(|error| error.in_table(T::SCHEMA.name))?;
    Ok(Write::Statement(Arc::new(Statement { table: handle.id, filter, change })))
}

/// Assignments in the table's own terms.
pub(crate) fn local_assigns<T: Entity>(handle: &Arc<Handle>, set: Vec<(usize, Program)>) -> Assigns {
    let local = |(position, mut value): (usize, Program)| {
        value.localise(&|position| handle.column(position), &|column, operand| {
            comparable_operand(handle, column, operand);
        });
        Assign { column: handle.column(position), value }
    };
    Assigns { set: set.into_iter().map(local).collect(), around: around::<T>(handle) }
}

/// What comes with every change of a table's rows: the time of the change, and the rules.
pub(crate) fn around<T: Entity>(handle: &Arc<Handle>) -> Around {
    let rules = Arc::clone(handle);
    let check = move |row: RowRef<'_>| validate(std::slice::from_ref(&rules.decode_plain::<T>(row)?));
    let touch = T::MODEL.updated_at.map(|position| handle.column(position));
    Around { touch, check: Some(Arc::new(check)) }
}

impl<T> Clone for UpdateWhere<T> {
    fn clone(&self) -> Self {
        let (filters, set) = (self.filters.clone(), self.set.clone());
        Self { filters, set, deadline: self.deadline, table: PhantomData }
    }
}

impl<T> Clone for DeleteWhere<T> {
    fn clone(&self) -> Self {
        let filters = self.filters.clone();
        Self { filters, deadline: self.deadline, forever: self.forever, table: PhantomData }
    }
}

impl<T> fmt::Debug for UpdateWhere<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UpdateWhere")
            .field("filters", &self.filters)
            .field("set", &self.set)
            .finish_non_exhaustive()
    }
}

impl<T> fmt::Debug for DeleteWhere<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DeleteWhere").field("filters", &self.filters).finish_non_exhaustive()
    }
}
