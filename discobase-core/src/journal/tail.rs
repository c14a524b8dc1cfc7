//! Reading what follows: the messages that the gateway brings, and the tail of the channel, as frames to apply.

use std::sync::Arc;
use std::time::Duration;

use crate::codec::frame::{Frame, Sum};
use crate::codec::message::{format_version, read};
use crate::error::{Error, ErrorKind};
use crate::ids::MessageId;
use crate::journal::chain::Link;
use crate::journal::follow::{Settled, Step, Track};
use crate::journal::history::{History, read_history};
use crate::journal::reader::{Reader, Scan, read_error, unreadable};
use crate::journal::rules::{Clock, Position};
use crate::seal::Sealing;
use crate::transport::{Message, TransportError};

/// A process that follows the journal of another.
pub(crate) struct Follower {
    pub(crate) reader: Reader,
    clock: Clock,
    track: Track,
    /// What the frames are sealed with, if the database is encrypted.
    pub(crate) sealing: Option<Arc<Sealing>>,
    /// What the gateway brought and the chain has not reached.
    held: Scan,
    /// When the tail was last known to be complete, on the monotonic clock.
    complete: Duration,
}

/// What a message of the gateway's turned out to be.
pub(crate) enum Heard {
    /// The frame after the tip, which is the tip now.
    Next(Box<(Link, Frame)>),
    /// Only a read of the tail tells.
    Read,
    /// Nothing new.
    Nothing,
}

/// What a read of the tail brought.
pub(crate) struct Tail {
    /// The frames that follow the tip, in their order; the last of them is the tip now.
    pub(crate) frames: Vec<(Link, Frame)>,
    /// Something was not decided or not visible yet: read again after so long.
    pub(crate) again: Option<Duration>,
    /// What follows the last of the frames can't be believed.
    pub(crate) broken: Option<Broken>,
}

/// Why a tail does not go on.
pub(crate) enum Broken {
    /// The tip, or messages between it and later frames, are gone: the journal was trimmed, or damaged.
    Gap,
    /// A message that may be a frame can't be read.
    Unreadable(Error),
}

/// The most messages that wait for what they follow; beyond them a read has to do.
const HELD: usize = 512;

impl Follower {
    /// At what a reading of the whole journal, begun at `began` on the monotonic clock, ended with.
    pub(crate) fn new(
        reader: Reader,
        position: Position,
        newest: MessageId,
        sealing: Option<Arc<Sealing>>,
        began: Duration,
    ) -> Self {
        let mut clock = Clock::new(reader.env.monotonic());
        clock.saw(newest, reader.env.monotonic());
        let track = Track::new(position, newest);
        let held = Scan::default();
        let mut follower = Self { reader, clock, track, sealing, held, complete: Duration::ZERO };
        follower.completed(began);
        follower
    }

    pub(crate) fn position(&self) -> &Position {
        self.track.position()
    }

    /// The newest message of the channel, as far as is known.
    pub(crate) fn newest(&self) -> MessageId {
        MessageId::at(self.clock.reading(self.now()))
    }

    /// When the tail was last known to be complete, on the monotonic clock.
    pub(crate) fn complete(&self) -> Duration {
        self.complete
    }

    fn now(&self) -> Duration {
        self.reader.env.monotonic()
    }

    /// How often the tail is read, whatever the gateway says.
    pub(crate) fn interval(&self) -> Duration {
        Duration::from_millis(self.position().timing.window / 2)
    }

    /// For how long the tip has been the tip, by Discord's clock: at least so long.
    pub(crate) fn silence(&self) -> Duration {
        let tip = self.position().tip.message.time_ms();
        Duration::from_millis(self.clock.reading(self.now()).saturating_sub(tip))
    }

    /// Takes a message that the gateway brought at `at` on the monotonic clock.
    pub(crate) async fn hear(&mut self, message: Message, at: Duration) -> Heard {
        self.clock.saw(message.id, at);
        let Some(posted) = read(&message) else {
            // It may be a frame of a newer version, or a damaged one.
            return if format_version(&message).is_some() { Heard::Read } else { Heard::Nothing };
        };
        let (header, kind) = posted.header();
        if header.db != *self.reader.db {
            return Heard::Nothing;
        }
        let link = Link { header: header.clone(), kind, sum: posted.sum(), message: message.id };
        let step = self.track.hear(&link);
        if step == Step::Take {
            match self.take(message.clone()).await {
                Ok(Some(next)) => {
                    self.complete = self.complete.max(at);
                    return Heard::Next(Box::new(next));
                }
                Ok(None) => tracing::debug!(
                    name: "frame_not_taken", target: "discobase::journal", message = %message.id,
                    "a frame's attachment does not fit it"
                ),
                Err(error) => tracing::debug!(
                    name: "frame_not_taken", target: "discobase::journal", message = %message.id, %error,
                    "a frame's attachment could not be loaded: the journal is read instead"
                ),
            }
        }
        if step == Step::Ignore {
            return Heard::Nothing;
        }
        if self.held.len() >= HELD {
            self.held = Scan::default();
        }
        self.reader.hold(&mut self.held, message);
        Heard::Read
    }

