//! What a writer does when messages of the journal were deleted: it checks what is left, and may be made to go on.

use crate::codec::frame::Body;
use crate::env;
use crate::error::{Error, ErrorKind};
use crate::ids::Seq;
use crate::journal::history::{History, read_history, read_whole};
use crate::journal::reader::read_error;
use crate::journal::rules::Ending;
use crate::journal::writer::{AppendError, Writer};

/// What a check of the journal came to, if that is no damage.
pub(crate) enum Checked {
    /// It says what was written.
    Whole,
    /// It could not be read.
    Unread,
    /// Another process has gone on from what was written. This writer is done.
    Overtaken(AppendError),
}

impl Writer {
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
            let text = "another process has opened the database since frames were deleted: what was in them is in this \
                        process's memory only. Read it from here, close the database and open it again";
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

    /// Reads the whole journal, because a message of it was deleted: whether it still says what was written, commits up to
    /// `seq`.
    ///
    /// # Errors
    /// `Damaged` or `Corrupt`, if it does not; nothing more is written then.
    pub(crate) async fn verify(&mut self, seq: Seq) -> Result<Checked, Error> {
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
            Ok(Some(history)) if whole(&history) => return Ok(Checked::Whole),
            // A tip that is there was not deleted: the chain has gone another way.
            Ok(Some(history)) if history.scan.shows(tip.sum) || self.is_overtaken(&history, seq) => {
                self.owner.fence(&self.owner.holder().clone());
                return Ok(Checked::Overtaken(self.ended()));
            }
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
                    "the journal could not be checked after a message of it was deleted: it is checked again later"
                );
                return Ok(Checked::Unread);
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

    /// Whether another process followed this one and wrote a checkpoint in its own term, so that the journal begins behind
    /// this one's tip. If the checkpoint has less than was written up to `seq`, the newest frames had been deleted before.
    fn is_overtaken(&self, history: &History, seq: Seq) -> bool {
        let checkpoint = history.scan.frame(history.base.link.sum).map(|frame| &frame.body);
        // What is sealed tells here of no number.
        let less = matches!(checkpoint, Some(Body::Checkpoint(checkpoint)) if checkpoint.seq < seq);
        history.base.start.holder.epoch > self.owner.holder().epoch && !less
    }
}
