//! Memory per row: how much the resident set of a process of its own grows while one side is filled.
//!
//! For discobase that is an upper bound: the local guild lives in the same process and keeps every frame, and what
//! the allocator has not given back counts too.

use std::error::Error;
use std::process::Command;

use discobase::Table;

use crate::{Member, Side, ours, sqlite};

/// Starts this program again to fill one side, and gives the bytes per row.
pub(crate) fn of(side: Side, rows: usize) -> Result<f64, Box<dyn Error>> {
    let side = match side {
        Side::Discobase => "discobase",
        Side::Sqlite => "sqlite",
    };
    let output = Command::new(std::env::current_exe()?)
        .args(["--rows", &rows.to_string(), "--memory", side])
        .output()?;
    let grown: f64 = String::from_utf8(output.stdout)?.trim().parse()?;
    Ok(grown / rows as f64)
}

/// Fills one side and gives the bytes by which the resident set grew. The members are made while they are saved,
/// so that the input takes no part.
pub(crate) async fn growth(side: Side, members: impl Iterator<Item = Member>) -> Result<u64, Box<dyn Error>> {
    let before = resident()?;
    match side {
        Side::Sqlite => {
            let connection = sqlite::fill(members)?;
            let after = resident()?;
            drop(connection);
            Ok(after.saturating_sub(before))
        }
        Side::Discobase => {
            let db = ours::open().await?;
            let mut members = members.peekable();
            while members.peek().is_some() {
                Member::save_all(members.by_ref().take(ours::CHUNK), &db).await?;
            }
            let after = resident()?;
            db.close().await?;
            Ok(after.saturating_sub(before))
        }
    }
}

/// The resident set of this process, in bytes.
fn resident() -> Result<u64, Box<dyn Error>> {
    let status = std::fs::read_to_string("/proc/self/status")
        .map_err(|error| format!("the memory is read from /proc/self/status, as Linux has it: {error}"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("no VmRSS")?;
    let kilobytes: u64 = line.trim().trim_end_matches(" kB").trim().parse()?;
    Ok(kilobytes * 1024)
}
