//! The journal: the write-ahead log, one channel, a chain of frames linked by checksum.

pub(crate) mod base;
pub(crate) mod chain;
pub(crate) mod follow;
pub(crate) mod history;
pub(crate) mod owner;
pub(crate) mod post;
pub(crate) mod reader;
pub(crate) mod rules;
pub(crate) mod tail;
pub(crate) mod writer;
