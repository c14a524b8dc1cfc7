//! Creating channels: the database's own, and those of its tables.

use std::sync::Arc;

use crate::codec::frame::Genesis;
use crate::db::layout::{Home, Role};
use crate::env::SharedEnv;
use crate::error::{Error, ErrorKind, Result};
use crate::ids::{ChannelId, GuildId, UserId};
use crate::journal::reader::Reader;
use crate::seal::Keychain;
use crate::transport::{Channel, ChannelRole, NewChannel, Transport, TransportError, explain};

/// Makes the channels of one database.
pub(crate) struct Creator {
    pub(crate) transport: Arc<dyn Transport>,
    pub(crate) guild: GuildId,
    pub(crate) bot: UserId,
    pub(crate) db: Arc<str>,
    pub(crate) env: SharedEnv,
    pub(crate) keychain: Arc<Keychain>,
    /// Whether a damaged journal is opened as far as it can be read.
    pub(crate) salvage: bool,
    pub(crate) home: Home,
    /// What this process created, in this order.
    pub(crate) made: Vec<ChannelId>,
}

impl Creator {
    /// Lists the guild's channels anew.
    pub(crate) async fn look(&mut self) -> Result<()> {
        let channels = self.transport.channels(self.guild).await;
        let channels = channels.map_err(|error| explain(&error, "listing the guild's channels"))?;
        self.home = Home::find(&channels, &self.db);
        Ok(())
    }

    /// Reads the journal in a channel.
    pub(crate) fn reader(&self, journal: ChannelId) -> Reader {
        Reader {
            transport: Arc::clone(&self.transport),
            channel: journal,
            bot: self.bot,
            db: Arc::clone(&self.db),
            env: Arc::clone(&self.env),
            keychain: Arc::clone(&self.keychain),
        }
    }

    /// Deletes the channels this process made in vain because another process's genesis won.
    pub(crate) async fn drop_rivals(&mut self, winner: &Genesis) {
        let kept = [winner.journal, winner.catalog, winner.category];
        // A category goes last, so that its channels never lie outside of one.
        for channel in std::mem::take(&mut self.made).into_iter().rev().filter(|made| !kept.contains(made)) {
            if let Err(error) = self.transport.delete_channel(channel).await {
                tracing::warn!(
                    name: "channel_left", target: "discobase::guild", %channel, %error,
                    "a superfluous channel could not be deleted"
                );
            }
            self.home.tagged.retain(|(id, _)| *id != channel);
            self.home.categories.retain(|(id, _)| *id != channel);
        }
    }

    /// The channel with a role: the one there is, or a new one.
    pub(crate) async fn ensure(&mut self, role: &Role) -> Result<ChannelId> {
        if let Some(known) = self.home.get(role) {
            return Ok(known);
        }
        let parent = match self.home.room() {
            Some(category) => category,
            None => self.category().await?,
        };
        let channel = NewChannel {
            role: ChannelRole::Text,
            name: role.channel_name(&self.db),
            topic: role.topic(&self.db),
            parent: Some(parent),
            visible_to: self.bot,
        };
        let made = self.create(channel).await?;
        self.home.tagged.push((made.id, role.clone()));
        if let Some((_, inside)) = self.home.categories.iter_mut().find(|(id, _)| *id == parent) {
            *inside += 1;
        }
        Ok(made.id)
    }

    /// A new category.
    async fn category(&mut self) -> Result<ChannelId> {
        let channel = NewChannel {
            role: ChannelRole::Category,
            name: self.home.next_category(&self.db),
            topic: String::new(),
            parent: None,
            visible_to: self.bot,
        };
        let made = self.create(channel).await?;
        self.home.categories.push((made.id, 0));
        Ok(made.id)
    }

    /// Creates a channel. After an unknown outcome it is looked for, so that none is made twice.
    async fn create(&mut self, new: NewChannel) -> Result<Channel> {
        self.home.total += 1;
        let failed =
            |error: &TransportError, name: &str| explain(error, &format!("creating channel {name:?}"));
        match self.transport.create_channel(self.guild, new.clone()).await {
            Ok(channel) => {
                self.made.push(channel.id);
                Ok(channel)
            }
            Err(error @ TransportError::Unknown(_)) => {
                let channels = self.transport.channels(self.guild).await;
                let channels = channels.map_err(|error| failed(&error, &new.name))?;
                let is_it = |channel: &&Channel| {
                    channel.role == new.role
                        && channel.parent == new.parent
                        && channel.topic == new.topic
                        && channel.name == new.name
                };
                channels.iter().find(is_it).cloned().ok_or_else(|| failed(&error, &new.name))
            }
            Err(error) if error.code() == Some(30_013) => Err(Error::new(
                ErrorKind::GuildFull,
                "the guild has 500 channels, as many as Discord allows: delete channels or use another guild",
            )),
            Err(error) => Err(failed(&error, &new.name)),
        }
    }
}
