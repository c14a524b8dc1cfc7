//! The environment of a simulated process: the paused clock, and random numbers from the seed.

use std::time::Duration;

use discobase_core::Env;
use parking_lot::Mutex;
use tokio::time::Instant;

use crate::rng::Rng;

/// Clock and random generator of one process.
#[derive(Debug)]
pub(crate) struct SimEnv {
    start: Instant,
    rng: Mutex<Rng>,
}

impl SimEnv {
    pub(crate) fn new(rng: Rng) -> Self {
        Self { start: Instant::now(), rng: Mutex::new(rng) }
    }
}

impl Env for SimEnv {
    fn monotonic(&self) -> Duration {
        self.start.elapsed()
    }

    fn random(&self, bytes: &mut [u8]) {
        self.rng.lock().fill(bytes);
    }

    fn inline(&self) -> bool {
        true
    }
}
