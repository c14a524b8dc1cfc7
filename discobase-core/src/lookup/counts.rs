//! What lookups count.

use crate::count::Count;

/// Counts since the database was connected.
#[derive(Debug)]
pub(crate) struct Counts {
    /// Keys and rows that were looked up.
    pub(crate) lookups: Count,
    /// Blocks that were kept, those that had to be downloaded, and the bytes of all downloads.
    pub(crate) hits: Count,
    pub(crate) misses: Count,
    pub(crate) bytes: Count,
}

impl Counts {
    pub(super) const fn new() -> Self {
        Self {
            lookups: Count::new("discobase_lookups_total"),
            hits: Count::new("discobase_lookup_hits_total"),
            misses: Count::new("discobase_lookup_misses_total"),
            bytes: Count::new("discobase_lookup_bytes_total"),
        }
    }
}
