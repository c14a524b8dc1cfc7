//! Bytes up and bytes down.

use discobase_core::transport::{Attachment, NewAttachment, NewMessage, Transport, TransportError};
use discobase_core::{ChannelId, MessageId};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::mock::{Answer, Asked, Mock, message, ms, new};

const CHANNEL: ChannelId = ChannelId::new(1);

/// The parts of a form: name, file name, content.
fn parts(asked: &Asked) -> Vec<(String, Option<String>, Vec<u8>)> {
    let boundary = asked.headers["content-type"].strip_prefix("multipart/form-data; boundary=").unwrap();
    let line = format!("\r\n--{boundary}");
    let mut rest = [b"\r\n", asked.body.as_slice()].concat();
    let mut parts = Vec::new();
    loop {
        let at = find(&rest, line.as_bytes()).unwrap();
        let before = rest[..at].to_vec();
        rest = rest[at + line.len()..].to_vec();
        if !before.is_empty() {
            let end = find(&before, b"\r\n\r\n").unwrap();
            let head = String::from_utf8(before[..end].to_vec()).unwrap();
            let field = |name: &str| {
                let start = head.find(&format!("{name}=\""))? + name.len() + 2;
                Some(head[start..start + head[start..].find('"')?].to_owned())
            };
            parts.push((field(" name").unwrap(), field("filename"), before[end + 4..].to_vec()));
        }
        if rest.starts_with(b"--") {
            assert_eq!(rest, b"--\r\n");
            return parts;
        }
    }
}

fn find(text: &[u8], part: &[u8]) -> Option<usize> {
    text.windows(part.len()).position(|window| window == part)
}

fn noise(length: usize, mut seed: u64) -> Vec<u8> {
    (0..length)
        .map(|_| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (seed >> 56) as u8
        })
        .collect()
}

#[tokio::test]
async fn files_arrive_as_they_are() {
    let mock = Mock::start(|_, _| Answer::json(200, &message(5, 1, "text"))).await;
    let mut config = mock.config();
    config.deadlines.answer = ms(20_000);
    let transport = discobase_core::transport::twilight::TwilightTransport::new(config).unwrap();
    let files: Vec<NewAttachment> = [0, 1, 1_000, 8 * 1024 * 1024]
        .into_iter()
        .enumerate()
        .map(|(index, length)| NewAttachment {
            filename: format!("frame-{index}.bin"),
            bytes: noise(length, index as u64).into(),
        })
        .collect();
    let new = NewMessage {
        content: "a \"header\" \u{e9}".to_owned(),
        attachments: files.clone(),
        nonce: Some("0123456789012345678901234".to_owned()),
    };
    transport.post(CHANNEL, new.clone(), None).await.unwrap();
    transport.edit(CHANNEL, MessageId::new(5), new.clone()).await.unwrap();

    let asked = mock.asked();
    for (asked, nonce) in [(&asked[0], true), (&asked[1], false)] {
        let parts = parts(asked);
        assert_eq!(parts.len(), 1 + files.len());
        assert_eq!(parts[0].0, "payload_json");
        let json: Value = serde_json::from_slice(&parts[0].2).unwrap();
        assert_eq!(json["content"], new.content);
        assert_eq!(json["allowed_mentions"], json!({ "parse": [] }));
        assert_eq!(json["flags"], 4 | 4096);
        assert_eq!(json.get("nonce").is_some(), nonce);
        assert_eq!(json.get("enforce_nonce"), nonce.then_some(&json!(true)));
        for (index, file) in files.iter().enumerate() {
            assert_eq!(parts[index + 1].0, format!("files[{index}]"));
            assert_eq!(parts[index + 1].1.as_deref(), Some(file.filename.as_str()));
            assert!(parts[index + 1].2 == file.bytes, "file {index}");
            assert_eq!(json["attachments"][index], json!({ "id": index, "filename": file.filename }));
        }
    }
    assert_eq!((asked[0].method.as_str(), asked[0].path.as_str()), ("POST", "channels/1/messages"));
    assert_eq!((asked[1].method.as_str(), asked[1].path.as_str()), ("PATCH", "channels/1/messages/5"));
    assert!(transport.traffic().bytes_sent > 2 * 8 * 1024 * 1024);
}

