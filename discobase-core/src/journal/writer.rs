//! Writing the journal: does against a guild what [`crate::journal::rules`] say, one frame at a time.

use std::sync::Arc;
use std::time::Duration;

use crate::codec::frame::{Body, Frame, Header};
use crate::codec::message::Oversize;
use crate::env::{self, SharedEnv};
use crate::error::{Error, ErrorKind};
use crate::ids::{ChannelId, Incarnation};
use crate::journal::history::{History, read_history, read_whole};
use crate::journal::post::Parcel;
use crate::journal::reader::{Reader, Scan, read_error};
use crate::journal::rules::{Ending, Event, Goal, Owner, Position, Reply, Step, Tip, Verdict, Walked};
use crate::seal::Sealing;
use crate::transport::{Failure, TransportError};

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
    owner: Owner,
    /// What its frames are sealed with, if the database is encrypted.
    sealing: Option<Arc<Sealing>>,
}

impl Writer {
    /// A writer of what `owner` holds.
    pub(crate) fn new(reader: Reader, owner: Owner, sealing: Option<Arc<Sealing>>) -> Self {
        Self { reader, owner, sealing }
    }

    pub(crate) fn channel(&self) -> ChannelId {
        self.reader.channel
    }

    pub(crate) fn incarnation(&self) -> Incarnation {
        self.owner.incarnation()
    }

    /// The clock its rules count with.
    pub(crate) fn env(&self) -> &SharedEnv {
        &self.reader.env
    }

    /// Its frame at the end of the chain, and its term.
    pub(crate) fn position(&self) -> Position {
        self.owner.position()
    }

    /// What its frames are sealed with, if the database is encrypted.
    pub(crate) fn sealing(&self) -> Option<Arc<Sealing>> {
        self.sealing.clone()
    }

    /// Seals what comes from here on with other keys, or not at all; gives those of before.
    pub(crate) fn rekey(&mut self, sealing: Option<Arc<Sealing>>) -> Option<Arc<Sealing>> {
        std::mem::replace(&mut self.sealing, sealing)
    }

    /// How often an idle writer reads the tail, so that an idle save is acknowledged by its reply alone.
    pub(crate) fn idle_interval(&self) -> Duration {
        self.owner.idle_interval()
    }

    /// Posts a frame and waits until it is durable; gives what it held back, for those who are told.
    pub(crate) async fn append(&mut self, body: Body) -> Result<(Tip, Body), AppendError> {
        let (kind, mut parcel) = (body.kind(), self.parcel(body).await?);
        let goal = Goal::Append { sum: parcel.encoded.sum, kind };
        match self.run(goal, Some(&mut parcel)).await? {
            Verdict::Durable(tip) => Ok((tip, parcel.into_body())),
            _ => Err(self.ended()),
        }
    }

    /// Waits until the term is certain, if it is not yet: before the first frame.
    pub(crate) async fn settle(&mut self) -> Result<(), AppendError> {
        self.run(Goal::Settle, None).await.map(drop)
    }

    /// Waits until nothing can end the term that began before it: before channels are made or deleted.
    pub(crate) async fn settle_fully(&mut self) -> Result<(), AppendError> {
        self.run(Goal::Verify, None).await.map(drop)
    }

    /// An `open` after a clean close under the same name: certain by rule 1 or 2, without waiting.
    pub(crate) async fn acknowledge_open(&mut self) -> Result<(), TransportError> {
        match self.run(Goal::Acknowledge, None).await {
            Err(AppendError::Refused(error)) => Err(error),
            _ => Ok(()),
        }
    }

    /// Reads the tail while nothing is to be written: hears the tip anew, and objects to a rival's `open`.
    pub(crate) async fn idle(&mut self) -> Result<(), AppendError> {
        match self.run(Goal::Look, None).await {
            Ok(Verdict::Contested { rival }) => {
                // Writing is the objection, and the chain decides.
                let mut parcel = self.parcel(Body::Data(Vec::new())).await?;
                let goal = Goal::Object { sum: parcel.encoded.sum, rival };
                self.run(goal, Some(&mut parcel)).await.map(drop)
            }
            Err(AppendError::Refused(error)) => {
                tracing::debug!(
                    name: "idle_read_failed", target: "discobase::journal", %error,
                    "an idle read of the journal failed: the next save reads again"
                );
                Ok(())
            }
            looked => looked.map(drop),
        }
    }

