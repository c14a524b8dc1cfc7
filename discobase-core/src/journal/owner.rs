//! Opening: how a process becomes the one that may write.

use std::time::Duration;

use crate::codec::frame::{Body, Frame, Header, Kind, Sum, Timing};
use crate::codec::message::{self, Encoded};
use crate::env::SharedEnv;
use crate::error::{Error, ErrorKind};
use crate::ids::{ChannelId, Incarnation, MessageId};
use crate::journal::chain::{Holder, Link};
use crate::journal::reader::{Reader, read_error};
use crate::journal::writer::{Clock, Tip, Writer};
use crate::transport::{Message, TransportError, explain};

/// What opening starts from: the tip of the chain, and who held it.
#[derive(Debug, Clone)]
pub(crate) struct Position {
    pub(crate) tip: Tip,
    pub(crate) holder: Holder,
    pub(crate) timing: Timing,
}

impl Position {
    /// After `link`, which extends this position.
    pub(crate) fn after(self, link: &Link) -> Self {
        Self {
            tip: Tip { sum: link.sum, message: link.message },
            holder: self.holder.after(link),
            timing: self.timing,
        }
    }
}

/// Posts an `open` at the tip. Another frame in reply means that somebody else is writing.
///
/// The term is certain at once after a clean close under the same owner name; otherwise the first thing the writer
/// does is wait and read (`docs/format.md`, "Opening").
pub(crate) async fn open(
    reader: Reader,
    env: SharedEnv,
    owner: &str,
    position: Position,
    newest: MessageId,
) -> Result<Writer, Error> {
    let header = Header {
        db: reader.db.to_string(),
        epoch: position.holder.epoch.next(),
        incarnation: random_incarnation(&env),
        owner: owner.to_owned(),
        prev: position.tip.sum,
    };
    let frame = Frame { header: header.clone(), body: Body::Open };
    let Ok(encoded) = message::encode(&frame) else {
        return Err(Error::new(ErrorKind::Invalid, "the names of the owner and the database are too long"));
    };
    let mut clock = Clock::new(env.clone());
    clock.saw(newest);
    let (reply, replaced) = post(&reader, &encoded, position.tip.sum).await?;
    clock.saw(reply.id);
    if !encoded.echoed_by(&reply) {
        return Err(owned_elsewhere(&reader, &position.holder));
    }
    let after_own_close = position.holder.closed && position.holder.owner == owner && !replaced;
    let link = Link { header, kind: Kind::Open, sum: encoded.sum, message: reply.id };
    let opened = position.clone().after(&link);
    let mut writer = Writer::new(reader, clock, position, opened);
    if after_own_close {
        let fresh = writer.acknowledge_open().await;
        fresh.map_err(|error| read_error(&error, writer.channel()))?;
    }
    Ok(writer)
}

/// Posts the `open`. If the message that had the nonce was deleted, what followed the tip is gone, and a second
/// nonce, which every process would choose, takes its place; the reply's second half says so.
async fn post(reader: &Reader, encoded: &Encoded, tip: Sum) -> Result<(Message, bool), Error> {
    let post = |nonce| reader.transport.post(reader.channel, encoded.message(nonce), Some(OPEN_DEADLINE));
    let failed = |error: TransportError| explain(&error, "opening the journal").in_channel(reader.channel);
    match post(nonce(reader.channel, &[tip])).await {
        Ok(reply) => Ok((reply, false)),
        Err(error) if error.code() == Some(UNKNOWN_MESSAGE) => {
            let reply = post(nonce(reader.channel, &[tip, Sum::NONE])).await.map_err(failed)?;
            Ok((reply, true))
        }
        Err(error) => Err(failed(error)),
    }
}

/// Discord's code for a message that is not there (Discord docs, "Opcodes and Status Codes": JSON): what a post
/// answers whose nonce belongs to a message that was deleted.
pub(crate) const UNKNOWN_MESSAGE: u64 = 10_008;

/// The identity of a new opening.
pub(crate) fn random_incarnation(env: &SharedEnv) -> Incarnation {
    let mut bytes = [0; 8];
    env.random(&mut bytes);
    Incarnation(bytes)
}

/// How long opening tries to get an answer.
const OPEN_DEADLINE: Duration = Duration::from_secs(120);

/// The nonce of whatever follows the frames `after`: the same for every process, so that rivals contend for one
/// message (Discord docs, "Message": Create Message, at most 25 characters).
pub(crate) fn nonce(journal: ChannelId, after: &[Sum]) -> String {
    let mut hasher = blake3::Hasher::new();
    hasher.update(b"discobase nonce\0");
    hasher.update(&journal.get().to_le_bytes());
    after.iter().for_each(|sum| {
        hasher.update(&sum.0);
    });
    hasher.finalize().to_hex().as_str().chars().take(24).collect()
}

fn owned_elsewhere(reader: &Reader, holder: &Holder) -> Error {
    let text = format!(
        "database {} is being written by another process (it was held by owner {}, epoch {}): stop that process, \
         or wait until it closes the database",
        reader.db, holder.owner, holder.epoch
    );
    Error::new(ErrorKind::Fenced, text).in_channel(reader.channel)
}
