//! Applying steps, reverting them, and trying them without effect.

use std::collections::HashMap;
use std::sync::Arc;

use crate::batch::AppliedStep;
use crate::db::build::in_use;
use crate::db::catalog;
use crate::db::engine::Role as Part;
use crate::db::link::Link;
use crate::db::migrate::back::{back, steps_back};
use crate::db::migrate::change::Change;
use crate::db::migrate::plan::Steps;
use crate::db::migrate::skipped::Skipped;
use crate::db::migrate::step::Step;
use crate::db::migrate::work::Work;
use crate::db::registry::Registered;
use crate::error::{Error, ErrorKind, Result};
use crate::ids::{ChannelId, Seq};
use crate::session::{Reads, Write, WriteSet, commit_of};
use crate::tables::Tables;

/// How often a step is worked out anew because others wrote meanwhile.
const ATTEMPTS: usize = 50;

/// A step that is applied, or reverted.
#[derive(Clone, Copy)]
pub(super) enum Way<'a> {
    Up(&'a Step, Ahead<'a>),
    Down(&'a Step),
    /// Making tables fit their structs, which is no step.
    Fit(&'a [Change]),
    /// Going back to what there was.
    Back(&'a Tables),
}

/// What a step that is applied has to know of the others.
#[derive(Clone, Copy)]
pub(super) struct Ahead<'a> {
    /// Those that are applied after it.
    pub(super) following: &'a [&'a Step],
    pub(super) skipped: &'a Skipped,
}

impl Ahead<'_> {
    /// Passes over a change whose table is not there, the first of these of its step; or says why not.
    fn passes(self, changes: &[Change]) -> Result<()> {
        let Some(table) = changes.first().map(Change::table) else { return Ok(()) };
        let ahead = changes.iter().chain(self.following.iter().flat_map(|step| step.up()));
        match self.skipped.passes(table, ahead) {
            true => Ok(()),
            false => Err(self.skipped.missing(table)),
        }
    }
}

impl<'a> Way<'a> {
    pub(super) fn changes(self) -> Result<&'a [Change]> {
        match self {
            Self::Up(step, _) => Ok(step.up()),
            Self::Fit(changes) => Ok(changes),
            Self::Back(_) => Ok(&[]),
            Self::Down(step) => step.back().ok_or_else(|| {
                let text = format!(
                    "the migration step {} ({}) does not say how it is reverted: give it a .down(…)",
                    step.version(),
                    step.name()
                );
                Error::new(ErrorKind::Migration, text)
            }),
        }
    }

    /// What is recorded of it.
    fn record(self, now: &Tables, at: i64) -> Vec<Write> {
        match self {
            Self::Fit(_) => Vec::new(),
            Self::Back(then) => steps_back(now, then),
            Self::Down(step) => vec![Write::Reverted { version: step.version().to_owned() }],
            Self::Up(step, _) => vec![applied(step, at)],
        }
    }

    /// What it is, for errors and logs.
    fn text(self) -> String {
        match self {
            Self::Up(step, _) => format!("the migration step {} ({})", step.version(), step.name()),
            Self::Down(step) => format!("reverting the migration step {} ({})", step.version(), step.name()),
            Self::Fit(_) => "making the tables fit their structs".to_owned(),
            Self::Back(then) => format!("going back to commit {}", then.seq()),
        }
    }

    /// An error of one of its changes.
    fn failed(self, number: usize, change: &Change, error: Error) -> Error {
        let number = number + 1;
        let place =
            format!("{} failed at change {number} ({change}), and the database is as before", self.text());
        error.within(&place)
    }

    /// An error of it as a whole.
    fn refused(self, error: Error) -> Error {
        error.within(&format!("{} can't be committed, and the database is as before", self.text()))
    }
}

/// Applies all steps that the database lacks.
pub(crate) async fn up(link: &Link, steps: &Steps, registered: &[Registered]) -> Result<Vec<String>> {
    let tables = link.engine.tables().clone();
    let pending = steps.pending(tables.steps())?;
    let skipped = Skipped::of(&tables, registered, &pending);
    let (mut done, mut pending) = (Vec::new(), &*pending);
    while let Some((step, following)) = pending.split_first() {
        go(link, Way::Up(step, Ahead { following, skipped: &skipped })).await?;
        done.push(step.version().to_owned());
        pending = following;
    }
    Ok(done)
}

/// Reverts the steps that lead beyond `version`, the last one first.
pub(super) async fn down(link: &Link, steps: &Steps, version: &str) -> Result<Vec<String>> {
    let target = super::step::parse(version, "the version to go back to")?;
    let tables = link.engine.tables().clone();
    steps.pending(tables.steps())?;
    let mut ways = Vec::new();
    for record in tables.steps().iter().rev() {
        let Some(step) = steps.get(&record.version) else { break };
        if step.parsed()?.cmp_precedence(&target).is_le() {
            break;
        }
        // All of them can be reverted, or none is.
        Way::Down(step).changes()?;
        ways.push(Way::Down(step));
    }
    let mut done = Vec::new();
    for way in ways {
        go(link, way).await?;
        if let Way::Down(step) = way {
            done.push(step.version().to_owned());
        }
    }
    Ok(done)
}

/// Records steps as applied that a new database needs not, because its tables are made from the newest structs.
pub(crate) fn baseline(steps: &Steps, at: i64) -> Vec<Write> {
    steps.iter().map(|step| applied(step, at)).collect()
}