    /// The frame that would follow the tip.
    async fn parcel(&self, body: Body) -> Result<Parcel, AppendError> {
        let holder = self.owner.holder();
        let header = Header {
            db: self.reader.db.to_string(),
            epoch: holder.epoch,
            incarnation: holder.incarnation,
            owner: holder.owner.clone(),
            prev: self.owner.tip().sum,
        };
        let parcel = Parcel::new(&self.reader, Frame { header, body }, self.sealing.clone());
        parcel.await.map_err(AppendError::TooLarge)
    }

    /// Takes the steps to a goal, each when the one before it has been taken.
    async fn run(&mut self, goal: Goal, mut parcel: Option<&mut Parcel>) -> Result<Verdict, AppendError> {
        let mut failure = None;
        let (mut flow, mut step) = self.owner.begin(goal, self.now());
        loop {
            let event = match step {
                Step::Done(verdict) => return self.finish(verdict, failure),
                Step::Wait(until) => {
                    env::sleep_until(&*self.reader.env, until).await;
                    Event::Waited
                }
                Step::Post { nonce, attached } => match &mut parcel {
                    Some(parcel) => {
                        let (reply, error) = parcel.post(&self.reader, nonce, attached, None).await;
                        failure = error;
                        self.note(reply);
                        Event::Replied(reply)
                    }
                    None => Event::Replied(Reply::Refused),
                },
                Step::Walk(from) => match self.walk(&from, goal).await {
                    Ok(walked) => Event::Walked(walked),
                    Err(error) => {
                        failure = Some(error);
                        Event::Unread
                    }
                },
                Step::Look => match self.look().await {
                    Ok(event) => event,
                    Err(error) => {
                        failure = Some(error);
                        Event::Unread
                    }
                },
            };
            step = self.owner.advance(&mut flow, event, self.now());
        }
    }

    fn finish(&self, verdict: Verdict, failure: Option<TransportError>) -> Result<Verdict, AppendError> {
        let failure = || {
            failure.unwrap_or_else(|| {
                let message = self.owner.ended().map(ToString::to_string).unwrap_or_default();
                TransportError::Unknown(Failure { message, ..Failure::default() })
            })
        };
        match verdict {
            Verdict::Durable(_) | Verdict::Settled | Verdict::Contested { .. } => Ok(verdict),
            Verdict::PutOff | Verdict::Refused => Err(AppendError::Refused(failure())),
            Verdict::Unknown => Err(AppendError::Unknown(failure())),
            Verdict::Ended => Err(self.ended()),
        }
    }

    fn ended(&self) -> AppendError {
        AppendError::Fenced(self.owner.ended().map(ToString::to_string).unwrap_or_default())
    }

    fn now(&self) -> Duration {
        self.reader.env.monotonic()
    }

    fn note(&self, reply: Reply) {
        if !matches!(reply, Reply::Own(_) | Reply::Refused | Reply::Lost) {
            let channel = self.reader.channel;
            tracing::warn!(
                name: "contending", target: "discobase::journal", %channel, ?reply,
                "another message follows the tip of the journal: contending"
            );
        }
    }

    /// The chain after a position, as a read of the tail shows it.
    async fn walk(&self, from: &Position, goal: Goal) -> Result<Walked, TransportError> {
        let mut scan = self.tail(from.tip).await?;
        let newest = scan.newest;
        let (chain, end) = self.reader.chain(&mut scan, from.tip.sum, &from.holder, from.timing).await?;
        let wanted = match goal {
            Goal::Append { sum, .. } | Goal::Object { sum, .. } => Some(sum),
            _ => None,
        };
        let seen = scan.links.iter().any(|link| Some(link.sum) == wanted);
        let rooted = scan.shows(from.tip.sum);
        let chain = chain.iter().map(|link| Tip { sum: link.sum, message: link.message }).collect();
        Ok(Walked { rooted, chain, end, seen, newest })
    }

    /// What follows the tip, as a read of the tail shows it.
    async fn look(&self) -> Result<Event, TransportError> {
        let scan = self.tail(self.owner.tip()).await?;
        let first = scan.links.after(self.owner.tip().sum).iter().min_by_key(|link| link.message);
        let rooted = scan.shows(self.owner.tip().sum);
        Ok(Event::Looked { rooted, first: first.map(|link| link.sum), newest: scan.newest })
    }

