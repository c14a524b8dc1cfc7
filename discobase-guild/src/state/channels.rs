//! Channels: create, change, order, delete, and their overwrites.
//!
//! Callers: `http::channels`, `state::people` and the direct door. Discord docs, "Channel" and "Guild".

use super::model::{Channel, Overwrite, channel_kind};
use super::snowflake::Snowflake;
use super::{FieldError, Refusal, State, Write, permission, text};
use crate::{intents, wire};

/// A channel to be created.
#[derive(Debug, Clone, Default)]
pub struct NewChannel {
    /// Its name.
    pub name: String,
    /// One of [`channel_kind`].
    pub kind: u8,
    /// Its topic.
    pub topic: Option<String>,
    /// Its category.
    pub parent_id: Option<Snowflake>,
    /// Its place; by default the last.
    pub position: Option<u64>,
    /// Its overwrites; by default those of its category.
    pub overwrites: Option<Vec<Overwrite>>,
    /// Whether it is age-restricted.
    pub nsfw: bool,
    /// Slow mode in seconds.
    pub rate_limit_per_user: u64,
}

/// A change of a channel. `None` leaves a field as it is.
#[derive(Debug, Clone, Default)]
pub struct ChannelChange {
    /// The new name.
    pub name: Option<String>,
    /// The new topic; the inner `None` takes it away.
    pub topic: Option<Option<String>>,
    /// The new category; the inner `None` takes the channel out of its category.
    pub parent_id: Option<Option<Snowflake>>,
    /// The new place.
    pub position: Option<u64>,
    /// The new overwrites, all of them.
    pub overwrites: Option<Vec<Overwrite>>,
    /// Whether it is age-restricted.
    pub nsfw: Option<bool>,
    /// Slow mode in seconds.
    pub rate_limit_per_user: Option<u64>,
    /// What only threads have.
    pub thread: super::ThreadChange,
}

/// A channel's new place, for moving several at once.
#[derive(Debug, Clone, Default)]
pub struct Place {
    /// The channel.
    pub id: Snowflake,
    /// Its new position.
    pub position: Option<u64>,
    /// Its new category.
    pub parent_id: Option<Option<Snowflake>>,
    /// Whether to take over the overwrites of the new category.
    pub lock_permissions: bool,
}

impl State {
    /// Creates a channel or a category.
    ///
    /// # Errors
    /// What Discord refuses: no permission, a limit passed, no such category.
    pub fn create_channel(
        &mut self,
        now_ms: u64,
        user: Snowflake,
        guild_id: Snowflake,
        new: NewChannel,
    ) -> Result<Channel, Refusal> {
        let guild = self.guild_for(user, guild_id)?;
        let bits = match new.parent_id.and_then(|parent| self.channels.get(&parent)) {
            Some(parent) => permission::in_channel(guild, parent, user),
            None => permission::in_guild(guild, user),
        };
        if bits & permission::MANAGE_CHANNELS == 0 {
            return Err(Refusal::MISSING_PERMISSIONS);
        }
        let supported =
            [channel_kind::TEXT, channel_kind::VOICE, channel_kind::CATEGORY, channel_kind::ANNOUNCEMENT];
        if !supported.contains(&new.kind) {
            let message = "Value must be one of {0, 2, 4, 5}.";
            return Err(Refusal::field("type", "BASE_TYPE_CHOICES", message));
        }
        let mut errors = Vec::new();
        let name = self.check_name(new.kind, &new.name, &mut errors);
        self.check_topic(new.topic.as_deref(), &mut errors);
        let given = new.overwrites.as_ref().map_or(0, Vec::len);
        if given > self.limits.overwrites_at_create {
            errors.push(FieldError {
                path: "permission_overwrites".to_owned(),
                code: "BASE_TYPE_MAX_LENGTH",
                message: format!("Must be {} or fewer in length.", self.limits.overwrites_at_create),
            });
        }
        if !errors.is_empty() {
            return Err(Refusal::form(errors));
        }
        // Discord docs, "Opcodes and Status Codes": 30013 and 30030.
        let (all, categories) = self.channels_of(guild_id).fold((0, 0), |(all, categories), one| {
            (all + 1, categories + u64::from(one.kind == channel_kind::CATEGORY))
        });
        if all >= self.limits.guild_channels {
            return Err(Refusal::guild_channels(self.limits.guild_channels));
        }
        if new.kind == channel_kind::CATEGORY && categories >= self.limits.categories {
            return Err(Refusal::categories(self.limits.categories));
        }
        self.check_parent(guild_id, new.kind, new.parent_id, None)?;
        let inherited = || Some(self.channels.get(&new.parent_id?)?.overwrites.clone());
        // An empty list counts as none, as clients rely on.
        let overwrites = match new.overwrites.filter(|list| !list.is_empty()) {
            Some(overwrites) => {
                // Discord docs, "Guild": Create Guild Channel. Only permissions the bot has in the guild can be
                // allowed or denied; MANAGE_ROLES only by administrators.
                may_set(permission::in_guild(guild, user), &[], &overwrites)?;
                overwrites
            }
            None => inherited().unwrap_or_default(),
        };
        let last = self.channels_of(guild_id).map(|one| one.position + 1).max().unwrap_or(0);
        let channel = Channel {
            id: self.ids.next(now_ms),
            guild_id,
            kind: new.kind,
            name,
            topic: new.topic.filter(|topic| !topic.is_empty()),
            parent_id: new.parent_id,
            position: new.position.unwrap_or(last),
            overwrites,
            nsfw: new.nsfw,
            rate_limit_per_user: new.rate_limit_per_user,
            last_message_id: None,
            last_pin_at: None,
            thread: None,
        };
        self.keep_channel(channel.clone());
        self.emit_channel("CHANNEL_CREATE", &channel);
        Ok(channel)
    }

