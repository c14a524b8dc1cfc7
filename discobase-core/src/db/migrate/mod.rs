//! Migrations: steps that lead a database from one version of a program to the next.
//!
//! ```text
//! step      what a program writes: changes of tables and rows, as data and closures
//! change    one of them; its text is what a step is recognised by
//! plan      which steps a database lacks, by the records in its journal
//! skipped   tables that steps are about and that a database never had
//! work      from changes to the writes of one commit, on copies
//! run       a step and its record are one commit; reverting; trying
//! back      undoing what came after a backup
//! generate  the step that makes tables fit structs, as Rust
//! ```

mod back;
pub(crate) mod change;
pub(crate) mod generate;
pub(crate) mod plan;
mod row;
pub(crate) mod run;
mod skipped;
pub(crate) mod step;
mod work;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

pub use back::Backup;
pub use row::RowChange;
pub use step::{Step, TableChanges};

use crate::db::Database;
use crate::db::difference::{differences, table_of};
use crate::error::{Error, Result};
use crate::tables::Tables;

use run::{Ahead, Way, attempt, down, up};
use skipped::Skipped;

/// The migrations of a connected database: see [`Database::migrator`].
///
/// ```no_run
/// # use discobase_core as discobase;
/// use discobase::{Database, Result, Step};
///
/// # async fn run(token: &str) -> Result<()> {
/// let db = Database::builder("shop").migrate_on_connect(false).build();
/// db.migrations([Step::new("1.1.0", "stock").table("items", |items| items.add("stock", 0_u32))])?;
/// db.connect(token).await?;
/// let migrator = db.migrator();
/// for step in migrator.dry_run().await? {
///     println!("{} {}: {} changes, {} rows", step.version, step.name, step.changes.len(), step.rows?);
/// }
/// println!("reached {:?}", migrator.up().await?);
/// println!("left {:?}", migrator.down("1.0.0").await?);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Migrator {
    db: Database,
}

/// A step, and whether it was applied.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct StepStatus {
    /// The version that the step leads to.
    pub version: String,
    /// What it is called.
    pub name: String,
    /// When it was applied, if it was.
    pub applied: Option<SystemTime>,
}

/// What a step would do: see [`Migrator::dry_run`].
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct DryStep {
    /// The version that the step leads to.
    pub version: String,
    /// What it is called.
    pub name: String,
    /// Its changes, a line each.
    pub changes: Vec<String>,
    /// How many rows it would change, add or delete; or why it would fail.
    pub rows: Result<u64>,
}

impl Database {
    /// Registers migration steps. They are applied when the database is connected for writing, each in one commit with
    /// the record that it was; a new database, whose tables are made from the newest structs, only gets the records.
    ///
    /// ```
    /// # use discobase_core as discobase;
    /// use discobase::{Database, Step};
    ///
    /// # fn main() -> discobase::Result<()> {
    /// let db = Database::new("shop");
    /// db.migrations([
    ///     Step::new("1.1.0", "prices in cents").table("items", |items| items.rename("price", "cents")),
    ///     Step::new("1.2.0", "stock").table("items", |items| items.add("stock", 0_u32)),
    /// ])?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `Migration` when a version is no semantic version, or two steps have the same.
    pub fn migrations(&self, steps: impl IntoIterator<Item = Step>) -> Result<&Self> {
        let mut known = self.0.steps.lock();
        let mut all = known.clone();
        steps.into_iter().try_for_each(|step| all.add(step))?;
        *known = all;
        Ok(self)
    }

    /// The migrations of this database: what was applied and what was not, and doing it by hand.
    #[must_use]
    pub fn migrator(&self) -> Migrator {
        Migrator { db: self.clone() }
    }
}

impl Migrator {
    /// All steps: those that were applied, in their order, then those that were not.
    ///
    /// # Errors
    /// `NotConnected`; `Migration` when the program's steps and those of the database do not go together.
    pub fn status(&self) -> Result<Vec<StepStatus>> {
        let connection = self.db.connection()?;
        let (tables, steps) = (connection.link.engine.tables().clone(), self.db.0.steps.lock().clone());
        let applied = tables.steps().iter().map(|record| StepStatus {
            version: record.version.clone(),
            name: record.name.clone(),
            applied: Some(time(record.at)),
        });
        let pending = steps.pending(tables.steps())?.into_iter().map(|step| StepStatus {
            version: step.version().to_owned(),
            name: step.name().to_owned(),
            applied: None,
        });
        Ok(applied.chain(pending).collect())
    }

