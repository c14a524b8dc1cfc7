//! Invites: codes by which people join a guild.
//!
//! Callers: `http::invites`, people and the direct door. Discord docs, "Invite"; "Channel": Create Channel Invite.
//! Invariant: an invite that has expired is not to be had any more, whether or not it was forgotten yet.

use serde_json::json;

use super::model::Invite;
use super::snowflake::Snowflake;
use super::{FieldError, Refusal, State, Write, permission};
use crate::{intents, wire};

/// An invite to be created. The default is Discord's: a day, as often as one likes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewInvite {
    /// For how many seconds it is valid, up to a week; 0 is for ever.
    pub max_age: u64,
    /// How often it can be used, up to 100 times; 0 is as often as one likes.
    pub max_uses: u64,
    /// Whether membership is temporary.
    pub temporary: bool,
    /// Whether to make a new one although there is one like it.
    pub unique: bool,
}

impl Default for NewInvite {
    fn default() -> Self {
        Self { max_age: 86_400, max_uses: 0, temporary: false, unique: false }
    }
}

impl State {
    /// Creates an invite, or finds one like it that the same user made before.
    ///
    /// # Errors
    /// The user may not, a number is too large, or the guild has as many invites as it can.
    pub fn create_invite(
        &mut self,
        now_ms: u64,
        user: Snowflake,
        channel_id: Snowflake,
        new: &NewInvite,
    ) -> Result<Invite, Refusal> {
        let (channel, bits) = self.channel_for(user, channel_id)?;
        let guild_id = channel.guild_id;
        if bits & permission::CREATE_INSTANT_INVITE == 0 {
            return Err(Refusal::MISSING_PERMISSIONS);
        }
        check(new)?;
        self.expire_invites(now_ms);
        let same = |one: &&Invite| {
            (one.channel_id, one.inviter_id, one.max_age, one.max_uses, one.temporary)
                == (channel_id, user, new.max_age, new.max_uses, new.temporary)
        };
        if let Some(found) = self.invites.values().find(same).filter(|_| !new.unique) {
            return Ok(found.clone());
        }
        if self.invites.values().filter(|one| one.guild_id == guild_id).count() as u64 >= self.limits.invites
        {
            return Err(Refusal::invites(self.limits.invites));
        }
        let invite = Invite {
            code: code(self.next_id(now_ms)),
            guild_id,
            channel_id,
            inviter_id: user,
            created_at: now_ms,
            max_age: new.max_age,
            max_uses: new.max_uses,
            uses: 0,
            temporary: new.temporary,
        };
        self.keep_invite(invite.clone());
        let data = wire::invite_create(self, &invite);
        self.emit_of_invite("INVITE_CREATE", &invite, &data);
        Ok(invite)
    }

    /// An invite, whoever asks.
    ///
    /// # Errors
    /// There is none with this code, or it has expired.
    pub fn invite(&self, now_ms: u64, code: &str) -> Result<&Invite, Refusal> {
        self.invites.get(code).filter(|one| is_valid(one, now_ms)).ok_or(Refusal::UNKNOWN_INVITE)
    }

    /// The invites into a channel.
    ///
    /// # Errors
    /// The user may not see them.
    pub fn invites_of_channel(
        &self,
        now_ms: u64,
        user: Snowflake,
        channel: Snowflake,
    ) -> Result<Vec<&Invite>, Refusal> {
        let (_, bits) = self.channel_for(user, channel)?;
        // Discord docs, "Channel": Get Channel Invites requires MANAGE_CHANNELS.
        if bits & permission::MANAGE_CHANNELS == 0 {
            return Err(Refusal::MISSING_PERMISSIONS);
        }
        let wanted = |one: &&Invite| one.channel_id == channel && is_valid(one, now_ms);
        Ok(self.invites.values().filter(wanted).collect())
    }

    /// The invites into a guild, and whether the user may see their metadata.
    ///
    /// # Errors
    /// The user may not see them.
    pub fn invites_of_guild(
        &self,
        now_ms: u64,
        user: Snowflake,
        guild: Snowflake,
    ) -> Result<(Vec<&Invite>, bool), Refusal> {
        let bits = permission::in_guild(self.guild_for(user, guild)?, user);
        // Discord docs, "Guild": Get Guild Invites requires MANAGE_GUILD or VIEW_AUDIT_LOG.
        if bits & (permission::MANAGE_GUILD | permission::VIEW_AUDIT_LOG) == 0 {
            return Err(Refusal::MISSING_PERMISSIONS);
        }
        let wanted = |one: &&Invite| one.guild_id == guild && is_valid(one, now_ms);
        Ok((self.invites.values().filter(wanted).collect(), bits & permission::MANAGE_GUILD != 0))
    }

