//! The gateway: sessions, their events, and the sockets they are read from.
//!
//! Callers: the store publishes events into the [`Hub`]; `http` hands upgraded sockets to [`socket::serve`].
//! Discord docs, "Gateway".

mod close;
mod hub;
mod payload;
mod session;
pub(crate) mod socket;

pub(crate) use close::Close;
pub(crate) use hub::{Hub, Order};
