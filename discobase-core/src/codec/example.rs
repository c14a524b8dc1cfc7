//! The worked examples of `docs/format.md`: what the page shows is what the code writes and reads.

use crate::batch::{ColumnDef, IndexDef, Op, TableDef};
use crate::codec::binary;
use crate::codec::checkpoint::{Checkpoint, Covers, Location, Root, Run, Segment, TableCheckpoint, Wrote};
use crate::codec::frame::{Body, Frame, Genesis, Header, Sum, Timing};
use crate::codec::message;
use crate::codec::segment::{
    Built, IndexWriter, Part, RowEntry, RowsWriter, Sealing, SegmentOf, open_block, read_entries, read_rows,
    segment_message,
};
use crate::codec::text;
use crate::ids::{ChannelId, Epoch, Incarnation, MessageId, RowId, Seq, TableId};
use crate::row::{Row, RowWriter};
use crate::schema::IndexKind;
use crate::value::{Value, ValueRef};

const PAGE: &str = include_str!("../../../docs/format.md");

const GENESIS: &str = "df0c08f44c33cccc5fe7a759552e3d2c9bd67a8a393de872df9715fb54feebd4";
const COVERED: &str = "c2de929e63e624dcc714c6d522eca792aaf10331f49f1cf03a6c8901fe3d1dda";
const TABLE: u64 = 1_573_922_775_645_687_808;
const KEYS: u64 = 1_573_922_775_654_076_416;
const NAMES: u64 = 1_573_922_775_658_270_720;

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn sum(digits: &str) -> Sum {
    Sum::from_hex(digits).unwrap()
}

fn incarnation() -> Incarnation {
    Incarnation([0xbe, 0x61, 0x31, 0xf1, 0x89, 0x44, 0x42, 0x8c])
}

fn of(part: Part) -> SegmentOf {
    SegmentOf { db: "quickstart".into(), table: TableId::new(1), part, run: (Seq::new(0), Seq::new(4)) }
}

fn row(id: i128, name: &str, points: i128) -> Row {
    let mut row = RowWriter::new(3);
    [ValueRef::Int(id), ValueRef::Text(name), ValueRef::Int(points)].into_iter().for_each(|it| row.put(it));
    row.finish()
}

fn rows() -> Built {
    let mut writer = RowsWriter::new(of(Part::Rows), Sealing::Clear).unwrap();
    for (id, version, row) in [(1, 4, row(1, "Peter", 5)), (2, 3, row(2, "Ada", 0))] {
        let values = Some(row.as_bytes());
        writer.put(RowEntry { row: RowId::new(id), version: Seq::new(version), values }).unwrap();
    }
    writer.finish().unwrap().remove(0)
}

fn index(position: usize, entries: [(&[u8], u64); 2]) -> Built {
    let mut writer = IndexWriter::new(of(Part::Index(position)), Sealing::Clear).unwrap();
    entries.iter().for_each(|(key, row)| writer.put(key, RowId::new(*row)).unwrap());
    writer.finish().unwrap().remove(0)
}

fn keys() -> Built {
    index(0, [(&[5, 0, 0, 0, 0, 0, 0, 0, 1], 1), (&[5, 0, 0, 0, 0, 0, 0, 0, 2], 2)])
}

fn names() -> Built {
    index(1, [(b"\x07Ada\0\0", 2), (b"\x07Peter\0\0", 1)])
}

fn placed() -> [Segment; 3] {
    let at =
        |channel, message| Location { channel: ChannelId::new(channel), message: MessageId::new(message) };
    [
        rows().at(at(TABLE, 1_573_922_801_000_000_001)),
        keys().at(at(KEYS, 1_573_922_801_000_000_002)),
        names().at(at(NAMES, 1_573_922_801_000_000_003)),
    ]
}

fn table() -> TableDef {
    let column = |name: &str, ty: &str| ColumnDef {
        name: name.to_owned(),
        ty: ty.to_owned(),
        variants: Vec::new(),
        nullable: false,
        max_len: None,
        default: None,
    };
    let index = |kind, column, channel| IndexDef {
        kind,
        columns: vec![column],
        channel: ChannelId::new(channel),
        references: None,
    };
    TableDef {
        id: TableId::new(1),
        name: "user_profiles".to_owned(),
        fingerprint: 0x6c7a_dbf3_fcf6_dc11,
        channel: ChannelId::new(TABLE),
        columns: vec![
            column("user_id", "u64"),
            ColumnDef { max_len: Some(100), ..column("display_name", "text") },
            ColumnDef { default: Some(Value::Int(0)), ..column("points", "i64") },
        ],
        indexes: vec![index(IndexKind::Key, 0, KEYS), index(IndexKind::Unique, 1, NAMES)],
    }
}

