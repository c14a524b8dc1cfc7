//! Other people: what happens in a guild without the bot's doing.
//!
//! Callers: tests, through [`crate::LocalGuild`] or the control endpoints. What people do here goes through
//! the same rules as what bots do, with the permissions that these people hold.

use super::model::{Application, Member, Overwrite, Role, User};
use super::snowflake::Snowflake;
use super::{Event, NewMessage, Posted, Refusal, State};
use crate::{intents, wire};

impl State {
    /// Adds a person who is in no guild yet.
    pub fn add_person(&mut self, now_ms: u64, name: &str) -> Snowflake {
        let id = self.next_id(now_ms);
        self.keep_user(User { id, name: name.to_owned(), application: None });
        id
    }

    /// Adds a bot of another application, in no guild yet.
    pub fn add_bot(&mut self, now_ms: u64, name: &str, token: &str) -> Snowflake {
        let id = self.next_id(now_ms);
        let application = Application {
            id,
            token: token.to_owned(),
            message_content: false,
            guild_members: false,
            guild_presences: false,
        };
        self.keep_user(User { id, name: name.to_owned(), application: Some(application) });
        id
    }

    /// Gives a bot another token; the old one is worth nothing any more.
    pub fn set_token(&mut self, bot: Snowflake, token: &str) {
        let Some(mut user) = self.users.get(&bot).cloned() else { return };
        if let Some(application) = &mut user.application {
            token.clone_into(&mut application.token);
        }
        self.keep_user(user);
    }

    /// Switches the privileged intents of a bot in the developer portal.
    pub fn set_privileged_intents(&mut self, bot: Snowflake, message_content: bool, guild_members: bool) {
        let Some(mut user) = self.users.get(&bot).cloned() else { return };
        if let Some(application) = &mut user.application {
            application.message_content = message_content;
            application.guild_members = guild_members;
        }
        self.keep_user(user);
    }

    /// Switches the privileged intent GUILD_PRESENCES of a bot in the developer portal.
    pub fn set_presence_intent(&mut self, bot: Snowflake, guild_presences: bool) {
        let Some(mut user) = self.users.get(&bot).cloned() else { return };
        if let Some(application) = &mut user.application {
            application.guild_presences = guild_presences;
        }
        self.keep_user(user);
    }

    /// Lets a user into a guild. A bot gets a role of its own with these permissions, as by its invitation.
    pub fn join(&mut self, now_ms: u64, guild: Snowflake, user: Snowflake, permissions: u64) {
        let Some(mut changed) = self.guilds.get(&guild).cloned() else { return };
        let Some(who) = self.users.get(&user).cloned() else { return };
        let mut roles = Vec::new();
        if who.application.is_some() {
            let id = self.next_id(now_ms);
            let position = changed.roles.len() as u64;
            let role = Role { id, name: who.name.clone(), permissions, position, bot_id: Some(user) };
            changed.roles.insert(id, role);
            roles.push(id);
        }
        changed.members.insert(user, Member { user_id: user, roles: roles.clone(), joined_at: now_ms });
        self.keep_guild(changed);
        for role in roles {
            self.emit_role("GUILD_ROLE_CREATE", guild, role);
        }
        self.emit("GUILD_MEMBER_ADD", intents::GUILD_MEMBERS, guild, |state, viewer| {
            let guild = state.guilds.get(&guild)?;
            let mut member = wire::member(state, guild, guild.members.get(&user)?);
            member.as_object_mut()?.insert("guild_id".to_owned(), wire::id(guild.id));
            (viewer != user).then_some(member)
        });
        if who.application.is_some() {
            self.emit("GUILD_CREATE", intents::GUILDS, guild, |state, viewer| {
                let guild = state.guilds.get(&guild)?;
                // What its sessions asked for is not known here; who may see presences mostly does ask.
                let presences = who.application.as_ref().is_some_and(|one| one.guild_presences);
                (viewer == user).then(|| wire::guild_create(state, guild, viewer, 50, presences))
            });
        }
    }

    /// Takes a user out of a guild. A bot's own role goes with it.
    pub fn kick(&mut self, guild: Snowflake, user: Snowflake) {
        let Some(mut changed) = self.guilds.get(&guild).cloned() else { return };
        if changed.members.remove(&user).is_none() {
            return;
        }
        changed.roles.retain(|_, role| role.bot_id != Some(user));
        self.keep_guild(changed);
        if self.users.get(&user).is_some_and(|who| who.application.is_some()) {
            let data = serde_json::json!({"id": wire::id(guild)}).to_string().into();
            self.effects.events.push(Event {
                name: "GUILD_DELETE",
                intents: intents::GUILDS,
                guild_id: Some(guild),
                deliveries: vec![super::Delivery { user_id: user, data, blank: None }],
            });
        }
        self.emit("GUILD_MEMBER_REMOVE", intents::GUILD_MEMBERS, guild, |state, _| {
            let user = wire::user(state.users.get(&user)?);
            Some(serde_json::json!({"guild_id": wire::id(guild), "user": user}))
        });
    }

