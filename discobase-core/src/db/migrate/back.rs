//! Going back to what a database was: the work that leads from its tables now to those of a backup.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use crate::batch::{ColumnDef, TableDef};
use crate::db::Database;
use crate::db::migrate::row::Fate;
use crate::db::migrate::run::{Way, go};
use crate::db::migrate::work::{RowWork, TableWork, Work};
use crate::error::{Error, ErrorKind, Result};
use crate::ids::{ChannelId, RowId, Seq};
use crate::row::RowRef;
use crate::session::Write;
use crate::tables::{Slot, TableState, Tables, value_in};
use crate::value::Value;

/// What a database held at one moment. It costs next to nothing, shares everything with the database, and lives as long
/// as this process: it is for taking back what goes wrong now, not against the loss of the guild.
#[derive(Clone)]
pub struct Backup {
    journal: ChannelId,
    tables: Arc<Tables>,
}

impl Backup {
    /// The last commit that is in it.
    #[must_use]
    pub fn seq(&self) -> Seq {
        self.tables.seq()
    }
}

impl fmt::Debug for Backup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Backup").field("journal", &self.journal).field("seq", &self.seq()).finish()
    }
}

impl Database {
    /// Keeps what the database holds now, so that it can be [restored](Database::restore): before something risky.
    ///
    /// ```no_run
    /// # use discobase_core as discobase;
    /// # async fn import(db: &discobase::Database) -> discobase::Result<()> { Ok(()) }
    /// # async fn run(db: discobase::Database) -> discobase::Result<()> {
    /// let before = db.backup()?;
    /// if let Err(error) = import(&db).await {
    ///     db.restore(&before).await?;
    ///     return Err(error);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `NotConnected`.
    pub fn backup(&self) -> Result<Backup> {
        let connection = self.connection()?;
        let engine = &connection.link.engine;
        Ok(Backup { journal: engine.journal(), tables: Arc::clone(&engine.tables()) })
    }

    /// Makes the database hold what it held when the backup was made, definitions of tables and migration steps included:
    /// one commit of what differs. What was committed since is undone by it, whoever committed it; how many rows that
    /// took.
    ///
    /// Rows that were deleted since come back with new [ids](crate::Record::id).
    ///
    /// # Errors
    /// `Conflict` when the backup is of another database; `TooLarge` when what differs does not fit a commit; what
    /// committing can fail with. The database is as before then.
    pub async fn restore(&self, backup: &Backup) -> Result<u64> {
        let _turn = self.0.turn.lock().await;
        let connection = self.connection()?;
        if connection.link.engine.journal() != backup.journal {
            let text = "the backup is of another database than the one that is connected";
            return Err(Error::new(ErrorKind::Conflict, text).in_channel(backup.journal));
        }
        for table in backup.tables.iter() {
            connection.link.engine.table_in(&backup.tables, table.def().id, None).await?;
        }
        let rows = go(&connection.link, Way::Back(&backup.tables)).await?;
        let registered = self.0.registry.lock().tables.clone();
        connection.link.refresh_fitting(&registered);
        Ok(rows)
    }
}

/// The work that makes the tables now what they were.
pub(super) fn back(now: &Tables, then: &Tables) -> Work {
    let mut work = Work::new(now);
    for table in work.tables.values_mut() {
        match then.get(table.state.def().id).map(Slot::loaded) {
            Some(Some(before)) => turn_back(table, before),
            // All of them were loaded before.
            Some(None) => {}
            None => table.def = None,
        }
    }
    let gone = then.iter().filter(|table| now.get(table.def().id).is_none());
    work.fresh = gone.filter_map(Slot::loaded).map(|table| again(table)).collect();
    work
}

/// What leads from the steps now to those there were.
pub(super) fn steps_back(now: &Tables, then: &Tables) -> Vec<Write> {
    let shared = now.steps().iter().zip(then.steps()).take_while(|(a, b)| a == b).count();
    let reverted = now.steps().iter().skip(shared).rev();
    let reverted = reverted.map(|step| Write::Reverted { version: step.version.clone() });
    let applied = then.steps().iter().skip(shared).map(|step| Write::Applied(Box::new(step.clone())));
    reverted.chain(applied).collect()
}

