//! Frames through every form and back, and arbitrary bytes and texts that must never panic.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use crate::batch::{AppliedStep, ColumnDef, Commit, IndexDef, Op, ReferenceDef, TableDef};
use crate::codec::checkpoint::{
    Checkpoint, Covers, Directory, FilterPart, Location, Root, Run, Segment, TableCheckpoint, Wrote,
};
use crate::codec::frame::{Body, Frame, Genesis, Header, Kind, Sum, Timing};
use crate::codec::message::{self, Posted};
use crate::codec::sealed::Sealed;
use crate::codec::{binary, text};
use crate::ids::{ChannelId, Epoch, Incarnation, MessageId, RowId, Seq, TableId, UserId};
use crate::patch::Patch;
use crate::row::{Row, RowWriter};
use crate::schema::{IndexKind, OnDelete};
use crate::seal::{Kdf, Keying};
use crate::transport::{Attachment, Message};
use crate::value::{Value, ValueRef};
use crate::wire::put_varint;

fn values() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        any::<u64>().prop_map(|number| Value::Int(number.into())),
        any::<i64>().prop_map(|number| Value::Int(number.into())),
        any::<u64>().prop_map(|bits| Value::Float(f64::from_bits(bits))),
        any::<f64>().prop_map(Value::Float),
        any::<String>().prop_map(Value::Text),
        proptest::collection::vec(any::<u8>(), 0..40).prop_map(Value::Bytes),
    ]
}

fn rows() -> impl Strategy<Value = Row> {
    proptest::collection::vec(values(), 0..6).prop_map(|values| {
        let mut row = RowWriter::new(values.len());
        values.iter().for_each(|value| row.put(value.as_ref()));
        row.finish()
    })
}

fn patches() -> impl Strategy<Value = Patch> {
    proptest::collection::vec((any::<u8>(), values()), 1..6).prop_map(|pairs| {
        let pairs: BTreeMap<u8, Value> = pairs.into_iter().collect();
        let mut row = RowWriter::new(2 * pairs.len());
        for (column, value) in &pairs {
            row.put(ValueRef::Int((*column).into()));
            row.put(value.as_ref());
        }
        Patch::of_pairs(row.finish()).unwrap()
    })
}

fn tables() -> impl Strategy<Value = TableDef> {
    let column =
        (any::<String>(), any::<bool>(), proptest::option::of(1..=u32::MAX), proptest::option::of(values()));
    let columns = proptest::collection::vec(column, 1..4);
    (any::<u64>(), any::<String>(), columns, any::<u64>()).prop_map(|(id, name, columns, fingerprint)| {
        TableDef {
            id: TableId::new(id),
            fingerprint,
            channel: ChannelId::new(id),
            indexes: vec![IndexDef {
                kind: if id % 2 == 0 { IndexKind::Unique } else { IndexKind::Index },
                columns: vec![0],
                channel: ChannelId::new(7),
                references: OnDelete::ALL
                    .get((id % 5) as usize)
                    .map(|&on_delete| ReferenceDef { table: name.clone(), on_delete }),
            }],
            columns: columns
                .into_iter()
                .map(|(name, nullable, max_len, default)| ColumnDef {
                    variants: if nullable { vec![name.clone(), String::new()] } else { Vec::new() },
                    name,
                    ty: "text".to_owned(),
                    nullable,
                    max_len,
                    default,
                })
                .collect(),
            name,
        }
    })
}

fn ops() -> impl Strategy<Value = Op> {
    let (table, row) = (any::<u64>().prop_map(TableId::new), any::<u64>().prop_map(RowId::new));
    prop_oneof![
        (table.clone(), row.clone(), rows()).prop_map(|(table, row, values)| Op::Insert {
            table,
            row,
            values
        }),
        (table.clone(), row.clone(), rows()).prop_map(|(table, row, values)| Op::Update {
            table,
            row,
            values
        }),
        (table.clone(), row.clone(), patches()).prop_map(|(table, row, patch)| Op::Patch {
            table,
            row,
            patch
        }),
        (table, row).prop_map(|(table, row)| Op::Delete { table, row }),
        tables().prop_map(|table| Op::Schema(Box::new(table))),
        tables().prop_map(|table| Op::Alter(Box::new(table))),
        any::<u64>().prop_map(|table| Op::Drop { table: TableId::new(table) }),
        applied_steps().prop_map(|step| Op::Applied(Box::new(step))),
        any::<String>().prop_map(|version| Op::Reverted { version }),
    ]
}

