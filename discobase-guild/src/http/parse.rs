//! Bodies of the REST interface as the state's own types. Pure.

use serde_json::{Map, Value};

use super::form::Form;
use crate::state::{
    AllowedMentions, ChannelChange, MessageChange, NewChannel, NewInvite, NewMessage, NewThread, Nonce,
    Overwrite, Place, Refusal, Retained, ThreadChange, Upload,
};

/// A JSON object.
pub(super) type Object = Map<String, Value>;

// Discord docs, "Message": Create Message, JSON/Form Params.
pub(super) fn new_message(object: &Object, mut files: Vec<Upload>) -> Result<NewMessage, Refusal> {
    let mut form = Form::new(object);
    describe_files(&mut form, &mut files);
    let message = NewMessage {
        content: form.string("content").unwrap_or_default(),
        nonce: match object.get("nonce") {
            Some(Value::Number(number)) => number.as_i64().map(Nonce::Number),
            _ => form.string("nonce").map(Nonce::Text),
        },
        enforce_nonce: form.flag("enforce_nonce").unwrap_or(false),
        tts: form.flag("tts").unwrap_or(false),
        embeds: form.list("embeds").cloned().unwrap_or_default(),
        components: form.list("components").cloned().unwrap_or_default(),
        flags: form.number("flags").unwrap_or(0),
        allowed_mentions: allowed_mentions(&mut form),
        reply_to: form.object("message_reference", |form| form.id("message_id")).flatten(),
        files,
    };
    form.finish(message)
}

// Discord docs, "Message": Edit Message, JSON/Form Params.
pub(super) fn message_change(object: &Object, mut files: Vec<Upload>) -> Result<MessageChange, Refusal> {
    let mut form = Form::new(object);
    describe_files(&mut form, &mut files);
    let list = |form: &mut Form<'_>, name: &str| {
        form.has(name).then(|| form.list(name).cloned().unwrap_or_default())
    };
    let change = MessageChange {
        content: form.has("content").then(|| form.string("content").unwrap_or_default()),
        embeds: list(&mut form, "embeds"),
        components: list(&mut form, "components"),
        flags: form.number("flags"),
        allowed_mentions: allowed_mentions(&mut form),
        attachments: if form.has("attachments") {
            let listed = form.objects("attachments", |form, _| Retained {
                id: form.id("id").unwrap_or(0),
                description: form.nullable("description", Form::string),
            });
            Some(listed.unwrap_or_default())
        } else {
            None
        },
        files,
    };
    form.finish(change)
}

/// The entries of `attachments` name and describe the files of the same number.
// Discord docs, "API Reference": Uploading Files.
fn describe_files(form: &mut Form<'_>, files: &mut [Upload]) {
    form.objects("attachments", |form, _| {
        let id = form.id("id");
        let (filename, description) = (form.string("filename"), form.string("description"));
        if description.as_ref().is_some_and(|text| text.chars().count() > 1024) {
            form.complain("description", "BASE_TYPE_MAX_LENGTH", "Must be 1024 or fewer in length.");
        }
        if let Some(file) = files.iter_mut().find(|file| Some(file.field) == id) {
            if let Some(filename) = filename.filter(|name| !name.is_empty()) {
                file.filename = filename;
            }
            file.description = description;
        }
    });
}

fn allowed_mentions(form: &mut Form<'_>) -> Option<AllowedMentions> {
    form.object("allowed_mentions", |form| {
        let parse = form.list("parse").map(|list| list.iter().filter_map(Value::as_str).map(str::to_owned));
        let allowed = AllowedMentions {
            parse: parse.into_iter().flatten().collect(),
            users: form.ids("users"),
            roles: form.ids("roles"),
            replied_user: form.flag("replied_user").unwrap_or(false),
        };
        // Discord docs, "Message": Allowed Mentions Object. Parsing all and naming some exclude each other.
        for (kind, named) in [("users", &allowed.users), ("roles", &allowed.roles)] {
            if !named.is_empty() && allowed.parse.iter().any(|one| one == kind) {
                let message = format!("parse:[\"{kind}\"] and {kind}: [ids...] are mutually exclusive.");
                form.complain("", "MESSAGE_ALLOWED_MENTIONS_PARSE_EXCLUSIVE", message);
            }
        }
        allowed
    })
}

