//! Reading the journal channel: its messages as links of the chain, and the frames behind them.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::codec::binary::VERSION;
use crate::codec::frame::{Frame, Kind, Sum, Timing};
use crate::codec::message::{Posted, format_version, open_attachment, read};
use crate::env::{SharedEnv, heavy, sleep};
use crate::error::{Error, ErrorKind};
use crate::ids::{ChannelId, Epoch, MessageId, UserId};
use crate::journal::chain::{Holder, Link, Links, walk};
use crate::journal::post::UNKNOWN_MESSAGE;
use crate::seal::Keychain;
use crate::transport::{Attachment, HistoryPage, Message, Transport, TransportError};

/// The most messages one history request gives (Discord docs, "Message": Get Channel Messages).
const PAGE: usize = 100;

/// Why a text that claims to be a frame of this version is none.
const CHECKSUM: &str = "its checksum does not match its text";

/// How long to wait before each further try of a download that finds nothing. The first has none, because what is wrong
/// is mostly the URL's age; later ones give a new file time to arrive where downloads are served from.
const UNTIL_DOWNLOADABLE: [Duration; 4] =
    [Duration::ZERO, Duration::from_millis(500), Duration::from_secs(1), Duration::from_secs(2)];

/// Reads one database's journal.
#[derive(Clone)]
pub(crate) struct Reader {
    pub(crate) transport: Arc<dyn Transport>,
    pub(crate) channel: ChannelId,
    pub(crate) bot: UserId,
    pub(crate) db: Arc<str>,
    pub(crate) env: SharedEnv,
    /// Opens what the frames say. Reading and walking the chain take no key.
    pub(crate) keychain: Arc<Keychain>,
}

/// What was read of the journal.
#[derive(Debug, Clone, Default)]
pub(crate) struct Scan {
    pub(crate) links: Links,
    frames: HashMap<Sum, Frame>,
    attached: HashMap<Sum, Message>,
    /// The newest message of the channel, whoever wrote it.
    pub(crate) newest: Option<MessageId>,
    /// Messages that are no frames of this database, and why.
    pub(crate) strangers: Vec<Stranger>,
    seen: HashSet<MessageId>,
    /// The messages of every frame: one that was posted twice has two.
    copies: Vec<(MessageId, Sum)>,
    /// Frames whose messages were edited since they were posted, and say the same.
    pub(crate) edited: Vec<MessageId>,
    /// What reading took.
    pub(crate) cost: Cost,
}

/// What reading took of Discord.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Cost {
    pub(crate) requests: u64,
    /// Bytes of files.
    pub(crate) bytes: u64,
}

/// A message of the journal that is not applied.
#[derive(Debug, Clone)]
pub(crate) struct Stranger {
    pub(crate) message: MessageId,
    /// Who wrote it, if that was not this bot.
    pub(crate) author: Option<UserId>,
    /// Whether it was edited after it was posted.
    pub(crate) edited: bool,
    pub(crate) reason: String,
    /// Whether it claims to be a frame of this bot's, so that something may be damaged.
    pub(crate) suspicious: bool,
    /// Whether it claims to be one of this version and this database.
    pub(crate) broken: bool,
}

impl Scan {
    fn add(&mut self, message: Message, bot: UserId, db: &str) {
        self.newest = self.newest.max(Some(message.id));
        if !self.seen.insert(message.id) {
            return;
        }
        let author = (message.author != bot).then_some(message.author);
        let edited = message.edited;
        let mut stranger = |reason: &str, suspicious| {
            let reason = reason.to_owned();
            let broken = suspicious && reason == CHECKSUM;
            self.strangers.push(Stranger { message: message.id, author, edited, reason, suspicious, broken });
        };
        if message.author != bot || !message.ordinary {
            return stranger("it was not written by this bot", false);
        }
        let Some(posted) = read(&message) else {
            return match format_version(&message) {
                Some(version) if version != u64::from(VERSION) => stranger(
                    &format!(
                        "its format version is {version} and this program reads {VERSION}: use a newer program"
                    ),
                    true,
                ),
                Some(_) => stranger(CHECKSUM, true),
                None => stranger("it is no frame", false),
            };
        };
        let (header, kind) = posted.header();
        if header.db != db {
            return stranger("it belongs to another database", true);
        }
        self.copies.push((message.id, posted.sum()));
        if edited {
            self.edited.push(message.id);
        }
        self.links.insert(Link { header: header.clone(), kind, sum: posted.sum(), message: message.id });
        match posted {
            Posted::Whole { sum, frame } => {
                self.frames.insert(sum, frame);
            }
            Posted::Attached(attached) => {
                self.attached.insert(attached.sum, message);
            }
        }
    }

