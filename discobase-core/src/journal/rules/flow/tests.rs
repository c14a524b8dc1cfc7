//! What an owner makes of reads that do not show its own tip any more.

use super::*;
use crate::codec::frame::{Header, Timing};
use crate::ids::{Epoch, Incarnation, MessageId};
use crate::journal::chain::{Holder, Link, Links};
use crate::journal::rules::{Clock, Tip, torn};

const START: u64 = 1_700_000_000_000;
const TIMING: Timing = Timing { visibility: 2_000, grace: 3_000, window: 60_000 };
const FRAME: Sum = Sum([2; 32]);
const GOAL: Goal = Goal::Append { sum: FRAME, kind: Kind::Data };

fn holder() -> Holder {
    let (epoch, incarnation) = (Epoch::new(1), Incarnation([1; 8]));
    Holder { epoch, incarnation, owner: "a".to_owned(), closed: false }
}

fn owner() -> Owner {
    let tip = Tip { sum: Sum([1; 32]), message: MessageId::at(START) };
    Owner::certain(Position { tip, holder: holder(), timing: TIMING }, Duration::ZERO)
}

/// A read in which the frame follows the tip.
fn walked(rooted: bool, message: MessageId) -> Event {
    let chain = vec![Tip { sum: FRAME, message }];
    Event::Walked(Walked { rooted, chain, end: holder(), seen: true, torn: false, newest: Some(message) })
}

/// The same, of messages of which one that decided is missing.
fn torn_walk(message: MessageId) -> Event {
    let chain = vec![Tip { sum: FRAME, message }];
    Event::Walked(Walked {
        rooted: true,
        chain,
        end: holder(),
        seen: true,
        torn: true,
        newest: Some(message),
    })
}

/// Another process took over, wrote a checkpoint and trimmed, while this one slept: its frame seems to follow the tip, and
/// the `open` that had followed it is gone with the tip.
#[test]
fn a_frame_after_a_tip_that_was_trimmed_is_not_acknowledged() {
    let (mut owner, slept) = (owner(), Duration::from_secs(1_200));
    let late = MessageId::at(START + 1_200_000);
    let (mut flow, step) = owner.begin(GOAL, slept);
    assert!(matches!(step, Step::Post { .. }));
    let step = owner.advance(&mut flow, Event::Replied(Reply::Own(late)), slept);
    assert!(matches!(step, Step::Walk { .. }), "the gap is longer than the window");
    let step = owner.advance(&mut flow, walked(false, late), slept);
    assert!(matches!(step, Step::Wait(_)), "the tip may only be too young to be seen: {step:?}");
    let step = owner.advance(&mut flow, Event::Waited, slept + TIMING.settle());
    assert!(matches!(step, Step::Walk { .. }));
    let step = owner.advance(&mut flow, walked(false, late), slept + TIMING.settle());
    assert_eq!(step, Step::Done(Verdict::Unknown));
    assert_eq!(owner.ended(), Some(&Ending::Vanished));
}

#[test]
fn a_frame_after_a_tip_that_is_there_is_acknowledged() {
    let (mut owner, slept) = (owner(), Duration::from_secs(1_200));
    let late = MessageId::at(START + 1_200_000);
    let (mut flow, _) = owner.begin(GOAL, slept);
    owner.advance(&mut flow, Event::Replied(Reply::Own(late)), slept);
    let step = owner.advance(&mut flow, walked(true, late), slept);
    assert_eq!(step, Step::Done(Verdict::Durable(Tip { sum: FRAME, message: late })));
}

/// A look in which nothing follows a tip that is not there itself proves nothing, and the next reply alone is not enough.
#[test]
fn a_look_without_the_tip_hears_nothing() {
    for rooted in [false, true] {
        let (mut owner, slept) = (owner(), Duration::from_secs(1_200));
        let newest = Some(MessageId::at(START + 1_190_000));
        let (mut flow, step) = owner.begin(Goal::Look, slept);
        assert_eq!(step, Step::Look);
        // A first look to know the clock, and one that counts.
        owner.advance(&mut flow, Event::Looked { rooted, first: None, torn: false, newest }, slept);
        let (mut flow, _) = owner.begin(Goal::Look, slept);
        let step =
            owner.advance(&mut flow, Event::Looked { rooted, first: None, torn: false, newest }, slept);
        assert_eq!(step, Step::Done(if rooted { Verdict::Settled } else { Verdict::PutOff }));
        let (mut flow, _) = owner.begin(GOAL, slept);
        let reply = Event::Replied(Reply::Own(MessageId::at(START + 1_200_000)));
        let step = owner.advance(&mut flow, reply, slept);
        assert_eq!(matches!(step, Step::Done(Verdict::Durable(_))), rooted, "{step:?}");
    }
}

/// Another process took over while this one slept, and its `open` was deleted before this one's deciding read.
#[test]
fn a_frame_that_met_a_rival_which_is_gone_is_not_acknowledged() {
    let (mut owner, rival, slept) = (owner(), Sum([9; 32]), Duration::from_secs(90));
    let (opened, late) = (MessageId::at(START + 20_000), MessageId::at(START + 90_000));
    let (mut flow, _) = owner.begin(GOAL, slept);
    let step = owner.advance(&mut flow, Event::Replied(Reply::Rival(rival, opened)), slept);
    assert!(matches!(step, Step::Post { nonce, .. } if nonce.against == Some(rival)), "{step:?}");
    owner.advance(&mut flow, Event::Replied(Reply::Own(late)), slept);
    let settled = slept + TIMING.settle();
    let step = owner.advance(&mut flow, Event::Waited, settled);
    assert!(matches!(step, Step::Walk { rival: Some(asked), .. } if asked == rival), "{step:?}");
    let step = owner.advance(&mut flow, torn_walk(late), settled);
    assert_eq!(step, Step::Done(Verdict::Unknown));
    assert_eq!(owner.ended(), Some(&Ending::Vanished));
}

