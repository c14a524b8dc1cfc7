//! A bot that counts what everybody writes, and keeps the points in discobase: one point a message, `/top` shows the
//! best.
//!
//! Runs on a local guild in memory, with people who write; with `DISCORD_TOKEN` set, on Discord until Ctrl-C. It needs no
//! privileged intent: who wrote is told without what they wrote.
#![expect(clippy::print_stdout, reason = "an example talks to its user")]

use discobase::{Database, Table};
use discobase_guild::LocalGuild;
use discobase_guild::state::{Doing, Given, Outcome};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};
use tokio::task::JoinSet;
use twilight_gateway::{ConfigBuilder, Event, EventTypeFlags, Intents, Shard, ShardId, StreamExt as _};
use twilight_http::Client;
use twilight_model::application::interaction::{Interaction, InteractionData};
use twilight_model::channel::Message;
use twilight_model::http::interaction::{
    InteractionResponse, InteractionResponseData, InteractionResponseType,
};
use twilight_model::id::Id;
use twilight_model::id::marker::ApplicationMarker;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

#[derive(Debug, Clone, PartialEq, Table)]
#[table(name = "scores")]
struct Score {
    #[table(key)]
    user_id: u64,
    #[table(max_len = 32)]
    name: String,
    #[table(index)]
    points: i64,
    /// The newest message that counted: the gateway may send an event twice.
    last_message: u64,
}

/// The messages of one person that came in while the last points were being saved.
#[derive(Debug, Default)]
struct Tally {
    name: String,
    messages: BTreeSet<u64>,
}

/// Counts messages of people. Discord takes about one message a second in a channel, and so a commit a second is what
/// there is room for: whatever comes in meanwhile goes into the next one together.
async fn count(db: Database, mut messages: UnboundedReceiver<Message>) -> Result<()> {
    let mut waiting = Vec::new();
    while messages.recv_many(&mut waiting, 1000).await > 0 {
        let mut tallies = BTreeMap::<u64, Tally>::new();
        for message in waiting.drain(..).filter(|message| !message.author.bot) {
            let tally = tallies.entry(message.author.id.get()).or_default();
            tally.name = message.author.name;
            tally.messages.insert(message.id.get());
        }
        let mut writes = JoinSet::new();
        for (user_id, tally) in tallies {
            writes.spawn(add(db.clone(), user_id, tally));
        }
        while let Some(written) = writes.join_next().await {
            written??;
        }
    }
    Ok(())
}

async fn add(db: Database, user_id: u64, tally: Tally) -> Result<()> {
    let Tally { name, messages } = tally;
    let Some(last_message) = messages.last().copied() else { return Ok(()) };
    match Score::get(&db, user_id).await? {
        None => {
            let points = i64::try_from(messages.len())?;
            Score { user_id, name, points, last_message }.save(&db).await?;
        }
        Some(mut score) => {
            let new = messages.iter().filter(|id| **id > score.last_message).count();
            if new > 0 {
                score.points += i64::try_from(new)?;
                score.last_message = last_message;
                score.update().await?;
            }
        }
    }
    Ok(())
}

async fn top(db: &Database) -> Result<String> {
    let best = Score::find(db).order_by(|score| score.points.desc()).limit(10).all().await?;
    let lines = best.iter().enumerate();
    let lines = lines.map(|(place, one)| format!("{}. {} ({})", place + 1, one.name, one.points));
    let lines: Vec<String> = lines.collect();
    Ok(if lines.is_empty() { "Nobody has written anything yet.".to_owned() } else { lines.join("\n") })
}

/// The bot beside its database.
struct Bot {
    db: Database,
    http: Client,
    application: Id<ApplicationMarker>,
    shard: Shard,
}

impl Bot {
    /// Registers the command and connects to the gateway.
    async fn start(db: Database, token: String, api: Option<String>) -> Result<Self> {
        let mut http = Client::builder().token(token.clone());
        if let Some(api) = &api {
            http = http.proxy(api.trim_start_matches("http://").to_owned(), true);
        }
        let http = http.build();
        let application = http.current_user_application().await?.model().await?.id;
        let guild = Id::new(db.guild()?.id.get());
        let interactions = http.interaction(application);
        interactions.create_guild_command(guild).chat_input("top", "Shows who wrote most").await?;
        let mut config = ConfigBuilder::new(token, Intents::GUILDS | Intents::GUILD_MESSAGES);
        if api.is_some() {
            config = config.proxy_url(http.gateway().await?.model().await?.url);
        }
        let shard = Shard::with_config(ShardId::ONE, config.build());
        Ok(Self { db, http, application, shard })
    }

