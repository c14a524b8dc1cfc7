//! Frames to messages and back: the canonical bytes, the readable text, the compressed attachment. Segments: rows and
//! index entries as files.

pub(crate) mod binary;
pub(crate) mod checkpoint;
pub(crate) mod frame;
pub(crate) mod message;
pub(crate) mod sealed;
pub(crate) mod segment;
pub(crate) mod text;

#[cfg(test)]
mod example;
#[cfg(test)]
mod tests;
