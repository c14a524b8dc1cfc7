//! Building tables: the channels of those that are new, and one commit that makes them known.

use std::sync::Arc;

use crate::batch::TableDef;
use crate::db::catalog;
use crate::db::engine::Role as Part;
use crate::db::layout::Role;
use crate::db::link::Link;
use crate::db::registry::{Handle, Registered};
use crate::error::{Error, ErrorKind, Result};
use crate::ids::TableId;
use crate::session::Write;

/// Makes every registered struct's table ready: checks those that exist, creates those that do not.
pub(crate) async fn build(link: &Link, registered: &[Registered]) -> Result<()> {
    let mut creator = link.creator.lock().await;
    let tables = Arc::clone(&link.engine.tables());
    let mut fresh = Vec::new();
    for one in registered {
        match tables.named(one.schema.name) {
            // All structs are checked before anything is created.
            Some(table) => drop(Handle::new(one, table.def())?),
            None => fresh.push(one),
        }
    }
    if fresh.is_empty() {
        return link.refresh(registered);
    }
    if link.engine.role() == Part::Follower {
        return Err(not_created(&fresh));
    }
    link.engine.settled().await?;
    // Others make channels too, and a call that was dropped may have made some of those wanted.
    creator.look().await?;
    creator.home.adopt(&link.described());
    let wanted: Vec<Role> = fresh.iter().flat_map(|one| roles(one)).collect();
    creator.home.check_room(wanted.iter().filter(|role| creator.home.get(role).is_none()).count())?;
    let mut writes = Vec::new();
    for one in &fresh {
        let mut channels = Vec::new();
        for role in roles(one) {
            channels.push(creator.ensure(&role).await?);
        }
        let Some((&table, indexes)) = channels.split_first() else { continue };
        let def = TableDef::new(one.schema, &one.defaults, TableId::default(), table, indexes);
        writes.push(Write::Schema(Box::new(def)));
    }
    link.engine.commit(writes).await?.durable().await?;
    link.refresh(registered)?;
    let tables = Arc::clone(&link.engine.tables());
    for one in fresh {
        if let Some(table) = tables.named(one.schema.name) {
            catalog::publish(&*creator.transport, &link.described(), table, None).await;
        }
    }
    Ok(())
}

fn not_created(fresh: &[&Registered]) -> Error {
    let names: Vec<&str> = fresh.iter().map(|one| one.schema.name).collect();
    let text = format!(
        "not in the guild: {}. A process that follows creates nothing: register the same structs where the database \
         is open for writing, or take it over with db.promote().await",
        names.join(", ")
    );
    let error = Error::new(ErrorKind::NotCreated, text);
    match names.as_slice() {
        [one] => error.in_table(*one),
        _ => error,
    }
}

/// The roles of a table's channels: the rows', then each index's.
fn roles(table: &Registered) -> Vec<Role> {
    let name = table.schema.name;
    let index = |channel: &str| Role::Index { table: name.to_owned(), channel: channel.to_owned() };
    let rows = Role::Table(name.to_owned());
    [rows].into_iter().chain(table.schema.indexes.iter().map(|one| index(one.channel))).collect()
}
