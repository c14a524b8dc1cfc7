//! Blocks and whole files of segments, downloaded when they are needed, and what spares downloads: filters, and URLs.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{StreamExt as _, TryStreamExt as _};

use crate::codec::checkpoint::{Block, Location, Run, Segment};
use crate::codec::segment::{Filter, Sealing, SegmentOf, open_block};
use crate::env::{SharedEnv, heavy};
use crate::error::{Error, ErrorKind};
use crate::ids::{ChannelId, MessageId};
use crate::lookup::Lost;
use crate::lookup::counts::Counts;
use crate::lookup::memo::Memo;
use crate::transport::{Attachment, HistoryPage, Message, Transport, TransportError, explain};

/// A signed URL is used for so long. Discord's live for about a day (Discord docs, "API Reference": Signed Attachment
/// CDN URLs, without a promise); one that expired earlier is renewed when it is refused.
const URL_AGE: Duration = Duration::from_secs(12 * 60 * 60);
/// So many URLs are kept.
const URLS: usize = 4_096;
/// So many bytes of filters are kept, for all tables together.
const FILTERS: usize = 64 << 20;
/// A filter that was not read when the table was opened is read when its segment is asked for the third time.
const ASKED: u32 = 3;
/// So many filters are downloaded at a time.
const AT_ONCE: usize = 4;
/// Blocks above this size, unpacked, are unpacked away from the runtime's threads.
const LARGE: u32 = 1 << 20;

/// The segments of a guild: what was read of them is kept within a budget, for all tables together.
pub(crate) struct Files {
    transport: Arc<dyn Transport>,
    env: SharedEnv,
    blocks: Memo<(Location, u32), Arc<[u8]>>,
    urls: Memo<Location, Url>,
    /// The URLs that are being asked for, a channel at a time.
    asking: Memo<(ChannelId, MessageId), ()>,
    filters: Memo<Location, Arc<Filter>>,
    /// How often segments were asked for whose filters are not known.
    asked: Memo<Location, u32>,
    counts: Counts,
}

/// Where a file can be downloaded.
#[derive(Clone)]
struct Url {
    attachment: Arc<Attachment>,
    /// When it was given, on the environment's clock.
    given: Duration,
}

/// A segment, and those of its channel that will be asked for, too.
#[derive(Clone, Copy)]
pub(super) struct Among<'a> {
    pub(super) segment: &'a Segment,
    pub(super) runs: &'a [Run],
}

impl Files {
    /// Keeps blocks of at most `budget` bytes, unpacked.
    pub(crate) fn new(transport: Arc<dyn Transport>, env: SharedEnv, budget: usize) -> Self {
        Self {
            transport,
            env,
            blocks: Memo::new(budget),
            urls: Memo::new(URLS),
            asking: Memo::new(0),
            filters: Memo::new(FILTERS),
            asked: Memo::new(URLS),
            counts: Counts::new(),
        }
    }

    pub(super) fn counts(&self) -> &Counts {
        &self.counts
    }

