//! One gateway connection, from hello to close.
//!
//! Callers: `http`, with an upgraded socket. Invariants: events are sent in the order of their sequence
//! numbers; what a client may not do closes the connection with the documented code.

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::{Message, protocol::CloseFrame};

use super::Close;
use super::hub::{Order, Refused, Wake};
use super::payload::{Command, Identify, parse};
use super::session::{Asked, Lost};
use crate::limits::Window;
use crate::server::Shared;
use crate::state::{Guild, State, User};
use crate::store::Ticket;
use crate::{intents, wire};

/// How a connection ends.
enum End {
    /// Nobody is there any more.
    Gone,
    /// The client closed it; codes 1000 and 1001 end the session too.
    Left(bool),
    /// We close it.
    Close(Close),
    /// We break it.
    Cut,
}

struct Connection<S> {
    shared: Arc<Shared>,
    socket: WebSocketStream<S>,
    number: u64,
    wake: Arc<Wake>,
    /// The session it reads, and the last sequence number it has sent.
    session: Option<(String, u64)>,
    sends: Window,
    /// Until when it neither reads nor writes, as a connection whose other end is gone.
    silent_until: Option<tokio::time::Instant>,
}

/// Serves a connection until it ends.
pub(crate) async fn serve<S>(shared: Arc<Shared>, socket: WebSocketStream<S>, version: Option<u64>)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let (number, wake) = shared.hub.connect();
    let mut connection = Connection {
        shared,
        socket,
        number,
        wake,
        session: None,
        sends: Window::default(),
        silent_until: None,
    };
    let end = if version.is_some_and(|version| version >= 9) {
        connection.run().await
    } else {
        End::Close(Close::InvalidVersion)
    };
    let ended = match end {
        End::Left(ended) => {
            // The answer to the client's close is queued and must leave; then the server, not the client, ends the
            // connection (RFC 6455, section 7.1.1).
            let _late = tokio::time::timeout(Duration::from_secs(1), connection.socket.flush()).await;
            ended
        }
        // Discord docs, "Opcodes and Status Codes": which close codes allow to reconnect is the client's
        // business. The session itself stays, unless it is what has ended: "reconnect and start a new one".
        End::Close(close) => {
            let frame = CloseFrame { code: CloseCode::from(close.code()), reason: close.reason().into() };
            let closing = async {
                let _gone = connection.socket.close(Some(frame)).await;
                while let Some(Ok(_)) = connection.socket.next().await {}
            };
            let _late = tokio::time::timeout(Duration::from_secs(1), closing).await;
            close.code() == Close::SessionTimedOut.code()
        }
        End::Gone | End::Cut => false,
    };
    let now_ms = connection.shared.now_ms();
    let session = connection.session.as_ref().map(|(id, _)| id.as_str());
    let limits = connection.shared.core.lock().state.limits().clone();
    connection.shared.hub.disconnect(&limits, connection.number, session, ended, now_ms);
}

impl<S: AsyncRead + AsyncWrite + Unpin> Connection<S> {
    async fn run(&mut self) -> End {
        let interval_ms = self.shared.core.lock().state.limits().heartbeat_interval_ms;
        let hello = json!({"heartbeat_interval": interval_ms, "_trace": []});
        if let Err(end) = self.send(10, &hello).await {
            return end;
        }
        // A heartbeat may be late by half an interval.
        let patience = Duration::from_millis(interval_ms.saturating_add(interval_ms / 2));
        let silence = tokio::time::sleep(patience);
        tokio::pin!(silence);
        let shared = Arc::clone(&self.shared);
        let stopped = shared.stopped();
        tokio::pin!(stopped);
        let wake = Arc::clone(&self.wake);
        loop {
            let step = tokio::select! {
                () = wake.call.notified() => self.woken().await,
                () = until(self.silent_until) => {
                    self.silent_until = None;
                    silence.as_mut().reset(tokio::time::Instant::now() + patience);
                    self.send_events().await
                }
                message = self.socket.next(), if self.silent_until.is_none() => match self.received(message).await {
                    Ok(heartbeat) => {
                        if heartbeat {
                            silence.as_mut().reset(tokio::time::Instant::now() + patience);
                        }
                        Ok(())
                    }
                    Err(end) => Err(end),
                },
                () = &mut silence, if self.silent_until.is_none() => Err(End::Close(Close::SessionTimedOut)),
                () = &mut stopped => Err(End::Close(Close::GoingAway)),
            };
            if let Err(end) = step {
                return end;
            }
        }
    }

