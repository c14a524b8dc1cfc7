//! Checking a database: everything in the guild against everything in memory.
//!
//! Commits, checkpoints and trimming go on meanwhile. So a walk compares what is in memory with the journal as of the same
//! commit, and nothing is reported that a second walk, begun when all of the first is visible, does not find again, word
//! for word: what was only on its way is somewhere else by then.

mod catalog;
mod channels;
mod contents;
mod journal;
mod references;
mod report;
mod rows;
mod segments;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

pub use report::{Deviation, DeviationKind, Report};

use crate::codec::frame::Genesis;
use crate::db::link::Link;
use crate::db::{Connection, Database};
use crate::env;
use crate::error::Result;
use crate::ids::GuildId;
use crate::journal::reader::Reader;
use crate::seal::Keychain;
use crate::tables::Tables;
use crate::transport::Permissions;

use report::Findings;
use segments::Subject;

/// So often the guild is walked at most until what a walk finds is what the one before found.
const WALKS: usize = 6;
/// So long is waited at least before the next.
const PAUSE: Duration = Duration::from_millis(250);

/// What is looked at.
pub(super) struct Site {
    pub(super) reader: Reader,
    connection: Arc<Connection>,
    keychain: Keychain,
    guild: GuildId,
    /// As far as this process knows.
    genesis: Genesis,
    /// Of the bot in the guild.
    permissions: Permissions,
}

/// One walk through the guild.
struct Pass<'a> {
    site: &'a Site,
    found: Findings,
    counts: Report,
    /// The tables whose segments are looked at; all, if there is no such list.
    only: Option<BTreeSet<String>>,
}

impl Database {
    /// Looks whether the guild still holds what this process has in memory, and says of each thing that is not as it
    /// should be where it is and what to do.
    ///
    /// It reads the journal and walks along it, downloads every segment of the newest checkpoint and compares its rows
    /// with those in memory as of the same commit, each index with the rows, each channel with what it has to be, and the
    /// catalog with the tables; it looks whether every record that refers to another finds it; and it looks for segments
    /// that nothing names and for messages that are not the database's. Nothing is changed. What it finds it looks at twice, so that nothing is taken for damage that is only
    /// on its way: commits and checkpoints go on meanwhile, here and in other processes.
    ///
    /// It costs about a request for each hundred messages and two for each segment, within Discord's rate limits, and
    /// memory for one segment at a time and a bit for each row; [lazy](Database::table_lazy) tables are loaded. A process that follows can do it, and so can one that has
    /// stopped writing because of damage. To mend what it finds, see [`Database::heal`].
    ///
    /// ```
    /// # use discobase_core as discobase;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> discobase::Result<()> {
    /// use discobase::Database;
    ///
    /// let db = Database::new("shop");
    /// # #[cfg(feature = "local")] {
    /// db.connect_memory().await?;
    /// let report = db.verify().await?;
    /// for deviation in &report.deviations {
    ///     println!("{:?}: {deviation}", deviation.kind);
    /// }
    /// assert!(report.is_clean(), "{report}");
    /// # }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `NotConnected`; `WrongKey` and `KeyMissing`, if another process has changed the key; what the transport says, if
    /// Discord can't be asked. Damage is no error: it is in the report.
    pub async fn verify(&self) -> Result<Report> {
        let connection = self.connection()?;
        self.site(&connection).await.verify().await
    }

    /// What there is to look at.
    pub(super) async fn site(&self, connection: &Arc<Connection>) -> Site {
        let link = &connection.link;
        let reader = link.creator.lock().await.reader(link.genesis.journal);
        // The key may have been changed since the database was connected.
        let source = self.0.rotated.lock().clone().unwrap_or_else(|| self.0.options.key.clone());
        let keychain = Keychain::new(source, Arc::clone(&reader.db), Arc::clone(&reader.env));
        Site {
            reader,
            connection: Arc::clone(connection),
            keychain,
            guild: link.guild.id,
            genesis: link.described(),
            permissions: link.guild.permissions,
        }
    }
}

impl Site {
    /// Walks until two walks agree on what is wrong.
    pub(super) async fn verify(&self) -> Result<Report> {
        let began = self.reader.env.monotonic();
        let mut report = Report::default();
        let mut suspected = self.walk(None, &mut report).await?;
        let mut confirmed = Findings::default();
        for _ in 1..WALKS {
            if suspected.list.is_empty() {
                break;
            }
            // By then everything is visible that was posted before the first walk began.
            let pause = self.genesis.timing.settle().max(PAUSE);
            env::sleep(&*self.reader.env, pause).await;
            let tables = suspected.list.iter().filter_map(|deviation| deviation.table.clone()).collect();
            let again = self.walk(Some(tables), &mut report).await?;
            confirmed = again.also_in(&suspected);
            if confirmed.list.len() == again.list.len() {
                break;
            }
            suspected = again;
        }
        report.deviations = confirmed.list.into_iter().collect();
        report.omitted = confirmed.omitted;
        report.took = self.reader.env.monotonic().saturating_sub(began);
        Ok(report)
    }

    /// Walks once; counts what was looked at.
    async fn walk(&self, only: Option<BTreeSet<String>>, report: &mut Report) -> Result<Findings> {
        let counts = Report { frames: 0, ..report.clone() };
        let mut pass = Pass { site: self, found: Findings::default(), counts, only };
        pass.run().await?;
        *report = pass.counts;
        Ok(pass.found)
    }

    fn link(&self) -> &Link {
        &self.connection.link
    }

    fn memory(&self) -> Tables {
        Tables::clone(&self.link().engine.tables())
    }
}

impl Pass<'_> {
    /// The walk: the journal, the channels, the catalog, and each table.
    async fn run(&mut self) -> Result<()> {
        let (memory, journal) = self.journal().await?;
        let genesis = journal.as_ref().map_or(self.site.genesis, |journal| journal.walked.base.root.genesis);
        self.counts.seq = memory.seq();
        let unreadable = self.channels(&genesis, &memory).await?;
        if !unreadable.contains(&genesis.catalog) {
            self.catalog(genesis.catalog, journal.as_ref(), &memory).await?;
        }
        let Some(mut journal) = journal else { return Ok(()) };
        self.vanished(&journal, &memory);
        self.references(&memory).await?;
        self.counts.rows += journal.commits.ops;
        if memory.seq() < journal.since() {
            let text = format!(
                "what this process has in memory, commit {}, is older than the newest checkpoint, commit {}: rows were \
                 not compared. db.lag() says why it can't follow",
                memory.seq(),
                journal.since()
            );
            self.found(Deviation::new(DeviationKind::NotCompared, text).channel(self.site.reader.channel));
            return Ok(());
        }
        for slot in memory.iter() {
            if self.only.as_ref().is_some_and(|only| !only.contains(&slot.def().name)) {
                continue;
            }
            // What of a lazy table is in memory can't be compared with anything.
            match self.site.link().engine.table_in(&memory, slot.def().id, None).await {
                Ok(Some(state)) => {
                    let subject = Subject { state: &state, memory: memory.seq(), unreadable: &unreadable };
                    self.table(&mut journal, subject).await?;
                }
                Ok(None) => {}
                Err(error) => {
                    let text =
                        format!("a lazy table could not be loaded, so its rows were not compared: {error}");
                    self.found(Deviation::new(DeviationKind::NotCompared, text).table(&slot.def().name));
                }
            }
        }
        Ok(())
    }

    fn found(&mut self, deviation: Deviation) {
        self.found.add(deviation);
    }
}
