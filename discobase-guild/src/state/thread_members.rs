//! Members of threads: who joins, is brought in, leaves, is put out.
//!
//! Callers: `http::threads` and the direct door. Discord docs, "Channel": Join Thread to List Thread Members; "Threads":
//! Thread Membership.

use serde_json::{Value, json};

use super::model::{Channel, channel_kind};
use super::snowflake::Snowflake;
use super::{Refusal, State, permission};
use crate::{intents, wire};

impl State {
    /// Adds a user to a thread: themselves, or by somebody who can post there. A member stays one.
    ///
    /// # Errors
    /// It is no thread, it is archived, or the user may not.
    pub fn add_to_thread(
        &mut self,
        now_ms: u64,
        user: Snowflake,
        id: Snowflake,
        whom: Snowflake,
    ) -> Result<(), Refusal> {
        let (mut channel, bits) = self.open_thread(user, id)?;
        let others = user != whom;
        if !self.guilds.get(&channel.guild_id).is_some_and(|guild| guild.members.contains_key(&whom)) {
            return Err(Refusal::UNKNOWN_MEMBER);
        }
        let Some(thread) = &mut channel.thread else { return Err(Refusal::CHANNEL_TYPE) };
        let closed = thread.invitable == Some(false) && bits & permission::MANAGE_THREADS == 0;
        if others && (bits & permission::SEND_MESSAGES == 0 || closed && thread.owner_id != user) {
            return Err(Refusal::MISSING_PERMISSIONS);
        }
        if thread.members.contains_key(&whom) {
            return Ok(());
        }
        thread.members.insert(whom, now_ms);
        self.keep_channel(channel.clone());
        // Who is added may not have known the thread.
        self.emit("THREAD_CREATE", intents::GUILDS, channel.guild_id, |_, viewer| {
            (viewer == whom).then(|| wire::thread_for(&channel, viewer))
        });
        self.emit_members(&channel, &[whom], &[]);
        Ok(())
    }

    /// Takes a user out of a thread: themselves, or by somebody who may.
    ///
    /// # Errors
    /// It is no thread, it is archived, they are not in it, or the user may not.
    pub fn remove_from_thread(
        &mut self,
        user: Snowflake,
        id: Snowflake,
        whom: Snowflake,
    ) -> Result<(), Refusal> {
        let (mut channel, bits) = self.open_thread(user, id)?;
        let private = channel.kind == channel_kind::PRIVATE_THREAD;
        let Some(thread) = &mut channel.thread else { return Err(Refusal::CHANNEL_TYPE) };
        let owns = private && thread.owner_id == user;
        if user != whom && !owns && bits & permission::MANAGE_THREADS == 0 {
            return Err(Refusal::MISSING_PERMISSIONS);
        }
        thread.members.remove(&whom).ok_or(Refusal::UNKNOWN_MEMBER)?;
        self.keep_channel(channel.clone());
        self.emit_members(&channel, &[], &[whom]);
        Ok(())
    }

    /// A thread that a user sees.
    ///
    /// # Errors
    /// There is none, or it is another type of channel.
    pub fn thread_for_user(&self, user: Snowflake, id: Snowflake) -> Result<(&Channel, u64), Refusal> {
        let (channel, bits) = self.channel_for(user, id)?;
        if channel.thread.is_some() { Ok((channel, bits)) } else { Err(Refusal::CHANNEL_TYPE) }
    }

    fn open_thread(&self, user: Snowflake, id: Snowflake) -> Result<(Channel, u64), Refusal> {
        let (channel, bits) = self.thread_for_user(user, id)?;
        if channel.thread.as_ref().is_some_and(|thread| thread.archived) {
            return Err(Refusal::ARCHIVED);
        }
        Ok((channel.clone(), bits))
    }

    // Discord docs, "Gateway Events": Thread Members Update. Without GUILD_MEMBERS only those get it whom it is about.
    pub(super) fn emit_members(&mut self, of: &Channel, added: &[Snowflake], removed: &[Snowflake]) {
        let Some(thread) = &of.thread else { return };
        let about = |viewer: &Snowflake| added.contains(viewer) || removed.contains(viewer);
        let count = thread.members.len().min(50);
        for (intents, concerned) in [(intents::GUILDS, true), (intents::GUILD_MEMBERS, false)] {
            self.emit("THREAD_MEMBERS_UPDATE", intents, of.guild_id, |state, viewer| {
                if about(&viewer) != concerned || !concerned && !state.can_see(viewer, of) {
                    return None;
                }
                let guild = state.guild(of.guild_id)?;
                let added = added.iter().filter_map(|id| {
                    let mut data = wire::thread_member(of, *id)?;
                    let member = guild.members.get(id).map(|member| wire::member(state, guild, member));
                    let map = data.as_object_mut()?;
                    map.insert("member".to_owned(), json!(member));
                    map.insert("presence".to_owned(), Value::Null);
                    Some(data)
                });
                Some(json!({
                    "id": wire::id(of.id), "guild_id": wire::id(of.guild_id), "member_count": count,
                    "added_members": added.collect::<Vec<_>>(),
                    "removed_member_ids": removed.iter().copied().map(wire::id).collect::<Vec<_>>(),
                }))
            });
        }
    }
}
