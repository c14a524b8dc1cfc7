//! The rules of `next`, one by one, and the order-independence that lets every process compute the same chain.

use super::*;

const TIMING: Timing = Timing { visibility: 2_000, grace: 3_000, window: 60_000 };

fn sum(byte: u8) -> Sum {
    Sum([byte; 32])
}

fn incarnation(byte: u8) -> Incarnation {
    Incarnation([byte; 8])
}

/// A frame `name` after `prev`, written in `epoch` by opening `writer` of `owner`, at `ms`.
fn link(kind: Kind, name: u8, prev: u8, epoch: u64, writer: u8, owner: &str, ms: u64) -> Link {
    let header = Header {
        db: "db".to_owned(),
        epoch: Epoch::new(epoch),
        incarnation: incarnation(writer),
        owner: owner.to_owned(),
        prev: sum(prev),
    };
    Link { header, kind, sum: sum(name), message: MessageId::at(1_700_000_000_000 + ms) }
}

fn links(all: &[Link]) -> Links {
    let mut links = Links::default();
    all.iter().cloned().for_each(|link| links.insert(link));
    links
}

/// The opening 1 of owner `a` holds epoch 1.
fn holder(closed: bool) -> Holder {
    Holder { epoch: Epoch::new(1), incarnation: incarnation(1), owner: "a".to_owned(), closed }
}

fn next_of(all: &[Link], closed: bool) -> Option<u8> {
    let links = links(all);
    next(&links, sum(0xaa), &holder(closed), TIMING).map(|link| link.sum.0[0])
}

fn own(name: u8, ms: u64) -> Link {
    link(Kind::Data, name, 0xaa, 1, 1, "a", ms)
}

fn rival(name: u8, ms: u64) -> Link {
    link(Kind::Open, name, 0xaa, 2, 2, "b", ms)
}

#[test]
fn nothing_follows_the_tip() {
    assert_eq!(next_of(&[], false), None);
    assert_eq!(next_of(&[link(Kind::Data, 1, 0xbb, 1, 1, "a", 0)], false), None, "it follows another frame");
}

#[test]
fn the_holder_continues_with_its_lowest_frame() {
    assert_eq!(next_of(&[own(2, 20), own(1, 10)], false), Some(1));
    let close = link(Kind::Close, 3, 0xaa, 1, 1, "a", 5);
    assert_eq!(next_of(&[own(1, 10), close], false), Some(3));
    let checkpoint = |writer| link(Kind::Checkpoint, 4, 0xaa, 1, writer, "a", 5);
    assert_eq!(next_of(&[own(1, 10), checkpoint(1)], false), Some(4));
    assert_eq!(next_of(&[own(1, 10), checkpoint(9)], false), Some(1), "another opening's");
    assert_eq!(next_of(&[checkpoint(1)], true), None, "a closed term writes nothing");
    assert_eq!(holder(false).after(&checkpoint(1)), holder(false));
}

#[test]
fn nobody_else_continues() {
    let other_opening = link(Kind::Data, 1, 0xaa, 1, 9, "a", 0);
    let other_epoch = link(Kind::Data, 2, 0xaa, 2, 1, "a", 0);
    let far_open = link(Kind::Open, 3, 0xaa, 3, 2, "b", 0);
    let same_epoch_open = link(Kind::Open, 4, 0xaa, 1, 2, "b", 0);
    let genesis = link(Kind::Genesis, 5, 0xaa, 2, 2, "b", 0);
    assert_eq!(next_of(&[other_opening, other_epoch, far_open, same_epoch_open, genesis], false), None);
}

#[test]
fn the_holders_frame_wins_within_the_grace_and_not_after() {
    assert_eq!(next_of(&[rival(2, 0), own(1, 3_000)], false), Some(1));
    assert_eq!(next_of(&[rival(2, 0), own(1, 3_001)], false), Some(2));
    assert_eq!(next_of(&[rival(2, 5_000), own(1, 0)], false), Some(1));
}

#[test]
fn a_rivals_open_alone_takes_over() {
    assert_eq!(next_of(&[rival(3, 20), rival(2, 10)], false), Some(2));
}

#[test]
fn after_a_close_only_the_same_name_opens_without_contest() {
    let same_name = link(Kind::Open, 1, 0xaa, 2, 7, "a", 2_000);
    assert_eq!(next_of(std::slice::from_ref(&same_name), true), Some(1));
    assert_eq!(next_of(&[rival(2, 0), same_name], true), Some(1), "within the grace");
    let late = link(Kind::Open, 1, 0xaa, 2, 7, "a", 3_001);
    assert_eq!(next_of(&[rival(2, 0), late], true), Some(2));
    assert_eq!(next_of(&[rival(2, 0)], true), Some(2));
    assert_eq!(next_of(&[own(1, 0)], true), None, "a closed term writes nothing");
}

#[test]
fn a_frame_posted_twice_is_one_frame_dated_by_its_lowest_id() {
    let (early, late) = (own(1, 1_000), own(1, 9_000));
    for all in [[&late, &rival(2, 0), &early], [&early, &rival(2, 0), &late]] {
        let all = all.map(Link::clone);
        assert_eq!(next_of(&all, false), Some(1));
    }
}

#[test]
fn a_walk_follows_openings_and_closings() {
    let genesis = link(Kind::Genesis, 1, 0, 0, 1, "a", 0);
    let all = [
        genesis.clone(),
        link(Kind::Open, 2, 1, 1, 2, "a", 10),
        link(Kind::Data, 3, 2, 1, 2, "a", 20),
        link(Kind::Data, 4, 2, 1, 2, "a", 25),
        link(Kind::Close, 5, 3, 1, 2, "a", 30),
        link(Kind::Open, 6, 5, 2, 3, "b", 40),
        link(Kind::Data, 7, 5, 1, 2, "a", 35),
        link(Kind::Data, 8, 6, 2, 3, "b", 50),
        link(Kind::Data, 9, 4, 1, 2, "a", 60),
    ];
    let expected = vec![2, 3, 5, 6, 8];
    // Whatever the order in which the messages were read.
    for rotation in 0..all.len() {
        let mut read = all.to_vec();
        read.rotate_left(rotation);
        let links = links(&read);
        let (chain, end) = walk(&links, genesis.sum, Holder::root(&genesis), TIMING);
        assert_eq!(chain.iter().map(|link| link.sum.0[0]).collect::<Vec<_>>(), expected);
        assert_eq!((end.epoch, end.incarnation, end.closed), (Epoch::new(2), incarnation(3), false));
    }
    assert_eq!(links(&all).roots().count(), 1);
}
