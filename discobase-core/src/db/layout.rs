//! Where a database lives in its guild: names, topics, categories.
//!
//! Names are for people; a channel is found by the tag in its topic, and after creation by its id.

use std::collections::{HashMap, HashSet};

use crate::batch::{IndexDef, TableDef};
use crate::codec::frame::Genesis;
use crate::codec::text::write_text;
use crate::error::{Error, ErrorKind, Result};
use crate::ids::ChannelId;
use crate::transport::{Channel, ChannelRole, Overwrite, Permissions};

/// The most channels a guild may have, categories included (Discord docs, "Opcodes and Status Codes": 30013).
pub(crate) const GUILD_CHANNELS: usize = 500;
/// The most channels a category may have (Discord docs, "Channel": parent_id).
pub(crate) const CATEGORY_CHANNELS: usize = 50;
/// The most characters a channel's name may have (Discord docs, "Channel": name).
const CHANNEL_NAME: usize = 100;
/// The most characters a topic may have (Discord docs, "Channel": topic).
const TOPIC: usize = 1_024;

/// What a channel is in its database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Role {
    Journal,
    Catalog,
    /// The rows of a table.
    Table(String),
    /// The entries of one of a table's indexes, named by the plain channel name.
    Index {
        table: String,
        channel: String,
    },
}

impl Role {
    fn tags(&self) -> Vec<(&'static str, &str)> {
        match self {
            Self::Journal => vec![("role", "journal")],
            Self::Catalog => vec![("role", "catalog")],
            Self::Table(name) => vec![("role", "table"), ("table", name)],
            Self::Index { table, channel } => vec![("role", "index"), ("table", table), ("index", channel)],
        }
    }

    /// The channels of a table, with what they are.
    pub(crate) fn of_table(def: &TableDef) -> Vec<(ChannelId, Self)> {
        let mut roles = vec![(def.channel, Self::Table(def.name.clone()))];
        roles.extend(def.indexes.iter().map(|index| (index.channel, Self::of_index(def, index))));
        roles
    }

    /// An index's channel is named after its table and its columns.
    fn of_index(def: &TableDef, index: &IndexDef) -> Self {
        let columns = index.columns.iter().filter_map(|&column| def.columns.get(column));
        let columns: Vec<&str> = columns.map(|column| column.name.as_str()).collect();
        let channel = format!("{}_{}", def.name, columns.join("_"));
        Self::Index { table: def.name.clone(), channel }
    }

    /// The plain name of the role's channel in a database.
    fn name(&self, db: &str) -> String {
        match self {
            Self::Journal => format!("{db}_journal"),
            Self::Catalog => format!("{db}_metadata"),
            Self::Table(name) | Self::Index { channel: name, .. } => name.clone(),
        }
    }

    /// The name Discord will give the role's channel.
    pub(crate) fn channel_name(&self, db: &str) -> String {
        normalise(&self.name(db))
    }

    /// The tag by which the role's channel is found again.
    pub(crate) fn topic(&self, db: &str) -> String {
        let mut topic = String::from("{\"discobase\":1,\"db\":");
        write_text(&mut topic, db);
        for (tag, value) in self.tags() {
            topic.push(',');
            write_text(&mut topic, tag);
            topic.push(':');
            write_text(&mut topic, value);
        }
        topic.push('}');
        topic
    }

    /// The role that a channel's topic tags it with, in the database `db`.
    pub(crate) fn of(channel: &Channel, db: &str) -> Option<Self> {
        if channel.role != ChannelRole::Text {
            return None;
        }
        let json: serde_json::Value = serde_json::from_str(&channel.topic).ok()?;
        if json.get("discobase")?.as_u64()? != 1 || json.get("db")?.as_str()? != db {
            return None;
        }
        let tag = |name: &str| json.get(name)?.as_str().map(str::to_owned);
        match json.get("role")?.as_str()? {
            "journal" => Some(Self::Journal),
            "catalog" => Some(Self::Catalog),
            "table" => Some(Self::Table(tag("table")?)),
            "index" => Some(Self::Index { table: tag("table")?, channel: tag("index")? }),
            _ => None,
        }
    }
}

