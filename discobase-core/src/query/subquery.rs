//! Conditions on what another query finds: evaluated before the rows are looked at, in the same state of all tables.

use std::fmt;
use std::ops::ControlFlow;
use std::sync::Arc;

use crate::batch::TableDef;
use crate::error::{Error, ErrorKind};
use crate::ids::TableId;
use crate::lookup::Wanted;
use crate::query::exec::Query;
use crate::query::expr::Expr;
use crate::query::selection::Selection;
use crate::tables::{TableState, Tables, comparable};
use crate::value::ValueRef;

/// A query whose values a column is compared with.
#[derive(Clone)]
pub(crate) struct Within(Arc<dyn Inner>);

/// What is known of the query where it is written.
pub(crate) trait Inner: fmt::Debug + Send + Sync {
    /// The query in the terms of its table in a state.
    ///
    /// # Errors
    /// `UnknownTable`, `SchemaChanged`.
    fn local(&self, tables: &Tables) -> Result<Local, Error>;

    /// Which database it was written for, if for one only.
    fn database(&self) -> Option<usize>;
}

/// A query in the terms of its table.
pub(crate) struct Local {
    pub(crate) table: TableId,
    pub(crate) query: Query,
    pub(crate) selection: Selection,
}

/// A state of all tables, with what was loaded of those that are not in memory.
#[derive(Clone, Copy)]
pub(crate) struct State<'a> {
    pub(crate) tables: &'a Tables,
    pub(crate) loaded: &'a [Loaded],
}

/// What was loaded of a table: all of it, or what has some keys.
pub(crate) type Loaded = (TableId, Option<Wanted>, Arc<TableState>);

impl<'a> State<'a> {
    /// A state of which nothing else was loaded.
    pub(crate) fn of(tables: &'a Tables) -> Self {
        Self { tables, loaded: &[] }
    }

    /// A table, or as much of it as is wanted.
    fn table(&self, table: TableId, wanted: Option<&Wanted>) -> Option<&'a Arc<TableState>> {
        self.tables.loaded(table).or_else(|| {
            let fits = |loaded: &&Loaded| loaded.0 == table && loaded.1.as_ref() == wanted;
            self.loaded.iter().find(fits).map(|(_, _, loaded)| loaded)
        })
    }
}

/// Why a condition could not be evaluated.
pub(crate) enum Unresolved {
    /// A table is not in memory: all of it is wanted, or what has these keys.
    Missing(TableId, Option<Wanted>),
    Failed(Error),
}

impl From<Unresolved> for Error {
    fn from(unresolved: Unresolved) -> Self {
        match unresolved {
            Unresolved::Failed(error) => error,
            Unresolved::Missing(..) => {
                let text = "a query inside of a condition reads a lazy table that is not in memory: await db.load of it \
                            before";
                Self::new(ErrorKind::TableNotReady, text)
            }
        }
    }
}

impl Within {
    pub(crate) fn new(inner: impl Inner + 'static) -> Self {
        Self(Arc::new(inner))
    }
}

impl fmt::Debug for Within {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Expr {
    /// Whether what other queries find is part of the condition.
    pub(crate) fn has_subquery(&self) -> bool {
        let mut found = false;
        self.each_subquery(&mut |_| found = true);
        found
    }

    /// The tables that queries in the condition read, as far as they are there.
    pub(crate) fn tables_read(&self, tables: &Tables) -> Vec<TableId> {
        let mut read = Vec::new();
        self.each_subquery(&mut |within| {
            if let Ok(Local { table, query, .. }) = within.0.local(tables) {
                read.push(table);
                read.extend(query.filter.iter().flat_map(|filter| filter.tables_read(tables)));
            }
        });
        read
    }

    fn each_subquery(&self, visit: &mut impl FnMut(&Within)) {
        match self {
            Self::Within(_, within) => visit(within),
            Self::And(parts) | Self::Or(parts) => parts.iter().for_each(|part| part.each_subquery(visit)),
            Self::Not(part) => part.each_subquery(visit),
            Self::Compare(..) | Self::In(..) | Self::Contains(..) | Self::StartsWith(..) => {}
        }
    }
}

/// Whether all queries in a condition are of this database.
///
/// # Errors
/// `Invalid`.
pub(crate) fn check_database(filter: Option<&Expr>, database: usize) -> Result<(), Error> {
    let mut foreign = false;
    if let Some(filter) = filter {
        filter.each_subquery(&mut |within| foreign |= within.0.database().is_some_and(|of| of != database));
    }
    if !foreign {
        return Ok(());
    }
    let text = "a query inside of a condition is one of another database: read its values first, and give them to `is_in`";
    Err(Error::new(ErrorKind::Invalid, text))
}

/// Evaluates the queries in a condition on rows of the table `def`, whose columns are column ids: a list of values takes
/// the place of each. `read` is told what they read.
///
/// # Errors
/// When a table is not in memory, or not there.
pub(crate) fn resolve(
    filter: &mut Expr,
    def: &TableDef,
    state: State<'_>,
    read: &mut dyn FnMut(TableId, Option<&Expr>),
) -> Result<(), Unresolved> {
    match filter {
        Expr::Compare(..) | Expr::In(..) | Expr::Contains(..) | Expr::StartsWith(..) => Ok(()),
        Expr::And(parts) | Expr::Or(parts) => {
            parts.iter_mut().try_for_each(|part| resolve(part, def, state, read))
        }
        Expr::Not(part) => resolve(part, def, state, read),
        Expr::Within(column, within) => {
            let Local { table, mut query, selection } =
                within.0.local(state.tables).map_err(Unresolved::Failed)?;
            let inner = state.tables.get(table).map(|slot| Arc::clone(slot.def()));
            if let (Some(inner), Some(filter)) = (&inner, &mut query.filter) {
                resolve(filter, inner, state, read)?;
            }
            let wanted = inner.and_then(|inner| query.wanted(&inner));
            let Some(loaded) = state.table(table, wanted.as_ref()) else {
                return Err(Unresolved::Missing(table, wanted));
            };
            read(table, query.filter.as_ref());
            let mut values = Vec::new();
            selection.each(&query, loaded, |picked| {
                let value = picked.first().copied().unwrap_or(ValueRef::Null);
                values.push(comparable(def, *column, value).to_value());
                ControlFlow::Continue(())
            });
            values.sort_unstable();
            values.dedup();
            *filter = Expr::In(*column, values);
            Ok(())
        }
    }
}
