//! The local guild as a thing one starts, uses and stops.
//!
//! Callers: users of the crate, and the program. Invariant: when a [`LocalGuild`] is stopped or dropped its
//! file is closed before the call returns, and its port is let go as soon as the runtime runs again.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::clock::{Clock, SystemClock};
use crate::error::GuildError;
use crate::faults::Faults;
use crate::gateway::{Close, Hub, Order};
use crate::limits::{Limits, Rates};
use crate::server::{Core, Shared, Stats, listen};
use crate::state::{Home, Posted, Refusal, Seed, State};
use crate::store::{Opened, Publish, Store};

/// How a local guild is to be started. All of it is optional.
pub struct Builder {
    data: Option<PathBuf>,
    port: u16,
    guild_name: String,
    token: Option<String>,
    limits: Limits,
    round_trip: Duration,
    clock: Arc<dyn Clock>,
    sync: bool,
}

impl Builder {
    /// Keeps everything in a file, which is made if it does not exist. Without it all is in memory.
    #[must_use]
    pub fn data(mut self, path: impl Into<PathBuf>) -> Self {
        self.data = Some(path.into());
        self
    }

    /// Listens on this port of the loopback interface; 0, the default, takes any free one.
    #[must_use]
    pub fn port(mut self, port: u16) -> Self {
        self.port = port;
        self
    }

    /// Names the guild, if it is made now. By default it is called `discobase`.
    #[must_use]
    pub fn guild_name(mut self, name: impl Into<String>) -> Self {
        self.guild_name = name.into();
        self
    }

    /// Sets the bot's token. By default a new guild makes one up and its file keeps it.
    #[must_use]
    pub fn token(mut self, token: impl Into<String>) -> Self {
        self.token = Some(token.into());
        self
    }

    /// Sets limits; by default Discord's.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Puts the guild so far away: half of it passes before a request is looked at, half of it before its reply is sent.
    /// Requests of several connections travel side by side; how many bytes they have does not matter. Events of the gateway
    /// and the control endpoints are not delayed. By default it is as near as it is.
    #[must_use]
    pub fn round_trip(mut self, round_trip: Duration) -> Self {
        self.round_trip = round_trip;
        self
    }

    /// Whether a reply waits until the disk has what it confirms; by default it does. Otherwise what was
    /// confirmed survives the end of the process, but perhaps not that of the system.
    #[must_use]
    pub fn sync(mut self, sync: bool) -> Self {
        self.sync = sync;
        self
    }

    /// Sets a clock; by default the machine's.
    #[must_use]
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// Starts the guild on the current runtime.
    ///
    /// # Errors
    /// The port is taken, or the data file is in use, damaged or of another format.
    pub async fn start(self) -> Result<LocalGuild, GuildError> {
        let listener = bind(self.port).await?;
        let address = listener.local_addr().map_err(|source| listen_error(self.port, source))?.to_string();
        let now_ms = self.clock.now_ms();
        let opened = self.data.as_deref().map(|path| Opened::open(path, self.sync)).transpose()?;
        let faults = Arc::new(Faults::default());
        let hub = Arc::new(Hub::new(Arc::clone(&faults)));
        let publish: Publish = {
            let hub = Arc::clone(&hub);
            Arc::new(move |events| hub.publish(&events))
        };

        let seed = |token: Option<String>| -> Result<Seed, GuildError> {
            let secret = random()?;
            let token = token.map_or_else(|| made_up_token(secret), Ok)?;
            Ok(Seed { guild_name: self.guild_name.clone(), token, secret })
        };
        let (mut state, store) = match opened {
            None => (State::new(now_ms, &seed(self.token)?, self.limits), Store::memory(publish)),
            Some(mut opened) => {
                let state = match opened.snapshot.take() {
                    Some(snapshot) => {
                        let mut state = State::restore(now_ms, snapshot, self.limits);
                        if let Some(token) = self.token {
                            let bot = state.home().bot_id;
                            state.set_token(bot, &token);
                        }
                        state
                    }
                    None => {
                        let seed = seed(self.token)?;
                        let state = State::new(now_ms, &seed, self.limits);
                        opened.found(state.home(), seed.secret)?;
                        state
                    }
                };
                (state, Store::File(opened.serve(publish)?))
            }
        };
        let api = format!("http://{address}");
        state.serve_at(&api);
        let home = state.home();
        let application = state.user(home.bot_id).and_then(|bot| bot.application.clone());
        let token = application.map(|application| application.token).unwrap_or_default();
        let shared = Arc::new(Shared {
            core: parking_lot::Mutex::new(Core { state, rates: Rates::default() }),
            store,
            round_trip: self.round_trip,
            hub,
            faults,
            stats: parking_lot::Mutex::default(),
            clock: self.clock,
            address,
            stop: watch::Sender::new(false),
            answered: tokio::sync::Notify::new(),
        });
        let ticket = shared.settle(&mut shared.core.lock());
        let safe = shared.store.safe(ticket).await;
        safe.map_err(|reason| GuildError::File {
            path: self.data.unwrap_or_default(),
            source: reason.into(),
        })?;
        let gateway = shared.gateway_url();
        let task = tokio::spawn(listen(Arc::clone(&shared), listener));
        Ok(LocalGuild { shared, task: Some(task), api, gateway, home, token })
    }
}

