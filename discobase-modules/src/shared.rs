//! One connection to Discord for the databases of all modules: one client, so that they share its rate limits, and one
//! gateway session.

use std::sync::Arc;

use discobase_core::transport::{BoxFuture, Transport, Wrapper};

/// The same transport, which stays open when a database that uses it is closed.
pub(crate) struct Shared(pub(crate) Arc<dyn Transport>);

impl Wrapper for Shared {
    fn inner(&self) -> &Arc<dyn Transport> {
        &self.0
    }

    fn shutdown(&self) -> BoxFuture<'_, ()> {
        Box::pin(async {})
    }
}
