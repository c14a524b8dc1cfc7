//! The shell around the pure parts: the lock, the clock, the socket that is listened on.
//!
//! Callers: [`crate::LocalGuild`] starts and stops it; `http` and `gateway` work through [`Shared`].
//! Invariant: effects are drained and submitted under the lock of the state, so that the file and the
//! gateway see changes in the order in which they happened.

mod listen;
mod stats;

pub(crate) use listen::listen;
pub use stats::Stats;

use parking_lot::Mutex;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

use crate::clock::Clock;
use crate::faults::Faults;
use crate::gateway::Hub;
use crate::limits::Rates;
use crate::state::State;
use crate::store::{Store, Ticket};

/// What all connections share.
pub(crate) struct Shared {
    pub(crate) core: Mutex<Core>,
    pub(crate) store: Store,
    /// How far away the guild is.
    pub(crate) round_trip: Duration,
    pub(crate) hub: Arc<Hub>,
    pub(crate) faults: Arc<Faults>,
    pub(crate) stats: Mutex<Stats>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) address: String,
    pub(crate) stop: watch::Sender<bool>,
    /// Called whenever an application answered an interaction, or said more.
    pub(crate) answered: tokio::sync::Notify,
}

/// What is behind the one lock.
pub(crate) struct Core {
    pub(crate) state: State,
    pub(crate) rates: Rates,
}

impl Shared {
    pub(crate) fn now_ms(&self) -> u64 {
        self.clock.now_ms()
    }

    pub(crate) fn gateway_url(&self) -> String {
        format!("ws://{}", self.address)
    }

    /// Waits until the server is told to stop.
    pub(crate) async fn stopped(&self) {
        let mut stop = self.stop.subscribe();
        // The sender lives in `self`: the wait cannot fail.
        drop(stop.wait_for(|stop| *stop).await);
    }

    /// Submits what was changed since the lock was taken. A reply may be sent once the ticket is safe: it
    /// covers all that the reply can have seen.
    pub(crate) fn settle(&self, core: &mut Core) -> Ticket {
        let effects = core.state.take_effects();
        let last_id = core.state.last_id();
        self.store.submit(effects, last_id)
    }
}
