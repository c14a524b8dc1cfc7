//! The pace in virtual time, against a channel that counts as Discord does.

use super::*;

const SPAN: Duration = Duration::from_secs(5);
const LIMIT: u32 = 5;
const ROUND_TRIP: Duration = Duration::from_millis(100);
const SECOND: Duration = Duration::from_secs(1);

/// Discord's count, begun by the first post of a window.
#[derive(Default)]
struct Server {
    window: Option<(Duration, u32)>,
}

impl Server {
    fn take(&mut self, now: Duration) {
        let (start, used) = self.window.filter(|(start, _)| *start + SPAN > now).unwrap_or((now, 0));
        assert!(used < LIMIT, "a 429 at {now:?}");
        self.window = Some((start, used + 1));
    }

    /// What the last reply told: the reset is known half a round trip late, and never too early.
    fn room(&self, now: Duration) -> Room {
        let window = self.window.filter(|(start, _)| *start + SPAN + ROUND_TRIP > now);
        Room {
            limit: LIMIT,
            remaining: LIMIT - window.map_or(0, |(_, used)| used),
            resets_in: window.map(|(start, _)| start + SPAN + ROUND_TRIP - now),
            span: SPAN,
        }
    }
}

/// Commits come at these times: how long each took, in order of length, and how many frames there were.
fn run(arrivals: &[Duration]) -> (Vec<Duration>, u32) {
    let (mut pace, mut server) = (Pace::default(), Server::default());
    let (mut taken, mut frames, mut next, mut now) = (Vec::new(), 0, 0, Duration::ZERO);
    while let Some(first) = arrivals.get(next) {
        now = now.max(*first);
        // As the engine does it: looked at anew with each commit and when the time has come.
        let (mut seen, mut cut) = (next, now);
        loop {
            while arrivals.get(seen).is_some_and(|arrival| *arrival <= cut) {
                pace.arrived(arrivals[seen]);
                seen += 1;
            }
            let due = pace.due(Some(server.room(cut)), Queued::default(), cut);
            if due <= cut {
                break;
            }
            cut = arrivals.get(seen).map_or(due, |arrival| due.min(*arrival));
        }
        server.take(cut + ROUND_TRIP / 2);
        pace.leaves(cut, *first);
        now = cut + ROUND_TRIP;
        pace.answered(now);
        taken.extend(arrivals[next..seen].iter().map(|arrival| now - *arrival));
        (next, frames) = (seen, frames + 1);
        while arrivals.get(seen).is_some_and(|arrival| *arrival <= now) {
            pace.arrived(arrivals[seen]);
            seen += 1;
        }
    }
    taken.sort_unstable();
    (taken, frames)
}

/// Commits at random times, for a while.
fn at_random(per_second: f64, time: Duration) -> Vec<Duration> {
    let (mut state, mut at) = (0x2545_f491_4f6c_dd1d_u64, 0.0);
    std::iter::from_fn(|| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        at -= (((state >> 11) as f64 + 0.5) / (1_u64 << 53) as f64).ln() / per_second;
        Some(Duration::from_secs_f64(at)).filter(|at| *at < time)
    })
    .collect()
}

fn share(taken: &[Duration], hundredths: usize) -> Duration {
    taken[taken.len() * hundredths / 100]
}

#[test]
fn commits_that_come_now_and_then_take_one_round_trip() {
    let (taken, _) = run(&at_random(0.2, SECOND * 4_000));
    assert_eq!(share(&taken, 90), ROUND_TRIP);
    assert!(share(&taken, 99) < SECOND * 2, "{:?}", share(&taken, 99));
}

#[test]
fn a_few_commits_after_a_rest_take_two_round_trips_at_most() {
    let together = [Duration::ZERO, ROUND_TRIP / 2, ROUND_TRIP / 2];
    let (taken, frames) = run(&together);
    assert_eq!(frames, 2);
    assert!(taken[2] <= ROUND_TRIP * 2, "{taken:?}");
}

#[test]
fn a_steady_stream_uses_the_limit_and_never_stands_still() {
    for per_second in [3.0, 10.0, 100.0, 1_000.0] {
        let time = SECOND * 200;
        let (taken, frames) = run(&at_random(per_second, time));
        assert!(share(&taken, 99) < Duration::from_millis(1_400), "{per_second}: {:?}", share(&taken, 99));
        assert!(taken[taken.len() - 1] < SPAN / 2, "{per_second}: {:?}", taken.last());
        let allowed = time.as_secs_f64() / SPAN.as_secs_f64() * f64::from(LIMIT);
        assert!(f64::from(frames) >= 0.9 * allowed, "{per_second}: {frames} frames of {allowed}");
    }
}

