//! Files as messages: each a message of its table's or index's channel, posted so that trying again makes no second.

use std::sync::Arc;
use std::time::Duration;

use crate::checkpoint::build::Piece;
use crate::codec::checkpoint::{Location, Run, Segment, TableCheckpoint};
use crate::codec::segment::{Built, Part, SegmentOf, segment_message};
use crate::env::Pieces;
use crate::error::{Error, ErrorKind, Result};
use crate::ids::{ChannelId, Epoch, Incarnation, Seq};
use crate::journal::post::{REFUSED_CONTENT, UNKNOWN_MESSAGE};
use crate::transport::{Message, NewMessage, Transport, TransportError, TransportResult, explain};

/// Who uploads.
pub(crate) struct Uploader {
    pub(crate) transport: Arc<dyn Transport>,
    pub(crate) epoch: Epoch,
    pub(crate) incarnation: Incarnation,
}

/// How long a file is tried; what takes longer is tried again with the next checkpoint.
const PATIENCE: Duration = Duration::from_secs(600);
/// How often a file is posted anew whose message somebody deleted at once.
const TRIES: u64 = 3;

/// Uploads what is built, and tells where it lies.
pub(crate) async fn upload(uploader: &Uploader, mut pieces: Pieces<Piece>) -> Result<Vec<TableCheckpoint>> {
    let mut tables: Vec<TableCheckpoint> = Vec::new();
    loop {
        match (pieces.next().await, tables.last_mut()) {
            (Some(Piece::Table(table)), _) => tables.push(*table),
            (Some(Piece::File(of, built)), Some(table)) => {
                let segment = uploader.post(table, &of, *built).await?;
                run_of(table, of.part).into_iter().for_each(|run| run.segments.push(segment.clone()));
            }
            (Some(Piece::End), _) => break,
            (Some(Piece::Failed(error)), _) => {
                let text = format!("a segment could not be made: {error}");
                return Err(Error::new(ErrorKind::Corrupt, text).caused_by(error));
            }
            // What lacks a part must never be taken for the whole.
            (Some(Piece::File(..)) | None, _) => {
                return Err(Error::new(ErrorKind::Corrupt, "the segments could not be made to their end"));
            }
        }
    }
    for table in &mut tables {
        for runs in std::iter::once(&mut table.runs).chain(&mut table.indexes) {
            runs.retain(|run| !run.segments.is_empty());
        }
    }
    Ok(tables)
}

/// The run that is being written.
fn run_of(table: &mut TableCheckpoint, part: Part) -> Option<&mut Run> {
    match part {
        Part::Rows => table.runs.last_mut(),
        Part::Index(index) => table.indexes.get_mut(index)?.last_mut(),
    }
}

impl Uploader {
    async fn post(&self, table: &TableCheckpoint, of: &SegmentOf, built: Built) -> Result<Segment> {
        let def = &table.def;
        let channel = match of.part {
            Part::Rows => def.channel,
            Part::Index(index) => def.indexes.get(index).map_or(def.channel, |index| index.channel),
        };
        let placed = |error: Error| error.in_table(&def.name).in_channel(channel);
        for attempt in 0..TRIES {
            let nonce = self.nonce(channel, of.run.1, &built, attempt);
            let message = segment_message(of, self.epoch, self.incarnation, &built, nonce);
            match self.send(channel, message).await {
                Ok(reply) => return stored(channel, built, &reply).map_err(placed),
                // A message with the same content and nonce was deleted a short while ago.
                Err(error) if error.code() == Some(UNKNOWN_MESSAGE) => {}
                Err(error) => return Err(placed(explain(&error, "uploading a segment"))),
            }
        }
        let text =
            "a segment is deleted as soon as it is uploaded: find out who deletes messages in this channel";
        Err(placed(Error::new(ErrorKind::Damaged, text)))
    }

    /// Posts a file. Where Discord's filters refuse its text, it goes without.
    async fn send(&self, channel: ChannelId, message: NewMessage) -> TransportResult<Message> {
        let bare = NewMessage { content: String::new(), ..message.clone() };
        match self.transport.post(channel, message, Some(PATIENCE)).await {
            Err(TransportError::Refused(failure))
                if failure.code.is_some_and(|code| REFUSED_CONTENT.contains(&code)) =>
            {
                self.transport.post(channel, bare, Some(PATIENCE)).await
            }
            reply => reply,
        }
    }

    /// The same for the same file of one checkpoint, so that a file whose reply was lost is not stored twice. Another
    /// checkpoint gets another: an index whose keys do not change gives the same file again and again, and an earlier
    /// message that held it may have been deleted since.
    fn nonce(&self, channel: ChannelId, to: Seq, built: &Built, attempt: u64) -> String {
        let mut hasher = blake3::Hasher::new();
        hasher.update(b"discobase segment nonce\0");
        hasher.update(&channel.get().to_le_bytes());
        hasher.update(&self.incarnation.0);
        hasher.update(&to.get().to_le_bytes());
        hasher.update(&built.hash);
        hasher.update(&attempt.to_le_bytes());
        hasher.finalize().to_hex().as_str().chars().take(24).collect()
    }
}

/// The segment that a reply says is stored.
fn stored(channel: ChannelId, built: Built, reply: &Message) -> Result<Segment> {
    let held: Vec<u64> = reply.attachments.iter().map(|attachment| attachment.size).collect();
    if held != [built.file.len() as u64] {
        let text = "Discord stored another file than the segment that was uploaded";
        return Err(Error::new(ErrorKind::Refused, text).in_message(reply.id));
    }
    Ok(built.at(Location { channel, message: reply.id }))
}
