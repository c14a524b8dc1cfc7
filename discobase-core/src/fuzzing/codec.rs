//! Bytes as they are: frames, messages, files, rows, keys, topics, what the gateway and the routes send.

use crate::codec::message::{AttachedHeader, Encoded, MAX_UNPACKED, Posted, open_attachment, read};
use crate::codec::{binary, text};
use crate::db::layout::Role;
use crate::ids::{ChannelId, MessageId, UserId};
use crate::row::{Row, RowWriter};
use crate::tables::SortKey;
use crate::transport::{Attachment, Channel, ChannelRole, Message, NewAttachment};
use crate::value::ValueRef;
use crate::wire::Reader;

/// A frame has one encoding: what decodes encodes to the same bytes.
pub fn frame(bytes: &[u8]) {
    if let Ok(frame) = binary::decode(bytes) {
        assert_eq!(binary::encode(&frame), bytes, "a frame has two encodings");
    }
}

/// A message's text is a frame only if it has the sum it states, and it can be written and read again.
pub fn message(bytes: &[u8]) {
    let Ok(content) = std::str::from_utf8(bytes) else { return };
    let Some(Posted::Whole { sum, frame }) = read(&posted(content.to_owned(), Vec::new())) else { return };
    assert_eq!(binary::sum(&binary::encode(&frame)), sum, "a frame was taken whose sum differs");
    let again = format!("```json\n{}\n```", text::write(&frame, sum));
    let again = read(&posted(again, Vec::new())).map(|posted| posted.sum());
    assert_eq!(again, Some(sum), "a frame's own text is not read back");
}

/// An attachment is the frame its message says or it is refused; its size is never believed.
pub fn attachment(bytes: &[u8]) {
    let Some((claim, file)) = bytes.split_first_chunk::<4>() else { return };
    let unpacked = usize::try_from(u32::from_le_bytes(*claim)).unwrap_or(MAX_UNPACKED) % (1 << 20);
    // What the file holds decides the sum, or no fuzzer would ever come beyond the comparison.
    let canonical = zstd::bulk::decompress(file, unpacked).unwrap_or_default();
    let Ok(frame) = binary::decode(&canonical) else { return };
    let attached = AttachedHeader {
        header: frame.header.clone(),
        kind: frame.body.kind(),
        sum: binary::sum(&canonical),
        unpacked,
    };
    assert_eq!(open_attachment(&attached, file), Ok(frame), "a sound attachment is refused");
}

/// A row has one encoding, and its values are read the same one by one and all at once.
pub fn row(bytes: &[u8]) {
    let Ok(row) = Row::from_bytes(bytes) else { return };
    let values = row.values();
    let mut writer = RowWriter::new(values.len());
    values.iter().for_each(|value| writer.put(*value));
    assert_eq!(writer.finish().as_bytes(), bytes, "a row has two encodings");
    for (id, value) in values.iter().enumerate() {
        assert!(same(row.value(id), Some(*value)), "value {id} differs when it is read alone");
    }
    assert!(row.value(values.len()).is_none(), "a row has a value beyond its last");
}

/// The order of sort keys is the order of the values they are made of.
pub fn sort_key(bytes: &[u8]) {
    let mut reader = Reader::new(bytes);
    let (Ok(one), Ok(other)) = (reader.value(), reader.value()) else { return };
    if let Some(order) = order(one, other) {
        assert_eq!(SortKey::of(one).cmp(&SortKey::of(other)), order, "{one} and {other} are ordered wrongly");
    }
    // A key of several columns is ordered by the first that differs.
    let mut pair = SortKey::of(one);
    pair.push(other);
    let mut same = SortKey::of(one);
    same.push(one);
    assert_eq!(pair.cmp(&same), SortKey::of(other).cmp(&SortKey::of(one)), "the second column is lost");
}

/// A channel's topic names a role or none, and a role is read back from its own topic.
pub fn topic(bytes: &[u8]) {
    let Ok(topic) = std::str::from_utf8(bytes) else { return };
    let channel = |topic: String| Channel {
        id: ChannelId::new(1),
        role: ChannelRole::Text,
        name: "any".to_owned(),
        topic,
        parent: None,
        visible: true,
        overwrites: Vec::new(),
    };
    if let Some(role) = Role::of(&channel(topic.to_owned()), "shop") {
        let again = Role::of(&channel(role.topic("shop")), "shop");
        assert!(again == Some(role), "a role is not read back from its own topic");
    }
}

/// What the gateway sends.
pub fn gateway(bytes: &[u8]) {
    if let Ok(text) = std::str::from_utf8(bytes) {
        crate::transport::twilight::fuzz::gateway(text);
    }
}

/// What a request is answered with: two bytes that make a status, header lines, an empty line, a body.
pub fn reply(bytes: &[u8]) {
    crate::transport::twilight::fuzz::reply(bytes);
}

/// The message that a frame is posted as.
pub(super) fn as_posted(encoded: &Encoded) -> Message {
    let attachment = |(id, file): (u64, &NewAttachment)| Attachment {
        id,
        filename: file.filename.clone(),
        size: file.bytes.len() as u64,
        url: String::new(),
    };
    posted(encoded.content.clone(), (0..).zip(&encoded.attachments).map(attachment).collect())
}

pub(super) fn posted(content: String, attachments: Vec<Attachment>) -> Message {
    Message {
        id: MessageId::new(1),
        channel: ChannelId::new(1),
        author: UserId::new(1),
        content,
        attachments,
        edited: false,
        ordinary: true,
    }
}

/// Equality by bits: a NaN is itself.
fn same(one: Option<ValueRef<'_>>, other: Option<ValueRef<'_>>) -> bool {
    match (one, other) {
        (Some(ValueRef::Float(one)), Some(ValueRef::Float(other))) => one.to_bits() == other.to_bits(),
        (one, other) => one == other,
    }
}

/// The order of two values of one kind; of two kinds, none that anything promises.
fn order(one: ValueRef<'_>, other: ValueRef<'_>) -> Option<std::cmp::Ordering> {
    match (one, other) {
        (ValueRef::Null, ValueRef::Null) => Some(std::cmp::Ordering::Equal),
        (ValueRef::Bool(one), ValueRef::Bool(other)) => Some(one.cmp(&other)),
        (ValueRef::Int(one), ValueRef::Int(other)) => Some(one.cmp(&other)),
        (ValueRef::Float(one), ValueRef::Float(other)) => Some(one.total_cmp(&other)),
        (ValueRef::Text(one), ValueRef::Text(other)) => Some(one.cmp(other)),
        (ValueRef::Bytes(one), ValueRef::Bytes(other)) => Some(one.cmp(other)),
        _ => None,
    }
}
