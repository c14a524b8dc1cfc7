//! What an owner makes of reads that do not show its own tip any more.

use super::*;
use crate::codec::frame::Timing;
use crate::ids::{Epoch, Incarnation};

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
    Event::Walked(Walked { rooted, chain, end: holder(), seen: true, newest: Some(message) })
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
    assert!(matches!(step, Step::Walk(_)), "the gap is longer than the window");
    let step = owner.advance(&mut flow, walked(false, late), slept);
    assert!(matches!(step, Step::Wait(_)), "the tip may only be too young to be seen: {step:?}");
    let step = owner.advance(&mut flow, Event::Waited, slept + TIMING.settle());
    assert!(matches!(step, Step::Walk(_)));
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
        owner.advance(&mut flow, Event::Looked { rooted, first: None, newest }, slept);
        let (mut flow, _) = owner.begin(Goal::Look, slept);
        let step = owner.advance(&mut flow, Event::Looked { rooted, first: None, newest }, slept);
        assert_eq!(step, Step::Done(if rooted { Verdict::Settled } else { Verdict::PutOff }));
        let (mut flow, _) = owner.begin(GOAL, slept);
        let reply = Event::Replied(Reply::Own(MessageId::at(START + 1_200_000)));
        let step = owner.advance(&mut flow, reply, slept);
        assert_eq!(matches!(step, Step::Done(Verdict::Durable(_))), rooted, "{step:?}");
    }
}