    /// Every message that holds a frame, with the frame's sum.
    pub(crate) fn copies(&self) -> impl Iterator<Item = (MessageId, Sum)> + '_ {
        self.copies.iter().copied()
    }

    /// What was taken for a frame is none.
    fn remove(&mut self, link: &Link, reason: String) {
        self.links.remove(link);
        let edited = self.edited.contains(&link.message);
        let (message, author, suspicious) = (link.message, None, true);
        self.strangers.push(Stranger { message, author, edited, reason, suspicious, broken: true });
    }

    /// The frame of a link, once [`Reader::chain`] has verified it.
    pub(crate) fn frame(&self, sum: Sum) -> Option<&Frame> {
        self.frames.get(&sum)
    }

    /// Whether a message was read.
    pub(crate) fn has_seen(&self, message: MessageId) -> bool {
        self.seen.contains(&message)
    }

    /// Whether a message with this frame was read.
    pub(crate) fn shows(&self, sum: Sum) -> bool {
        self.links.iter().any(|link| link.sum == sum)
    }

    /// [`Scan::frame`], taken out.
    pub(crate) fn take_frame(&mut self, sum: Sum) -> Option<Frame> {
        self.frames.remove(&sum)
    }

    /// How many messages were read.
    pub(crate) fn len(&self) -> usize {
        self.seen.len()
    }
}

impl Reader {
    /// Takes a message that came another way than by a read into `scan`.
    pub(crate) fn hold(&self, scan: &mut Scan, message: Message) {
        scan.add(message, self.bot, &self.db);
    }

    /// Reads every message after `from` into `scan`.
    pub(crate) async fn read(&self, scan: &mut Scan, from: MessageId) -> Result<(), TransportError> {
        let mut cursor = from;
        loop {
            scan.cost.requests += 1;
            let page = self.transport.history(self.channel, HistoryPage::After(cursor)).await?;
            let full = page.len() >= PAGE;
            for message in page {
                cursor = cursor.max(message.id);
                scan.add(message, self.bot, &self.db);
            }
            if !full {
                return Ok(());
            }
        }
    }

    /// The chain from `root` on, every frame of it verified: an attachment that is not what its message says is
    /// no frame, and the walk goes on without it.
    pub(crate) async fn chain(
        &self,
        scan: &mut Scan,
        root: Sum,
        holder: &Holder,
        timing: Timing,
    ) -> Result<(Vec<Link>, Holder), TransportError> {
        loop {
            let (links, end) = walk(&scan.links, root, holder.clone(), timing);
            let links: Vec<Link> = links.into_iter().cloned().collect();
            match self.first_unsound(scan, &links).await? {
                None => return Ok((links, end)),
                Some((link, reason)) => scan.remove(&link, reason),
            }
        }
    }

    /// Loads the attachments of `links` that are not loaded yet; the first that is no frame, with the reason.
    async fn first_unsound(
        &self,
        scan: &mut Scan,
        links: &[Link],
    ) -> Result<Option<(Link, String)>, TransportError> {
        for link in links {
            if let Some(reason) = self.open(scan, link).await? {
                return Ok(Some((link.clone(), reason)));
            }
        }
        Ok(None)
    }

    /// Loads what a link's attachment holds. What is no frame is none of the links any more; then the answer is
    /// `false`.
    pub(crate) async fn load(&self, scan: &mut Scan, link: &Link) -> Result<bool, TransportError> {
        let Some(reason) = self.open(scan, link).await? else { return Ok(true) };
        scan.remove(link, reason);
        Ok(false)
    }

    /// Makes the frame of a link known, if it is not yet; the reason, if its attachment is no frame.
    async fn open(&self, scan: &mut Scan, link: &Link) -> Result<Option<String>, TransportError> {
        if scan.frames.contains_key(&link.sum) {
            // The same frame may have been posted as text, too.
            return Ok(None);
        }
        let Some(message) = scan.attached.get(&link.sum) else { return Ok(None) };
        let Some(Posted::Attached(header)) = read(message) else { return Ok(None) };
        let Some(attachment) = message.attachments.first() else { return Ok(None) };
        let Some(file) = self.file(attachment, message.id).await? else {
            return Ok(Some("its attachment is gone".to_owned()));
        };
        scan.cost.requests += 1;
        scan.cost.bytes += file.len() as u64;
        let opened = heavy(&self.env, move || open_attachment(&header, &file)).await;
        Ok(match opened.unwrap_or_else(|| Err("decoding it failed".to_owned())) {
            Ok(frame) => {
                scan.attached.remove(&link.sum);
                scan.frames.insert(link.sum, frame);
                None
            }
            Err(reason) => Some(reason),
        })
    }

