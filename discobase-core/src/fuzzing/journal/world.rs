//! Journals, made step by step: what writers post, what others post, what is copied, trimmed and lost.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use crate::batch::{AppliedStep, ColumnDef, Commit, IndexDef, Op, TableDef};
use crate::checkpoint::build::{Wanted, build};
use crate::checkpoint::trim::{superseded, trim_journal};
use crate::checkpoint::upload::{Uploader, upload};
use crate::codec::checkpoint::{Checkpoint, Covers, Root};
use crate::codec::frame::{Body, Frame, Genesis, Header, Kind, Sum, Timing};
use crate::codec::message::{Encoded, encode, encode_attached};
use crate::codec::segment::Sealing;
use crate::fuzzing::arbitrary;
use crate::fuzzing::chain::described;
use crate::fuzzing::journal::guild::{BOT, Guild};
use crate::fuzzing::source::Source;
use crate::ids::{ChannelId, Epoch, Incarnation, RowId, Seq, UserId};
use crate::journal::chain::{Holder, Link};
use crate::journal::reader::Reader;
use crate::journal::rules::{Position, Tip};
use crate::schema::IndexKind;
use crate::seal::{KeySource, Keychain};
use crate::tables::Tables;
use crate::transport::{Message, NewMessage};

/// The channel of the journal.
pub(super) const JOURNAL: ChannelId = ChannelId::new(5);
const TIMING: Timing = Timing { visibility: 2_000, grace: 3_000, window: 60_000 };
/// How long after a checkpoint became durable the journal is trimmed.
const TRIM_AFTER: Duration = Duration::from_secs(600);

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

    /// A checkpoint after some frame, of an earlier one on the same chain.
    async fn checkpoint(&mut self, source: &mut Source<'_>) {
        let place = self.place(source);
        let mut covered = place;
        for _ in 0..source.below(4) {
            covered = self.known.get(covered).and_then(|known| known.before).unwrap_or(covered);
        }
        let (Some(header), Some(known), Some(root)) =
            (self.header(place), self.known.get(covered), self.root)
        else {
            return;
        };
        // Who covers a closed term's frame, or frames that make no sense, is no writer.
        let (Some(tables), false, false) = (known.tables.clone(), known.holder.closed, known.strange) else {
            return;
        };
        // Nor does a writer's checkpoint cover less than the one before.
        let last = known.last.clone();
        let latest = self.known.get(place).and_then(|known| known.last.as_ref());
        if latest.is_some_and(|latest| latest.covers.message >= known.link.message) {
            return;
        }
        let position = Position {
            tip: Tip { sum: known.link.sum, message: known.link.message },
            holder: known.holder.clone(),
            timing: TIMING,
        };
        let wanted = Wanted {
            db: Arc::clone(&self.reader.db),
            sealing: Sealing::Clear,
            tables: tables.clone(),
            last: last.clone(),
        };
        let uploader = Uploader {
            transport: Arc::clone(&self.reader.transport),
            epoch: header.epoch,
            incarnation: header.incarnation,
        };
        let built = upload(&uploader, build(&self.reader.env, wanted)).await;
        let mut checkpoint = Checkpoint {
            root,
            covers: Covers::of(&position),
            seq: tables.seq(),
            next_table: tables.next_table(),
            tables: built.unwrap_or_else(|error| panic!("no checkpoint of sound tables: {error}")),
            past: Vec::new(),
            steps: tables.steps().to_vec(),
            drop: Vec::new(),
        };
        checkpoint.drop = last.map_or_else(Vec::new, |last| superseded(&last, &[], &checkpoint));
        let body = Body::Checkpoint(Box::new(checkpoint.clone()));
        self.add(source, place, Frame { header, body }, |known| known.last = Some(Arc::new(checkpoint)));
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

    /// A frame is posted once more: the same bytes, under a new id.
    fn copy(&mut self, source: &mut Source<'_>) {
        let Some(known) = self.known.get(source.below(self.known.len())) else { return };
        let on_chain = self.chain().iter().any(|link| link.sum == known.link.sum);
        let present = self.present();
        // A late copy of what was trimmed tells nobody that it was.
        let understood = on_chain && matches!(known.link.kind, Kind::Open | Kind::Checkpoint);
        let orphan = known.link.header.prev != Sum::NONE && !present.contains(&known.link.header.prev);
        let message = self.guild.messages(JOURNAL).into_iter().find(|one| one.id == known.link.message);
        let Some(message) = message else { return };
        self.may_fail |= orphan && !understood;
        let content = self.guild.content(&message);
        self.posted.push(self.guild.put(JOURNAL, BOT, &content));
    }

    /// Somebody else posts, or the bot posts what is no frame of this database.
    fn stranger(&mut self, source: &mut Source<'_>) {
        let Some(known) = self.known.get(source.below(self.known.len())) else { return };
        let message = self.guild.messages(JOURNAL).into_iter().find(|one| one.id == known.link.message);
        let mut content = message.map_or_else(NewMessage::default, |message| self.guild.content(&message));
        let author = if source.flag() { UserId::new(9) } else { BOT };
        match source.below(5) {
            0 => content = NewMessage { content: arbitrary::text(source), ..NewMessage::default() },
            1 => content.content = content.content.replacen("\"epoch\"", "\"epok\"", 1),
            2 => content.content = content.content.replacen("{\"discobase\":1", "{\"discobase\":2", 1),
            3 => content.attachments.clear(),
            _ => {
                let at = source.number() as usize;
                if let Some(byte) = char::from_u32(0x20 + u32::from(source.byte()) % 0x5f)
                    && let Some(old) = content.content.get(at..=at)
                {
                    content.content = content.content.replacen(old, byte.encode_utf8(&mut [0; 4]), 1);
                }
            }
        }
        self.may_fail |= author == BOT;
        self.posted.push(self.guild.put(JOURNAL, author, &content));
    }

    /// The owner deletes what its last checkpoint covers, or is interrupted in it.
    async fn trim(&mut self, source: &mut Source<'_>) {
        let Some(checkpoint) = self.chain().into_iter().rev().find(|link| link.kind == Kind::Checkpoint)
        else {
            return;
        };
        let Some(known) = self.known.iter().find(|known| known.link.sum == checkpoint.sum) else { return };
        let dropped = known.last.as_ref().map_or_else(Vec::new, |last| last.drop.clone());
        self.guild.pass(TRIM_AFTER);
        // What it covers is to be final, and so is the checkpoint.
        let interrupted = source.rarely(3);
        self.guild.allow_deletions(if interrupted { source.number() } else { u64::MAX });
        let trimmed = trim_journal(&self.reader, checkpoint.sum).await;
        self.guild.allow_deletions(u64::MAX);
        // The newest message stays. A request that came so late that it follows what is trimmed looks like a hole then.
        let present = self.present();
        let chain: HashSet<Sum> = self.chain().iter().map(|link| link.sum).collect();
        self.may_fail |= self.known.iter().any(|known| {
            let Known { link, .. } = known;
            present.contains(&link.sum) && !chain.contains(&link.sum) && !present.contains(&link.header.prev)
        });
        if trimmed.is_ok() {
            for location in dropped {
                self.guild.remove(location.channel, location.message);
            }
        }
    }

    /// What only a bot that lies would post, or one that has lost its journal.
    fn lie(&mut self, source: &mut Source<'_>) {
        let place = self.place(source);
        let mut frame = arbitrary::frame(source, "shop");
        if source.flag() {
            frame.header.prev = self.known.get(place).map_or(Sum::NONE, |known| known.link.sum);
        }
        if source.flag()
            && let Some(known) = self.known.get(place)
        {
            frame.header.epoch = known.holder.epoch;
            frame.header.incarnation = known.holder.incarnation;
        }
        self.lies = true;
        self.post(source, frame);
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

/// Commits that a session could have made, and the tables after them.
fn commits(source: &mut Source<'_>, mut tables: Tables) -> (Vec<Commit>, Tables) {
    let mut commits = Vec::new();
    let mut seq = if source.rarely(8) { tables.seq().next() } else { tables.seq() };
    for _ in 0..source.below(4) {
        seq = seq.next();
        let mut ops = Vec::new();
        for _ in 0..source.below(4) {
            let (op, mut after) = (op(source, &tables), tables.clone());
            if fits(&tables, &op) && after.apply_op(seq, &op).is_ok() {
                ops.push(op);
                tables = after;
            }
        }
        tables.advance(seq);
        commits.push(Commit { seq, ops });
    }
    (commits, tables)
}

fn op(source: &mut Source<'_>, tables: &Tables) -> Op {
    let what = source.below(16);
    let state = tables.iter().nth(source.below(2));
    let Some(state) = state.filter(|_| what < 15) else {
        let name = format!("table{}", tables.next_table());
        return Op::Schema(Box::new(arbitrary::table(tables.next_table(), &name)));
    };
    let (table, row) = (state.def().id, RowId::new(1 + source.below(12) as u64));
    match what {
        0..=5 => Op::Insert { table, row: state.next_row(), values: arbitrary::fitting_row(source) },
        6..=8 => Op::Update { table, row, values: arbitrary::fitting_row(source) },
        9 | 10 => Op::Delete { table, row },
        11 => Op::Drop { table },
        12 => {
            let version = source.below(4).to_string();
            Op::Applied(Box::new(AppliedStep { version, ..arbitrary::step(source) }))
        }
        13 => Op::Reverted { version: source.below(4).to_string() },
        _ => Op::Alter(Box::new(altered(source, state.def()))),
    }
}

/// Another definition, which the table may not fit.
fn altered(source: &mut Source<'_>, def: &TableDef) -> TableDef {
    let mut def = def.clone();
    match source.below(5) {
        0 => def.name = format!("table{}", source.below(4)),
        1 => {
            let like = def.columns.last().cloned();
            def.columns
                .extend(like.map(|like| ColumnDef { name: format!("column{}", def.columns.len()), ..like }));
        }
        // An empty name is that of a column that was dropped.
        2 => def.columns.iter_mut().skip(1 + source.below(3)).take(1).for_each(|column| column.name.clear()),
        3 => def.indexes.truncate(1),
        _ => {
            let kind = if source.flag() { IndexKind::Unique } else { IndexKind::Index };
            let columns = vec![source.below(def.columns.len())];
            def.indexes.push(IndexDef { kind, columns, channel: ChannelId::new(8), references: None });
        }
    }
    def
}

/// Whether no other row has the key.
fn fits(tables: &Tables, op: &Op) -> bool {
    match op {
        Op::Insert { table, row, values } | Op::Update { table, row, values } => {
            tables.loaded(*table).is_some_and(|table| {
                table.collision(*row, values).is_none()
                    && (matches!(op, Op::Insert { .. }) || table.row(*row).is_some())
            })
        }
        _ => true,
    }
}

/// Whether two states are the same, as far as anybody can see.
pub(super) fn same(one: &Tables, other: &Tables) -> bool {
    let content = |tables: &Tables| -> Vec<_> {
        let rows = |table: &Arc<crate::tables::TableState>| -> Vec<(RowId, Seq, Vec<u8>)> {
            let row = |(id, stored): (RowId, crate::tables::Stored<'_>)| {
                (id, stored.version, stored.row.as_bytes().to_vec())
            };
            table.rows().map(row).collect()
        };
        tables
            .iter()
            .filter_map(crate::tables::Slot::loaded)
            .map(|table| (table.def().clone(), table.next_row(), rows(table)))
            .collect()
    };
    one.seq() == other.seq()
        && one.next_table() == other.next_table()
        && one.steps() == other.steps()
        && content(one) == content(other)
}
