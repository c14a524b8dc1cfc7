//! Replay of any journal: what is read, what is followed, and what becomes of it when messages are lost.

mod commits;
mod guild;
mod world;

use std::time::Duration;

use futures_util::FutureExt as _;

use crate::codec::frame::{Body, Frame, Sum};
use crate::codec::message::read;
use crate::codec::sealed::open;
use crate::error::{Error, ErrorKind};
use crate::fuzzing::source::Source;
use crate::journal::chain::Link;
use crate::journal::tail::{Follower, Heard};
use crate::replay::{Replayed, replay};
use crate::tables::Tables;
use commits::same;
use world::{JOURNAL, World};

/// The most steps of one history.
const STEPS: usize = 64;
/// So often a follower reads until it must have come to the end.
const READS: usize = 8;

/// A history of writers, rivals, copies, strangers, checkpoints and trims is replayed to the state that the chain says.
/// Who followed it from somewhere in its midst has the same state. When messages are deleted then, what is read is the
/// state after the last frame of the chain that is left, or an error: nothing is lost in silence.
pub fn journal(bytes: &[u8]) {
    let ran = run(&mut Source::new(bytes)).now_or_never();
    assert!(ran.is_some(), "it waits for what never comes");
}

async fn run(source: &mut Source<'_>) {
    let mut world = World::new(source);
    let joins = source.below(STEPS);
    let mut following = None;
    for step in 0..STEPS {
        if source.is_empty() {
            break;
        }
        if step == joins {
            following = Following::join(&world).await;
            world.posted.clear();
        }
        world.step(source).await;
        if let Some(following) = &mut following {
            following.hear(&mut world, source).await;
        }
    }
    let replayed = replay(&world.reader, None).await;
    let tables = judged(&world, &replayed);
    if let (Some(following), Some(tables)) = (following, &tables) {
        following.ends_with(&world, tables).await;
    }
    if tables.is_some() {
        lose(&mut world, source).await;
    }
}

/// What was read, if it is believed: it must be what the chain says.
fn judged(world: &World, replayed: &Result<Option<Replayed>, Error>) -> Option<Tables> {
    let chain = world.chain();
    let tip = chain.last().and_then(|tip| world.find(tip.sum));
    match (replayed, tip) {
        (Err(error), _) => {
            is_clear(error);
            let sound = tip.is_none_or(|tip| tip.tables.is_some() && !tip.is_strange());
            assert!(world.lies || world.may_fail || !sound, "a sound journal is not read: {error}");
            None
        }
        _ if world.lies => None,
        (Ok(None), tip) => {
            assert!(tip.is_none(), "a journal is taken for an empty channel");
            None
        }
        (Ok(Some(replayed)), tip) => {
            let Some(tip) = tip else { panic!("a journal without a genesis is read") };
            assert_eq!(replayed.position.tip.sum, tip.link.sum, "another chain is read");
            let Some(tables) = &tip.tables else { panic!("commits that break the rules are read") };
            assert!(same(&replayed.tables, tables), "another state is read");
            Some(tables.clone())
        }
    }
}

/// An error names what it is about.
fn is_clear(error: &Error) {
    assert!(
        matches!(error.kind(), ErrorKind::Damaged | ErrorKind::Corrupt | ErrorKind::Tampered),
        "{error:?}"
    );
    assert!(error.place().channel.is_some(), "{error:?}");
    assert!(error.place().message.is_some() || error.place().table.is_some(), "{error:?}");
}

/// A process that follows.
struct Following {
    follower: Follower,
    tables: Tables,
    /// It would have loaded everything anew, or have reported what it met.
    broken: bool,
}

impl Following {
    /// Reads what is there.
    async fn join(world: &World) -> Option<Self> {
        let began = world.reader.env.monotonic();
        let Replayed { position, newest, tables, .. } = replay(&world.reader, None).await.ok()??;
        let follower = Follower::new(world.reader.clone(), position, newest, None, began);
        Some(Self { follower, tables, broken: false })
    }

