//! What people put into commands, menus and modals, checked as their Discord client would check it.
//!
//! Callers: `state::interactions`. Discord docs, "Application Commands": Application Command Option Structure;
//! "Receiving and Responding": Interaction Data, Resolved Data Structure.

use serde_json::{Map, Value, json};

use super::Given;
use crate::state::snowflake::Snowflake;
use crate::state::{Refusal, State, permission};
use crate::wire;

/// A value that cannot be sent.
pub(super) fn wrong(path: &str, message: &str) -> Refusal {
    Refusal::field(path, "INTERACTION_INPUT_INVALID", message)
}

/// The things that ids in an interaction stand for.
pub(super) struct Resolved<'a> {
    state: &'a State,
    now_ms: u64,
    given: Given,
    guild: Snowflake,
    found: Map<String, Value>,
}

impl<'a> Resolved<'a> {
    pub(super) fn new(state: &'a State, now_ms: u64, given: Given, guild: Snowflake) -> Self {
        Self { state, now_ms, given, guild, found: Map::new() }
    }

    pub(super) fn put_into(self, data: &mut Value) {
        if let (false, Some(map)) = (self.found.is_empty(), data.as_object_mut()) {
            map.insert("resolved".to_owned(), Value::Object(self.found));
        }
    }

    fn add(&mut self, kind: &str, id: Snowflake, value: Value) {
        let of_kind = self.found.entry(kind).or_insert_with(|| json!({}));
        if let Some(map) = of_kind.as_object_mut() {
            map.insert(id.to_string(), value);
        }
    }

    pub(super) fn add_user(&mut self, id: Snowflake) -> Result<(), Refusal> {
        let state = self.state;
        let user = state.user(id).ok_or(Refusal::UNKNOWN_USER)?;
        self.add("users", id, wire::user(user));
        let guild = state.guild(self.guild).ok_or(Refusal::UNKNOWN_GUILD)?;
        let channel = state.channel(self.given.channel).ok_or(Refusal::UNKNOWN_CHANNEL)?;
        if let Some(member) = guild.members.get(&id) {
            let mut data = wire::member(state, guild, member);
            if let Some(map) = data.as_object_mut() {
                for missing in ["user", "deaf", "mute"] {
                    map.remove(missing);
                }
                let bits = state.bits_in(channel, id) & permission::ALL;
                map.insert("permissions".to_owned(), json!(bits.to_string()));
            }
            self.add("members", id, data);
        }
        Ok(())
    }

    fn add_role(&mut self, id: Snowflake) -> Result<(), Refusal> {
        let guild = self.state.guild(self.guild).ok_or(Refusal::UNKNOWN_GUILD)?;
        let role = guild.roles.get(&id).ok_or_else(|| wrong("role", "Role not found"))?;
        self.add("roles", id, wire::role(role));
        Ok(())
    }

    fn add_channel(&mut self, id: Snowflake) -> Result<(), Refusal> {
        let channel = self.state.channel(id).filter(|one| one.guild_id == self.guild);
        let channel = channel.ok_or(Refusal::UNKNOWN_CHANNEL)?;
        let mut data = wire::channel(channel);
        if let Some(map) = data.as_object_mut() {
            let bits = self.state.bits_in(channel, self.given.user) & permission::ALL;
            map.insert("permissions".to_owned(), json!(bits.to_string()));
        }
        self.add("channels", id, data);
        Ok(())
    }

    pub(super) fn add_message(&mut self, id: Snowflake) -> Result<(), Refusal> {
        let message = self.state.message(self.given.channel, id).ok_or(Refusal::UNKNOWN_MESSAGE)?;
        let data = wire::message(self.state, self.now_ms, message, self.given.application, false);
        self.add("messages", id, data);
        Ok(())
    }
}

/// The options of a command as the application gets them.
pub(super) fn fill(
    resolved: &mut Resolved<'_>,
    defined: &[Value],
    path: &[&str],
    given: &Map<String, Value>,
    focused: Option<&str>,
) -> Result<Vec<Value>, Refusal> {
    let named = |name: &str| defined.iter().find(|one| text(one, "name") == name);
    let is_group = |one: &Value| kind_of(one) <= 2;
    if defined.iter().any(is_group) {
        let (first, rest) = path.split_first().ok_or_else(|| wrong("command", "A subcommand is missing"))?;
        let sub = named(first).ok_or_else(|| wrong("command", "There is no such subcommand"))?;
        let options = sub.get("options").and_then(Value::as_array).cloned().unwrap_or_default();
        let filled = fill(resolved, &options, rest, given, focused)?;
        return Ok(vec![json!({"name": text(sub, "name"), "type": kind_of(sub), "options": filled})]);
    }
    if !path.is_empty() {
        return Err(wrong("command", "There is no such subcommand"));
    }
    if let Some(unknown) = given.keys().find(|name| named(name).is_none()) {
        return Err(wrong(&format!("options.{unknown}"), "The command has no such option"));
    }
    let mut filled = Vec::new();
    for option in defined {
        let name = text(option, "name");
        let is_focused = focused == Some(name);
        let Some(value) = given.get(name) else {
            // What is asked for while one types need not be complete.
            if focused.is_none() && option.get("required").and_then(Value::as_bool).unwrap_or(false) {
                return Err(wrong(&format!("options.{name}"), "This option is required"));
            }
            continue;
        };
        let value = if is_focused { json!(as_text(value)) } else { convert(resolved, option, value)? };
        let mut one = json!({"name": name, "type": kind_of(option), "value": value});
        if let (true, Some(map)) = (is_focused, one.as_object_mut()) {
            map.insert("focused".to_owned(), json!(true));
        }
        filled.push(one);
    }
    match focused {
        Some(name) if !filled.iter().any(|one| text(one, "name") == name) => {
            Err(wrong(&format!("options.{name}"), "There is nothing to complete"))
        }
        _ => Ok(filled),
    }
}