/// A Discord of one's own, on a loopback port.
///
/// # Examples
/// ```
/// # tokio::runtime::Runtime::new().unwrap().block_on(async {
/// let guild = discobase_guild::LocalGuild::builder().guild_name("shop").start().await?;
/// assert!(guild.api().starts_with("http://127.0.0.1:"));
/// guild.stop().await;
/// # Ok::<(), discobase_guild::GuildError>(())
/// # }).unwrap();
/// ```
pub struct LocalGuild {
    shared: Arc<Shared>,
    task: Option<JoinHandle<()>>,
    api: String,
    gateway: String,
    home: Home,
    token: String,
}

impl LocalGuild {
    /// A builder with all defaults.
    pub fn builder() -> Builder {
        Builder {
            data: None,
            port: 0,
            guild_name: "discobase".to_owned(),
            token: None,
            limits: Limits::discord(),
            round_trip: Duration::ZERO,
            clock: Arc::new(SystemClock),
            sync: true,
        }
    }

    /// Where the REST interface is, without `/api/v10`.
    pub fn api(&self) -> &str {
        &self.api
    }

    /// Where the gateway is.
    pub fn gateway(&self) -> &str {
        &self.gateway
    }

    /// The guild that exists from the start.
    pub fn guild_id(&self) -> u64 {
        self.home.guild_id
    }

    /// The bot's application. Its id is also the id of the bot's user.
    pub fn application_id(&self) -> u64 {
        self.home.bot_id
    }

    /// The person who owns the guild.
    pub fn owner_id(&self) -> u64 {
        self.home.owner_id
    }

    /// The bot's token.
    pub fn token(&self) -> &str {
        &self.token
    }

    /// What was asked so far.
    pub fn stats(&self) -> Stats {
        self.shared.stats.lock().clone()
    }

    /// What shall go wrong.
    pub fn faults(&self) -> &Faults {
        &self.shared.faults
    }

    /// The direct door: looks at the state or changes it, with the current time in milliseconds. Events that
    /// this causes are sent; a change is safe when the next reply over HTTP is. Inside the closure use the
    /// state only: the guild's own methods would wait for it to end.
    pub fn with_state<R>(&self, act: impl FnOnce(&mut State, u64) -> R) -> R {
        let now_ms = self.shared.now_ms();
        let mut core = self.shared.core.lock();
        let result = act(&mut core.state, now_ms);
        self.shared.settle(&mut core);
        result
    }

    /// Posts a message as somebody else.
    ///
    /// # Errors
    /// Whatever Discord refuses them.
    pub fn post_as(&self, user: u64, channel: u64, content: &str) -> Result<Posted, Refusal> {
        self.with_state(|state, now_ms| state.post_as(now_ms, user, channel, content))
    }

    /// Deletes a message as the guild's owner.
    ///
    /// # Errors
    /// There is no such message.
    pub fn delete_as_moderator(&self, channel: u64, message: u64) -> Result<(), Refusal> {
        self.with_state(|state, now_ms| state.delete_as_moderator(now_ms, channel, message))
    }

    /// Deletes a channel as the guild's owner.
    ///
    /// # Errors
    /// There is no such channel.
    pub fn delete_channel_as_owner(&self, channel: u64) -> Result<(), Refusal> {
        self.with_state(|state, _| state.delete_channel_as_owner(channel))
    }

