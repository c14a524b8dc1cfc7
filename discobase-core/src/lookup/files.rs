//! Blocks and whole files of segments, downloaded when they are needed.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::codec::checkpoint::{Block, Location, Segment};
use crate::codec::segment::{Sealing, SegmentOf, open_block};
use crate::env::{SharedEnv, heavy};
use crate::error::{Error, ErrorKind};
use crate::lookup::Lost;
use crate::lookup::memo::Memo;
use crate::transport::{Attachment, Transport, TransportError, explain};

/// A signed URL is used for so long. Discord's live for about a day (Discord docs, "API Reference": Signed Attachment
/// CDN URLs, without a promise); one that expired earlier is renewed when it is refused.
const URL_AGE: Duration = Duration::from_secs(12 * 60 * 60);
/// So many URLs are kept.
const URLS: usize = 4_096;
/// Blocks above this size, unpacked, are unpacked away from the runtime's threads.
const LARGE: u32 = 1 << 20;

/// The segments of a guild: what was read of them is kept within a budget, for all tables together.
pub(crate) struct Files {
    transport: Arc<dyn Transport>,
    env: SharedEnv,
    blocks: Memo<(Location, u32), Arc<[u8]>>,
    urls: Memo<Location, Url>,
}

/// Where a file can be downloaded.
#[derive(Clone)]
struct Url {
    attachment: Arc<Attachment>,
    /// When it was given, on the environment's clock.
    given: Duration,
}

impl Files {
    /// Keeps blocks of at most `budget` bytes, unpacked.
    pub(crate) fn new(transport: Arc<dyn Transport>, env: SharedEnv, budget: usize) -> Self {
        Self { transport, env, blocks: Memo::new(budget), urls: Memo::new(URLS) }
    }

    /// One block, unpacked and verified.
    pub(super) async fn block(
        &self,
        of: &SegmentOf,
        sealing: &Sealing,
        segment: &Segment,
        block: &Block,
    ) -> Result<Arc<[u8]>, Lost> {
        let key = (segment.location, block.offset);
        let fetch = async {
            let bytes = self.download(segment, Some(block)).await?;
            let unpack = {
                let (of, sealing, block) = (of.clone(), sealing.clone(), block.clone());
                move || open_block(&of, &sealing, &block, &bytes)
            };
            let plain = match block.unpacked {
                ..=LARGE => Some(unpack()),
                _ => heavy(&self.env, unpack).await,
            };
            match plain {
                Some(Ok(plain)) => Ok(Arc::from(plain)),
                Some(Err(error)) => Err(damaged(segment, &error.to_string())),
                None => Err(damaged(segment, "unpacking a block failed")),
            }
        };
        self.blocks.get(&key, |plain| plain.len(), fetch).await
    }

    /// A whole file, not verified yet.
    pub(super) async fn whole(&self, segment: &Segment) -> Result<Bytes, Lost> {
        self.download(segment, None).await
    }

    /// Downloads a segment or one block of it, with a new URL if the one that is kept is refused.
    async fn download(&self, segment: &Segment, block: Option<&Block>) -> Result<Bytes, Lost> {
        for renewed in [false, true] {
            let attachment = self.attachment(segment).await?;
            let loading = match block {
                Some(block) => {
                    let (offset, length) = (u64::from(block.offset), u64::from(block.length));
                    self.transport.download_range(&attachment, offset, length)
                }
                None => self.transport.download(&attachment),
            };
            match loading.await {
                Ok(bytes) => return Ok(bytes),
                Err(TransportError::Missing(_) | TransportError::Forbidden(_)) if !renewed => {
                    self.urls.forget(&segment.location);
                }
                Err(TransportError::Missing(_)) => break,
                Err(error) => return Err(failed(segment, &error)),
            }
        }
        Err(damaged(segment, "its file is gone"))
    }

    /// The attachment of a segment's message, with a URL that is not old.
    async fn attachment(&self, segment: &Segment) -> Result<Arc<Attachment>, Lost> {
        let location = segment.location;
        for _ in 0..2 {
            let url = self.urls.get(&location, |_| 1, self.ask(segment)).await?;
            if self.env.monotonic().saturating_sub(url.given) < URL_AGE {
                return Ok(url.attachment);
            }
            self.urls.forget(&location);
        }
        Ok(self.ask(segment).await?.attachment)
    }

    async fn ask(&self, segment: &Segment) -> Result<Url, Lost> {
        let Location { channel, message } = segment.location;
        let given = self.env.monotonic();
        let message = match self.transport.message(channel, message).await {
            Ok(message) => message,
            Err(TransportError::Missing(_)) => return Err(damaged(segment, "its message is gone")),
            Err(error) => return Err(failed(segment, &error)),
        };
        let mut files = message.attachments.into_iter();
        match (files.next(), files.next()) {
            (Some(file), None) if file.size == segment.bytes() => {
                Ok(Url { attachment: Arc::new(file), given })
            }
            (Some(file), None) => {
                let (found, due) = (file.size, segment.bytes());
                Err(damaged(segment, &format!("its file has {found} bytes where {due} are due")))
            }
            _ => Err(damaged(segment, "its message has no file, or several")),
        }
    }
}

/// A segment is not what the checkpoint says.
pub(super) fn damaged(segment: &Segment, what: &str) -> Lost {
    let Location { channel, message } = segment.location;
    let text = format!("a segment of the table can't be read: {what}");
    let error = Error::new(ErrorKind::Damaged, text);
    Lost::Segment(error.in_channel(channel).in_message(message))
}

fn failed(segment: &Segment, error: &TransportError) -> Lost {
    let Location { channel, message } = segment.location;
    Lost::Failed(explain(error, "looking up a record").in_channel(channel).in_message(message))
}
