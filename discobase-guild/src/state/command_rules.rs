//! What a command must look like. Pure.
//!
//! Callers: `state::commands`. Discord docs, "Application Commands": Application Command Object, its Naming, Option and
//! Choice Structures.

use serde_json::{Map, Value};

use super::FieldError;

/// Slash commands.
pub(super) const CHAT_INPUT: u64 = 1;
/// Commands on users, and on messages.
pub(super) const MENUS: [u64; 2] = [2, 3];

const SUB_COMMAND: u64 = 1;
const SUB_COMMAND_GROUP: u64 = 2;

/// Complaints about a command, each with its path.
#[derive(Debug, Default)]
pub(super) struct Complaints {
    prefix: String,
    pub(super) errors: Vec<FieldError>,
}

impl Complaints {
    pub(super) fn under(prefix: String) -> Self {
        Self { prefix, errors: Vec::new() }
    }

    fn add(&mut self, path: &str, code: &'static str, message: impl Into<String>) {
        self.errors.push(FieldError {
            path: format!("{}{path}", self.prefix),
            code,
            message: message.into(),
        });
    }

    fn within(&mut self, path: &str, check: impl FnOnce(&mut Self)) {
        let length = self.prefix.len();
        self.prefix.push_str(path);
        self.prefix.push('.');
        check(self);
        self.prefix.truncate(length);
    }

    fn length(&mut self, object: &Map<String, Value>, name: &str, least: usize, most: usize) {
        let length = object.get(name).and_then(Value::as_str).map_or(0, |text| text.chars().count());
        if length == 0 && least > 0 {
            self.add(name, "BASE_TYPE_REQUIRED", "This field is required");
        } else if !(least..=most).contains(&length) {
            let message = format!("Must be between {least} and {most} in length.");
            self.add(name, "BASE_TYPE_BAD_LENGTH", message);
        }
    }
}

/// Complains about a whole command.
pub(super) fn check(object: &Map<String, Value>, kind: u64, complaints: &mut Complaints) {
    match kind {
        CHAT_INPUT => {
            check_name(object, complaints);
            complaints.length(object, "description", 1, 100);
            check_options(object, 0, complaints);
        }
        kind if MENUS.contains(&kind) => {
            complaints.length(object, "name", 1, 32);
            complaints.length(object, "description", 0, 0);
            if object.get("options").and_then(Value::as_array).is_some_and(|list| !list.is_empty()) {
                let message = "Context menu commands cannot have options";
                complaints.add("options", "APPLICATION_COMMAND_CONTEXT_MENU_OPTIONS", message);
            }
        }
        _ => complaints.add("type", "BASE_TYPE_CHOICES", "Value must be one of {1, 2, 3}."),
    }
}

// `^[-_'\p{L}\p{N}\p{sc=Deva}\p{sc=Thai}]{1,32}$`, and lower-case where there is a lower case.
fn check_name(object: &Map<String, Value>, complaints: &mut Complaints) {
    complaints.length(object, "name", 1, 32);
    let name = object.get("name").and_then(Value::as_str).unwrap_or_default();
    let script = |c: char| matches!(c, '\u{900}'..='\u{97f}' | '\u{e00}'..='\u{e7f}');
    let allowed = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '\'') || script(c);
    if !name.chars().all(allowed) || name.chars().any(|c| c.to_lowercase().ne([c])) {
        complaints.add("name", "APPLICATION_COMMAND_INVALID_NAME", "Command name is invalid");
    }
}

fn check_options(object: &Map<String, Value>, depth: usize, complaints: &mut Complaints) {
    let options = object.get("options").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    if options.len() > 25 {
        complaints.add("options", "BASE_TYPE_MAX_LENGTH", "Must be 25 or fewer in length.");
    }
    let (mut names, mut optional, mut sub_commands) = (Vec::new(), false, 0);
    for (position, option) in options.iter().enumerate() {
        let empty = Map::new();
        let option = option.as_object().unwrap_or(&empty);
        complaints.within(&format!("options.{position}"), |complaints| {
            check_option(option, depth, complaints);
            let name = option.get("name").and_then(Value::as_str).unwrap_or_default();
            if names.contains(&name.to_owned()) {
                complaints.add(
                    "name",
                    "APPLICATION_COMMAND_OPTIONS_NAME_INVALID",
                    "Option name already used",
                );
            }
            names.push(name.to_owned());
            let required = option.get("required").and_then(Value::as_bool).unwrap_or(false);
            let sub =
                option.get("type").and_then(Value::as_u64).is_some_and(|kind| kind <= SUB_COMMAND_GROUP);
            sub_commands += usize::from(sub);
            if required && optional {
                let message = "Required options must be placed before non-required options";
                complaints.add("required", "APPLICATION_COMMAND_OPTIONS_REQUIRED_INVALID", message);
            }
            optional |= !required && !sub;
        });
    }
    if sub_commands > 0 && sub_commands < options.len() {
        let message =
            "Sub-command and sub-command group option types are mutually exclusive to all other types";
        complaints.add("options", "APPLICATION_COMMAND_OPTIONS_TYPE_INVALID", message);
    }
}