/// The same, when it sees frames of the other process's term and nothing that they follow: in the read that confirms a
/// reply, in a look, and in the read that settles its own term.
#[test]
fn a_read_that_shows_a_later_term_and_not_its_beginning_proves_nothing() {
    let (slept, late) = (Duration::from_secs(1_200), MessageId::at(START + 1_200_000));
    let mut confirming = owner();
    let (mut flow, _) = confirming.begin(GOAL, slept);
    confirming.advance(&mut flow, Event::Replied(Reply::Own(late)), slept);
    let step = confirming.advance(&mut flow, torn_walk(late), slept);
    assert!(matches!(step, Step::Wait(_)), "what is missing may only be too young to be seen: {step:?}");
    confirming.advance(&mut flow, Event::Waited, slept + TIMING.settle());
    let step = confirming.advance(&mut flow, torn_walk(late), slept + TIMING.settle());
    assert_eq!(step, Step::Done(Verdict::Unknown));

    let mut looking = owner();
    let (mut flow, _) = looking.begin(Goal::Look, slept);
    let looked = Event::Looked { rooted: true, first: None, torn: true, newest: Some(late) };
    assert_eq!(looking.advance(&mut flow, looked, slept), Step::Done(Verdict::Ended));

    let mut clock = Clock::new(Duration::ZERO);
    clock.saw(MessageId::at(START), Duration::ZERO);
    let opened =
        Position { tip: Tip { sum: FRAME, message: MessageId::at(START + 1_000) }, ..owner().position() };
    let mut settling = Owner::new(clock, owner().position(), opened, Duration::ZERO);
    let (mut flow, _) = settling.begin(Goal::Settle, slept);
    settling.advance(&mut flow, Event::Waited, slept);
    assert_eq!(settling.advance(&mut flow, torn_walk(late), slept), Step::Done(Verdict::Ended));
}

#[test]
fn a_read_is_torn_if_it_lacks_a_rival_or_the_beginning_of_a_later_term() {
    let link = |sum: u8, prev: u8, epoch: u64| {
        let (db, owner) = (String::new(), "b".to_owned());
        let (epoch, incarnation) = (Epoch::new(epoch), Incarnation::new([2; 8]));
        let header = Header { db, epoch, incarnation, owner, prev: Sum([prev; 32]) };
        Link { header, kind: Kind::Data, sum: Sum([sum; 32]), message: MessageId::at(START) }
    };
    let is_torn = |shown: &[Link], rival: Option<Sum>| {
        let mut links = Links::default();
        shown.iter().for_each(|link| links.insert(link.clone()));
        torn(&links, &owner().position(), &holder(), rival)
    };
    let rival = Some(Sum([9; 32]));
    assert!(is_torn(&[], rival));
    assert!(!is_torn(&[link(9, 1, 2)], rival));
    assert!(!is_torn(&[link(9, 1, 2), link(10, 9, 2)], None));
    assert!(is_torn(&[link(10, 9, 2)], None), "what it follows was deleted");
    assert!(!is_torn(&[link(10, 9, 1)], None), "a frame of this term may follow what is too old to be read");
    let lost = Link { kind: Kind::Open, ..link(10, 9, 2) };
    assert!(!is_torn(&[lost], None), "so may an open that lost against an objection");
}

/// A process read the journal and slept before it posted its `open`; another one opened, wrote and trimmed meanwhile. Its
/// `open` is stored, because nobody remembers the nonce any more, and follows a frame that is not there.
#[test]
fn an_open_after_a_frame_that_was_trimmed_is_never_certain() {
    let slept = Duration::from_secs(1_200);
    let late = MessageId::at(START + 1_200_000);
    for quick in [false, true] {
        let mut before = owner().position();
        before.holder.closed = true;
        let mut clock = Clock::new(slept);
        clock.saw(late, slept);
        let opened = Position { tip: Tip { sum: FRAME, message: late }, ..owner().position() };
        let mut owner = Owner::new(clock, before, opened, slept + TIMING.settle());
        if quick {
            let (mut flow, step) = owner.begin(Goal::Acknowledge, slept);
            assert!(matches!(step, Step::Walk { .. }), "the gap is longer than the window: {step:?}");
            let step = owner.advance(&mut flow, walked(false, late), slept);
            assert_eq!(step, Step::Done(Verdict::PutOff));
            assert!(!owner.is_certain());
        }
        let (mut flow, step) = owner.begin(GOAL, slept);
        assert!(matches!(step, Step::Wait(_)), "{step:?}");
        owner.advance(&mut flow, Event::Waited, slept + TIMING.settle());
        let step = owner.advance(&mut flow, walked(false, late), slept + TIMING.settle());
        assert_eq!(step, Step::Done(Verdict::Ended));
        assert_eq!(owner.ended(), Some(&Ending::Vanished));
    }
}
