//! Tokens and signatures are shown nowhere.

use std::sync::{Arc, Mutex};

use discobase_core::transport::twilight::{Endpoint, Token, TwilightConfig, TwilightTransport};
use discobase_core::transport::{Attachment, Transport};
use discobase_core::{ChannelId, MessageId};
use serde_json::json;

use crate::mock::{Answer, Mock, hasty, ms, new};

const TOKEN: &str = "mock.token.secret";

#[tokio::test]
async fn neither_debug_nor_errors_show_the_token() {
    for token in [TOKEN, "Bot mock.token.secret", " mock.token.secret\n"] {
        assert!(!format!("{:?} {:#?}", Token::new(token), Token::new(token)).contains("mock"));
    }
    let mut shown = String::new();
    for (number, answer) in ["401", "403", "500", "torn", "none"].into_iter().enumerate() {
        let mock = Mock::start(move |_, _| match answer {
            "torn" => Answer::Tear(200, b"{".to_vec()),
            "none" => Answer::Drop,
            status => Answer::json(status.parse().unwrap(), &json!({ "code": 0, "message": "m" })),
        })
        .await;
        let config = mock.config();
        shown += &format!("{config:?} {config:#?}");
        let transport = TwilightTransport::new(config).unwrap();
        shown += &format!("{transport:?} {transport:#?} {:?}", transport.client());
        let error = transport.post(ChannelId::new(1), new("text", "n"), Some(ms(1_500))).await.unwrap_err();
        shown += &format!("{error} {error:?} {error:#?} {:?}", std::error::Error::source(&error));
        let error = transport.message(ChannelId::new(0), MessageId::new(1)).await.unwrap_err();
        shown += &format!("{number} {error} {error:?}");
        // It is sent, though, and only in the one header.
        let asked = mock.asked();
        assert_eq!(asked[0].headers["authorization"], format!("Bot {TOKEN}"));
        assert!(asked[0].headers["user-agent"].starts_with("DiscordBot (https://"));
        assert!(!String::from_utf8_lossy(&asked[0].body).contains("secret"));
    }
    assert!(!shown.contains("secret"), "{shown}");
}

#[tokio::test]
async fn a_token_that_cannot_be_sent_is_refused_without_being_shown() {
    let mut config = TwilightConfig::new("secret\nsecret");
    config.deadlines = hasty();
    let error = TwilightTransport::new(config).unwrap_err();
    assert!(!format!("{error} {error:?}").contains("secret"));
}

#[tokio::test]
async fn signatures_stay_out_of_errors_and_debug() {
    let mock = Mock::start(|_, _| Answer::Reply(404, Vec::new(), Vec::new())).await;
    let transport = mock.transport();
    for url in [
        format!("http://{}/attachments/1/2/a.bin?ex=1&is=2&hm=secret", mock.address),
        "https://example.com/attachments/1/2/a.bin?hm=secret".to_owned(),
        "no url hm=secret".to_owned(),
    ] {
        let attachment = Attachment { id: 2, filename: "a.bin".to_owned(), size: 3, url };
        let error = transport.download(&attachment).await.unwrap_err();
        assert!(!format!("{attachment:?} {error} {error:?}").contains("secret"));
    }
}

#[test]
fn addresses_are_checked_and_never_echo_more_than_a_host() {
    for good in ["https://discord.com", "http://127.0.0.1:8080", "http://localhost:1/", "http://[::1]:5"] {
        good.parse::<Endpoint>().unwrap();
    }
    for bad in [
        "http://discord.com",
        "http://canary.discord.com:80",
        "discord.com",
        "ftp://localhost",
        "http://user:secret@localhost",
        "http://localhost/path/secret",
        "http://localhost?secret",
        "secret",
        "",
    ] {
        let error = bad.parse::<Endpoint>().unwrap_err();
        assert!(!format!("{error} {error:?}").contains("secret"), "{error}");
    }
    assert_eq!(Endpoint::discord().to_string(), "https://discord.com");
    assert_eq!("http://127.0.0.1:8080/".parse::<Endpoint>().unwrap().to_string(), "http://127.0.0.1:8080");
}

/// A certificate nobody vouches for, or a server without encryption: the token must not be said first.
#[tokio::test]
async fn the_token_waits_for_encryption() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let heard = Arc::new(Mutex::new(Vec::new()));
    let server = tokio::spawn({
        let heard = Arc::clone(&heard);
        async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut first = vec![0; 4_096];
                let length = stream.read(&mut first).await.unwrap_or(0);
                // Whoever gave up before the first word has said nothing.
                if length > 0 {
                    heard.lock().unwrap().push(first[..length].to_vec());
                }
                stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}").await.ok();
            }
        }
    });
    let mut config = TwilightConfig::new(TOKEN);
    config.api = format!("https://{address}").parse().unwrap();
    config.gateway = Some(format!("wss://{address}"));
    config.deadlines = hasty();
    config.deadlines.gateway = ms(2_000);
    let transport = TwilightTransport::new(config.clone()).unwrap();
    let error = transport.me().await.unwrap_err();
    assert!(error.to_string().contains(&format!("cannot reach {address}")), "{error}");
    transport.events().await.unwrap_err();
    let client = transport.client();
    client.current_user().await.unwrap_err();
    drop((transport, client));
    // Leaving says nothing more, either.
    tokio::time::sleep(ms(500)).await;
    server.abort();
    let heard = std::mem::take(&mut *heard.lock().unwrap());
    assert!(heard.len() >= 3);
    for first in heard {
        assert_eq!(first.first(), Some(&0x16), "a TLS handshake");
        assert!(!String::from_utf8_lossy(&first).contains("secret"));
    }
    config.gateway = Some(format!("ws://{address}"));
    TwilightTransport::new(config).unwrap_err();
}
