//! Every kind of 429: waited out as long as it says, tried once, and tried by one caller only.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use discobase_core::transport::{Transport, TransportError};
use discobase_core::{ChannelId, MessageId};
use futures_util::future::join_all;
use serde_json::json;
use tokio::time::Instant;

use crate::mock::{Answer, Asked, Mock, first_refusal, message, ms, new, posted};

/// A bucket as Discord counts, headers without a scope as on every real success.
struct Bucket {
    limit: u32,
    span: Duration,
    window: Mutex<(Option<Instant>, u32)>,
}

impl Bucket {
    fn new(limit: u32, span: Duration) -> Self {
        Self { limit, span, window: Mutex::new((None, 0)) }
    }

    fn answer(&self, at: Instant, success: Answer) -> Answer {
        let mut window = self.window.lock().unwrap();
        let (start, used) = match *window {
            (Some(start), used) if start + self.span > at => (start, used),
            _ => (at, 0),
        };
        let reset_after = (start + self.span - at).as_secs_f64();
        if used >= self.limit {
            return Answer::json(
                429,
                &json!({ "retry_after": reset_after, "global": false, "message": "m" }),
            )
            .header("x-ratelimit-scope", "user");
        }
        *window = (Some(start), used + 1);
        success
            .header("x-ratelimit-limit", self.limit.to_string())
            .header("x-ratelimit-remaining", (self.limit - used - 1).to_string())
            .header("x-ratelimit-reset-after", format!("{reset_after:.3}"))
            .header("x-ratelimit-bucket", "abcdef")
    }
}

/// Twenty callers meet `refusals` refusals before they get through; returns what the server saw.
async fn besiege(refusals: usize, refuse: impl Fn() -> Answer + Send + Sync + 'static) -> Vec<Asked> {
    let mock =
        Mock::start(move |number, asked| if number < refusals { refuse() } else { posted(number, asked) })
            .await;
    let transport = mock.transport();
    let calls = (0..20).map(|number| {
        let transport = &transport;
        async move {
            if number > 0 {
                // Once the first has been refused: what is under way already cannot be stopped.
                first_refusal(transport).await;
            }
            // Several routes, so that a refusal for all of them is seen to stop all of them.
            let channel = ChannelId::new(1 + number);
            match number % 2 {
                0 => transport.post(channel, new("text", &format!("n{number}")), None).await.map(drop),
                _ => transport.message(channel, MessageId::new(5)).await.map(drop),
            }
        }
    });
    for result in join_all(calls).await {
        result.unwrap();
    }
    assert_eq!(mock.asked().len(), 20 + refusals);
    assert_eq!(transport.traffic().too_many_requests, refusals as u64);
    mock.asked()
}

fn gaps(asked: &[Asked], which: impl Fn(&Asked) -> bool, count: usize) -> Vec<Duration> {
    let times: Vec<Instant> = asked.iter().filter(|asked| which(asked)).map(|asked| asked.at).collect();
    times.windows(2).take(count).map(|pair| pair[1] - pair[0]).collect()
}

#[tokio::test]
async fn the_global_limit_stops_everything_and_is_tried_once() {
    for wait in ["0.25", "0.4"] {
        let refuse = move || {
            Answer::json(429, &json!({ "retry_after": wait.parse::<f64>().unwrap(), "global": true }))
                .header("x-ratelimit-global", "true")
                .header("x-ratelimit-scope", "global")
                .header("retry-after", "0")
        };
        let asked = besiege(3, refuse).await;
        let gaps = gaps(&asked, |_| true, 3);
        assert!(gaps.iter().all(|gap| *gap >= Duration::from_secs_f64(wait.parse().unwrap())), "{gaps:?}");
    }
}

#[tokio::test]
async fn cloudflare_stops_everything_and_is_tried_once() {
    let refuse =
        || Answer::Reply(429, vec![("retry-after", "1".to_owned())], b"<html>error 1015</html>".to_vec());
    let asked = besiege(3, refuse).await;
    let gaps = gaps(&asked, |_| true, 3);
    assert!(gaps.iter().all(|gap| *gap >= ms(1_000)), "{gaps:?}");
}

