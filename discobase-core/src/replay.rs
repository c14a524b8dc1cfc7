//! Replaying a journal: from its frames to the tables, by the same `apply` that live commits go through.

use std::borrow::Cow;
use std::sync::Arc;

use crate::codec::frame::{Body, Frame, Genesis};
use crate::codec::sealed::{self, OpenError};
use crate::env::heavy;
use crate::error::{Error, ErrorKind, Result};
use crate::ids::{Incarnation, MessageId, Seq};
use crate::journal::chain::Link;
use crate::journal::history::{History, read_history};
use crate::journal::reader::{Reader, Scan};
use crate::journal::rules::Position;
use crate::seal::Sealing;
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
    /// What its frames are sealed with, if the database is encrypted.
    pub(crate) sealing: Option<Arc<Sealing>>,
}

/// Reads and replays the journal; `None` if it holds no genesis.
pub(crate) async fn replay(reader: &Reader) -> Result<Option<Replayed>> {
    let Some(history) = read_history(reader).await? else { return Ok(None) };
    for stranger in &history.scan.strangers {
        tracing::warn!(name: "stranger", target: "discobase::journal",
            channel = %reader.channel, message = %stranger.message, reason = %stranger.reason,
            "a message in the journal is not a frame and is ignored"
        );
    }
    let History { position, genesis, began, chain, scan, newest } = history;
    let sealing = reader.keychain.unlock(genesis.keying).await;
    let sealing = sealing.map_err(|error| error.in_channel(reader.channel))?;
    let (key, journal) = (sealing.clone(), reader.channel);
    // Replaying a large journal takes long enough to starve a runtime of few threads.
    let apply = move || apply_all(&scan, &chain, &|frame| sealed::open(frame, key.as_deref(), journal));
    let applied = heavy(&reader.env, apply).await;
    let applied = applied.ok_or_else(|| Error::new(ErrorKind::Damaged, "replaying the journal failed"));
    let (tables, past) = applied?.map_err(|error| error.in_channel(reader.channel))?;
    Ok(Some(Replayed { position, tables, genesis, began, past, newest, sealing }))
}

type Applied = (Tables, Vec<(Incarnation, Seq, Seq)>);

fn apply_all(
    scan: &Scan,
    chain: &[Link],
    open: &dyn for<'a> Fn(&'a Frame) -> Result<Cow<'a, Body>, OpenError>,
) -> Result<Applied> {
    let (mut tables, mut past) = (Tables::default(), Vec::new());
    for link in chain {
        let Some(frame) = scan.frame(link.sum) else { continue };
        let body = open(frame).map_err(|error| unopened(&error).in_message(link.message))?;
        let Body::Data(commits) = &*body else { continue };
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

/// The error for a frame on the chain that says nothing which is believed.
pub(crate) fn unopened(error: &OpenError) -> Error {
    let kind = match error {
        OpenError::Tampered | OpenError::Clear | OpenError::Sealed => ErrorKind::Tampered,
        OpenError::Decode(_) => ErrorKind::Corrupt,
    };
    let text = format!(
        "a frame of the journal can't be opened: {error}. Only who holds the bot's token can have posted it"
    );
    Error::new(kind, text)
}
