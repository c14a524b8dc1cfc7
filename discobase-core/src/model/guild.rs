//! A guild's journal with everything that Discord may do to it within the assumptions, or beyond them.

use std::sync::Arc;

use crate::codec::frame::{Kind, Sum, Timing};
use crate::ids::MessageId;
use crate::journal::chain::{Holder, Link, Links, walk};
use crate::journal::rules::{Nonce, Position, Reply, torn};

/// Milliseconds of one tick of the model's clock.
pub(super) const TICK: u64 = 1_000;
/// What the clock shows at the beginning.
const START: u64 = 1_600_000_000_000;

/// What the guild may do, in ticks.
#[derive(Debug, Clone, Copy)]
pub(super) struct Laws {
    /// How much later than its execution the time in a message's id may be.
    pub(super) skew: u64,
    /// From how long after its execution on a message is in every history.
    pub(super) lag: u64,
    /// How long a nonce is remembered; `None`: not at all.
    pub(super) nonce: Option<u64>,
    /// How close together two posts with one nonce may both make a message; `None`: never.
    pub(super) race: Option<u64>,
    /// A rule that is not ours: an `open` always beats the owner's frame.
    pub(super) open_wins: bool,
}

/// One message of the journal.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Posted {
    /// What it says, with its id.
    pub(super) link: Arc<Link>,
    nonce: Nonce,
    at: u64,
    /// Whether a moderator has deleted it.
    pub(super) gone: bool,
    /// Whether an owner has trimmed it: it counts, and nobody sees it any more.
    pub(super) trimmed: bool,
}

/// The journal: its messages in the order in which they were made.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(super) struct Guild(pub(super) Vec<Posted>);

/// The id of a message made at a tick, after `earlier` others.
pub(super) fn message_at(tick: u64, earlier: usize) -> MessageId {
    MessageId::new(MessageId::at(START + tick * TICK).get() + earlier as u64)
}

impl Guild {
    /// What may come of a post that is executed now: the journal after it, and the answer.
    pub(super) fn execute(
        &self,
        laws: &Laws,
        now: u64,
        link: &Arc<Link>,
        nonce: Nonce,
    ) -> Vec<(Self, Reply)> {
        let mut ways = Vec::new();
        let same: Vec<&Posted> = self.0.iter().filter(|posted| posted.nonce == nonce).collect();
        let remembered = |posted: &Posted| laws.nonce.is_some_and(|nonce| now - posted.at <= nonce);
        let oldest = same.first().copied();
        let youngest = same.last().copied();
        // After a race the nonce may stand for either message, while it is remembered.
        let known = [oldest, youngest].into_iter().flatten().find(|posted| remembered(posted));
        if let Some(posted) = known {
            ways.push((self.clone(), posted.answers(link)));
        }
        let makes = match (oldest, known) {
            (Some(oldest), Some(_)) => laws.race.is_some_and(|race| now - oldest.at <= race),
            _ => true,
        };
        if makes {
            for skew in 0..=laws.skew {
                let message = message_at(now + skew, self.0.len() + 1);
                let link = Arc::new(Link { message, ..Link::clone(link) });
                let posted = Posted { link, nonce, at: now, gone: false, trimmed: false };
                let mut guild = self.clone();
                guild.0.push(posted);
                ways.push((guild, Reply::Own(message)));
            }
        }
        ways
    }

    /// A message at the first tick that is deleted at once.
    pub(super) fn post_and_delete(&mut self, link: &Arc<Link>, nonce: Nonce) {
        let message = message_at(0, self.0.len() + 1);
        let link = Arc::new(Link { message, ..Link::clone(link) });
        self.0.push(Posted { link, nonce, at: 0, gone: true, trimmed: false });
    }

