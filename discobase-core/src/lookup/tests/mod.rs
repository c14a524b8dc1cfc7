//! Lookups against what a table that is loaded would say, over a guild that counts what it is asked for.

mod agreement;
mod costs;
mod people;
mod shelf;

use std::sync::Arc;

use super::*;
use crate::tables::{Slot, Tables};
use crate::transport::Transport;
use people::{ID, NAME, Truth, add_runs, def, empty, id_key, name_key, person};
use shelf::{Shelf, Standing};

fn lookups(shelf: &Arc<Shelf>, limit: u64) -> Lookups {
    let env = Arc::new(Standing::default());
    let files = Files::new(Arc::clone(shelf) as Arc<dyn Transport>, env, 8 << 20);
    Lookups::new(files, "db".into(), limit)
}

/// A table that is looked up, and what looks it up.
struct Opened {
    lookups: Lookups,
    tables: Tables,
}

const SEALING: Sealing = Sealing::Clear;

impl Opened {
    async fn new(shelf: &Arc<Shelf>, table: &TableCheckpoint, limit: u64) -> Self {
        Self::by(lookups(shelf, limit), table).await
    }

    async fn by(lookups: Lookups, table: &TableCheckpoint) -> Self {
        let seq = table.runs.last().map_or(Seq::default(), |last| last.to);
        let opened = lookups.open(&SEALING, table, seq).await.unwrap();
        let tables =
            Tables::restore([Slot::Unloaded(Arc::new(opened))], seq, table.def.id.next(), Vec::new());
        Self { lookups, tables }
    }

    /// A newer checkpoint became durable.
    fn goes_by(&mut self, table: &TableCheckpoint, seq: u64) {
        self.tables.rebase(std::slice::from_ref(table), Seq::new(seq));
        self.tables.forget_covered(|table| self.lookups.small_since(table));
    }

    fn table(&self) -> &Unloaded {
        self.tables.get(def().id).unwrap().unloaded().unwrap()
    }

    async fn equal(&self, index: usize, key: &SortKey) -> Result<Option<Vec<Found>>, Lost> {
        self.lookups.equal(self.table(), index, key).await
    }

    async fn find(&self, index: usize, key: &SortKey) -> Vec<Found> {
        self.equal(index, key).await.unwrap().expect("few are found")
    }

    async fn row(&self, row: RowId) -> Option<Found> {
        self.lookups.row(self.table(), row).await.unwrap()
    }
}

fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

#[test]
fn what_finds_too_much_is_no_lookup() {
    let shelf = Arc::new(Shelf::default());
    let mut table = empty();
    let truth: Truth = (1..=500).map(|row| (row, (row, Some(person(row, Some("same")))))).collect();
    add_runs(&shelf, &mut table, &truth, 0, 500);
    run(async {
        let opened = Opened::new(&shelf, &table, 0).await;
        assert!(matches!(opened.equal(NAME, &name_key("same")).await, Ok(None)));
        assert_eq!(opened.find(ID, &id_key(5)).await.len(), 1);
    });
}

#[test]
fn a_lookup_can_be_awaited_on_any_thread() {
    fn is_send(_: impl Send) {}
    let shelf = Arc::new(Shelf::default());
    let opened = run(Opened::new(&shelf, &empty(), 0));
    is_send(opened.equal(ID, &id_key(1)));
    let lookups = lookups(&shelf, 0);
    is_send(lookups.open(&SEALING, &empty(), Seq::default()));
}