#[tokio::test]
async fn an_edit_without_files_removes_those_that_were_there() {
    let mock = Mock::start(|_, _| Answer::json(200, &message(5, 1, "text"))).await;
    mock.transport().edit(CHANNEL, MessageId::new(5), new("text", "ignored")).await.unwrap();
    let json: Value = serde_json::from_slice(&mock.asked()[0].body).unwrap();
    assert_eq!(
        json,
        json!({ "content": "text", "allowed_mentions": { "parse": [] }, "flags": 4100, "attachments": [] })
    );
}

#[tokio::test]
async fn what_discord_would_refuse_is_not_sent() {
    let mock = Mock::start(|_, _| Answer::json(200, &message(5, 1, "text"))).await;
    let transport = mock.transport();
    let file = |filename: &str, length: usize| NewAttachment {
        filename: filename.to_owned(),
        bytes: vec![0; length].into(),
    };
    let with = |attachments| NewMessage { attachments, ..new("text", "n") };
    let full = "x".repeat(2_000);
    transport.post(CHANNEL, new(&full, "n"), None).await.unwrap();
    for bad in [
        new(&format!("{full}x"), "n"),
        new("", "n"),
        new("text", "01234567890123456789012345"),
        new("text", ""),
        with(vec![file("a b", 1)]),
        with(vec![file("a\"\r\nX: y", 1)]),
        with((0..11).map(|_| file("a", 1)).collect()),
        with(vec![file("a", 26 * 1024 * 1024)]),
    ] {
        let post = transport.post(CHANNEL, bad, None).await;
        assert!(matches!(post, Err(TransportError::NotSent(_))), "{post:?}");
    }
    assert_eq!(mock.asked().len(), 1);
}

fn attachment(mock: &Mock, size: u64) -> Attachment {
    Attachment {
        id: 2,
        filename: "a.bin".to_owned(),
        size,
        url: format!("http://{}/attachments/1/2/a.bin?ex=1&is=2&hm=3", mock.address),
    }
}

#[tokio::test]
async fn a_download_is_whole_and_goes_without_the_token() {
    let content = noise(3 * 1024 * 1024, 9);
    let served = content.clone();
    let mock = Mock::start(move |number, _| match number {
        0 => Answer::Drop,
        1 => Answer::Reply(429, Vec::new(), Vec::new()).header("retry-after", "0.2"),
        2 => Answer::Stall(200, b"abc".to_vec()),
        _ => Answer::Reply(200, Vec::new(), served.clone()),
    })
    .await;
    let mut config = mock.config();
    config.deadlines.piece = ms(1_500);
    let transport = discobase_core::transport::twilight::TwilightTransport::new(config).unwrap();
    let bytes = transport.download(&attachment(&mock, content.len() as u64)).await.unwrap();
    assert!(bytes == content);
    let asked = mock.asked();
    assert_eq!(asked.len(), 4);
    for asked in &asked {
        assert_eq!(asked.path, "/attachments/1/2/a.bin?ex=1&is=2&hm=3");
        assert!(!asked.headers.contains_key("authorization"));
    }
    assert!(asked[2].at - asked[1].at >= ms(200));
    assert_eq!(transport.traffic().bytes_received, content.len() as u64 + 3);
}

#[tokio::test]
async fn a_download_of_another_size_is_no_download() {
    for size in [0, 9, 11, 1 << 40] {
        let mock = Mock::start(|_, _| Answer::Reply(200, Vec::new(), b"0123456789".to_vec())).await;
        let began = Instant::now();
        let download = mock.transport().download(&attachment(&mock, size)).await;
        assert!(matches!(download, Err(TransportError::Unknown(_))), "{size}: {download:?}");
        assert_eq!(mock.asked().len(), 1);
        assert!(began.elapsed() < ms(8_000), "it is not waited for");
    }
}

