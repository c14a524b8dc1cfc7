//! What a checkpoint takes of the engine: the durable state at one place in the chain, and a frame of its own.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio::sync::{oneshot, watch};

use crate::codec::checkpoint::{Checkpoint, Covers, MAX_PAST, Wrote};
use crate::codec::frame::{Body, Sum};
use crate::db::engine::Engine;
use crate::error::{Error, ErrorKind, Result};
use crate::ids::{MessageId, Seq, TableId};
use crate::journal::rules::{Position, Tip};
use crate::journal::writer::{AppendError, Writer};
use crate::replay::{Volume, without, wrote};
use crate::seal::Sealing;
use crate::tables::Tables;

/// The durable tables, and the frame of the chain whose state they are.
pub(crate) struct Cut {
    pub(crate) tables: Tables,
    pub(crate) position: Position,
    /// Which openings wrote which commits, the latest only.
    pub(crate) past: Vec<Wrote>,
    /// What segments are sealed with, if the database is encrypted.
    pub(crate) sealing: Option<Arc<Sealing>>,
    /// What was written until then, since the checkpoint before.
    pub(crate) volume: Volume,
}

/// A checkpoint that is durable.
#[derive(Clone)]
pub(crate) struct Last {
    /// Of its frame.
    pub(crate) sum: Sum,
    pub(crate) checkpoint: Arc<Checkpoint>,
}

/// A checkpoint that is to be written, and who waits for it.
pub(super) struct Waiting {
    checkpoint: Box<Checkpoint>,
    keys: Keys,
    /// What becomes visible with it, if that is more than what was.
    after: Option<Tables>,
    waiter: oneshot::Sender<Result<Appended>>,
}

/// What a checkpoint's frame is sealed with, and all after it.
enum Keys {
    /// As the frames before it.
    Same,
    /// With these keys, or not at all. No commits may have been written since the state that the checkpoint has.
    Other(Option<Arc<Sealing>>),
}

/// A checkpoint's frame that is durable, and what it says.
pub(crate) struct Appended {
    pub(crate) tip: Tip,
    pub(crate) checkpoint: Box<Checkpoint>,
}

impl Engine {
    /// The state between two frames.
    pub(crate) async fn cut(&self) -> Result<Cut> {
        let (waiter, cut) = oneshot::channel();
        {
            let mut newest = self.newest.lock();
            if !newest.ended {
                newest.cuts.push(waiter);
            }
        }
        self.wake.notify_one();
        cut.await.map_err(|_| self.over())
    }

    /// Writes a checkpoint's frame, which is acknowledged as a commit's is.
    pub(crate) async fn append(&self, checkpoint: Box<Checkpoint>) -> Result<Appended> {
        self.append_with(checkpoint, Keys::Same, None).await
    }

    /// Writes the frame of a checkpoint from which on other keys hold. Commits must be [held](Engine::hold) since the
    /// cut that it describes.
    pub(crate) async fn append_rekeyed(
        &self,
        checkpoint: Box<Checkpoint>,
        sealing: Option<Arc<Sealing>>,
    ) -> Result<Appended> {
        self.append_with(checkpoint, Keys::Other(sealing), None).await
    }

    /// Writes a checkpoint's frame, and shows the tables `after` it. If this process had stopped, it writes on then.
    pub(crate) async fn append_mended(
        &self,
        checkpoint: Box<Checkpoint>,
        after: Option<Tables>,
    ) -> Result<Appended> {
        self.append_with(checkpoint, Keys::Same, after).await
    }

    async fn append_with(
        &self,
        checkpoint: Box<Checkpoint>,
        keys: Keys,
        after: Option<Tables>,
    ) -> Result<Appended> {
        let (waiter, appended) = oneshot::channel();
        {
            let mut newest = self.newest.lock();
            if !newest.ended {
                newest.checkpoint = Some(Waiting { checkpoint, keys, after, waiter });
            }
        }
        self.wake.notify_one();
        appended.await.unwrap_or_else(|_| Err(self.over()))
    }

    /// What was written since the last checkpoint; it changes with every frame.
    pub(crate) fn volume(&self) -> watch::Receiver<Volume> {
        self.volume.subscribe()
    }

    /// The last checkpoint that is durable.
    pub(crate) fn last(&self) -> Option<Last> {
        self.last.lock().clone()
    }

    /// A checkpoint is on the chain, whoever wrote it.
    pub(super) fn reached(&self, last: Last) {
        self.covered.fetch_max(last.checkpoint.covers.message.get(), Ordering::Relaxed);
        *self.last.lock() = Some(last);
    }

