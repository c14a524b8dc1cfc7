//! How a database is opened.

use std::time::Duration;

use crate::codec::frame::Timing;
use crate::db::checkpoints::Settings;
use crate::db::discover::GuildChoice;
use crate::env::SharedEnv;
use crate::seal::KeySource;
use crate::transport::twilight::Endpoint;

/// What a [`DatabaseBuilder`](crate::DatabaseBuilder) chose.
#[derive(Clone)]
pub(crate) struct Options {
    pub(crate) guild: GuildChoice,
    /// The owner's name, if one was promised.
    pub(crate) owner: Option<String>,
    /// Whether the database is only followed.
    pub(crate) follow: bool,
    /// Whether a damaged database is opened with what is left of it.
    pub(crate) salvage: bool,
    /// How long the journal must be silent before a follower takes over by itself, if it does.
    pub(crate) stand_by: Option<Duration>,
    /// From how many bytes on commits wait for room in the queue.
    pub(crate) queue_limit: usize,
    /// How many bytes of what lookups read are kept.
    pub(crate) lookup_cache: usize,
    /// How many bytes a run of a lazy table may have to be read whole when the table is opened.
    pub(crate) small_runs: u64,
    pub(crate) timing: Timing,
    /// How long connecting waits for one answer.
    pub(crate) patience: Duration,
    /// How long a write waits before its outcome is reported as unknown, unless it says otherwise itself.
    pub(crate) deadline: Option<Duration>,
    /// Whether to hold a gateway session, so that the bot is shown as online and hears of changes.
    pub(crate) gateway: bool,
    /// What speaks Discord's protocol, if it is not Discord.
    pub(crate) api: Option<Endpoint>,
    /// Where the key of an encrypted database comes from.
    pub(crate) key: KeySource,
    /// Whether connecting applies migration steps.
    pub(crate) migrate: bool,
    /// Whether tables are made to fit their structs where that touches nothing that is in them.
    pub(crate) additive: bool,
    /// When checkpoints are written, and when what they make superfluous is deleted.
    pub(crate) checkpoints: Settings,
    pub(crate) env: SharedEnv,
}
