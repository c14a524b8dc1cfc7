//! The catalog: metadata messages for people and tools. A mirror: nothing is ever read from it for truth; that there are
//! messages in it can only show that something is missing elsewhere.

use std::collections::HashMap;

use bytes::Bytes;
use serde_json::{Value as Json, json};

use crate::batch::{ColumnDef, IndexDef, TableDef};
use crate::codec::checkpoint::Checkpoint;
use crate::codec::frame::Genesis;
use crate::codec::message::MAX_CONTENT;
use crate::codec::text::{text, write_value};
use crate::error;
use crate::ids::{ChannelId, MessageId, Seq, UserId};
use crate::schema::IndexKind;
use crate::tables::{Slot, Tables};
use crate::transport::{HistoryPage, Message, NewAttachment, NewMessage, Transport, TransportError, explain};

/// Posts a new table's metadata message. A failure is reported, not returned: the catalog can be rebuilt.
pub(crate) async fn publish(
    transport: &dyn Transport,
    genesis: &Genesis,
    tables: &Tables,
    table: &Slot,
    checkpoint: Option<&Checkpoint>,
) {
    let (catalog, message) = (genesis.catalog, message(tables, table, checkpoint, genesis.keying.is_some()));
    if let Err(error) = transport.post(catalog, message, None).await {
        tracing::warn!(
            name: "catalog_stale", target: "discobase::guild",
            channel = %catalog, table = %table.def().name, %error,
            "the metadata message was not written"
        );
    }
}

/// Rewrites the metadata messages of the tables that changed after commit `since`.
pub(crate) async fn refresh(
    transport: &dyn Transport,
    genesis: &Genesis,
    bot: UserId,
    tables: &Tables,
    since: Seq,
    checkpoint: Option<&Checkpoint>,
) {
    let changed: Vec<_> = tables.iter().filter(|table| table.last_change() > since).collect();
    if !changed.is_empty() {
        post(transport, genesis, bot, tables, changed, checkpoint).await;
    }
}

/// Rewrites the metadata messages of all tables.
pub(crate) async fn rewrite(
    transport: &dyn Transport,
    genesis: &Genesis,
    bot: UserId,
    tables: &Tables,
    checkpoint: Option<&Checkpoint>,
) {
    post(transport, genesis, bot, tables, tables.iter().collect(), checkpoint).await;
}

/// The bot's metadata messages of no table, and those of which a table has a later one.
pub(crate) async fn stray(
    transport: &dyn Transport,
    catalog: ChannelId,
    bot: UserId,
    tables: &Tables,
) -> Result<Vec<MessageId>, TransportError> {
    let (mut stray, mut known, mut cursor) = (Vec::new(), HashMap::new(), MessageId::new(0));
    loop {
        let page = transport.history(catalog, HistoryPage::After(cursor)).await?;
        let Some(last) = page.last() else { return Ok(stray) };
        cursor = last.id;
        for message in page.iter().filter(|message| message.author == bot) {
            let Some(Entry { name, .. }) = entry(message) else { continue };
            if tables.named(&name).is_none() {
                stray.push(message.id);
            } else {
                stray.extend(known.insert(name, message.id));
            }
        }
    }
}

async fn post(
    transport: &dyn Transport,
    genesis: &Genesis,
    bot: UserId,
    tables: &Tables,
    changed: Vec<&Slot>,
    checkpoint: Option<&Checkpoint>,
) {
    let (catalog, sealed) = (genesis.catalog, genesis.keying.is_some());
    let known = match messages(transport, catalog, bot).await {
        Ok(known) => known,
        Err(error) => {
            tracing::warn!(
                name: "catalog_stale", target: "discobase::guild", channel = %catalog, %error,
                "the catalog could not be read"
            );
            return;
        }
    };
    for table in changed {
        match known.get(&table.def().name) {
            None => publish(transport, genesis, tables, table, checkpoint).await,
            Some(&id) => {
                if let Err(error) =
                    transport.edit(catalog, id, message(tables, table, checkpoint, sealed)).await
                {
                    tracing::warn!(
                        name: "catalog_stale", target: "discobase::guild",
                        channel = %catalog, message = %id, %error,
                        "the metadata message was not rewritten"
                    );
                }
            }
        }
    }
}

