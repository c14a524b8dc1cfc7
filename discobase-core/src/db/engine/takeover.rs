//! Taking over: a follower becomes the writer, because it is told to, or because the journal has been silent.

use tokio::sync::oneshot;

use crate::db::engine::Engine;
use crate::db::engine::follow::Agenda;
use crate::env;
use crate::error::{Error, ErrorKind, Result};
use crate::journal::owner;
use crate::journal::rules::reopens;
use crate::journal::tail::Follower;
use crate::journal::writer::{AppendError, Writer};

impl Engine {
    /// Takes over because somebody asked for it, and tells them how it ended.
    pub(super) async fn promoted(
        &self,
        follower: &mut Follower,
        agenda: &mut Agenda,
        waiters: Vec<oneshot::Sender<Result<()>>>,
    ) -> Option<Box<Writer>> {
        let result = self.take_over(follower, agenda).await;
        let told = result.as_ref().map(|_| ()).map_err(Clone::clone);
        for waiter in waiters {
            // A caller that went away needs no answer.
            let _ = waiter.send(told.clone());
        }
        result.ok()
    }

    /// Takes over if that was ordered and the tip has been the tip for long enough.
    pub(super) async fn stand_in(&self, follower: &mut Follower, agenda: &mut Agenda) -> Option<Box<Writer>> {
        let patience = self.stand_by?;
        let now = self.env.monotonic();
        if self.progress.lock().trouble.is_some() {
            return None;
        }
        let left = patience.saturating_sub(follower.silence());
        let due = (now + left).max(agenda.takeover);
        if due > now {
            agenda.read = agenda.read.min(due);
            return None;
        }
        match self.take_over(follower, agenda).await {
            Ok(writer) => Some(writer),
            Err(error) => {
                tracing::warn!(
                    name: "takeover_failed", target: "discobase::engine", %error,
                    "the database was not taken over"
                );
                None
            }
        }
    }

    /// Posts an `open` at the tip and waits until the term is certain. After a failure this process follows on.
    async fn take_over(&self, follower: &mut Follower, agenda: &mut Agenda) -> Result<Box<Writer>> {
        let now = self.env.monotonic();
        if now < agenda.takeover {
            let left = (agenda.takeover - now).as_secs() + 1;
            let text = format!(
                "another process kept the database when this one last tried to take it over: try again in {left} s"
            );
            return Err(Error::new(ErrorKind::Fenced, text).in_channel(self.journal));
        }
        if !self.catch_up(follower, agenda).await {
            let trouble = self.progress.lock().trouble.clone();
            return Err(trouble.unwrap_or_else(|| self.kept()));
        }
        let opened = self.open(follower, agenda).await;
        match &opened {
            Ok(writer) => self.become_writer(writer),
            Err(_) => {
                agenda.takeover = self.env.monotonic() + follower.interval() * 2;
                self.look();
            }
        }
        opened
    }

    async fn open(&self, follower: &mut Follower, agenda: &mut Agenda) -> Result<Box<Writer>> {
        let mut writer = match self.post_open(follower).await {
            Err(error) if matches!(error.kind(), ErrorKind::Fenced | ErrorKind::Damaged) => {
                // The last frame of a process that is gone may not have been visible yet. One that is deleted may have been
                // trimmed.
                let before = follower.position().clone();
                env::sleep(&*self.env, follower.position().timing.settle()).await;
                let caught_up = self.catch_up(follower, agenda).await;
                let moved = follower.position().tip.sum != before.tip.sum;
                if !caught_up || !reopens(&before, follower.position()) {
                    return Err(if moved || error.kind() == ErrorKind::Fenced { self.kept() } else { error });
                }
                self.post_open(follower).await?
            }
            opened => opened?,
        };
        match writer.settle_fully().await {
            Ok(()) => Ok(writer),
            Err(AppendError::Fenced(_)) => Err(self.kept()),
            Err(error) => Err(self.error(error)),
        }
    }

    async fn post_open(&self, follower: &Follower) -> Result<Box<Writer>> {
        let (reader, position) = (follower.reader.clone(), follower.position().clone());
        let sealing = follower.sealing.clone();
        let writer = owner::open(reader, &self.owner, position, follower.newest(), sealing).await?;
        Ok(Box::new(writer))
    }

    fn kept(&self) -> Error {
        let text = "another process is alive and keeps the database: this one follows it on. Close the database there \
                    first, or try again later";
        Error::new(ErrorKind::Fenced, text).in_channel(self.journal)
    }
}
