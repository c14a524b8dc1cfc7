//! What mending a database came to.

use std::fmt;

use crate::db::Report;
use crate::ids::{ChannelId, Seq};

/// What [`Database::heal`](crate::Database::heal) found, did, and left.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Healed {
    /// What was wrong.
    pub found: Report,
    /// What is wrong still: what only people can mend, and messages of theirs. Empty, if nothing was wrong.
    pub left: Report,
    /// The last commit that was written anew, if that was needed.
    pub seq: Option<Seq>,
    /// Whether this process had stopped writing, or had to, because frames of the journal were lost, and writes again.
    pub resumed: bool,
    /// The channels that were deleted, each with the one that took its place.
    pub channels: Vec<(ChannelId, ChannelId)>,
    /// How many messages were deleted: segments and metadata that belong to nothing, and frames that can't be read.
    pub deleted: u64,
}

impl fmt::Display for Healed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} deviations were found", self.found.deviations.len() as u64 + self.found.omitted)?;
        if let Some(seq) = self.seq {
            write!(f, "; everything up to commit {seq} was written anew")?;
        }
        if self.resumed {
            write!(f, "; this process writes again")?;
        }
        for (old, new) in &self.channels {
            write!(f, "; channel {new} took the place of channel {old}")?;
        }
        if self.deleted > 0 {
            write!(f, "; {} messages were deleted", self.deleted)?;
        }
        if self.left.is_clean() {
            return f.write_str("; nothing is left");
        }
        write!(f, "; left:\n{}", self.left)
    }
}
