//! The rows of a table by their ids: pages behind a persistent array, and apart from them the rows that are too long
//! for a page, so that a change of their neighbours need not copy them.

use std::ops::ControlFlow;
use std::sync::Arc;

use smallvec::SmallVec;

use crate::ids::{RowId, Seq};
use crate::row::RowRef;
use crate::tables::page::{LONGEST, PAGE_ROWS, Page, row_in, version_and_row};
use crate::tables::table::Stored;
use crate::tables::touch::touch;
use crate::tables::trie::Trie;

/// No row has this id or a higher one: an index keeps an id in five bytes. A table that gave out a million ids every
/// second would get there after twelve days of it, or, at the pace of the journal, not within its life.
pub(crate) const ID_LIMIT: RowId = RowId::new(1 << 40);

/// So many rows are fetched side by side.
const TOGETHER: usize = 32;

#[derive(Clone, Default)]
pub(crate) struct Rows {
    pages: Trie<Page>,
    long: Trie<Arc<[u8]>>,
    len: usize,
}

#[inline]
fn place(id: RowId) -> (u64, usize) {
    (id.get() / PAGE_ROWS as u64, id.get() as usize % PAGE_ROWS)
}

#[inline]
fn id_of(page: u64, slot: usize) -> RowId {
    RowId::new(page * PAGE_ROWS as u64 + slot as u64)
}

impl Rows {
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    #[inline]
    pub(crate) fn get(&self, id: RowId) -> Option<Stored<'_>> {
        self.stored(id, self.slot(id)?)
    }

    #[inline]
    fn slot(&self, id: RowId) -> Option<&[u8]> {
        let (page, slot) = place(id);
        let page = self.pages.get(page)?;
        touch(std::iter::once(page.guess(slot)));
        page.slot(slot)
    }

    // Always: the processor would wait for what a call writes to memory in parts and the caller reads as one.
    #[inline(always)]
    fn stored<'a>(&'a self, id: RowId, slot: &'a [u8]) -> Option<Stored<'a>> {
        let (version, row) = version_and_row(slot)?;
        let row = if row.is_empty() { self.long.get(id.get())? } else { row };
        Some(Stored { version, row: RowRef::new(row) })
    }

    /// Visits the rows with these ids, in the order given, until `visit` breaks. What leads to the rows of a group, and
    /// they themselves, are [touched](touch) before the first of them is visited.
    pub(crate) fn visit<'a, B>(
        &'a self,
        ids: &[RowId],
        mut visit: impl FnMut(RowId, Stored<'a>) -> ControlFlow<B>,
    ) -> ControlFlow<B> {
        for ids in ids.chunks(TOGETHER) {
            let pages: SmallVec<[Option<(&Page, usize)>; TOGETHER]> = ids
                .iter()
                .map(|id| {
                    let (page, slot) = place(*id);
                    Some((self.pages.get(page)?, slot))
                })
                .collect();
            touch(pages.iter().flatten().map(|(page, slot)| page.head(*slot) ^ page.guess(*slot)));
            let slots: SmallVec<[Option<&[u8]>; TOGETHER]> =
                pages.iter().map(|place| place.and_then(|(page, slot)| page.slot(slot))).collect();
            touch(slots.iter().flatten().filter_map(|slot| Some(slot.first()? ^ slot.last()?)));
            for (id, slot) in ids.iter().zip(slots) {
                if let Some(stored) = slot.and_then(|slot| self.stored(*id, slot)) {
                    visit(*id, stored)?;
                }
            }
        }
        ControlFlow::Continue(())
    }

    /// All rows in the order of their ids.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (RowId, Stored<'_>)> {
        self.pages.iter().flat_map(move |(number, page)| {
            page.slots().filter_map(move |(slot, bytes)| {
                let id = id_of(number, slot);
                Some((id, self.stored(id, bytes)?))
            })
        })
    }

    /// Visits the rows that are wanted in the order of their ids until `visit` breaks. Of a row that is not wanted nothing
    /// but what `wanted` looks at is read.
    #[inline]
    pub(crate) fn walk<'a, B>(
        &'a self,
        wanted: impl Fn(RowRef<'a>) -> bool,
        mut visit: impl FnMut(RowId, Stored<'a>) -> ControlFlow<B>,
    ) -> ControlFlow<B> {
        let mut visit = |number, page: &'a Page| {
            for (slot, bytes) in page.slots() {
                let Some(row) = row_in(bytes) else { continue };
                // Of a long row it is not known here.
                if (row.is_empty() || wanted(RowRef::new(row)))
                    && let Some(stored) = self.stored(id_of(number, slot), bytes)
                    && (!row.is_empty() || wanted(stored.row))
                {
                    visit(id_of(number, slot), stored)?;
                }
            }
            ControlFlow::Continue(())
        };
        // Memory fetches the next page while this one is visited.
        let mut next: Option<(u64, &Page)> = None;
        self.pages.walk(|number, page| {
            touch(std::iter::once(page.head(0)));
            match next.replace((number, page)) {
                Some((number, page)) => visit(number, page),
                None => ControlFlow::Continue(()),
            }
        })?;
        next.map_or(ControlFlow::Continue(()), |(number, page)| visit(number, page))
    }

    /// Puts a row, over the one that has the id.
    pub(crate) fn put(&mut self, id: RowId, version: Seq, row: &[u8]) {
        let (number, slot) = place(id);
        let Some(entry) = self.pages.entry(number) else { return };
        let page = entry.get_or_insert_default();
        let is_long = row.len() > LONGEST;
        let was_long = match page.slot(slot).and_then(version_and_row) {
            Some((_, row)) => row.is_empty(),
            None => {
                self.len += 1;
                false
            }
        };
        page.put(slot, version, if is_long { &[] } else { row });
        if slot == PAGE_ROWS - 1 {
            page.shrink();
        }
        if is_long {
            if let Some(entry) = self.long.entry(id.get()) {
                *entry = Some(row.into());
            }
        } else if was_long {
            self.long.remove(id.get());
        }
    }

    /// Removes a row; false if there is none.
    pub(crate) fn remove(&mut self, id: RowId) -> bool {
        let Some((_, row)) = self.slot(id).and_then(version_and_row) else { return false };
        if row.is_empty() {
            self.long.remove(id.get());
        }
        let (number, slot) = place(id);
        if let Some(page) = self.pages.get_mut(number) {
            page.clear(slot);
            if page.is_empty() {
                self.pages.remove(number);
            }
        }
        self.len -= 1;
        true
    }
}