    /// Changes a channel.
    ///
    /// # Errors
    /// What Discord refuses: no permission, a limit passed, no such category.
    pub fn modify_channel(
        &mut self,
        now_ms: u64,
        user: Snowflake,
        id: Snowflake,
        change: ChannelChange,
    ) -> Result<Channel, Refusal> {
        let (channel, bits) = self.channel_for(user, id)?;
        let mut channel = channel.clone();
        if channel.thread.is_some() {
            return self.modify_thread(now_ms, user, channel, bits, change);
        }
        if bits & permission::MANAGE_CHANNELS == 0 {
            return Err(Refusal::MISSING_PERMISSIONS);
        }
        let mut errors = Vec::new();
        if let Some(name) = &change.name {
            channel.name = self.check_name(channel.kind, name, &mut errors);
        }
        if let Some(topic) = change.topic {
            self.check_topic(topic.as_deref(), &mut errors);
            channel.topic = topic.filter(|topic| !topic.is_empty());
        }
        if !errors.is_empty() {
            return Err(Refusal::form(errors));
        }
        if let Some(parent) = change.parent_id {
            self.check_parent(channel.guild_id, channel.kind, parent, Some(id))?;
            channel.parent_id = parent;
        }
        if let Some(overwrites) = change.overwrites {
            // Discord docs, "Channel": Modify Channel. Overwrites need MANAGE_ROLES.
            if bits & permission::MANAGE_ROLES == 0 {
                return Err(Refusal::MISSING_PERMISSIONS);
            }
            if overwrites.len() as u64 > self.limits.overwrites {
                return Err(Refusal::overwrites(self.limits.overwrites));
            }
            may_set(self.may_overwrite(user, &channel), &channel.overwrites, &overwrites)?;
            channel.overwrites = overwrites;
        }
        channel.position = change.position.unwrap_or(channel.position);
        channel.nsfw = change.nsfw.unwrap_or(channel.nsfw);
        channel.rate_limit_per_user = change.rate_limit_per_user.unwrap_or(channel.rate_limit_per_user);
        self.keep_channel(channel.clone());
        self.emit_channel("CHANNEL_UPDATE", &channel);
        Ok(channel)
    }

    /// Moves channels.
    ///
    /// # Errors
    /// No permission, or one of the channels or categories does not exist: then none moves.
    pub fn move_channels(
        &mut self,
        user: Snowflake,
        guild_id: Snowflake,
        places: &[Place],
    ) -> Result<(), Refusal> {
        let guild = self.guild_for(user, guild_id)?;
        if permission::in_guild(guild, user) & permission::MANAGE_CHANNELS == 0 {
            return Err(Refusal::MISSING_PERMISSIONS);
        }
        let mut moved = Vec::with_capacity(places.len());
        for place in places {
            let known = self.channels.get(&place.id).filter(|channel| channel.guild_id == guild_id);
            let mut channel = known.cloned().ok_or(Refusal::UNKNOWN_CHANNEL)?;
            if let Some(parent) = place.parent_id {
                self.check_parent(guild_id, channel.kind, parent, Some(channel.id))?;
                channel.parent_id = parent;
                if let Some(parent) = parent.filter(|_| place.lock_permissions) {
                    let category = self.channels.get(&parent).ok_or(Refusal::UNKNOWN_CHANNEL)?;
                    channel.overwrites.clone_from(&category.overwrites);
                }
            }
            channel.position = place.position.unwrap_or(channel.position);
            moved.push(channel);
        }
        for channel in moved {
            self.keep_channel(channel.clone());
            self.emit_channel("CHANNEL_UPDATE", &channel);
        }
        Ok(())
    }

