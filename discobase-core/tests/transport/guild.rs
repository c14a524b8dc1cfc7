//! The transport against the local guild, which obeys Discord's rules and shares no code with it.

use std::sync::Arc;

use discobase_core::transport::twilight::{TwilightConfig, TwilightTransport};
use discobase_core::transport::{
    ChannelRole, Event, Events, HistoryPage, NewAttachment, NewChannel, NewMessage, Permissions, Transport,
    TransportError,
};
use discobase_core::{ChannelId, GuildId, MessageId};
use discobase_guild::{Action, Limit, Limits, LocalGuild, Rate, Rule};
use futures_util::future::join_all;

use crate::mock::{ms, new};

const POST: (&str, &str) = ("POST", "/channels/{channel}/messages");

/// A configuration with short pauses that leads to the guild.
fn config(guild: &LocalGuild) -> TwilightConfig {
    let mut config = TwilightConfig::new(guild.token());
    config.api = guild.api().parse().unwrap();
    config.deadlines.shortest_pause = ms(20);
    config
}

fn transport(guild: &LocalGuild) -> Arc<TwilightTransport> {
    TwilightTransport::new(config(guild)).unwrap()
}

/// Discord's limits, ten times as fast.
fn hurried() -> Limits {
    let rate = |count, window_ms| Some(Rate { count, window_ms });
    Limits {
        message_create: rate(5, 500),
        message_edit: rate(5, 500),
        message_delete_new: rate(5, 100),
        message_delete: rate(3, 100),
        message_page: rate(1_000, 500),
        message_page_hidden: rate(5, 500),
        ..Limits::discord()
    }
}

async fn channel(guild: &LocalGuild, transport: &TwilightTransport) -> ChannelId {
    let me = transport.me().await.unwrap();
    let new = NewChannel {
        role: ChannelRole::Text,
        name: "journal".to_owned(),
        topic: String::new(),
        parent: None,
        visible_to: me.id,
    };
    transport.create_channel(GuildId::new(guild.guild_id()), new).await.unwrap().id
}

async fn next(events: &mut Events) -> Event {
    tokio::time::timeout(ms(30_000), events.recv()).await.expect("in time").expect("an event")
}

