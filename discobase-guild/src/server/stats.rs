//! What was asked of the server: tests count requests with it.

use serde::Serialize;
use std::collections::BTreeMap;

/// Counters since the start.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Stats {
    /// Requests to the REST interface, those that faults swallowed included.
    pub requests: u64,
    /// The same by method and route template, such as `POST /channels/{channel}/messages`.
    pub by_route: BTreeMap<String, u64>,
    /// Requests to the CDN.
    pub downloads: u64,
    /// Replies with status 429.
    pub too_many_requests: u64,
    /// Replies with status 401, 403 or 429 that count towards the invalid request limit.
    pub invalid: u64,
    /// Gateway connections.
    pub gateway_connections: u64,
}

impl Stats {
    pub(crate) fn count_request(&mut self, method: &str, template: &str) {
        self.requests += 1;
        *self.by_route.entry(format!("{method} {template}")).or_default() += 1;
    }
}