    async fn tail(&self, from: Tip) -> Result<Scan, TransportError> {
        let mut scan = Scan::default();
        self.reader.read(&mut scan, Reader::tail_start(from.message, self.owner.timing())).await?;
        Ok(scan)
    }

    /// Makes ready to go on after messages of the journal were deleted or changed, which stopped it: the next frame is a
    /// checkpoint of what is in memory.
    ///
    /// While something follows the hole, no other process opens the journal, and the checkpoint follows the frame that
    /// was the last, whether that is there or not. If nothing does, others may open it where it ends now: there the
    /// checkpoint contends with them, by the rules of any frame (`docs/format.md`, "After damage").
    ///
    /// # Errors
    /// `stopped`, if it is not damage that stopped it; `Fenced`, if another process has opened the journal; `Damaged`, if
    /// none of this term's frames is left.
    pub(crate) async fn resume(&mut self, stopped: &Error) -> Result<(), Error> {
        if self.owner.ended() != Some(&Ending::Damaged) {
            return Err(stopped.clone());
        }
        // By then everything is visible that was posted while this process still was the owner for certain.
        env::sleep(&*self.reader.env, self.owner.timing().settle()).await;
        let channel = self.reader.channel;
        let (scan, walked) = read_whole(&self.reader).await.map_err(|error| read_error(&error, channel))?;
        let (holder, tip) = (self.owner.holder(), self.owner.tip());
        let rival = scan.links.iter().find(|link| {
            link.header.epoch > holder.epoch
                || link.header.epoch == holder.epoch && link.header.incarnation != holder.incarnation
        });
        if let Some(rival) = rival {
            let text = "another process has opened the database since frames were deleted: what was in them is in this                         process's memory only. Read it from here, close the database and open it again";
            return Err(Error::new(ErrorKind::Fenced, text).in_channel(channel).in_message(rival.message));
        }
        let from = match walked {
            Some(walked) if walked.behind_holes.is_empty() => {
                let end = walked.tip();
                let whole = end.sum == tip.sum || walked.chain.iter().any(|link| link.sum == tip.sum);
                if !whole && walked.holder != *holder {
                    let text = "all frames of this process were deleted, its opening with them, so nothing keeps \
                                another process from opening the database at the same moment. Read from here what \
                                you need, close the database and open it again";
                    return Err(Error::new(ErrorKind::Damaged, text).in_channel(channel));
                }
                if whole { tip } else { end }
            }
            _ => tip,
        };
        self.owner.resume(from);
        Ok(())
    }

    /// Reads the whole journal, because a message of it was deleted: whether it still says what was written.
    pub(crate) async fn verify(&mut self) -> Result<(), Error> {
        let tip = self.owner.tip();
        // Another process's frames after the tip are no damage; who may write is for the next frame to find out.
        let whole = |history: &History| {
            history.position.tip.sum == tip.sum || history.chain.iter().any(|link| link.sum == tip.sum)
        };
        let mut found = read_history(&self.reader).await;
        if !matches!(&found, Ok(Some(history)) if whole(history)) {
            // What was posted a moment ago may not be visible yet.
            env::sleep(&*self.reader.env, self.owner.timing().settle()).await;
            found = read_history(&self.reader).await;
        }
        let tip = match found {
            Ok(Some(history)) if whole(&history) => return Ok(()),
            Ok(Some(history)) => Some(history.position.tip.message),
            Ok(None) => None,
            Err(error) if matches!(error.kind(), ErrorKind::Damaged | ErrorKind::Corrupt) => {
                self.owner.end(Ending::Damaged);
                let text = format!(
                    "{}. This process still has all of it in memory, and writes nothing more: db.verify().await says \
                     what is wrong, and db.heal().await writes what is in memory anew",
                    error.text()
                );
                return Err(error.saying(text));
            }
            Err(error) => {
                tracing::warn!(
                    name: "check_failed", target: "discobase::journal", %error,
                    "the journal could not be checked after a message of it was deleted"
                );
                return Ok(());
            }
        };
        self.owner.end(Ending::Damaged);
        let text = "the newest frames of the journal were deleted: what they held is in this process's memory only, \
                    and nothing more is written. Keep this process running: db.verify().await says what is wrong, and \
                    db.heal().await writes what is in memory anew. Opening the database again finds only what the \
                    journal still holds";
        let error = Error::new(ErrorKind::Damaged, text).in_channel(self.reader.channel);
        Err(match tip {
            Some(message) => error.in_message(message),
            None => error,
        })
    }
}
