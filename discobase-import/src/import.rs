//! An import: what to read, into which tables, and the one commit of all of it.

use std::fmt;
use std::sync::Arc;

use discobase_core::transport::Transport;
use discobase_core::{Database, Error, ErrorKind, GuildId, Result, Session, Table};

use crate::job::{Job, Prepared};
use crate::mapping::Mapping;
use crate::read::{self, Choice};
use crate::report::Imported;

/// Brings tables over that the Python library discobase 1.0.0 wrote.
///
/// Everything is read first, then saved as one commit: all tables of the import or none. What can't be imported of a
/// table's messages is skipped, and [`Imported`] says why; of records that have the same key or the same unique value
/// the oldest is imported. Hooks, rules and the times that the database fills work as for any other save.
///
/// A table that has records is refused, so that a second import does no harm: also one after an error that left it open
/// whether the first was committed.
///
/// What it costs: two requests, and one for each 100 messages of the metadata and of the tables asked for, which Discord
/// lets through at one a second; then a commit. All records are in memory until then.
#[must_use = "an import does nothing until it runs"]
pub struct Import<'a> {
    db: &'a Database,
    door: Option<Arc<dyn Transport>>,
    guild: Choice,
    jobs: Vec<Box<dyn Job>>,
}

impl<'a> Import<'a> {
    /// Into this database, which is connected and has its tables registered; from the guild that it is in, if no other is
    /// chosen.
    pub fn new(db: &'a Database) -> Self {
        Self { db, door: None, guild: Choice::Own, jobs: Vec::new() }
    }

    /// From the guild of this name, of those that the bot is in. In Python it is the database's name.
    pub fn guild_name(mut self, name: impl Into<String>) -> Self {
        self.guild = Choice::Name(name.into());
        self
    }

    /// From the guild with this id.
    pub fn guild_id(mut self, guild: impl Into<GuildId>) -> Self {
        self.guild = Choice::Id(guild.into());
        self
    }

    /// Reads as another bot, for example the one that the Python program ran as. Name the guild, too.
    pub fn over(mut self, transport: Arc<dyn Transport>) -> Self {
        self.door = Some(transport);
        self
    }

    /// One more table. Tables are imported in this order.
    pub fn table<T: Table>(mut self, mapping: Mapping<T>) -> Self {
        self.jobs.push(Box::new(mapping));
        self
    }

    /// Imports all tables, as one commit.
    ///
    /// # Errors
    /// `Invalid` when fields and columns do not fit, when a table has records already, or when no table was named;
    /// `UnknownTable`, `MissingChannel`, `GuildNotFound`, `AmbiguousGuild` when what to read is not there; `Conflict` when
    /// somebody wrote into a table meanwhile; as [`Session::commit`]. Nothing was imported then, unless it is
    /// `UnknownOutcome`.
    pub async fn run(self) -> Result<Imported> {
        let (session, mut imported) = self.fill().await?;
        imported.commit = Some(session.commit().await?);
        Ok(imported)
    }

    /// Does everything but the commit: what [`Import::run`] would import and skip.
    ///
    /// # Errors
    /// As [`Import::run`].
    pub async fn check(self) -> Result<Imported> {
        let (session, imported) = self.fill().await?;
        session.rollback();
        Ok(imported)
    }

    /// A session with all records in it.
    async fn fill(self) -> Result<(Session, Imported)> {
        let (prepared, mut imported) = self.read().await?;
        // What it reads is that the tables are empty.
        let session = self.db.session()?.serializable();
        for table in prepared {
            imported.tables.push(table.add(&session).await?);
        }
        Ok((session, imported))
    }

    /// Reads everything, and decides what goes where.
    async fn read(&self) -> Result<(Vec<Box<dyn Prepared>>, Imported)> {
        self.check_jobs()?;
        let door = match &self.door {
            Some(door) => Arc::clone(door),
            None => self.db.transport()?,
        };
        let guild = read::guild(&*door, &self.guild, || self.db.guild()).await?;
        let mut catalog = read::catalog(&*door, guild).await?;
        let mut prepared = Vec::new();
        for job in &self.jobs {
            let described =
                catalog.take(job.python(), job.channel()).map_err(|error| error.in_table(job.table()))?;
            let contents = read::contents(&*door, described.channel).await?;
            prepared.push(job.prepare(described, contents)?);
        }
        let left_alone = catalog.names();
        let imported =
            Imported { tables: Vec::new(), left_alone, unreadable: catalog.unreadable, commit: None };
        Ok((prepared, imported))
    }

    fn check_jobs(&self) -> Result<()> {
        let mut names: Vec<&str> = self.jobs.iter().map(|job| job.table()).collect();
        names.sort_unstable();
        let text = match names.windows(2).find(|two| two.first() == two.last()) {
            Some(twice) => format!("the table {} is to be imported into twice", twice.first().unwrap_or(&"")),
            None if names.is_empty() => "no table is to be imported: name some with Import::table".to_owned(),
            None => return Ok(()),
        };
        Err(Error::new(ErrorKind::Invalid, text))
    }
}

impl fmt::Debug for Import<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tables: Vec<&str> = self.jobs.iter().map(|job| job.table()).collect();
        f.debug_struct("Import").field("guild", &self.guild).field("tables", &tables).finish_non_exhaustive()
    }
}