// Discord docs, "Channel": Start Thread from Message, Start Thread without Message, JSON Params.
pub(super) fn new_thread(object: &Object) -> Result<NewThread, Refusal> {
    let mut form = Form::new(object);
    let thread = NewThread {
        name: form.required_string("name"),
        kind: form.number("type").map(|kind| kind.try_into().unwrap_or(u8::MAX)),
        auto_archive_minutes: form.number("auto_archive_duration"),
        rate_limit_per_user: form.number("rate_limit_per_user").unwrap_or(0),
        invitable: form.flag("invitable"),
    };
    form.finish(thread)
}

// Discord docs, "Channel": Create Channel Invite, JSON/Form Params.
pub(super) fn new_invite(object: &Object) -> Result<NewInvite, Refusal> {
    let mut form = Form::new(object);
    let default = NewInvite::default();
    let invite = NewInvite {
        max_age: form.number("max_age").unwrap_or(default.max_age),
        max_uses: form.number("max_uses").unwrap_or(default.max_uses),
        temporary: form.flag("temporary").unwrap_or(default.temporary),
        unique: form.flag("unique").unwrap_or(default.unique),
    };
    form.finish(invite)
}

// Discord docs, "Guild": Create Guild Channel, JSON Params.
pub(super) fn new_channel(object: &Object) -> Result<NewChannel, Refusal> {
    let mut form = Form::new(object);
    let channel = NewChannel {
        name: form.required_string("name"),
        kind: form.number("type").unwrap_or(0).try_into().unwrap_or(u8::MAX),
        topic: form.string("topic"),
        parent_id: form.id("parent_id"),
        position: form.number("position"),
        overwrites: overwrites(&mut form),
        nsfw: form.flag("nsfw").unwrap_or(false),
        rate_limit_per_user: form.number("rate_limit_per_user").unwrap_or(0),
    };
    form.finish(channel)
}

// Discord docs, "Channel": Modify Channel, JSON Params for guild channels.
pub(super) fn channel_change(object: &Object) -> Result<ChannelChange, Refusal> {
    let mut form = Form::new(object);
    let change = ChannelChange {
        name: form.string("name"),
        topic: form.nullable("topic", Form::string),
        parent_id: form.nullable("parent_id", Form::id),
        position: form.number("position"),
        overwrites: overwrites(&mut form),
        nsfw: form.flag("nsfw"),
        rate_limit_per_user: form.number("rate_limit_per_user"),
        thread: ThreadChange {
            archived: form.flag("archived"),
            locked: form.flag("locked"),
            auto_archive_minutes: form.number("auto_archive_duration"),
            invitable: form.flag("invitable"),
        },
    };
    form.finish(change)
}

// Discord docs, "Guild": Modify Guild Channel Positions; the body is a list.
pub(super) fn places(json: &Value) -> Result<Vec<Place>, Refusal> {
    let wrapped = Object::from_iter([("channels".to_owned(), json.clone())]);
    let mut form = Form::new(&wrapped);
    let places = form.objects("channels", |form, _| Place {
        id: form.id("id").unwrap_or_default(),
        position: form.number("position"),
        parent_id: form.nullable("parent_id", Form::id),
        lock_permissions: form.flag("lock_permissions").unwrap_or(false),
    });
    form.finish(places.unwrap_or_default())
}

// Discord docs, "Channel": Edit Channel Permissions, JSON Params.
pub(super) fn overwrite(object: &Object, id: u64) -> Result<Overwrite, Refusal> {
    let mut form = Form::new(object);
    let overwrite = Overwrite { id, ..read_overwrite(&mut form) };
    form.finish(overwrite)
}

pub(super) fn ids(object: &Object, name: &str) -> Result<Vec<u64>, Refusal> {
    let mut form = Form::new(object);
    let ids = form.ids(name);
    form.finish(ids)
}

fn overwrites(form: &mut Form<'_>) -> Option<Vec<Overwrite>> {
    form.objects("permission_overwrites", |form, _| {
        let id = form.id("id").unwrap_or_default();
        Overwrite { id, ..read_overwrite(form) }
    })
}

fn read_overwrite(form: &mut Form<'_>) -> Overwrite {
    Overwrite {
        id: 0,
        member: form.number("type").unwrap_or(0) == 1,
        allow: form.number("allow").unwrap_or(0),
        deny: form.number("deny").unwrap_or(0),
    }
}
