//! Saving many rows at once.

use serde::{Deserialize, Serialize};

use crate::Result;
use crate::contents::Contents;
use crate::figure::Figure;
use crate::guild::{Address, Guild};
use crate::part::Part;
use crate::time::now;

/// One process that saves.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Load {
    pub(crate) guild: Address,
    pub(crate) contents: Contents,
    /// How many checkpoints are written afterwards, a record updated before each.
    pub(crate) checkpoints: usize,
}

/// What saving took, from the first save to the last acknowledgement.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Loaded {
    pub(crate) rows: usize,
    seconds: f64,
    frames: u64,
    requests: u64,
    megabytes: f64,
    too_many_requests: u64,
}

/// Makes the figures: each run on an empty guild.
pub(crate) fn figures(contents: &Contents, runs: usize) -> Result<Vec<Figure>> {
    let mut all = Vec::new();
    for _ in 0..runs {
        let guild = Guild::default().start()?;
        let part =
            Part::Load(Load { guild: guild.address.clone(), contents: contents.clone(), checkpoints: 0 });
        all.push(part.measure::<Loaded>()?);
    }
    let rows = all.first().map_or(0, |run| run.rows);
    let name = contents.name();
    let figure = |what: &str, unit: &str, value: fn(&Loaded) -> f64| {
        Figure::of(format!("{what}, {rows} {name}"), unit, all.iter().map(value).collect())
    };
    Ok(vec![
        figure("durable rows", "rows/s", |run| run.rows as f64 / run.seconds),
        figure("frames", "frames", |run| run.frames as f64),
        figure("requests", "requests", |run| run.requests as f64),
        figure("sent", "MB", |run| run.megabytes),
        figure("answers with 429", "requests", |run| run.too_many_requests as f64),
    ])
}

impl Load {
    /// Saves all rows.
    pub(crate) async fn run(self) -> Result<Loaded> {
        let db = self.contents.open(&self.guild).await?;
        let (frames, before) = (db.frames()?, db.traffic()?);
        let mut started = now();
        self.contents.save(&db, || started = now()).await?;
        let seconds = started.elapsed().as_secs_f64();
        let (frames, after) = (db.frames()? - frames, db.traffic()?);
        let loaded = Loaded {
            rows: self.contents.count(&db).await?,
            seconds,
            frames,
            requests: after.requests - before.requests,
            megabytes: (after.bytes_sent - before.bytes_sent) as f64 / 1e6,
            too_many_requests: after.too_many_requests,
        };
        self.contents.checkpoint(&db, self.checkpoints).await?;
        db.close().await?;
        Ok(loaded)
    }
}