fn convert(resolved: &mut Resolved<'_>, option: &Value, value: &Value) -> Result<Value, Refusal> {
    let path = format!("options.{}", text(option, "name"));
    let of_wrong_type = || wrong(&path, "The value is not of the option's type");
    let bound = |name: &str| option.get(name).and_then(Value::as_f64);
    let in_bounds = |size: f64, least: &str, most: &str| {
        bound(least).is_none_or(|least| size >= least) && bound(most).is_none_or(|most| size <= most)
    };
    let converted = match kind_of(option) {
        3 => {
            let text = value.as_str().ok_or_else(of_wrong_type)?;
            if !in_bounds(text.chars().count() as f64, "min_length", "max_length") {
                return Err(wrong(&path, "The text is too short or too long"));
            }
            json!(text)
        }
        4 => {
            let number = value.as_i64().ok_or_else(of_wrong_type)?;
            if number.unsigned_abs() >= 1 << 53 || !in_bounds(number as f64, "min_value", "max_value") {
                return Err(wrong(&path, "The number is out of bounds"));
            }
            json!(number)
        }
        5 => json!(value.as_bool().ok_or_else(of_wrong_type)?),
        kind @ 6..=9 => {
            let id: Snowflake = as_text(value).parse().map_err(|_| of_wrong_type())?;
            match kind {
                6 => resolved.add_user(id)?,
                7 => resolved.add_channel(id)?,
                8 => resolved.add_role(id)?,
                _ => resolved.add_role(id).or_else(|_| resolved.add_user(id))?,
            }
            wire::id(id)
        }
        10 => {
            let number = value.as_f64().ok_or_else(of_wrong_type)?;
            if !in_bounds(number, "min_value", "max_value") {
                return Err(wrong(&path, "The number is out of bounds"));
            }
            json!(number)
        }
        _ => return Err(wrong(&path, "Options of this type cannot be filled in here")),
    };
    let choices = option.get("choices").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    if !choices.is_empty() && !choices.iter().any(|one| one.get("value") == Some(&converted)) {
        return Err(wrong(&path, "The value is none of the choices"));
    }
    Ok(converted)
}

/// What is chosen in a select menu.
pub(super) fn choose(resolved: &mut Resolved<'_>, menu: &Value, values: &[String]) -> Result<Value, Refusal> {
    let count = |name: &str| menu.get(name).and_then(Value::as_u64).unwrap_or(1);
    if !(count("min_values")..=count("max_values")).contains(&(values.len() as u64)) {
        return Err(wrong("values", "Too few or too many values"));
    }
    let options = menu.get("options").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    for value in values {
        let id = || value.parse::<Snowflake>().map_err(|_| wrong("values", "Not an id"));
        match kind_of(menu) {
            3 if options.iter().any(|one| text(one, "value") == value) => {}
            3 => return Err(wrong("values", "The value is none of the menu's")),
            5 => resolved.add_user(id()?)?,
            6 => resolved.add_role(id()?)?,
            7 => {
                let id = id()?;
                resolved.add_role(id).or_else(|_| resolved.add_user(id))?;
            }
            8 => resolved.add_channel(id()?)?,
            _ => return Err(wrong("custom_id", "Nothing can be chosen there")),
        }
    }
    Ok(json!(values))
}

/// A component of a modal, filled in: rows of text inputs, or labels around an input.
pub(super) fn fill_in(component: &Value, fields: &Map<String, Value>) -> Result<Value, Refusal> {
    let kind = kind_of(component);
    if let Some(inner) = component.get("components").and_then(Value::as_array) {
        let inner = inner.iter().map(|one| fill_in(one, fields)).collect::<Result<Vec<_>, _>>()?;
        return Ok(json!({"type": kind, "components": inner}));
    }
    if let Some(inner) = component.get("component") {
        return Ok(json!({"type": kind, "component": fill_in(inner, fields)?}));
    }
    let Some(custom_id) = component.get("custom_id").and_then(Value::as_str) else {
        return Ok(json!({"type": kind}));
    };
    let preset = component.get("value").cloned();
    let value = fields.get(custom_id).cloned().or(preset).unwrap_or_else(|| json!(""));
    let required = component.get("required").and_then(Value::as_bool).unwrap_or(true);
    if kind != 4 {
        let values = if value.is_array() { value } else { json!([value]) };
        return Ok(json!({"type": kind, "custom_id": custom_id, "values": values}));
    }
    let length = as_text(&value).chars().count() as u64;
    let bound = |name: &str, default| component.get(name).and_then(Value::as_u64).unwrap_or(default);
    let least = bound("min_length", u64::from(required)).max(u64::from(required));
    if (length > 0 || required) && !(least..=bound("max_length", 4000)).contains(&length) {
        return Err(wrong(&format!("fields.{custom_id}"), "The text is too short or too long"));
    }
    Ok(json!({"type": kind, "custom_id": custom_id, "value": as_text(&value)}))
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value.get(name).and_then(Value::as_str).unwrap_or_default()
}

fn kind_of(value: &Value) -> u64 {
    value.get("type").and_then(Value::as_u64).unwrap_or(u64::MAX)
}

fn as_text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
