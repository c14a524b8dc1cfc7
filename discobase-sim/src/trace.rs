//! The trace: what happened, in order, with virtual times. Its hash is how a run is compared with its replay.

use crate::report::Counts;

/// What happened so far.
#[derive(Debug, Default)]
pub(crate) struct Trace {
    lines: Vec<String>,
    hasher: blake3::Hasher,
    pub(crate) counts: Counts,
}

impl Trace {
    /// Adds a line; `ms` is the time since the run began.
    pub(crate) fn add(&mut self, ms: u64, what: &str) {
        let line = format!("{ms:>8} {what}");
        self.hasher.update(line.as_bytes());
        self.hasher.update(b"\n");
        self.lines.push(line);
    }

    pub(crate) fn lines(&mut self) -> Vec<String> {
        std::mem::take(&mut self.lines)
    }

    pub(crate) fn hash(&self) -> String {
        self.hasher.finalize().to_hex().to_string()
    }
}
