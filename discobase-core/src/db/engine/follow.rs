//! Following: what the owner posts is heard or read, applied and shown, until this process is told to take over.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::oneshot;

use crate::batch::{Commit, Op};
use crate::codec::binary::commit_size;
use crate::codec::checkpoint::Wrote;
use crate::codec::frame::{Body, Frame};
use crate::codec::sealed;
use crate::db::engine::Engine;
use crate::db::engine::checkpoint::Last;
use crate::db::engine::role::Role;
use crate::env::{self, heavy};
use crate::error::{Error, ErrorKind, Result};
use crate::ids::ChannelId;
use crate::journal::chain::Link;
use crate::journal::tail::{Broken, Follower, Heard, Tail, rolled_back};
use crate::journal::writer::Writer;
use crate::lookup::Lookups;
use crate::replay::{Volume, replay, unopened};
use crate::seal::Sealing;
use crate::tables::Tables;
use crate::transport::Message;

/// What waits for a follower.
#[derive(Default)]
pub(super) struct Inbox {
    /// Messages of the journal that the gateway brought, each with when, on the monotonic clock.
    pub(super) heard: VecDeque<(Duration, Message)>,
    /// Who asked this process to take over.
    pub(super) promoting: Vec<oneshot::Sender<Result<()>>>,
}

/// The most messages that wait: beyond them a read of the tail has to do.
const HEARD: usize = 1_024;
/// How long after a failed read the next one is made.
const RETRY: Duration = Duration::from_secs(5);
/// Deletions come in bursts, and each costs a reading of the whole journal: at most one in this time.
const CHECKS: Duration = Duration::from_secs(10);

/// When what is due, on the monotonic clock.
pub(super) struct Agenda {
    /// A read of the tail.
    pub(super) read: Duration,
    /// The next reading of the whole journal, if one is wanted.
    check: Duration,
    /// The next attempt to take over.
    pub(super) takeover: Duration,
    /// The journal seems to have lost frames that were applied: they may only not be visible yet.
    suspect: bool,
    /// Frames were read that could not be applied: what can be read here is behind the tip until the whole journal is
    /// loaded anew. Nothing may be made of the frames that follow, and this process may not take over.
    stranded: bool,
}

/// What a follower does next.
enum Errand {
    Close,
    TakeOver(Vec<oneshot::Sender<Result<()>>>),
    Hear(Duration, Message),
    Check,
    Read,
    Wait(Duration),
}

impl Engine {
    /// Follows until the database is closed, or this process is its writer.
    pub(super) async fn follow_all(&self, mut follower: Box<Follower>) -> Option<Box<Writer>> {
        let now = self.env.monotonic();
        let read = now + follower.interval();
        let mut agenda = Agenda { read, check: now, takeover: now, suspect: false, stranded: false };
        self.progress.lock().complete = follower.complete();
        loop {
            match self.errand(&agenda) {
                Errand::Close => return None,
                Errand::TakeOver(waiters) => {
                    if let Some(writer) = self.promoted(&mut follower, &mut agenda, waiters).await {
                        return Some(writer);
                    }
                }
                Errand::Hear(at, message) => self.hear(&mut follower, &mut agenda, message, at).await,
                Errand::Check => self.check(&mut follower, &mut agenda).await,
                Errand::Read => {
                    self.catch_up(&mut follower, &mut agenda).await;
                    if let Some(writer) = self.stand_in(&mut follower, &mut agenda).await {
                        return Some(writer);
                    }
                }
                Errand::Wait(until) => {
                    // Whoever wakes this task has left an errand.
                    let _ = env::until(&*self.env, until, self.wake.notified()).await;
                }
            }
        }
    }

    /// What is to be done now.
    fn errand(&self, agenda: &Agenda) -> Errand {
        let now = self.env.monotonic();
        let mut newest = self.newest.lock();
        if newest.closing {
            return Errand::Close;
        }
        let mut inbox = self.inbox.lock();
        if !inbox.promoting.is_empty() {
            return Errand::TakeOver(std::mem::take(&mut inbox.promoting));
        }
        if let Some((at, message)) = inbox.heard.pop_front() {
            return Errand::Hear(at, message);
        }
        if newest.doubt && agenda.check <= now {
            newest.doubt = false;
            return Errand::Check;
        }
        if newest.look || agenda.read <= now {
            newest.look = false;
            return Errand::Read;
        }
        Errand::Wait(if newest.doubt { agenda.read.min(agenda.check) } else { agenda.read })
    }

    /// Keeps a message of the journal that the gateway brought, for the follower to look at.
    pub(crate) fn heard(&self, message: Message) {
        let mut inbox = self.inbox.lock();
        if inbox.heard.len() < HEARD {
            inbox.heard.push_back((self.env.monotonic(), message));
            drop(inbox);
            self.wake.notify_one();
        } else {
            drop(inbox);
            self.look();
        }
    }