    /// Tries the steps that were not applied, one after the other, without writing anything: what each would do. The
    /// list ends with the first that would fail. [Lazy](Database::table_lazy) tables are loaded for it.
    ///
    /// # Errors
    /// As [`Migrator::status`]; what loading [lazy](Database::table_lazy) tables can fail with.
    pub async fn dry_run(&self) -> Result<Vec<DryStep>> {
        let connection = self.db.connection()?;
        let mut tables = Tables::clone(&*connection.link.engine.load_all().await?);
        let (registered, steps) = (self.db.0.registry.lock().tables.clone(), self.db.0.steps.lock().clone());
        let pending = steps.pending(tables.steps())?;
        let skipped = Skipped::of(&tables, &registered, &pending);
        let (mut tried, mut pending) = (Vec::new(), &*pending);
        while let Some((step, following)) = pending.split_first() {
            let rows = attempt(&mut tables, Way::Up(step, Ahead { following, skipped: &skipped }));
            pending = following;
            let failed = rows.is_err();
            tried.push(DryStep {
                version: step.version().to_owned(),
                name: step.name().to_owned(),
                changes: step.up().iter().map(ToString::to_string).collect(),
                rows,
            });
            if failed {
                break;
            }
        }
        Ok(tried)
    }

    /// Applies the steps that were not applied, and makes the tables of the structs ready: what connecting does unless
    /// [`migrate_on_connect`](crate::DatabaseBuilder::migrate_on_connect) says otherwise. The versions that were
    /// reached.
    ///
    /// # Errors
    /// `Migration`, and what the changes can fail with: the error names the step and the change. Steps before it stay
    /// applied; the one that failed left nothing behind.
    pub async fn up(&self) -> Result<Vec<String>> {
        let _turn = self.db.0.turn.lock().await;
        let connection = self.db.connection()?;
        let (registered, steps) = (self.db.0.registry.lock().tables.clone(), self.db.0.steps.lock().clone());
        let done = match up(&connection.link, &steps, &registered).await {
            Ok(done) => self.db.fit(&connection.link).await.map(|()| done),
            Err(error) => Err(error),
        };
        done.inspect_err(|_| self.db.write_fitting(&connection.link))
    }

    /// Reverts the steps that lead beyond `version`, the last one first. The versions that were left. Tables whose
    /// structs do not fit any more can't be used until the program of that version is started.
    ///
    /// # Errors
    /// `Migration` when one of them does not say how it is reverted: then none is. What the changes can fail with.
    pub async fn down(&self, version: &str) -> Result<Vec<String>> {
        let _turn = self.db.0.turn.lock().await;
        let connection = self.db.connection()?;
        let steps = self.db.0.steps.lock().clone();
        let done = down(&connection.link, &steps, version).await;
        let registered = self.db.0.registry.lock().tables.clone();
        connection.link.refresh_fitting(&registered);
        done
    }

    /// The step that would make the tables in the guild fit the registered structs, as Rust to be reviewed; `None` if
    /// they fit.
    ///
    /// # Errors
    /// `NotConnected`. Connect with [`migrate_on_connect(false)`](crate::DatabaseBuilder::migrate_on_connect): a
    /// connection that migrates refuses structs that differ, with the step in the error.
    pub fn generate(&self, version: &str) -> Result<Option<String>> {
        let connection = self.db.connection()?;
        let tables = connection.link.engine.tables().clone();
        let registered = self.db.0.registry.lock().tables.clone();
        let differing = registered.iter().filter_map(|one| {
            let table = table_of(&tables, one)?;
            Some((table.def().name.clone(), differences(one, table.def())))
                .filter(|(_, found)| !found.is_empty())
        });
        let differing: Vec<_> = differing.collect();
        Ok((!differing.is_empty()).then(|| generate::step(version, &differing)))
    }
}

fn time(at: i64) -> SystemTime {
    let since = Duration::from_micros(at.unsigned_abs());
    let time = if at < 0 { UNIX_EPOCH.checked_sub(since) } else { UNIX_EPOCH.checked_add(since) };
    time.unwrap_or(UNIX_EPOCH)
}

/// The error of a table that does not fit its struct, which connecting did not refuse.
pub(crate) fn unfit(error: Error) -> Error {
    error.within("the table is not ready: db.migrator().up().await applies the steps that are registered")
}
