//! Opening a database that holds many rows, cold: nothing of it is in the process that opens it.

use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::Result;
use crate::contents::Contents;
use crate::figure::Figure;
use crate::guild::{Address, Guild};
use crate::loading::{Load, Loaded};
use crate::memory::peak;
use crate::part::Part;
use crate::time::now;

/// One process that opens.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Open {
    guild: Address,
    contents: Contents,
}

/// What opening took.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Opened {
    rows: usize,
    seconds: f64,
    requests: u64,
    megabytes: f64,
    peak_megabytes: f64,
}

/// Makes the figures: fills a guild's file once, and opens a copy of it several times, because who opens a database may
/// write a checkpoint.
pub(crate) fn figures(contents: &Contents, checkpoints: usize, runs: usize) -> Result<Vec<Figure>> {
    let folder = tempfile::tempdir()?;
    let (file, copy) = (folder.path().join("guild.redb"), folder.path().join("copy.redb"));
    let guild = |data: &Path, unlimited| Guild { data: Some(data.to_owned()), unlimited, ..Guild::default() };
    let filled: Loaded = {
        let guild = guild(&file, true).start()?;
        Part::Load(Load { guild: guild.address.clone(), contents: contents.clone(), checkpoints })
            .measure()?
    };
    let mut all = Vec::new();
    for _ in 0..runs {
        fs::copy(&file, &copy)?;
        let guild = guild(&copy, false).start()?;
        let open = Open { guild: guild.address.clone(), contents: contents.clone() };
        let opened: Opened = Part::Open(open).measure()?;
        if opened.rows != filled.rows {
            return Err(format!("{} rows were saved, and {} found", filled.rows, opened.rows).into());
        }
        all.push(opened);
    }
    let (rows, name) = (filled.rows, contents.name());
    let figure = |what: &str, unit: &str, value: fn(&Opened) -> f64| {
        Figure::of(
            format!("{what}, {rows} {name}, checkpoints: {checkpoints}"),
            unit,
            all.iter().map(value).collect(),
        )
    };
    Ok(vec![
        figure("time to open", "s", |run| run.seconds),
        figure("requests", "requests", |run| run.requests as f64),
        figure("received", "MB", |run| run.megabytes),
        figure("peak memory", "MB", |run| run.peak_megabytes),
    ])
}

impl Open {
    /// Opens it, once.
    pub(crate) async fn run(self) -> Result<Opened> {
        let started = now();
        let db = self.contents.open(&self.guild).await?;
        let (seconds, traffic) = (started.elapsed().as_secs_f64(), db.traffic()?);
        let opened = Opened {
            rows: self.contents.count(&db).await?,
            seconds,
            requests: traffic.requests,
            megabytes: traffic.bytes_received as f64 / 1e6,
            peak_megabytes: peak()? as f64 / 1e6,
        };
        db.close().await?;
        Ok(opened)
    }
}