    async fn woken(&mut self) -> Result<(), End> {
        match self.wake.take_order() {
            Some(Order::Cut) => return Err(End::Cut),
            Some(Order::Close(close)) => return Err(End::Close(close)),
            // Discord docs, "Gateway Events": Reconnect, Invalid Session.
            Some(Order::Reconnect) => {
                self.send(7, &Value::Null).await?;
                return Err(End::Close(Close::GoingAway));
            }
            Some(Order::Invalidate) => return self.invalidate().await,
            Some(Order::Suspend) => return self.suspend().await,
            Some(Order::Silence(ms)) => {
                self.silent_until = Some(tokio::time::Instant::now() + Duration::from_millis(ms));
            }
            None => {}
        }
        if self.silent_until.is_some() {
            return Ok(());
        }
        self.send_events().await
    }

    /// Sends what the session has and this connection has not sent yet.
    async fn send_events(&mut self) -> Result<(), End> {
        loop {
            let Some((id, sent)) = &mut self.session else { return Ok(()) };
            // A reader that fell behind the replay buffer has missed events: it must start over.
            let Some(events) = self.shared.hub.read(id, self.number, *sent) else { return Err(End::Cut) };
            let Some((last, _)) = events.last() else { return Ok(()) };
            *sent = *last;
            for (_, text) in events {
                self.socket.feed(Message::Text(text)).await.map_err(|_| End::Gone)?;
            }
            self.socket.flush().await.map_err(|_| End::Gone)?;
        }
    }

