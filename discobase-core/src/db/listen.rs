//! Listening to the gateway: what others do to the database's channels while it is open.

use std::sync::Arc;

use tokio::task::JoinHandle;

use crate::codec::message::read;
use crate::db::engine::{Engine, Role};
use crate::db::link::Link;
use crate::ids::{ChannelId, UserId};
use crate::transport::{Event, Events, Transport};

/// Starts the task that listens.
pub(crate) fn listen(transport: Arc<dyn Transport>, link: &Link) -> JoinHandle<()> {
    let (engine, journal, bot) = (Arc::clone(&link.engine), link.genesis.journal, link.bot.id);
    tokio::spawn(async move {
        match transport.events().await {
            Ok(events) => {
                if engine.role() == Role::Follower {
                    // What was posted after the journal was loaded and before this was not heard.
                    engine.look();
                }
                hear(events, &engine, journal, bot).await;
            }
            // The journal's tail is read regularly anyway; the gateway only makes it sooner.
            Err(error) => {
                tracing::warn!(
                    name: "no_gateway", target: "discobase::gateway", %error,
                    "no gateway session: the journal is read every 30 seconds instead"
                );
            }
        }
    })
}

async fn hear(mut events: Events, engine: &Engine, journal: ChannelId, bot: UserId) {
    while let Some(event) = events.recv().await {
        match event {
            Event::Posted(message) if message.channel == journal && message.author == bot => {
                match engine.incarnation() {
                    Err(_) => engine.heard(message),
                    Ok(own) if read(&message).is_none_or(|posted| posted.header().0.incarnation != own) => {
                        engine.look();
                    }
                    Ok(_) => {}
                }
            }
            Event::Posted(message) if message.channel == journal => {
                tracing::warn!(
                    name: "stranger", target: "discobase::journal",
                    channel = %journal, message = %message.id, author = %message.author,
                    "somebody wrote into the journal; the message is ignored"
                );
            }
            Event::Edited { channel, .. } if channel == journal && engine.role() == Role::Follower => {
                engine.look();
            }
            Event::Deleted { channel, message } if channel == journal && !engine.covers(message) => {
                tracing::error!(
                    name: "message_deleted", target: "discobase::journal", %channel, %message,
                    "a message of the journal was deleted: reading it anew"
                );
                engine.doubt();
            }
            Event::ChannelDeleted(channel) if engine.uses(channel) || channel == journal => {
                tracing::error!(
                    name: "channel_deleted", target: "discobase::guild", %channel,
                    "a channel of the database was deleted"
                );
            }
            Event::Channel(channel)
                if !channel.visible && (channel.id == journal || engine.uses(channel.id)) =>
            {
                tracing::error!(
                    name: "channel_hidden", target: "discobase::guild", channel = %channel.id,
                    "a channel of the database is hidden from the bot now"
                );
            }
            Event::Gap => engine.look(),
            Event::Closed(reason) => {
                tracing::warn!(
                    name: "no_gateway", target: "discobase::gateway", %reason,
                    "the gateway session ended for good: the journal is read every 30 seconds"
                );
            }
            _ => {}
        }
    }
}
