//! Posting one frame: its two forms, its nonce, and what the answer means.

use std::sync::Arc;
use std::time::Duration;

use crate::codec::binary::commit_size;
use crate::codec::frame::{Body, Frame};
use crate::codec::message::{self, Encoded, Oversize, Posted};
use crate::codec::sealed;
use crate::env::heavy;
use crate::ids::ChannelId;
use crate::journal::reader::Reader;
use crate::journal::rules::{Nonce, Reply};
use crate::seal::Sealing;
use crate::transport::{Failure, Message, TransportError};

/// Discord's code for a message that is not there (Discord docs, "Opcodes and Status Codes": JSON): what a post
/// answers whose nonce belongs to a message that was deleted.
pub(crate) const UNKNOWN_MESSAGE: u64 = 10_008;

/// Discord's codes for content that AutoMod or the link filter refuses (Discord docs, "Opcodes and Status Codes").
pub(crate) const REFUSED_CONTENT: [u64; 2] = [200_000, 240_000];

/// Commits from this size on are encoded away from the runtime's threads.
pub(crate) const LARGE: usize = 64 << 10;

/// A frame, ready to be posted as often as the rules ask for it.
pub(crate) struct Parcel {
    frame: Frame,
    /// What the frame holds, if the frame itself is sealed.
    clear: Option<Body>,
    pub(crate) encoded: Encoded,
}

impl Parcel {
    /// Seals a frame, if the database is encrypted, and encodes it: once, because every post of it must be the same.
    pub(crate) async fn new(
        reader: &Reader,
        frame: Frame,
        sealing: Option<Arc<Sealing>>,
    ) -> Result<Self, Oversize> {
        let large = match &frame.body {
            Body::Data(commits) => commits.iter().map(commit_size).sum::<usize>() > LARGE,
            Body::Checkpoint(_) => true,
            _ => false,
        };
        let journal = reader.channel;
        let encode = move || {
            let (frame, clear) = match sealing {
                Some(sealing) => {
                    let clear = frame.body.clone();
                    (sealed::seal(frame, &sealing, journal)?, Some(clear))
                }
                None => (frame, None),
            };
            message::encode(&frame).map(|encoded| Self { frame, clear, encoded })
        };
        if !large {
            return encode();
        }
        heavy(&reader.env, encode).await.unwrap_or(Err(Oversize { unpacked: 0, compressed: None }))
    }

    /// What the frame holds, not sealed.
    pub(crate) fn into_body(self) -> Body {
        self.clear.unwrap_or(self.frame.body)
    }

    /// Posts it. What Discord's filters refuse as text goes out as an attachment, under the same nonce.
    ///
    /// The error says why there is no message, for people; the rules need the [`Reply`] alone.
    pub(crate) async fn post(
        &mut self,
        reader: &Reader,
        nonce: Nonce,
        attached: bool,
        deadline: Option<Duration>,
    ) -> (Reply, Option<TransportError>) {
        if attached && let Err(error) = self.attach() {
            return (Reply::Refused, Some(error));
        }
        let nonce = key(reader.channel, nonce);
        let post = |message| reader.transport.post(reader.channel, message, deadline);
        let mut answer = post(self.encoded.message(nonce.clone())).await;
        if let Err(TransportError::Refused(refusal)) = &answer
            && refusal.code.is_some_and(|code| REFUSED_CONTENT.contains(&code))
            && self.encoded.attachments.is_empty()
        {
            let ambiguous = refusal.ambiguous;
            if let Err(error) = self.attach() {
                return (if ambiguous { Reply::Lost } else { Reply::Refused }, Some(error));
            }
            // An earlier try went unanswered: the text may have been stored after all.
            answer = post(self.encoded.message(nonce)).await.map_err(|error| match error {
                TransportError::Missing(_) => error,
                _ if ambiguous => TransportError::Unknown(error.failure().clone()),
                _ => error,
            });
        }
        match answer {
            Ok(message) => (self.reply(&message), None),
            Err(error) => (failure(&error), Some(error)),
        }
    }

    /// The attached form from now on.
    fn attach(&mut self) -> Result<(), TransportError> {
        if self.encoded.attachments.is_empty() {
            self.encoded = message::encode_attached(&self.frame).map_err(|_| {
                let message = "the frame does not fit an attachment".to_owned();
                TransportError::NotSent(Failure { message, ..Failure::default() })
            })?;
        }
        Ok(())
    }

    /// What a message is to this frame.
    fn reply(&self, message: &Message) -> Reply {
        if self.encoded.echoed_by(message) {
            return Reply::Own(message.id);
        }
        match message::read(message) {
            // Its text, which an earlier try had stored before the attached form was tried.
            Some(Posted::Whole { sum, .. }) if sum == self.encoded.sum => Reply::Own(message.id),
            Some(other) if other.sum() != self.encoded.sum => Reply::Rival(other.sum(), message.id),
            _ => Reply::Garbled(message.id),
        }
    }
}

/// What a failed post means.
fn failure(error: &TransportError) -> Reply {
    match error {
        TransportError::Missing(failure) if failure.code == Some(UNKNOWN_MESSAGE) => Reply::Deleted,
        TransportError::Unknown(_) => Reply::Lost,
        _ if error.failure().ambiguous => Reply::Lost,
        _ => Reply::Refused,
    }
}

/// A nonce as Discord is given it: the same for every process (Discord docs, "Message": Create Message, at most 25
/// characters).
pub(crate) fn key(journal: ChannelId, nonce: Nonce) -> String {
    let mut hasher = blake3::Hasher::new();
    hasher.update(b"discobase nonce\0");
    hasher.update(&journal.get().to_le_bytes());
    [Some(nonce.after), nonce.against].into_iter().flatten().for_each(|sum| {
        hasher.update(&sum.0);
    });
    hasher.finalize().to_hex().as_str().chars().take(24).collect()
}