    /// Deletes an invite.
    ///
    /// # Errors
    /// There is none, or the user may not.
    pub fn delete_invite(&mut self, now_ms: u64, user: Snowflake, code: &str) -> Result<Invite, Refusal> {
        let invite = self.invite(now_ms, code)?.clone();
        let in_guild = permission::in_guild(self.guild_for(user, invite.guild_id)?, user);
        let in_channel = self.channel_for(user, invite.channel_id).map_or(0, |(_, bits)| bits);
        // Discord docs, "Invite": Delete Invite.
        if in_channel & permission::MANAGE_CHANNELS == 0 && in_guild & permission::MANAGE_GUILD == 0 {
            return Err(Refusal::MISSING_PERMISSIONS);
        }
        self.drop_invite(&invite);
        Ok(invite)
    }

    /// Lets a person in who has a code. Members stay what they are, and use nothing up.
    ///
    /// # Errors
    /// There is no such invite, or the user is no person.
    pub fn accept_invite(&mut self, now_ms: u64, user: Snowflake, code: &str) -> Result<Invite, Refusal> {
        let mut invite = self.invite(now_ms, code)?.clone();
        // Discord docs, change log of 2018: bots cannot accept invites; they are authorised.
        if self.users.get(&user).ok_or(Refusal::UNKNOWN_USER)?.application.is_some() {
            return Err(Refusal::BOTS_CANNOT);
        }
        if self.guilds.get(&invite.guild_id).is_some_and(|guild| guild.members.contains_key(&user)) {
            return Ok(invite);
        }
        invite.uses += 1;
        self.join(now_ms, invite.guild_id, user, 0);
        if invite.max_uses > 0 && invite.uses >= invite.max_uses {
            self.drop_invite(&invite);
        } else {
            self.keep_invite(invite.clone());
        }
        Ok(invite)
    }

    /// With a channel go the invites into it.
    pub(super) fn drop_invites_of(&mut self, channel: Snowflake) {
        let gone: Vec<Invite> =
            self.invites.values().filter(|one| one.channel_id == channel).cloned().collect();
        gone.iter().for_each(|invite| self.drop_invite(invite));
    }

    fn keep_invite(&mut self, invite: Invite) {
        self.effects.writes.push(Write::Invite(Box::new(invite.clone())));
        self.invites.insert(invite.code.clone(), invite);
    }

    fn drop_invite(&mut self, invite: &Invite) {
        self.forget_invite(&invite.code);
        let (channel, guild) = (wire::id(invite.channel_id), wire::id(invite.guild_id));
        let data = json!({"channel_id": channel, "guild_id": guild, "code": invite.code});
        self.emit_of_invite("INVITE_DELETE", invite, &data);
    }

    /// Expiry is not announced: the documentation knows no event for it.
    fn expire_invites(&mut self, now_ms: u64) {
        let gone = self.invites.values().filter(|one| !is_valid(one, now_ms)).map(|one| one.code.clone());
        let gone: Vec<String> = gone.collect();
        gone.iter().for_each(|code| self.forget_invite(code));
    }

    fn forget_invite(&mut self, code: &str) {
        if self.invites.remove(code).is_some() {
            self.effects.writes.push(Write::DropInvite(code.to_owned()));
        }
    }

    /// Events of invites go to those who could list them.
    fn emit_of_invite(&mut self, name: &'static str, invite: &Invite, data: &serde_json::Value) {
        let channel_id = invite.channel_id;
        self.emit(name, intents::GUILD_INVITES, invite.guild_id, |state, viewer| {
            let (_, bits) = state.channel_for(viewer, channel_id).ok()?;
            (bits & permission::MANAGE_CHANNELS != 0).then(|| data.clone())
        });
    }
}

fn is_valid(invite: &Invite, now_ms: u64) -> bool {
    invite.expires_at().is_none_or(|end_ms| now_ms < end_ms)
}

// Discord docs, "Channel": Create Channel Invite, JSON/Form Params.
fn check(new: &NewInvite) -> Result<(), Refusal> {
    let mut errors = Vec::new();
    for (path, value, most) in [("max_age", new.max_age, 604_800), ("max_uses", new.max_uses, 100)] {
        if value > most {
            let message = format!("int value should be between 0 and {most}.");
            errors.push(FieldError { path: path.to_owned(), code: "NUMBER_TYPE_RANGE", message });
        }
    }
    if errors.is_empty() { Ok(()) } else { Err(Refusal::form(errors)) }
}

/// Letters and digits that tell nothing about the next code.
fn code(id: Snowflake) -> String {
    const LETTERS: &[u8; 62] = b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
    let hash = blake3::derive_key("discobase-guild 2026 invite", &id.to_le_bytes());
    let letter = |byte: &u8| LETTERS.get(usize::from(*byte) % LETTERS.len()).copied().map_or('0', char::from);
    hash.iter().take(10).map(letter).collect()
}
