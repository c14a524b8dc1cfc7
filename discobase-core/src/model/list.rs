//! All scenarios: what must hold, and what must be seen to break when a rule is left out or an assumption is broken.

use crate::codec::frame::Timing;
use crate::model::creation::Slips;
use crate::model::guild::TICK;
use crate::model::scenario::{LONG, Part, Scenario, TIGHT, TIMING};

/// All scenarios.
#[must_use]
pub fn scenarios() -> Vec<Scenario> {
    let mut all = holding();
    all.extend(assumptions());
    all.extend(rules());
    all.extend(creation());
    all
}

/// Processes that create the database at once.
fn creation() -> Vec<Scenario> {
    let short = Scenario::short;
    let slips = Slips::default();
    vec![
        short("D1", "two processes create the database", 12).quick_to(7).created_by(2, slips),
        short("D2", "three processes create the database", 5).quick_to(1).created_by(3, slips),
        short("M16", "a creator looks again without waiting", 8)
            .quick_to(8)
            .breaks()
            .created_by(2, Slips { no_wait: true, ..slips }),
        short("M17", "a journal is believed however young its genesis is", 1)
            .quick_to(1)
            .breaks()
            .created_by(3, Slips { no_second_look: true, ..slips }),
        short("M18", "the oldest journal is taken, not the oldest genesis", 12)
            .quick_to(12)
            .breaks()
            .created_by(2, Slips { oldest_channel: true, ..slips }),
    ]
}

const fn part(name: &'static str, frames: u8) -> Part {
    Part(name, frames, 0, 1)
}

fn holding() -> Vec<Scenario> {
    let short = Scenario::short;
    let long = Scenario::long;
    vec![
        short("A1", "an owner that looks and writes a frame, and a challenger", 12)
            .quick_to(5)
            .owned(&[Part("a", 1, 1, 1), part("b", 0)]),
        short("A2", "an owner and a challenger, a frame each", 10)
            .quick_to(5)
            .owned(&[part("a", 1), part("b", 1)]),
        short("A3", "an owner with two frames, and a challenger", 9)
            .quick_to(4)
            .owned(&[part("a", 2), part("b", 0)]),
        short("A4", "an owner and a challenger, each post sent twice", 8)
            .owned(&[Part("a", 1, 0, 2), Part("b", 0, 0, 2)]),
        short("A5", "no nonces at all, but W <= B", 12)
            .laws(|laws| laws.nonce = None)
            .times(|times| times.window = 2 * TICK)
            .quick_to(5)
            .owned(&[Part("a", 1, 1, 1), part("b", 0)]),
        short("A6", "two challengers of an owner that is gone", 9).quick_to(4).owned(&[
            part("a", 0),
            part("b", 0),
            part("c", 0),
        ]),
        short("A7", "one name twice after its close, no races", 10)
            .laws(|laws| laws.race = None)
            .quick_to(4)
            .closed(&[part("a", 1), part("a", 1)]),
        short("A8", "two names after a close of the first", 10)
            .quick_to(4)
            .closed(&[part("a", 1), part("b", 1)]),
        long("B1", "a long window, and an owner that looks twice", 10)
            .quick_to(5)
            .owned(&[Part("a", 1, 2, 1), part("b", 0)]),
        long("B2", "a long window, two frames, a look, and a frame of the challenger's", 9)
            .owned(&[Part("a", 2, 1, 1), part("b", 1)]),
        long("B3", "somebody's open was deleted while its nonce is remembered", 10)
            .after_a_deletion()
            .quick_to(7)
            .owned(&[Part("a", 1, 1, 1), part("b", 0)]),
        long("B4", "a request is refused, each of the owner's posts is sent twice", 7)
            .refusals(1)
            .owned(&[Part("a", 2, 0, 2), part("b", 0)]),
        long("B5", "two challengers of an owner that is alive", 6).owned(&[
            Part("a", 1, 1, 1),
            part("b", 0),
            part("c", 0),
        ]),
        long("B6", "moderators delete what nobody relies on", 8)
            .deletions(1)
            .owned(&[Part("a", 1, 1, 1), part("b", 0)]),
        Scenario::tight("B7", "nonces remembered for W alone, without skew", 11)
            .quick_to(7)
            .owned(&[Part("a", 1, 1, 1), part("b", 0)]),
        long("E1", "an owner that sleeps while a challenger writes a checkpoint and trims", 10)
            .trims(2)
            .quick_to(6)
            .owned(&[Part("a", 1, 1, 1), part("b", 1)]),
        long("E2", "the same, when nobody remembers the nonces of what was trimmed", 11)
            .laws(|laws| (laws.nonce, laws.race) = (Some(2), None))
            .times(|times| times.window = TICK)
            .trims(3)
            .quick_to(7)
            .owned(&[Part("a", 1, 1, 1), part("b", 1)]),
        long("E3", "a follower while a challenger trims", 9)
            .laws(|laws| (laws.nonce, laws.race) = (Some(2), None))
            .times(|times| times.window = TICK)
            .trims(2)
            .quick_to(6)
            .owned(&[part("a", 1), part("b", 1)])
            .followed(2),
        long(
            "E4",
            "a process that opens between two checkpoints, and what the older one covers is trimmed",
            9,
        )
        .laws(|laws| (laws.nonce, laws.race) = (Some(2), None))
        .times(|times| times.window = TICK)
        .trims(2)
        .quick_to(6)
        .owned(&[part("a", 1), part("b", 1)])
        .read_by(1),
        long("C1", "a follower, an owner that looks, and a challenger", 6)
            .quick_to(5)
            .owned(&[Part("a", 1, 1, 1), part("b", 0)])
            .followed(2),
        short("C2", "a follower, an owner that looks, and a challenger, with skew", 7)
            .quick_to(4)
            .owned(&[Part("a", 1, 1, 1), part("b", 0)])
            .followed(2),
    ]
}

