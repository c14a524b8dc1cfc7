//! The tables of the data file.
//!
//! Callers: `store::file`. Format 1. Values are JSON, except for attachments, which are cut into pieces.

use redb::TableDefinition;

/// The version of what follows. Raise it with every change that older versions would misread.
pub(super) const FORMAT: u64 = 1;

/// Bytes of a piece of an attachment: a little less than a power of two, as the file allocates by those.
pub(super) const PIECE: usize = (1 << 20) - 4096;

/// Numbers: `format`, `last_id`.
pub(super) const NUMBERS: TableDefinition<'_, &str, u64> = TableDefinition::new("numbers");
/// `home` and `secret`.
pub(super) const META: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("meta");
/// Users by id.
pub(super) const USERS: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("users");
/// Guilds by id.
pub(super) const GUILDS: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("guilds");
/// Channels by id.
pub(super) const CHANNELS: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("channels");
/// Messages by channel and id.
pub(super) const MESSAGES: TableDefinition<'_, (u64, u64), &[u8]> = TableDefinition::new("messages");
/// Invites by code.
pub(super) const INVITES: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("invites");
/// Commands of applications by id.
pub(super) const COMMANDS: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("commands");
/// Nonces by message: the newest use of a nonce wins when they are read in order of time.
pub(super) const NONCES: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("nonces");
/// Attachments by id and number of the piece.
pub(super) const PIECES: TableDefinition<'_, (u64, u64), &[u8]> = TableDefinition::new("pieces");