fn bodies() -> impl Strategy<Value = Body> {
    let commits = proptest::collection::vec(proptest::collection::vec(ops(), 0..4), 0..4);
    let data = (1_u64..1 << 40, commits).prop_map(|(first, commits)| {
        let commits = commits.into_iter().zip(first..);
        Body::Data(commits.map(|(ops, seq)| Commit { seq: Seq::new(seq), ops }).collect())
    });
    let genesis = (any::<[u64; 3]>(), keyings()).prop_map(|([category, catalog, journal], keying)| {
        Body::Genesis(Genesis {
            timing: Timing::DISCORD,
            category: ChannelId::new(category),
            catalog: ChannelId::new(catalog),
            journal: ChannelId::new(journal),
            keying,
        })
    });
    let bytes = proptest::collection::vec(any::<u8>(), 0..1_500);
    let summary = (checkpoints(), keyings()).prop_map(|(checkpoint, keying)| {
        let mut summary = Box::new(checkpoint.summary());
        summary.root.genesis.keying = keying;
        keying.is_some().then_some(summary)
    });
    let sealed = (summary, bytes).prop_map(|(summary, bytes)| Body::Sealed(Sealed { summary, bytes }));
    let checkpoint = checkpoints().prop_map(|checkpoint| Body::Checkpoint(Box::new(checkpoint)));
    prop_oneof![
        4 => data, 1 => genesis, 1 => Just(Body::Open), 1 => Just(Body::Close), 2 => checkpoint, 2 => sealed
    ]
}

fn keyings() -> impl Strategy<Value = Option<Keying>> {
    let argon2id = (8_u32..1 << 20, 1_u32..100).prop_map(|(memory_kib, passes)| Kdf::Argon2id {
        memory_kib,
        passes,
        lanes: 1,
    });
    let kdf = prop_oneof![Just(Kdf::Raw), argon2id];
    let keying = (kdf, any::<[u8; 16]>(), any::<[u8; 16]>());
    proptest::option::of(keying.prop_map(|(kdf, salt, check)| Keying { kdf, salt, check }))
}

fn segments(rising: impl IntoIterator<Item = u64>) -> Vec<Segment> {
    let mut rising = rising.into_iter().peekable();
    let mut segments = Vec::new();
    while rising.peek().is_some() {
        let mut blocks = Directory::default();
        for from in rising.by_ref().take(3) {
            assert!(blocks.push(
                from.to_be_bytes().into(),
                from as u32 % 1_000,
                from as u32,
                from.to_le_bytes()
            ));
        }
        let location = Location { channel: ChannelId::new(1), message: MessageId::new(u64::MAX) };
        let filter = (segments.len() % 2 == 1).then_some(FilterPart { length: 10, check: [9; 8] });
        segments.push(Segment { location, hash: [7; 32], rows: 3, tombstones: 1, blocks, filter });
    }
    segments
}

fn applied_steps() -> impl Strategy<Value = AppliedStep> {
    (any::<String>(), any::<String>(), any::<[u8; 16]>(), any::<i64>())
        .prop_map(|(version, name, checksum, at)| AppliedStep { version, name, checksum, at })
}

/// Two runs, the first of them with the positions that are given.
fn runs(seq: u64, positions: BTreeSet<u64>) -> Vec<Run> {
    let middle = Seq::new(seq / 2);
    vec![
        Run { from: Seq::new(0), to: middle, segments: segments(positions) },
        Run { from: middle, to: Seq::new(seq), segments: Vec::new() },
    ]
}

