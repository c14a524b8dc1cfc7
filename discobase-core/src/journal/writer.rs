//! Writing the journal: one frame in flight, acknowledged by the rules that keep one writer.
//!
//! `docs/format.md`, "Acknowledging", states the rules; the numbers below are theirs.

use std::time::Duration;

use crate::codec::binary::commit_size;
use crate::codec::frame::{Body, Frame, Header, Kind, Sum, Timing};
use crate::codec::message::{self, Encoded, Oversize};
use crate::env::{SharedEnv, heavy};
use crate::error::{Error, ErrorKind};
use crate::ids::{ChannelId, Incarnation, MessageId};
use crate::journal::chain::Holder;
use crate::journal::history::{History, read_history};
use crate::journal::owner::{Position, UNKNOWN_MESSAGE, nonce};
use crate::journal::reader::{Reader, Scan};
use crate::transport::{Message, TransportError};

/// The last frame of the chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Tip {
    pub(crate) sum: Sum,
    pub(crate) message: MessageId,
}

/// A lower bound of Discord's clock, from the newest snowflake seen and the time passed since.
pub(crate) struct Clock {
    env: SharedEnv,
    newest: u64,
    seen_at: Duration,
}

impl Clock {
    pub(crate) fn new(env: SharedEnv) -> Self {
        let seen_at = env.monotonic();
        Self { env, newest: 0, seen_at }
    }

    /// A message with this id exists.
    pub(crate) fn saw(&mut self, message: MessageId) {
        let (time, now) = (message.time_ms(), self.env.monotonic());
        if time > self.reading_at(now) {
            (self.newest, self.seen_at) = (time, now);
        }
    }

    /// What Discord's clock shows at least, in milliseconds since the Unix epoch.
    pub(crate) fn reading(&self) -> u64 {
        self.reading_at(self.env.monotonic())
    }

    fn reading_at(&self, now: Duration) -> u64 {
        let passed = now.saturating_sub(self.seen_at).as_millis();
        self.newest.saturating_add(u64::try_from(passed).unwrap_or(u64::MAX))
    }
}

/// Why a frame did not become durable.
#[derive(Debug, Clone)]
pub(crate) enum AppendError {
    /// It does not fit; nothing was sent.
    TooLarge(Oversize),
    /// Discord refused it and stored nothing; later frames may succeed.
    Refused(TransportError),
    /// Another process writes now. This writer is done.
    Fenced(String),
    /// Whether it was stored can't be found out. This writer is done.
    Unknown(TransportError),
}

/// The owner of a journal.
pub(crate) struct Writer {
    reader: Reader,
    clock: Clock,
    timing: Timing,
    tip: Tip,
    holder: Holder,
    /// Discord's time up to which the tip is known to have been the tip, in milliseconds.
    heard: u64,
    term: Term,
    /// What a quick opening is still to be checked against.
    unverified: Option<Unverified>,
    /// Numbers the frames after a nonce's message was deleted.
    attempts: u64,
}

/// How sure the writer is of its term.
enum Term {
    /// Its `open` is the frame after `before`, and nothing can change that.
    Certain,
    /// Its `open` follows `before`, and may still lose against a frame that is not visible yet; a read at `at`
    /// settles it.
    Unsettled { before: Position, at: Duration },
    /// It ended: another process writes.
    Fenced(String),
}

/// An `open` that counted at once, because the same owner name had closed before: verified by a read at `at`.
struct Unverified {
    before: Position,
    open: Sum,
    at: Duration,
}

/// Discord's codes for content that AutoMod or the link filter refuses (Discord docs, "Opcodes and Status Codes").
const REFUSED_CONTENT: [u64; 2] = [200_000, 240_000];

impl Writer {
    /// A writer whose `open` is the tip of `opened` and followed `before`. Its term is not certain yet.
    pub(crate) fn new(reader: Reader, clock: Clock, before: Position, opened: Position) -> Self {
        let Position { tip, holder, timing } = opened;
        let at = clock.env.monotonic() + timing.settle();
        let term = Term::Unsettled { before, at };
        Self {
            reader,
            clock,
            timing,
            tip,
            holder,
            heard: tip.message.time_ms(),
            term,
            unverified: None,
            attempts: 0,
        }
    }

    pub(crate) fn channel(&self) -> ChannelId {
        self.reader.channel
    }

    pub(crate) fn env(&self) -> &SharedEnv {
        &self.clock.env
    }

    pub(crate) fn incarnation(&self) -> Incarnation {
        self.holder.incarnation
    }