    async fn hear(&self, follower: &mut Follower, agenda: &mut Agenda, message: Message, at: Duration) {
        if agenda.stranded {
            return;
        }
        match follower.hear(message, at).await {
            Heard::Next(next) => {
                let shown = self.show_frames(follower, agenda, vec![*next]).await;
                self.progressed(follower, shown);
            }
            // One read does for all that wait.
            Heard::Read => agenda.read = Duration::ZERO,
            Heard::Nothing => {}
        }
    }

    /// Reads the tail and shows what it brings. True if nothing follows any more.
    pub(super) async fn catch_up(&self, follower: &mut Follower, agenda: &mut Agenda) -> bool {
        if agenda.stranded && !self.rescue(follower, agenda).await {
            return false;
        }
        let (again, result) = match follower.read().await {
            Err(error) => (Some(RETRY), Err(error)),
            Ok(Tail { frames, again, broken }) => {
                let shown = self.show_frames(follower, agenda, frames).await;
                let result = match (shown, broken) {
                    (Err(error), _) | (Ok(()), Some(Broken::Unreadable(error))) => Err(error),
                    (Ok(()), Some(Broken::Gap)) => self.reload(follower, agenda).await,
                    (Ok(()), None) => Ok(()),
                };
                (again, result)
            }
        };
        let interval = follower.interval();
        agenda.read = self.env.monotonic() + again.map_or(interval, |again| again.min(interval));
        let complete = again.is_none() && result.is_ok() && !agenda.stranded && !agenda.suspect;
        self.progressed(follower, result);
        complete
    }

    /// Loads the journal anew, because frames were read and not applied. True if that is mended.
    async fn rescue(&self, follower: &mut Follower, agenda: &mut Agenda) -> bool {
        let loaded = self.reload(follower, agenda).await;
        agenda.read = self.env.monotonic() + follower.interval();
        if !agenda.stranded || loaded.is_err() {
            self.progressed(follower, loaded);
        }
        !agenda.stranded
    }

    /// Reads the whole journal, because a message of it was deleted.
    async fn check(&self, follower: &mut Follower, agenda: &mut Agenda) {
        let result = match follower.is_whole().await {
            Ok(true) if !agenda.stranded => {
                agenda.suspect = false;
                Ok(())
            }
            Ok(_) => self.reload(follower, agenda).await,
            Err(error) => Err(error),
        };
        agenda.check = agenda.check.max(self.env.monotonic() + CHECKS);
        self.progressed(follower, result);
    }

    /// Loads the journal anew, because what follows the tip is not there: it was trimmed, or deleted. The difference
    /// becomes visible as one change.
    async fn reload(&self, follower: &mut Follower, agenda: &mut Agenda) -> Result<()> {
        let began = self.env.monotonic();
        let channel = self.journal;
        let Some(replayed) = replay(&follower.reader, Some(&self.lazy())).await? else {
            let text = "the journal shows no genesis frame any more: its messages were deleted, or the bot may not read \
                        the channel's history";
            return Err(Error::new(ErrorKind::Damaged, text).in_channel(channel));
        };
        if replayed.tables.seq() < self.tables().seq() {
            let timing = follower.position().timing;
            if !std::mem::replace(&mut agenda.suspect, true) {
                // What the gateway brought a moment ago may not be visible in the history yet.
                agenda.check = began + timing.settle();
                self.newest.lock().doubt = true;
                return Ok(());
            }
            if replayed.position.tip.message <= follower.position().tip.message {
                return Err(rolled_back(follower.position()).in_channel(channel));
            }
            tracing::error!(
                name: "taken_back", target: "discobase::journal",
                %channel, seen = %self.tables().seq(), seq = %replayed.tables.seq(),
                "the journal goes on without frames that had been read: what they held is taken back");
        }
        (agenda.suspect, agenda.stranded) = (false, false);
        self.load_as_visible(&replayed.tables).await?;
        tracing::info!(
            name: "reloaded", target: "discobase::journal", %channel, seq = %replayed.tables.seq(),
            "the journal was loaded anew"
        );
        self.newest.lock().past = replayed.past;
        self.volume.send_replace(replayed.volume);
        let sum = replayed.base.link.sum;
        replayed.checkpoint.into_iter().for_each(|checkpoint| self.reached(Last { sum, checkpoint }));
        self.show_difference(replayed.tables);
        self.redefined.fetch_add(1, Ordering::Release);
        follower.sealing = replayed.sealing;
        follower.restart(replayed.position, replayed.newest, began);
        Ok(())
    }

    /// How often another process's commits have changed tables, as far as is visible.
    pub(crate) fn redefined(&self) -> u64 {
        self.redefined.load(Ordering::Acquire)
    }

    /// Keeps what is known of following.
    fn progressed(&self, follower: &Follower, result: Result<()>) {
        let mut progress = self.progress.lock();
        progress.complete = follower.complete();
        match result {
            Ok(()) => {
                if progress.trouble.take().is_some() {
                    tracing::info!(
                        name: "following_again", target: "discobase::journal", channel = %self.journal,
                        "the journal can be followed again"
                    );
                }
            }
            Err(error) => {
                if progress.trouble.is_none() {
                    tracing::error!(
                        name: "following_failed", target: "discobase::journal", %error,
                        "the journal can't be followed: what was known before is served"
                    );
                }
                progress.trouble = Some(error);
            }
        }
    }