    /// The frame that a message holds, verified, as the new tip.
    async fn take(&mut self, message: Message) -> Result<Option<(Link, Frame)>, TransportError> {
        let mut scan = Scan::default();
        self.reader.hold(&mut scan, message);
        let Position { tip, holder, timing } = self.position().clone();
        let (chain, _) = self.reader.chain(&mut scan, tip.sum, &holder, timing).await?;
        let mut frames = self.advance(&mut scan, chain.into_iter().take(1));
        Ok(frames.pop())
    }

    /// Reads the tail of the journal.
    ///
    /// What the gateway brought counts as read too: what could still win against a holder's frame that was heard
    /// before the read began is visible to it, because B is at least V.
    ///
    /// # Errors
    /// What the transport says; nothing is lost, the next read goes on.
    pub(crate) async fn read(&mut self) -> Result<Tail, Error> {
        let failed = |error: TransportError, reader: &Reader| read_error(&error, reader.channel);
        let started = self.now();
        let began = self.clock.reading(started);
        let Position { tip, holder, timing } = self.position().clone();
        let mut scan = self.held.clone();
        let from = Reader::tail_start(tip.message, timing);
        let reader = self.reader.clone();
        reader.read(&mut scan, from).await.map_err(|error| failed(error, &reader))?;
        if let Some(newest) = scan.newest {
            self.clock.saw(newest, self.now());
        }
        let (chain, _) = match reader.chain(&mut scan, tip.sum, &holder, timing).await {
            Ok(walked) => walked,
            Err(error) => {
                // What was heard may have been trimmed since, with its file; what is still there the next read shows.
                self.held = Scan::default();
                return Err(failed(error, &reader));
            }
        };
        let Settled { frames: settled, wait } = self.track.settle(&chain, began);
        let (gap, young) = self.track.gap(&scan.links, &chain, began);
        let lost = self.track.is_lost(scan.shows(tip.sum), began);
        let (settled, wait) = if lost { (0, None) } else { (settled, wait) };
        let (gap, young) = (gap.is_some() || lost, young.is_some());
        let end = chain.last().map_or(tip.message, |last| last.message);
        let frames = self.advance(&mut scan, chain.into_iter().take(settled));
        let broken = match unreadable(&scan, reader.channel, end) {
            Some(error) => Some(Broken::Unreadable(error)),
            None => gap.then_some(Broken::Gap),
        };
        let again = wait.or_else(|| young.then(|| Duration::from_millis(timing.visibility.max(100))));
        if again.is_none() {
            self.held = Scan::default();
        }
        if again.is_none() && broken.is_none() {
            self.completed(started);
        }
        Ok(Tail { frames, again, broken })
    }

    /// Moves the tip along `chain`; its frames, taken from the scan.
    fn advance(&mut self, scan: &mut Scan, chain: impl Iterator<Item = Link>) -> Vec<(Link, Frame)> {
        let mut frames = Vec::new();
        for link in chain {
            let Some(frame) = scan.take_frame(link.sum) else { break };
            self.track.advance(&link);
            frames.push((link, frame));
        }
        frames
    }

    /// A read that began at `began` ended at the tip.
    fn completed(&mut self, began: Duration) {
        let visibility = Duration::from_millis(self.position().timing.visibility);
        self.complete = self.complete.max(began.saturating_sub(visibility));
    }

    /// Reads the whole journal, because a message of it was deleted: whether it still leads to the tip without a
    /// hole. False if the tip is not on it, or no longer.
    ///
    /// # Errors
    /// `Damaged` or `Corrupt`, as at opening, or what the transport says.
    pub(crate) async fn is_whole(&self) -> Result<bool, Error> {
        let tip = self.position().tip.sum;
        Ok(read_history(&self.reader).await?.is_some_and(|history| leads_to(&history, tip)))
    }

    /// Goes on from another position, which a reading of the whole journal, begun at `began`, gave.
    pub(crate) fn restart(&mut self, position: Position, newest: MessageId, began: Duration) {
        self.clock.saw(newest, self.now());
        self.track = Track::new(position, newest);
        self.held = Scan::default();
        self.completed(began);
    }
}

/// Whether the chain that was read holds the frame.
fn leads_to(history: &History, frame: Sum) -> bool {
    history.position.tip.sum == frame || history.chain.iter().any(|link| link.sum == frame)
}

/// The error when the newest frames of the journal are gone, and with them some that were applied.
pub(crate) fn rolled_back(position: &Position) -> Error {
    let text = "the newest frames of the journal were deleted: what they held is in the memory of the processes that \
                had read them, and nowhere else. This process goes on serving it until the journal goes on without it";
    Error::new(ErrorKind::Damaged, text).in_message(position.tip.message)
}
