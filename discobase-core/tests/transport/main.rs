//! The transport over real sockets: what it sends, when, and what it makes of every kind of answer.

mod calls;
mod deadlines;
mod files;
mod gateway;
mod mock;
mod refusals;
mod retries;
mod secrets;
