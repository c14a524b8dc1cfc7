//! The channels of the database, against what its tables say they are.

use std::collections::BTreeMap;

use super::report::{Deviation, DeviationKind as Kind};
use super::{Pass, Site};
use crate::codec::frame::Genesis;
use crate::db::layout::{Home, Role};
use crate::error::Result;
use crate::ids::ChannelId;
use crate::tables::Tables;
use crate::transport::{Channel, HistoryPage, Permissions, TransportError, explain};

/// The channels there have to be, by their ids: the table of each, and what it is.
pub(super) fn wanted(genesis: &Genesis, tables: &Tables) -> BTreeMap<ChannelId, (Option<String>, Role)> {
    let mut wanted =
        BTreeMap::from([(genesis.journal, (None, Role::Journal)), (genesis.catalog, (None, Role::Catalog))]);
    for table in tables.iter() {
        for (channel, role) in Role::of_table(table.def()) {
            wanted.insert(channel, (Some(table.def().name.clone()), role));
        }
    }
    wanted
}

impl Pass<'_> {
    /// Compares the guild's channels with those that the database has; gives the channels that can't be read.
    pub(super) async fn channels(&mut self, genesis: &Genesis, tables: &Tables) -> Result<Vec<ChannelId>> {
        let site = self.site;
        self.counts.requests += 1;
        let listed = site.reader.transport.channels(site.guild).await;
        let listed = listed.map_err(|error| explain(&error, "listing the guild's channels"))?;
        let mut home = Home::find(&listed, &site.reader.db);
        home.adopt(genesis);
        let wanted = wanted(genesis, tables);
        let mut unreadable = Vec::new();
        for (id, (table, role)) in &wanted {
            let place = |deviation: Deviation| {
                let placed = deviation.channel(*id);
                table.as_ref().map_or(placed.clone(), |table| placed.table(table))
            };
            match listed.iter().find(|channel| channel.id == *id) {
                Some(channel) => {
                    let found = site.check(channel, role, &home);
                    found.into_iter().for_each(|deviation| self.found(place(deviation)));
                }
                None => {
                    if let Some(deviation) = self.absent(*id).await? {
                        unreadable.push(*id);
                        self.found(place(deviation));
                    }
                }
            }
        }
        // The channels of a renamed table still say its old name, which another one may have by now.
        for (id, role) in home.tagged.iter().filter(|(id, _)| !wanted.contains_key(id)) {
            if let Some((first, (table, _))) = wanted.iter().find(|(_, (_, known))| known == role) {
                let text = format!(
                    "the topic says that this channel is what channel {first} is: a process that was interrupted may \
                     have made it. It is not used: delete it"
                );
                let deviation = Deviation::new(Kind::DuplicateChannel, text).channel(*id);
                self.found(table.as_ref().map_or(deviation.clone(), |table| deviation.table(table)));
            }
        }
        Ok(unreadable)
    }

    /// Why a channel is not listed: deleted or hidden. A list may also lag behind: then it is there.
    async fn absent(&mut self, channel: ChannelId) -> Result<Option<Deviation>> {
        self.counts.requests += 1;
        match self.site.reader.transport.history(channel, HistoryPage::Newest).await {
            Ok(_) => Ok(None),
            Err(TransportError::Missing(_)) => {
                let text =
                    "the channel was deleted: db.heal().await makes another and writes anew what was in it";
                Ok(Some(Deviation::new(Kind::MissingChannel, text)))
            }
            Err(TransportError::Forbidden(_)) => {
                let text = "the channel is hidden from the bot: allow the bot View Channel on it";
                Ok(Some(Deviation::new(Kind::HiddenChannel, text)))
            }
            Err(error) => Err(explain(&error, "looking for a channel").in_channel(channel)),
        }
    }
}

impl Site {
    /// What is wrong with a channel that is there.
    fn check(&self, channel: &Channel, role: &Role, home: &Home) -> Vec<Deviation> {
        let mut found = Vec::new();
        // A table that was renamed keeps its channels as they are.
        let kind = std::mem::discriminant::<Role>;
        if Role::of(channel, &self.reader.db).map(|found| kind(&found)) != Some(kind(role)) {
            let text = format!(
                "the channel's topic is not the one it is found by: set it to {}",
                role.topic(&self.reader.db)
            );
            found.push(Deviation::new(Kind::WrongTopic, text));
        }
        if !channel.parent.is_some_and(|parent| home.categories.iter().any(|(id, _)| *id == parent)) {
            let text =
                "the channel is in no category of the database, which does no harm: move it back if you like";
            found.push(Deviation::new(Kind::MisplacedChannel, text));
        }
        let missing = self.allowed(channel).missing();
        if !missing.is_empty() {
            let text =
                format!("the bot lacks permissions in the channel: allow the bot {}", missing.join(", "));
            found.push(Deviation::new(Kind::MissingPermissions, text));
        }
        let everyone = channel.overwrites.iter().find(|one| !one.member && one.id == self.guild.get());
        if !everyone.is_some_and(|everyone| everyone.deny.contains(Permissions::VIEW_CHANNEL)) {
            let text = "the channel is not hidden any more: everybody in the guild can read the database. Deny \
                        @everyone View Channel";
            found.push(Deviation::new(Kind::ExposedChannel, text));
        }
        found
    }

    /// What the bot may do in a channel, as far as it is certain that it may not: what a role's overwrite allows counts,
    /// because the bot may have the role.
    fn allowed(&self, channel: &Channel) -> Permissions {
        let mut bits = self.permissions.0;
        if self.permissions.contains(Permissions::ADMINISTRATOR) {
            return self.permissions;
        }
        let everyone = |id: u64, member: bool| !member && id == self.guild.get();
        for one in channel.overwrites.iter().filter(|one| everyone(one.id, one.member)) {
            bits = bits & !one.deny.0 | one.allow.0;
        }
        for one in channel.overwrites.iter().filter(|one| !one.member && !everyone(one.id, one.member)) {
            bits |= one.allow.0;
        }
        for one in channel.overwrites.iter().filter(|one| one.member && one.id == self.reader.bot.get()) {
            bits = bits & !one.deny.0 | one.allow.0;
        }
        Permissions(bits)
    }
}