    /// Deletes a channel with everything in it. The channels of a category stay, without a category.
    ///
    /// # Errors
    /// It does not exist, or the user may not.
    pub fn delete_channel(&mut self, user: Snowflake, id: Snowflake) -> Result<Channel, Refusal> {
        let (channel, bits) = self.channel_for(user, id)?;
        let is_thread = channel.thread.is_some();
        let needed = if is_thread { permission::MANAGE_THREADS } else { permission::MANAGE_CHANNELS };
        if bits & needed == 0 {
            return Err(Refusal::MISSING_PERMISSIONS);
        }
        let channel = channel.clone();
        if is_thread {
            self.drop_thread(&channel);
            return Ok(channel);
        }
        let threads: Vec<Channel> =
            self.threads_of(channel.guild_id).filter(|one| one.parent_id == Some(id)).cloned().collect();
        threads.iter().for_each(|thread| self.drop_thread(thread));
        let children: Vec<Channel> =
            self.channels_of(channel.guild_id).filter(|one| one.parent_id == Some(id)).cloned().collect();
        for mut child in children {
            child.parent_id = None;
            self.keep_channel(child.clone());
            self.emit_channel("CHANNEL_UPDATE", &child);
        }
        let messages: Vec<Snowflake> = self.messages_in(id).map(|message| message.id).collect();
        for message in messages {
            self.drop_message(id, message);
        }
        self.messages.remove(&id);
        self.drop_invites_of(id);
        self.emit_channel("CHANNEL_DELETE", &channel);
        self.channels.remove(&id);
        self.effects.writes.push(Write::DropChannel(id));
        Ok(channel)
    }

    /// The channels of a guild that a user sees.
    ///
    /// # Errors
    /// The user is not in the guild.
    // Discord docs, change log of 2026-08-12: channels without VIEW_CHANNEL are absent from the list.
    pub fn list_channels(&self, user: Snowflake, guild: Snowflake) -> Result<Vec<&Channel>, Refusal> {
        self.guild_for(user, guild)?;
        Ok(self.channels_of(guild).filter(|channel| self.can_see(user, channel)).collect())
    }

    /// Sets an overwrite of a channel.
    ///
    /// # Errors
    /// The user may not, or the channel is full of overwrites.
    pub fn put_overwrite(
        &mut self,
        user: Snowflake,
        channel: Snowflake,
        overwrite: Overwrite,
    ) -> Result<(), Refusal> {
        let mut channel = self.channel_to_overwrite(user, channel)?;
        let before = channel.overwrites.iter().find(|one| one.id == overwrite.id).copied();
        may_set(self.may_overwrite(user, &channel), before.as_slice(), &[overwrite])?;
        channel.overwrites.retain(|one| one.id != overwrite.id);
        channel.overwrites.push(overwrite);
        if channel.overwrites.len() as u64 > self.limits.overwrites {
            return Err(Refusal::overwrites(self.limits.overwrites));
        }
        self.keep_channel(channel.clone());
        self.emit_channel("CHANNEL_UPDATE", &channel);
        Ok(())
    }

    /// Removes an overwrite of a channel.
    ///
    /// # Errors
    /// The user may not, or there is no such overwrite.
    pub fn delete_overwrite(
        &mut self,
        user: Snowflake,
        channel: Snowflake,
        id: Snowflake,
    ) -> Result<(), Refusal> {
        let mut channel = self.channel_to_overwrite(user, channel)?;
        let before = channel.overwrites.len();
        channel.overwrites.retain(|one| one.id != id);
        if channel.overwrites.len() == before {
            return Err(Refusal::UNKNOWN_OVERWRITE);
        }
        self.keep_channel(channel.clone());
        self.emit_channel("CHANNEL_UPDATE", &channel);
        Ok(())
    }

    fn channel_to_overwrite(&self, user: Snowflake, channel: Snowflake) -> Result<Channel, Refusal> {
        let (channel, bits) = self.channel_for(user, channel)?;
        if channel.thread.is_some() {
            return Err(Refusal::CHANNEL_TYPE);
        }
        // Discord docs, "Channel": Edit Channel Permissions and Delete Channel Permission require MANAGE_ROLES.
        if bits & permission::MANAGE_ROLES == 0 {
            return Err(Refusal::MISSING_PERMISSIONS);
        }
        Ok(channel.clone())
    }

