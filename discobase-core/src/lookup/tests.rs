//! Lookups against what a table that is loaded would say, over a guild that counts what it is asked for.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use proptest::prelude::*;

use super::*;
use crate::batch::{ColumnDef, IndexDef};
use crate::codec::checkpoint::Location;
use crate::codec::segment::{Built, IndexWriter, RowEntry, RowsWriter};
use crate::env::Env;
use crate::ids::{ChannelId, GuildId, MessageId, TableId, UserId};
use crate::row::RowWriter;
use crate::schema::IndexKind;
use crate::transport::*;
use crate::value::{Value, ValueRef};

/// A guild that has files, and nothing else.
#[derive(Default)]
struct Shelf {
    files: parking_lot::Mutex<HashMap<Location, Bytes>>,
    requests: AtomicU64,
    bytes: AtomicU64,
    /// URLs that were given before this count of requests are refused.
    expired: AtomicU64,
}

impl Shelf {
    fn put(&self, file: Bytes) -> Location {
        let mut files = self.files.lock();
        let message = MessageId::new(files.len() as u64 + 1);
        let location = Location { channel: ChannelId::new(7), message };
        files.insert(location, file);
        location
    }

    fn load(&self, attachment: &Attachment) -> TransportResult<Bytes> {
        self.requests.fetch_add(1, Ordering::Relaxed);
        let (message, given) = attachment.url.split_once(' ').unwrap();
        if given.parse::<u64>().unwrap() < self.expired.load(Ordering::Relaxed) {
            return Err(missing());
        }
        let location =
            Location { channel: ChannelId::new(7), message: MessageId::new(message.parse().unwrap()) };
        self.files.lock().get(&location).cloned().ok_or_else(missing)
    }

    fn asked(&self) -> (u64, u64) {
        (self.requests.load(Ordering::Relaxed), self.bytes.load(Ordering::Relaxed))
    }
}

fn missing() -> TransportError {
    TransportError::Missing(Failure::default())
}

/// What lookups never ask for.
macro_rules! unasked {
    ($($name:ident($($arg:ident: $type:ty),*) -> $ok:ty;)*) => {$(
        fn $name(&self $(, $arg: $type)*) -> BoxFuture<'_, TransportResult<$ok>> {
            $(let _ = $arg;)*
            Box::pin(std::future::ready(Err(missing())))
        }
    )*};
}

impl Transport for Shelf {
    unasked! {
        me() -> BotUser;
        guilds() -> Vec<Guild>;
        channels(guild: GuildId) -> Vec<Channel>;
        create_channel(guild: GuildId, channel: NewChannel) -> Channel;
        delete_channel(channel: ChannelId) -> ();
        post(channel: ChannelId, message: NewMessage, deadline: Option<Duration>) -> Message;
        edit(channel: ChannelId, message: MessageId, content: NewMessage) -> Message;
        history(channel: ChannelId, page: HistoryPage) -> Vec<Message>;
        delete_message(channel: ChannelId, message: MessageId) -> ();
        events() -> Events;
    }

    fn delete_messages<'a>(
        &'a self,
        _channel: ChannelId,
        _messages: &'a [MessageId],
    ) -> BoxFuture<'a, TransportResult<()>> {
        Box::pin(std::future::ready(Err(missing())))
    }

    fn post_ready(&self, _channel: ChannelId) -> BoxFuture<'_, ()> {
        Box::pin(std::future::ready(()))
    }

    fn traffic(&self) -> Traffic {
        Traffic::default()
    }

    fn shutdown(&self) -> BoxFuture<'_, ()> {
        Box::pin(std::future::ready(()))
    }

    fn message(&self, channel: ChannelId, message: MessageId) -> BoxFuture<'_, TransportResult<Message>> {
        let given = self.requests.fetch_add(1, Ordering::Relaxed) + 1;
        let file = self.files.lock().get(&Location { channel, message }).cloned();
        Box::pin(async move {
            tokio::task::yield_now().await;
            let attachment = Attachment {
                id: 1,
                filename: "f".to_owned(),
                size: file.ok_or_else(missing)?.len() as u64,
                url: format!("{message} {given}"),
            };
            Ok(Message {
                id: message,
                channel,
                author: UserId::new(1),
                content: String::new(),
                attachments: vec![attachment],
                edited: false,
                ordinary: true,
            })
        })
    }

    fn download<'a>(&'a self, attachment: &'a Attachment) -> BoxFuture<'a, TransportResult<Bytes>> {
        let file = self.load(attachment);
        self.bytes.fetch_add(file.as_ref().map_or(0, |file| file.len() as u64), Ordering::Relaxed);
        Box::pin(std::future::ready(file))
    }

    fn download_range<'a>(
        &'a self,
        attachment: &'a Attachment,
        offset: u64,
        length: u64,
    ) -> BoxFuture<'a, TransportResult<Bytes>> {
        let (from, to) = (offset as usize, (offset + length) as usize);
        let part = self.load(attachment).map(|file| file.slice(from..to));
        self.bytes.fetch_add(length, Ordering::Relaxed);
        Box::pin(async move {
            tokio::task::yield_now().await;
            part
        })
    }
}