#[tokio::test]
async fn a_refused_bucket_waits_alone_and_is_tried_once() {
    let cases = [
        ("user", Some("2.5"), None),
        ("user", None, Some(2.5)),
        ("user", Some("0"), Some(2.5)),
        ("shared", Some("2.5"), Some(0.5)),
        ("shared", Some("3"), None),
    ];
    // Beside each other, since each takes seconds.
    join_all(cases.map(|(scope, header, body)| refuse_once(scope, header, body))).await;
}

/// Twenty posts meet one refusal, with the wait in its header, its body or both; reads go on meanwhile.
async fn refuse_once(scope: &'static str, header: Option<&'static str>, body: Option<f64>) {
    let refused = AtomicBool::new(false);
    let mock = Mock::start(move |number, asked| {
        if asked.method == "POST" && !refused.swap(true, Ordering::SeqCst) {
            let mut answer = match body {
                Some(wait) => Answer::json(429, &json!({ "retry_after": wait, "global": false })),
                None => Answer::Reply(429, Vec::new(), Vec::new()),
            };
            if let Some(wait) = header {
                answer = answer.header("retry-after", wait);
            }
            return answer.header("x-ratelimit-scope", scope).header("x-ratelimit-bucket", "b");
        }
        posted(number, asked)
    })
    .await;
    let transport = mock.transport();
    let wait = header.and_then(|wait| wait.parse::<f64>().ok()).into_iter().chain(body);
    let wait = Duration::from_secs_f64(wait.fold(0.0, f64::max));
    let began = Instant::now();
    let posts = (0..20)
        .map(|number| transport.post(ChannelId::new(1), new("text", &format!("n{number}")), Some(wait * 2)));
    let reads = async {
        first_refusal(&transport).await;
        for _ in 0..5 {
            transport.message(ChannelId::new(1), MessageId::new(5)).await.unwrap();
        }
        began.elapsed()
    };
    let (posts, reads) = tokio::join!(join_all(posts), reads);
    assert!(reads < wait, "{scope}: reads do not wait for posts: {reads:?}");
    let asked = mock.asked();
    let refused: Vec<_> = asked.iter().filter(|asked| asked.method == "POST").collect();
    let gaps = gaps(&asked, |asked| asked.method == "POST", refused.len());
    // The first is refused; the next goes after the wait and succeeds.
    assert!(gaps[0] >= wait, "{scope} {header:?} {body:?}: {gaps:?}");
    assert!(posts.iter().any(Result::is_ok));
    assert_eq!(transport.traffic().too_many_requests, 1);
}

#[tokio::test]
async fn each_wait_has_one_try_however_many_wait() {
    for scope in ["user", "shared"] {
        let mock = Mock::start(move |number, asked| {
            if number < 4 {
                return Answer::json(429, &json!({ "retry_after": 0.2, "global": false }))
                    .header("x-ratelimit-scope", scope);
            }
            posted(number, asked)
        })
        .await;
        let transport = mock.transport();
        let reads = (0..20).map(|_| transport.message(ChannelId::new(1), MessageId::new(5)));
        join_all(reads).await.into_iter().for_each(|read| drop(read.unwrap()));
        let asked = mock.asked();
        assert_eq!(asked.len(), 24);
        let gaps = gaps(&asked, |_| true, 4);
        assert!(gaps.iter().all(|gap| *gap >= ms(200)), "{scope}: {gaps:?}");
    }
}

#[tokio::test]
async fn write_limits_stop_the_writes_they_name() {
    for (code, edits_wait) in [(20_028, true), (20_029, true), (30_046, false)] {
        let mock = Mock::start(move |number, asked| match number {
            0 => Answer::json(429, &json!({ "code": code, "retry_after": 2.0, "message": "m" })),
            _ => posted(number, asked),
        })
        .await;
        let transport = mock.transport();
        let channel = ChannelId::new(1);
        let post = transport.post(channel, new("text", "n"), None);
        let edit = async {
            first_refusal(&transport).await;
            transport.edit(channel, MessageId::new(5), new("text", "")).await
        };
        let (post, edit) = tokio::join!(post, edit);
        post.unwrap();
        edit.unwrap();
        let asked = mock.asked();
        let edited = asked.iter().find(|asked| asked.method == "PATCH").unwrap().at - asked[0].at;
        assert_eq!(edited >= ms(2_000), edits_wait, "{code}: {edited:?}");
        assert_eq!(asked.len(), 3);
    }
}

