//! Limits in virtual time, against servers that count as Discord does.

use std::collections::BTreeMap;
use std::time::Duration;

use super::*;

const POST: Route = Route::post(1);

fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

/// A small generator, so that a schedule is one number.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }
}

/// A bucket on the other side: so many in each window, and a window begins with its first request.
struct Server {
    limit: u32,
    claimed: u32,
    headers: bool,
    span: Duration,
    window: Option<(Duration, u32)>,
    refused: u32,
}

impl Server {
    fn new(limit: u32, span: Duration) -> Self {
        Self { limit, claimed: limit, headers: true, span, window: None, refused: 0 }
    }

    fn hear(&mut self, now: Duration) -> Outcome {
        let (start, used) = self.window.filter(|(start, _)| *start + self.span > now).unwrap_or((now, 0));
        let reset_after = start + self.span - now;
        let over = used >= self.limit;
        let used = if over { used } else { used + 1 };
        self.window = Some((start, used));
        let remaining = if over { 0 } else { self.claimed.saturating_sub(used) };
        let seen = self.headers.then_some(Seen { limit: self.claimed, remaining, reset_after });
        if !over {
            return Outcome::Answered { seen, invalid: false };
        }
        self.refused += 1;
        Outcome::TooMany(TooMany { reach: Reach::Bucket(POST), shared: false, wait: reset_after }, seen)
    }
}

enum Step {
    Call,
    Arrive(Ticket),
    Reply(Ticket, Outcome),
}

/// Plays `calls` calls of one route, and returns when each left, in order.
fn play(server: &mut Server, calls: u64, hurry: u64, latency: u64, random: &mut Random) -> Vec<Duration> {
    let mut limits = Limits::default();
    let mut steps: BTreeMap<(Duration, u64), Step> = BTreeMap::new();
    let mut made = 0;
    let mut at = |steps: &mut BTreeMap<_, _>, time: Duration, step| {
        made += 1;
        steps.insert((time, made), step);
    };
    for _ in 0..calls {
        at(&mut steps, ms(random.below(hurry)), Step::Call);
    }
    let mut now = Duration::ZERO;
    let mut waiting: Vec<Ticket> = Vec::new();
    let mut left = Vec::new();
    let mut last = None;
    while left.len() < usize::try_from(calls).unwrap() || !steps.is_empty() {
        let mut wake = None;
        while let Some(first) = waiting.first().copied() {
            match limits.poll(POST, first, now) {
                Verdict::Go => {
                    waiting.remove(0);
                    assert!(last < Some(first) || last == Some(first), "calls overtook each other");
                    last = Some(first);
                    at(&mut steps, now + ms(random.below(latency)), Step::Arrive(first));
                }
                Verdict::At(time) => {
                    assert!(time > now, "a wait that is over already");
                    wake = Some(time);
                    break;
                }
                Verdict::Later => break,
                Verdict::Spent(_) => panic!("spent"),
            }
        }
        let next = steps.first_key_value().map(|((time, _), _)| *time);
        let Some(time) = [next, wake].into_iter().flatten().min() else { panic!("nothing ever happens") };
        now = time;
        while let Some(entry) = steps.first_entry().filter(|entry| entry.key().0 <= now) {
            match entry.remove() {
                Step::Call => {
                    let ticket = limits.ticket();
                    limits.join(POST, ticket);
                    waiting.push(ticket);
                }
                Step::Arrive(ticket) => {
                    let outcome = server.hear(now);
                    at(&mut steps, now + ms(random.below(latency)), Step::Reply(ticket, outcome));
                }
                Step::Reply(ticket, outcome) => {
                    limits.finish(ticket, outcome, now);
                    if matches!(outcome, Outcome::TooMany(..)) {
                        limits.join(POST, ticket);
                        waiting.push(ticket);
                        waiting.sort_unstable();
                        last = None;
                    } else {
                        left.push(now);
                    }
                }
            }
        }
    }
    left
}

#[test]
fn a_right_view_of_the_server_never_meets_a_429() {
    for seed in 0..10_000 {
        let mut random = Random(seed);
        let limit = u32::try_from(1 + random.below(8)).unwrap();
        let mut server = Server::new(limit, ms(200 + random.below(6_000)));
        let (hurry, latency) = (1 + random.below(20_000), 1 + random.below(1_500));
        play(&mut server, 25, hurry, latency, &mut random);
        assert_eq!(server.refused, 0, "seed {seed}");
    }
}

#[test]
fn posts_keep_the_assumed_pace_where_no_header_tells_one() {
    for seed in 0..1_000 {
        let mut random = Random(seed);
        let mut server = Server { headers: false, ..Server::new(5, ms(5_000)) };
        let latency = 1 + random.below(1_500);
        play(&mut server, 30, 1, latency, &mut random);
        assert_eq!(server.refused, 0, "seed {seed}");
    }
}