fn checkpoint() -> Frame {
    let genesis = Genesis {
        timing: Timing::DISCORD,
        category: ChannelId::new(1_573_922_733_627_150_336),
        catalog: ChannelId::new(1_573_922_733_631_344_640),
        journal: ChannelId::new(1_573_922_733_635_538_944),
        keying: None,
    };
    let [rows, keys, names] =
        placed().map(|segment| vec![Run { from: Seq::new(0), to: Seq::new(4), segments: vec![segment] }]);
    let owner = "2ed99fd6c2a41822".to_owned();
    let checkpoint = Checkpoint {
        root: Root { genesis, sum: sum(GENESIS), message: MessageId::new(1_573_922_733_639_733_248) },
        covers: Covers {
            sum: sum(COVERED),
            message: MessageId::new(1_573_922_797_000_000_000),
            epoch: Epoch::new(1),
            incarnation: incarnation(),
            owner: owner.clone(),
        },
        seq: Seq::new(4),
        next_table: TableId::new(2),
        tables: vec![TableCheckpoint {
            def: table(),
            next_row: RowId::new(3),
            rows: 2,
            runs: rows,
            indexes: vec![keys, names],
        }],
        past: vec![Wrote { incarnation: incarnation(), first: Seq::new(1), last: Seq::new(4) }],
        steps: Vec::new(),
        drop: Vec::new(),
    };
    let header = Header {
        db: "quickstart".to_owned(),
        epoch: Epoch::new(1),
        incarnation: incarnation(),
        owner,
        prev: sum(COVERED),
    };
    Frame { header, body: Body::Checkpoint(Box::new(checkpoint)) }
}

/// Whether the page has the text, whatever its line breaks.
fn shown(text: &str) -> bool {
    let joined: String = PAGE.lines().collect();
    let found = joined.contains(text);
    assert!(found, "docs/format.md lacks {text}");
    found
}

/// The texts of the first frames.
fn frames() -> impl Iterator<Item = &'static str> {
    let section = PAGE.split("## 6. A worked example").nth(1).unwrap().split("### 6.1").next().unwrap();
    section.lines().filter(|line| line.starts_with("{\"discobase\":1"))
}

#[test]
fn the_frames_are_a_chain() {
    let mut tip = Sum([0; 32]);
    let (mut peter, mut covered) = (row(1, "Peter", 0), false);
    for text in frames() {
        let frame = text::read(&serde_json::from_str(text).unwrap()).unwrap();
        assert_eq!(frame.header.prev, tip, "{text}");
        tip = binary::sum(&binary::encode(&frame));
        assert_eq!(text::write(&frame, tip), text);
        if let Body::Data(commits) = &frame.body
            && let [Op::Patch { patch, .. }] = commits[0].ops.as_slice()
        {
            peter = patch.apply(peter.borrow()).unwrap();
            covered = tip == sum(COVERED);
            assert!(hex(&binary::encode(&frame)).ends_with("0901010203020305"));
        }
    }
    assert!(covered, "the checkpoint covers the patch");
    assert_eq!((frames().count(), peter), (7, row(1, "Peter", 5)));
}

#[test]
fn the_segments_are_those_of_the_page() {
    let [segment, key_segment, name_segment] = placed();
    for (built, segment) in [(rows(), &segment), (keys(), &key_segment), (names(), &name_segment)] {
        let part = if segment.location.channel.get() == TABLE { Part::Rows } else { Part::Index(0) };
        let block = segment.blocks.as_slice().first().unwrap();
        let plain = open_block(&of(part), &Sealing::Clear, block, &built.file[block.range()]).unwrap();
        assert!(shown(&hex(&plain)) && shown(&hex(&built.file)) && shown(&hex(&built.hash)));
        assert!(shown(&hex(&block.check)));
    }
    let message = segment_message(&of(Part::Rows), Epoch::new(1), incarnation(), &rows(), String::new());
    assert!(shown(message.content.lines().nth(1).unwrap()));
    assert!(shown(&message.attachments.first().unwrap().filename));
    let mut read = Vec::new();
    let each = |entry: RowEntry<'_>| read.push(Row::from_bytes(entry.values.unwrap()).unwrap());
    read_rows(&of(Part::Rows), &Sealing::Clear, &segment, &rows().file, each).unwrap();
    assert_eq!(read, [row(1, "Peter", 5), row(2, "Ada", 0)]);
    let mut found = Vec::new();
    let each = |_: &[u8], row| found.push(row);
    read_entries(&of(Part::Index(1)), &Sealing::Clear, &name_segment, &names().file, each).unwrap();
    assert_eq!(found, [RowId::new(2), RowId::new(1)]);
}

#[test]
fn the_checkpoint_is_that_of_the_page() {
    let frame = checkpoint();
    let canonical = binary::encode(&frame);
    assert!(shown(&hex(&canonical)));
    assert_eq!(binary::decode(&canonical).unwrap(), frame);
    let posted = message::encode(&frame).unwrap();
    assert!(shown(posted.content.lines().nth(1).unwrap()), "it is attached, small as it is");
}