#[tokio::test]
async fn a_wait_beyond_all_patience_ends_at_the_deadline() {
    for wait in ["65536", "70000.5", "1e300"] {
        let mock = Mock::start(move |_, _| {
            Answer::Reply(429, Vec::new(), Vec::new())
                .header("retry-after", wait)
                .header("x-ratelimit-scope", "shared")
        })
        .await;
        let transport = mock.transport();
        let began = Instant::now();
        let post = transport.post(ChannelId::new(1), new("text", "n"), Some(ms(1_500))).await;
        let Err(TransportError::NotSent(failure)) = post else { panic!("{post:?}") };
        assert_eq!(failure.status, Some(429));
        assert!(!failure.ambiguous);
        assert!(began.elapsed() >= ms(1_500) && began.elapsed() < ms(20_000));
        assert_eq!(mock.asked().len(), 1);
    }
}

#[tokio::test]
async fn a_burst_of_posts_keeps_order_and_meets_no_429() {
    let bucket = Bucket::new(5, ms(2_000));
    let mock = Mock::start(move |number, asked| bucket.answer(asked.at, posted(number, asked))).await;
    let transport = mock.transport();
    let posts = (0..12).map(|number| transport.post(ChannelId::new(1), new(&format!("{number}"), "n"), None));
    join_all(posts).await.into_iter().for_each(|post| drop(post.unwrap()));
    let asked = mock.asked();
    assert_eq!(transport.traffic().too_many_requests, 0);
    assert_eq!(asked.len(), 12);
    // Requests in flight together may arrive in any order; each window's five come before the next window's.
    let sent = |asked: &Asked| {
        let body: serde_json::Value = serde_json::from_slice(&asked.body).unwrap();
        body["content"].as_str().unwrap().parse::<usize>().unwrap()
    };
    assert_eq!(sent(&asked[0]), 0);
    for (window, chunk) in asked.chunks(5).enumerate() {
        assert!(chunk.iter().all(|asked| sent(asked) / 5 == window), "window {window}");
    }
}

#[tokio::test]
async fn edits_and_deletes_share_a_bucket_whatever_the_message() {
    let (edits, deletes) = (Bucket::new(5, ms(400)), Bucket::new(5, ms(400)));
    let mock = Mock::start(move |_, asked| match asked.method.as_str() {
        "PATCH" => edits.answer(asked.at, Answer::json(200, &message(5, 1, "text"))),
        _ => deletes.answer(asked.at, Answer::Reply(204, Vec::new(), Vec::new())),
    })
    .await;
    let transport = mock.transport();
    let channel = ChannelId::new(1);
    let edits = (1..=22).map(|message| transport.edit(channel, MessageId::new(message), new("text", "")));
    let deletes = (1..=22).map(|message| transport.delete_message(channel, MessageId::new(message)));
    let (edits, deletes) = tokio::join!(join_all(edits), join_all(deletes));
    edits.into_iter().for_each(|edit| drop(edit.unwrap()));
    deletes.into_iter().for_each(|delete| delete.unwrap());
    assert_eq!(mock.asked().len(), 44);
    assert_eq!(transport.traffic().too_many_requests, 0);
}

#[tokio::test]
async fn post_ready_waits_as_long_as_a_post_would() {
    let span = ms(3_000);
    let bucket = Bucket::new(2, span);
    let mock = Mock::start(move |number, asked| bucket.answer(asked.at, posted(number, asked))).await;
    let transport = mock.transport();
    let channel = ChannelId::new(1);
    let began = Instant::now();
    transport.post_ready(channel).await;
    assert!(began.elapsed() < span);
    for nonce in ["a", "b"] {
        transport.post(channel, new("text", nonce), None).await.unwrap();
    }
    transport.post_ready(channel).await;
    assert!(mock.asked()[0].at.elapsed() >= span, "it is ready when the window is over");
    let began = Instant::now();
    transport.post(channel, new("text", "c"), None).await.unwrap();
    assert!(began.elapsed() < span, "whoever was told that it is ready need not wait");
    let asked = mock.asked();
    assert!(asked[2].at - asked[0].at >= span);
    assert_eq!(transport.traffic().too_many_requests, 0);
}
