use crate::model::scenarios;

/// More than any quick version has.
const LIMIT: usize = 400_000;

#[test]
fn the_rules_hold_in_every_order_of_events() {
    for scenario in scenarios().iter().filter(|scenario| !scenario.breaks) {
        let Some(quick) = scenario.quick() else { continue };
        let report = quick.explore(LIMIT);
        assert!(report.broken.is_none(), "{} ({}): {:#?}", quick.name, quick.about, report.broken);
        assert!(report.exhausted, "{}: {} states, and not all of them", quick.name, report.states);
        println!("{}: {} states", quick.name, report.states);
    }
}

/// An explorer that finds nothing must be able to find something: each rule that is left out, and each assumption that
/// is broken, must be noticed.
#[test]
fn every_rule_that_is_left_out_is_missed() {
    for scenario in scenarios().iter().filter(|scenario| scenario.breaks) {
        let Some(quick) = scenario.quick() else { continue };
        let report = quick.explore(LIMIT);
        assert!(report.broken.is_some(), "{} ({}): nothing found", quick.name, quick.about);
        println!("{}: {} states", quick.name, report.states);
    }
}

#[test]
fn every_scenario_has_its_own_name() {
    let mut names: Vec<_> = scenarios().iter().map(|scenario| scenario.name).collect();
    let all = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), all);
}
