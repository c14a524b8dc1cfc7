//! Which tables refer to which: made of the definitions whenever one of them changes.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::batch::{IndexDef, ReferenceDef};
use crate::ids::TableId;
use crate::schema::OnDelete;
use crate::tables::Slot;

/// A reference between two tables that are there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Reference {
    /// The table whose rows refer.
    pub(crate) child: TableId,
    /// The position of the child's index that is on the columns that refer.
    pub(crate) index: usize,
    /// The table whose key they hold.
    pub(crate) parent: TableId,
    pub(crate) on_delete: OnDelete,
}

/// All references of a state.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct References {
    /// By the table whose rows refer, in the order of its indexes.
    from: BTreeMap<TableId, Arc<[Reference]>>,
    /// By the table that is referred to, in the order of the children.
    to: BTreeMap<TableId, Arc<[Reference]>>,
}

impl References {
    /// The references of these tables. One to a table that is not there is left out: no commit makes any.
    pub(super) fn of(tables: &BTreeMap<TableId, Slot>) -> Self {
        let referring = |slot: &Slot| slot.def().references().next().is_some();
        if !tables.values().any(referring) {
            return Self::default();
        }
        let names: BTreeMap<&str, TableId> =
            tables.values().map(|slot| (slot.def().name.as_str(), slot.def().id)).collect();
        let (mut from, mut to) = (BTreeMap::<_, Vec<_>>::new(), BTreeMap::<_, Vec<_>>::new());
        for slot in tables.values() {
            let child = slot.def().id;
            let known = |(index, _, reference): (usize, &IndexDef, &ReferenceDef)| {
                let &parent = names.get(reference.table.as_str())?;
                Some(Reference { child, index, parent, on_delete: reference.on_delete })
            };
            for reference in slot.def().references().filter_map(known) {
                from.entry(child).or_default().push(reference);
                to.entry(reference.parent).or_default().push(reference);
            }
        }
        let shared = |by: BTreeMap<TableId, Vec<Reference>>| {
            by.into_iter().map(|(table, references)| (table, references.into())).collect()
        };
        Self { from: shared(from), to: shared(to) }
    }

    /// The references that rows of a table have.
    pub(crate) fn from(&self, child: TableId) -> &[Reference] {
        self.from.get(&child).map_or(&[], |references| references)
    }

    /// The references to rows of a table.
    pub(crate) fn to(&self, parent: TableId) -> &[Reference] {
        self.to.get(&parent).map_or(&[], |references| references)
    }

    /// Whether rows of a table refer to others, or others to them.
    pub(crate) fn concern(&self, table: TableId) -> bool {
        self.from.contains_key(&table) || self.to.contains_key(&table)
    }
}
