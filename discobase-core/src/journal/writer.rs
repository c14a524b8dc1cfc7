//! Writing the journal: does against a guild what [`crate::journal::rules`] say, one frame at a time.

use std::sync::Arc;
use std::time::Duration;

use crate::codec::frame::{Body, Frame, Header, Sum};
use crate::codec::message::Oversize;
use crate::env::{self, SharedEnv};
use crate::ids::{ChannelId, Incarnation};
use crate::journal::post::Parcel;
use crate::journal::reader::{Reader, Scan};
use crate::journal::rules::{Event, Goal, Owner, Position, Reply, Step, Tip, Verdict, Walked, torn};
use crate::seal::Sealing;
use crate::transport::{Failure, TransportError};

mod damage;

pub(crate) use damage::Checked;

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
                Step::Walk { from, rival } => match self.walk(&from, goal, rival).await {
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
    async fn walk(&self, from: &Position, goal: Goal, rival: Option<Sum>) -> Result<Walked, TransportError> {
        let mut scan = self.tail(from.tip).await?;
        let newest = scan.newest;
        let (chain, end) = self.reader.chain(&mut scan, from.tip.sum, &from.holder, from.timing).await?;
        let wanted = match goal {
            Goal::Append { sum, .. } | Goal::Object { sum, .. } => Some(sum),
            _ => None,
        };
        let seen = scan.links.iter().any(|link| Some(link.sum) == wanted);
        let (rooted, torn) = (scan.shows(from.tip.sum), torn(&scan.links, from, &end, rival));
        let chain = chain.iter().map(|link| Tip { sum: link.sum, message: link.message }).collect();
        Ok(Walked { rooted, chain, end, seen, torn, newest })
    }

    /// What follows the tip, as a read of the tail shows it.
    async fn look(&self) -> Result<Event, TransportError> {
        let scan = self.tail(self.owner.tip()).await?;
        let first = scan.links.after(self.owner.tip().sum).iter().min_by_key(|link| link.message);
        let (rooted, from) = (scan.shows(self.owner.tip().sum), self.position());
        let torn = torn(&scan.links, &from, &from.holder, None);
        Ok(Event::Looked { rooted, first: first.map(|link| link.sum), torn, newest: scan.newest })
    }

    async fn tail(&self, from: Tip) -> Result<Scan, TransportError> {
        let mut scan = Scan::default();
        self.reader.read(&mut scan, Reader::tail_start(from.message, self.owner.timing())).await?;
        Ok(scan)
    }
}
