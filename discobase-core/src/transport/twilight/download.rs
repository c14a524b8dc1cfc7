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
    let uri = uri(sender, attachment)?;
    let bytes = sender.download(uri, attachment.size, None).await?;
    if bytes.len() as u64 != attachment.size {
        return Err(wrong_size(attachment, bytes.len(), attachment.size));
    }
    Ok(bytes)
}

/// Downloads a part of an attachment.
pub(super) async fn download_range(
    sender: &Sender,
    attachment: &Attachment,
    offset: u64,
    length: u64,
) -> TransportResult<Bytes> {
    let uri = uri(sender, attachment)?;
    let end = offset.checked_add(length).filter(|end| length > 0 && *end <= attachment.size);
    let Some(end) = end else {
        let message = format!("attachment {} has no {length} bytes from {offset} on", attachment.id);
        return Err(TransportError::NotSent(reply::failure(Route::download(), message)));
    };
    let bytes = sender.download(uri, attachment.size, Some((offset, end - 1))).await?;
    if bytes.len() as u64 == length {
        return Ok(bytes);
    }
    // A server may answer with the whole although a part was asked for (RFC 9110, section 14.2).
    let part = usize::try_from(offset).ok().zip(usize::try_from(end).ok());
    match part {
        Some((from, to)) if bytes.len() as u64 == attachment.size => Ok(bytes.slice(from..to)),
        _ => Err(wrong_size(attachment, bytes.len(), length)),
    }
}

fn uri(sender: &Sender, attachment: &Attachment) -> TransportResult<Uri> {
    allowed(&sender.endpoint, &attachment.url)
        .map_err(|message| TransportError::NotSent(reply::failure(Route::download(), message)))
}

fn wrong_size(attachment: &Attachment, got: usize, expected: u64) -> TransportError {
    let message = format!("attachment {} has {got} bytes instead of the {expected} expected", attachment.id);
    TransportError::Unknown(reply::failure(Route::download(), message))
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
