//! How a state comes to be: new, or from what a data file holds.
//!
//! Callers: the shell at start. Invariant: [`State::new`] leaves all it made in the effects, so that a new
//! data file is written like any other change.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::model::{Application, Channel, Command, Guild, Invite, Member, Message, Role, User};
use super::nonces::{Nonces, Used};
use super::past::Past;
use super::snowflake::{Snowflake, Snowflakes};
use super::{Effects, Home, NewChannel, State, permission};
use crate::cdn::Signer;
use crate::limits::Limits;

/// What a new guild is made of.
#[derive(Debug, Clone)]
pub struct Seed {
    /// The guild's name.
    pub guild_name: String,
    /// The bot's token.
    pub token: String,
    /// The key that signs URLs.
    pub secret: [u8; 32],
}

/// What a data file holds.
#[derive(Debug)]
pub struct Snapshot {
    /// The guild and the bot from the start.
    pub home: Home,
    /// The key that signs URLs.
    pub secret: [u8; 32],
    /// A bound above every id given out so far.
    pub last_id: Snowflake,
    /// All users.
    pub users: Vec<User>,
    /// All guilds.
    pub guilds: Vec<Guild>,
    /// All channels.
    pub channels: Vec<Channel>,
    /// All messages.
    pub messages: Vec<Message>,
    /// All invites, those that have expired included.
    pub invites: Vec<Invite>,
    /// All commands of applications.
    pub commands: Vec<Command>,
    /// All nonces that are remembered.
    pub nonces: Vec<Used>,
}

impl State {
    /// A new state: one guild, its owner, its bot, #general.
    pub fn new(now_ms: u64, seed: &Seed, limits: Limits) -> Self {
        let mut state = Self::empty(seed.secret, limits);
        let owner_id = state.add_person(now_ms, "owner");
        let bot_id = state.next_id(now_ms);
        state.keep_user(User {
            id: bot_id,
            name: "discobase".to_owned(),
            application: Some(Application {
                id: bot_id,
                token: seed.token.clone(),
                message_content: false,
                guild_members: false,
                guild_presences: false,
            }),
        });
        let guild_id = state.add_guild(now_ms, &seed.guild_name, owner_id);
        state.join(now_ms, guild_id, bot_id, permission::BOT_DEFAULT);
        state.home = Home { guild_id, bot_id, owner_id };
        state
    }

    /// The state that a data file holds.
    pub fn restore(now_ms: u64, snapshot: Snapshot, limits: Limits) -> Self {
        let mut state = Self::empty(snapshot.secret, limits);
        state.home = snapshot.home;
        state.ids = Snowflakes::after(snapshot.last_id);
        state.users = snapshot.users.into_iter().map(|user| (user.id, user)).collect();
        state.guilds = snapshot.guilds.into_iter().map(|guild| (guild.id, guild)).collect();
        state.channels = snapshot.channels.into_iter().map(|channel| (channel.id, channel)).collect();
        state.invites = snapshot.invites.into_iter().map(|invite| (invite.code.clone(), invite)).collect();
        state.commands = snapshot.commands.into_iter().map(|command| (command.id, command)).collect();
        for message in snapshot.messages {
            state.index_message(Arc::new(message));
        }
        let mut nonces = snapshot.nonces;
        nonces.sort_by_key(|used| (used.at_ms, used.message_id));
        nonces.into_iter().for_each(|used| state.nonces.remember(used, false));
        state.expire_nonces(now_ms);
        state
    }

    fn empty(secret: [u8; 32], limits: Limits) -> Self {
        Self {
            limits,
            signer: Signer::new(secret),
            home: Home { guild_id: 0, bot_id: 0, owner_id: 0 },
            ids: Snowflakes::default(),
            users: BTreeMap::new(),
            guilds: BTreeMap::new(),
            channels: BTreeMap::new(),
            messages: std::collections::HashMap::new(),
            attachments: std::collections::HashMap::new(),
            pins: super::pins::Pins::default(),
            invites: BTreeMap::new(),
            commands: BTreeMap::new(),
            created: BTreeMap::new(),
            interactions: BTreeMap::new(),
            ephemeral: BTreeMap::new(),
            nonces: Nonces::default(),
            past: Past::default(),
            effects: Effects::default(),
        }
    }

    /// Adds a guild with a text channel #general; its owner is its only member.
    pub fn add_guild(&mut self, now_ms: u64, name: &str, owner_id: Snowflake) -> Snowflake {
        let id = self.next_id(now_ms);
        let everyone = Role {
            id,
            name: "@everyone".to_owned(),
            permissions: permission::EVERYONE_DEFAULT,
            position: 0,
            bot_id: None,
        };
        let owner = Member { user_id: owner_id, roles: Vec::new(), joined_at: now_ms };
        self.keep_guild(Guild {
            id,
            name: name.to_owned(),
            owner_id,
            roles: BTreeMap::from([(id, everyone)]),
            members: BTreeMap::from([(owner_id, owner)]),
        });
        let general = NewChannel { name: "general".to_owned(), ..NewChannel::default() };
        // The owner may create channels and the guild has none yet: nothing can refuse this.
        let _created = self.create_channel(now_ms, owner_id, id, general);
        id
    }
}
