//! Deleting what a checkpoint makes superfluous: older roots, the frames it covers, the segments it replaces.
//!
//! The order is what keeps every reader safe. Copies that were made late, behind what the checkpoint covers, go first:
//! without what they follow they would look like frames behind a hole. As long as an older root is there, somebody may
//! start from it, so the roots go next and are confirmed to be gone. Then the frames go, the oldest first. What is left of
//! them, if this ends halfway, lies before what the checkpoint covers, and no reader takes it for a hole. Whatever is not
//! deleted now is deleted the next time.

use std::collections::{BTreeMap, HashSet};

use crate::checkpoint::delete::delete;
use crate::codec::checkpoint::{Checkpoint, Location};
use crate::codec::frame::{Kind, Sum};
use crate::env;
use crate::error::{Error, ErrorKind, Result};
use crate::ids::{ChannelId, MessageId};
use crate::journal::base::{Base, find_base};
use crate::journal::chain::{Link, walk};
use crate::journal::reader::{Reader, Scan, read_error};
use crate::journal::rules::Position;
use crate::transport::explain;

/// How often the journal is read for older roots that were deleted and are still seen.
const CONFIRMATIONS: usize = 3;

/// Deletes what the checkpoint with this sum makes superfluous in the journal. Only for an owner that is certain of
/// its term, and long enough after the checkpoint became durable that nobody still reads what is before it. `later` are
/// the checkpoints that it has written since.
///
/// # Errors
/// `Fenced` when the journal goes on from a root of somebody else's; what deleting can fail with.
pub(crate) async fn trim_journal(reader: &Reader, checkpoint: Sum, later: &[Sum]) -> Result<()> {
    let mut superfluous = look(reader, checkpoint, later).await?;
    // They may follow a root, or any other frame that goes.
    erase(reader, &superfluous.late, superfluous.now).await?;
    let mut confirmed = 0;
    while !superfluous.roots.is_empty() {
        if confirmed >= CONFIRMATIONS {
            let text = "an older root of the journal was deleted and is still there: trimming is put off";
            return Err(Error::new(ErrorKind::Unreachable, text).in_channel(reader.channel));
        }
        erase(reader, &superfluous.roots, superfluous.now).await?;
        if confirmed > 0 {
            env::sleep(&*reader.env, superfluous.settle).await;
        }
        confirmed += 1;
        superfluous = look(reader, checkpoint, later).await?;
    }
    erase(reader, &superfluous.late, superfluous.now).await?;
    erase(reader, &superfluous.frames, superfluous.now).await
}

/// Messages of the journal that are not needed.
#[derive(Default)]
struct Superfluous {
    /// Of the older roots.
    roots: Vec<MessageId>,
    /// Of the other frames, in ascending order: those behind what the checkpoint covers, and the others.
    late: Vec<MessageId>,
    frames: Vec<MessageId>,
    /// The newest snowflake's time.
    now: u64,
    settle: std::time::Duration,
}

async fn look(reader: &Reader, checkpoint: Sum, later: &[Sum]) -> Result<Superfluous> {
    let failed = |error| read_error(&error, reader.channel);
    let mut scan = Scan::default();
    reader.read(&mut scan, MessageId::new(0)).await.map_err(failed)?;
    let base = find_base(reader, &mut scan).await.map_err(failed)?;
    // A later one may not be visible yet.
    let own = |base: &Base| base.link.sum == checkpoint || later.contains(&base.link.sum);
    let base = base.filter(own).ok_or_else(|| {
        let text =
            "the journal goes on from another checkpoint than this process has written: nothing is trimmed";
        Error::new(ErrorKind::Fenced, text).in_channel(reader.channel)
    })?;
    let link = scan.links.iter().find(|link| link.sum == checkpoint).cloned();
    let upto = match link {
        _ if base.link.sum == checkpoint => Some(base),
        Some(link) if reader.load(&mut scan, &link).await.map_err(failed)? => Base::checkpoint(&link, &scan),
        _ => None,
    };
    // Where somebody has deleted it, the later ones tell in their time what is not needed.
    Ok(upto.map_or_else(Superfluous::default, |upto| superfluous(&scan, &upto)))
}

