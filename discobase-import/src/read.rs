//! Reading the Python library's channels. Nothing is changed there.

use std::collections::BTreeSet;

use discobase_core::transport::{Channel, ChannelRole, Guild, HistoryPage, Message, Transport, explain};
use discobase_core::{ChannelId, Error, ErrorKind, GuildId, MessageId, Result};

use crate::layout;
use crate::mapping::plain;
use crate::record::PythonRecord;
use crate::report::Skipped;

/// Which guild.
#[derive(Debug, Clone)]
pub(crate) enum Choice {
    /// The one that the database is in.
    Own,
    Id(GuildId),
    Name(String),
}

/// What the metadata channels tell.
#[derive(Default)]
pub(crate) struct Catalog {
    tables: Vec<Described>,
    pub(crate) unreadable: Vec<Skipped>,
}

/// A table that a metadata message describes.
pub(crate) struct Described {
    pub(crate) name: String,
    pub(crate) channel: ChannelId,
    pub(crate) fields: BTreeSet<String>,
}

/// What the channel of a table holds.
pub(crate) struct Contents {
    pub(crate) records: Vec<PythonRecord>,
    pub(crate) skipped: Vec<Skipped>,
}

/// The guild to read.
pub(crate) async fn guild(
    door: &dyn Transport,
    choice: &Choice,
    own: impl Fn() -> Result<Guild>,
) -> Result<GuildId> {
    let name = match choice {
        Choice::Own => return own().map(|guild| guild.id),
        Choice::Id(id) => return Ok(*id),
        Choice::Name(name) => name,
    };
    let guilds = door.guilds().await.map_err(|error| explain(&error, "listing the guilds"))?;
    let mut fitting = guilds.iter().filter(|guild| guild.name == *name);
    match (fitting.next(), fitting.next()) {
        (Some(guild), None) => Ok(guild.id),
        (None, _) => {
            let text =
                format!("the bot is in no guild that is called {name:?}: invite it, or choose one by its id");
            Err(Error::new(ErrorKind::GuildNotFound, text))
        }
        (Some(_), Some(_)) => {
            let text = format!("the bot is in several guilds that are called {name:?}: choose one by its id");
            Err(Error::new(ErrorKind::AmbiguousGuild, text))
        }
    }
}

/// The tables that the guild's metadata channels describe.
pub(crate) async fn catalog(door: &dyn Transport, guild: GuildId) -> Result<Catalog> {
    let channels = door.channels(guild).await.map_err(|error| explain(&error, "listing the channels"))?;
    let is_metadata =
        |channel: &&Channel| channel.role == ChannelRole::Text && channel.name == layout::METADATA;
    let mut catalog = Catalog::default();
    for channel in channels.iter().filter(is_metadata) {
        for message in messages(door, channel.id).await? {
            match layout::metadata(&message.content) {
                Ok(found) => catalog.tables.push(Described {
                    name: found.name,
                    channel: ChannelId::new(found.table_channel),
                    fields: found.keys.into_iter().collect(),
                }),
                Err(reason) => catalog.unreadable.push(Skipped { message: message.id, field: None, reason }),
            }
        }
    }
    Ok(catalog)
}

impl Catalog {
    /// Takes a table out.
    pub(crate) fn take(&mut self, python: &str, channel: Option<ChannelId>) -> Result<Described> {
        let fits = |table: &Described| match channel {
            Some(channel) => table.channel == channel,
            None => plain(&table.name) == python,
        };
        let mut fitting = self.tables.iter().enumerate().filter(|(_, table)| fits(table));
        match (fitting.next(), fitting.next(), channel) {
            (Some((at, _)), None, _) => Ok(self.tables.swap_remove(at)),
            (Some((_, one)), Some((_, other)), _) => {
                let text = format!(
                    "two tables of the Python library are called {python}, in the channels {} and {}: say which with \
                     Mapping::channel",
                    one.channel, other.channel
                );
                Err(Error::new(ErrorKind::Invalid, text))
            }
            // Its fields are those that its records have.
            (None, _, Some(channel)) => {
                Ok(Described { name: python.to_owned(), channel, fields: BTreeSet::new() })
            }
            (None, _, None) => Err(self.unknown(python)),
        }
    }

    fn unknown(&self, python: &str) -> Error {
        let mut text = format!("the guild has no table {python} of the Python library");
        let unreadable: Vec<String> = self.unreadable.iter().map(|one| one.message.to_string()).collect();
        if !unreadable.is_empty() {
            let list = unreadable.join(", ");
            text = format!(
                "{text}; messages of its metadata that can't be read: {list}, so its channel may be there"
            );
        }
        let known = self.names();
        let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
        let text = format!("{text}; there are: {known}. Say the name with Mapping::named, or the channel");
        Error::new(ErrorKind::UnknownTable, text)
    }

    /// The names of the tables that are left.
    pub(crate) fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = self.tables.iter().map(|table| table.name.clone()).collect();
        names.sort_unstable();
        names
    }
}

/// Reads a table's channel: what it holds are the records, whatever the indexes say.
pub(crate) async fn contents(door: &dyn Transport, channel: ChannelId) -> Result<Contents> {
    let mut contents = Contents { records: Vec::new(), skipped: Vec::new() };
    for message in messages(door, channel).await? {
        match layout::record(&message.content) {
            Ok(fields) => contents.records.push(PythonRecord { message: message.id, fields }),
            Err(reason) => contents.skipped.push(Skipped { message: message.id, field: None, reason }),
        }
    }
    Ok(contents)
}

/// All messages of a channel but the system's, oldest first.
async fn messages(door: &dyn Transport, channel: ChannelId) -> Result<Vec<Message>> {
    let mut all: Vec<Message> = Vec::new();
    let mut last = MessageId::default();
    loop {
        let page = door.history(channel, HistoryPage::After(last)).await;
        let page =
            page.map_err(|error| explain(&error, "reading a channel to import").in_channel(channel))?;
        let Some(newest) = page.last() else { break };
        last = newest.id;
        all.extend(page.into_iter().filter(|message| message.ordinary));
    }
    Ok(all)
}
