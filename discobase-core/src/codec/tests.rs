//! Frames through every form and back, and arbitrary bytes and texts that must never panic.

use proptest::prelude::*;

use crate::batch::{ColumnDef, Commit, IndexDef, Op, TableDef};
use crate::codec::frame::{Body, Frame, Genesis, Header, Sum, Timing};
use crate::codec::message::{self, Posted};
use crate::codec::{binary, text};
use crate::ids::{ChannelId, Epoch, Incarnation, MessageId, RowId, Seq, TableId, UserId};
use crate::row::{Row, RowWriter};
use crate::schema::IndexKind;
use crate::transport::{Attachment, Message};
use crate::value::Value;

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

fn tables() -> impl Strategy<Value = TableDef> {
    let column =
        (any::<String>(), any::<bool>(), proptest::option::of(1..=u32::MAX), proptest::option::of(values()));
    let columns = proptest::collection::vec(column, 1..4);
    (any::<u64>(), any::<String>(), columns, any::<u64>()).prop_map(|(id, name, columns, fingerprint)| {
        TableDef {
            id: TableId::new(id),
            fingerprint,
            channel: ChannelId::new(id),
            indexes: vec![IndexDef { kind: IndexKind::Unique, columns: vec![0], channel: ChannelId::new(7) }],
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
        (table, row).prop_map(|(table, row)| Op::Delete { table, row }),
        tables().prop_map(|table| Op::Schema(Box::new(table))),
    ]
}

fn bodies() -> impl Strategy<Value = Body> {
    let commits = proptest::collection::vec(proptest::collection::vec(ops(), 0..4), 0..4);
    let data = (1_u64..1 << 40, commits).prop_map(|(first, commits)| {
        let commits = commits.into_iter().zip(first..);
        Body::Data(commits.map(|(ops, seq)| Commit { seq: Seq::new(seq), ops }).collect())
    });
    let genesis = any::<[u64; 3]>().prop_map(|[category, catalog, journal]| {
        Body::Genesis(Genesis {
            timing: Timing::DISCORD,
            category: ChannelId::new(category),
            catalog: ChannelId::new(catalog),
            journal: ChannelId::new(journal),
        })
    });
    prop_oneof![4 => data, 1 => genesis, 1 => Just(Body::Open), 1 => Just(Body::Close)]
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
    fn the_text_says_the_same_as_the_bytes(frame in frames()) {
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