    /// Makes the state after frames of the chain visible. If one of them makes no sense, only reading everything anew
    /// can tell: the key may have been changed, or the journal is damaged.
    async fn show_frames(
        &self,
        follower: &mut Follower,
        agenda: &mut Agenda,
        frames: Vec<(Link, Frame)>,
    ) -> Result<()> {
        match self.apply(follower.sealing.clone(), frames).await {
            Ok(()) => Ok(()),
            Err(error) => {
                tracing::warn!(
                    name: "frame_not_applied", target: "discobase::journal", %error,
                    "a frame could not be applied: loading the journal anew"
                );
                agenda.stranded = true;
                self.reload(follower, agenda).await
            }
        }
    }

    async fn apply(&self, sealing: Option<Arc<Sealing>>, frames: Vec<(Link, Frame)>) -> Result<()> {
        let (after, channel) = (Tables::clone(&self.tables()), self.journal);
        let volume = *self.volume.borrow();
        let lookups = Arc::clone(&self.lookups);
        let apply = move || applied(after, volume, &frames, sealing.as_deref(), channel, &lookups);
        // A frame may hold thousands of commits, and others use this thread too.
        let Some(applied) = heavy(&self.env, apply).await else {
            return Err(Error::new(ErrorKind::Damaged, "applying the journal failed").in_channel(channel));
        };
        let Applied { after, commits, past, volume, last } =
            applied.map_err(|error| error.in_channel(channel))?;
        self.volume.send_replace(volume);
        last.into_iter().for_each(|last| self.reached(last));
        if !commits.is_empty() {
            self.newest.lock().remember(past);
            self.counters.followed.add(commits.len() as u64);
            self.show(after, &commits);
            let redefines = |op: &Op| matches!(op, Op::Schema(_) | Op::Alter(_) | Op::Drop { .. });
            if commits.iter().any(|commit| commit.ops.iter().any(redefines)) {
                self.redefined.fetch_add(1, Ordering::Release);
            }
        }
        Ok(())
    }

    /// This process is the writer now, on top of what is visible.
    pub(super) fn become_writer(&self, writer: &Writer) {
        let tables = Tables::clone(&self.tables());
        let mut newest = self.newest.lock();
        // All that is visible is decided; otherwise a refused commit would wait for it.
        self.decided.set(tables.seq());
        newest.begin(tables, writer.incarnation());
        let Inbox { promoting, .. } = std::mem::take(&mut *self.inbox.lock());
        drop(newest);
        self.role.send_replace(Role::Writer);
        // Who asked for it while this process took over by itself has what they asked for.
        for waiter in promoting {
            let _ = waiter.send(Ok(()));
        }
        tracing::info!(
            name: "took_over", target: "discobase::engine", channel = %self.journal, seq = %self.tables().seq(),
            "this process took the database over"
        );
    }
}

/// What frames did.
struct Applied {
    after: Tables,
    commits: Vec<Commit>,
    past: Vec<Wrote>,
    /// What was written since the last checkpoint.
    volume: Volume,
    /// The last checkpoint among them.
    last: Option<Last>,
}

fn applied(
    mut after: Tables,
    mut volume: Volume,
    frames: &[(Link, Frame)],
    sealing: Option<&Sealing>,
    journal: ChannelId,
    lookups: &Lookups,
) -> Result<Applied> {
    let (mut commits, mut past, mut last) = (Vec::new(), Vec::new(), None);
    for (link, frame) in frames {
        let body = sealed::open(frame, sealing, journal);
        let body = body.map_err(|error| unopened(&error).in_message(link.message))?;
        let batch = match &*body {
            Body::Data(batch) => batch,
            Body::Checkpoint(checkpoint) if checkpoint.seq > after.seq() => {
                let text = "a checkpoint takes the place of frames that were deleted: reading from it";
                return Err(Error::new(ErrorKind::Damaged, text).in_message(link.message));
            }
            Body::Checkpoint(checkpoint) => {
                after.rebase(&checkpoint.tables, checkpoint.seq);
                after.forget_covered(|table| lookups.small_since(table));
                last = Some(Last { sum: link.sum, checkpoint: Arc::from(checkpoint.clone()) });
                volume = Volume::default();
                continue;
            }
            _ => continue,
        };
        volume.add(batch.iter().map(|commit| commit_size(commit) as u64).sum());
        if let (Some(first), Some(last)) = (batch.first(), batch.last()) {
            let incarnation = link.header.incarnation;
            past.push(Wrote { incarnation, first: first.seq, last: last.seq });
        }
        for commit in batch {
            after.apply(commit).map_err(|error| {
                let text = format!("a frame of the journal can't be applied: {error}");
                Error::new(ErrorKind::Corrupt, text).in_message(link.message)
            })?;
        }
        commits.extend(batch.iter().cloned());
    }
    Ok(Applied { after, commits, past, volume, last })
}