fn checkpoints() -> impl Strategy<Value = Checkpoint> {
    let positions = proptest::collection::btree_set(any::<u64>(), 0..8);
    let tables = proptest::collection::vec((tables(), positions), 0..3);
    let steps = proptest::collection::vec(applied_steps(), 0..3);
    let rest = (2..=u64::MAX, any::<[u8; 32]>(), "\\PC{0,20}", steps);
    (tables, rest).prop_map(|(tables, (seq, sum, owner, steps))| {
        let tables = tables.into_iter().zip(1..).map(|((mut def, positions), id)| {
            def.id = TableId::new(id);
            TableCheckpoint {
                indexes: vec![runs(seq, positions.clone()); def.indexes.len()],
                runs: runs(seq, positions),
                def,
                next_row: RowId::new(seq),
                rows: 3,
            }
        });
        let genesis = Genesis {
            timing: Timing::DISCORD,
            category: ChannelId::new(0),
            catalog: ChannelId::new(1),
            journal: ChannelId::new(2),
            keying: None,
        };
        let covers = Covers {
            sum: Sum(sum),
            message: MessageId::new(seq),
            epoch: Epoch::new(9),
            incarnation: Incarnation([3; 8]),
            owner,
        };
        let wrote = |first, last| Wrote {
            incarnation: Incarnation([first as u8; 8]),
            first: Seq::new(first),
            last: Seq::new(last),
        };
        Checkpoint {
            root: Root { genesis, sum: Sum(sum), message: MessageId::new(5) },
            covers,
            seq: Seq::new(seq),
            next_table: TableId::new(4),
            tables: tables.collect(),
            past: vec![wrote(1, 1), wrote(2, seq)],
            steps,
            drop: vec![Location { channel: ChannelId::new(seq), message: MessageId::new(7) }],
        }
    })
}

fn frames() -> impl Strategy<Value = Frame> {
    let header = ("\\PC{0,20}", any::<u64>(), any::<[u8; 8]>(), "\\PC{0,20}", any::<[u8; 32]>());
    (header, bodies()).prop_map(|((db, epoch, incarnation, owner, prev), body)| Frame {
        header: Header {
            db,
            epoch: Epoch::new(epoch),
            incarnation: Incarnation(incarnation),
            owner,
            prev: Sum(prev),
        },
        body,
    })
}

/// The message that a guild would hold.
fn posted(encoded: &message::Encoded) -> (Message, Option<bytes::Bytes>) {
    let file = encoded.attachments.first();
    let attachments = file.map(|file| Attachment {
        id: 1,
        filename: file.filename.clone(),
        size: file.bytes.len() as u64,
        url: String::new(),
    });
    let message = Message {
        id: MessageId::new(1),
        channel: ChannelId::new(1),
        author: UserId::new(1),
        content: encoded.content.clone(),
        attachments: attachments.into_iter().collect(),
        edited: false,
        ordinary: true,
    };
    (message, file.map(|file| file.bytes.clone()))
}

