//! What lookups cost: requests and bytes.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use futures_util::future::try_join_all;

use super::people::{ID, Truth, add_runs, empty, id_key, person};
use super::shelf::{Shelf, Standing};
use super::{Opened, lookups, run};
use crate::codec::checkpoint::{Run, TableCheckpoint};
use crate::env::Env;
use crate::error::ErrorKind;
use crate::ids::{RowId, Seq};
use crate::lookup::{Files, Lookups, Lost, SMALL};
use crate::tables::Found;
use crate::transport::Transport;

/// `rows` rows in one large run, a tenth of them changed in a second, and a few in a small third one.
fn large(shelf: &Shelf, rows: u64) -> (TableCheckpoint, Truth) {
    let mut table = empty();
    let name = |number: u64, round: &str| {
        let mixed = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        format!("{:x} {round} {:x}", mixed % (rows / 3), mixed >> 20)
    };
    let write = |row: u64, round: &str| Some(person(row.wrapping_mul(7_919), Some(&name(row, round))));
    let mut truth: Truth = (1..=rows).map(|row| (row, (1 + row / 100, write(row, "first")))).collect();
    let mut seq = 2 + rows / 100;
    add_runs(shelf, &mut table, &truth, 0, seq);
    for (share, round) in [(10, "second"), (10_000, "third")] {
        let from = seq;
        for row in (1..=rows).filter(|row| row % share == 7) {
            seq += 1;
            let values = if row % 3 == 0 { None } else { write(row, round) };
            truth.insert(row, (seq, values));
        }
        add_runs(shelf, &mut table, &truth, from, seq);
    }
    (table, truth)
}

/// What a lookup costs whose blocks nobody has read before: the most requests and bytes, and the bytes' mean.
async fn measure(shelf: &Arc<Shelf>, table: &TableCheckpoint, truth: &Truth, count: u64) -> (u64, u64, u64) {
    let (mut most, mut most_bytes, mut all_bytes) = (0, 0, 0);
    let rows = truth.len() as u64;
    for number in 0..count {
        let opened = Opened::new(shelf, table, SMALL).await;
        // The same files, but nothing is remembered of them.
        let opened = Opened { lookups: lookups(shelf, SMALL), ..opened };
        let row = 1 + number.wrapping_mul(0x9e37_79b9_7f4a_7c15) % rows;
        let key = id_key(row.wrapping_mul(7_919));
        let before = shelf.asked();
        let found = opened.find(ID, &key).await;
        let (requests, bytes) = shelf.asked();
        assert_eq!(
            found,
            truth[&row]
                .1
                .iter()
                .cloned()
                .map(|values| Found { row: RowId::new(row), version: Seq::new(truth[&row].0), values })
                .collect::<Vec<_>>()
        );
        most = most.max(requests - before.0);
        most_bytes = most_bytes.max(bytes - before.1);
        all_bytes += bytes - before.1;
    }
    (most, most_bytes, all_bytes / count)
}

#[test]
fn a_cold_lookup_costs_a_few_requests_however_many_rows_there_are() {
    let shelf = Arc::new(Shelf::default());
    let (mut table, truth) = large(&shelf, 40_000);
    assert!(table.runs[0].segments[0].blocks.as_slice().len() > 10, "there is something to choose from");
    run(async {
        let (requests, bytes, _) = measure(&shelf, &table, &truth, 60).await;
        // A message and a block for each run of the index and of the rows that can have it: two of each are large.
        assert!(requests <= 8 && bytes <= 512 << 10, "{requests} requests, {bytes} bytes");
    });
    // As after a merge: one large run.
    let seq = table.runs.last().unwrap().to.get();
    table = empty();
    let live: Truth = truth.into_iter().filter(|(_, (_, values))| values.is_some()).collect();
    add_runs(&shelf, &mut table, &live, 0, seq);
    run(async {
        let opened = Opened::new(&shelf, &table, SMALL).await;
        let before = shelf.asked();
        let row = *live.keys().nth(live.len() / 2).unwrap();
        let found = opened.find(ID, &id_key(row.wrapping_mul(7_919))).await;
        assert_eq!(found.len(), 1);
        let (requests, bytes) = shelf.asked();
        assert_eq!(requests - before.0, 4, "a message and a block, of the index and of the rows");
        assert!(bytes - before.1 <= 256 << 10);
        opened.find(ID, &id_key(row.wrapping_mul(7_919))).await;
        assert_eq!(shelf.asked(), (requests, bytes), "what was read is kept");
    });
}