    /// The gateway brings what was posted, or loses it.
    async fn hear(&mut self, world: &mut World, source: &mut Source<'_>) {
        for message in std::mem::take(&mut world.posted) {
            if source.rarely(4) {
                continue;
            }
            let at = world.reader.env.monotonic();
            match self.follower.hear(message, at).await {
                Heard::Next(next) => self.apply(vec![*next]),
                Heard::Read => self.read().await.map_or((), drop),
                Heard::Nothing => {}
            }
        }
    }

    /// Reads the tail; in what time it is to be read again. A message that was heard may be trimmed by then, which the
    /// second read does not mind.
    async fn read(&mut self) -> Option<Duration> {
        let mut read = self.follower.read().await;
        if read.is_err() {
            read = self.follower.read().await;
        }
        let tail = read.unwrap_or_else(|error| panic!("a guild that answers is not read: {error}"));
        self.apply(tail.frames);
        self.broken |= tail.broken.is_some();
        tail.again
    }

    fn apply(&mut self, frames: Vec<(Link, Frame)>) {
        for (_, frame) in frames {
            let Ok(body) = open(&frame, None, JOURNAL) else { return self.broken = true };
            let Body::Data(commits) = &*body else { continue };
            if commits.iter().try_for_each(|commit| self.tables.apply(commit)).is_err() {
                return self.broken = true;
            }
        }
    }

    /// It comes to where a replay comes to.
    async fn ends_with(mut self, world: &World, tables: &Tables) {
        let mut reads = 0;
        while let Some(again) = self.read().await
            && !self.broken
        {
            reads += 1;
            assert!(reads < READS, "a follower never comes to the end");
            world.guild.pass(again);
        }
        if !self.broken {
            assert!(same(&self.tables, tables), "who followed has another state");
        }
    }
}

/// Messages are deleted, and the journal is read again.
async fn lose(world: &mut World, source: &mut Source<'_>) {
    let messages = world.guild.messages(JOURNAL);
    let lost = (1 + source.below(3)).min(messages.len());
    for _ in 0..lost {
        let Some(victim) = messages.get(source.below(messages.len())) else { continue };
        // A frame goes with all its copies. One that is left would date it later, and so may lose it to a rival that had
        // lost; that takes a late copy, a rival and a deletion, all of one frame.
        let sum = read(victim).map(|posted| posted.sum());
        for message in &messages {
            if message.id == victim.id || (sum.is_some() && read(message).map(|posted| posted.sum()) == sum) {
                world.guild.remove(JOURNAL, message.id);
            }
        }
    }
    let replayed = replay(&world.reader, None).await;
    let present = world.present();
    let chain = world.chain();
    // What was trimmed is in a checkpoint, whose frame stands for it.
    let left = chain.iter().rev().find(|link| present.contains(&link.sum));
    match replayed {
        Err(error) => is_clear(&error),
        Ok(None) => {
            assert!(left.is_none_or(|left| left.header.prev == Sum::NONE), "frames are taken for nothing");
        }
        Ok(Some(replayed)) => {
            let tip = replayed.position.tip.sum;
            // Of a chain that is gone as a whole a void checkpoint may be left.
            let told = left.is_none_or(|left| leads_to(world, left.sum, tip));
            assert!(told, "a frame of the chain is lost, and nobody is told");
            let tables = world.find(tip).and_then(|tip| tip.tables.as_ref());
            assert!(tables.is_some_and(|tables| same(tables, &replayed.tables)), "another state is read");
        }
    }
}

/// Whether `frame` is on the way to `tip`.
fn leads_to(world: &World, frame: Sum, tip: Sum) -> bool {
    let mut at = world.find(tip);
    while let Some(known) = at {
        if known.link.sum == frame {
            return true;
        }
        at = known.before.and_then(|before| world.known.get(before));
    }
    false
}
