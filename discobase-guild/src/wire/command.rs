//! Commands of applications as JSON.

use serde_json::{Value, json};

use super::id;
use crate::state::Command;

/// A command. Discord docs, "Application Commands": Application Command Object.
pub(crate) fn command(of: &Command) -> Value {
    let mut data = json!({
        "id": id(of.id),
        "application_id": id(of.application_id),
        "version": id(of.version),
        "type": of.kind,
        "name": of.name,
        "name_localizations": null,
        "description": "",
        "description_localizations": null,
        "default_member_permissions": null,
        "dm_permission": of.guild_id.is_none(),
        "nsfw": false,
        "integration_types": [0],
        "contexts": null,
    });
    let Some(map) = data.as_object_mut() else { return data };
    if let Some(guild) = of.guild_id {
        map.insert("guild_id".to_owned(), id(guild));
    }
    for (name, value) in &of.fields {
        map.insert(name.clone(), value.clone());
    }
    data
}
