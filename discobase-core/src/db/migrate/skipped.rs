//! Tables that steps change and that a database never had: it comes from before the release that brought them. They are made
//! from their structs, as these are now, once the steps are applied; what the steps would do to them is passed over.

use std::collections::BTreeSet;

use crate::db::difference::table_of;
use crate::db::migrate::change::Change;
use crate::db::migrate::step::Step;
use crate::db::registry::Registered;
use crate::error::{Error, ErrorKind};
use crate::tables::Tables;

/// What a database lacks of its structs' tables before steps are applied to it.
#[derive(Debug, Default)]
pub(crate) struct Skipped {
    /// The tables that are made after the steps.
    made: BTreeSet<String>,
    /// The tables that nobody has a struct for, and that stay. What is not there may be one of them, by a name that the
    /// steps get wrong; so nothing is passed over then.
    strangers: Vec<String>,
}

impl Skipped {
    pub(crate) fn of(tables: &Tables, registered: &[Registered], pending: &[&Step]) -> Self {
        let made = registered.iter().filter(|one| table_of(tables, one).is_none());
        let known: Vec<_> =
            registered.iter().filter_map(|one| Some(table_of(tables, one)?.def().id)).collect();
        let leaves = |name: &str| {
            let mut changes = pending.iter().flat_map(|step| step.up());
            changes.any(|change| match change {
                Change::Rename { from: table, .. } | Change::Drop { table } => table == name,
                _ => false,
            })
        };
        let defs = tables.iter().map(|slot| slot.def());
        let strangers = defs.filter(|def| !known.contains(&def.id) && !leaves(&def.name));
        Self {
            made: made.map(|one| one.schema.name.to_owned()).collect(),
            strangers: strangers.map(|def| def.name.clone()).collect(),
        }
    }

    /// Whether a change is passed over whose table is not there, `ahead` being this change and all that come after it.
    pub(super) fn passes<'a>(&self, table: &'a str, ahead: impl Iterator<Item = &'a Change>) -> bool {
        self.strangers.is_empty() && self.is_never(table, ahead)
    }

    /// Whether a table that is not there is one that is made later, or would be gone by then.
    fn is_never<'a>(&self, table: &'a str, ahead: impl Iterator<Item = &'a Change>) -> bool {
        let mut name = table;
        for change in ahead {
            match change {
                Change::Rename { from, to } if from == name => name = to,
                // Another table is to become it.
                Change::Rename { to, .. } if to == name => return false,
                Change::Drop { table } if table == name => return true,
                _ => {}
            }
        }
        self.made.contains(name)
    }

    /// The error of a change whose table is not there.
    pub(super) fn missing(&self, table: &str) -> Error {
        let mut text = "there is no such table".to_owned();
        if !self.strangers.is_empty() {
            let strangers = self.strangers.join(", ");
            text += &format!(
                ", and the database has some that no struct is registered for: {strangers}. If one of them is meant, give \
                 it this name with rename_table(…) in a step; those that nobody needs go with drop_table(…)"
            );
        }
        Error::new(ErrorKind::Migration, text).in_table(table)
    }
}
