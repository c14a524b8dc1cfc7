//! From HTTP to WebSocket.
//!
//! Callers: `http` answers the handshake; `server` then serves the socket in the connection's own task.

use hyper::header::{CONNECTION, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, UPGRADE};
use hyper::upgrade::OnUpgrade;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use std::sync::Arc;
use tokio::sync::mpsc::UnboundedSender;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};

use super::reply::{self, ReplyBody};
use crate::gateway::socket;
use crate::server::Shared;
use crate::state::Refusal;

/// A connection that is about to become a gateway connection.
pub(crate) struct Upgrade {
    socket: OnUpgrade,
    version: Option<u64>,
}

pub(super) fn is_asked<B>(request: &Request<B>) -> bool {
    request
        .headers()
        .get(UPGRADE)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|value| value.eq_ignore_ascii_case("websocket"))
}

pub(super) fn accept<B>(mut request: Request<B>, gateway: &UnboundedSender<Upgrade>) -> Response<ReplyBody> {
    let Some(key) = request.headers().get(SEC_WEBSOCKET_KEY) else {
        return reply::refusal(&Refusal::NOT_FOUND);
    };
    let accept = derive_accept_key(key.as_bytes());
    // Discord docs, "Gateway": Connecting, query parameter `v`. Compression is a client's wish and never
    // obeyed here; every client understands plain text.
    let query = request.uri().query().unwrap_or_default();
    let version =
        query.split('&').find_map(|pair| pair.strip_prefix("v=")).map_or(Some(10), |v| v.parse().ok());
    let upgrade = Upgrade { socket: hyper::upgrade::on(&mut request), version };
    if gateway.send(upgrade).is_err() {
        return reply::refusal(&Refusal::INTERNAL);
    }
    let mut response = reply::empty(101);
    let headers = response.headers_mut();
    headers.insert(CONNECTION, hyper::header::HeaderValue::from_static("Upgrade"));
    headers.insert(UPGRADE, hyper::header::HeaderValue::from_static("websocket"));
    if let Ok(accept) = accept.parse() {
        headers.insert(SEC_WEBSOCKET_ACCEPT, accept);
    }
    response
}

/// Serves a gateway connection whose handshake was answered.
pub(crate) async fn serve_gateway(shared: Arc<Shared>, upgrade: Upgrade) {
    let Ok(upgraded) = upgrade.socket.await else { return };
    shared.stats.lock().gateway_connections += 1;
    let config = WebSocketConfig::default().max_message_size(Some(1 << 20)).max_frame_size(Some(1 << 20));
    let socket = WebSocketStream::from_raw_socket(TokioIo::new(upgraded), Role::Server, Some(config)).await;
    socket::serve(shared, socket, upgrade.version).await;
}