proptest! {
    #[test]
    fn the_canonical_encoding_is_the_only_one(frame in frames()) {
        let bytes = binary::encode(&frame);
        let decoded = binary::decode(&bytes).unwrap();
        prop_assert_eq!(binary::encode(&decoded), bytes);
    }

    #[test]
    fn cut_off_bytes_are_no_frame(frame in frames(), at in any::<prop::sample::Index>()) {
        let bytes = binary::encode(&frame);
        prop_assert!(binary::decode(&bytes[..at.index(bytes.len())]).is_err());
    }

    #[test]
    fn changed_bytes_are_another_frame_or_none(frame in frames(), at in any::<prop::sample::Index>(), bit in 0..8) {
        let mut bytes = binary::encode(&frame);
        let at = at.index(bytes.len());
        bytes[at] ^= 1_u8 << bit;
        if let Ok(read) = binary::decode(&bytes) {
            prop_assert_eq!(binary::encode(&read), bytes, "what decodes is canonical");
        }
    }

    #[test]
    fn the_text_says_the_same_as_the_bytes(frame in frames()) {
        prop_assume!(frame.body.kind() != Kind::Checkpoint);
        let bytes = binary::encode(&frame);
        let written = text::write(&frame, binary::sum(&bytes));
        prop_assert!(written.bytes().all(|byte| (b' '..=b'~').contains(&byte) && byte != b'`'));
        let read = text::read(&serde_json::from_str(&written).unwrap()).unwrap();
        prop_assert_eq!(binary::encode(&read), bytes);
    }

    #[test]
    fn a_message_gives_its_frame_back(frame in frames(), attach in any::<bool>()) {
        let encoded = if attach { message::encode_attached(&frame) } else { message::encode(&frame) };
        let encoded = encoded.unwrap();
        let (message, file) = posted(&encoded);
        prop_assert!(encoded.echoed_by(&message));
        let read = match message::read(&message).unwrap() {
            Posted::Whole { frame, .. } => frame,
            Posted::Attached(header) => message::open_attachment(&header, &file.unwrap()).unwrap(),
        };
        prop_assert_eq!(binary::encode(&read), binary::encode(&frame));
    }

    #[test]
    fn a_changed_text_is_no_frame(frame in frames(), at in any::<prop::sample::Index>(), to in b' '..=b'~') {
        let encoded = message::encode(&frame).unwrap();
        let (mut message, file) = posted(&encoded);
        let mut bytes = message.content.clone().into_bytes();
        let at = at.index(bytes.len());
        prop_assume!(bytes[at] != to);
        bytes[at] = to;
        message.content = String::from_utf8(bytes).unwrap();
        // It reads as another frame only if it still says exactly what the checksum is of.
        match message::read(&message) {
            None => {}
            Some(Posted::Whole { frame: read, .. }) => {
                prop_assert_eq!(binary::encode(&read), binary::encode(&frame));
            }
            Some(Posted::Attached(header)) => {
                if let Ok(read) = message::open_attachment(&header, &file.unwrap()) {
                    prop_assert_eq!(binary::encode(&read), binary::encode(&frame));
                }
            }
        }
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _refused = binary::decode(&bytes);
        let _refused = Row::from_bytes(&bytes);
        let mut framed = binary::encode(&Frame {
            header: Header {
                db: "db".into(),
                epoch: Epoch::new(1),
                incarnation: Incarnation([0; 8]),
                owner: "o".into(),
                prev: Sum::NONE,
            },
            body: Body::Data(Vec::new()),
        });
        framed.truncate(framed.len() - 2);
        framed.extend(bytes);
        if let Ok(frame) = binary::decode(&framed) {
            prop_assert_eq!(binary::encode(&frame), framed, "what decodes is canonical");
        }
    }

    #[test]
    fn arbitrary_texts_never_panic(content in "(```json\n)?[ -~]{0,200}(\n```)?") {
        let message = Message { content, ..posted(&message::encode(&open()).unwrap()).0 };
        let _refused = message::read(&message);
    }
}

fn open() -> Frame {
    let header = Header {
        db: "db".into(),
        epoch: Epoch::new(1),
        incarnation: Incarnation([1; 8]),
        owner: "o".into(),
        prev: Sum::NONE,
    };
    Frame { header, body: Body::Open }
}

/// A frame's bytes with another body: what a hostile writer could post under a matching sum.
fn with_body(body: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut bytes = binary::encode(&Frame { body: Body::Data(Vec::new()), ..open() });
    bytes.truncate(bytes.len() - 2);
    body(&mut bytes);
    bytes
}

#[test]
fn a_frame_of_too_many_items_is_refused_before_it_takes_memory() {
    // A byte a commit: 64 MiB of them would take 2 GB as commits.
    let commits = |count: usize| {
        with_body(|out| {
            put_varint(out, 1);
            put_varint(out, count as u64);
            out.resize(out.len() + count, 0);
        })
    };
    assert!(binary::decode(&commits(1_000)).is_ok());
    assert!(matches!(binary::decode(&commits(binary::MAX_ITEMS + 1)), Err(binary::DecodeError::Items)));
    let promised = with_body(|out| {
        put_varint(out, 1);
        put_varint(out, u64::MAX);
    });
    assert!(binary::decode(&promised).is_err(), "a count beyond the bytes that are there");
}

