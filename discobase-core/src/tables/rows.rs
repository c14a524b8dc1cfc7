//! The rows of a table by their ids: pages behind a persistent array.

use std::ops::ControlFlow;
use std::sync::Arc;

use crate::ids::{RowId, Seq};
use crate::tables::page::{PAGE_ROWS, Page};
use crate::tables::table::Stored;
use crate::tables::trie::Trie;

/// No row has this id or a higher one: an index keeps an id in five bytes. A table that gave out a million ids every
/// second would get there after twelve days of it, or, at the pace of the journal, not within its life.
pub(crate) const ID_LIMIT: RowId = RowId::new(1 << 40);

#[derive(Clone, Default)]
pub(crate) struct Rows {
    pages: Trie<Arc<Page>>,
    len: usize,
}

#[inline]
fn place(id: RowId) -> (u64, usize) {
    (id.get() / PAGE_ROWS as u64, id.get() as usize % PAGE_ROWS)
}

fn id_of(page: u64, slot: usize) -> RowId {
    RowId::new(page * PAGE_ROWS as u64 + slot as u64)
}

impl Rows {
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    #[inline]
    pub(crate) fn get(&self, id: RowId) -> Option<Stored<'_>> {
        let (page, slot) = place(id);
        self.pages.get(page)?.get(slot)
    }

    /// All rows in the order of their ids.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (RowId, Stored<'_>)> {
        self.pages
            .iter()
            .flat_map(|(number, page)| page.rows().map(move |(slot, stored)| (id_of(number, slot), stored)))
    }

    /// Visits all rows in the order of their ids until `visit` breaks.
    pub(crate) fn walk<'a, B>(
        &'a self,
        mut visit: impl FnMut(RowId, Stored<'a>) -> ControlFlow<B>,
    ) -> ControlFlow<B> {
        self.pages.walk(|number, page| {
            page.rows().try_for_each(|(slot, stored)| visit(id_of(number, slot), stored))
        })
    }

    /// Puts a row, over the one that has the id.
    pub(crate) fn put(&mut self, id: RowId, version: Seq, row: &[u8]) {
        let (number, slot) = place(id);
        let Some(entry) = self.pages.entry(number) else { return };
        let page = Arc::make_mut(entry.get_or_insert_default());
        self.len += usize::from(page.get(slot).is_none());
        page.put(slot, version, row);
        if slot == PAGE_ROWS - 1 {
            page.shrink();
        }
    }

    /// Removes a row; false if there is none.
    pub(crate) fn remove(&mut self, id: RowId) -> bool {
        if self.get(id).is_none() {
            return false;
        }
        let (number, slot) = place(id);
        if let Some(page) = self.pages.get_mut(number) {
            let page = Arc::make_mut(page);
            page.clear(slot);
            if page.is_empty() {
                self.pages.remove(number);
            }
        }
        self.len -= 1;
        true
    }

    /// How many bytes of memory the rows take, about.
    pub(crate) fn footprint(&self) -> usize {
        self.pages.iter().map(|(_, page)| page.footprint() + 24).sum()
    }
}