/// What the base does not need of what was read: pure.
fn superfluous(scan: &Scan, base: &Base) -> Superfluous {
    let Position { tip: covers, holder, timing } = base.start.clone();
    let (chain, _) = walk(&scan.links, covers.sum, holder, timing);
    let after: HashSet<Sum> = chain.iter().map(|link| link.sum).chain([covers.sum]).collect();
    // A frame on the chain, or one that contends for a place on it, is needed.
    let needed = |link: &Link| {
        link.sum != covers.sum && (after.contains(&link.sum) || after.contains(&link.header.prev))
    };
    let before = covered_sums(scan, covers.sum);
    let unneeded: HashSet<Sum> = scan
        .links
        .iter()
        .filter(|link| !needed(link))
        .filter(|link| {
            link.message <= covers.message || before.contains(&link.sum) || before.contains(&link.header.prev)
        })
        .map(|link| link.sum)
        .collect();
    let is_root = |link: &&Link| matches!(link.kind, Kind::Genesis | Kind::Checkpoint);
    let roots: HashSet<Sum> = scan
        .links
        .iter()
        .filter(is_root)
        .filter(|link| unneeded.contains(&link.sum))
        .map(|link| link.sum)
        .collect();
    let messages = |wanted: &dyn Fn(&Sum) -> bool| {
        let mut found: Vec<MessageId> =
            scan.copies().filter(|(_, sum)| wanted(sum)).map(|(message, _)| message).collect();
        // Discord's own idea of the newest message would point to a deleted one.
        found.retain(|message| Some(*message) != scan.newest);
        found.sort_unstable();
        found
    };
    let now = scan.newest.unwrap_or_default().time_ms();
    let settle = timing.settle();
    // The newest message stays, and what it follows with it: all waits until something is posted behind a late copy.
    if scan.copies().any(|(message, sum)| Some(message) == scan.newest && unneeded.contains(&sum)) {
        return Superfluous { now, settle, ..Superfluous::default() };
    }
    let all = messages(&|sum| unneeded.contains(sum));
    let (late, frames) = all.into_iter().partition(|message| *message > covers.message);
    Superfluous { roots: messages(&|sum| roots.contains(sum)), late, frames, now, settle }
}

/// The frames before `covers` and itself, as far back as they are still there.
fn covered_sums(scan: &Scan, covers: Sum) -> HashSet<Sum> {
    let prev: BTreeMap<Sum, Sum> = scan.links.iter().map(|link| (link.sum, link.header.prev)).collect();
    let mut found = HashSet::new();
    let mut at = covers;
    while found.insert(at)
        && let Some(before) = prev.get(&at)
    {
        at = *before;
    }
    found.remove(&Sum::NONE);
    found
}

async fn erase(reader: &Reader, messages: &[MessageId], now: u64) -> Result<()> {
    let deleted = delete(&*reader.transport, reader.channel, messages, now).await;
    deleted.map_err(|error| explain(&error, "trimming the journal").in_channel(reader.channel))
}

/// Deletes messages of several channels. A channel that can't be written to keeps the others waiting for nothing, and one
/// that is gone has nothing left.
///
/// # Errors
/// The first of what deleting failed with.
pub(crate) async fn drop_messages(reader: &Reader, messages: &[Location], now: u64) -> Result<()> {
    let mut by_channel: BTreeMap<ChannelId, Vec<MessageId>> = BTreeMap::new();
    for location in messages {
        by_channel.entry(location.channel).or_default().push(location.message);
    }
    let mut outcome = Ok(());
    for (channel, mut messages) in by_channel {
        messages.sort_unstable();
        messages.dedup();
        match delete(&*reader.transport, channel, &messages, now).await {
            Err(error) if !error.is_unknown_channel() => {
                let error = explain(&error, "deleting old segments").in_channel(channel);
                outcome = outcome.and(Err(error));
            }
            _ => {}
        }
    }
    outcome
}

/// The messages that `before` used and `now` does not, and those that an earlier checkpoint dropped and that are not
/// known to be deleted.
pub(crate) fn superseded(before: &Checkpoint, undeleted: &[Location], now: &Checkpoint) -> Vec<Location> {
    let used: HashSet<Location> = now.segments().map(|segment| segment.location).collect();
    let old = before.segments().map(|segment| segment.location).chain(undeleted.iter().copied());
    let mut dropped: Vec<Location> = old.filter(|location| !used.contains(location)).collect();
    dropped.sort_unstable();
    dropped.dedup();
    dropped
}