#[test]
fn a_checkpoint_whose_lists_are_out_of_order_is_refused() {
    let base = Checkpoint {
        root: Root {
            genesis: Genesis {
                timing: Timing::DISCORD,
                category: ChannelId::new(1),
                catalog: ChannelId::new(2),
                journal: ChannelId::new(3),
                keying: None,
            },
            sum: Sum([1; 32]),
            message: MessageId::new(4),
        },
        covers: Covers {
            sum: Sum([2; 32]),
            message: MessageId::new(5),
            epoch: Epoch::new(1),
            incarnation: Incarnation([1; 8]),
            owner: "o".to_owned(),
        },
        seq: Seq::new(10),
        next_table: TableId::new(2),
        tables: vec![TableCheckpoint {
            def: TableDef {
                id: TableId::new(1),
                name: "t".to_owned(),
                fingerprint: 0,
                channel: ChannelId::new(6),
                columns: Vec::new(),
                indexes: Vec::new(),
            },
            next_row: RowId::new(9),
            rows: 3,
            runs: runs(10, BTreeSet::from([1, 2, 3, 4])),
            indexes: Vec::new(),
        }],
        past: vec![Wrote { incarnation: Incarnation([1; 8]), first: Seq::new(1), last: Seq::new(10) }],
        steps: Vec::new(),
        drop: Vec::new(),
    };
    let reads = |change: &dyn Fn(&mut Checkpoint)| {
        let mut checkpoint = base.clone();
        change(&mut checkpoint);
        let frame = Frame { body: Body::Checkpoint(Box::new(checkpoint)), ..open() };
        binary::decode(&binary::encode(&frame)).is_ok()
    };
    assert!(reads(&|_| {}));
    assert!(!reads(&|it| it.next_table = TableId::new(1)), "a table beyond the next");
    assert!(!reads(&|it| it.tables.push(it.tables[0].clone())), "a table twice");
    assert!(!reads(&|it| it.seq = Seq::new(9)), "a run beyond what is covered");
    assert!(!reads(&|it| it.tables[0].runs.reverse()), "runs out of order");
    assert!(!reads(&|it| it.tables[0].runs[0].segments.reverse()), "segments out of order");
    assert!(!reads(&|it| it.tables[0].runs[0].segments[0].blocks = Directory::default()), "an empty segment");
    assert!(!reads(&|it| it.tables[0].runs[1].from = Seq::new(10)), "an empty interval");
    assert!(!reads(&|it| it.tables[0].indexes.push(Vec::new())), "an index that is not there");
    assert!(!reads(&|it| it.past = vec![it.past[0]; 2]), "a commit that two wrote");
    assert!(!reads(&|it| it.past[0].first = Seq::new(11)), "a range that ends before it begins");
}

/// A file that is a frame of its own right, with the same header as the one its message tells of.
#[test]
fn a_file_of_another_frame_is_none_of_this_message() {
    let frame = |row| {
        let op = Op::Delete { table: TableId::new(1), row: RowId::new(row) };
        Frame { body: Body::Data(vec![Commit { seq: Seq::new(1), ops: vec![op] }]), ..open() }
    };
    let file = |frame| message::encode_attached(&frame).unwrap().attachments[0].bytes.clone();
    let sum = binary::sum(&binary::encode(&frame(1)));
    let unpacked = binary::encode(&frame(1)).len();
    let told = message::AttachedHeader { header: open().header, kind: Kind::Data, sum, unpacked };
    assert_eq!(message::open_attachment(&told, &file(frame(1))), Ok(frame(1)));
    assert!(message::open_attachment(&told, &file(frame(2))).is_err());
}