#[test]
fn a_burst_shares_a_handful_of_frames_however_long_it_takes_to_make() {
    for time in [20, 300, 1_500] {
        let arrivals: Vec<_> =
            (0..1_000).map(|number| Duration::from_millis(time) * number / 1_000).collect();
        let (_, frames) = run(&arrivals);
        assert!(frames <= 5, "{frames} frames in {time} ms");
    }
}

/// Callers who save again as soon as they are told, each a moment later: all of them fit into each frame.
#[test]
fn callers_who_wait_for_each_frame_share_it() {
    const CALLERS: u64 = 2_000;
    for spread in [50, 300, 500] {
        let (mut pace, mut server) = (Pace::default(), Server::default());
        let moment = |number: u64| Duration::from_millis(number * 7_919 % CALLERS * spread / CALLERS);
        let mut coming: Vec<Duration> = (0..CALLERS).map(moment).collect();
        let (mut frames, mut rows, mut now) = (0, 0, Duration::ZERO);
        while now < SECOND * 100 {
            coming.sort_unstable();
            let (mut seen, mut cut) = (0, now.max(coming[0]));
            loop {
                while coming.get(seen).is_some_and(|arrival| *arrival <= cut) {
                    pace.arrived(coming[seen]);
                    seen += 1;
                }
                let due = pace.due(Some(server.room(cut)), Queued::default(), cut);
                if due <= cut {
                    break;
                }
                cut = coming.get(seen).map_or(due, |arrival| due.min(*arrival));
            }
            server.take(cut + ROUND_TRIP / 2);
            pace.leaves(cut, cut);
            now = cut + ROUND_TRIP;
            pace.answered(now);
            // What the load looks like from the beginning is no matter here.
            if now > SECOND * 15 {
                (frames, rows) = (frames + 1, rows + seen as u64);
            }
            coming.drain(..seen);
            coming.extend((0..seen as u64).map(|number| now + moment(number)));
        }
        assert!(rows * 100 >= frames * CALLERS * 95, "{spread} ms: {rows} rows in {frames} frames");
    }
}

/// A pace that has a steady load behind it, at the time `now`.
fn busy(now: Duration) -> Pace {
    Pace {
        left: Some(now - SECOND / 4),
        before: Some(now - SECOND),
        answered: now - SECOND / 8,
        round_trip: ROUND_TRIP,
        counted: Some(now),
        wanted: Fading { count: 40.0, at: now },
        sent: Fading { count: 5.0, at: now - SECOND / 4 },
    }
}

#[test]
fn bulk_does_not_wait() {
    let now = SECOND * 100;
    let room = |remaining| Some(Room { limit: 5, remaining, resets_in: Some(SECOND * 3), span: SPAN });
    let (small, bulk) = (Queued::default(), Queued { bytes: BULK, closed: false });
    assert!(busy(now).due(room(3), small, now) > now);
    assert_eq!(busy(now).due(room(3), bulk, now), now - SECOND / 8 + LINGER);
    assert!(busy(now).due(room(1), small, now) > now);
    assert_eq!(busy(now).due(room(2), Queued { bytes: 0, closed: true }, now), now);
    assert_eq!(busy(now).due(room(0), bulk, now), now + SECOND * 3);
}

/// However much is written, and whatever it is, an objection never waits longer than its time.
#[test]
fn a_post_is_kept_for_an_objection() {
    let kinds = [
        Queued { bytes: BULK, closed: false },
        Queued { bytes: 0, closed: true },
        Queued { bytes: 2 * BULK, closed: true },
    ];
    for queued in kinds {
        let (mut pace, mut server, mut now, mut frames) =
            (Pace::default(), Server::default(), Duration::ZERO, 0);
        while now < SECOND * 100 {
            pace.arrived(now);
            let due = pace.due(Some(server.room(now)), queued, now);
            if due > now {
                now = due;
                continue;
            }
            server.take(now + ROUND_TRIP / 2);
            pace.leaves(now, now);
            now += ROUND_TRIP;
            pace.answered(now);
            frames += 1;
            let Room { remaining, resets_in, .. } = server.room(now);
            let wait = if remaining > 0 { Duration::ZERO } else { resets_in.unwrap_or_default() };
            assert!(wait <= OBJECTION, "{queued:?}: nothing is left at {now:?} for {wait:?}");
        }
        assert!(frames >= 90, "{queued:?}: and yet {frames} frames in 100 seconds");
    }
}

#[test]
fn without_a_known_limit_nothing_waits() {
    let now = SECOND * 100;
    assert_eq!(busy(now).due(None, Queued::default(), now), now);
}