fn check_option(option: &Map<String, Value>, depth: usize, complaints: &mut Complaints) {
    check_name(option, complaints);
    complaints.length(option, "description", 1, 100);
    let kind = option.get("type").and_then(Value::as_u64).unwrap_or(0);
    if !(1..=11).contains(&kind) {
        complaints.add(
            "type",
            "BASE_TYPE_CHOICES",
            "Value must be one of {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}.",
        );
    }
    // Discord docs, "Application Commands": Subcommands and Subcommand Groups. One level of groups, no deeper.
    let allowed = match kind {
        SUB_COMMAND_GROUP => depth == 0,
        SUB_COMMAND => depth <= 1,
        _ => true,
    };
    if !allowed {
        complaints.add("type", "APPLICATION_COMMAND_OPTIONS_TYPE_INVALID", "Nested too deep");
    }
    if kind <= SUB_COMMAND_GROUP {
        let depth = if kind == SUB_COMMAND_GROUP { 1 } else { 2 };
        check_options(option, depth, complaints);
        return;
    }
    let choices = option.get("choices").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    if choices.len() > 25 {
        complaints.add("choices", "BASE_TYPE_MAX_LENGTH", "Must be 25 or fewer in length.");
    }
    for (position, choice) in choices.iter().enumerate() {
        let empty = Map::new();
        let choice = choice.as_object().unwrap_or(&empty);
        complaints.within(&format!("choices.{position}"), |complaints| {
            complaints.length(choice, "name", 1, 100);
            if choice.get("value").is_some_and(Value::is_string) {
                complaints.length(choice, "value", 0, 100);
            }
        });
    }
    let completes = option.get("autocomplete").and_then(Value::as_bool).unwrap_or(false);
    if completes && !choices.is_empty() {
        let message = "Autocomplete and choices are mutually exclusive";
        complaints.add("autocomplete", "APPLICATION_COMMAND_OPTION_AUTOCOMPLETE_CHOICES", message);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn complaints(command: &Value, kind: u64) -> Vec<String> {
        let mut complaints = Complaints::default();
        check(command.as_object().unwrap(), kind, &mut complaints);
        complaints.errors.into_iter().map(|error| error.path).collect()
    }

    #[test]
    fn names_descriptions_and_options_have_rules() {
        let none: [&str; 0] = [];
        assert_eq!(complaints(&json!({"name": "top-10_it's", "description": "x"}), 1), none);
        assert_eq!(complaints(&json!({"name": "über", "description": "x"}), 1), none);
        assert_eq!(complaints(&json!({"name": "Top", "description": "x"}), 1), ["name"]);
        assert_eq!(complaints(&json!({"name": "a b", "description": "x"}), 1), ["name"]);
        assert_eq!(complaints(&json!({"name": "Top Ten"}), 2), none);
        assert_eq!(complaints(&json!({"name": "Top", "description": "x"}), 3), ["description"]);
        assert_eq!(complaints(&json!({"name": "top", "description": ""}), 1), ["description"]);
        let option = |name, kind, required| json!({"name": name, "description": "x", "type": kind, "required": required});
        let command = |options| json!({"name": "top", "description": "x", "options": options});
        assert_eq!(complaints(&command(json!([option("a", 3, true), option("b", 4, false)])), 1), none);
        assert_eq!(
            complaints(&command(json!([option("a", 3, false), option("b", 4, true)])), 1),
            ["options.1.required"]
        );
        assert_eq!(
            complaints(&command(json!([option("a", 3, true), option("a", 12, true)])), 1),
            ["options.1.type", "options.1.name"]
        );
        let mut group = option("g", 2, false);
        group["options"] = json!([option("s", 1, false)]);
        assert_eq!(complaints(&command(json!([group])), 1), none);
        group["options"] = json!([group]);
        assert_eq!(complaints(&command(json!([group])), 1), ["options.0.options.0.type"]);
    }
}
