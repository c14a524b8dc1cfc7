//! Replaying a journal: from its frames to the tables, by the same `apply` that live commits go through.

use crate::codec::frame::{Body, Genesis};
use crate::env::heavy;
use crate::error::{Error, ErrorKind, Result};
use crate::ids::{Incarnation, MessageId, Seq};
use crate::journal::chain::Link;
use crate::journal::history::{History, read_history};
use crate::journal::reader::{Reader, Scan};
use crate::journal::rules::Position;
use crate::tables::Tables;

/// What a journal says.
pub(crate) struct Replayed {
    pub(crate) position: Position,
    pub(crate) tables: Tables,
    pub(crate) genesis: Genesis,
    /// The message of the genesis.
    pub(crate) began: MessageId,
    /// Which opening wrote which commits: first and last of each frame.
    pub(crate) past: Vec<(Incarnation, Seq, Seq)>,
    /// The newest message of the channel.
    pub(crate) newest: MessageId,
}

/// Reads and replays the journal; `None` if it holds no genesis.
pub(crate) async fn replay(reader: &Reader) -> Result<Option<Replayed>> {
    let Some(history) = read_history(reader).await? else { return Ok(None) };
    for stranger in &history.scan.strangers {
        tracing::warn!(
            channel = %reader.channel, message = %stranger.message, reason = %stranger.reason,
            "a message in the journal is not a frame and is ignored"
        );
    }
    let History { position, genesis, began, chain, scan, newest } = history;
    // Replaying a large journal takes long enough to starve a runtime of few threads.
    let applied = heavy(&reader.env, move || apply_all(&scan, &chain)).await;
    let applied = applied.ok_or_else(|| Error::new(ErrorKind::Damaged, "replaying the journal failed"));
    let (tables, past) = applied?.map_err(|error| error.in_channel(reader.channel))?;
    Ok(Some(Replayed { position, tables, genesis, began, past, newest }))
}

type Applied = (Tables, Vec<(Incarnation, Seq, Seq)>);

fn apply_all(scan: &Scan, chain: &[Link]) -> Result<Applied> {
    let (mut tables, mut past) = (Tables::default(), Vec::new());
    for link in chain {
        let Some(Body::Data(commits)) = scan.frame(link.sum).map(|frame| &frame.body) else { continue };
        for commit in commits {
            tables.apply(commit).map_err(|error| {
                let text = format!("a frame of the journal can't be applied: {error}");
                Error::new(ErrorKind::Corrupt, text).in_message(link.message)
            })?;
        }
        if let (Some(first), Some(last)) = (commits.first(), commits.last()) {
            past.push((link.header.incarnation, first.seq, last.seq));
        }
    }
    Ok((tables, past))
}
