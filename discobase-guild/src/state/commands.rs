//! Commands of applications: registered for all guilds or for one.
//!
//! Callers: `http::commands` and the direct door. Discord docs, "Application Commands". Invariant: an application has
//! one command of a name and a type in each place.

use serde_json::{Map, Value};

use super::command_rules::{CHAT_INPUT, Complaints, MENUS, check};
use super::model::Command;
use super::snowflake::Snowflake;
use super::{Refusal, State, Write, permission};

/// Where a command is registered: for all guilds, or for this one.
type Place = Option<Snowflake>;

impl State {
    /// The commands of an application in one place, by id.
    ///
    /// # Errors
    /// The application is not in the guild.
    pub fn list_commands(&self, application: Snowflake, place: Place) -> Result<Vec<&Command>, Refusal> {
        place.map(|guild| self.guild_for(application, guild)).transpose()?;
        Ok(self.commands_in(application, place).collect())
    }

    /// A command.
    ///
    /// # Errors
    /// There is none, in this place.
    pub fn command(&self, application: Snowflake, place: Place, id: Snowflake) -> Result<&Command, Refusal> {
        let found = self.commands.get(&id);
        let found = found.filter(|one| (one.application_id, one.guild_id) == (application, place));
        found.ok_or(Refusal::UNKNOWN_COMMAND)
    }

    /// Creates a command, or overwrites the one of its name and type. Says whether it is new.
    ///
    /// # Errors
    /// It is malformed, or there are as many as there can be.
    pub fn put_command(
        &mut self,
        now_ms: u64,
        application: Snowflake,
        place: Place,
        object: &Map<String, Value>,
    ) -> Result<(Command, bool), Refusal> {
        place.map(|guild| self.guild_for(application, guild)).transpose()?;
        let command = self.checked(now_ms, application, place, object, None, String::new())?;
        let most = if u64::from(command.kind) == CHAT_INPUT {
            self.limits.slash_commands
        } else {
            self.limits.menu_commands
        };
        let alike = self.commands_in(application, place).filter(|one| one.kind == command.kind);
        let others = alike.filter(|one| one.id != command.id).count();
        if others >= most {
            return Err(Refusal::commands(most));
        }
        let is_new = !self.commands.contains_key(&command.id);
        self.count_creates(now_ms, application, place, u64::from(is_new))?;
        self.keep_command(command.clone());
        Ok((command, is_new))
    }

    /// Changes a command; what is not named stays.
    ///
    /// # Errors
    /// There is none, or it would be malformed.
    pub fn edit_command(
        &mut self,
        now_ms: u64,
        application: Snowflake,
        place: Place,
        id: Snowflake,
        object: &Map<String, Value>,
    ) -> Result<Command, Refusal> {
        let before = self.command(application, place, id)?.clone();
        let mut merged = before.fields.clone();
        merged.insert("name".to_owned(), before.name.clone().into());
        merged.extend(object.clone());
        merged.insert("type".to_owned(), before.kind.into());
        let changed = self.checked(now_ms, application, place, &merged, Some(id), String::new())?;
        let taken = self.commands_in(application, place);
        if taken.filter(|one| one.id != id).any(|one| (one.kind, &one.name) == (changed.kind, &changed.name))
        {
            let message = "Application command names must be unique";
            return Err(Refusal::field("name", "APPLICATION_COMMANDS_DUPLICATE_NAME", message));
        }
        self.keep_command(changed.clone());
        Ok(changed)
    }

    /// Deletes a command.
    ///
    /// # Errors
    /// There is none.
    pub fn delete_command(
        &mut self,
        application: Snowflake,
        place: Place,
        id: Snowflake,
    ) -> Result<(), Refusal> {
        self.command(application, place, id)?;
        self.drop_command(id);
        Ok(())
    }

