//! What a follower takes, what it reads for, and what it ignores.

use super::*;
use crate::codec::frame::{Header, Timing};
use crate::ids::{Epoch, Incarnation};
use crate::journal::rules::Tip;

const TIMING: Timing = Timing { visibility: 2_000, grace: 3_000, window: 60_000 };
const START: u64 = 1_700_000_000_000;

fn sum(byte: u8) -> Sum {
    Sum([byte; 32])
}

/// A frame `name` after `prev`, written in `epoch` by the opening and owner `writer`, at `ms`.
fn link(kind: Kind, name: u8, prev: u8, epoch: u64, writer: u8, ms: u64) -> Link {
    let header = Header {
        db: "db".to_owned(),
        epoch: Epoch::new(epoch),
        incarnation: Incarnation([writer; 8]),
        owner: writer.to_string(),
        prev: sum(prev),
    };
    Link { header, kind, sum: sum(name), message: MessageId::at(START + ms) }
}

fn data(name: u8, prev: u8, ms: u64) -> Link {
    link(Kind::Data, name, prev, 1, 1, ms)
}

/// A follower at the frame 1 of the opening 1, which holds epoch 1.
fn track() -> Track {
    let holder = Holder {
        epoch: Epoch::new(1),
        incarnation: Incarnation([1; 8]),
        owner: "1".to_owned(),
        closed: false,
    };
    let tip = Tip { sum: sum(1), message: MessageId::at(START) };
    Track::new(Position { tip, holder, timing: TIMING }, tip.message)
}

fn links(all: &[Link]) -> Links {
    let mut links = Links::default();
    all.iter().cloned().for_each(|link| links.insert(link));
    links
}

fn gaps(track: &Track, all: &[Link], chain: &[Link], began: u64) -> (Option<u8>, Option<u8>) {
    let links = links(all);
    let (old, young) = track.gap(&links, chain, START + began);
    (old.map(|link| link.sum.0[0]), young.map(|link| link.sum.0[0]))
}

#[test]
fn the_holders_next_frames_are_taken_in_order() {
    let mut track = track();
    for (name, kind) in [(2, Kind::Data), (3, Kind::Data), (4, Kind::Close)] {
        let link = link(kind, name, name - 1, 1, 1, u64::from(name) * 10);
        assert_eq!(track.hear(&link), Step::Take);
        track.advance(&link);
        assert_eq!(track.hear(&link), Step::Ignore, "a frame that is repeated");
    }
    assert_eq!(track.hear(&data(2, 1, 900)), Step::Ignore, "and one that comes late, under a higher id");
}

#[test]
fn what_follows_a_frame_that_was_not_heard_is_read() {
    let mut track = track();
    assert_eq!(track.hear(&data(3, 2, 20)), Step::Read);
    assert_eq!(track.hear(&data(2, 1, 10)), Step::Take, "in order it is taken");
}

#[test]
fn a_frame_that_an_unheard_open_could_beat_is_read() {
    let mut track = track();
    // B - V after the tip it still beats any `open` there.
    assert_eq!(track.hear(&data(2, 1, 1_001)), Step::Read);
    assert_eq!(track.hear(&data(2, 1, 1_000)), Step::Take);
}

#[test]
fn no_frame_is_taken_where_an_open_is_known() {
    let mut track = track();
    assert_eq!(track.hear(&link(Kind::Open, 9, 1, 2, 2, 5)), Step::Read);
    assert_eq!(track.hear(&data(2, 1, 6)), Step::Read, "the open may have been first");
    track.advance(&data(2, 1, 6));
    assert_eq!(track.hear(&data(3, 2, 7)), Step::Take, "the open followed another frame");
}

#[test]
fn an_open_of_the_wrong_epoch_keeps_nothing_from_being_taken() {
    let mut track = track();
    assert_eq!(track.hear(&link(Kind::Open, 9, 1, 3, 2, 5)), Step::Read);
    assert_eq!(track.hear(&data(2, 1, 6)), Step::Take);
}

