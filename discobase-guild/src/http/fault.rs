//! Obeying faults: before a request is executed, and after.
//!
//! Callers: `http::rest` and `http::cdn`. Invariant: a fault without effect on the guild ends the request
//! before anything is done.

use hyper::Response;
use std::time::Duration;

use super::reply::{self, Cut, ReplyBody};
use crate::faults::{Action, Faults, Limit};
use crate::limits::{Scope, TooMany};
use crate::state::Refusal;

/// What is to be done with the reply of a request that was let through.
#[derive(Debug, Default)]
pub(super) struct After {
    delay_ms: u64,
    lose: bool,
    stall: bool,
    status: Option<u16>,
}

/// What becomes of a request.
pub(super) enum Fate {
    /// It is executed.
    Executed(After),
    /// It is answered at once.
    Answered(Response<ReplyBody>),
}

/// Asks the faults about a request and obeys what comes before its execution.
pub(super) async fn before(faults: &Faults, method: &str, template: &str) -> Result<Fate, Cut> {
    let mut after = After::default();
    for action in faults.on_request(method, template) {
        match action {
            Action::LoseRequest => return Err(Cut),
            Action::LoseReply => after.lose = true,
            Action::Delay { ms } => wait(ms).await,
            Action::DelayReply { ms } => after.delay_ms += ms,
            Action::ServerError { status, executed: false } => return Ok(Fate::Answered(broken(status))),
            Action::ServerError { status, executed: true } => after.status = Some(status),
            Action::TooManyRequests { limit, retry_after } => {
                return Ok(Fate::Answered(limited(limit, retry_after)));
            }
            Action::AutoMod => return Ok(Fate::Answered(reply::refusal(&Refusal::AUTOMOD))),
            Action::StallBody => after.stall = true,
            Action::SwallowEvent | Action::RepeatEvent | Action::DropSocket => {}
        }
    }
    Ok(Fate::Executed(after))
}

impl After {
    /// Obeys what comes after the execution.
    pub(super) async fn finish(self, response: Response<ReplyBody>) -> Result<Response<ReplyBody>, Cut> {
        if self.delay_ms > 0 {
            wait(self.delay_ms).await;
        }
        if self.lose {
            return Err(Cut);
        }
        if let Some(status) = self.status {
            return Ok(broken(status));
        }
        Ok(if self.stall { response.map(ReplyBody::stalled) } else { response })
    }
}

fn broken(status: u16) -> Response<ReplyBody> {
    reply::json(status, &serde_json::json!({"message": format!("{status}: Server Error"), "code": 0}))
}

fn limited(limit: Limit, retry_after: f64) -> Response<ReplyBody> {
    let ms = Duration::try_from_secs_f64(retry_after).unwrap_or_default().as_millis();
    let retry_after_ms = u64::try_from(ms).unwrap_or(u64::MAX);
    let scope = match limit {
        Limit::Cloudflare => return reply::cloudflare(retry_after_ms.div_ceil(1000)),
        Limit::User => Scope::User,
        Limit::Shared => Scope::Shared,
        Limit::Global => Scope::Global,
    };
    let mut response = reply::too_many(None, TooMany { retry_after_ms, scope, old_edit: false });
    if scope == Scope::Shared {
        reply::set(response.headers_mut(), "retry-after", retry_after);
    }
    response
}

async fn wait(ms: u64) {
    tokio::time::sleep(Duration::from_millis(ms)).await;
}