    /// Takes a frame from the client. Says whether it was a heartbeat.
    async fn received(
        &mut self,
        message: Option<Result<Message, tokio_tungstenite::tungstenite::Error>>,
    ) -> Result<bool, End> {
        let text = match message {
            Some(Ok(Message::Text(text))) => text,
            Some(Ok(Message::Binary(bytes))) => match String::from_utf8(bytes.into()) {
                Ok(text) => text.into(),
                Err(_) => return Err(End::Close(Close::DecodeError)),
            },
            Some(Ok(Message::Close(frame))) => {
                // Discord docs, "Gateway": a client that closes with 1000 or 1001 ends its session.
                let code = frame.map(|frame| u16::from(frame.code));
                return Err(End::Left(matches!(code, Some(1000 | 1001))));
            }
            Some(Ok(_)) => return Ok(false),
            Some(Err(_)) | None => return Err(End::Gone),
        };
        let now_ms = self.shared.now_ms();
        let limits = self.shared.core.lock().state.limits().clone();
        // Discord docs, "Gateway": Rate Limiting, and the size of payloads.
        if let Some(rate) = limits.gateway_sends {
            self.sends.check(rate, now_ms).map_err(|_| End::Close(Close::RateLimited))?;
            self.sends.take(rate, now_ms);
        }
        if text.len() > limits.gateway_payload {
            return Err(End::Close(Close::DecodeError));
        }
        let command = parse(&text).map_err(End::Close)?;
        match command {
            Command::Heartbeat => {
                self.send_text(r#"{"t":null,"s":null,"op":11,"d":null}"#.to_owned()).await?;
                return Ok(true);
            }
            Command::Identify(_) | Command::Resume { .. } if self.session.is_some() => {
                return Err(End::Close(Close::AlreadyAuthenticated));
            }
            Command::Identify(identify) => self.identify(identify, now_ms).await?,
            Command::Resume { token, session_id, sequence } => {
                self.resume(&token, session_id, sequence, now_ms).await?;
            }
            _ if self.session.is_none() => return Err(End::Close(Close::NotAuthenticated)),
            Command::RequestMembers { guild_id, query, user_ids, limit, nonce } => {
                self.request_members(guild_id, query.as_deref(), &user_ids, limit, nonce)?;
                self.send_events().await?;
            }
            Command::Ignored => {}
        }
        Ok(false)
    }

    async fn identify(&mut self, identify: Identify, now_ms: u64) -> Result<(), End> {
        match self.open_session(&identify, now_ms)? {
            Some(ticket) => {
                self.shared.store.safe(ticket).await.map_err(|_| End::Cut)?;
                self.send_events().await
            }
            None => self.invalidate().await,
        }
    }

    /// Opens a session; nothing if the client identified too soon after the last time.
    fn open_session(&mut self, identify: &Identify, now_ms: u64) -> Result<Option<Ticket>, End> {
        let mut core = self.shared.core.lock();
        let token = identify.token.strip_prefix("Bot ").unwrap_or(&identify.token);
        let bot = core.state.bot_by_token(token).cloned();
        let bot = bot.ok_or(End::Close(Close::AuthenticationFailed))?;
        let application = bot.application.as_ref().ok_or(End::Close(Close::AuthenticationFailed))?;
        if identify.intents & !intents::ALL != 0 {
            return Err(End::Close(Close::InvalidIntents));
        }
        // Discord docs, "Gateway": Privileged Intents must be switched on in the developer portal.
        let privileged = [
            (intents::GUILD_MEMBERS, application.guild_members),
            (intents::GUILD_PRESENCES, application.guild_presences),
            (intents::MESSAGE_CONTENT, application.message_content),
        ];
        if privileged.iter().any(|(bit, allowed)| identify.intents & bit != 0 && !allowed) {
            return Err(End::Close(Close::DisallowedIntents));
        }
        let limits = core.state.limits().clone();
        match self.shared.hub.count_identify(&limits, now_ms, bot.id) {
            Ok(()) => {}
            Err(Refused::TooSoon) => return Ok(None),
            Err(Refused::TooMany) => return Err(End::Close(Close::AuthenticationFailed)),
        }
        let shard = identify.shard.unwrap_or((0, 1));
        let id = format!("{:032x}", core.state.next_id(now_ms));
        let first = first_events(&core.state, &bot, identify, shard, &id, &self.shared.gateway_url());
        // Under the lock of the state, so that no event falls between these and the following ones.
        let asked = Asked { user_id: bot.id, intents: identify.intents, shard };
        self.shared.hub.open(&id, asked, self.number, limits.replay_events, &first);
        self.session = Some((id, 0));
        Ok(Some(self.shared.settle(&mut core)))
    }

    async fn resume(
        &mut self,
        token: &str,
        session_id: String,
        sequence: u64,
        now_ms: u64,
    ) -> Result<(), End> {
        let token = token.strip_prefix("Bot ").unwrap_or(token);
        let resumed = {
            let core = self.shared.core.lock();
            let bot = core.state.bot_by_token(token).map(|bot| bot.id);
            let bot = bot.ok_or(End::Close(Close::AuthenticationFailed))?;
            let limits = core.state.limits();
            self.shared.hub.resume(limits, now_ms, &session_id, bot, sequence, self.number)
        };
        match resumed {
            Ok(_) => {
                self.session = Some((session_id, sequence));
                self.send_events().await
            }
            Err(Lost::Future) => Err(End::Close(Close::InvalidSequence)),
            Err(Lost::Forgotten) => self.invalidate().await,
        }
    }

    /// Discord docs, "Gateway Events": Invalid Session with true. The client may resume.
    async fn suspend(&mut self) -> Result<(), End> {
        if let Some((id, _)) = self.session.take() {
            self.shared.hub.suspend(&id, self.number, self.shared.now_ms());
        }
        self.send(9, &Value::Bool(true)).await
    }

    /// Discord docs, "Gateway Events": Invalid Session. The client is to identify anew on this connection.
    async fn invalidate(&mut self) -> Result<(), End> {
        if let Some((id, _)) = self.session.take() {
            self.shared.hub.end(&id, self.number);
        }
        self.send(9, &Value::Bool(false)).await
    }

    fn request_members(
        &mut self,
        guild_id: u64,
        query: Option<&str>,
        user_ids: &[u64],
        limit: usize,
        nonce: Option<String>,
    ) -> Result<(), End> {
        let Some((id, _)) = &self.session else { return Ok(()) };
        let core = self.shared.core.lock();
        let asked = self.shared.hub.asked(id).ok_or(End::Cut)?;
        let Ok(guild) = core.state.guild_for(asked.user_id, guild_id) else { return Ok(()) };
        // Discord docs, "Gateway Events": Request Guild Members. The whole list needs GUILD_MEMBERS.
        let everybody = query == Some("") && limit == 0;
        if everybody && asked.intents & intents::GUILD_MEMBERS == 0 {
            return Err(End::Close(Close::DisallowedIntents));
        }
        let matches = |id: u64| match query {
            Some(start) => core
                .state
                .user(id)
                .is_some_and(|user| user.name.to_lowercase().starts_with(&start.to_lowercase())),
            None => user_ids.contains(&id),
        };
        let count = if limit == 0 { usize::MAX } else { limit };
        let members: Vec<Value> = guild
            .members
            .values()
            .filter(|member| matches(member.user_id))
            .take(count)
            .map(|member| wire::member(&core.state, guild, member))
            .collect();
        let unknown: Vec<Value> =
            user_ids.iter().filter(|id| !guild.members.contains_key(id)).copied().map(wire::id).collect();
        let mut chunk = json!({
            "guild_id": wire::id(guild_id), "members": members, "chunk_index": 0, "chunk_count": 1,
            "not_found": unknown,
        });
        if let (Some(nonce), Some(map)) = (nonce, chunk.as_object_mut()) {
            map.insert("nonce".to_owned(), json!(nonce));
        }
        self.shared.hub.push_to(id, "GUILD_MEMBERS_CHUNK", &chunk.to_string());
        Ok(())
    }

    async fn send(&mut self, op: u64, data: &Value) -> Result<(), End> {
        self.send_text(format!(r#"{{"t":null,"s":null,"op":{op},"d":{data}}}"#)).await
    }

    async fn send_text(&mut self, text: String) -> Result<(), End> {
        self.socket.send(Message::text(text)).await.map_err(|_| End::Gone)
    }
}

/// Waits until then, or for ever.
async fn until(instant: Option<tokio::time::Instant>) {
    match instant {
        Some(instant) => tokio::time::sleep_until(instant).await,
        None => std::future::pending().await,
    }
}

/// READY and the guilds. Discord docs, "Gateway Events": Ready, Guild Create.
fn first_events(
    state: &State,
    bot: &User,
    identify: &Identify,
    shard: (u64, u64),
    session_id: &str,
    url: &str,
) -> Vec<(&'static str, String)> {
    let of_shard = |guild: &&Guild| (guild.id >> 22) % shard.1.max(1) == shard.0;
    let guilds: Vec<&Guild> = state.guilds_of(bot.id).filter(of_shard).collect();
    let unavailable = |guild: &&Guild| json!({"id": wire::id(guild.id), "unavailable": true});
    let ready = json!({
        "v": 10,
        "user": wire::me(bot),
        "guilds": guilds.iter().map(unavailable).collect::<Vec<_>>(),
        "session_id": session_id,
        "session_type": "normal",
        "resume_gateway_url": url,
        "shard": [shard.0, shard.1],
        "application":
            {"id": wire::maybe_id(bot.application.as_ref().map(|one| one.id)), "flags": wire::flags(bot)},
        "private_channels": [],
        "presences": [],
        "relationships": [],
        "user_settings": {},
        "guild_join_requests": [],
        "geo_ordered_rtc_regions": [],
        "_trace": [],
    });
    let mut first = vec![("READY", ready.to_string())];
    if identify.intents & intents::GUILDS != 0 {
        let presences = identify.intents & intents::GUILD_PRESENCES != 0;
        let threshold = identify.large_threshold;
        let create =
            |guild: &Guild| wire::guild_create(state, guild, bot.id, threshold, presences).to_string();
        first.extend(guilds.into_iter().map(|guild| ("GUILD_CREATE", create(guild))));
    }
    first
}