#[tokio::test]
async fn a_whole_life() {
    let guild = LocalGuild::builder().guild_name("shop").start().await.unwrap();
    let transport = transport(&guild);
    let id = GuildId::new(guild.guild_id());
    let me = transport.me().await.unwrap();
    assert_eq!(me.application, guild.application_id());
    let guilds = transport.guilds().await.unwrap();
    assert_eq!((guilds[0].id, guilds[0].name.as_str()), (id, "shop"));
    assert!(guilds[0].permissions.contains(Permissions::required()), "{:?}", guilds[0].permissions.missing());

    let mut events = transport.events().await.unwrap();
    let category = NewChannel {
        role: ChannelRole::Category,
        name: "Shop Data".to_owned(),
        topic: String::new(),
        parent: None,
        visible_to: me.id,
    };
    let text = NewChannel { role: ChannelRole::Text, topic: "the topic".to_owned(), ..category.clone() };
    let category = transport.create_channel(id, category).await.unwrap();
    let text = NewChannel { parent: Some(category.id), ..text };
    let text = transport.create_channel(id, text).await.unwrap();
    assert_eq!((category.name.as_str(), text.name.as_str()), ("Shop Data", "shop-data"));
    assert_eq!((text.topic.as_str(), text.parent), ("the topic", Some(category.id)));
    let channels = transport.channels(id).await.unwrap();
    assert!(channels.contains(&text) && channels.contains(&category));

    let bytes: Vec<u8> =
        (0..8_u32 << 20).map(|number| (number.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let file = NewAttachment { filename: "frame.bin".to_owned(), bytes: bytes.clone().into() };
    let frame = NewMessage { attachments: vec![file], ..new("a frame", "nonce-1") };
    let posted = transport.post(text.id, frame.clone(), None).await.unwrap();
    let again = transport.post(text.id, frame, None).await.unwrap();
    assert_eq!((posted.id, posted.author), (again.id, me.id), "one nonce, one message");
    assert!(transport.download(&posted.attachments[0]).await.unwrap() == bytes);

    let edited = transport.edit(text.id, posted.id, new("edited", "")).await.unwrap();
    assert!(edited.edited && edited.attachments.is_empty() && edited.content == "edited");
    for number in 0..3 {
        transport.post(text.id, new(&format!("m{number}"), &format!("n{number}")), None).await.unwrap();
    }
    let history = transport.history(text.id, HistoryPage::Newest).await.unwrap();
    let contents: Vec<_> = history.iter().map(|message| message.content.as_str()).collect();
    assert_eq!(contents, ["edited", "m0", "m1", "m2"]);
    let after = transport.history(text.id, HistoryPage::After(history[1].id)).await.unwrap();
    assert_eq!(after, history[2..]);
    let before = transport.history(text.id, HistoryPage::Before(history[1].id)).await.unwrap();
    assert_eq!(before, history[..1]);
    transport.delete_message(text.id, posted.id).await.unwrap();
    transport.delete_message(text.id, posted.id).await.unwrap();
    let missing = transport.message(text.id, posted.id).await;
    assert!(matches!(missing, Err(TransportError::Missing(_))), "{missing:?}");
    transport.delete_channel(text.id).await.unwrap();
    transport.delete_channel(text.id).await.unwrap();

    let mut seen = Vec::new();
    while !matches!(seen.last(), Some(Event::ChannelDeleted(_))) {
        seen.push(next(&mut events).await);
    }
    let kinds: Vec<String> =
        seen.iter().map(|event| format!("{event:?}").split(['(', ' ']).next().unwrap().to_owned()).collect();
    assert_eq!(
        kinds,
        ["Channel", "Channel", "Posted", "Edited", "Posted", "Posted", "Posted", "Deleted", "ChannelDeleted"]
    );
    // Twilight's own client comes along.
    let user = transport.client().current_user().await.unwrap().model().await.unwrap();
    assert_eq!(user.id.get(), me.id.get());

    assert_eq!(guild.stats().too_many_requests, 0);
    transport.shutdown().await;
    assert!(matches!(next(&mut events).await, Event::Closed(_)));
}

#[tokio::test]
async fn bursts_meet_no_429() {
    let guild = LocalGuild::builder().limits(hurried()).start().await.unwrap();
    let transport = transport(&guild);
    let channel = channel(&guild, &transport).await;
    let posts = (0..30).map(|number| {
        let message = new(&number.to_string(), &format!("n{number}"));
        transport.post(channel, message, None)
    });
    let posted: Vec<_> = join_all(posts).await.into_iter().map(Result::unwrap).collect();
    let edits = posted.iter().map(|message| transport.edit(channel, message.id, new("edited", "")));
    join_all(edits).await.into_iter().for_each(|edit| drop(edit.unwrap()));
    assert_eq!(guild.stats().too_many_requests, 0);
    // The headers of a delete do not tell which of three windows the next message's age falls into; the longer all
    // this takes, the more ages there are.
    let deletes = posted.iter().map(|message| transport.delete_message(channel, message.id));
    join_all(deletes).await.into_iter().for_each(Result::unwrap);
    assert!(guild.stats().too_many_requests <= 8, "{:?}", guild.stats());
}

#[tokio::test]
async fn a_history_limit_in_no_header_costs_few_429s() {
    let guild = LocalGuild::builder().limits(hurried()).start().await.unwrap();
    let transport = transport(&guild);
    let channel = channel(&guild, &transport).await;
    for _ in 0..30 {
        transport.history(channel, HistoryPage::Newest).await.unwrap();
    }
    let stats = guild.stats();
    assert!(stats.too_many_requests <= 5, "{stats:?}");
}

#[tokio::test]
async fn whatever_goes_wrong_a_post_makes_one_message() {
    let mut actions = vec![
        Action::LoseRequest,
        Action::LoseReply,
        Action::DelayReply { ms: 20_000 },
        Action::StallBody,
        Action::ServerError { status: 500, executed: true },
        Action::ServerError { status: 503, executed: false },
    ];
    for limit in [Limit::User, Limit::Shared, Limit::Global, Limit::Cloudflare] {
        actions.push(Action::TooManyRequests { limit, retry_after: 0.3 });
    }
    for action in actions {
        let guild = LocalGuild::builder().limits(hurried()).start().await.unwrap();
        let mut config = config(&guild);
        // Only what does not end by itself is given up early: the rest may take its time on a busy machine.
        match action {
            Action::DelayReply { .. } => config.deadlines.answer = ms(2_000),
            Action::StallBody => config.deadlines.piece = ms(1_500),
            _ => {}
        }
        let transport = TwilightTransport::new(config).unwrap();
        let channel = channel(&guild, &transport).await;
        guild.faults().push(Rule::new(action.clone()).on(POST.0, POST.1).times(2));
        let posted = transport.post(channel, new("text", "n"), None).await.unwrap();
        let history = transport.history(channel, HistoryPage::Newest).await.unwrap();
        assert_eq!(history, [posted], "{action:?}");
        let posts = guild.stats().by_route.get("POST /channels/{channel}/messages").copied();
        assert_eq!(posts, Some(3), "{action:?}");
    }
}

#[tokio::test]
async fn a_refusal_has_no_effect() {
    let guild = LocalGuild::builder().start().await.unwrap();
    let transport = transport(&guild);
    let channel = channel(&guild, &transport).await;
    guild.faults().push(Rule::new(Action::AutoMod).on(POST.0, POST.1));
    let refused = transport.post(channel, new("text", "n"), None).await;
    assert!(matches!(&refused, Err(TransportError::Refused(failure)) if failure.code == Some(200_000)));
    let missing = transport.post(ChannelId::new(5), new("text", "n"), None).await;
    assert!(matches!(&missing, Err(TransportError::Missing(failure)) if failure.code == Some(10_003)));
    assert!(transport.history(channel, HistoryPage::Newest).await.unwrap().is_empty());

    let mut config = TwilightConfig::new("local.guild.wrong");
    config.api = guild.api().parse().unwrap();
    let stranger = TwilightTransport::new(config).unwrap();
    assert!(matches!(stranger.me().await, Err(TransportError::Unauthorized(_))));
}

#[tokio::test]
async fn events_survive_what_happens_to_connections() {
    let guild = LocalGuild::builder().start().await.unwrap();
    let transport = transport(&guild);
    let channel = channel(&guild, &transport).await;
    let mut events = transport.events().await.unwrap();
    for how in 0..3 {
        match how {
            0 => drop(guild.drop_sockets()),
            1 => drop(guild.ask_to_reconnect()),
            _ => drop(guild.close_sockets(4_000)),
        }
        let content = format!("m{how}");
        transport.post(channel, new(&content, &content), None).await.unwrap();
        let event = next(&mut events).await;
        assert!(matches!(&event, Event::Posted(posted) if posted.content == content), "{how}: {event:?}");
    }
    // A session that is gone for good is a gap, and events go on after it.
    guild.invalidate_sessions();
    assert!(matches!(next(&mut events).await, Event::Gap));
    transport.post(channel, new("after", "after"), None).await.unwrap();
    assert!(matches!(next(&mut events).await, Event::Posted(posted) if posted.content == "after"));
    guild.close_sockets(4_014);
    assert!(matches!(next(&mut events).await, Event::Closed(_)));
}

#[tokio::test]
async fn an_unknown_message_is_missing_and_a_hidden_channel_too() {
    let guild = LocalGuild::builder().start().await.unwrap();
    let transport = transport(&guild);
    let channel = channel(&guild, &transport).await;
    let missing = transport.message(channel, MessageId::new(5)).await;
    assert!(matches!(&missing, Err(TransportError::Missing(failure)) if failure.code == Some(10_008)));
}