/// Where each column of a definition has its values in another, `None` for one that was dropped.
type Places = Vec<Option<usize>>;

fn turn_back(table: &mut TableWork, before: &TableState) {
    let now = Arc::clone(table.state.def());
    let (def, places) = target(&now, before.def());
    let moved = places.iter().enumerate().any(|(place, target)| target.is_some_and(|target| target != place));
    let mut rows = BTreeMap::new();
    for (id, stored) in table.state.rows() {
        let wanted = before.row(id);
        let same = wanted.is_some_and(|wanted| wanted.version == stored.version);
        if same && !moved {
            continue;
        }
        let (version, fate) = (stored.version, if wanted.is_some() { Fate::Changed } else { Fate::Deleted });
        let values = wanted.map(|wanted| placed(before.def(), wanted.row, &places, def.columns.len()));
        let unchanged = values.as_ref().is_some_and(|values| holds(&now, &def, stored.row, values));
        if !unchanged {
            rows.insert(id, RowWork { version, values: values.unwrap_or_default(), fate });
        }
    }
    let lost = before.rows().filter(|(id, _)| table.state.row(*id).is_none());
    table.added = lost.map(|(_, lost)| placed(before.def(), lost.row, &places, def.columns.len())).collect();
    table.rows = Some(rows);
    table.def = Some(def);
}

/// The definition that says what `before` did, of a table that is `now`; and where its columns are.
fn target(now: &TableDef, before: &TableDef) -> (TableDef, Places) {
    let mut columns: Vec<ColumnDef> = now.columns.iter().map(dropped).collect();
    let mut places = Vec::with_capacity(before.columns.len());
    for (place, column) in before.columns.iter().enumerate() {
        let lives = now.columns.get(place).is_some_and(|now| !now.name.is_empty());
        places.push(match columns.get_mut(place) {
            _ if column.name.is_empty() => None,
            Some(slot) if lives => {
                *slot = column.clone();
                Some(place)
            }
            // A column that was dropped since comes back at another place.
            _ => {
                columns.push(column.clone());
                Some(columns.len() - 1)
            }
        });
    }
    let mut def = TableDef { columns, channel: now.channel, ..before.clone() };
    for index in &mut def.indexes {
        let columns =
            index.columns.iter().map(|&column| places.get(column).copied().flatten().unwrap_or(column));
        index.columns = columns.collect();
        let known = now.indexes.iter().find(|now| now.channel == index.channel);
        if known.is_none() {
            index.channel = ChannelId::new(0);
        }
    }
    def.fingerprint = def.print();
    (def, places)
}

fn dropped(column: &ColumnDef) -> ColumnDef {
    let (name, ty, variants) = (String::new(), column.ty.clone(), Vec::new());
    ColumnDef { name, ty, variants, nullable: true, max_len: None, default: None }
}

/// A row's values at the places of another definition.
fn placed(def: &TableDef, row: RowRef<'_>, places: &Places, columns: usize) -> Vec<Value> {
    let mut values = vec![Value::Null; columns];
    for (column, place) in places.iter().enumerate() {
        if let Some(value) = place.and_then(|place| values.get_mut(place)) {
            *value = value_in(def, row, column).to_value();
        }
    }
    values
}

/// Whether a row, as it is, says what it should under a definition.
fn holds(now: &TableDef, def: &TableDef, row: RowRef<'_>, values: &[Value]) -> bool {
    let mut columns = def.columns.iter().enumerate().filter(|(_, column)| !column.name.is_empty());
    columns
        .all(|(place, _)| values.get(place).is_some_and(|value| value_in(now, row, place) == value.as_ref()))
}

/// A table that was dropped since, with its rows.
fn again(table: &TableState) -> (TableDef, Vec<Vec<Value>>) {
    let mut def = TableDef::clone(table.def());
    def.channel = ChannelId::new(0);
    def.indexes.iter_mut().for_each(|index| index.channel = ChannelId::new(0));
    let columns = def.columns.len();
    let rows: Vec<_> = table
        .rows()
        .map(|(_, stored): (RowId, _)| {
            (0..columns).map(|column| value_in(table.def(), stored.row, column).to_value()).collect()
        })
        .collect();
    (def, rows)
}