    /// How often an idle writer reads the tail, so that an idle save is acknowledged by its reply alone.
    pub(crate) fn idle_interval(&self) -> Duration {
        Duration::from_millis(self.timing.window / 2)
    }

    /// Posts a frame and waits until it is durable.
    pub(crate) async fn append(&mut self, body: Body) -> Result<Tip, AppendError> {
        self.settle().await?;
        let (frame, encoded) = self.frame(body).await?;
        let tip = self.publish(&frame, encoded).await?;
        if frame.body.kind() == Kind::Close {
            self.holder.closed = true;
            self.term = Term::Fenced("this process closed it".to_owned());
        }
        Ok(tip)
    }

    /// The frame that would follow the tip, encoded.
    async fn frame(&self, body: Body) -> Result<(Frame, Encoded), AppendError> {
        let header = Header {
            db: self.reader.db.to_string(),
            epoch: self.holder.epoch,
            incarnation: self.holder.incarnation,
            owner: self.holder.owner.clone(),
            prev: self.tip.sum,
        };
        encode(&self.clock.env, Frame { header, body }).await.map_err(AppendError::TooLarge)
    }

    /// Posts an encoded frame and acknowledges it by rule 1, 2 or 3.
    async fn publish(&mut self, frame: &Frame, encoded: Encoded) -> Result<Tip, AppendError> {
        let rules = nonce(self.reader.channel, &[self.tip.sum]);
        let (encoded, reply) = self.post(frame, encoded, rules).await;
        let reply = match reply {
            Ok(reply) => reply,
            Err(TransportError::Missing(failure)) if failure.code == Some(UNKNOWN_MESSAGE) => {
                return self.contend(frame, encoded, None).await;
            }
            Err(error) if error.failure().ambiguous || matches!(error, TransportError::Unknown(_)) => {
                self.term = Term::Fenced("the outcome of an earlier frame is unknown".to_owned());
                return Err(AppendError::Unknown(error));
            }
            Err(error) => return Err(AppendError::Refused(error)),
        };
        self.clock.saw(reply.id);
        if !encoded.echoed_by(&reply) {
            return match message::read(&reply) {
                Some(rival) => self.contend(frame, encoded, Some(rival.sum())).await,
                // It is no frame at all: Discord changed the text on its way. A file it leaves as it is.
                None => {
                    let attached = message::encode_attached(frame).map_err(AppendError::TooLarge)?;
                    self.contend(frame, attached, None).await
                }
            };
        }
        if reply.id.time_ms().saturating_sub(self.heard) <= self.timing.window {
            return Ok(self.extend(encoded.sum, reply.id));
        }
        self.confirm(&encoded).await
    }

    /// Posts a frame; what Discord's filters refuse as text, as an attachment.
    async fn post(
        &self,
        frame: &Frame,
        encoded: Encoded,
        nonce: String,
    ) -> (Encoded, Result<Message, TransportError>) {
        let post = |message| self.reader.transport.post(self.reader.channel, message, None);
        match post(encoded.message(nonce.clone())).await {
            Err(TransportError::Refused(failure))
                if failure.code.is_some_and(|code| REFUSED_CONTENT.contains(&code))
                    && encoded.attachments.is_empty() =>
            {
                match message::encode_attached(frame) {
                    Ok(attached) => {
                        let reply = post(attached.message(nonce)).await;
                        // An earlier try went unanswered: the text may have been stored after all.
                        let reply = reply.map_err(|error| match error {
                            TransportError::Missing(_) => error,
                            _ if failure.ambiguous => TransportError::Unknown(error.failure().clone()),
                            _ => error,
                        });
                        (attached, reply)
                    }
                    Err(_) => (encoded, Err(TransportError::Refused(failure))),
                }
            }
            reply => (encoded, reply),
        }
    }

    /// The frame is the tip now.
    fn extend(&mut self, sum: Sum, message: MessageId) -> Tip {
        self.tip = Tip { sum, message };
        self.heard = message.time_ms();
        self.tip
    }

    /// Rule 2: the tip was heard too long ago, so one read decides; a frame that the read lacks, a second one.
    async fn confirm(&mut self, encoded: &Encoded) -> Result<Tip, AppendError> {
        for wait in [None, Some(self.timing.settle())] {
            if let Some(wait) = wait {
                tokio::time::sleep(wait).await;
            }
            if let Some(tip) = self.look_for(encoded.sum).await? {
                return Ok(tip);
            }
        }
        Err(self.fenced())
    }

