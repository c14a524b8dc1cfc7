//! The journal, walked as any reader walks it, and everything in it that no reader could use.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::Pass;
use super::report::{Deviation, DeviationKind as Kind};
use crate::batch::{AppliedStep, Op, TableDef};
use crate::codec::checkpoint::Checkpoint;
use crate::codec::frame::Body;
use crate::codec::sealed;
use crate::env::{self, heavy};
use crate::error::{Error, ErrorKind, Result};
use crate::ids::{ChannelId, MessageId, RowId, Seq, TableId};
use crate::journal::base::rootless;
use crate::journal::chain::Link;
use crate::journal::history::{Walked, read_whole};
use crate::journal::reader::{Reader, Scan, read_error};
use crate::journal::rules::Position;
use crate::replay::unopened;
use crate::row::Row;
use crate::seal::Sealing;
use crate::tables::Tables;
use crate::transport::TransportError;

/// The journal from its base on.
pub(super) struct Journal {
    pub(super) walked: Walked,
    pub(super) sealing: Option<Arc<Sealing>>,
    /// The checkpoint that the base is, unless it is the genesis.
    pub(super) checkpoint: Option<Arc<Checkpoint>>,
    pub(super) commits: Commits,
}

/// What commits did after the base.
#[derive(Default)]
pub(super) struct Commits {
    /// What each row that they changed was made.
    pub(super) rows: HashMap<(TableId, RowId), Change>,
    /// The tables that they dropped.
    pub(super) dropped: HashSet<TableId>,
    /// The definitions that they gave tables, with the messages of their frames.
    pub(super) tables: HashMap<TableId, (TableDef, MessageId)>,
    /// The migration steps that were applied, those before the base included.
    pub(super) steps: Vec<AppliedStep>,
    /// The names of those that memory does not have yet.
    pub(super) later: HashSet<String>,
    /// The last one, or the base's.
    pub(super) last: Seq,
    /// How many operations on rows there were.
    pub(super) ops: u64,
}

/// What a row was made by the last commit that changed it.
pub(super) struct Change {
    pub(super) seq: Seq,
    /// `None` if it was deleted.
    pub(super) row: Option<Row>,
    pub(super) message: MessageId,
}

impl Journal {
    /// The last commit that the base has.
    pub(super) fn since(&self) -> Seq {
        self.checkpoint.as_ref().map_or(Seq::default(), |checkpoint| checkpoint.seq)
    }
}

/// How often the tail is read again for commits that are in memory and may not be visible yet.
const READS: usize = 2;