#[test]
#[ignore = "a measurement: cargo test --release -p discobase-core --lib lookup -- --ignored --nocapture"]
fn what_a_cold_lookup_costs_in_a_million_rows() {
    let shelf = Arc::new(Shelf::default());
    let (table, truth) = large(&shelf, 1_000_000);
    let size = |runs: &[Run]| runs.iter().map(|run| (run.rows(), run.bytes())).collect::<Vec<_>>();
    println!(
        "rows: {:?}, key: {:?}, name: {:?}",
        size(&table.runs),
        size(&table.indexes[0]),
        size(&table.indexes[1])
    );
    let three = run(measure(&shelf, &table, &truth, 400));
    println!("three runs, the last small: (most requests, most bytes, mean bytes) = {three:?}");
    let mut merged = empty();
    let seq = table.runs.last().unwrap().to.get();
    let live: Truth = truth
        .iter()
        .filter(|(_, (_, values))| values.is_some())
        .map(|(row, it)| (*row, it.clone()))
        .collect();
    add_runs(&shelf, &mut merged, &live, 0, seq);
    let mut gone = truth;
    gone.values_mut().filter(|(_, values)| values.is_none()).for_each(|tombstone| tombstone.0 = 0);
    let one = run(measure(&shelf, &merged, &gone, 400));
    println!("one run: {one:?}");
}

#[test]
fn concurrent_lookups_share_what_they_download() {
    let shelf = Arc::new(Shelf::default());
    let (table, _) = large(&shelf, 5_000);
    run(async {
        let opened = Opened::new(&shelf, &table, 0).await;
        let before = shelf.asked().0;
        let key = id_key(100 * 7_919);
        try_join_all((0..50).map(|_| opened.equal(ID, &key))).await.unwrap();
        assert!(shelf.asked().0 - before <= 12, "three runs of each: {}", shelf.asked().0 - before);
    });
}

#[test]
fn an_expired_url_is_renewed_and_a_lost_segment_named() {
    let shelf = Arc::new(Shelf::default());
    let (mut table, _) = large(&shelf, 5_000);
    table.runs.truncate(1);
    table.indexes.iter_mut().for_each(|runs| runs.truncate(1));
    run(async {
        let env = Arc::new(Standing::default());
        let files = Files::new(Arc::clone(&shelf) as Arc<dyn Transport>, Arc::clone(&env) as Arc<dyn Env>, 0);
        let lookups = Lookups { limit: 0, ..Lookups::new(files, "db".into()) };
        let opened = Opened::by(lookups, &table).await;
        let key = id_key(9 * 7_919);
        let cost = async || {
            let before = shelf.asked().0;
            assert_eq!(opened.find(ID, &key).await.len(), 1);
            shelf.asked().0 - before
        };
        assert_eq!(cost().await, 4);
        assert_eq!(cost().await, 2, "URLs are kept; without a budget blocks are not");
        shelf.expired.store(shelf.asked().0, Ordering::Relaxed);
        assert_eq!(cost().await, 6, "each is refused once, and renewed");
        env.0.store(URL_AGE_SECONDS, Ordering::Relaxed);
        assert_eq!(cost().await, 4, "what is old is renewed before it is refused");
        shelf.files.lock().clear();
        let lost = opened.equal(ID, &key).await;
        let Err(Lost::Segment(error)) = lost else { panic!("{lost:?}") };
        assert_eq!(error.kind(), ErrorKind::Damaged);
        assert!(error.to_string().contains("people"), "{error}");
    });
}

const URL_AGE_SECONDS: u64 = 12 * 3_600;
