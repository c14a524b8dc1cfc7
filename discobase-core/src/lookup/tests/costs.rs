//! What lookups cost: requests and bytes.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use futures_util::future::try_join_all;

use super::people::{ID, NAME, Truth, add_runs, empty, id_key, key_of, person};
use super::shelf::{Shelf, Standing};
use super::{Opened, lookups, run};
use crate::codec::checkpoint::{Run, TableCheckpoint};
use crate::env::Env;
use crate::error::ErrorKind;
use crate::ids::{RowId, Seq};
use crate::lookup::{Files, Lookups, Lost, SMALL};
use crate::tables::Found;
use crate::transport::Transport;

/// `rows` rows in one large run, a part of them changed in each of several others, and a few in a small last one.
fn large(shelf: &Shelf, rows: u64, shares: &[u64]) -> (TableCheckpoint, Truth) {
    let mut table = empty();
    let name = |number: u64, round: usize| {
        let mixed = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        format!("{:x} {round} {:x}", mixed % (rows / 3), mixed >> 20)
    };
    let write = |row: u64, round: usize| Some(person(row.wrapping_mul(7_919), Some(&name(row, round))));
    let mut truth: Truth = (1..=rows).map(|row| (row, (1 + row / 100, write(row, 0)))).collect();
    let mut seq = 2 + rows / 100;
    add_runs(shelf, &mut table, &truth, 0, seq);
    for (round, share) in shares.iter().enumerate() {
        let from = seq;
        for row in (1..=rows).filter(|row| row.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32 < (1 << 32) / share)
        {
            seq += 1;
            let values = if row % 3 == 0 { None } else { write(row, round + 1) };
            truth.insert(row, (seq, values));
        }
        add_runs(shelf, &mut table, &truth, from, seq);
    }
    (table, truth)
}

/// What a lookup costs whose blocks nobody has read before.
#[derive(Debug, Default)]
struct Cost {
    requests: u64,
    bytes: u64,
    mean_bytes: u64,
    /// What opening the table took before.
    opening: (u64, u64),
}

/// The most that lookups cost, each in a table that was just opened.
async fn measure(
    shelf: &Arc<Shelf>,
    (table, truth): (&TableCheckpoint, &Truth),
    limit: u64,
    count: u64,
) -> Cost {
    let mut cost = Cost::default();
    let rows = truth.len() as u64;
    for number in 0..count {
        let before = shelf.asked();
        let opened = Opened::new(shelf, table, limit).await;
        let row = 1 + number.wrapping_mul(0x9e37_79b9_7f4a_7c15) % rows;
        let (version, values) = &truth[&row];
        let by_name = values.as_ref().filter(|_| number % 2 == 0);
        let (index, key) = match by_name {
            Some(values) => (NAME, key_of(&table.def, NAME, values)),
            None => (ID, id_key(row.wrapping_mul(7_919))),
        };
        let at_open = shelf.asked();
        let found = opened.find(index, &key).await;
        let (requests, bytes) = shelf.asked();
        let due = values.iter().cloned();
        let due: Vec<_> =
            due.map(|values| Found { row: RowId::new(row), version: Seq::new(*version), values }).collect();
        assert_eq!(found, due);
        cost.requests = cost.requests.max(requests - at_open.0);
        cost.bytes = cost.bytes.max(bytes - at_open.1);
        cost.mean_bytes += (bytes - at_open.1) / count;
        cost.opening = (at_open.0 - before.0, at_open.1 - before.1);
    }
    cost
}

/// Runs that are larger are read block by block, so that few rows make large runs.
const LIMIT: u64 = 32 << 10;

fn hold(cost: &Cost) {
    assert!(cost.requests <= 4 && cost.bytes <= 256 << 10, "{cost:?}");
}

#[test]
fn a_cold_lookup_costs_a_few_requests_however_many_rows_and_runs_there_are() {
    let shelf = Arc::new(Shelf::default());
    let (mut table, truth) = large(&shelf, 40_000, &[2, 4, 8, 10_000]);
    assert!(table.runs[0].segments[0].blocks.as_slice().len() > 10, "there is something to choose from");
    let large = table.runs.iter().filter(|run| run.bytes() > LIMIT).count();
    assert!(large >= 3, "{large} runs are large");
    hold(&run(measure(&shelf, (&table, &truth), LIMIT, 200)));
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
        assert_eq!(requests - before.0, 2, "a block of the index and one of the rows");
        assert!(bytes - before.1 <= 256 << 10);
        opened.find(ID, &id_key(row.wrapping_mul(7_919))).await;
        assert_eq!(shelf.asked(), (requests, bytes), "what was read is kept");
    });
}

#[test]
fn what_opening_did_not_read_is_read_when_it_is_worth_it() {
    let shelf = Arc::new(Shelf::default());
    let (table, _) = large(&shelf, 40_000, &[2, 4, 8]);
    run(async {
        let opened = Opened::new(&shelf, &table, LIMIT).await;
        // The same files, but nothing is remembered of them.
        let opened = Opened { lookups: lookups(&shelf, LIMIT), ..opened };
        let mut costs = Vec::new();
        for number in 0..12_u64 {
            let before = shelf.asked().0;
            opened.find(ID, &id_key((1 + number * 3_001) * 7_919)).await;
            costs.push(shelf.asked().0 - before);
        }
        assert!(costs.iter().any(|cost| *cost > 4), "at first all runs are asked: {costs:?}");
        assert!(costs.iter().skip(8).all(|cost| *cost <= 4), "{costs:?}");
    });
}

#[test]
#[ignore = "a measurement: cargo test --release -p discobase-core --lib lookup -- --ignored --nocapture"]
fn what_a_cold_lookup_costs_in_a_million_rows() {
    let size = |runs: &[Run]| runs.iter().map(|run| (run.rows(), run.bytes())).collect::<Vec<_>>();
    for shares in [&[][..], &[10, 10_000], &[2, 4, 8, 16, 32, 10_000]] {
        let shelf = Arc::new(Shelf::default());
        let (table, truth) = large(&shelf, 1_000_000, shares);
        println!("rows: {:?}", size(&table.runs));
        println!("key: {:?}, name: {:?}", size(&table.indexes[0]), size(&table.indexes[1]));
        let cost = run(measure(&shelf, (&table, &truth), SMALL, 400));
        println!("{} runs: {cost:?}", table.runs.len());
        hold(&cost);
    }
}

#[test]
fn concurrent_lookups_share_what_they_download() {
    let shelf = Arc::new(Shelf::default());
    let (table, _) = large(&shelf, 5_000, &[10, 10_000]);
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
    let (mut table, _) = large(&shelf, 5_000, &[10]);
    table.runs.truncate(1);
    table.indexes.iter_mut().for_each(|runs| runs.truncate(1));
    run(async {
        let env = Arc::new(Standing::default());
        let files = Files::new(Arc::clone(&shelf) as Arc<dyn Transport>, Arc::clone(&env) as Arc<dyn Env>, 0);
        let lookups = Lookups::new(files, "db".into(), 0);
        let opened = Opened::by(lookups, &table).await;
        let key = id_key(9 * 7_919);
        let cost = async || {
            let before = shelf.asked().0;
            assert_eq!(opened.find(ID, &key).await.len(), 1);
            shelf.asked().0 - before
        };
        assert_eq!(cost().await, 2, "URLs were read at opening");
        assert_eq!(cost().await, 2, "and are kept; without a budget blocks are not");
        shelf.expired.store(shelf.asked().0 + 1, Ordering::Relaxed);
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