/// A clock that stands where it is put.
#[derive(Default)]
struct Standing(AtomicU64);

impl Env for Standing {
    fn monotonic(&self) -> Duration {
        Duration::from_secs(self.0.load(Ordering::Relaxed))
    }

    fn random(&self, bytes: &mut [u8]) {
        bytes.fill(0);
    }
}

const ID: usize = 0;
const NAME: usize = 1;

/// A table with a key and an index that several rows can share an entry of.
fn def() -> TableDef {
    let column = |name: &str, ty: &str| ColumnDef {
        name: name.to_owned(),
        ty: ty.to_owned(),
        variants: Vec::new(),
        nullable: false,
        max_len: None,
        default: (ty == "text").then(|| Value::Text("nobody".to_owned())),
    };
    let index = |kind, column| IndexDef { kind, columns: vec![column], channel: ChannelId::new(7) };
    TableDef {
        id: TableId::new(3),
        name: "people".to_owned(),
        fingerprint: 0,
        channel: ChannelId::new(7),
        columns: vec![column("id", "u64"), column("name", "text")],
        indexes: vec![index(IndexKind::Key, ID), index(IndexKind::Index, NAME)],
    }
}

/// A row; without a name it is one from before the table had names.
fn person(id: u64, name: Option<&str>) -> Row {
    let mut row = RowWriter::new(1 + usize::from(name.is_some()));
    row.put(ValueRef::Int(id.into()));
    name.into_iter().for_each(|name| row.put(ValueRef::Text(name)));
    row.finish()
}

fn id_key(id: u64) -> SortKey {
    SortKey::of(ValueRef::Int(id.into()))
}

fn name_key(name: &str) -> SortKey {
    SortKey::of(ValueRef::Text(name))
}

/// What is true: rows and tombstones, with the commit that made them.
type Truth = BTreeMap<u64, (u64, Option<Row>)>;

fn placed(shelf: &Shelf, built: Vec<Built>) -> Vec<Segment> {
    built
        .into_iter()
        .map(|built| {
            let at = shelf.put(built.file.clone());
            built.at(at)
        })
        .collect()
}

/// Adds to a checkpoint the runs of the commits after `from`, up to `to`.
fn add_runs(shelf: &Shelf, table: &mut TableCheckpoint, truth: &Truth, from: u64, to: u64) {
    let run = (Seq::new(from), Seq::new(to));
    let of = |part| SegmentOf { db: "db".into(), table: table.def.id, part, run };
    let changed = || truth.iter().filter(|(_, (version, _))| *version > from);
    let mut rows = RowsWriter::new(of(Part::Rows), Sealing::default()).unwrap();
    for (row, (version, values)) in changed() {
        let values = values.as_ref().map(Row::as_bytes);
        rows.put(RowEntry { row: RowId::new(*row), version: Seq::new(*version), values }).unwrap();
    }
    let segments = placed(shelf, rows.finish().unwrap());
    table.runs.push(Run { from: run.0, to: run.1, segments });
    for index in 0..table.def.indexes.len() {
        let live = changed().filter_map(|(row, (_, values))| Some((*row, values.as_ref()?)));
        let mut entries: Vec<_> =
            live.map(|(row, values)| (overlay::key_of(&table.def, index, values).unwrap(), row)).collect();
        entries.sort_unstable();
        let mut writer = IndexWriter::new(of(Part::Index(index)), Sealing::default()).unwrap();
        entries.iter().for_each(|(key, row)| writer.put(key.as_bytes(), RowId::new(*row)).unwrap());
        let segments = placed(shelf, writer.finish().unwrap());
        table.indexes[index].push(Run { from: run.0, to: run.1, segments });
    }
}

