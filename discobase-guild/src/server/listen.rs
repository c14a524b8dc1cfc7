//! Accepting connections, and letting them go.
//!
//! Callers: [`crate::LocalGuild`]. Invariant: every task of the server belongs to the one that is started
//! here; when that one ends or is aborted, none is left.

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use super::Shared;
use crate::http;

/// Accepts connections until the server is told to stop, then lets requests under way finish for a moment.
pub(crate) async fn listen(shared: Arc<Shared>, listener: TcpListener) {
    let stopped = shared.stopped();
    tokio::pin!(stopped);
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    connections.spawn(serve(Arc::clone(&shared), stream));
                }
                // Out of file descriptors, most likely: they come back when connections end.
                Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
            },
            Some(_) = connections.join_next() => {}
            () = &mut stopped => break,
        }
    }
    drop(listener);
    let finish = async { while connections.join_next().await.is_some() {} };
    let _late = tokio::time::timeout(Duration::from_secs(2), finish).await;
    connections.shutdown().await;
}

async fn serve(shared: Arc<Shared>, stream: TcpStream) {
    // Small replies must not wait for more data.
    let _unsupported = stream.set_nodelay(true);
    let stopped = shared.stopped();
    tokio::pin!(stopped);
    let (gateway, mut upgraded) = tokio::sync::mpsc::unbounded_channel();
    let service = {
        let shared = Arc::clone(&shared);
        service_fn(move |request| http::serve(Arc::clone(&shared), gateway.clone(), request))
    };
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    tokio::pin!(connection);
    let mut stop_asked = false;
    loop {
        tokio::select! {
            // An error is a client that went away, or a fault that asked to cut the connection.
            _ = connection.as_mut() => break,
            () = &mut stopped, if !stop_asked => {
                stop_asked = true;
                connection.as_mut().graceful_shutdown();
            }
        }
    }
    if let Ok(upgrade) = upgraded.try_recv() {
        http::serve_gateway(Arc::clone(&shared), upgrade).await;
    }
}
