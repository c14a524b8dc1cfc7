//! Building tables: the channels of those that are new, and one commit that makes them known.

use std::collections::HashSet;
use std::sync::Arc;

use crate::batch::TableDef;
use crate::db::catalog;
use crate::db::difference::{Difference, are_additive, changed, differences, table_of};
use crate::db::engine::Role as Part;
use crate::db::layout::Role;
use crate::db::link::Link;
use crate::db::migrate::change::Change;
use crate::db::migrate::plan::Steps;
use crate::db::migrate::run;
use crate::db::registry::{Handle, Registered};
use crate::error::{Error, ErrorKind, Result};
use crate::ids::{ChannelId, TableId};
use crate::session::{Write, check_definitions};
use crate::tables::Tables;

/// What is to be made ready.
pub(crate) struct Wanted<'a> {
    pub(crate) registered: &'a [Registered],
    /// The steps that a new database has no need of.
    pub(crate) steps: &'a Steps,
    /// Whether tables may be made to fit where that touches nothing that is in them.
    pub(crate) additive: bool,
}

/// Makes every registered struct's table ready: checks those that exist, creates those that do not.
pub(crate) async fn build(link: &Link, wanted: Wanted<'_>) -> Result<()> {
    let Wanted { registered, steps, .. } = wanted;
    let fitting = fitting(link, &wanted)?;
    if !fitting.is_empty() {
        run::fit(link, &fitting).await?;
    }
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
    check_references(&tables, &fresh)?;
    link.engine.settled().await?;
    // Others make channels too, and a call that was dropped may have made some of those wanted.
    creator.look().await?;
    creator.home.adopt(&link.described());
    creator.home.leave(&in_use(&tables));
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
    if is_new(link) {
        writes.extend(run::baseline(steps, link.engine.now()));
    }
    link.engine.commit(writes).await?.durable().await?;
    link.refresh(registered)?;
    let tables = Arc::clone(&link.engine.tables());
    for one in fresh {
        if let Some(table) = tables.named(one.schema.name) {
            catalog::publish(&*creator.transport, &link.described(), &tables, table, None).await;
        }
    }
    Ok(())
}

/// Refuses references that mean nothing before any channel is made for them.
fn check_references(tables: &Tables, fresh: &[&Registered]) -> Result<()> {
    let nowhere = ChannelId::new(0);
    let made = |one: &&Registered| {
        let indexes = vec![nowhere; one.schema.indexes.len()];
        TableDef::new(one.schema, &one.defaults, TableId::default(), nowhere, &indexes)
    };
    let made: Vec<TableDef> = fresh.iter().map(made).collect();
    let known: Vec<_> = tables.iter().map(|slot| Arc::clone(slot.def())).collect();
    check_definitions(&known.iter().map(|def| &**def).chain(&made).collect::<Vec<_>>())
}

/// Whether nothing was ever built in the database.
pub(crate) fn is_new(link: &Link) -> bool {
    let tables = link.engine.tables();
    tables.iter().next().is_none() && tables.steps().is_empty()
}

/// Whether the steps do not go with the database as it is, or structs differ from their tables.
pub(crate) fn is_behind(link: &Link, registered: &[Registered], steps: &Steps) -> bool {
    let tables = link.engine.tables();
    let differs =
        |one: &Registered| table_of(&tables, one).is_some_and(|table| Handle::new(one, table.def()).is_err());
    let behind = steps.pending(tables.steps()).map_or(true, |pending| !pending.is_empty());
    !is_new(link) && (behind || registered.iter().any(differs))
}

/// The channels of tables that exist: no other table may get them, whatever their topics say.
pub(crate) fn in_use(tables: &Tables) -> HashSet<ChannelId> {
    let channels = tables.iter().flat_map(|table| {
        let def = table.def();
        def.indexes.iter().map(|index| index.channel).chain([def.channel]).collect::<Vec<_>>()
    });
    channels.collect()
}

/// The changes that make tables fit their structs, as far as they are allowed.
fn fitting(link: &Link, wanted: &Wanted<'_>) -> Result<Vec<Change>> {
    let tables = link.engine.tables();
    let mut changes = Vec::new();
    for one in wanted.registered {
        let Some(table) = table_of(&tables, one) else { continue };
        let found = differences(one, table.def());
        if found.is_empty() {
            continue;
        }
        let allowed = wanted.additive && link.engine.role() == Part::Writer;
        if !allowed || !are_additive(&found) {
            return Err(changed(one, table.def(), &found));
        }
        let (from, table) = (table.def().name.clone(), one.schema.name.to_owned());
        if from != table {
            changes.push(Change::Rename { from, to: table.clone() });
        }
        let made = found.iter().flat_map(Difference::changes);
        changes.extend(made.map(|change| Change::Table { table: table.clone(), change }));
    }
    Ok(changes)
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
