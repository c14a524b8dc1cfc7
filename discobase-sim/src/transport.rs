//! A process's door to the guild: the engine's `Transport`, over the network of the simulation.
//!
//! It keeps what the trait promises: a post is tried with the same bytes and nonce until it is answered or its deadline
//! has passed; what creates something else is tried once; the rest is tried a few times.

use std::sync::Arc;
use std::time::Duration;

use discobase_core::transport::{TransportError, TransportResult};
use discobase_guild::state::{Flaws, Refusal};
use parking_lot::Mutex;
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep, timeout};

use crate::convert;
use crate::process::Process;
use crate::rng::Rng;
use crate::world::{Inner, Instead, PATIENCE, World};

mod requests;

/// The door of one process.
pub(crate) struct Door {
    world: Arc<World>,
    process: Arc<Process>,
    rng: Mutex<Rng>,
    closed: std::sync::atomic::AtomicBool,
}

/// How often a request is tried.
#[derive(Debug, Clone, Copy)]
enum Tries {
    /// Once: what creates something without a nonce.
    Once,
    /// A few times.
    Few,
    /// Until it is answered or the deadline has passed.
    Until(Option<Duration>),
}

/// What a client sees of one try.
enum Seen<R> {
    Answer(Result<R, Refusal>),
    TooMany(u64),
    /// No answer, or a 5xx.
    Nothing,
}

type Act<R> = Arc<dyn Fn(&mut Inner, u64, Flaws) -> Result<R, Refusal> + Send + Sync>;

/// One call as its tries need it.
struct Call<R> {
    what: String,
    /// Whether a filter may dislike it.
    text: bool,
    tries: Tries,
    act: Act<R>,
}

impl Door {
    pub(crate) fn new(world: Arc<World>, process: Arc<Process>, rng: Rng) -> Arc<Self> {
        Arc::new(Self { world, process, rng: Mutex::new(rng), closed: false.into() })
    }

    async fn call<R: Send + 'static>(&self, call: Call<R>) -> TransportResult<R> {
        let started = Instant::now();
        let until = match call.tries {
            Tries::Until(Some(deadline)) => started.checked_add(deadline),
            Tries::Once | Tries::Few => started.checked_add(Duration::from_secs(60)),
            Tries::Until(None) => None,
        };
        let (mut ambiguous, mut pause) = (false, 250);
        loop {
            self.process.reached().await;
            if self.closed.load(std::sync::atomic::Ordering::Relaxed) {
                let failure = convert::failure(&call.what, "the transport is shut down");
                return Err(if ambiguous {
                    TransportError::Unknown(failure)
                } else {
                    TransportError::NotSent(failure)
                });
            }
            let left = until.map(|until| until.saturating_duration_since(Instant::now()));
            if left.is_some_and(|left| left.is_zero()) {
                let failure = convert::failure(&call.what, "no answer in time");
                return Err(if ambiguous {
                    TransportError::Unknown(failure)
                } else {
                    TransportError::NotSent(failure)
                });
            }
            match self.attempt(&call, left).await {
                Seen::Answer(answer) => {
                    return answer.map_err(|refusal| convert::error(&call.what, &refusal, ambiguous));
                }
                Seen::TooMany(ms) => {
                    sleep(Duration::from_millis(ms)).await;
                    continue;
                }
                Seen::Nothing => ambiguous = true,
            }
            if matches!(call.tries, Tries::Once) {
                return Err(TransportError::Unknown(convert::failure(&call.what, "no answer")));
            }
            let jitter = self.rng.lock().between(pause / 2, pause);
            pause = (pause * 2).min(8_000);
            sleep(Duration::from_millis(jitter)).await;
        }
    }

    /// One try. Once it has left it is on its own: it arrives, or not, whatever becomes of its sender.
    async fn attempt<R: Send + 'static>(&self, call: &Call<R>, left: Option<Duration>) -> Seen<R> {
        let fate = self.world.fate(&self.process, call.text);
        if fate.crash_before {
            self.world.note(&format!("{} ends before {}", self.process.name, call.what));
            self.process.die();
            return std::future::pending().await;
        }
        let (answer, answered) = oneshot::channel();
        let (world, process, act) =
            (Arc::clone(&self.world), Arc::clone(&self.process), Arc::clone(&call.act));
        let what = call.what.clone();
        tokio::spawn(async move {
            sleep(Duration::from_millis(fate.there)).await;
            if fate.lost {
                world.note(&format!("{} {what} is lost", process.name));
                return unanswered(answer, fate.cut).await;
            }
            match fate.instead {
                Some(Instead::Error) => {
                    world.note(&format!("{} {what} -> 5xx", process.name));
                    return unanswered(answer, fate.cut).await;
                }
                Some(Instead::TooMany(ms)) => {
                    world.note(&format!("{} {what} -> 429", process.name));
                    drop(answer.send(Seen::TooMany(ms)));
                    return;
                }
                Some(Instead::Filtered) => {
                    world.note(&format!("{} {what} -> 400 200000", process.name));
                    drop(answer.send(Seen::Answer(Err(Refusal::AUTOMOD))));
                    return;
                }
                None => {}
            }
            let result = world.execute(&process.name, &what, |inner, now_ms| act(inner, now_ms, fate.flaws));
            if fate.crash_after && !process.is_dead() {
                world.note(&format!("{} ends after {what}", process.name));
                process.die();
            }
            if fate.unanswered {
                world.note(&format!("{} {what}: its answer is lost", process.name));
                return unanswered(answer, fate.cut).await;
            }
            sleep(Duration::from_millis(fate.back)).await;
            // Its sender may have given up.
            drop(answer.send(Seen::Answer(result)));
        });
        let patience = Duration::from_millis(PATIENCE);
        let patience = left.map_or(patience, |left| left.min(patience));
        let seen = timeout(patience, answered).await;
        self.process.reached().await;
        match seen {
            Ok(Ok(seen)) => seen,
            Ok(Err(_)) | Err(_) => Seen::Nothing,
        }
    }
}

/// Leaves a client without an answer: the connection is gone at once, or nothing comes for longer than it waits.
async fn unanswered<R>(answer: oneshot::Sender<Seen<R>>, cut: bool) {
    if !cut {
        sleep(Duration::from_millis(2 * PATIENCE)).await;
    }
    drop(answer);
}
