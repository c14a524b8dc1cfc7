//! Tokens and signatures are shown nowhere.

use discobase_core::transport::twilight::{Endpoint, Token, TwilightConfig, TwilightTransport};
use discobase_core::transport::{Attachment, Transport};
use discobase_core::{ChannelId, MessageId};
use serde_json::json;

use crate::mock::{Answer, Mock, ms, new, quick};

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
        let error = transport.post(ChannelId::new(1), new("text", "n"), Some(ms(200))).await.unwrap_err();
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
    config.deadlines = quick();
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
