//! Opening: how a process becomes the one that may write.

use std::sync::Arc;
use std::time::Duration;

use crate::codec::frame::{Body, Frame, Header, Kind};
use crate::env::SharedEnv;
use crate::error::{Error, ErrorKind};
use crate::ids::{Incarnation, MessageId};
use crate::journal::chain::{Holder, Link};
use crate::journal::post::Parcel;
use crate::journal::reader::{Reader, read_error};
use crate::journal::rules::{Opening, Position, Progress};
use crate::journal::writer::Writer;
use crate::seal::Sealing;
use crate::transport::{Failure, TransportError, explain};

/// How long opening tries to get an answer.
const OPEN_DEADLINE: Duration = Duration::from_secs(120);

/// Posts an `open` at the tip. Another frame in reply means that somebody else is writing.
///
/// The term is certain at once after a clean close under the same owner name; otherwise the first thing the writer
/// does is wait and read (`docs/format.md`, "Opening").
pub(crate) async fn open(
    reader: Reader,
    owner: &str,
    position: Position,
    newest: MessageId,
    sealing: Option<Arc<Sealing>>,
) -> Result<Writer, Error> {
    let header = Header {
        db: reader.db.to_string(),
        epoch: position.holder.epoch.next(),
        incarnation: random_incarnation(&reader.env),
        owner: owner.to_owned(),
        prev: position.tip.sum,
    };
    let frame = Frame { header: header.clone(), body: Body::Open };
    // An `open` has nothing to seal.
    let Ok(mut parcel) = Parcel::new(&reader, frame, None).await else {
        return Err(Error::new(ErrorKind::Invalid, "the names of the owner and the database are too long"));
    };
    let link = Link { header, kind: Kind::Open, sum: parcel.encoded.sum, message: MessageId::default() };
    let (mut opening, nonce) = Opening::begin(position, link, newest, reader.env.monotonic());
    let (reply, failure) = parcel.post(&reader, nonce, false, Some(OPEN_DEADLINE)).await;
    let (owner, quick) = match opening.replied(reply, reader.env.monotonic()) {
        Progress::Opened { owner, quick } => (owner, quick),
        Progress::Held => return Err(owned_elsewhere(&reader, &opening.before().holder)),
        Progress::Deleted => return Err(newest_deleted(&reader, opening.before())),
        Progress::Failed => {
            let error = failure.unwrap_or_else(|| TransportError::Unknown(Failure::default()));
            return Err(explain(&error, "opening the journal").in_channel(reader.channel));
        }
    };
    let mut writer = Writer::new(reader, *owner, sealing);
    if quick {
        let fresh = writer.acknowledge_open().await;
        fresh.map_err(|error| read_error(&error, writer.channel()))?;
    }
    Ok(writer)
}

/// The identity of a new opening.
pub(crate) fn random_incarnation(env: &SharedEnv) -> Incarnation {
    let mut bytes = [0; 8];
    env.random(&mut bytes);
    Incarnation(bytes)
}

/// Another process has the database.
pub(crate) fn owned_elsewhere(reader: &Reader, holder: &Holder) -> Error {
    let text = format!(
        "database {} is being written by another process (it was held by owner {}, epoch {}): stop that process, \
         or wait until it closes the database",
        reader.db, holder.owner, holder.epoch
    );
    Error::new(ErrorKind::Fenced, text).in_channel(reader.channel)
}

fn newest_deleted(reader: &Reader, position: &Position) -> Error {
    let text = "the newest message of the journal was deleted a moment ago, and nobody can safely open the database \
                before Discord has forgotten it: try again in a few minutes. What it held is lost";
    let error = Error::new(ErrorKind::Damaged, text).in_channel(reader.channel);
    error.in_message(position.tip.message)
}