    /// What a history may show that is read now, from a message on: what is young may be missing.
    pub(super) fn readings(&self, laws: &Laws, now: u64, after: MessageId) -> Vec<Reading> {
        let there = |posted: &&Posted| !posted.gone && !posted.trimmed && posted.link.message > after;
        let (sure, young): (Vec<_>, Vec<_>) =
            self.0.iter().filter(there).partition(|p| p.at + laws.lag <= now);
        let sure: Vec<_> = sure.into_iter().map(|posted| Arc::clone(&posted.link)).collect();
        let subset = |chosen: u32| {
            let young = young.iter().enumerate().filter(|(at, _)| chosen >> at & 1 == 1);
            let young = young.map(|(_, posted)| Arc::clone(&posted.link));
            Reading(sure.iter().cloned().chain(young).collect(), laws.open_wins)
        };
        (0..1 << young.len()).map(subset).collect()
    }

    /// Takes what follows `before` and what holds one of these frames out of all readings.
    pub(super) fn trim(&mut self, held: &[Sum], before: &[Sum]) {
        for posted in &mut self.0 {
            let Link { sum, header, .. } = &*posted.link;
            posted.trimmed |= held.contains(sum) || before.contains(&header.prev);
        }
    }

    /// Whether a frame was made so long ago.
    pub(super) fn is_as_old(&self, sum: Sum, now: u64, ticks: u64) -> bool {
        self.0.iter().any(|posted| posted.link.sum == sum && posted.at + ticks <= now)
    }

    /// Everything that was made and not deleted, trimmed or not.
    pub(super) fn all(&self, laws: &Laws) -> Reading {
        let links = self.0.iter().filter(|posted| !posted.gone).map(|posted| Arc::clone(&posted.link));
        Reading(links.collect(), laws.open_wins)
    }
}

impl Posted {
    /// The answer to a post of `link` that this message's nonce brings back.
    fn answers(&self, link: &Link) -> Reply {
        match self.link.sum == link.sum {
            _ if self.gone || self.trimmed => Reply::Deleted,
            true => Reply::Own(self.link.message),
            false => Reply::Rival(self.link.sum, self.link.message),
        }
    }
}

/// Messages that a history showed.
#[derive(Debug)]
pub(super) struct Reading(Vec<Arc<Link>>, bool);

impl Reading {
    /// The chain from a position on.
    pub(super) fn walk(&self, from: &Position, timing: Timing) -> (Vec<Link>, Holder) {
        let mut links = self.links();
        if self.1 {
            open_wins(&mut links, from.holder.incarnation);
        }
        let (chain, end) = walk(&links, from.tip.sum, from.holder.clone(), timing);
        (chain.into_iter().cloned().collect(), end)
    }

    /// The first message with a frame after `sum`, and what it holds.
    pub(super) fn first_after(&self, sum: Sum) -> Option<Sum> {
        let followers = self.0.iter().filter(|link| link.header.prev == sum);
        followers.min_by_key(|link| link.message).map(|link| link.sum)
    }

    /// Whether a frame is there.
    pub(super) fn shows(&self, sum: Sum) -> bool {
        self.0.iter().any(|link| link.sum == sum)
    }

    /// Whether something is missing that decided who may write.
    pub(super) fn is_torn(&self, from: &Position, end: &Holder, rival: Option<Sum>) -> bool {
        torn(&self.links(), from, end, rival)
    }

    /// The newest message.
    pub(super) fn newest(&self) -> Option<MessageId> {
        self.0.iter().map(|link| link.message).max()
    }

    /// All of them, by what they follow.
    pub(super) fn links(&self) -> Links {
        let mut links = Links::default();
        self.0.iter().for_each(|link| links.insert(Link::clone(link)));
        links
    }
}

/// Takes away what the holder wrote wherever somebody else's `open` follows the same frame.
fn open_wins(links: &mut Links, holder: crate::ids::Incarnation) {
    let opened = |prev: Sum| {
        links.after(prev).iter().any(|link| link.kind == Kind::Open && link.header.incarnation != holder)
    };
    let lost = links.iter().filter(|link| link.kind != Kind::Open && opened(link.header.prev));
    let lost: Vec<Link> = lost.cloned().collect();
    lost.iter().for_each(|link| links.remove(link));
}
