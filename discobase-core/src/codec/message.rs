//! Frames as Discord messages: a small one is its own text, a large one a compressed attachment whose message says
//! what is in it.

use std::fmt::Write as _;

use bytes::Bytes;
use serde_json::Value as Json;

use crate::codec::frame::{Frame, Header, Kind, Sum};
use crate::codec::{binary, text};
use crate::transport::{Message, NewAttachment, NewMessage};

/// The most characters a message may have (Discord docs, "Message": Create Message).
pub(crate) const MAX_CONTENT: usize = 2_000;
/// The most bytes of a frame's attachment.
pub(crate) const MAX_COMPRESSED: usize = 8 << 20;
/// The most bytes of a frame's canonical encoding.
pub(crate) const MAX_UNPACKED: usize = 64 << 20;
/// Fast enough not to be noticed beside an upload, and most of what higher levels gain.
const LEVEL: i32 = 3;

pub(super) const FENCE_OPEN: &str = "```json\n";
pub(super) const FENCE_CLOSE: &str = "\n```";

/// A frame ready to be posted.
#[derive(Debug, Clone)]
pub(crate) struct Encoded {
    pub(crate) sum: Sum,
    pub(crate) content: String,
    pub(crate) attachments: Vec<NewAttachment>,
}

/// A frame that does not fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Oversize {
    /// The size of the canonical encoding, in bytes.
    pub(crate) unpacked: usize,
    /// Its size compressed, in bytes, if it was compressed.
    pub(crate) compressed: Option<usize>,
}

/// Encodes a frame as text if it fits into one, else as an attachment. A checkpoint is always attached: people read
/// the catalog instead.
pub(crate) fn encode(frame: &Frame) -> Result<Encoded, Oversize> {
    let canonical = binary::encode(frame);
    let sum = binary::sum(&canonical);
    // Text is never much shorter than the encoding, so large frames are not written out in vain.
    let as_text = canonical.len() < MAX_CONTENT && frame.body.kind() != Kind::Checkpoint;
    if as_text {
        let content = format!("{FENCE_OPEN}{}{FENCE_CLOSE}", text::write(frame, sum));
        if content.len() <= MAX_CONTENT && read_text(&content).is_some_and(|read| read.sum() == sum) {
            return Ok(Encoded { sum, content, attachments: Vec::new() });
        }
    }
    attach(frame, &canonical, sum)
}

/// Encodes a frame as an attachment, whatever its size: for content that Discord refuses as text.
pub(crate) fn encode_attached(frame: &Frame) -> Result<Encoded, Oversize> {
    let canonical = binary::encode(frame);
    attach(frame, &canonical, binary::sum(&canonical))
}

fn attach(frame: &Frame, canonical: &[u8], sum: Sum) -> Result<Encoded, Oversize> {
    let oversize = Oversize { unpacked: canonical.len(), compressed: None };
    if canonical.len() > MAX_UNPACKED {
        return Err(oversize);
    }
    let compressed = zstd::bulk::compress(canonical, LEVEL).map_err(|_| oversize)?;
    if compressed.len() > MAX_COMPRESSED {
        return Err(Oversize { compressed: Some(compressed.len()), ..oversize });
    }
    let filename = format!("{}.zst", sum.to_string().get(..16).unwrap_or_default());
    let mut content = format!("{FENCE_OPEN}{{");
    text::write_header(&mut content, &frame.header, frame.body.kind());
    let _ = write!(
        content,
        ",\"file\":\"{filename}\",\"bytes\":{},\"unpacked\":{},\"sum\":\"{sum}\"}}{FENCE_CLOSE}",
        compressed.len(),
        canonical.len(),
    );
    if content.len() > MAX_CONTENT {
        return Err(oversize);
    }
    let attachments = vec![NewAttachment { filename, bytes: Bytes::from(compressed) }];
    Ok(Encoded { sum, content, attachments })
}

impl Encoded {
    /// The message to post.
    pub(crate) fn message(&self, nonce: String) -> NewMessage {
        NewMessage {
            content: self.content.clone(),
            attachments: self.attachments.clone(),
            nonce: Some(nonce),
        }
    }

