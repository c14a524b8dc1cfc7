//! A guild that holds what the Python library writes, and a database beside it.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE;
use discobase_core::{ChannelId, Database, MessageId, Table};
use discobase_guild::state::NewChannel;
use discobase_guild::{Limits, LocalGuild, Rate};
use serde_json::{Value as Json, json};

/// A guild.
pub(crate) struct Shelf {
    pub(crate) guild: LocalGuild,
    /// Where the Python library's channels are.
    home: u64,
    /// Who writes there.
    author: u64,
}

impl Shelf {
    /// In the guild that the database is in, too.
    pub(crate) async fn new() -> Self {
        // Only what nobody announces is unlimited; the transport counts with what it is told.
        let rate = Some(Rate { count: 10_000, window_ms: 5_000 });
        let guild =
            LocalGuild::builder().limits(Limits { message_create: rate, ..Limits::unlimited() }).start();
        let guild = guild.await.unwrap();
        let (home, author) = (guild.guild_id(), guild.application_id());
        Self { guild, home, author }
    }

    /// The same in a second guild of this name, with the bot in it.
    pub(crate) fn move_to(&mut self, name: &str) -> u64 {
        let (owner, bot) = (self.guild.owner_id(), self.author);
        self.home = self.guild.with_state(|state, now_ms| {
            let guild = state.add_guild(now_ms, name, owner);
            state.join(now_ms, guild, bot, discobase_guild::state::permission::BOT_DEFAULT);
            guild
        });
        self.home
    }

    /// From here on another bot writes.
    pub(crate) fn written_by_another_bot(&mut self) {
        let home = self.home;
        self.author = self.guild.with_state(|state, now_ms| {
            let bot = state.add_bot(now_ms, "python", "local.python.token");
            state.join(now_ms, home, bot, discobase_guild::state::permission::BOT_DEFAULT);
            bot
        });
    }

    pub(crate) fn channel(&self, name: &str) -> ChannelId {
        let new = NewChannel { name: name.to_owned(), ..NewChannel::default() };
        let (author, home) = (self.author, self.home);
        let made = self.guild.with_state(|state, now_ms| state.create_channel(now_ms, author, home, new));
        ChannelId::new(made.unwrap().id)
    }

    pub(crate) fn post(&self, channel: ChannelId, content: &str) -> MessageId {
        MessageId::new(self.guild.post_as(self.author, channel.get(), content).unwrap().message.id)
    }

    /// A record, as the library writes it.
    pub(crate) fn record(&self, channel: ChannelId, fields: &Json) -> MessageId {
        let content = URL_SAFE.encode(fields.to_string());
        self.post(channel, &json!({ "content": content }).to_string())
    }

    /// A table with these records, in a guild that has no table yet.
    pub(crate) fn table(&self, name: &str, keys: &[&str], records: &[Json]) -> (ChannelId, Vec<MessageId>) {
        self.table_in(self.channel("_dbmetadata"), name, keys, records)
    }

    /// A table with these records, its metadata in this channel.
    pub(crate) fn table_in(
        &self,
        metadata: ChannelId,
        name: &str,
        keys: &[&str],
        records: &[Json],
    ) -> (ChannelId, Vec<MessageId>) {
        let channel = self.channel(name);
        let about = json!({
            "name": name, "keys": keys, "table_channel": channel.get(), "index_channels": {}, "current_records": 0,
            "max_records": 4, "time_table": {}, "message_id": 1,
        });
        self.post(metadata, &about.to_string());
        (channel, records.iter().map(|record| self.record(channel, record)).collect())
    }

    /// What all channels of the Python library's guild hold, but those of a discobase.
    pub(crate) fn contents(&self) -> Vec<(u64, String)> {
        let home = self.home;
        self.guild.with_state(|state, _| {
            let channels: Vec<_> = state.channels_of(home).filter(|one| one.parent_id.is_none()).collect();
            let messages = channels.iter().flat_map(|channel| state.messages_in(channel.id));
            messages.map(|message| (message.id, message.content.clone())).collect()
        })
    }

    /// A database with one table.
    pub(crate) async fn database<T: Table>(&self) -> Database {
        self.opened(|db| db.table::<T>().map(drop)).await
    }

    /// A database with some tables.
    pub(crate) async fn opened(
        &self,
        tables: impl FnOnce(&Database) -> discobase_core::Result<()>,
    ) -> Database {
        let home = self.guild.guild_id();
        let db = Database::builder("new").timing(0, 0, 60_000).guild_id(home).build();
        tables(&db).unwrap();
        db.connect_guild(&self.guild).await.unwrap();
        db
    }
}
