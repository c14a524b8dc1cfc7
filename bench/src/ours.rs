//! The discobase side.

use discobase::{Database, Result, Table};

use crate::{Member, now};

/// Rows in one commit.
pub(crate) const CHUNK: usize = 100_000;

/// What saving took, from the first save to the last acknowledgement.
pub(crate) struct Saved {
    pub(crate) seconds: f64,
    pub(crate) frames: u64,
    pub(crate) requests: u64,
    pub(crate) too_many_requests: u64,
}

/// An empty database over a local guild in memory.
pub(crate) async fn open() -> Result<Database> {
    let db = Database::new("bench");
    db.table::<Member>()?;
    db.connect_memory().await?;
    Ok(db)
}

/// Saves all members, all commits handed over at once.
pub(crate) async fn fill(members: &[Member]) -> Result<(Database, Saved)> {
    let db = open().await?;
    let chunks: Vec<Vec<Member>> = members.chunks(CHUNK).map(<[Member]>::to_vec).collect();
    let (frames, before) = (db.frames()?, db.traffic()?);
    let started = now();
    let saves: Vec<_> = chunks.into_iter().map(|chunk| Member::save_all(chunk, &db).background()).collect();
    for save in saves {
        save.await?;
    }
    let seconds = started.elapsed().as_secs_f64();
    let (frames, traffic) = (db.frames()? - frames, db.traffic()?);
    let saved = Saved {
        seconds,
        frames,
        requests: traffic.requests - before.requests,
        too_many_requests: traffic.too_many_requests,
    };
    Ok((db, saved))
}

/// One read by key.
pub(crate) async fn get(db: &Database, key: u64) -> Result<Option<Member>> {
    Ok(Member::get(db, key).await?.map(discobase::Record::into_inner))
}