/// A name as Discord makes it when a text channel gets it: in lower case, white space as `-`, no run of `-`.
pub(crate) fn normalise(name: &str) -> String {
    let mut normal = String::new();
    for character in name.trim().chars().flat_map(char::to_lowercase) {
        let character = if character.is_whitespace() { '-' } else { character };
        if character != '-' || !normal.ends_with('-') {
            normal.push(character);
        }
    }
    normal.trim_matches('-').to_owned()
}

/// Refuses a database name that Discord could not keep.
pub(crate) fn check_name(db: &str) -> Result<()> {
    let invalid = |text: String| Err(Error::new(ErrorKind::Invalid, text));
    if db.trim() != db || normalise(db).is_empty() {
        return invalid(format!("the database name {db:?} must not be empty or have spaces around it"));
    }
    if db.chars().any(char::is_control) {
        return invalid(format!("the database name {db:?} must not contain control characters"));
    }
    let longest = "x".repeat(CHANNEL_NAME);
    let longest = Role::Index { table: longest.clone(), channel: longest };
    if Role::Catalog.channel_name(db).chars().count() > CHANNEL_NAME || longest.topic(db).len() > TOPIC {
        return invalid(format!(
            "the database name {db:?} is too long: its channels' names and topics would pass Discord's limits"
        ));
    }
    Ok(())
}

/// The channels of a guild that belong to one database.
#[derive(Debug, Clone, Default)]
pub(crate) struct Home {
    /// Every channel of the database with its role.
    pub(crate) tagged: Vec<(ChannelId, Role)>,
    /// How many of the database's channels are in each category.
    inside: HashMap<ChannelId, usize>,
    /// The categories that the database spilled into.
    spilled: HashSet<ChannelId>,
    /// Its categories, with the number of channels, of whomever, in each: the first, and those it spilled into.
    pub(crate) categories: Vec<(ChannelId, usize)>,
    /// Every category of the guild, with the number of channels in it.
    every: HashMap<ChannelId, usize>,
    /// How many channels the guild has, of any kind.
    pub(crate) total: usize,
}

impl Home {
    /// Finds the database's channels among the guild's.
    pub(crate) fn find(channels: &[Channel], db: &str) -> Self {
        let mut tagged = Vec::new();
        let mut own = HashMap::new();
        for channel in channels {
            if let Some(role) = Role::of(channel, db) {
                tagged.push((channel.id, role));
                if let Some(parent) = channel.parent {
                    *own.entry(parent).or_insert(0) += 1;
                }
            }
        }
        // Of two channels with one role the older is the one that counts.
        tagged.sort_by_key(|(id, _)| *id);
        let inside = |category: ChannelId| channels.iter().filter(|one| one.parent == Some(category)).count();
        // Somebody may have renamed it. One that people made for channels of ours has no overwrite of a member's own.
        let renamed = |category: &Channel| {
            let allows = |one: &Overwrite| one.member && one.allow.contains(Permissions::VIEW_CHANNEL);
            category.name != db
                && own.get(&category.id) == Some(&inside(category.id))
                && category.overwrites.iter().any(allows)
        };
        let number = |category: &Channel| {
            spilled(&category.name, db).or_else(|| renamed(category).then_some(usize::MAX))
        };
        let is_ours = |channel: &&Channel| {
            channel.role == ChannelRole::Category
                && own.contains_key(&channel.id)
                && (channel.name == db || number(channel).is_some())
        };
        let mut categories: Vec<&Channel> = channels.iter().filter(is_ours).collect();
        categories.sort_by_key(|category| (number(category).unwrap_or(1), category.id));
        let spilled = categories.iter().filter(|category| number(category).is_some());
        let every = channels.iter().filter(|one| one.role == ChannelRole::Category);
        Self {
            every: every.map(|category| (category.id, inside(category.id))).collect(),
            categories: categories.iter().map(|category| (category.id, inside(category.id))).collect(),
            spilled: spilled.map(|category| category.id).collect(),
            tagged,
            total: channels.len(),
            inside: own,
        }
    }

    /// The journals, the oldest first: more than one only while two processes create the database at once.
    pub(crate) fn journals(&self) -> Vec<ChannelId> {
        self.tagged.iter().filter(|(_, role)| *role == Role::Journal).map(|(id, _)| *id).collect()
    }

    /// The channel with a role.
    pub(crate) fn get(&self, role: &Role) -> Option<ChannelId> {
        self.tagged.iter().find(|(_, one)| one == role).map(|(id, _)| *id)
    }

