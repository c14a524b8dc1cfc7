//! Memory per row: how much the resident set of a process of its own grows while a table is filled.
//!
//! What the allocator has not given back counts too.

use discobase::Table;
use serde::{Deserialize, Serialize};

use crate::figure::Figure;
use crate::guild::{Address, Guild};
use crate::member::{Member, members};
use crate::part::Part;
use crate::{Result, sqlite};

/// Rows in one commit.
const CHUNK: usize = 100_000;

/// One process that fills a table.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Memory {
    /// Where discobase keeps it; without one it is SQLite.
    guild: Option<Address>,
    rows: usize,
}

/// Makes the figures.
pub(crate) fn figures(rows: usize) -> Result<Vec<Figure>> {
    let guild = Guild::default().start()?;
    let ours: u64 = Part::Memory(Memory { guild: Some(guild.address.clone()), rows }).measure()?;
    let theirs: u64 = Part::Memory(Memory { guild: None, rows }).measure()?;
    let per_row = |bytes: u64| bytes as f64 / rows as f64;
    Ok(vec![
        Figure::once("discobase", "bytes/row", per_row(ours)),
        Figure::once("SQLite", "bytes/row", per_row(theirs)),
    ])
}

impl Memory {
    /// Fills the table and gives the bytes by which the process grew. The rows are made while they are saved, so that
    /// the input takes no part.
    pub(crate) async fn run(self) -> Result<u64> {
        let mut rows = members(self.rows).peekable();
        let Some(guild) = self.guild else {
            let before = resident()?;
            let connection = sqlite::fill(rows)?;
            let after = resident()?;
            drop(connection);
            return Ok(after.saturating_sub(before));
        };
        let db = guild.open::<Member>().await?;
        let before = resident()?;
        while rows.peek().is_some() {
            Member::save_all(rows.by_ref().take(CHUNK), &db).await?;
        }
        let after = resident()?;
        db.close().await?;
        Ok(after.saturating_sub(before))
    }
}

/// The resident set of this process, in bytes.
fn resident() -> Result<u64> {
    status("VmRSS:")
}

/// The largest the resident set of this process has been, in bytes.
pub(crate) fn peak() -> Result<u64> {
    status("VmHWM:")
}

fn status(field: &str) -> Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status")
        .map_err(|error| format!("memory is read from /proc/self/status, as Linux has it: {error}"))?;
    let line = status.lines().find_map(|line| line.strip_prefix(field));
    let line = line.ok_or_else(|| format!("/proc/self/status has no {field}"))?;
    let kilobytes: u64 = line.trim().trim_end_matches(" kB").trim().parse()?;
    Ok(kilobytes * 1024)
}