/// Deletes the metadata messages of tables that are none any more.
pub(crate) async fn retire(transport: &dyn Transport, genesis: &Genesis, bot: UserId, names: &[String]) {
    if names.is_empty() {
        return;
    }
    let catalog = genesis.catalog;
    let known = messages(transport, catalog, bot).await.unwrap_or_default();
    for (name, message) in known.into_iter().filter(|(name, _)| names.contains(name)) {
        if let Err(error) = transport.delete_message(catalog, message).await {
            tracing::warn!(
                name: "catalog_stale", target: "discobase::guild",
                channel = %catalog, %message, table = %name, %error,
                "the metadata message of a table that is gone was not deleted"
            );
        }
    }
}

/// Whether a catalog has the metadata message of any table. One that is gone has none.
pub(crate) async fn tells_of_tables(
    transport: &dyn Transport,
    catalog: ChannelId,
    bot: UserId,
) -> error::Result<bool> {
    match messages(transport, catalog, bot).await {
        Ok(known) => Ok(!known.is_empty()),
        Err(TransportError::Missing(_)) => Ok(false),
        Err(error) => Err(explain(&error, "reading the catalog").in_channel(catalog)),
    }
}

/// The bot's metadata messages by table name.
async fn messages(
    transport: &dyn Transport,
    catalog: ChannelId,
    bot: UserId,
) -> Result<HashMap<String, MessageId>, TransportError> {
    let (mut found, mut cursor) = (HashMap::new(), MessageId::new(0));
    loop {
        let page = transport.history(catalog, HistoryPage::After(cursor)).await?;
        let Some(last) = page.last() else { return Ok(found) };
        cursor = last.id;
        for message in page.iter().filter(|message| message.author == bot) {
            if let Some(entry) = entry(message) {
                found.insert(entry.name, message.id);
            }
        }
    }
}

/// A metadata message.
pub(crate) struct Entry {
    /// The table it tells of.
    pub(crate) name: String,
    /// What its text says.
    pub(crate) json: Json,
    /// Whether the text is a summary of an attachment.
    pub(crate) attached: bool,
}

/// What a message of the catalog says; `None` if it is no metadata message.
pub(crate) fn entry(message: &Message) -> Option<Entry> {
    let inner = message.content.strip_prefix("```json\n")?.strip_suffix("\n```")?;
    let json = serde_json::from_str::<Json>(inner).ok()?;
    let name = text(&json, "name")?.to_owned();
    Some(Entry { name, attached: json.get("details").is_some(), json })
}

/// What the metadata message of a table has to say.
pub(crate) fn described(table: &Slot, checkpoint: Option<&Checkpoint>, sealed: bool) -> Json {
    if sealed { outline(table, checkpoint) } else { metadata(table, checkpoint) }
}

/// The migration steps that the database has, each with its version and name.
fn steps(tables: &Tables) -> Vec<String> {
    tables.steps().iter().map(|step| format!("{} {}", step.version, step.name)).collect()
}

/// The metadata message of a table.
fn message(tables: &Tables, table: &Slot, checkpoint: Option<&Checkpoint>, sealed: bool) -> NewMessage {
    let mut whole = described(table, checkpoint, sealed);
    // A step's name may tell what an encrypted database does not.
    if let Some(object) = whole.as_object_mut().filter(|_| !sealed && !tables.steps().is_empty()) {
        object.insert("steps".to_owned(), json!(steps(tables)));
    }
    let content = block(&whole);
    if content.chars().count() <= MAX_CONTENT {
        return NewMessage { content, ..NewMessage::default() };
    }
    let file = serde_json::to_vec_pretty(&whole).unwrap_or_default();
    let def = table.def();
    let summary = json!({
        "name": def.name, "fields": def.columns.len(), "current_records": table.len(),
        "table_channel": def.channel.to_string(), "details": "metadata.json",
    });
    let attachments = vec![NewAttachment { filename: "metadata.json".to_owned(), bytes: Bytes::from(file) }];
    NewMessage { content: block(&summary), attachments, ..NewMessage::default() }
}

fn block(json: &Json) -> String {
    let text = serde_json::to_string_pretty(json).unwrap_or_default();
    // A backtick can only stand inside a JSON string, where its escape means the same.
    format!("```json\n{}\n```", text.replace('`', "\\u0060"))
}