    /// Rule 3: somebody else's frame follows the tip too, or may. Post once more, under a nonce of this
    /// contention's own, wait until everything is visible, and let the chain decide.
    async fn contend(
        &mut self,
        frame: &Frame,
        encoded: Encoded,
        rival: Option<Sum>,
    ) -> Result<Tip, AppendError> {
        tracing::warn!(channel = %self.reader.channel, "another message follows the tip of the journal: contending");
        self.attempts += 1;
        let mut attempt = [0; 32];
        attempt.iter_mut().zip(self.attempts.to_le_bytes()).for_each(|(to, from)| *to = from);
        let nonce = nonce(self.reader.channel, &[self.tip.sum, rival.unwrap_or(Sum(attempt))]);
        let (encoded, posted) = self.post(frame, encoded, nonce).await;
        match posted {
            Ok(reply) => self.clock.saw(reply.id),
            Err(error) if error.failure().ambiguous || matches!(error, TransportError::Unknown(_)) => {
                self.term = Term::Fenced("the outcome of an earlier frame is unknown".to_owned());
                return Err(AppendError::Unknown(error));
            }
            Err(error) => return Err(AppendError::Refused(error)),
        }
        tokio::time::sleep(self.timing.settle()).await;
        match self.look_for(encoded.sum).await? {
            Some(tip) => Ok(tip),
            None => Err(self.fenced()),
        }
    }

    /// Reads the tail; if the frame is on the chain it is durable, and what follows it decides about the term.
    async fn look_for(&mut self, sum: Sum) -> Result<Option<Tip>, AppendError> {
        let started = self.clock.reading();
        let (chain, holder) = self.read_tail(self.tip, self.holder.clone()).await.map_err(|error| {
            self.term = Term::Fenced("the journal could not be read".to_owned());
            AppendError::Unknown(error)
        })?;
        let Some(found) = chain.iter().position(|tip| tip.sum == sum) else { return Ok(None) };
        let Some(tip) = chain.get(found).copied() else { return Ok(None) };
        self.extend(tip.sum, tip.message);
        self.heard = self.heard.max(started.saturating_sub(self.timing.visibility));
        if found + 1 < chain.len() {
            self.term = Term::Fenced(describe(&holder));
        }
        Ok(Some(tip))
    }

    /// The chain after `from`, as a read of the tail shows it.
    async fn read_tail(&mut self, from: Tip, holder: Holder) -> Result<(Vec<Tip>, Holder), TransportError> {
        let mut scan = Scan::default();
        self.reader.read(&mut scan, Reader::tail_start(from.message, self.timing)).await?;
        scan.newest.iter().for_each(|newest| self.clock.saw(*newest));
        let (chain, end) = self.reader.chain(&mut scan, from.sum, &holder, self.timing).await?;
        Ok((chain.iter().map(|link| Tip { sum: link.sum, message: link.message }).collect(), end))
    }

    /// An `open` after a clean close under the same name: certain by rule 1 or 2, without waiting.
    pub(crate) async fn acknowledge_open(&mut self) -> Result<(), TransportError> {
        let Term::Unsettled { before, at } = &self.term else { return Ok(()) };
        let (before, at, open) = (before.clone(), *at, self.tip.sum);
        let gap = self.tip.message.time_ms().saturating_sub(before.tip.message.time_ms());
        if gap <= self.timing.window || self.follows(before.clone(), open).await? {
            self.term = Term::Certain;
            self.unverified = Some(Unverified { before, open, at });
        }
        Ok(())
    }

    /// Whether a read of the tail shows `open`, this writer's, as the frame after `before`.
    async fn follows(&mut self, before: Position, open: Sum) -> Result<bool, TransportError> {
        let started = self.clock.reading();
        let (chain, _) = self.read_tail(before.tip, before.holder).await?;
        if chain.last().is_some_and(|last| last.sum == self.tip.sum) {
            self.heard = self.heard.max(started.saturating_sub(self.timing.visibility));
        }
        Ok(chain.first().is_some_and(|first| first.sum == open))
    }

    /// Waits until the term is certain, if it is not yet: before the first frame.
    pub(crate) async fn settle(&mut self) -> Result<(), AppendError> {
        let (before, at) = match &self.term {
            Term::Certain => return Ok(()),
            Term::Fenced(reason) => return Err(AppendError::Fenced(reason.clone())),
            Term::Unsettled { before, at } => (before.clone(), *at),
        };
        self.sleep_until(at).await;
        if self.follows(before, self.tip.sum).await.map_err(AppendError::Refused)? {
            self.term = Term::Certain;
            return Ok(());
        }
        Err(self.fenced())
    }

