//! What can keep a local guild from starting or from keeping its data.

use std::path::PathBuf;

/// Why a local guild did not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GuildError {
    /// The address could not be bound.
    #[error("cannot listen on {address}")]
    Listen {
        /// The address.
        address: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// Another process, or another guild of this process, has the file open.
    #[error("the data file {} is in use by another local guild", path.display())]
    InUse {
        /// The file.
        path: PathBuf,
    },
    /// The file is no data file, or a damaged one.
    #[error("the data file {} is damaged, or not a data file of a local guild: {reason}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What was found.
        reason: String,
    },
    /// The file was written by another version of this crate.
    #[error("the data file {} has format {found}; this version reads format {expected}", path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// The format of the file.
        found: String,
        /// The format this version reads and writes.
        expected: u64,
    },
    /// The file could not be read or written.
    #[error("cannot use the data file {}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What went wrong.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The system gave no random numbers for token and keys.
    #[error("no random numbers: {0}")]
    Random(String),
}