/// What an encrypted database says about a table: nothing that is not in the guild anyway. Columns have names, enums
/// have variants and defaults are values, so none of them is told, and no fingerprint that would confirm a guess.
fn outline(table: &Slot, checkpoint: Option<&Checkpoint>) -> Json {
    let def = table.def();
    let (segments, complete_to) = stored(table, checkpoint);
    let indexes = def
        .indexes
        .iter()
        .zip(1..)
        .map(|(index, number)| (format!("index {number}"), Json::String(index.channel.to_string())));
    let indexes: serde_json::Map<String, Json> = indexes.collect();
    json!({
        "name": def.name,
        "encrypted": true,
        "fields": [],
        "table_channel": def.channel.to_string(),
        "index_channels": indexes,
        "current_records": table.len(),
        "max_records": Json::Null,
        "format": 1,
        "segments": segments,
        "complete_to": complete_to,
    })
}

/// The messages that hold a table's rows as of a checkpoint, and the last commit in them.
fn stored(table: &Slot, checkpoint: Option<&Checkpoint>) -> (Vec<String>, u64) {
    let Some(checkpoint) = checkpoint else { return (Vec::new(), 0) };
    let Some(stored) = checkpoint.tables.iter().find(|one| one.def.id == table.def().id) else {
        return (Vec::new(), 0);
    };
    let segments = stored.runs.iter().flat_map(|run| &run.segments);
    (segments.map(|segment| segment.location.message.to_string()).collect(), checkpoint.seq.get())
}

fn metadata(table: &Slot, checkpoint: Option<&Checkpoint>) -> Json {
    let def = table.def();
    let (segments, complete_to) = stored(table, checkpoint);
    let fields: Vec<&str> = def.columns.iter().map(|column| column.name.as_str()).collect();
    let indexes = def.indexes.iter().map(|index| {
        let names: Vec<&str> = index.columns.iter().filter_map(|&one| fields.get(one).copied()).collect();
        (names.join("_"), Json::String(index.channel.to_string()))
    });
    let indexes: serde_json::Map<String, Json> = indexes.collect();
    // A column that was dropped has no name; only its place is left.
    let live = || def.columns.iter().enumerate().filter(|(_, column)| !column.name.is_empty());
    json!({
        "name": def.name,
        "fields": live().map(|(_, column)| column.name.as_str()).collect::<Vec<_>>(),
        "table_channel": def.channel.to_string(),
        "index_channels": indexes,
        "current_records": table.len(),
        "max_records": Json::Null,
        "format": 1,
        "fingerprint": format!("{:016x}", def.fingerprint),
        "columns": live().map(|(id, one)| column(def, id, one)).collect::<Vec<_>>(),
        "segments": segments,
        "complete_to": complete_to,
    })
}

fn column(def: &TableDef, id: usize, column: &ColumnDef) -> Json {
    let mut json = json!({ "name": column.name, "type": column.ty });
    let Some(object) = json.as_object_mut() else { return json };
    if !column.variants.is_empty() {
        object.insert("variants".into(), json!(column.variants));
    }
    if column.nullable {
        object.insert("nullable".into(), json!(true));
    }
    if let Some(max_len) = column.max_len {
        object.insert("max_len".into(), json!(max_len));
    }
    if let Some(default) = &column.default {
        let mut text = String::new();
        write_value(&mut text, default.as_ref());
        object.insert("default".into(), serde_json::from_str(&text).unwrap_or(Json::String(text)));
    }
    // Of columns that only together are unique none is so alone.
    let says = |index: &&IndexDef| {
        index.columns.contains(&id) && (index.columns.len() == 1 || index.kind == IndexKind::Key)
    };
    let kinds = def.indexes.iter().filter(says).map(|index| match index.kind {
        IndexKind::Key => "key",
        IndexKind::Unique => "unique",
        IndexKind::Index => "index",
    });
    let kinds: Vec<&str> = kinds.collect();
    if !kinds.is_empty() {
        object.insert("constraints".into(), json!(kinds));
    }
    let mut references = def.references().filter(|(_, index, _)| index.columns.contains(&id));
    if let Some((_, _, reference)) = references.next() {
        let reference = json!({ "table": reference.table, "on_delete": reference.on_delete.name() });
        object.insert("references".into(), reference);
    }
    json
}