#[test]
fn frames_of_another_opening_are_not_taken() {
    let mut track = track();
    assert_eq!(track.hear(&link(Kind::Data, 2, 1, 1, 7, 5)), Step::Read, "of the same epoch");
    assert_eq!(track.hear(&link(Kind::Data, 3, 1, 2, 7, 5)), Step::Read, "of the next one");
}

#[test]
fn after_a_close_the_same_owner_goes_on_and_another_is_read() {
    let mut track = track();
    track.advance(&link(Kind::Close, 2, 1, 1, 1, 10));
    assert_eq!(track.hear(&data(3, 2, 20)), Step::Read, "nothing but an open follows a close");
    assert_eq!(track.hear(&link(Kind::Open, 4, 2, 2, 1, 30)), Step::Take);
    let foreign = link(Kind::Open, 5, 2, 2, 8, 20);
    assert_eq!(track.hear(&foreign), Step::Read);
    assert_eq!(track.hear(&link(Kind::Open, 4, 2, 2, 1, 30)), Step::Read, "now a rival is known");
}

#[test]
fn an_open_in_a_read_waits_until_nothing_can_win_against_it() {
    let track = track();
    let chain = [data(2, 1, 10), link(Kind::Open, 3, 2, 2, 2, 100), link(Kind::Data, 4, 3, 2, 2, 200)];
    let wait = Some(Duration::from_millis(1));
    assert_eq!(track.settle(&chain, START + 5_099), Settled { frames: 1, wait });
    assert_eq!(track.settle(&chain, START + 5_100), Settled { frames: 3, wait: None });
    let own = [link(Kind::Close, 2, 1, 1, 1, 10), link(Kind::Open, 3, 2, 2, 1, 20)];
    assert_eq!(
        track.settle(&own, START),
        Settled { frames: 2, wait: None },
        "the same owner goes on at once"
    );
}

#[test]
fn a_frame_after_one_that_is_nowhere_is_a_gap_once_all_is_visible() {
    let track = track();
    let next = data(2, 1, 100);
    let lost = data(9, 8, 200);
    assert_eq!(gaps(&track, std::slice::from_ref(&next), std::slice::from_ref(&next), 9_000), (None, None));
    let seen = [next, lost];
    assert_eq!(gaps(&track, &seen, &seen[..1], 2_199), (None, Some(9)), "what is between may become visible");
    assert_eq!(gaps(&track, &seen, &seen[..1], 2_200), (Some(9), None));
}

#[test]
fn a_tip_that_a_read_had_to_show_and_does_not_is_lost() {
    let track = track();
    assert!(track.is_lost(false, START + 2_000));
    assert!(!track.is_lost(true, START + 2_000));
    assert!(!track.is_lost(false, START + 1_999), "it may be too young to be seen");
}

#[test]
fn old_void_and_checked_frames_are_no_gap() {
    let mut track = track();
    let before = data(7, 6, 0);
    let void = [link(Kind::Data, 5, 1, 1, 7, 10), link(Kind::Data, 6, 5, 1, 7, 20)];
    let all = [before, void[0].clone(), void[1].clone()];
    assert_eq!(gaps(&track, &all, &[], 90_000), (None, None));
    let stale = [link(Kind::Data, 8, 99, 0, 7, 30)];
    assert_eq!(
        gaps(&track, &stale, &[], 90_000),
        (Some(8), None),
        "only a reading of everything tells what it followed"
    );
    let loose = data(9, 8, 200);
    let seen = std::slice::from_ref(&loose);
    assert_eq!(gaps(&track, seen, &[], 90_000), (Some(9), None));
    track = Track::new(track.position().clone(), loose.message);
    assert_eq!(gaps(&track, seen, &[], 90_000), (None, None), "a reading of everything has accounted for it");
}
