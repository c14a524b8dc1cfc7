//! The outside world that is not Discord: clocks and random numbers, injected so that tests decide them.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;

/// A clock and a random generator.
pub trait Env: Send + Sync + 'static {
    /// Time on a clock that never goes back, from an arbitrary start.
    fn monotonic(&self) -> Duration;

    /// What the calendar says: microseconds since the Unix epoch, for `created_at` and its like. No rule of the database
    /// counts on it. An environment that does not say otherwise begins with Discord's epoch and counts from there, so
    /// that a simulation stays one that a seed decides.
    fn now(&self) -> i64 {
        i64::try_from(self.monotonic().as_micros()).unwrap_or(i64::MAX).saturating_add(1_420_070_400_000_000)
    }

    /// Waits. By default through `tokio::time`, which tests can pause; a clock that only moves when it is told to moves
    /// here. The clock is looked at again afterwards, so less is no harm.
    fn sleep(&self, time: Duration) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(tokio::time::sleep(time))
    }

    /// Fills `bytes` with random bytes.
    fn random(&self, bytes: &mut [u8]);

    /// Fills `bytes` with random bytes that nobody can guess, for keys; `false` if there are none to be had.
    #[must_use]
    fn secret(&self, bytes: &mut [u8]) -> bool {
        self.random(bytes);
        true
    }

    /// Whether work that keeps a thread busy is done where it is asked for, instead of on a thread for such work: a
    /// simulation says yes, because when another thread is done is nothing that a seed decides.
    fn inline(&self) -> bool {
        false
    }
}

/// Does work that keeps a thread busy, so that the runtime's own threads stay free. `None` if it panicked, or if the
/// runtime ended.
pub(crate) async fn heavy<R: Send + 'static>(
    env: &SharedEnv,
    work: impl FnOnce() -> R + Send + 'static,
) -> Option<R> {
    if env.inline() {
        return Some(work());
    }
    tokio::task::spawn_blocking(work).await.ok()
}

/// What work that keeps a thread busy makes, piece by piece.
pub(crate) enum Pieces<T> {
    /// All there are.
    Made(VecDeque<T>),
    /// Those that another thread is making.
    Coming(mpsc::Receiver<T>),
}

impl<T> Pieces<T> {
    /// The next one; `None` when the work is done, or panicked.
    pub(crate) async fn next(&mut self) -> Option<T> {
        match self {
            Self::Made(pieces) => pieces.pop_front(),
            Self::Coming(pieces) => pieces.recv().await,
        }
    }
}

/// Does work that keeps a thread busy, and takes what it makes as it comes. While one piece waits to be taken the next
/// is made, and no more. The work hands its pieces over, and hears `false` once nobody wants them any more.
pub(crate) fn pieces<T: Send + 'static>(
    env: &SharedEnv,
    work: impl FnOnce(&mut dyn FnMut(T) -> bool) + Send + 'static,
) -> Pieces<T> {
    if env.inline() {
        let mut made = VecDeque::new();
        work(&mut |piece| {
            made.push_back(piece);
            true
        });
        return Pieces::Made(made);
    }
    let (sender, coming) = mpsc::channel(1);
    tokio::task::spawn_blocking(move || work(&mut |piece| sender.blocking_send(piece).is_ok()));
    Pieces::Coming(coming)
}

/// A shared [`Env`].
pub type SharedEnv = Arc<dyn Env>;

/// Waits until the environment's clock shows `at`. A timer only says when to look again: the two clocks may
/// differ, and it is the environment's that rules count with.
pub(crate) async fn sleep_until(env: &dyn Env, at: Duration) {
    loop {
        let left = at.saturating_sub(env.monotonic());
        if left.is_zero() {
            return;
        }
        env.sleep(left).await;
    }
}

/// Waits for `duration` on the environment's clock.
pub(crate) async fn sleep(env: &dyn Env, duration: Duration) {
    sleep_until(env, env.monotonic().saturating_add(duration)).await;
}

/// Waits for `future`, for no longer than until the environment's clock shows `at`; `None` if it took longer.
pub(crate) async fn until<F: Future>(env: &dyn Env, at: Duration, future: F) -> Option<F::Output> {
    tokio::select! {
        biased;
        done = future => Some(done),
        () = sleep_until(env, at) => None,
    }
}

/// The machine's own clock and random generator. The clock is tokio's, so that a paused runtime pauses it.
#[derive(Debug)]
pub struct SystemEnv {
    start: tokio::time::Instant,
}

impl SystemEnv {
    /// Starts the clock.
    #[must_use]
    pub fn new() -> Self {
        Self { start: tokio::time::Instant::now() }
    }
}

impl Default for SystemEnv {
    fn default() -> Self {
        Self::new()
    }
}

impl Env for SystemEnv {
    fn monotonic(&self) -> Duration {
        self.start.elapsed()
    }

    #[expect(clippy::disallowed_methods, reason = "this is the environment everything else is handed")]
    fn now(&self) -> i64 {
        let since = |earlier: std::time::SystemTime, later: std::time::SystemTime| {
            let micros = later.duration_since(earlier).map_or(0, |duration| duration.as_micros());
            i64::try_from(micros).unwrap_or(i64::MAX)
        };
        let (epoch, now) = (std::time::SystemTime::UNIX_EPOCH, std::time::SystemTime::now());
        since(epoch, now) - since(now, epoch)
    }

    fn random(&self, bytes: &mut [u8]) {
        if !self.secret(bytes) {
            // A system without randomness still has a hasher seeded per process and per call.
            for chunk in bytes.chunks_mut(8) {
                let number = std::hash::BuildHasher::hash_one(&std::hash::RandomState::new(), 0u8);
                chunk.iter_mut().zip(number.to_le_bytes()).for_each(|(to, from)| *to = from);
            }
        }
    }

    #[expect(clippy::disallowed_methods, reason = "this is the environment everything else is handed")]
    fn secret(&self, bytes: &mut [u8]) -> bool {
        getrandom::fill(bytes).is_ok()
    }
}