    /// Commands are answered at once, whatever is still being saved.
    async fn run(mut self) -> Result<()> {
        let (messages, received) = tokio::sync::mpsc::unbounded_channel();
        let counting = count(self.db.clone(), received);
        tokio::select! {
            ended = self.listen(messages) => ended,
            failed = counting => failed,
        }
    }

    async fn listen(&mut self, messages: UnboundedSender<Message>) -> Result<()> {
        let wanted = EventTypeFlags::MESSAGE_CREATE | EventTypeFlags::INTERACTION_CREATE;
        while let Some(event) = self.shard.next_event(wanted).await {
            match event {
                Ok(Event::MessageCreate(created)) => messages.send(created.message)?,
                Ok(Event::InteractionCreate(interaction)) => self.answer(&interaction).await?,
                Ok(_) => {}
                // The shard connects anew by itself; what is fatal ends the stream.
                Err(error) => println!("gateway: {error}"),
            }
        }
        Ok(())
    }

    async fn answer(&self, interaction: &Interaction) -> Result<()> {
        let Some(InteractionData::ApplicationCommand(command)) = &interaction.data else { return Ok(()) };
        if command.name != "top" {
            return Ok(());
        }
        let data = InteractionResponseData { content: Some(top(&self.db).await?), ..Default::default() };
        let kind = InteractionResponseType::ChannelMessageWithSource;
        let response = InteractionResponse { kind, data: Some(data) };
        let interactions = self.http.interaction(self.application);
        interactions.create_response(interaction.id, &interaction.token, &response).await?;
        Ok(())
    }
}

#[tokio::main]
async fn main() -> Result<()> {
    let db = Database::new("leaderboard");
    db.table::<Score>()?;
    if let Ok(token) = std::env::var("DISCORD_TOKEN") {
        db.connect_env("target/leaderboard.redb").await?;
        let bot = Bot::start(db.clone(), token, std::env::var("DISCORD_API").ok()).await?;
        println!("counting; /top shows the best");
        tokio::select! {
            ended = bot.run() => ended?,
            interrupted = tokio::signal::ctrl_c() => interrupted?,
        }
    } else {
        let guild = LocalGuild::builder().start().await?;
        db.connect_guild(&guild).await?;
        let bot = Bot::start(db.clone(), guild.token().to_owned(), Some(guild.api().to_owned())).await?;
        tokio::select! {
            ended = bot.run() => ended?,
            shown = people(&guild, &db) => println!("{}", shown?),
        }
    }
    db.close().await?;
    Ok(())
}

/// Three people write, and one of them asks who wrote most.
async fn people(guild: &LocalGuild, db: &Database) -> Result<String> {
    // The database listens to the gateway, too.
    while guild.sessions() < 2 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let home = guild.guild_id();
    let general = guild.with_state(|state, _| state.channels_of(home).next().map(|channel| channel.id));
    let channel = general.ok_or("a new guild has a channel")?;
    for (name, messages) in [("ada", 3), ("grace", 5), ("linus", 1)] {
        let user = guild.with_state(|state, now_ms| {
            let user = state.add_person(now_ms, name);
            state.join(now_ms, home, user, 0);
            user
        });
        for number in 0..messages {
            guild.post_as(user, channel, &format!("message {number}"))?;
        }
    }
    while Score::find(db).all().await?.iter().map(|score| score.points).sum::<i64>() < 9 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let given = Given { user: guild.owner_id(), channel, application: guild.application_id() };
    let command = Doing::Command {
        kind: 1,
        name: "top".to_owned(),
        target: None,
        options: Default::default(),
        focused: None,
    };
    let asked = guild.with_state(|state, now_ms| state.interact(now_ms, given, &command))?;
    loop {
        let answer = guild.with_state(|state, _| match state.interaction(asked)?.outcome.as_ref()? {
            Outcome::Message(id) => Some(state.seen_message(channel, *id)?.content.clone()),
            _ => None,
        });
        match answer {
            Some(answer) => return Ok(answer),
            None => tokio::time::sleep(Duration::from_millis(10)).await,
        }
    }
}
