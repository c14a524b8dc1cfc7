//! Following: what a process that does not write makes of what it hears and reads; pure.
//!
//! `docs/format.md`, "Following", states the rules. What the gateway brings may be late, repeated, out of order or
//! missing, so it is taken only where nothing that was not heard could change it; everything else is a reason to read.

use std::collections::{HashSet, VecDeque};
use std::time::Duration;

use crate::codec::frame::{Kind, Sum};
use crate::ids::MessageId;
use crate::journal::chain::{Holder, Link, Links, next};
use crate::journal::rules::Position;

/// How many frames of the chain are remembered, so that one that is repeated is known.
const REMEMBERED: usize = 1_024;

/// What to do with a frame that the gateway brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// It extends the tip, whatever else was posted.
    Take,
    /// Only a read of the tail decides.
    Read,
    /// It is on the chain already.
    Ignore,
}

/// What a read of the tail decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Settled {
    /// So many of the frames that were read are on the chain for good.
    pub(crate) frames: usize,
    /// The next one is an `open` that may still lose: a read decides that begins so much later, or later still.
    pub(crate) wait: Option<Duration>,
}

/// Where a follower is on the chain.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Track {
    position: Position,
    /// The latest frames of the chain, the tip last.
    recent: VecDeque<Sum>,
    /// Another process's `open` is known to follow the tip.
    rival: bool,
    /// Frames up to this message were accounted for by a reading of the whole journal.
    checked: MessageId,
}

impl Track {
    /// At a position that a reading of the whole journal gave, whose newest message was `checked`.
    pub(crate) fn new(position: Position, checked: MessageId) -> Self {
        let recent = VecDeque::from([position.tip.sum]);
        Self { position, recent, rival: false, checked }
    }

    pub(crate) fn position(&self) -> &Position {
        &self.position
    }

    /// What to do with a frame that the gateway brought.
    ///
    /// The holder's own frame, no more than B - V behind the tip, is the next one: it beats whatever `open` may be
    /// there, because that can't be older than the tip. A later one may be an objection that came too late, under a
    /// nonce of its own, against an `open` that was not heard of. That, an `open` by another process, and a frame while
    /// one is known are for a read to decide.
    pub(crate) fn hear(&mut self, link: &Link) -> Step {
        let Position { tip, holder, timing } = &self.position;
        if self.recent.contains(&link.sum) {
            return Step::Ignore;
        }
        if link.header.prev != tip.sum {
            return Step::Read;
        }
        let mut alone = Links::default();
        alone.insert(link.clone());
        let extends = next(&alone, tip.sum, holder, *timing).is_some();
        if extends && is_rival(link, holder) {
            self.rival = true;
        }
        let near = timing.grace.saturating_sub(timing.visibility);
        let near = link.time().saturating_sub(tip.message.time_ms()) <= near;
        if extends && near && !self.rival { Step::Take } else { Step::Read }
    }

    /// How much of `chain`, which follows the tip in a read that began at `began` by Discord's clock, is final.
    ///
    /// A holder's own frame is final in any read. Another process's `open` is final in a read that began B + V after
    /// it, because by then every frame that could still win against it is visible.
    pub(crate) fn settle(&self, chain: &[Link], began: u64) -> Settled {
        let mut holder = self.position.holder.clone();
        let settle = self.position.timing.grace + self.position.timing.visibility;
        for (frames, link) in chain.iter().enumerate() {
            let sure = link.time().saturating_add(settle);
            if is_rival(link, &holder) && began < sure {
                return Settled { frames, wait: Some(Duration::from_millis(sure - began)) };
            }
            holder = holder.after(link);
        }
        Settled { frames: chain.len(), wait: None }
    }

    /// A frame after the tip that follows one which is nowhere: the frames between were deleted, by a trim or by
    /// somebody. It may be of a term that is over: a reading of the whole journal tells what it means. `chain` is what follows the tip in a read that began at `began`; what is too young to be missed for
    /// sure comes as the second half.
    pub(crate) fn gap<'a>(
        &self,
        links: &'a Links,
        chain: &[Link],
        began: u64,
    ) -> (Option<&'a Link>, Option<&'a Link>) {
        let known: HashSet<Sum> =
            self.recent.iter().copied().chain(links.iter().map(|link| link.sum)).collect();
        let after = chain.last().map_or(self.position.tip.message, |link| link.message);
        let loose = |link: &&Link| {
            link.kind != Kind::Genesis
                && link.message > self.checked.max(after)
                && !known.contains(&link.header.prev)
        };
        let visible = |link: &&Link| link.time().saturating_add(self.position.timing.visibility) <= began;
        let oldest = |wanted: &dyn Fn(&&Link) -> bool| {
            links.iter().filter(|link| loose(link) && wanted(link)).min_by_key(|link| link.message)
        };
        (oldest(&|link| visible(link)), oldest(&|link| !visible(link)))
    }

    /// Whether a read that began at `began` had to show the tip and does not: it was trimmed, or deleted. What follows it
    /// may be gone with it, another process's `open` for one, so that nothing can be made of what is left.
    pub(crate) fn is_lost(&self, shown: bool, began: u64) -> bool {
        let Position { tip, timing, .. } = &self.position;
        !shown && tip.message.time_ms().saturating_add(timing.visibility) <= began
    }

    /// `link` follows the tip.
    pub(crate) fn advance(&mut self, link: &Link) {
        self.position = self.position.clone().after(link);
        self.rival = false;
        self.recent.push_back(link.sum);
        if self.recent.len() > REMEMBERED {
            self.recent.pop_front();
        }
    }
}

/// Whether a frame is another process's `open`: not one by which the owner that closed goes on.
fn is_rival(link: &Link, holder: &Holder) -> bool {
    link.kind == Kind::Open && !(holder.closed && link.header.owner == holder.owner)
}

#[cfg(test)]
mod tests;