#[test]
fn a_full_window_is_used() {
    let mut server = Server::new(5, ms(5_000));
    let left = play(&mut server, 50, 1, 20, &mut Random(1));
    assert_eq!(server.refused, 0);
    // Ten windows of five: the last one begins after nine resets.
    assert!(*left.last().unwrap() < ms(9 * 5_000 + 9 * 100 + 500), "{:?}", left.last());
}

#[test]
fn a_limit_below_the_one_in_the_headers_costs_few_429s() {
    for seed in 0..500 {
        let mut random = Random(seed);
        let limit = u32::try_from(1 + random.below(5)).unwrap();
        let mut server = Server { claimed: 1_000, ..Server::new(limit, ms(5_000)) };
        // One after the other, as history is read.
        let took = {
            let mut limits = Limits::default();
            let mut now = Duration::ZERO;
            let mut accepted = 0;
            while accepted < 120 {
                let ticket = limits.ticket();
                loop {
                    limits.join(POST, ticket);
                    match limits.poll(POST, ticket, now) {
                        Verdict::Go => {
                            let outcome = server.hear(now);
                            now += ms(50 + random.below(50));
                            limits.finish(ticket, outcome, now);
                            if matches!(outcome, Outcome::Answered { .. }) {
                                accepted += 1;
                                break;
                            }
                        }
                        Verdict::At(time) => now = time,
                        other => panic!("{other:?}"),
                    }
                }
            }
            now
        };
        let minutes = took.as_secs() / 60 + 1;
        assert!(
            u64::from(server.refused) <= 2 + 3 * minutes,
            "seed {seed}: {} in {minutes} min",
            server.refused
        );
    }
}

/// Lets `count` calls queue and tells which may leave now.
fn leaving(limits: &mut Limits, route: Route, tickets: &[Ticket], now: Duration) -> Vec<Ticket> {
    tickets.iter().copied().filter(|ticket| limits.poll(route, *ticket, now) == Verdict::Go).collect()
}

fn queue(limits: &mut Limits, route: Route, count: usize) -> Vec<Ticket> {
    (0..count)
        .map(|_| {
            let ticket = limits.ticket();
            limits.join(route, ticket);
            ticket
        })
        .collect()
}

#[test]
fn one_request_tries_whether_a_429_is_over() {
    let edit = Route::message(Verb::Patch, 1);
    for (reach, blocked) in [
        (Reach::Bucket(POST), vec![POST]),
        (Reach::ChannelWrites(1), vec![POST, edit]),
        (Reach::Writes, vec![POST, edit, Route::post(2)]),
        (Reach::Everything, vec![POST, edit, Route::post(2), Route::history(1)]),
    ] {
        let mut limits = Limits::default();
        let first = queue(&mut limits, POST, 1);
        assert_eq!(leaving(&mut limits, POST, &first, ms(0)), first);
        let refusal = TooMany { reach, shared: true, wait: ms(1_234) };
        limits.finish(first[0], Outcome::TooMany(refusal, None), ms(10));

        let queues: Vec<_> = blocked.iter().map(|route| (*route, queue(&mut limits, *route, 20))).collect();
        let mut probes = Vec::new();
        for now in [ms(11), ms(1_293), ms(1_294), ms(1_295), ms(9_999)] {
            for (route, tickets) in &queues {
                for ticket in leaving(&mut limits, *route, tickets, now) {
                    probes.push((now, ticket));
                }
            }
        }
        assert_eq!(probes.len(), 1, "{reach:?}: {probes:?}");
        assert_eq!(probes[0].0, ms(1_294), "after the wait and its margin");

        // Refused again: again one, and not before the new wait is over.
        limits.finish(probes[0].1, Outcome::TooMany(refusal, None), ms(20_000));
        let (route, tickets) = &queues[0];
        assert!(leaving(&mut limits, *route, tickets, ms(21_000)).is_empty());
        let probe = leaving(&mut limits, *route, tickets, ms(21_284));
        assert_eq!(probe.len(), 1);
        // A lost probe passes the duty on, an answered one ends it.
        limits.finish(probe[0], Outcome::Lost, ms(21_300));
        let probe = leaving(&mut limits, *route, tickets, ms(21_300));
        assert_eq!(probe.len(), 1);
        let seen = Some(Seen { limit: 5, remaining: 4, reset_after: ms(5_000) });
        limits.finish(probe[0], Outcome::Answered { seen, invalid: false }, ms(21_400));
        assert_eq!(leaving(&mut limits, *route, tickets, ms(21_400)).len(), 4);
    }
}

#[test]
fn calls_leave_in_the_order_they_came() {
    let mut limits = Limits::default();
    let tickets = queue(&mut limits, POST, 3);
    assert_eq!(limits.poll(POST, tickets[1], ms(0)), Verdict::Later);
    assert_eq!(limits.poll(POST, tickets[0], ms(0)), Verdict::Go);
    let seen = Some(Seen { limit: 5, remaining: 4, reset_after: ms(5_000) });
    limits.finish(tickets[0], Outcome::Answered { seen, invalid: false }, ms(10));
    assert_eq!(limits.poll(POST, tickets[2], ms(10)), Verdict::Later);
    // The second gives up.
    limits.leave(POST, tickets[1]);
    assert_eq!(limits.poll(POST, tickets[2], ms(10)), Verdict::Go);
    // A retry keeps its place before whoever came later.
    let later = queue(&mut limits, POST, 1);
    limits.join(POST, tickets[1]);
    assert_eq!(limits.poll(POST, later[0], ms(20)), Verdict::Later);
    assert_eq!(limits.poll(POST, tickets[1], ms(20)), Verdict::Go);
}