impl Pass<'_> {
    /// Memory and journal as of one commit: memory is taken when the journal has been read, so that no checkpoint in it is
    /// newer, and the journal is read on until it has what memory has. `None` if nothing of it can be believed.
    pub(super) async fn journal(&mut self) -> Result<(Tables, Option<Journal>)> {
        let site = self.site;
        let reader = &site.reader;
        let failed = |error: &TransportError| read_error(error, reader.channel);
        let (mut scan, walked) = match read_whole(reader).await {
            Ok(read) => read,
            Err(TransportError::Missing(_) | TransportError::Forbidden(_)) => {
                return Ok((site.memory(), None));
            }
            Err(error) => return Err(failed(&error)),
        };
        let Some(mut walked) = walked else {
            self.strangers(&scan, None);
            self.rootless(&scan);
            return Ok((site.memory(), None));
        };
        let sealing = self.site.keychain.unlock(walked.base.root.genesis.keying).await;
        let sealing = sealing.map_err(|error| error.in_channel(reader.channel))?;
        let checkpoint = match self.checkpoint(&scan, &walked.base.link, sealing.as_deref()) {
            Ok(checkpoint) => checkpoint,
            Err(deviation) => {
                self.found(*deviation);
                return Ok((site.memory(), None));
            }
        };
        let since = checkpoint.as_ref().map_or(Seq::default(), |checkpoint| checkpoint.seq);
        let tables = site.memory();
        let memory = tables.seq();
        let mut reads = 0;
        let commits = loop {
            let steps = checkpoint.as_ref().map_or_else(Vec::new, |checkpoint| checkpoint.steps.clone());
            let before = Commits { last: since, steps, ..Commits::default() };
            let opened = commits(reader, scan, &walked.chain, sealing.clone(), (before, memory)).await?;
            let (read, commits, unfit) = opened;
            scan = read;
            if commits.last >= memory || reads >= READS {
                unfit.into_iter().for_each(|deviation| self.found(deviation));
                break commits;
            }
            // What was acknowledged a moment ago may not be visible yet.
            reads += 1;
            env::sleep(&*reader.env, walked.base.start.timing.settle()).await;
            let from = Reader::tail_start(walked.tip().message, walked.base.start.timing);
            reader.read(&mut scan, from).await.map_err(|error| failed(&error))?;
            let Position { tip, holder, timing } = &walked.base.start;
            let chain = reader.chain(&mut scan, tip.sum, holder, *timing).await;
            (walked.chain, walked.holder) = chain.map_err(|error| failed(&error))?;
        };
        self.strangers(&scan, Some(&walked));
        self.holes(&walked, reader.channel);
        if commits.last < memory {
            let text = format!(
                "commits from {} on are in this process's memory and not on the journal's chain: frames were deleted. \
                 Keep this process running: db.heal().await writes them anew",
                commits.last.next()
            );
            self.found(Deviation::new(Kind::LostCommits, text).channel(reader.channel));
        }
        self.counts.messages += scan.len() as u64;
        self.counts.frames = walked.chain.len() as u64;
        self.counts.requests += scan.cost.requests;
        self.counts.bytes += scan.cost.bytes;
        Ok((tables, Some(Journal { walked, sealing, checkpoint, commits })))
    }

    /// What the base's frame says, if it is a checkpoint's.
    fn checkpoint(
        &self,
        scan: &Scan,
        base: &Link,
        sealing: Option<&Sealing>,
    ) -> Result<Option<Arc<Checkpoint>>, Box<Deviation>> {
        let channel = self.site.reader.channel;
        let Some(frame) = scan.frame(base.sum) else { return Ok(None) };
        match sealed::open(frame, sealing, channel) {
            Ok(body) => Ok(match body.into_owned() {
                Body::Checkpoint(checkpoint) => Some(Arc::from(checkpoint)),
                _ => None,
            }),
            Err(error) => Err(Box::new(unfit(&unopened(&error), channel, base.message))),
        }
    }

    /// Messages that are not what they should be. What lies before what the base covers is needed by nobody, and an
    /// edited frame that says the same does no harm there.
    fn strangers(&mut self, scan: &Scan, walked: Option<&Walked>) {
        let channel = self.site.reader.channel;
        let covered = walked.map_or(MessageId::default(), |walked| walked.base.covered());
        for stranger in &scan.strangers {
            let harm = if stranger.message <= covered {
                "Nobody needs it any more"
            } else {
                "What it held is lost, unless a process still has it in memory: db.heal().await there writes it anew"
            };
            let (kind, text) = match stranger {
                one if !one.suspicious => {
                    let who = one.author.map_or("the bot".to_owned(), |author| format!("user {author}"));
                    let text = format!(
                        "{who} wrote a message into the journal that is no frame ({}). It is ignored: delete it if it \
                         disturbs you",
                        one.reason
                    );
                    (Kind::ForeignMessage, text)
                }
                one if one.edited => {
                    (Kind::EditedFrame, format!("a frame was edited: {}. {harm}", one.reason))
                }
                one => (Kind::DamagedFrame, format!("a frame can't be read: {}. {harm}", one.reason)),
            };
            self.found(Deviation::new(kind, text).channel(channel).message(stranger.message));
        }
        for message in scan.edited.iter().filter(|message| **message > covered) {
            if scan.strangers.iter().any(|stranger| stranger.message == *message) {
                continue;
            }
            let text = "a frame's message was edited, and says what it said before. Frames are never edited: find out \
                        who has the bot's token";
            self.found(Deviation::new(Kind::EditedFrame, text).channel(channel).message(*message));
        }
    }

    fn holes(&mut self, walked: &Walked, channel: ChannelId) {
        for link in &walked.behind_holes {
            let text = format!(
                "a {} frame follows one that is not there: messages before it were deleted, or can't be read. The last \
                 frame before the hole is message {}. Where the database is open for writing db.heal().await closes it",
                link.kind.name(),
                walked.tip().message
            );
            self.found(Deviation::new(Kind::DeletedFrames, text).channel(channel).message(link.message));
        }
    }

    /// A journal in which nothing begins.
    fn rootless(&mut self, scan: &Scan) {
        let text = "the journal shows neither its first frame nor a checkpoint: messages were deleted, or the bot may \
                    not read the channel's history";
        let deviation = Deviation::new(Kind::DeletedFrames, text).channel(self.site.reader.channel);
        self.found(match rootless(scan) {
            Some(link) => deviation.message(link.message),
            None => deviation,
        });
    }
}

