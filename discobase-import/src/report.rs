//! What became of an import.

use std::fmt;

use discobase_core::{ChannelId, MessageId, Seq};

/// What an import brought over, and what it did not.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Imported {
    /// The tables, in the order they were named.
    pub tables: Vec<ImportedTable>,
    /// Tables of the Python library that the import was not asked for, by their names there.
    pub left_alone: Vec<String>,
    /// Messages of the metadata channels that describe no table.
    pub unreadable: Vec<Skipped>,
    /// The commit that all records are in; `None` after [`Import::check`](crate::Import::check).
    pub commit: Option<Seq>,
}

/// One table of an import.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ImportedTable {
    /// The table that the records are in now.
    pub table: &'static str,
    /// The Python library's name of it.
    pub python: String,
    /// The channel that they were read from.
    pub channel: ChannelId,
    /// How many were imported.
    pub imported: usize,
    /// The messages of the channel that were not.
    pub skipped: Vec<Skipped>,
}

/// A message that was not imported, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Skipped {
    /// The message.
    pub message: MessageId,
    /// The column that it failed at, if it was one.
    pub field: Option<String>,
    /// Why.
    pub reason: String,
}

impl Imported {
    /// How many records were imported into all tables.
    #[must_use]
    pub fn records(&self) -> usize {
        self.tables.iter().map(|table| table.imported).sum()
    }

    /// How many messages of tables were not.
    #[must_use]
    pub fn skipped(&self) -> usize {
        self.tables.iter().map(|table| table.skipped.len()).sum()
    }
}

impl fmt::Display for Imported {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (records, skipped) = (self.records(), self.skipped());
        let done = self
            .commit
            .map_or("would be imported".to_owned(), |commit| format!("imported as commit {commit}"));
        write!(f, "{records} records {done}, {skipped} messages skipped")?;
        for table in &self.tables {
            let ImportedTable { table: into, python, channel, imported, skipped } = table;
            write!(f, "\n{python} (channel {channel}) into {into}: {imported} records")?;
            skipped.iter().try_for_each(|one| write!(f, "\n  skipped: {one}"))?;
        }
        self.unreadable.iter().try_for_each(|one| write!(f, "\nno table's metadata: {one}"))?;
        if !self.left_alone.is_empty() {
            write!(f, "\nnot asked for: {}", self.left_alone.join(", "))?;
        }
        Ok(())
    }
}

impl fmt::Display for Skipped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "message {}", self.message)?;
        if let Some(field) = &self.field {
            write!(f, ", field {field}")?;
        }
        write!(f, ": {}", self.reason)
    }
}
