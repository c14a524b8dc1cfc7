//! The HTTP side: the REST interface, the CDN, the control endpoints, the way into the gateway.
//!
//! Callers: `server`, for each request. The flow is [`serve`]: where it goes; [`rest`]: faults, token, rate
//! limit, body, handler, safety, reply.

mod body;
mod call;
mod cdn;
mod channels;
mod commands;
mod control;
mod doings;
mod fault;
mod form;
mod guilds;
mod interactions;
mod invites;
mod messages;
mod multipart;
mod parse;
mod people;
mod pins;
mod reactions;
mod reply;
mod rest;
mod routes;
mod threads;
mod upgrade;
mod users;

use hyper::body::Incoming;
use hyper::{Request, Response};
use std::sync::Arc;
use tokio::sync::mpsc::UnboundedSender;

use crate::server::Shared;
use crate::state::Refusal;
pub(crate) use reply::Cut;
use reply::ReplyBody;
pub(crate) use upgrade::{Upgrade, serve_gateway};

/// Answers a request, or cuts the connection.
pub(crate) async fn serve(
    shared: Arc<Shared>,
    gateway: UnboundedSender<Upgrade>,
    request: Request<Incoming>,
) -> Result<Response<ReplyBody>, Cut> {
    let path = request.uri().path().to_owned();
    if let Some(rest) = path.strip_prefix("/_local/") {
        return Ok(control::answer(&shared, request, rest).await);
    }
    if upgrade::is_asked(&request) {
        return Ok(upgrade::accept(request, &gateway));
    }
    travel(&shared).await;
    let answer = if let Some(rest) = path.strip_prefix("/attachments/") {
        cdn::download(&shared, &request, rest).await
    } else if let Some(rest) = path.strip_prefix("/api/") {
        rest::answer(&shared, request, rest).await
    } else {
        Ok(reply::refusal(&Refusal::NOT_FOUND))
    };
    travel(&shared).await;
    answer
}

/// The way here, or back.
async fn travel(shared: &Shared) {
    if !shared.round_trip.is_zero() {
        tokio::time::sleep(shared.round_trip / 2).await;
    }
}