    /// Leaves out what a process made that lost the race for creating the database: it is being deleted.
    pub(crate) fn adopt(&mut self, genesis: &Genesis) {
        let kept = |(id, role): &(ChannelId, Role)| match role {
            Role::Journal => *id == genesis.journal,
            Role::Catalog => *id == genesis.catalog,
            Role::Table(_) | Role::Index { .. } => true,
        };
        self.tagged.retain(kept);
        let Self { categories, spilled, .. } = self;
        categories.retain(|(id, _)| *id == genesis.category || spilled.contains(id));
        self.recognise(genesis);
    }

    /// Leaves out channels that belong to tables already, under whatever names.
    pub(crate) fn leave(&mut self, used: &HashSet<ChannelId>) {
        self.tagged.retain(|(id, _)| !used.contains(id));
    }

    /// Counts the first category in, whatever name somebody has given it since.
    pub(crate) fn recognise(&mut self, genesis: &Genesis) {
        let known = self.categories.iter().any(|(id, _)| *id == genesis.category);
        if !known && let Some(&inside) = self.every.get(&genesis.category) {
            self.categories.insert(0, (genesis.category, inside));
        }
    }

    /// Whether there is a category of this id, in the guild.
    pub(crate) fn has_category(&self, category: ChannelId) -> bool {
        self.every.contains_key(&category)
    }

    /// How many of the database's own channels are in a category.
    pub(crate) fn in_category(&self, category: ChannelId) -> usize {
        self.inside.get(&category).copied().unwrap_or(0)
    }

    /// Whether any table was ever built.
    pub(crate) fn has_tables(&self) -> bool {
        self.tagged.iter().any(|(_, role)| matches!(role, Role::Table(_) | Role::Index { .. }))
    }

    /// The name of the next category.
    pub(crate) fn next_category(&self, db: &str) -> String {
        match self.categories.len() {
            0 => db.to_owned(),
            count => format!("{db}-{}", count + 1),
        }
    }

    /// A category with room for one more channel.
    pub(crate) fn room(&self) -> Option<ChannelId> {
        self.categories.iter().find(|(_, inside)| *inside < CATEGORY_CHANNELS).map(|(id, _)| *id)
    }

    /// Refuses to begin what would not fit into the guild.
    pub(crate) fn check_room(&self, wanted: usize) -> Result<()> {
        let free: usize = self.categories.iter().map(|(_, n)| CATEGORY_CHANNELS.saturating_sub(*n)).sum();
        let categories = wanted.saturating_sub(free).div_ceil(CATEGORY_CHANNELS);
        let left = GUILD_CHANNELS.saturating_sub(self.total);
        if wanted + categories <= left {
            return Ok(());
        }
        Err(Error::new(
            ErrorKind::GuildFull,
            format!(
                "the tables need {wanted} more channels and {categories} more categories, but the guild has \
                 room for {left} of its {GUILD_CHANNELS}: delete channels, use fewer indexes, or use another guild"
            ),
        ))
    }
}

/// The number in the name of a category that `db` spilled into.
fn spilled(name: &str, db: &str) -> Option<usize> {
    name.strip_prefix(db)?.strip_prefix('-')?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_what_discord_makes_of_them() {
        for (name, normal) in [
            ("My Database", "my-database"),
            ("user_profiles", "user_profiles"),
            ("a - b", "a-b"),
            ("--x--", "x"),
            ("ÄÖ", "äö"),
        ] {
            assert_eq!(normalise(name), normal);
        }
    }

    #[test]
    fn a_topic_names_its_role() {
        let roles = [
            Role::Journal,
            Role::Catalog,
            Role::Table("a".into()),
            Role::Index { table: "a".into(), channel: "a_b".into() },
        ];
        for role in roles {
            let channel = Channel {
                id: ChannelId::new(1),
                role: ChannelRole::Text,
                name: "x".into(),
                topic: role.topic("it's `my` @everyone ü"),
                parent: None,
                visible: true,
                overwrites: Vec::new(),
            };
            assert!(channel.topic.is_ascii());
            assert_eq!(Role::of(&channel, "it's `my` @everyone ü"), Some(role));
            assert_eq!(Role::of(&channel, "another"), None);
        }
    }
}
