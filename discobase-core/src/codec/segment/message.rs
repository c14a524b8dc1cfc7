//! The message that a segment's file is attached to: what it says of the file, for people and for tidying up.
//!
//! Nothing of it is needed to read the segment: the checkpoint says it all again.

use std::fmt::Write as _;

use crate::codec::frame::Sum;
use crate::codec::message::{FENCE_CLOSE, FENCE_OPEN};
use crate::codec::segment::writer::Built;
use crate::codec::segment::{Part, SegmentOf};
use crate::codec::text::{number, read_incarnation, text, write_text};
use crate::ids::{Epoch, Incarnation, Seq, TableId};
use crate::transport::{Message, NewAttachment, NewMessage};

/// What a segment's message says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SegmentHeader {
    pub(crate) of: SegmentOf,
    /// The term in which it was uploaded.
    pub(crate) epoch: Epoch,
    /// The opening that uploaded it.
    pub(crate) incarnation: Incarnation,
    pub(crate) hash: [u8; 32],
    pub(crate) bytes: u64,
    pub(crate) rows: u64,
}

/// The message to post for a file.
pub(crate) fn segment_message(
    of: &SegmentOf,
    epoch: Epoch,
    incarnation: Incarnation,
    built: &Built,
    nonce: String,
) -> NewMessage {
    let mut content = format!("{FENCE_OPEN}{{\"discobase\":1,\"db\":");
    write_text(&mut content, &of.db);
    let (kind, index) = match of.part {
        Part::Rows => ("rows", String::new()),
        Part::Index(position) => ("index", format!(",\"index\":{position}")),
    };
    let (hash, (from, to)) = (Sum(built.hash), of.run);
    let _ = write!(
        content,
        ",\"kind\":\"{kind}\",\"table\":{}{index},\"epoch\":{epoch},\"inc\":\"{incarnation}\",\"from\":{from},\
         \"to\":{to},\"bytes\":{},\"rows\":{},\"hash\":\"{hash}\"}}{FENCE_CLOSE}",
        of.table,
        built.file.len(),
        built.rows,
    );
    let filename = format!("{}.seg", hash.to_string().get(..16).unwrap_or_default());
    let attachments = vec![NewAttachment { filename, bytes: built.file.clone() }];
    NewMessage { content, attachments, nonce: Some(nonce) }
}

impl SegmentHeader {
    /// What a message says of its segment; `None` if it holds none.
    pub(crate) fn read(message: &Message) -> Option<Self> {
        let inner = message.content.strip_prefix(FENCE_OPEN)?.strip_suffix(FENCE_CLOSE)?;
        let json: serde_json::Value = serde_json::from_str(inner).ok()?;
        let part = match text(&json, "kind")? {
            "rows" => Part::Rows,
            "index" => Part::Index(usize::try_from(number(&json, "index")?).ok()?),
            _ => return None,
        };
        let known = number(&json, "discobase")? == 1 && message.attachments.len() == 1;
        let header = Self {
            of: SegmentOf {
                db: text(&json, "db")?.into(),
                table: TableId::new(number(&json, "table")?),
                part,
                run: (Seq::new(number(&json, "from")?), Seq::new(number(&json, "to")?)),
            },
            epoch: Epoch::new(number(&json, "epoch")?),
            incarnation: read_incarnation(text(&json, "inc")?)?,
            hash: Sum::from_hex(text(&json, "hash")?)?.0,
            bytes: number(&json, "bytes")?,
            rows: number(&json, "rows")?,
        };
        known.then_some(header)
    }
}