    /// The bits that a user may allow or deny in a channel.
    // Discord docs, "Channel": Edit Channel Permissions. Those that the bot has in the guild or in the
    // category, unless it has a MANAGE_ROLES overwrite in the channel.
    fn may_overwrite(&self, user: Snowflake, channel: &Channel) -> u64 {
        let Some(guild) = self.guilds.get(&channel.guild_id) else { return 0 };
        let held = match channel.parent_id.and_then(|parent| self.channels.get(&parent)) {
            Some(category) => permission::in_channel(guild, category, user),
            None => permission::in_guild(guild, user),
        };
        let roles = guild.members.get(&user).map_or(&[][..], |member| &member.roles);
        let mine = |one: &&Overwrite| one.id == user || roles.contains(&one.id);
        let given =
            channel.overwrites.iter().filter(mine).any(|one| one.allow & permission::MANAGE_ROLES != 0);
        if given && held != u64::MAX { permission::ALL } else { held }
    }

    fn check_name(&self, kind: u8, name: &str, errors: &mut Vec<FieldError>) -> String {
        let kept = match kind {
            channel_kind::TEXT | channel_kind::ANNOUNCEMENT => text::channel_name(name),
            _ => name.trim().to_owned(),
        };
        // Discord docs, "Channel": Channel Object, name of 1-100 characters.
        if kept.is_empty() || name.chars().count() > self.limits.channel_name {
            errors.push(FieldError {
                path: "name".to_owned(),
                code: "BASE_TYPE_BAD_LENGTH",
                message: format!("Must be between 1 and {} in length.", self.limits.channel_name),
            });
        }
        kept
    }

    fn check_topic(&self, topic: Option<&str>, errors: &mut Vec<FieldError>) {
        if topic.is_some_and(|topic| topic.chars().count() > self.limits.topic) {
            errors.push(FieldError {
                path: "topic".to_owned(),
                code: "BASE_TYPE_MAX_LENGTH",
                message: format!("Must be {} or fewer in length.", self.limits.topic),
            });
        }
    }

    fn check_parent(
        &self,
        guild: Snowflake,
        kind: u8,
        parent: Option<Snowflake>,
        already_in: Option<Snowflake>,
    ) -> Result<(), Refusal> {
        let Some(parent) = parent else { return Ok(()) };
        if kind == channel_kind::CATEGORY {
            return Err(Refusal::field(
                "parent_id",
                "CHANNEL_PARENT_INVALID_TYPE",
                "Categories cannot have parents",
            ));
        }
        let Some(category) = self.channels.get(&parent).filter(|channel| channel.guild_id == guild) else {
            return Err(Refusal::field("parent_id", "CHANNEL_PARENT_INVALID", "Category does not exist"));
        };
        if category.kind != channel_kind::CATEGORY {
            return Err(Refusal::field("parent_id", "CHANNEL_PARENT_INVALID_TYPE", "Not a category"));
        }
        // Discord docs, "Channel": Channel Types. A category holds up to 50 channels.
        let children = self
            .channels_of(guild)
            .filter(|channel| channel.parent_id == Some(parent) && Some(channel.id) != already_in)
            .count() as u64;
        if children >= self.limits.category_channels {
            let limit = self.limits.category_channels;
            let message = format!("Maximum number of channels in category reached ({limit})");
            return Err(Refusal::field("parent_id", "CHANNEL_PARENT_MAX_CHANNELS", message));
        }
        Ok(())
    }

    fn emit_channel(&mut self, name: &'static str, channel: &Channel) {
        self.emit(name, intents::GUILDS, channel.guild_id, |state, viewer| {
            Some(wire::channel_for(state, channel, viewer))
        });
    }
}

/// Whether somebody who holds `held` may turn the overwrites `before` into `after`.
fn may_set(held: u64, before: &[Overwrite], after: &[Overwrite]) -> Result<(), Refusal> {
    let bits = |list: &[Overwrite], id: Snowflake| {
        list.iter().find(|one| one.id == id).map_or((0, 0), |one| (one.allow, one.deny))
    };
    let mut changed = 0;
    for one in before.iter().chain(after) {
        let ((allow, deny), (new_allow, new_deny)) = (bits(before, one.id), bits(after, one.id));
        changed |= allow ^ new_allow | deny ^ new_deny;
    }
    // The owner and administrators hold every bit there can be; nobody else may set MANAGE_ROLES.
    let may = if held == u64::MAX { held } else { held & !permission::MANAGE_ROLES };
    if changed & !may == 0 { Ok(()) } else { Err(Refusal::MISSING_PERMISSIONS) }
}