    /// Changes what the bot's own role allows.
    pub fn set_bot_permissions(&self, permissions: u64) {
        let Home { guild_id, bot_id, .. } = self.home;
        // The home guild always has its bot's role, unless the bot was kicked: then there is nothing to set.
        let _kicked = self.with_state(|state, _| state.set_bot_permissions(guild_id, bot_id, permissions));
    }

    /// Switches all privileged intents of the bot on in the developer portal, for bots that ask for them all.
    pub fn allow_privileged_intents(&self) {
        let bot = self.home.bot_id;
        self.with_state(|state, _| {
            state.set_privileged_intents(bot, true, true);
            state.set_presence_intent(bot, true);
        });
    }

    /// How many gateway sessions there are that a connection reads: those of bots that are there.
    pub fn sessions(&self) -> usize {
        self.shared.hub.sessions()
    }

    /// Breaks all gateway connections without a word. Sessions stay and can be resumed.
    pub fn drop_sockets(&self) -> usize {
        self.shared.hub.order_all(Order::Cut)
    }

    /// Closes all gateway connections with a code.
    pub fn close_sockets(&self, code: u16) -> usize {
        self.shared.hub.order_all(Order::Close(Close::Asked(code)))
    }

    /// Asks all gateway clients to reconnect and resume.
    pub fn ask_to_reconnect(&self) -> usize {
        self.shared.hub.order_all(Order::Reconnect)
    }

    /// Declares all sessions invalid that a connection reads.
    pub fn invalidate_sessions(&self) -> usize {
        self.shared.hub.order_all(Order::Invalidate)
    }

    /// Declares all sessions that a connection reads invalid for now: they can be resumed.
    pub fn suspend_sessions(&self) -> usize {
        self.shared.hub.order_all(Order::Suspend)
    }

    /// Leaves all gateway connections open and says nothing on them for a while, not even to heartbeats.
    pub fn silence_sockets(&self, time: Duration) -> usize {
        let ms = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        self.shared.hub.order_all(Order::Silence(ms))
    }

    /// Forgets the sessions that no connection reads, so that a resume comes too late.
    pub fn forget_sessions(&self) {
        self.shared.hub.forget_sessions();
    }

    /// Stops the guild: requests under way finish, the file is closed, the port is free.
    pub async fn stop(mut self) {
        self.shared.stop.send_replace(true);
        if let Some(task) = self.task.take() {
            let _panicked = task.await;
        }
        let shared = Arc::clone(&self.shared);
        let _panicked = tokio::task::spawn_blocking(move || shared.store.close()).await;
    }
}

impl Drop for LocalGuild {
    fn drop(&mut self) {
        if let Some(task) = self.task.take() {
            task.abort();
            self.shared.store.close();
        }
    }
}

impl std::fmt::Debug for LocalGuild {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LocalGuild")
            .field("api", &self.api)
            .field("guild_id", &self.home.guild_id)
            .finish_non_exhaustive()
    }
}

/// A guild that was just dropped lets go of its port when the runtime next runs: hence the patience.
async fn bind(port: u16) -> Result<TcpListener, GuildError> {
    let mut patience = if port == 0 { 0 } else { 50 };
    loop {
        match TcpListener::bind(("127.0.0.1", port)).await {
            Ok(listener) => return Ok(listener),
            Err(error) if patience > 0 && error.kind() == std::io::ErrorKind::AddrInUse => {
                patience -= 1;
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            Err(source) => return Err(listen_error(port, source)),
        }
    }
}

fn listen_error(port: u16, source: std::io::Error) -> GuildError {
    GuildError::Listen { address: format!("127.0.0.1:{port}"), source }
}

#[expect(clippy::disallowed_methods, reason = "here the environment is made that others are given")]
fn random() -> Result<[u8; 32], GuildError> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(|error| GuildError::Random(error.to_string()))?;
    Ok(bytes)
}

/// A token that looks like one and says what it is.
fn made_up_token(secret: [u8; 32]) -> Result<String, GuildError> {
    let random = blake3::derive_key("discobase-guild 2026 token", &secret);
    let hex = blake3::Hash::from_bytes(random).to_hex();
    Ok(format!("local.guild.{hex}"))
}