#[tokio::test]
async fn a_download_goes_nowhere_else() {
    let mock = Mock::start(|_, _| Answer::Reply(200, Vec::new(), b"0123456789".to_vec())).await;
    let transport = mock.transport();
    let port = mock.address.port();
    for url in [
        "https://example.com/a.bin".to_owned(),
        "https://cdn.discordapp.com.example.com/a.bin".to_owned(),
        "http://cdn.discordapp.com/a.bin".to_owned(),
        "https://cdn.discordapp.com:444/a.bin".to_owned(),
        format!("http://127.0.0.1:{}/a.bin", port.wrapping_add(1)),
        format!("https://127.0.0.1:{port}/a.bin"),
        "http://169.254.169.254/latest".to_owned(),
        "file:///etc/passwd".to_owned(),
    ] {
        let download = transport.download(&Attachment { url: url.clone(), ..attachment(&mock, 10) }).await;
        assert!(matches!(download, Err(TransportError::NotSent(_))), "{url}: {download:?}");
    }
    let near = Attachment { url: format!("http://localhost:{port}/a.bin"), ..attachment(&mock, 10) };
    transport.download(&near).await.unwrap();
    assert_eq!(mock.asked().len(), 1);
}

#[tokio::test]
async fn downloads_run_beside_each_other() {
    let mock = Mock::start(|_, _| Answer::Reply(200, Vec::new(), vec![1; 100])).await;
    let transport = mock.transport();
    let attachment = attachment(&mock, 100);
    let began = Instant::now();
    // In rounds, because a process may have only so many sockets.
    for _ in 0..5 {
        let downloads = (0..100).map(|_| transport.download(&attachment));
        futures_util::future::join_all(downloads).await.into_iter().for_each(|bytes| drop(bytes.unwrap()));
    }
    assert!(began.elapsed() < ms(7_000), "the limit of 50 a second is the API's: {:?}", began.elapsed());
}

#[tokio::test]
async fn a_part_of_a_download_is_that_part_whatever_the_server_makes_of_it() {
    let mock = Mock::start(|number, _| match number {
        0 => Answer::Reply(206, Vec::new(), b"345".to_vec()),
        // Servers may ignore the range.
        1 => Answer::Reply(200, Vec::new(), b"0123456789".to_vec()),
        _ => Answer::Reply(206, Vec::new(), b"34".to_vec()),
    })
    .await;
    let (transport, whole) = (mock.transport(), attachment(&mock, 10));
    for _ in 0..2 {
        assert_eq!(&transport.download_range(&whole, 3, 3).await.unwrap()[..], b"345");
    }
    let short = transport.download_range(&whole, 3, 3).await;
    assert!(matches!(short, Err(TransportError::Unknown(_))), "{short:?}");
    for asked in &mock.asked() {
        assert_eq!(asked.headers["range"], "bytes=3-5");
        assert!(!asked.headers.contains_key("authorization"));
    }
    for (offset, length) in [(0, 0), (8, 3), (11, 1), (u64::MAX, 2)] {
        let outside = transport.download_range(&whole, offset, length).await;
        assert!(matches!(outside, Err(TransportError::NotSent(_))), "{offset} {length}: {outside:?}");
    }
    assert_eq!(mock.asked().len(), 3);
}

#[tokio::test]
async fn many_messages_are_deleted_at_once_or_not_at_all() {
    let mock = Mock::start(|_, _| Answer::Reply(204, Vec::new(), Vec::new())).await;
    let transport = mock.transport();
    let ids: Vec<MessageId> = (1..=100).map(MessageId::new).collect();
    transport.delete_messages(CHANNEL, &ids).await.unwrap();
    let asked = mock.asked();
    assert_eq!(
        (asked[0].method.as_str(), asked[0].path.as_str()),
        ("POST", "channels/1/messages/bulk-delete")
    );
    let json: Value = serde_json::from_slice(&asked[0].body).unwrap();
    assert_eq!(json["messages"].as_array().unwrap().len(), 100);
    let twice = [MessageId::new(1), MessageId::new(2), MessageId::new(1)];
    let many: Vec<MessageId> = (1..=101).map(MessageId::new).collect();
    for refused in [&ids[..0], &ids[..1], &twice, &many] {
        let deleted = transport.delete_messages(CHANNEL, refused).await;
        assert!(matches!(deleted, Err(TransportError::NotSent(_))), "{deleted:?}");
    }
    assert_eq!(mock.asked().len(), 1);
}