    /// One block, unpacked and verified.
    pub(super) async fn block(
        &self,
        of: &SegmentOf,
        sealing: &Sealing,
        among: Among<'_>,
        block: &Block,
    ) -> Result<Arc<[u8]>, Lost> {
        let segment = among.segment;
        let key = (segment.location, block.offset);
        let known = if self.blocks.has(&key) { &self.counts.hits } else { &self.counts.misses };
        known.add(1);
        let fetch = async {
            let bytes = self.download(among, Some((block.offset, block.length))).await?;
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

    /// What tells that a segment does not have something, if it is known: a segment that is asked for only now and then
    /// is not worth its download.
    pub(super) async fn filter(
        &self,
        of: &SegmentOf,
        sealing: &Sealing,
        among: Among<'_>,
    ) -> Result<Option<Arc<Filter>>, Lost> {
        let location = among.segment.location;
        if among.segment.filter.is_none() {
            return Ok(None);
        }
        if let Some(known) = self.filters.peek(&location) {
            return Ok(Some(known));
        }
        let asked = self.asked.peek(&location).unwrap_or(0) + 1;
        if asked < ASKED {
            self.asked.put(location, asked, 1);
            return Ok(None);
        }
        self.load_filter(of, sealing, among).await
    }

    async fn load_filter(
        &self,
        of: &SegmentOf,
        sealing: &Sealing,
        among: Among<'_>,
    ) -> Result<Option<Arc<Filter>>, Lost> {
        let segment = among.segment;
        let Some(part) = &segment.filter else { return Ok(None) };
        let fetch = async {
            let bytes = self.download(among, Some((segment.blocks.end(), part.length))).await?;
            let filter = Filter::open(of, sealing, segment, &bytes);
            filter.map(Arc::new).map_err(|error| damaged(segment, &error.to_string()))
        };
        self.filters.get(&segment.location, |filter| filter.len(), fetch).await.map(Some)
    }

    /// Asks for the URLs of runs, a hundred messages at a time, and reads the filters of those that `worth` it.
    pub(super) async fn prepare(
        &self,
        runs: &[Run],
        sealing: &Sealing,
        worth: &[(SegmentOf, &Segment)],
    ) -> Result<(), Lost> {
        let segments = bounds(runs);
        if let (Some(first), Some(last)) = (segments.first(), segments.last()) {
            self.renew(runs, first.channel, first.message, last.message).await?;
        }
        let filters: Vec<_> = worth
            .iter()
            .map(|(of, segment)| self.load_filter(of, sealing, Among { segment, runs }))
            .collect();
        let mut filters = futures_util::stream::iter(filters).buffer_unordered(AT_ONCE);
        while filters.try_next().await?.is_some() {}
        Ok(())
    }

    /// A whole file, not verified yet.
    pub(super) async fn whole(&self, segment: &Segment) -> Result<Bytes, Lost> {
        self.download(Among { segment, runs: &[] }, None).await
    }

    /// Downloads a segment, or a part of it from an offset on, with a new URL if the one that is kept is refused.
    async fn download(&self, among: Among<'_>, part: Option<(u32, u32)>) -> Result<Bytes, Lost> {
        let segment = among.segment;
        for renewed in [false, true] {
            let attachment = self.attachment(among).await?;
            let loading = match part {
                Some((offset, length)) => {
                    self.transport.download_range(&attachment, offset.into(), length.into())
                }
                None => self.transport.download(&attachment),
            };
            match loading.await {
                Ok(bytes) => {
                    self.counts.bytes.add(bytes.len() as u64);
                    return Ok(bytes);
                }
                Err(TransportError::Missing(_) | TransportError::Forbidden(_)) if !renewed => {
                    self.urls.forget(&segment.location);
                }
                Err(TransportError::Missing(_)) => break,
                Err(error) => return Err(failed(segment.location, &error)),
            }
        }
        Err(damaged(segment, "its file is gone"))
    }

    /// The attachment of a segment's message, with a URL that is not old.
    async fn attachment(&self, among: Among<'_>) -> Result<Arc<Attachment>, Lost> {
        let location = among.segment.location;
        if let Some(known) = self.fresh(location) {
            return checked(among.segment, known);
        }
        let first = bounds(among.runs).first().map_or(location.message, |first| first.message);
        if first < location.message || bounds(among.runs).len() > 1 {
            let Location { channel, message } = location;
            let renewing = self.renew(among.runs, channel, first.min(message), message);
            self.asking.get(&(channel, message), |()| 1, renewing).await?;
        }
        if let Some(known) = self.fresh(location) {
            return checked(among.segment, known);
        }
        // It is the only one, or a history lags behind what a single message's route knows.
        let asking = async {
            let given = self.env.monotonic();
            match self.transport.message(location.channel, location.message).await {
                Ok(message) => self.note(location, message, given).ok_or_else(|| no_file(among.segment)),
                Err(TransportError::Missing(_)) => Err(damaged(among.segment, "its message is gone")),
                Err(error) => Err(failed(location, &error)),
            }
        };
        let known = self.urls.get(&location, |_| 1, asking).await?;
        checked(among.segment, known.attachment)
    }

    /// The attachment of a message, if its URL is known and not old.
    fn fresh(&self, location: Location) -> Option<Arc<Attachment>> {
        let known = self.urls.peek(&location)?;
        if self.env.monotonic().saturating_sub(known.given) < URL_AGE {
            return Some(known.attachment);
        }
        self.urls.forget(&location);
        None
    }

    /// Reads a channel from the message `first` on until `wanted` was read, and keeps the URLs of the segments in `runs`.
    async fn renew(
        &self,
        runs: &[Run],
        channel: ChannelId,
        first: MessageId,
        wanted: MessageId,
    ) -> Result<(), Lost> {
        let mut cursor = MessageId::new(first.get().saturating_sub(1));
        let segments = bounds(runs);
        while cursor < wanted {
            let given = self.env.monotonic();
            let page = self.transport.history(channel, HistoryPage::After(cursor)).await;
            let page = page.map_err(|error| failed(Location { channel, message: wanted }, &error))?;
            let Some(newest) = page.last().map(|message| message.id) else { break };
            cursor = newest;
            for message in page {
                let location = Location { channel, message: message.id };
                if segments.binary_search(&location).is_ok() {
                    self.note(location, message, given);
                }
            }
        }
        Ok(())
    }

    /// Keeps the URL of a message's only file; `None` if it has none, or several.
    fn note(&self, location: Location, message: Message, given: Duration) -> Option<Url> {
        let [attachment] = <[Attachment; 1]>::try_from(message.attachments).ok()?;
        let url = Url { attachment: Arc::new(attachment), given };
        self.urls.put(location, url.clone(), 1);
        Some(url)
    }
}

/// Where the segments of runs lie, in the order of the messages.
fn bounds(runs: &[Run]) -> Vec<Location> {
    let mut all: Vec<_> =
        runs.iter().flat_map(|run| run.segments.iter().map(|segment| segment.location)).collect();
    all.sort_unstable();
    all
}

/// An attachment, if it can be the segment.
fn checked(segment: &Segment, file: Arc<Attachment>) -> Result<Arc<Attachment>, Lost> {
    let (found, due) = (file.size, segment.bytes());
    match found == due {
        true => Ok(file),
        false => Err(damaged(segment, &format!("its file has {found} bytes where {due} are due"))),
    }
}

fn no_file(segment: &Segment) -> Lost {
    damaged(segment, "its message has no file, or several")
}

/// A segment is not what the checkpoint says.
pub(super) fn damaged(segment: &Segment, what: &str) -> Lost {
    let Location { channel, message } = segment.location;
    let text = format!(
        "a segment of the table can't be read: {what}. If a process has the table in memory, db.heal().await writes it \
         anew there; db.verify().await says what else is missing"
    );
    let error = Error::new(ErrorKind::Damaged, text);
    Lost::Segment(error.in_channel(channel).in_message(message))
}

fn failed(location: Location, error: &TransportError) -> Lost {
    let Location { channel, message } = location;
    let told = explain(error, "looking up a record").in_channel(channel).in_message(message);
    // It was deleted with the table, if a newer checkpoint does without it.
    if error.is_unknown_channel() { Lost::Segment(told) } else { Lost::Failed(told) }
}
