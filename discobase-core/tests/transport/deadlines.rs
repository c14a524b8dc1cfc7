//! When a call's time is over, and what may be said of it then.

use discobase_core::transport::twilight::{TwilightConfig, TwilightTransport};
use discobase_core::transport::{Transport, TransportError};
use discobase_core::{ChannelId, MessageId};
use serde_json::json;
use tokio::net::TcpSocket;
use tokio::time::Instant;

use crate::mock::{Answer, Mock, first_refusal, hasty, ms, new, posted};

const CHANNEL: ChannelId = ChannelId::new(1);

#[tokio::test]
async fn without_an_answer_nobody_knows() {
    for status in [None, Some(503)] {
        let mock = Mock::start(move |_, _| match status {
            None => Answer::Silence,
            Some(status) => Answer::Reply(status, Vec::new(), b"<html>".to_vec()),
        })
        .await;
        let mut config = mock.config();
        if status.is_none() {
            config.deadlines = hasty();
        } else {
            // So that there is one more try and then none: one whose time is over unanswered has no status.
            config.deadlines.shortest_pause = ms(3_500);
            config.deadlines.longest_pause = ms(60_000);
        }
        let transport = TwilightTransport::new(config).unwrap();
        let began = Instant::now();
        let error = transport.post(CHANNEL, new("text", "n"), Some(ms(5_000))).await.unwrap_err();
        let TransportError::Unknown(failure) = error else { panic!("{error:?}") };
        assert_eq!(failure.status, status);
        assert!(failure.ambiguous);
        assert!(began.elapsed() < ms(20_000), "{:?}", began.elapsed());
        assert!(mock.asked().len() > 1);
    }
}

#[tokio::test]
async fn a_call_that_never_had_its_turn_was_not_sent() {
    let mock = Mock::start(|number, asked| match number {
        0 => Answer::json(429, &json!({ "retry_after": 30.0, "global": true })),
        _ => posted(number, asked),
    })
    .await;
    let transport = mock.transport();
    // Time enough for the refusal.
    let first = transport.post(CHANNEL, new("text", "a"), Some(ms(2_000))).await;
    assert!(matches!(first, Err(TransportError::NotSent(_))), "{first:?}");
    let second = transport.post(ChannelId::new(2), new("text", "b"), Some(ms(200))).await;
    assert!(matches!(second, Err(TransportError::NotSent(_))), "{second:?}");
    assert_eq!(mock.asked().len(), 1);
}

#[tokio::test]
async fn a_lost_try_before_a_long_wait_stays_unknown() {
    let mock = Mock::start(|number, _| match number {
        0 => Answer::Drop,
        _ => Answer::json(429, &json!({ "retry_after": 30.0, "global": true })),
    })
    .await;
    let error = mock.transport().post(CHANNEL, new("text", "a"), Some(ms(2_000))).await.unwrap_err();
    assert!(matches!(&error, TransportError::Unknown(failure) if failure.ambiguous), "{error:?}");
}

#[tokio::test]
async fn an_address_where_nobody_is_shows_soon() {
    // Nobody listens there, and nobody else gets the port as long as it is bound.
    let bound = TcpSocket::new_v4().unwrap();
    bound.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = bound.local_addr().unwrap();
    let mut config = TwilightConfig::new("mock.token.secret");
    config.api = format!("http://{address}").parse().unwrap();
    config.deadlines = hasty();
    let transport = TwilightTransport::new(config).unwrap();
    let began = Instant::now();
    // Even a post that may take for ever.
    let error = transport.post(CHANNEL, new("text", "n"), None).await.unwrap_err();
    let TransportError::NotSent(failure) = error else { panic!("{error:?}") };
    assert!(failure.message.contains(&format!("cannot reach {address}")), "{failure}");
    assert!(began.elapsed() < ms(20_000));
}

#[tokio::test]
async fn a_shutdown_ends_what_waits_and_refuses_what_comes() {
    let mock = Mock::start(|_, _| Answer::json(429, &json!({ "retry_after": 30.0, "global": true }))).await;
    let transport = mock.transport();
    let stop = async {
        // Once the post is refused and waits.
        first_refusal(&transport).await;
        tokio::time::sleep(ms(200)).await;
        transport.shutdown().await;
        transport.shutdown().await;
    };
    let began = Instant::now();
    let waiting = transport.post(CHANNEL, new("text", "n"), None);
    let ready = async {
        tokio::time::sleep(ms(100)).await;
        transport.post_ready(CHANNEL).await;
    };
    let (waited, (), ()) = tokio::join!(waiting, ready, stop);
    assert!(matches!(waited, Err(TransportError::NotSent(_))), "{waited:?}");
    assert!(began.elapsed() < ms(20_000));
    let late = transport.message(CHANNEL, MessageId::new(5)).await;
    assert!(matches!(late, Err(TransportError::NotSent(_))), "{late:?}");
    let late = transport.events().await;
    assert!(matches!(late, Err(TransportError::NotSent(_))), "{late:?}");
    assert_eq!(mock.asked().len(), 1);
}

#[tokio::test]
async fn a_call_that_is_dropped_makes_room_for_the_next() {
    let mock = Mock::start(|number, asked| match number {
        0 => Answer::Silence,
        _ => posted(number, asked),
    })
    .await;
    let mut config = mock.config();
    config.deadlines.answer = ms(50_000);
    let transport = TwilightTransport::new(config).unwrap();
    let impatient = async {
        tokio::select! {
            posted = transport.post(CHANNEL, new("text", "a"), None) => panic!("{posted:?}"),
            () = async {
                while mock.asked().is_empty() {
                    tokio::time::sleep(ms(10)).await;
                }
            } => {}
        }
    };
    impatient.await;
    let began = Instant::now();
    transport.post(CHANNEL, new("text", "b"), None).await.unwrap();
    assert!(began.elapsed() < ms(20_000), "it does not wait for the other's answer");
}
