//! Journals, made step by step: what writers post, what others post, what is copied, trimmed and lost.

mod others;
mod upkeep;

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use crate::codec::checkpoint::{Checkpoint, Root};
use crate::codec::frame::{Body, Frame, Genesis, Header, Kind, Sum, Timing};
use crate::codec::message::{Encoded, encode, encode_attached};
use crate::fuzzing::arbitrary;
use crate::fuzzing::chain::described;
use crate::fuzzing::journal::commits::commits;
use crate::fuzzing::journal::guild::{BOT, Guild};
use crate::fuzzing::source::Source;
use crate::ids::{ChannelId, Epoch, Incarnation, Seq};
use crate::journal::chain::{Holder, Link};
use crate::journal::reader::Reader;
use crate::seal::{KeySource, Keychain};
use crate::tables::Tables;
use crate::transport::Message;

/// The channel of the journal.
pub(super) const JOURNAL: ChannelId = ChannelId::new(5);
const TIMING: Timing = Timing { visibility: 2_000, grace: 3_000, window: 60_000 };

/// A frame that was posted, and what is so after it, if it is on the chain.
pub(super) struct Known {
    pub(super) link: Link,
    /// The frame it follows, if that was ever posted.
    pub(super) before: Option<usize>,
    holder: Holder,
    /// `None` if its commits, or earlier ones, break the rules.
    pub(super) tables: Option<Tables>,
    /// The last checkpoint by then.
    last: Option<Arc<Checkpoint>>,
    /// Whether no session would have made its commits, or those of an earlier one.
    strange: bool,
}

impl Known {
    /// Whether a checkpoint of the tables could hold what no reader takes.
    pub(super) fn is_strange(&self) -> bool {
        self.strange
    }
}

/// A journal in the making.
pub(super) struct World {
    pub(super) guild: Arc<Guild>,
    pub(super) reader: Reader,
    pub(super) known: Vec<Known>,
    root: Option<Root>,
    /// What does not happen in most worlds, because it leaves little to be promised.
    strangers: bool,
    strange_commits: bool,
    liar: bool,
    /// The frame that was posted last.
    at: usize,
    /// What the gateway would have brought by now.
    pub(super) posted: Vec<Message>,
    /// Something is there that no writer would have posted, so that an error is right.
    pub(super) may_fail: bool,
    /// Something was posted that could only be a lie of the bot's own: nothing is promised but an answer.
    pub(super) lies: bool,
}

impl World {
    pub(super) fn new(source: &mut Source<'_>) -> Self {
        let guild = Guild::new();
        let (db, env): (Arc<str>, Arc<Guild>) = (Arc::from("shop"), Arc::clone(&guild));
        let keychain = Keychain::new(KeySource::Nowhere, Arc::clone(&db), env.clone());
        let transport: Arc<Guild> = Arc::clone(&guild);
        let reader = Reader { transport, channel: JOURNAL, bot: BOT, db, env, keychain: Arc::new(keychain) };
        Self {
            guild,
            reader,
            known: Vec::new(),
            root: None,
            strangers: source.rarely(4),
            strange_commits: source.rarely(4),
            liar: source.rarely(8),
            at: 0,
            posted: Vec::new(),
            may_fail: false,
            lies: false,
        }
    }

    /// One more thing happens.
    pub(super) async fn step(&mut self, source: &mut Source<'_>) {
        if self.known.is_empty() && !source.rarely(16) {
            return self.begin(source);
        }
        match source.below(16) {
            0..=4 => self.data(source),
            5 => self.open(source),
            6 => self.close(source),
            7 | 8 => self.checkpoint(source).await,
            9 | 10 => self.wait(source),
            11 | 12 => self.copy(source),
            13 if self.strangers => self.stranger(source),
            14 => self.trim(source).await,
            15 if self.liar => self.lie(source),
            _ => self.open(source),
        }
    }

    /// The genesis.
    fn begin(&mut self, source: &mut Source<'_>) {
        let channel = ChannelId::new(1);
        let genesis =
            Genesis { timing: TIMING, category: channel, catalog: channel, journal: JOURNAL, keying: None };
        let header = Header {
            db: self.reader.db.to_string(),
            epoch: Epoch::default(),
            incarnation: Incarnation([0; 8]),
            owner: "a".to_owned(),
            prev: Sum::NONE,
        };
        let Some(link) = self.post(source, Frame { header, body: Body::Genesis(genesis) }) else { return };
        self.root = Some(Root { genesis, sum: link.sum, message: link.message });
        let holder = Holder::root(&link);
        let tables = Some(Tables::default());
        self.known.push(Known { link, before: None, holder, tables, last: None, strange: false });
    }

    /// Mostly the frame that was posted last, otherwise any.
    fn place(&self, source: &mut Source<'_>) -> usize {
        if source.rarely(6) { source.below(self.known.len()) } else { self.at }
    }

    fn header(&self, place: usize) -> Option<Header> {
        let Known { link, holder, .. } = self.known.get(place)?;
        Some(Header {
            db: self.reader.db.to_string(),
            epoch: holder.epoch,
            incarnation: holder.incarnation,
            owner: holder.owner.clone(),
            prev: link.sum,
        })
    }

