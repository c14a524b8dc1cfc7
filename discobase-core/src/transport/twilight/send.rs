//! One call: as many tries as it takes, each in its turn, until it is answered or its time is over.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, StatusCode, Uri};
use tokio::sync::watch;
use tracing::{Instrument, debug, debug_span, warn};

use super::body::Payload;
use super::client::{HttpClient, Tried, Try, api_uri};
use super::config::{Deadlines, Endpoint, TwilightConfig};
use super::reply::{self, Meaning};
use super::requests::{Call, Repeat};
use crate::env::SharedEnv;
use crate::transport::limits::{self, Gate, Outcome, Permit, Route};
use crate::transport::{Failure, TransportError, TransportResult};

/// Sends calls.
pub(super) struct Sender {
    http: HttpClient,
    pub(super) gate: Arc<Gate>,
    env: SharedEnv,
    pub(super) endpoint: Endpoint,
    pub(super) deadlines: Deadlines,
    /// True from the shutdown on.
    pub(super) closed: watch::Sender<bool>,
    /// Whether a 401 came: the token is wrong, and asking again would only be held against the address.
    unauthorized: AtomicBool,
    /// Whether anything was ever heard from the other side.
    reached: AtomicBool,
}

/// A call or a download, as the tries need it.
struct Job<'a> {
    route: Route,
    uri: Uri,
    payload: &'a Payload,
    repeat: Repeat,
    wanted: Wanted,
    until: Option<Duration>,
    started: Duration,
}

/// What of an answer is wanted.
#[derive(Debug, Clone, Copy, Default)]
struct Wanted {
    /// How long it is, if that is known: no more is read.
    longest: Option<u64>,
    /// Which bytes, if not all: the first and the last.
    range: Option<(u64, u64)>,
}

/// What a try means for the job.
enum Step {
    Done(Bytes),
    Failed(TransportError),
    /// A 429: wait, then try again.
    Wait,
    /// Nobody knows whether it had its effect.
    Unclear(Failure),
    /// It never left.
    Unreached(Failure),
}

impl Sender {
    pub(super) fn new(config: &TwilightConfig) -> Result<Self, String> {
        Ok(Self {
            http: HttpClient::new(config)?,
            gate: Gate::new(Arc::clone(&config.env)),
            env: Arc::clone(&config.env),
            endpoint: config.api.clone(),
            deadlines: config.deadlines,
            closed: watch::Sender::new(false),
            unauthorized: AtomicBool::new(false),
            reached: AtomicBool::new(false),
        })
    }

    /// Counts of what was sent so far.
    pub(super) fn traffic(&self) -> crate::transport::Traffic {
        self.http.traffic()
    }

    /// Makes a call of the API. Without a deadline it is tried for ever.
    pub(super) async fn call(&self, call: &Call, deadline: Option<Duration>) -> TransportResult<Bytes> {
        let Some(uri) = api_uri(&self.endpoint, &call.path) else {
            return Err(TransportError::NotSent(reply::failure(call.route, "the path has no valid form")));
        };
        self.job(call.route, uri, &call.payload, call.repeat, Wanted::default(), deadline).await
    }

    /// Downloads from a URL that holds its own permission, at most `size` bytes: all, or those of `range`, first and
    /// last. The token stays here.
    pub(super) async fn download(
        &self,
        uri: Uri,
        size: u64,
        range: Option<(u64, u64)>,
    ) -> TransportResult<Bytes> {
        let (payload, wanted) = (Payload::default(), Wanted { longest: Some(size), range });
        self.job(Route::download(), uri, &payload, Repeat::Freely, wanted, Some(self.deadlines.call)).await
    }

    async fn job(
        &self,
        route: Route,
        uri: Uri,
        payload: &Payload,
        repeat: Repeat,
        wanted: Wanted,
        deadline: Option<Duration>,
    ) -> TransportResult<Bytes> {
        let started = self.env.monotonic();
        let until = deadline.and_then(|deadline| started.checked_add(deadline));
        let job = Job { route, uri, payload, repeat, wanted, until, started };
        let span = debug_span!(target: "discobase::transport", "request", %route, major = route.major);
        self.tries(job).instrument(span).await
    }