    /// Posts a message as somebody else.
    ///
    /// # Errors
    /// Whatever Discord refuses them.
    pub fn post_as(
        &mut self,
        now_ms: u64,
        author: Snowflake,
        channel: Snowflake,
        content: &str,
    ) -> Result<Posted, Refusal> {
        let message = NewMessage { content: content.to_owned(), ..NewMessage::default() };
        self.create_message(now_ms, author, channel, message)
    }

    /// Deletes a message as the guild's owner, who may delete everything.
    ///
    /// # Errors
    /// There is no such message.
    pub fn delete_as_moderator(
        &mut self,
        now_ms: u64,
        channel: Snowflake,
        message: Snowflake,
    ) -> Result<(), Refusal> {
        let owner = self.owner_of(channel)?;
        self.delete_message(now_ms, owner, channel, message)
    }

    /// Deletes a channel as the guild's owner.
    ///
    /// # Errors
    /// There is no such channel.
    pub fn delete_channel_as_owner(&mut self, channel: Snowflake) -> Result<(), Refusal> {
        let owner = self.owner_of(channel)?;
        self.delete_channel(owner, channel).map(drop)
    }

    /// Sets an overwrite of a channel as the guild's owner.
    ///
    /// # Errors
    /// There is no such channel.
    pub fn put_overwrite_as_owner(
        &mut self,
        channel: Snowflake,
        overwrite: Overwrite,
    ) -> Result<(), Refusal> {
        let owner = self.owner_of(channel)?;
        self.put_overwrite(owner, channel, overwrite)
    }

    /// Removes an overwrite of a channel as the guild's owner.
    ///
    /// # Errors
    /// There is no such channel, or no such overwrite.
    pub fn delete_overwrite_as_owner(&mut self, channel: Snowflake, id: Snowflake) -> Result<(), Refusal> {
        let owner = self.owner_of(channel)?;
        self.delete_overwrite(owner, channel, id)
    }

    /// Changes what a bot's own role allows in a guild, as the owner would in the guild's settings.
    ///
    /// # Errors
    /// There is no such guild, or the bot has no role of its own in it.
    pub fn set_bot_permissions(
        &mut self,
        guild: Snowflake,
        bot: Snowflake,
        permissions: u64,
    ) -> Result<(), Refusal> {
        let found = self.guilds.get(&guild).ok_or(Refusal::UNKNOWN_GUILD)?;
        let role =
            found.roles.values().find(|role| role.bot_id == Some(bot)).ok_or(Refusal::UNKNOWN_MEMBER)?;
        self.set_role_permissions(guild, role.id, permissions)
    }

    /// Changes what a role allows; the guild's own id is the role @everyone.
    ///
    /// # Errors
    /// There is no such guild or no such role.
    pub fn set_role_permissions(
        &mut self,
        guild: Snowflake,
        role: Snowflake,
        permissions: u64,
    ) -> Result<(), Refusal> {
        let mut changed = self.guilds.get(&guild).cloned().ok_or(Refusal::UNKNOWN_GUILD)?;
        let found = changed.roles.get_mut(&role).ok_or(Refusal::UNKNOWN_MEMBER)?;
        found.permissions = permissions;
        let before = self.visible_by_bots(guild);
        self.keep_guild(changed);
        self.emit_role("GUILD_ROLE_UPDATE", guild, role);
        self.emit_changed_visibility(guild, &before);
        Ok(())
    }

    fn owner_of(&self, channel: Snowflake) -> Result<Snowflake, Refusal> {
        let channel = self.channels.get(&channel).ok_or(Refusal::UNKNOWN_CHANNEL)?;
        self.guilds.get(&channel.guild_id).map(|guild| guild.owner_id).ok_or(Refusal::UNKNOWN_CHANNEL)
    }

    fn emit_role(&mut self, name: &'static str, guild: Snowflake, role: Snowflake) {
        self.emit(name, intents::GUILDS, guild, |state, _| {
            let role = wire::role(state.guilds.get(&guild)?.roles.get(&role)?);
            Some(serde_json::json!({"guild_id": wire::id(guild), "role": role}))
        });
    }

    fn visible_by_bots(&self, guild: Snowflake) -> Vec<(Snowflake, Snowflake)> {
        let bots = self.bots_in(guild);
        let seen = |channel| bots.iter().filter(move |bot| self.can_see(**bot, channel));
        self.channels_of(guild).flat_map(|channel| seen(channel).map(|bot| (*bot, channel.id))).collect()
    }

    /// A bot learns by CHANNEL_UPDATE that a channel became visible or hidden to it.
    fn emit_changed_visibility(&mut self, guild: Snowflake, before: &[(Snowflake, Snowflake)]) {
        let after = self.visible_by_bots(guild);
        let ids: Vec<Snowflake> = self.channels_of(guild).map(|channel| channel.id).collect();
        for id in ids {
            let flipped = |viewer: Snowflake| before.contains(&(viewer, id)) != after.contains(&(viewer, id));
            if self.bots_in(guild).into_iter().any(flipped) {
                self.emit("CHANNEL_UPDATE", intents::GUILDS, guild, |state, viewer| {
                    let channel = state.channels.get(&id)?;
                    flipped(viewer).then(|| wire::channel_for(state, channel, viewer))
                });
            }
        }
    }
}
