//! Obeying faults: before a request is executed, and after.
//!
//! Callers: `http::rest` and `http::cdn`. Invariant: a fault without effect on the guild ends the request
//! before anything is done.

use hyper::Response;
use std::time::Duration;

use super::reply::{self, Cut, ReplyBody};
use crate::faults::{Action, Faults, Limit};
use crate::limits::{Scope, TooMany};
use crate::state::{Flaws, Refusal};

/// What is to be done with the reply of a request that was let through.
#[derive(Debug, Default)]
pub(super) struct After {
    delay_ms: u64,
    lose: bool,
    stall: bool,
    status: Option<u16>,
    /// What goes wrong inside the call.
    pub(super) flaws: Flaws,
    /// How long after the connection was cut it is executed, if it is to be so.
    pub(super) late_ms: Option<u64>,
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
            Action::Refuse { status, code, message } => {
                let body = serde_json::json!({"message": message, "code": code});
                return Ok(Fate::Answered(reply::json(status, &body)));
            }
            Action::ExecuteLate { ms } => after.late_ms = Some(ms),
            Action::HideMessage { ms } => after.flaws.hidden_ms = ms,
            Action::StaleRead { ms } => after.flaws.stale_ms = ms,
            Action::SkewId { ms } => after.flaws.skew_ms = ms,
            Action::RaceNonce { ms } => after.flaws.blind_ms = ms,
            Action::LateFiles { ms } => after.flaws.late_files_ms = ms,
            Action::StallBody => after.stall = true,
            Action::SwallowEvent | Action::RepeatEvent | Action::ReorderEvent | Action::DropSocket => {}
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
        Limit::User | Limit::OldEdits => Scope::User,
        Limit::Shared | Limit::ChannelWrite | Limit::ServerWrite => Scope::Shared,
        Limit::Global => Scope::Global,
    };
    let too_many = TooMany { retry_after_ms, scope, old_edit: limit == Limit::OldEdits };
    // Discord docs, "Opcodes and Status Codes": JSON Error Codes, 20028 and 20029.
    let code = match limit {
        Limit::ChannelWrite => Some((20_028, "The channel you are writing has hit the write rate limit.")),
        Limit::ServerWrite => {
            Some((20_029, "The write action you are performing on the server has hit the write rate limit."))
        }
        _ => None,
    };
    let mut response = reply::too_many_of(None, too_many, code);
    if scope == Scope::Shared {
        reply::set(response.headers_mut(), "retry-after", retry_after);
    }
    response
}

async fn wait(ms: u64) {
    tokio::time::sleep(Duration::from_millis(ms)).await;
}