    /// The tries of one job.
    async fn tries(&self, job: Job<'_>) -> TransportResult<Bytes> {
        let place = self.gate.place(job.route);
        let mut unclear: Option<Failure> = None;
        let mut last = reply::failure(job.route, "its time was over before its turn came");
        let mut pause = self.deadlines.shortest_pause;
        for tries in 0_u64.. {
            if let Some(error) = self.stopped(job.route) {
                return Err(blame(error, unclear));
            }
            if job.until.is_some_and(|until| until <= self.env.monotonic()) {
                return Err(not_sent(last, unclear));
            }
            let permit = tokio::select! {
                biased;
                () = self.until_closed() => continue,
                passed = place.pass() => match passed {
                    Ok(permit) => permit,
                    Err(spent) => {
                        let message = format!("too many requests were invalid lately; none is sent for {:.0?}", spent.0);
                        return Err(not_sent(reply::failure(job.route, message), unclear));
                    }
                },
                () = self.until(job.until) => return Err(not_sent(last, unclear)),
            };
            // What happened while this call waited counts, too.
            if let Some(error) = self.stopped(job.route) {
                permit.finish(Outcome::Unsent);
                return Err(blame(error, unclear));
            }
            if tries > 0 {
                self.http.count_retry();
            }
            match self.step(&job, permit).await {
                Step::Done(body) => return Ok(body),
                Step::Failed(error) => return Err(blame(error, unclear)),
                Step::Wait => {
                    last = reply::failure(job.route, "the rate limit did not end in time");
                    last.status = Some(StatusCode::TOO_MANY_REQUESTS.as_u16());
                    continue;
                }
                Step::Unreached(failure) => {
                    let waited = self.env.monotonic().saturating_sub(job.started);
                    if !self.reached.load(Ordering::Relaxed) && waited >= self.deadlines.first_contact {
                        return Err(not_sent(failure, unclear));
                    }
                    last = failure;
                }
                Step::Unclear(failure) if job.repeat == Repeat::Never => {
                    return Err(TransportError::Unknown(failure));
                }
                Step::Unclear(failure) => {
                    debug!(
                        name: "retry", target: "discobase::transport", error = %failure,
                        "no answer, trying again"
                    );
                    unclear = Some(failure.clone());
                    last = failure;
                }
            }
            place.step_aside();
            let wait = self.jitter(pause);
            if job.until.is_some_and(|until| self.env.monotonic() + wait >= until) {
                return Err(not_sent(last, unclear));
            }
            pause = (pause * 2).min(self.deadlines.longest_pause);
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = self.until_closed() => {}
            }
        }
        Err(not_sent(last, unclear))
    }

    /// One try.
    async fn step(&self, job: &Job<'_>, permit: Permit) -> Step {
        let now = self.env.monotonic();
        let one = Try {
            verb: job.route.verb,
            uri: job.uri.clone(),
            payload: job.payload.clone(),
            authorized: !job.route.is_download(),
            expected: job.wanted.longest,
            range: job.wanted.range,
            within: job.until.map(|until| until.saturating_sub(now)),
        };
        let (status, headers, body) = match self.http.send(one).await {
            Tried::Unreached(why) => {
                permit.finish(Outcome::Unsent);
                let message = format!("cannot reach {}: {why}", address(&job.uri));
                return Step::Unreached(reply::failure(job.route, message));
            }
            Tried::Silence(why) => {
                permit.finish(Outcome::Lost);
                return Step::Unclear(reply::failure(job.route, why));
            }
            Tried::Overlong { status } => {
                permit.finish(Outcome::Lost);
                let failure = reply::failure(job.route, "the answer is longer than it can be");
                let failure = Failure { status: Some(status.as_u16()), ..failure };
                return Step::Failed(TransportError::Unknown(failure));
            }
            Tried::Answer { status, headers, body } => (status, headers, Ok(body)),
            Tried::Torn { status, headers, why } => (status, headers, Err(why)),
        };
        self.reached.store(true, Ordering::Relaxed);
        let took = self.env.monotonic().saturating_sub(now);
        debug!(name: "answered", target: "discobase::transport", status = status.as_u16(), ?took, "answered");
        self.judge(job, permit, status, &headers, body)
    }

    /// Tells the limits of an answer, and what it means for the job.
    fn judge(
        &self,
        job: &Job<'_>,
        permit: Permit,
        status: StatusCode,
        headers: &HeaderMap,
        body: Result<Bytes, String>,
    ) -> Step {
        let seen = limits::seen(headers).filter(|_| !job.route.is_download());
        let bytes = body.as_deref().unwrap_or_default();
        if status == StatusCode::TOO_MANY_REQUESTS {
            let refusal = limits::too_many(job.route, headers, bytes);
            warn!(
                name: "rate_limited", target: "discobase::transport",
                wait = ?refusal.wait, reach = ?refusal.reach, shared = refusal.shared,
                "429: too many requests"
            );
            permit.finish(Outcome::TooMany(refusal, seen));
            return Step::Wait;
        }
        // Before the permit ends, because that lets the next one go.
        if status == StatusCode::UNAUTHORIZED && !job.route.is_download() {
            self.unauthorized.store(true, Ordering::SeqCst);
        }
        let invalid = matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN);
        permit.finish(Outcome::Answered { seen, invalid });
        match (reply::meaning(job.route, status, bytes), body) {
            (Meaning::Done, Ok(body)) => Step::Done(body),
            (Meaning::Done, Err(why)) => {
                Step::Unclear(Failure { status: Some(status.as_u16()), ..reply::failure(job.route, why) })
            }
            (Meaning::Failed(error), _) => Step::Failed(error),
            (Meaning::Unclear(failure), _) => Step::Unclear(failure),
        }
    }

    /// Why nothing is sent any more, if so.
    fn stopped(&self, route: Route) -> Option<TransportError> {
        if *self.closed.borrow() {
            return Some(TransportError::NotSent(reply::failure(route, "the transport is shut down")));
        }
        (self.unauthorized.load(Ordering::SeqCst) && !route.is_download()).then(|| {
            TransportError::Unauthorized(Failure {
                status: Some(StatusCode::UNAUTHORIZED.as_u16()),
                ..reply::failure(route, "Discord refused the token before; it was not asked again")
            })
        })
    }

    /// Completes at the shutdown.
    pub(super) async fn until_closed(&self) {
        // The sender lives as long as `self`, so waiting cannot fail.
        self.closed.subscribe().wait_for(|closed| *closed).await.ok();
    }

    async fn until(&self, time: Option<Duration>) {
        match time {
            Some(time) => tokio::time::sleep(time.saturating_sub(self.env.monotonic())).await,
            None => std::future::pending().await,
        }
    }

    /// Half of the pause to all of it, so that those who failed together do not return together.
    fn jitter(&self, pause: Duration) -> Duration {
        let mut random = [0; 4];
        self.env.random(&mut random);
        let share = f64::from(u32::from_le_bytes(random)) / f64::from(u32::MAX);
        pause.mul_f64(0.5 + share / 2.0)
    }
}

