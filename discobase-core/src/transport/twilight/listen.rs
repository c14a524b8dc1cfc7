//! From the first call for events to the session that brings them.

use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;

use super::feed::Stage;
use super::gateway::{self, Session};
use super::{TwilightTransport, reply, requests};
use crate::env;
use crate::transport::limits::{Route, Verb};
use crate::transport::{Events, TransportError, TransportResult};

/// The close of the gateway for a wrong token (Discord docs, "Opcodes and Status Codes": Gateway Close Event Codes).
const AUTHENTICATION_FAILED: u16 = 4_004;

impl TwilightTransport {
    /// Where the gateway is. Asking also tells how often the bot may still identify: Discord resets the token of one
    /// that does so more often (Discord docs, "Gateway": Session Start Limit).
    async fn gateway_address(&self) -> TransportResult<String> {
        #[derive(Deserialize)]
        struct Answer {
            url: String,
            session_start_limit: Option<Starts>,
        }
        #[derive(Deserialize)]
        struct Starts {
            remaining: u64,
            reset_after: u64,
        }
        if let Some(url) = &self.gateway_url {
            return Ok(url.trim_end_matches('/').to_owned());
        }
        let call = requests::gateway(&self.client)?;
        let answer: Answer = self.ask(&call).await?;
        let refused = |message: String| Err(TransportError::NotSent(reply::failure(call.route, message)));
        if let Some(starts) = answer.session_start_limit
            && starts.remaining == 0
        {
            let wait = Duration::from_millis(starts.reset_after);
            return refused(format!("no gateway session may be started for another {wait:.0?}"));
        }
        if !gateway::is_usable(&answer.url, self.sender.endpoint.is_tls()) {
            return refused("the gateway's address is none of a (secure) WebSocket".to_owned());
        }
        Ok(answer.url.trim_end_matches('/').to_owned())
    }

    pub(super) async fn listen(&self) -> TransportResult<Events> {
        let route = Route::new(Verb::Get, "gateway", 0);
        let closed = || TransportError::NotSent(reply::failure(route, "the transport is shut down"));
        let events = {
            let mut task = self.gateway.lock().await;
            if task.is_none() {
                let url = self.gateway_address().await?;
                if *self.sender.closed.borrow() {
                    return Err(closed());
                }
                let stop = self.sender.closed.subscribe();
                let session =
                    Session::new(self.token.clone(), url, Arc::clone(&self.feed), Arc::clone(&self.env));
                *task = Some(tokio::spawn(session.run(stop)));
            }
            self.feed.listen()
        };
        let mut stage = self.feed.stage();
        let patience = self.sender.deadlines.gateway;
        let decided = stage.wait_for(|stage| !matches!(stage, Stage::Connecting(_)));
        let end = self.env.monotonic() + patience;
        let stage = match env::until(&*self.env, end, decided).await {
            Some(Ok(stage)) => stage.clone(),
            _ => self.feed.stage().borrow().clone(),
        };
        match stage {
            Stage::Open => Ok(events),
            Stage::Closed(Some(AUTHENTICATION_FAILED), why) => {
                Err(TransportError::Unauthorized(reply::failure(route, why)))
            }
            Stage::Closed(_, why) => Err(TransportError::NotSent(reply::failure(route, why))),
            Stage::Connecting(trouble) => {
                let why = trouble.unwrap_or_else(|| "it does not begin a session".to_owned());
                let message = format!("the gateway is not there after {patience:.1?}: {why}");
                Err(TransportError::NotSent(reply::failure(route, message)))
            }
        }
    }
}