/// A frame that says nothing which is believed.
fn unfit(error: &Error, channel: ChannelId, message: MessageId) -> Deviation {
    Deviation::new(Kind::DamagedFrame, error.text()).channel(channel).message(message)
}

/// What the commits of a chain did on top of others, up to `upto`: away from the runtime's threads.
async fn commits(
    reader: &Reader,
    scan: Scan,
    chain: &[Link],
    sealing: Option<Arc<Sealing>>,
    (mut commits, upto): (Commits, Seq),
) -> Result<(Scan, Commits, Vec<Deviation>)> {
    let (chain, channel) = (chain.to_vec(), reader.channel);
    let work = move || {
        let since = commits.last;
        let mut deviations = Vec::new();
        for link in &chain {
            let Some(frame) = scan.frame(link.sum) else { continue };
            match sealed::open(frame, sealing.as_deref(), channel) {
                Ok(body) => {
                    if let Body::Data(batch) = &*body {
                        let new = batch.iter().filter(|commit| (since.next()..=upto).contains(&commit.seq));
                        let based = new.map(|commit| commits.apply(commit.seq, &commit.ops, link.message));
                        let lacking = based.filter_map(Result::err).map(|text| {
                            Deviation::new(Kind::DamagedFrame, text).channel(channel).message(link.message)
                        });
                        deviations.extend(lacking);
                        let beyond = batch.iter().filter(|commit| commit.seq > upto);
                        commits.later.extend(beyond.flat_map(|commit| &commit.ops).filter_map(
                            |op| match op {
                                Op::Schema(def) | Op::Alter(def) => Some(def.name.clone()),
                                _ => None,
                            },
                        ));
                        // More than memory has is as good as all that it has.
                        let last = batch.last().map_or(since, |commit| commit.seq);
                        commits.last = commits.last.max(last);
                    }
                }
                Err(error) => deviations.push(unfit(&unopened(&error), channel, link.message)),
            }
        }
        (scan, commits, deviations)
    };
    let failed = || Error::new(ErrorKind::Damaged, "reading the journal's frames failed").in_channel(channel);
    heavy(&reader.env, work).await.ok_or_else(failed)
}

impl Commits {
    /// Takes the operations of a commit.
    ///
    /// # Errors
    /// Rows of which the commit has some values and nothing since the base has the others: the rule of whole rows
    /// (`docs/format.md`, "Patches"). All else is taken.
    fn apply(&mut self, seq: Seq, ops: &[Op], message: MessageId) -> Result<(), String> {
        let mut lacking = Ok(());
        for op in ops {
            let (table, row, values) = match op {
                Op::Insert { table, row, values } | Op::Update { table, row, values } => {
                    (*table, *row, Some(values.clone()))
                }
                Op::Patch { table, row, patch } => {
                    let before = self.rows.get(&(*table, *row)).and_then(|change| change.row.as_ref());
                    let Some(values) = before.and_then(|before| patch.apply(before.borrow())) else {
                        lacking = Err(format!(
                            "commit {seq} has some values of row {row} of table {table}, and no frame since the last \
                             checkpoint has the others"
                        ));
                        continue;
                    };
                    (*table, *row, Some(values))
                }
                Op::Delete { table, row } => (*table, *row, None),
                Op::Schema(def) | Op::Alter(def) => {
                    self.tables.insert(def.id, (TableDef::clone(def), message));
                    continue;
                }
                Op::Applied(step) => {
                    self.steps.push(AppliedStep::clone(step));
                    continue;
                }
                Op::Reverted { .. } => {
                    self.steps.pop();
                    continue;
                }
                Op::Drop { table } => {
                    self.dropped.insert(*table);
                    self.rows.retain(|(of, _), _| of != table);
                    continue;
                }
            };
            self.ops += 1;
            self.rows.insert((table, row), Change { seq, row: values, message });
        }
        lacking
    }
}

#[cfg(test)]
mod tests;