    fn data(&mut self, source: &mut Source<'_>) {
        let place = self.place(source);
        let Some(header) = self.header(place) else { return };
        let tables = self.known.get(place).and_then(|known| known.tables.clone());
        let strange = self.strange_commits && source.rarely(12);
        // Nobody has made so many commits that their numbers end.
        self.lies |= tables.as_ref().is_some_and(|tables| tables.seq() > Seq::new(u64::MAX >> 1));
        let (commits, after) = match tables {
            Some(tables) if !strange => {
                let (commits, after) = commits(source, tables);
                (commits, Some(after))
            }
            tables => {
                let commits = arbitrary::commits(source);
                let after = tables.and_then(|mut tables| {
                    let applied = commits.iter().try_for_each(|commit| tables.apply(commit));
                    applied.is_ok().then_some(tables)
                });
                (commits, after)
            }
        };
        self.add(source, place, Frame { header, body: Body::Data(commits) }, |known| {
            known.tables = after;
            known.strange |= strange;
        });
    }

    fn open(&mut self, source: &mut Source<'_>) {
        let place = self.place(source);
        let Some(mut header) = self.header(place) else { return };
        header.epoch = header.epoch.next();
        header.incarnation = Incarnation([1 + source.below(7) as u8; 8]);
        header.owner = if source.flag() { "a" } else { "b" }.to_owned();
        self.add(source, place, Frame { header, body: Body::Open }, |_| {});
    }

    fn close(&mut self, source: &mut Source<'_>) {
        let place = self.place(source);
        let Some(header) = self.header(place) else { return };
        self.add(source, place, Frame { header, body: Body::Close }, |_| {});
    }

    /// Time passes: what the rules count with, or far more.
    fn wait(&self, source: &mut Source<'_>) {
        let ms = match source.below(5) {
            0 => source.number() % 1_000,
            1 => 2_000,
            2 => 3_001,
            3 => 5_001,
            _ => 60_001,
        };
        self.guild.pass(Duration::from_millis(ms));
    }

    /// Whether a process that obeys the rules could post such a frame there: now, or long ago in a request that is
    /// executed late.
    fn is_fair(&self, place: usize, kind: Kind) -> bool {
        let Some(known) = self.known.get(place) else { return false };
        let chain = self.chain();
        let Some(until) = chain.iter().position(|link| link.sum == known.link.sum) else { return false };
        if kind == Kind::Open {
            return true;
        }
        // Who has opened waits until that is certain.
        let opened = chain.iter().take(until + 1).rev().find(|link| link.kind == Kind::Open);
        let certain =
            opened.is_some_and(|open| open.time() + TIMING.grace + TIMING.visibility < self.guild.now());
        // It posts a frame after its last one, and no other until that is decided.
        let again = self.known.iter().any(|other| {
            other.link.header.prev == known.link.sum
                && other.link.header.incarnation == known.holder.incarnation
        });
        certain && !again && !known.holder.closed
    }

    /// Posts a frame and keeps what is so after it; `change` says what is different then.
    fn add(&mut self, source: &mut Source<'_>, place: usize, frame: Frame, change: impl FnOnce(&mut Known)) {
        let (kind, present) = (frame.body.kind(), self.present());
        if !self.is_fair(place, kind) {
            return;
        }
        let prev = frame.header.prev;
        let Some(link) = self.post(source, frame) else { return };
        // Nobody follows what was trimmed long ago.
        self.may_fail |= !present.contains(&prev);
        if self.known.iter().any(|known| known.link.sum == link.sum) {
            return;
        }
        let Some(before) = self.known.get(place) else { return };
        let mut known = Known {
            holder: before.holder.clone().after(&link),
            link,
            before: Some(place),
            tables: before.tables.clone(),
            last: before.last.clone(),
            strange: before.strange,
        };
        change(&mut known);
        self.at = self.known.len();
        self.known.push(known);
    }

    fn post(&mut self, source: &mut Source<'_>, frame: Frame) -> Option<Link> {
        let encoded: Encoded =
            if source.rarely(4) { encode_attached(&frame) } else { encode(&frame) }.ok()?;
        let message = self.guild.put(JOURNAL, BOT, &encoded.message(String::new()));
        let link =
            Link { kind: frame.body.kind(), header: frame.header, sum: encoded.sum, message: message.id };
        self.posted.push(message);
        Some(link)
    }

    /// All frames that were ever posted, as a reader who saw everything has them.
    fn links(&self) -> Vec<Link> {
        self.known.iter().map(|known| known.link.clone()).collect()
    }

    /// The frames that are in the guild.
    pub(super) fn present(&self) -> HashSet<Sum> {
        let messages = self.guild.messages(JOURNAL);
        messages.iter().filter_map(crate::codec::message::read).map(|posted| posted.sum()).collect()
    }

    /// The chain, the genesis first.
    pub(super) fn chain(&self) -> Vec<Link> {
        let Some(genesis) = self.known.first() else { return Vec::new() };
        let rest = described(&self.links(), genesis.link.sum, &Holder::root(&genesis.link), TIMING);
        [vec![genesis.link.clone()], rest].concat()
    }

    pub(super) fn find(&self, sum: Sum) -> Option<&Known> {
        self.known.iter().find(|known| known.link.sum == sum)
    }
}