fn assumptions() -> Vec<Scenario> {
    let short = |name, about| Scenario::short(name, about, 12).quick_to(12).breaks();
    let pair = [part("a", 1), part("b", 0)];
    let looking = [Part("a", 1, 1, 1), part("b", 0)];
    vec![
        short("M1", "no nonces, and W > B").laws(|laws| laws.nonce = None).owned(&pair),
        short("M3", "B < V").laws(|laws| laws.race = Some(0)).times(|times| times.grace = 0).owned(&pair),
        short("M4", "messages visible later than V").laws(|laws| laws.lag = 6).owned(&looking),
        Scenario::short("M7", "one name twice after its close, racing", 8)
            .quick_to(8)
            .breaks()
            .closed(&[part("a", 0), part("a", 0)]),
        short("M8", "nonces remembered for less than W")
            .laws(|laws| laws.nonce = Some(4))
            .times(|times| times.window = 6 * TICK)
            .owned(&pair),
    ]
}

fn rules() -> Vec<Scenario> {
    let short = |name, about| Scenario::short(name, about, 12).quick_to(12).breaks();
    let pair = [part("a", 1), part("b", 0)];
    let looking = [Part("a", 1, 1, 1), part("b", 0)];
    vec![
        short("M2", "a gap longer than W is not confirmed")
            .rules(|rules| rules.timing = Some(Timing { window: 1_000 * TICK, ..TIMING }))
            .owned(&pair),
        short("M5", "an open always beats the owner's frame").laws(|laws| laws.open_wins = true).owned(&pair),
        short("M6", "a challenger does not settle").rules(|rules| rules.no_settling = true).owned(&pair),
        Scenario::tight("M9", "a look is trusted up to its beginning, not V less", 11)
            .rules(|rules| rules.timing = Some(Timing { visibility: 0, grace: 4 * TICK, ..TIGHT }))
            .quick_to(11)
            .breaks()
            .owned(&looking),
        short("M10", "settling after V instead of B + V")
            .rules(|rules| rules.timing = Some(Timing { grace: 0, ..TIMING }))
            .owned(&looking),
        Scenario::long("M11", "any open at the tip is believed in the second read", 4)
            .rules(|rules| rules.any_open = true)
            .breaks()
            .owned(&[Part("a", 0, 2, 1), part("b", 0), part("c", 0), part("d", 0)]),
        Scenario::long("M12", "a refusal is believed after a try without an answer", 8)
            .rules(|rules| rules.trusts_refusals = true)
            .refusals(1)
            .quick_to(8)
            .breaks()
            .owned(&[Part("a", 1, 0, 2)]),
        Scenario::long("M13", "an open under a second nonce, after a deletion", 10)
            .rules(|rules| rules.second_nonce = true)
            .after_a_deletion()
            .quick_to(9)
            .breaks()
            .owned(&looking),
        Scenario::long("M15", "a follower takes every frame of the holder's that comes within W", 6)
            .quick_to(6)
            .breaks()
            .owned(&[Part("a", 1, 1, 1), part("b", 0)])
            .followed_with(2, Timing { visibility: 0, grace: LONG.window, ..LONG }),
        Scenario::long("M19", "a read that lacks the tip is believed", 11)
            .rules(|rules| rules.rootless = true)
            .laws(|laws| (laws.nonce, laws.race) = (Some(2), None))
            .times(|times| times.window = TICK)
            .trims(3)
            .quick_to(9)
            .breaks()
            .owned(&[part("a", 1), part("b", 1)]),
        Scenario::long("M20", "a follower believes a read that lacks the tip", 10)
            .rules(|rules| rules.rootless = true)
            .laws(|laws| (laws.nonce, laws.race) = (Some(2), None))
            .times(|times| times.window = TICK)
            .trims(2)
            .quick_to(9)
            .breaks()
            .owned(&[part("a", 1), part("b", 1)])
            .followed(1),
        Scenario::long("M21", "the latest checkpoint is the root, wherever its walk leads", 9)
            .rules(|rules| rules.latest_root = true)
            .laws(|laws| (laws.nonce, laws.race) = (Some(2), None))
            .times(|times| times.window = TICK)
            .trims(2)
            .quick_to(9)
            .breaks()
            .owned(&[part("a", 1), part("b", 1)])
            .read_by(1),
        Scenario::long("M22", "what a checkpoint covers is trimmed at once", 9)
            .laws(|laws| (laws.nonce, laws.race) = (Some(2), None))
            .times(|times| times.window = TICK)
            .trims(0)
            .quick_to(9)
            .breaks()
            .owned(&[part("a", 1), part("b", 1)])
            .read_by(1),
        Scenario::long("M14", "an owner that objects does not wait before it reads", 8)
            .rules(|rules| rules.timing = Some(Timing { visibility: 0, grace: 0, ..LONG }))
            .quick_to(8)
            .breaks()
            .owned(&looking),
    ]
}