    /// Whether a message is this frame, as far as the message itself shows: the text whole, an attachment by
    /// header and size.
    pub(crate) fn echoed_by(&self, message: &Message) -> bool {
        match read(message) {
            Some(Posted::Whole { sum, .. }) => sum == self.sum && self.attachments.is_empty(),
            Some(Posted::Attached(header)) => {
                let sent = self.attachments.first().map(|attachment| attachment.bytes.len() as u64);
                let held = message.attachments.first().map(|attachment| attachment.size);
                header.sum == self.sum && sent.is_some() && sent == held
            }
            None => false,
        }
    }
}

/// What a message of the journal holds.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Posted {
    /// A frame as text; its checksum was verified.
    Whole { sum: Sum, frame: Frame },
    /// The header of a frame whose attachment is yet to be read.
    Attached(AttachedHeader),
}

/// What the message of an attached frame says. Nothing of it is verified until the attachment was read.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct AttachedHeader {
    pub(crate) header: Header,
    pub(crate) kind: Kind,
    pub(crate) sum: Sum,
    pub(crate) unpacked: usize,
}

impl Posted {
    pub(crate) fn sum(&self) -> Sum {
        match self {
            Self::Whole { sum, .. } => *sum,
            Self::Attached(header) => header.sum,
        }
    }

    pub(crate) fn header(&self) -> (&Header, Kind) {
        match self {
            Self::Whole { frame, .. } => (&frame.header, frame.body.kind()),
            Self::Attached(attached) => (&attached.header, attached.kind),
        }
    }
}

/// Reads what a message holds; `None` if it is no frame.
pub(crate) fn read(message: &Message) -> Option<Posted> {
    let posted = read_text(&message.content)?;
    match &posted {
        Posted::Attached(_) if message.attachments.len() != 1 => None,
        _ => Some(posted),
    }
}

/// The format version that a message claims to be a frame of, whatever else is wrong with it.
pub(crate) fn format_version(message: &Message) -> Option<u64> {
    let inner = message.content.strip_prefix(FENCE_OPEN)?;
    let rest = inner.strip_prefix("{\"discobase\":")?;
    let digits = rest.split_once(',').map_or(rest, |(digits, _)| digits);
    digits.parse().ok()
}

fn read_text(content: &str) -> Option<Posted> {
    let inner = content.strip_prefix(FENCE_OPEN)?.strip_suffix(FENCE_CLOSE)?;
    let json: Json = serde_json::from_str(inner).ok()?;
    let sum = Sum::from_hex(text::text(&json, "sum")?)?;
    if json.get("file").is_some() {
        let (header, kind) = text::read_header(&json)?;
        let unpacked = usize::try_from(text::number(&json, "unpacked")?).ok()?;
        return Some(Posted::Attached(AttachedHeader { header, kind, sum, unpacked }));
    }
    let frame = text::read(&json)?;
    (binary::sum(&binary::encode(&frame)) == sum).then_some(Posted::Whole { sum, frame })
}

/// Reads an attached frame and verifies it against what its message says.
///
/// # Errors
/// A sentence that says what is wrong with it.
pub(crate) fn open_attachment(attached: &AttachedHeader, file: &[u8]) -> Result<Frame, String> {
    if attached.unpacked > MAX_UNPACKED {
        return Err(format!("it claims {} bytes unpacked, more than a frame may have", attached.unpacked));
    }
    let canonical = zstd::bulk::decompress(file, attached.unpacked)
        .map_err(|error| format!("its attachment can't be decompressed: {error}"))?;
    if binary::sum(&canonical) != attached.sum {
        return Err("its attachment does not match its checksum".to_owned());
    }
    let frame =
        binary::decode(&canonical).map_err(|error| format!("its attachment can't be decoded: {error}"))?;
    if frame.header == attached.header && frame.body.kind() == attached.kind {
        Ok(frame)
    } else {
        Err("its message says something else than its attachment".to_owned())
    }
}
