//! The chain's rules, on any frames in any order.

use std::time::Duration;

use crate::codec::frame::{Header, Kind, Sum, Timing};
use crate::fuzzing::source::Source;
use crate::ids::{Epoch, Incarnation, MessageId};
use crate::journal::chain::{Holder, Link, Links, next, walk};
use crate::journal::follow::{Step, Track};
use crate::journal::rules::{Position, Tip};

const GENESIS: Sum = sum(1);

const fn sum(number: u8) -> Sum {
    Sum([number; 32])
}

/// Whatever frames there are, the walk is the one that the format describes, in whatever order they were read; what a
/// follower takes from the gateway is on it; and of a tail that is read later no less is final.
pub fn chain(bytes: &[u8]) {
    let mut source = Source::new(bytes);
    let mut time = || u64::from(source.byte()) * 100;
    let timing = Timing { visibility: time(), grace: time(), window: time() };
    let links = links(&mut source);
    let holder = holder(&mut source);
    let mut known = Links::default();
    links.iter().cloned().for_each(|link| known.insert(link));
    let (chain, end) = walk(&known, GENESIS, holder.clone(), timing);
    assert_eq!(chain, described(&links, GENESIS, &holder, timing).iter().collect::<Vec<_>>());

    let mut reversed = Links::default();
    links.iter().rev().cloned().for_each(|link| reversed.insert(link));
    assert_eq!(walk(&reversed, GENESIS, holder.clone(), timing), (chain.clone(), end.clone()));

    let mut at = (GENESIS, holder.clone());
    for (place, link) in chain.iter().enumerate() {
        at = (link.sum, at.1.after(link));
        let (rest, last) = walk(&known, at.0, at.1.clone(), timing);
        assert_eq!((rest.as_slice(), &last), (chain.get(place + 1..).unwrap_or_default(), &end));
    }
    followed(&mut source, &links, &holder, timing);
}

/// What a follower makes of it.
fn followed(source: &mut Source<'_>, links: &[Link], holder: &Holder, timing: Timing) {
    let tip = Tip { sum: GENESIS, message: MessageId::at(BEGIN) };
    let position = Position { tip, holder: holder.clone(), timing };
    let track = Track::new(position, tip.message);
    let mut all = Links::default();
    links.iter().cloned().for_each(|link| all.insert(link));
    for link in links {
        // The holder has one frame after the tip, and what follows the tip is younger than the tip.
        let own = |other: &&Link| {
            other.header.prev == GENESIS
                && other.header.incarnation == link.header.incarnation
                && other.sum != link.sum
        };
        // Two processes of one owner name don't start within the grace of each other.
        let namesake = |other: &&Link| {
            holder.closed
                && other.header.prev == GENESIS
                && other.kind == Kind::Open
                && other.header.owner == holder.owner
                && other.sum != link.sum
                && other.time().abs_diff(link.time()) <= timing.grace
        };
        let lowest = links.iter().filter(|other| other.sum == link.sum).map(|other| other.message).min();
        let fair = !links.iter().any(|other| own(&other) || namesake(&other)) && lowest == Some(link.message);
        let mut heard = track.clone();
        if heard.hear(link) == Step::Take && fair && timing.visibility <= timing.grace {
            let after = next(&all, GENESIS, holder, timing);
            assert_eq!(after, Some(link), "a follower takes what is not on the chain");
        }
    }
    let (chain, _) = walk(&all, GENESIS, holder.clone(), timing);
    let chain: Vec<Link> = chain.into_iter().cloned().collect();
    let began = BEGIN + source.number() % 100_000;
    let (settled, later) =
        (track.settle(&chain, began), track.settle(&chain, began + 1 + source.number() % 9_999));
    assert!(settled.frames <= later.frames, "a later read makes less final");
    let wait = settled.wait.unwrap_or_default();
    let then = track.settle(&chain, began + u64::try_from(wait.as_millis()).unwrap_or(u64::MAX));
    assert!(settled.wait.is_none() == (settled.frames == chain.len()));
    assert!(wait == Duration::ZERO || then.frames > settled.frames, "it waits in vain");
    let (gap, young) = track.gap(&all, &chain, began);
    for link in gap.iter().chain(&young) {
        assert!(chain.iter().all(|on| on.sum != link.header.prev), "what follows the chain follows a gap");
    }
}

/// When the tip was posted, in milliseconds.
const BEGIN: u64 = 1_600_000_000_000;

fn links(source: &mut Source<'_>) -> Vec<Link> {
    let count = source.below(24);
    let mut links: Vec<Link> = Vec::new();
    for number in 0..count {
        let message =
            MessageId::new(MessageId::at(BEGIN + source.number() % 65_536 * 100).get() + 1 + number as u64);
        // The same frame once more, or a new one. None precedes the frame it follows: its sum would be known before it.
        if source.rarely(6)
            && let Some(known) = links.get(source.below(links.len())).cloned()
        {
            links.push(Link { message, ..known });
            continue;
        }
        let own = sum(2 + number as u8);
        let back = source.below(3);
        let prev = sum((1 + number as u8).saturating_sub(back as u8).max(1));
        let kind = match source.below(6) {
            0..=2 => Kind::Data,
            3 => Kind::Open,
            4 => Kind::Close,
            _ => Kind::Checkpoint,
        };
        let header = Header {
            db: String::new(),
            epoch: Epoch::new(1 + source.below(4) as u64),
            incarnation: Incarnation([source.below(3) as u8; 8]),
            owner: if source.flag() { "a" } else { "b" }.to_owned(),
            prev,
        };
        links.push(Link { header, kind, sum: own, message });
    }
    links
}

fn holder(source: &mut Source<'_>) -> Holder {
    Holder {
        epoch: Epoch::new(1),
        incarnation: Incarnation([source.below(3) as u8; 8]),
        owner: "a".to_owned(),
        closed: source.flag(),
    }
}

/// The chain after a frame as `docs/format.md`, section 9, has it, word for word.
pub(super) fn described(links: &[Link], root: Sum, holder: &Holder, timing: Timing) -> Vec<Link> {
    let (mut chain, mut at, mut holder) = (Vec::new(), root, holder.clone());
    while let Some(link) = follower(links, at, &holder, timing) {
        holder = holder.after(&link);
        at = link.sum;
        chain.push(link);
    }
    chain
}

fn follower(links: &[Link], tip: Sum, holder: &Holder, timing: Timing) -> Option<Link> {
    let (mut own, mut rival): (Option<&Link>, Option<&Link>) = (None, None);
    for link in links.iter().filter(|link| link.header.prev == tip) {
        let next_term =
            link.kind == Kind::Open && link.header.epoch.get() == holder.epoch.get().saturating_add(1);
        let continues = if holder.closed {
            next_term && link.header.owner == holder.owner
        } else {
            link.header.epoch == holder.epoch
                && link.header.incarnation == holder.incarnation
                && [Kind::Data, Kind::Checkpoint, Kind::Close].contains(&link.kind)
        };
        let place = match (continues, next_term) {
            (true, _) => &mut own,
            (false, true) => &mut rival,
            (false, false) => continue,
        };
        if place.is_none_or(|known| link.message < known.message) {
            *place = Some(link);
        }
    }
    match (own, rival) {
        (Some(own), Some(rival)) if own.time() <= rival.time() + timing.grace => Some(own.clone()),
        (Some(own), None) => Some(own.clone()),
        (_, rival) => rival.cloned(),
    }
}