    /// A checkpoint of this process is durable that describes the state of a cut: the journal up to there is not needed
    /// any more, and neither are the tombstones of each table up to what is to be forgotten.
    pub(crate) fn checkpointed(&self, cut: Volume, last: Last, forgotten: &BTreeMap<TableId, Seq>) {
        self.volume.send_modify(|volume| {
            volume.frames = volume.frames.saturating_sub(cut.frames);
            volume.bytes = volume.bytes.saturating_sub(cut.bytes);
        });
        let checkpoint = Arc::clone(&last.checkpoint);
        self.reached(last);
        self.tables().rebase(&checkpoint.tables, checkpoint.seq);
        let mut newest = self.newest.lock();
        newest.tables.rebase(&checkpoint.tables, checkpoint.seq);
        newest.tables.forget_covered(|table| self.lookups.small_since(table));
        for (&table, &upto) in forgotten {
            newest.tables.forget_deleted(table, upto);
        }
    }

    /// Whether a message of the journal is needed no more because a checkpoint covers it.
    pub(crate) fn covers(&self, message: MessageId) -> bool {
        message.get() <= self.covered.load(Ordering::Relaxed)
    }

    fn over(&self) -> Error {
        let closed = || Error::new(ErrorKind::NotConnected, "the database was closed");
        self.stopped().unwrap_or_else(closed)
    }

    /// Gives the state to those who wait for it: between two frames it is what the tip's says.
    pub(super) fn cut_waiting(&self, writer: &Writer) {
        let waiting = std::mem::take(&mut self.newest.lock().cuts);
        if waiting.is_empty() || self.stopped().is_some() && !self.is_mending() {
            return;
        }
        let past = self.past();
        self.raise_floor(self.tables().seq());
        for waiter in waiting {
            let _ = waiter.send(Cut {
                tables: Tables::clone(&self.tables()),
                position: writer.position(),
                past: past.clone(),
                sealing: writer.sealing(),
                volume: *self.volume.borrow(),
            });
        }
    }

    /// A checkpoint may come that has every commit up to `seq`: rows that change from now on are written whole once more.
    fn raise_floor(&self, seq: Seq) {
        let mut newest = self.newest.lock();
        newest.floor = newest.floor.max(seq);
    }

    /// What earlier openings wrote, and this one, without what was refused.
    fn past(&self) -> Vec<Wrote> {
        let newest = self.newest.lock();
        let mut past = newest.past.clone();
        if let Some(incarnation) = newest.incarnation {
            for (first, last) in without(newest.first, self.tables().seq(), &newest.refused) {
                wrote(&mut past, Wrote { incarnation, first, last });
            }
        }
        past.split_off(past.len().saturating_sub(MAX_PAST))
    }

    /// Writes the frame of a checkpoint that waits.
    pub(super) async fn checkpoint_waiting(&self, writer: &mut Writer) {
        let waiting = self.newest.lock().checkpoint.take();
        let Some(Waiting { mut checkpoint, keys, after, waiter }) = waiting else { return };
        self.raise_floor(checkpoint.seq);
        let mending = self.is_mending();
        if waiter.is_closed() || self.stopped().is_some() && !mending {
            return;
        }
        let before = match keys {
            Keys::Same => None,
            Keys::Other(sealing) => {
                // An objection may have been posted since the cut. It changed no table, but is sealed with the old keys.
                checkpoint.covers = Covers::of(&writer.position());
                Some(writer.rekey(sealing))
            }
        };
        let appended = writer.append(Body::Checkpoint(checkpoint)).await;
        if let (Err(_), Some(before)) = (&appended, before) {
            writer.rekey(before);
        }
        let appended = appended.map_err(|error| {
            let for_good = matches!(error, AppendError::Unknown(_) | AppendError::Fenced(_));
            let error = self.error(error);
            if for_good {
                // What stopped it before is no longer what keeps it from writing.
                self.newest.lock().stopped = None;
                self.stop(&error);
            }
            error
        });
        if mending {
            match &appended {
                Ok(_) => self.mended(after),
                Err(_) => self.stay_stopped(),
            }
        }
        let _ = waiter.send(appended.and_then(|(tip, body)| match body {
            Body::Checkpoint(checkpoint) => Ok(Appended { tip, checkpoint }),
            _ => Err(self.over()),
        }));
    }
}

impl Covers {
    /// The frame at a position of the chain.
    pub(crate) fn of(position: &Position) -> Self {
        let Position { tip, holder, .. } = position;
        Self {
            sum: tip.sum,
            message: tip.message,
            epoch: holder.epoch,
            incarnation: holder.incarnation,
            owner: holder.owner.clone(),
        }
    }
}
