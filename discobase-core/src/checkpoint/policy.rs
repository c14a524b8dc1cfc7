//! Which runs a checkpoint writes and which it keeps: pure.
//!
//! A checkpoint adds a run of what changed since the last one. So that a reader never has many runs to go through, the
//! new run takes the place of those before it that are not clearly larger: each run that stays is at least twice as
//! large as all that follows it was when it was written, so their number grows with the logarithm of the table. Where
//! most of what the runs hold is overwritten or deleted, all of them make way for one that holds what is there.

use crate::codec::checkpoint::Run;
use crate::ids::Seq;

/// A run stays if it is so many times larger than what is written behind it.
const CLEARLY_LARGER: u64 = 2;
/// Runs may hold so many times what the table has, and [`SLACK`] entries more, before they are written anew.
const GARBAGE: u64 = 2;
const SLACK: u64 = 1_024;

/// What a checkpoint does with the runs of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Plan {
    /// So many runs stay, from the first on.
    pub(crate) kept: usize,
    /// The new run holds what commits after this one wrote.
    pub(crate) from: Seq,
}

/// Decides about the runs of a table that has `live` rows, `changed` of whose rows were written or deleted since the
/// last run.
pub(crate) fn plan(runs: &[Run], changed: u64, live: u64) -> Plan {
    let weights: Vec<u64> = runs.iter().map(|run| run.rows() + run.tombstones()).collect();
    let kept = kept(&weights, changed, live);
    let from = match (kept, runs.get(kept)) {
        (0, _) => Seq::default(),
        (_, Some(merged)) => merged.from,
        // What lies between the last run and the commits that the new one holds changed nothing in the table.
        (_, None) => runs.last().map_or(Seq::default(), |last| last.to),
    };
    Plan { kept, from }
}

/// How many of the runs stay.
fn kept(weights: &[u64], changed: u64, live: u64) -> usize {
    let mut merged = changed;
    let mut kept = weights.len();
    for weight in weights.iter().rev() {
        if *weight >= merged.saturating_mul(CLEARLY_LARGER) {
            break;
        }
        merged = merged.saturating_add(*weight);
        kept -= 1;
    }
    let stay: u64 = weights.iter().take(kept).sum();
    let all = stay.saturating_add(merged);
    if all > live.saturating_mul(GARBAGE).saturating_add(SLACK) { 0 } else { kept }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_clearly_larger_stays() {
        assert_eq!(kept(&[], 5, 5), 0);
        assert_eq!(kept(&[100], 50, 150), 1);
        assert_eq!(kept(&[100], 51, 151), 0);
        assert_eq!(kept(&[1_000, 100, 50], 10, 1_160), 3);
        assert_eq!(kept(&[1_000, 100, 50], 30, 1_180), 1, "50 and 30 make 80, which 100 is not twice");
        assert_eq!(kept(&[1_000, 1_000], 1, 2_001), 2, "only what is written decides");
    }

    #[test]
    fn garbage_makes_way() {
        assert_eq!(kept(&[10_000, 4_000], 1_000, 6_988), 2);
        assert_eq!(kept(&[10_000, 4_000], 1_000, 6_987), 0);
        assert_eq!(kept(&[10_000], 1, 0), 0);
    }

    /// Rows written once, in checkpoints of random sizes: few runs at every time, and each row is written again a
    /// number of times that grows like the logarithm.
    #[test]
    fn runs_stay_few_and_so_do_rewrites() {
        let mut seed = 0x5eed_u64;
        println!("seed {seed:#x}");
        let (mut weights, mut live, mut written) = (Vec::new(), 0_u64, 0_u64);
        for _ in 0..5_000 {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let changed = 1 + (seed >> 33) % 512;
            live += changed;
            let kept = kept(&weights, changed, live);
            let new = weights.split_off(kept).iter().sum::<u64>() + changed;
            written += new;
            weights.push(new);
            assert!(weights.len() <= 24, "{weights:?}");
            assert!(weights.is_sorted_by(|a, b| a >= b), "{weights:?}");
        }
        assert!(written < live * 24, "{written} rows were written for {live}");
    }
}
