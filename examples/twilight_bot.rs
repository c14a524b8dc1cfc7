//! A bot that has nothing to do with discobase, tested on the local guild: it answers `!ping`.

use discobase_guild::LocalGuild;
use std::time::Duration;
use twilight_gateway::{ConfigBuilder, Event, EventTypeFlags, Intents, Shard, ShardId, StreamExt as _};
use twilight_http::Client;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

async fn bot(http: Client, mut shard: Shard) -> Result<()> {
    while let Some(event) = shard.next_event(EventTypeFlags::MESSAGE_CREATE).await {
        if let Event::MessageCreate(message) = event?
            && message.content == "!ping"
        {
            http.create_message(message.channel_id).reply(message.id).content("pong").await?;
        }
    }
    Ok(())
}

#[tokio::main]
async fn main() -> Result<()> {
    rustls::crypto::ring::default_provider().install_default().ok();
    let guild = LocalGuild::builder().start().await?;
    guild.allow_privileged_intents();

    // All that differs from Discord are two addresses and the token.
    let token = guild.token().to_owned();
    let address = guild.api().trim_start_matches("http://").to_owned();
    let http = Client::builder().proxy(address, true).token(token.clone()).build();
    let intents = Intents::GUILDS | Intents::GUILD_MESSAGES | Intents::MESSAGE_CONTENT;
    let config = ConfigBuilder::new(token, intents).proxy_url(guild.gateway().to_owned()).build();
    let bot = tokio::spawn(bot(http, Shard::with_config(ShardId::ONE, config)));
    while guild.sessions() == 0 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }

    // The owner asks; the answer stands below.
    let home = guild.guild_id();
    let general = guild.with_state(|state, _| state.channels_of(home).next().map(|channel| channel.id));
    let general = general.ok_or("a new guild has a channel")?;
    let asked = guild.post_as(guild.owner_id(), general, "!ping")?.message;
    let answer = loop {
        let last = guild.with_state(|state, _| state.messages_in(general).next_back().cloned());
        match last {
            Some(last) if last.id != asked.id => break last,
            _ if bot.is_finished() => return Err("the bot ended".into()),
            _ => tokio::time::sleep(Duration::from_millis(10)).await,
        }
    };
    assert_eq!((answer.content.as_str(), answer.reply_to), ("pong", Some(asked.id)));
    guild.stop().await;
    Ok(())
}