    /// Makes these the commands of an application in one place, and no others.
    ///
    /// # Errors
    /// One of them is malformed, or they are too many: then nothing changes.
    pub fn overwrite_commands(
        &mut self,
        now_ms: u64,
        application: Snowflake,
        place: Place,
        list: &[Value],
    ) -> Result<Vec<Command>, Refusal> {
        place.map(|guild| self.guild_for(application, guild)).transpose()?;
        let empty = Map::new();
        let (mut commands, mut errors) = (Vec::<Command>::new(), Vec::new());
        for (position, value) in list.iter().enumerate() {
            let object = value.as_object().unwrap_or(&empty);
            match self.checked(now_ms, application, place, object, None, format!("{position}.")) {
                Ok(command) if commands.iter().any(|one| one.id == command.id) => {
                    let message = "Application command names must be unique";
                    return Err(Refusal::field(
                        format!("{position}.name"),
                        "APPLICATION_COMMANDS_DUPLICATE_NAME",
                        message,
                    ));
                }
                Ok(command) => commands.push(command),
                Err(refusal) => errors.extend(refusal.errors),
            }
        }
        if !errors.is_empty() {
            return Err(Refusal::form(errors));
        }
        let of = |kind: u64| commands.iter().filter(|one| u64::from(one.kind) == kind).count();
        if of(CHAT_INPUT) > self.limits.slash_commands {
            return Err(Refusal::commands(self.limits.slash_commands));
        }
        if MENUS.iter().any(|kind| of(*kind) > self.limits.menu_commands) {
            return Err(Refusal::commands(self.limits.menu_commands));
        }
        let new = commands.iter().filter(|one| !self.commands.contains_key(&one.id)).count();
        self.count_creates(now_ms, application, place, new as u64)?;
        let stays = |id: &Snowflake| commands.iter().any(|one| one.id == *id);
        let gone: Vec<Snowflake> =
            self.commands_in(application, place).map(|one| one.id).filter(|id| !stays(id)).collect();
        gone.into_iter().for_each(|id| self.drop_command(id));
        commands.iter().for_each(|command| self.keep_command(command.clone()));
        Ok(commands)
    }

    /// The command that somebody means who types its name in a guild: the guild's own before that of all guilds.
    pub(super) fn find_command(
        &self,
        application: Snowflake,
        guild: Snowflake,
        kind: u8,
        name: &str,
    ) -> Option<&Command> {
        [Some(guild), None].into_iter().find_map(|place| {
            self.commands_in(application, place).find(|one| (one.kind, one.name.as_str()) == (kind, name))
        })
    }

    /// Counts so many new commands, or refuses them all.
    fn count_creates(
        &mut self,
        now_ms: u64,
        application: Snowflake,
        place: Place,
        new: u64,
    ) -> Result<(), Refusal> {
        let Some(rate) = self.limits.command_creates else { return Ok(()) };
        let window = self.created.entry((application, place)).or_default();
        // A window that is over begins anew.
        if new > 0 && (window.check(rate, now_ms).is_err() || window.remaining(rate) < new) {
            return Err(Refusal::command_creates(rate.count));
        }
        (0..new).for_each(|_| window.take(rate, now_ms));
        Ok(())
    }

    fn commands_in(&self, application: Snowflake, place: Place) -> impl Iterator<Item = &Command> {
        let here = move |one: &&Command| (one.application_id, one.guild_id) == (application, place);
        self.commands.values().filter(here)
    }

    /// A command as it is to be kept: checked, and with the id of the one that it overwrites.
    fn checked(
        &mut self,
        now_ms: u64,
        application: Snowflake,
        place: Place,
        object: &Map<String, Value>,
        id: Option<Snowflake>,
        prefix: String,
    ) -> Result<Command, Refusal> {
        let kind = object.get("type").and_then(Value::as_u64).unwrap_or(CHAT_INPUT);
        let mut complaints = Complaints::under(prefix);
        check(object, kind, &mut complaints);
        if !complaints.errors.is_empty() {
            return Err(Refusal::form(complaints.errors));
        }
        let name = object.get("name").and_then(Value::as_str).unwrap_or_default().to_owned();
        let kind = u8::try_from(kind).unwrap_or_default();
        let same = self.commands_in(application, place).find(|one| (one.kind, &one.name) == (kind, &name));
        let same = id.or(same.map(|one| one.id));
        let version = self.next_id(now_ms);
        let mut fields = object.clone();
        for own in ["id", "type", "name", "application_id", "guild_id", "version"] {
            fields.remove(own);
        }
        // Numbers are taken too, and shown as the documented strings.
        if let Some(bits) = fields.get("default_member_permissions").and_then(Value::as_u64) {
            fields.insert("default_member_permissions".to_owned(), bits.to_string().into());
        }
        let id = same.unwrap_or(version);
        Ok(Command { id, application_id: application, guild_id: place, kind, name, version, fields })
    }

    fn keep_command(&mut self, command: Command) {
        self.effects.writes.push(Write::Command(Box::new(command.clone())));
        self.commands.insert(command.id, command);
    }

    fn drop_command(&mut self, id: Snowflake) {
        if self.commands.remove(&id).is_some() {
            self.effects.writes.push(Write::DropCommand(id));
        }
    }
}

impl Command {
    /// What a member needs to see it, by default nothing.
    // Discord docs, "Application Commands": Permissions. "0" is for administrators alone.
    pub(super) fn is_for(&self, bits: u64) -> bool {
        let needed = self.fields.get("default_member_permissions").and_then(Value::as_str);
        match needed.and_then(|text| text.parse::<u64>().ok()) {
            Some(0) => bits & permission::ADMINISTRATOR != 0,
            Some(needed) => bits & needed == needed,
            None => true,
        }
    }
}