fn empty() -> TableCheckpoint {
    let def = def();
    let indexes = vec![Vec::new(); def.indexes.len()];
    TableCheckpoint { def, next_row: RowId::new(1), rows: 0, runs: Vec::new(), indexes }
}

fn files(shelf: &Arc<Shelf>) -> Arc<Files> {
    Arc::new(Files::new(Arc::clone(shelf) as Arc<dyn Transport>, Arc::new(Standing::default()), 8 << 20))
}

async fn open(shelf: &Arc<Shelf>, table: &TableCheckpoint, limit: u64) -> LookupTable {
    LookupTable::open_with(files(shelf), "db".into(), Sealing::default(), table, limit).await.unwrap()
}

fn expected(truth: &Truth, index: usize, key: &SortKey) -> Vec<Found> {
    let live = truth.iter().filter_map(|(row, (version, values))| Some((row, version, values.clone()?)));
    live.filter(|(_, _, values)| overlay::key_of(&def(), index, values).as_ref() == Some(key))
        .map(|(row, version, values)| Found { row: RowId::new(*row), version: Seq::new(*version), values })
        .collect()
}

fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

/// What one commit does to one row.
#[derive(Debug, Clone)]
enum Step {
    Write { row: u64, name: Option<u8> },
    Delete { row: u64 },
    Checkpoint { merge: bool },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let row = 1..20_u64;
    let step = prop_oneof![
        6 => (row.clone(), proptest::option::weighted(0.8, 0..4_u8))
            .prop_map(|(row, name)| Step::Write { row, name }),
        2 => row.prop_map(|row| Step::Delete { row }),
        1 => any::<bool>().prop_map(|merge| Step::Checkpoint { merge }),
    ];
    proptest::collection::vec(step, 0..80)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn a_lookup_says_what_a_loaded_table_would(steps in steps(), limit in prop_oneof![0..600_u64, Just(1 << 20)]) {
        let shelf = Arc::new(Shelf::default());
        let (mut table, mut truth) = (empty(), Truth::new());
        let mut tail = Vec::new();
        let mut covered = 0;
        for (step, seq) in steps.into_iter().zip(1..) {
            match step {
                Step::Write { row, name } => {
                    let name = name.map(|name| format!("name {name}"));
                    truth.insert(row, (seq, Some(person(row * 10, name.as_deref()))));
                    tail.push(row);
                }
                Step::Delete { row } if truth.get(&row).is_some_and(|(_, values)| values.is_some()) => {
                    truth.insert(row, (seq, None));
                    tail.push(row);
                }
                Step::Delete { .. } => {}
                Step::Checkpoint { merge } => {
                    // The runs of rows are merged with the one before; those of the indexes are not, or the other way.
                    let (rows, indexes) = (table.runs.clone(), table.indexes.clone());
                    let last = rows.last().map_or(0, |run| run.from.get());
                    if merge && covered > 0 {
                        table.runs.pop();
                        add_runs(&shelf, &mut table, &truth, last, seq);
                        if seq % 2 == 0 {
                            table.indexes = indexes;
                            let mut delta = empty();
                            add_runs(&shelf, &mut delta, &truth, covered, seq);
                            for (all, new) in table.indexes.iter_mut().zip(delta.indexes) {
                                all.extend(new);
                            }
                        }
                    } else {
                        add_runs(&shelf, &mut table, &truth, covered, seq);
                    }
                    covered = seq;
                    tail.clear();
                }
            }
        }
        run(async {
            let mut opened = open(&shelf, &table, limit).await;
            let before = opened.clone();
            for row in tail {
                let (version, values) = truth[&row].clone();
                match values {
                    Some(values) => opened.put(RowId::new(row), Seq::new(version), values),
                    None => opened.remove(RowId::new(row)),
                }
            }
            for id in 0..20 {
                let found = opened.equal(ID, &id_key(id * 10)).await.unwrap();
                assert_eq!(found, expected(&truth, ID, &id_key(id * 10)));
                let row = opened.row(RowId::new(id)).await.unwrap().map(|found| found.values);
                assert_eq!(row, truth.get(&id).and_then(|(_, values)| values.clone()));
            }
            for name in ["name 0", "name 1", "name 2", "name 3", "nobody", "stranger"] {
                let found = opened.equal(NAME, &name_key(name)).await.unwrap();
                assert_eq!(found, expected(&truth, NAME, &name_key(name)), "{name}");
            }
            // A clone is what the table was: nothing of the tail is in it.
            for id in 0..20 {
                for found in before.equal(ID, &id_key(id * 10)).await.unwrap() {
                    assert!(found.version.get() <= covered);
                }
            }
        });
    }
}

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
async fn measure(
    shelf: &Arc<Shelf>,
    table: &TableCheckpoint,
    truth: &Truth,
    lookups: u64,
) -> (u64, u64, u64) {
    let (mut most, mut most_bytes, mut all_bytes) = (0, 0, 0);
    let rows = truth.len() as u64;
    for number in 0..lookups {
        let opened = open(shelf, table, SMALL).await;
        // The same files, but nothing is remembered of them.
        let opened = LookupTable { files: files(shelf), ..opened };
        let row = 1 + number.wrapping_mul(0x9e37_79b9_7f4a_7c15) % rows;
        let key = id_key(row.wrapping_mul(7_919));
        let before = shelf.asked();
        let found = opened.equal(ID, &key).await.unwrap();
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
    (most, most_bytes, all_bytes / lookups)
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
        let opened = open(&shelf, &table, SMALL).await;
        let before = shelf.asked();
        let row = *live.keys().nth(live.len() / 2).unwrap();
        let found = opened.equal(ID, &id_key(row.wrapping_mul(7_919))).await.unwrap();
        assert_eq!(found.len(), 1);
        let (requests, bytes) = shelf.asked();
        assert_eq!(requests - before.0, 4, "a message and a block, of the index and of the rows");
        assert!(bytes - before.1 <= 256 << 10);
        opened.equal(ID, &id_key(row.wrapping_mul(7_919))).await.unwrap();
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
        let opened = open(&shelf, &table, 0).await;
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
        let opened = LookupTable::open_with(Arc::new(files), "db".into(), Sealing::default(), &table, 0)
            .await
            .unwrap();
        let key = id_key(9 * 7_919);
        let cost = async || {
            let before = shelf.asked().0;
            assert_eq!(opened.equal(ID, &key).await.unwrap().len(), 1);
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
        let Err(LookupError::Segment(error)) = lost else { panic!("{lost:?}") };
        assert_eq!(error.kind(), ErrorKind::Damaged);
        assert!(error.to_string().contains("people"), "{error}");
    });
}

const URL_AGE_SECONDS: u64 = 12 * 3_600;

#[test]
fn what_finds_too_much_is_no_lookup() {
    let shelf = Arc::new(Shelf::default());
    let mut table = empty();
    let truth: Truth = (1..=500).map(|row| (row, (row, Some(person(row, Some("same")))))).collect();
    add_runs(&shelf, &mut table, &truth, 0, 500);
    run(async {
        let opened = open(&shelf, &table, 0).await;
        assert!(matches!(opened.equal(NAME, &name_key("same")).await, Err(LookupError::Many)));
        assert_eq!(opened.equal(ID, &id_key(5)).await.unwrap().len(), 1);
    });
}

#[test]
fn a_lookup_can_be_awaited_on_any_thread() {
    fn is_send(_: impl Send) {}
    let shelf = Arc::new(Shelf::default());
    let opened = run(open(&shelf, &empty(), 0));
    is_send(opened.equal(ID, &id_key(1)));
    is_send(LookupTable::open(files(&shelf), "db".into(), Sealing::default(), &empty()));
}