    /// Waits until nothing can end the term that began before it: before channels are made or deleted.
    pub(crate) async fn settle_fully(&mut self) -> Result<(), AppendError> {
        self.settle().await?;
        let Some(Unverified { before, open, at }) = self.unverified.take() else { return Ok(()) };
        self.sleep_until(at).await;
        match self.follows(before.clone(), open).await {
            Ok(true) => Ok(()),
            Ok(false) => Err(self.fenced()),
            Err(error) => {
                self.unverified = Some(Unverified { before, open, at });
                Err(AppendError::Refused(error))
            }
        }
    }

    async fn sleep_until(&self, at: Duration) {
        tokio::time::sleep(at.saturating_sub(self.clock.env.monotonic())).await;
    }

    /// Reads the whole journal, because a message of it was deleted: whether it still says what was written.
    pub(crate) async fn verify(&mut self) -> Result<(), Error> {
        // Another process's frames after the tip are no damage; who may write is for the next frame to find out.
        let whole = |history: &History| {
            history.position.tip.sum == self.tip.sum
                || history.chain.iter().any(|link| link.sum == self.tip.sum)
        };
        let mut found = read_history(&self.reader).await;
        if !matches!(&found, Ok(Some(history)) if whole(history)) {
            // What was posted a moment ago may not be visible yet.
            tokio::time::sleep(self.timing.settle()).await;
            found = read_history(&self.reader).await;
        }
        let tip = match found {
            Ok(Some(history)) if whole(&history) => return Ok(()),
            Ok(Some(history)) => Some(history.position.tip.message),
            Ok(None) => None,
            Err(error) if matches!(error.kind(), ErrorKind::Damaged | ErrorKind::Corrupt) => {
                self.term = Term::Fenced("the journal is damaged".to_owned());
                return Err(error);
            }
            Err(error) => {
                tracing::warn!(%error, "the journal could not be checked after a message of it was deleted");
                return Ok(());
            }
        };
        self.term = Term::Fenced("the journal is damaged".to_owned());
        let text = "the newest frames of the journal were deleted: what they held is in this process's memory only, \
                    and nothing more is written. Save what you need elsewhere; opening the database again finds \
                    what the journal still holds";
        let error = Error::new(ErrorKind::Damaged, text).in_channel(self.reader.channel);
        Err(match tip {
            Some(message) => error.in_message(message),
            None => error,
        })
    }

    /// Reads the tail while nothing is to be written: hears the tip anew, and objects to a rival's `open`.
    pub(crate) async fn idle(&mut self) -> Result<(), AppendError> {
        match self.settle_fully().await {
            // What can't be read now is read the next time.
            Err(AppendError::Refused(_)) => return Ok(()),
            settled => settled?,
        }
        let started = self.clock.reading();
        let mut scan = Scan::default();
        let read = self.reader.read(&mut scan, Reader::tail_start(self.tip.message, self.timing)).await;
        if let Err(error) = read {
            tracing::debug!(%error, "an idle read of the journal failed: the next save reads again");
            return Ok(());
        }
        scan.newest.iter().for_each(|newest| self.clock.saw(*newest));
        let followers = scan.links.after(self.tip.sum);
        if followers.is_empty() {
            self.heard = self.heard.max(started.saturating_sub(self.timing.visibility));
            return Ok(());
        }
        // Somebody posted after the tip. Writing is the objection, and the chain decides. It goes out under the
        // contention's own nonce at once: a post under the tip's would only bring back the rival's frame, and the
        // second might come too late for the grace.
        let rival = followers.iter().min_by_key(|link| link.message).map(|link| link.sum);
        let (frame, encoded) = self.frame(Body::Data(Vec::new())).await?;
        self.contend(&frame, encoded, rival).await.map(|_| ())
    }

    fn fenced(&mut self) -> AppendError {
        let reason = describe(&self.holder);
        self.term = Term::Fenced(reason.clone());
        AppendError::Fenced(reason)
    }
}

fn describe(holder: &Holder) -> String {
    format!("another process follows epoch {} of owner {}", holder.epoch, holder.owner)
}

/// Commits from this size on are encoded away from the runtime's threads.
const LARGE: usize = 64 << 10;

async fn encode(env: &SharedEnv, frame: Frame) -> Result<(Frame, Encoded), Oversize> {
    let large = matches!(&frame.body, Body::Data(commits)
        if commits.iter().map(commit_size).sum::<usize>() > LARGE);
    let encode = move || message::encode(&frame).map(|encoded| (frame, encoded));
    if !large {
        return encode();
    }
    match heavy(env, encode).await {
        Some(encoded) => encoded,
        None => Err(Oversize { unpacked: 0, compressed: None }),
    }
}