#[test]
fn the_global_limit_holds_over_all_routes() {
    let mut limits = Limits::default();
    let mut sent: Vec<Duration> = Vec::new();
    for now in (0..3_000).step_by(10).map(ms) {
        for channel in 1..=20 {
            let route = Route::history(channel);
            for ticket in queue(&mut limits, route, 1) {
                if limits.poll(route, ticket, now) == Verdict::Go {
                    limits.finish(ticket, Outcome::Answered { seen: None, invalid: false }, now);
                    sent.push(now);
                }
                limits.leave(route, ticket);
            }
        }
    }
    assert!(sent.windows(51).all(|window| window[50] - window[0] >= ms(1_000)));
    assert_eq!(sent.len(), 150, "and no less is sent than may be");
}

#[test]
fn invalid_requests_stop_long_before_discord_minds() {
    let mut limits = Limits::default();
    let mut sent = 0;
    let mut now = Duration::ZERO;
    let over = loop {
        assert!(sent <= 1_000, "nothing stops them");
        let ticket = queue(&mut limits, Route::history(1), 1)[0];
        match limits.poll(Route::history(1), ticket, now) {
            Verdict::Go => {
                sent += 1;
                limits.finish(ticket, Outcome::Answered { seen: None, invalid: true }, now);
                now += ms(50);
            }
            Verdict::At(time) => now = time,
            Verdict::Spent(over) => break over,
            Verdict::Later => panic!("nobody else waits"),
        }
        limits.leave(Route::history(1), ticket);
    };
    assert_eq!(sent, 1_000);
    assert_eq!(over, INVALID_SPAN);
    assert_ne!(limits.ready(POST, over - ms(1)), Verdict::Go);
    assert_eq!(limits.ready(POST, over + ms(1)), Verdict::Go);
}

#[test]
fn headers_are_read_with_and_without_a_scope() {
    let headers = |pairs: &[(&'static str, &'static str)]| {
        pairs.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
    };
    let window = [
        ("x-ratelimit-limit", "5"),
        ("x-ratelimit-remaining", "3"),
        ("x-ratelimit-reset-after", "1.25"),
        ("x-ratelimit-bucket", "abcd"),
    ];
    let expected = Some(Seen { limit: 5, remaining: 3, reset_after: ms(1_250) });
    assert_eq!(seen(&headers(&window)), expected);
    assert_eq!(seen(&headers(&[("x-ratelimit-limit", "5")])), None);

    let refusal = |pairs: &[(&'static str, &'static str)], body: &str| {
        let refusal = too_many(POST, &headers(pairs), body.as_bytes());
        (refusal.reach, refusal.shared, refusal.wait)
    };
    let bucket = Reach::Bucket(POST);
    let user = [("x-ratelimit-scope", "user"), ("retry-after", "2")];
    assert_eq!(refusal(&user, r#"{"retry_after":1.3,"global":false}"#), (bucket, false, ms(2_000)));
    assert_eq!(refusal(&user, r#"{"retry_after":2.3,"global":false}"#), (bucket, false, ms(2_300)));
    assert_eq!(refusal(&window, ""), (bucket, false, ms(1_250)));
    let shared = [("x-ratelimit-scope", "shared"), ("retry-after", "70000.5")];
    assert_eq!(refusal(&shared, ""), (bucket, true, ms(70_000_500)));
    let global = [("x-ratelimit-global", "true"), ("retry-after", "1")];
    assert_eq!(refusal(&global, ""), (Reach::Everything, false, ms(1_000)));
    assert_eq!(refusal(&user, r#"{"retry_after":0.5,"global":true}"#), (Reach::Everything, false, ms(2_000)));
    let cloudflare = [("retry-after", "12"), ("content-type", "text/html")];
    assert_eq!(refusal(&cloudflare, "<html>"), (Reach::Everything, false, ms(12_000)));
    let old = r#"{"message":"m","retry_after":0.2,"global":false,"code":30046}"#;
    assert_eq!(refusal(&user[..1], old), (bucket, true, ms(200)));
    let channel = r#"{"message":"m","retry_after":0.3,"global":false,"code":20028}"#;
    assert_eq!(refusal(&[], channel), (Reach::ChannelWrites(1), true, ms(300)));
    for nonsense in ["NaN", "-1", "soon", "1e400"] {
        let body = format!("{{\"retry_after\":{nonsense}}}");
        assert!(refusal(&user[..1], &body).2 <= Duration::from_secs(86_400), "{nonsense}");
    }
}