/// Host and port: the rest of a URL may hold a signature.
fn address(uri: &Uri) -> String {
    let port = match (uri.port_u16(), uri.scheme_str()) {
        (Some(port), _) => port,
        (None, Some("http")) => 80,
        _ => 443,
    };
    format!("{}:{port}", uri.host().unwrap_or_default())
}

/// An error after tries of unknown outcome says so.
fn blame(mut error: TransportError, unclear: Option<Failure>) -> TransportError {
    if unclear.is_some() {
        match &mut error {
            TransportError::Unauthorized(failure)
            | TransportError::Forbidden(failure)
            | TransportError::Missing(failure)
            | TransportError::Refused(failure)
            | TransportError::Unknown(failure) => failure.ambiguous = true,
            TransportError::NotSent(failure) => return not_sent(failure.clone(), unclear),
        }
    }
    error
}

/// The last try did not leave; the call as a whole is unknown if an earlier one may have arrived.
fn not_sent(failure: Failure, unclear: Option<Failure>) -> TransportError {
    match unclear {
        Some(earlier) => TransportError::Unknown(Failure {
            status: failure.status.or(earlier.status),
            code: failure.code.or(earlier.code),
            ambiguous: true,
            ..failure
        }),
        None => TransportError::NotSent(failure),
    }
}