/// The record of a step.
fn applied(step: &Step, at: i64) -> Write {
    let (version, name, checksum) = (step.version().to_owned(), step.name().to_owned(), step.checksum());
    Write::Applied(Box::new(AppliedStep { version, name, checksum, at }))
}

/// Makes tables fit their structs.
pub(crate) async fn fit(link: &Link, changes: &[Change]) -> Result<()> {
    go(link, Way::Fit(changes)).await.map(|_| ())
}

/// Works the changes out.
fn worked(tables: &Tables, way: Way<'_>) -> Result<Work> {
    if let Way::Back(then) = way {
        return Ok(back(tables, then));
    }
    let mut work = Work::new(tables);
    let mut changes = way.changes()?;
    for number in 0.. {
        let Some((change, later)) = changes.split_first() else { break };
        let outcome = match way {
            Way::Up(_, ahead) if !work.has(change.table()) => ahead.passes(changes),
            _ => work.change(change),
        };
        outcome.map_err(|error| way.failed(number, change, error))?;
        changes = later;
    }
    Ok(work)
}

/// One step: what it does and its record are one commit. How many rows it was about.
pub(super) async fn go(link: &Link, way: Way<'_>) -> Result<u64> {
    if link.engine.role() == Part::Follower {
        let text = "a process that follows migrates nothing: start the new version where the database is open for \
                    writing first, or take it over with db.promote().await";
        return Err(Error::new(ErrorKind::ReadOnly, text));
    }
    let mut creator = link.creator.lock().await;
    let (mut made, mut attempt) = (HashMap::<String, ChannelId>::new(), 0);
    let work = loop {
        attempt += 1;
        // With what is on its way: a step comes after it in the journal, and has to do its work on it.
        let tables = link.engine.load_accepted().await?;
        let mut work = worked(&tables, way)?;
        let mut missing = work.missing();
        if !missing.is_empty() && made.is_empty() {
            link.engine.settled().await?;
            creator.look().await?;
            creator.home.adopt(&link.described());
            creator.home.leave(&in_use(&link.engine.tables()));
            creator.home.check_room(missing.len())?;
        }
        for (role, channel) in &mut missing {
            let topic = role.topic(&creator.db);
            **channel = match made.get(&topic) {
                Some(known) => *known,
                None => creator.ensure(role).await?,
            };
            made.insert(topic, **channel);
        }
        let mut writes = work.writes();
        writes.extend(way.record(&tables, link.engine.now()));
        if writes.is_empty() {
            return Ok(0);
        }
        let reads = Some(Arc::new(Reads { of: tables, reads: work.reads() }));
        match link.engine.commit(WriteSet { writes, reads, ..WriteSet::default() }).await {
            Ok(accepted) => match accepted.durable().await {
                Err(error) if error.kind() == ErrorKind::Conflict && attempt < ATTEMPTS => {}
                outcome => {
                    outcome?;
                    break work;
                }
            },
            Err(error) if error.kind() == ErrorKind::Conflict && attempt < ATTEMPTS => {}
            Err(error) => return Err(way.refused(error)),
        }
    };
    tracing::info!(
        name: "migrated", target: "discobase::engine",
        step = way.text(), rows = work.rows,
        "tables were migrated"
    );
    mirror(link, &creator, &work).await;
    drop(creator);
    forsake(link, work.left()).await;
    Ok(work.rows)
}

/// What a step would do, if it were next: how many rows it touches.
pub(super) fn attempt(tables: &mut Tables, way: Way<'_>) -> Result<u64> {
    let mut work = worked(tables, way)?;
    // Channels are made only when the step is applied.
    work.missing().into_iter().for_each(|(_, channel)| *channel = ChannelId::new(u64::MAX));
    let mut writes = work.writes();
    writes.extend(way.record(tables, 0));
    commit_of(tables, tables.seq().next(), &writes).map_err(|error| way.refused(error))?;
    Ok(work.rows)
}

/// Brings the catalog up to date.
async fn mirror(link: &Link, creator: &crate::db::create::Creator, work: &Work) {
    let (transport, genesis) = (&*creator.transport, link.described());
    catalog::retire(transport, &genesis, link.bot.id, &work.gone()).await;
    let checkpoint = link.engine.last().map(|last| last.checkpoint);
    let tables = link.engine.tables().clone();
    // The tables that the step altered were changed by its commit or by one that came after it.
    let since = Seq::new(tables.seq().get().saturating_sub(1));
    catalog::refresh(transport, &genesis, link.bot.id, &tables, since, checkpoint.as_deref()).await;
}

/// Deletes the channels that nothing is kept in any more: once a checkpoint names no message in them.
async fn forsake(link: &Link, channels: Vec<ChannelId>) {
    if channels.is_empty() {
        return;
    }
    let written = link.checkpoints.write().await;
    let creator = link.creator.lock().await;
    for channel in channels {
        let deleted = match &written {
            Ok(_) => creator.transport.delete_channel(channel).await.map_err(|error| error.to_string()),
            Err(error) => Err(error.to_string()),
        };
        if let Err(error) = deleted {
            tracing::warn!(
                name: "channel_left", target: "discobase::guild", %channel, %error,
                "a superfluous channel could not be deleted"
            );
        }
    }
}
