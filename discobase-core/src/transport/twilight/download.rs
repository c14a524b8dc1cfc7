//! Downloads of attachments: from the hosts where Discord keeps them, and no others.

use bytes::Bytes;
use http::Uri;
use url::{Host, Url};

use super::config::Endpoint;
use super::reply;
use super::send::Sender;
use crate::transport::limits::Route;
use crate::transport::{Attachment, TransportError, TransportResult};

/// Discord's own hosts (Discord docs, "API Reference": CDN Formatting, Signed Attachment CDN URLs).
const HOSTS: [&str; 2] = ["cdn.discordapp.com", "media.discordapp.net"];

/// Downloads an attachment, whole.
pub(super) async fn download(sender: &Sender, attachment: &Attachment) -> TransportResult<Bytes> {
    let route = Route::download();
    let uri = allowed(&sender.endpoint, &attachment.url)
        .map_err(|message| TransportError::NotSent(reply::failure(route, message)))?;
    let bytes = sender.download(uri, attachment.size).await?;
    if bytes.len() as u64 != attachment.size {
        let message = format!(
            "attachment {} has {} bytes instead of the {} its message names",
            attachment.id,
            bytes.len(),
            attachment.size
        );
        return Err(TransportError::Unknown(reply::failure(route, message)));
    }
    Ok(bytes)
}

/// The URL as it was given, if it leads where attachments are. Messages of others can hold any URL, and errors must
/// not repeat the signature in it.
fn allowed(endpoint: &Endpoint, text: &str) -> Result<Uri, String> {
    let url = Url::parse(text).map_err(|_| "the attachment's URL is none")?;
    let host = url.host_str().unwrap_or_default();
    let discord = url.scheme() == "https" && url.port().is_none() && HOSTS.contains(&host);
    if !discord && (endpoint.is_discord() || !is_beside(endpoint, &url)) {
        return Err(format!("{host} is no host of attachments"));
    }
    text.parse().map_err(|_| "the attachment's URL cannot be asked for".to_owned())
}

/// Whether the URL leads to the API's own host: a local guild keeps its attachments itself.
fn is_beside(endpoint: &Endpoint, url: &Url) -> bool {
    let same = url.host_str() == Some(endpoint.host());
    let local = url.host().is_some_and(|host| is_loopback(&host)) && endpoint.is_loopback();
    let tls = url.scheme() == "https";
    (same || local) && tls == endpoint.is_tls() && url.port_or_known_default() == Some(endpoint.port())
}

/// Whether the host is this machine.
pub(super) fn is_loopback<S: AsRef<str>>(host: &Host<S>) -> bool {
    match host {
        Host::Domain(name) => name.as_ref() == "localhost",
        Host::Ipv4(address) => address.is_loopback(),
        Host::Ipv6(address) => address.is_loopback(),
    }
}
