//! The catalog against the tables it mirrors.

use std::collections::HashMap;

use serde_json::Value as Json;

use super::Pass;
use super::journal::Journal;
use super::report::{Deviation, DeviationKind as Kind};
use crate::db::catalog::{Entry, described, entry};
use crate::db::engine::Role;
use crate::error::Result;
use crate::ids::{ChannelId, MessageId};
use crate::tables::Tables;
use crate::transport::{HistoryPage, Message, TransportError, explain};

/// What changes with every commit, or is compared on its own.
const VOLATILE: [&str; 3] = ["current_records", "segments", "complete_to"];

impl Pass<'_> {
    /// Compares the metadata messages with the tables.
    pub(super) async fn catalog(
        &mut self,
        catalog: ChannelId,
        journal: Option<&Journal>,
        tables: &Tables,
    ) -> Result<()> {
        let link = self.site.link();
        // Who makes tables holds this until their messages are posted.
        let making = link.creator.lock().await;
        let known = self.metadata(catalog, journal, tables).await?;
        drop(making);
        let writes = link.engine.role() == Role::Writer;
        // After a checkpoint its owner alone knows whether it has come to rewriting them.
        let newest = link.engine.last().map(|last| last.sum);
        let mirrored = writes
            && !link.checkpoints.mirrors()
            && journal
                .is_some_and(|journal| newest.is_none_or(|newest| newest == journal.walked.base.link.sum));
        let tables = Tables::clone(tables);
        for table in tables.iter() {
            let fresh = journal.is_some_and(|journal| journal.commits.tables.contains_key(&table.def().id));
            if !writes && fresh {
                continue;
            }
            let name = &table.def().name;
            let at = |deviation: Deviation| deviation.table(name).channel(catalog);
            let Some((message, found)) = known.get(name) else {
                let text = "the table has no metadata message in the catalog, which people and tools read: \
                            db.heal().await posts one";
                self.found(at(Deviation::new(Kind::MissingMetadata, text)));
                continue;
            };
            let Some(journal) = journal else { continue };
            let sealed = journal.walked.base.root.genesis.keying.is_some();
            let expected = described(table, journal.checkpoint.as_deref(), sealed);
            let stale = |what: &str| {
                let text = format!(
                    "the metadata message does not say what the table is: {what}. Nothing is read from it for truth; \
                     db.heal().await rewrites it"
                );
                at(Deviation::new(Kind::StaleMetadata, text)).message(*message)
            };
            // What changed since the checkpoint is told of after the next.
            if fresh {
                continue;
            }
            match found {
                None => self.found(stale("it can't be read")),
                Some(found) => {
                    if let Some(what) = difference(found, &expected, mirrored) {
                        self.found(stale(&what));
                    }
                }
            }
        }
        Ok(())
    }

    /// The metadata messages by the tables' names. What is none is reported.
    async fn metadata(
        &mut self,
        catalog: ChannelId,
        journal: Option<&Journal>,
        tables: &Tables,
    ) -> Result<HashMap<String, (MessageId, Option<Json>)>> {
        let (mut known, mut cursor) = (HashMap::new(), MessageId::new(0));
        loop {
            self.counts.requests += 1;
            let page = self.site.reader.transport.history(catalog, HistoryPage::After(cursor)).await;
            let page = page.map_err(|error| explain(&error, "reading the catalog").in_channel(catalog))?;
            let Some(last) = page.last() else { return Ok(known) };
            cursor = last.id;
            self.counts.messages += page.len() as u64;
            for message in page {
                let at = |deviation: Deviation| deviation.channel(catalog).message(message.id);
                if message.author != self.site.reader.bot {
                    let text = format!(
                        "user {} wrote a message into the catalog. It is ignored: delete it if it disturbs you",
                        message.author
                    );
                    self.found(at(Deviation::new(Kind::ForeignMessage, text)));
                    continue;
                }
                let Some(Entry { name, json, attached }) = entry(&message) else {
                    let text = "the bot wrote a message into the catalog that is no metadata message. It is ignored: \
                                delete it if it disturbs you";
                    self.found(at(Deviation::new(Kind::ForeignMessage, text)));
                    continue;
                };
                let lately = journal.is_some_and(|journal| journal.commits.later.contains(&name));
                if tables.named(&name).is_none() {
                    if !lately {
                        let text = format!(
                            "a metadata message tells of {name:?}, and there is no such table: \
                                            db.heal().await deletes it"
                        );
                        self.found(at(Deviation::new(Kind::StaleMetadata, text)));
                    }
                    continue;
                }
                let json = if attached { self.details(&message).await? } else { Some(json) };
                // The last one is the one that is rewritten.
                if let Some((older, _)) = known.insert(name.clone(), (message.id, json)) {
                    let text = "the table has a second metadata message, which is not rewritten: db.heal().await \
                                deletes it";
                    let deviation = Deviation::new(Kind::StaleMetadata, text).table(&name);
                    self.found(deviation.channel(catalog).message(older));
                }
            }
        }
    }

    /// What a metadata message says that is too long for its text.
    async fn details(&mut self, message: &Message) -> Result<Option<Json>> {
        let [file] = &message.attachments[..] else { return Ok(None) };
        self.counts.requests += 1;
        match self.site.reader.transport.download(file).await {
            Ok(file) => {
                self.counts.bytes += file.len() as u64;
                Ok(serde_json::from_slice(&file).ok())
            }
            Err(TransportError::Missing(_) | TransportError::Forbidden(_)) => Ok(None),
            Err(error) => Err(explain(&error, "reading the catalog").in_channel(message.channel)),
        }
    }
}

/// What of a metadata message is not as the table is.
fn difference(found: &Json, expected: &Json, mirrored: bool) -> Option<String> {
    let (Some(found), Some(expected)) = (found.as_object(), expected.as_object()) else {
        return Some("it can't be read".to_owned());
    };
    let fixed = expected.iter().filter(|(field, _)| !VOLATILE.contains(&field.as_str()));
    let wrong: Vec<&str> = fixed
        .filter(|(field, value)| found.get(*field) != Some(value))
        .map(|(field, _)| field.as_str())
        .collect();
    if !wrong.is_empty() {
        return Some(format!("{} differ", wrong.join(", ")));
    }
    // After a checkpoint it is rewritten; what was deleted by then must not be told of.
    let of = |of: &serde_json::Map<String, Json>| of.get("complete_to").cloned().unwrap_or_default();
    (mirrored && found.get("segments") != expected.get("segments"))
        .then(|| format!("its segments are those of commit {}, not of {}", of(found), of(expected)))
}