    /// Downloads the file of a message; `None` if the message has none any more.
    async fn file(
        &self,
        attachment: &Attachment,
        message: MessageId,
    ) -> Result<Option<Bytes>, TransportError> {
        let mut missing = match self.transport.download(attachment).await {
            Ok(file) => return Ok(Some(file)),
            Err(error @ (TransportError::Missing(_) | TransportError::Forbidden(_))) => error,
            Err(error) => return Err(error),
        };
        for wait in UNTIL_DOWNLOADABLE {
            sleep(&*self.env, wait).await;
            // The message may have been read a day ago, and its URL have expired.
            let fresh = match self.transport.message(self.channel, message).await {
                Ok(fresh) => fresh,
                // One that is young may be in a list and not be found alone yet.
                Err(error) if is_unknown_message(&error) => {
                    missing = error;
                    continue;
                }
                Err(error) => return Err(error),
            };
            let Some(attachment) = fresh.attachments.first() else { return Ok(None) };
            match self.transport.download(attachment).await {
                Ok(file) => return Ok(Some(file)),
                Err(error @ (TransportError::Missing(_) | TransportError::Forbidden(_))) => missing = error,
                Err(error) => return Err(error),
            }
        }
        Err(missing)
    }

    /// Where reading a tail begins: so far before `message` that nothing which was made visible late is missed.
    pub(crate) fn tail_start(message: MessageId, timing: Timing) -> MessageId {
        let start = MessageId::at(message.time_ms().saturating_sub(2 * timing.visibility));
        // Everything before the tip's own millisecond is at or before the tip.
        MessageId::new(start.get().saturating_sub(1))
    }
}

/// The frames of an epoch or a later one that follow a frame which is nowhere, the oldest first: each follows a hole, if
/// it is not a late copy of what a checkpoint covers. Messages up to `covered` are what trimming has left.
pub(crate) fn orphans(scan: &Scan, known: &HashSet<Sum>, epoch: Epoch, covered: MessageId) -> Vec<Link> {
    let all: HashSet<Sum> = scan.links.iter().map(|link| link.sum).collect();
    let unlinked = |link: &&Link| {
        link.kind != Kind::Genesis
            && link.header.epoch >= epoch
            && link.message > covered
            && !known.contains(&link.sum)
            && !known.contains(&link.header.prev)
            && !all.contains(&link.header.prev)
    };
    let mut orphans: Vec<Link> = scan.links.iter().filter(unlinked).cloned().collect();
    orphans.sort_unstable_by_key(|link| link.message);
    orphans
}

/// The error for a message after `tip` that claims to be a frame and is none, if there is one.
pub(crate) fn unreadable(scan: &Scan, channel: ChannelId, tip: MessageId) -> Option<Error> {
    let bad = scan.strangers.iter().find(|stranger| stranger.suspicious && stranger.message > tip)?;
    let text = format!(
        "the newest message of the journal by this bot can't be read: {}. It may hold commits; delete it only if you \
         know that it does not",
        bad.reason
    );
    Some(Error::new(ErrorKind::Corrupt, text).in_channel(channel).in_message(bad.message))
}

/// Whether a message is not there, or not yet, while its channel is.
pub(crate) fn is_unknown_message(error: &TransportError) -> bool {
    matches!(error, TransportError::Missing(_)) && error.code() == Some(UNKNOWN_MESSAGE)
}

/// Whether an error says that the journal's channel is not there: not only a message of it, or a file.
pub(crate) fn is_unknown_channel(error: &Error) -> bool {
    let cause = std::error::Error::source(error).and_then(|cause| cause.downcast_ref::<TransportError>());
    cause.is_some_and(TransportError::is_unknown_channel)
}

/// The error for a transport failure while reading the journal.
pub(crate) fn read_error(error: &TransportError, channel: ChannelId) -> Error {
    crate::transport::explain(error, "reading the journal").in_channel(channel)
}
