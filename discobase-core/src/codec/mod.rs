//! Frames to messages and back: the canonical bytes, the readable text, the compressed attachment.

pub(crate) mod binary;
#[allow(dead_code, reason = "the engine writes and reads no checkpoint yet")]
pub(crate) mod checkpoint;
pub(crate) mod frame;
pub(crate) mod message;
pub(crate) mod text;

#[cfg(test)]
mod tests;
