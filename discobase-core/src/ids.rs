//! Identifiers, each a type of its own, so that one is never passed where another belongs.

use std::fmt;

macro_rules! number {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
        pub struct $name(u64);

        impl $name {
            /// Wraps the number.
            #[must_use]
            pub const fn new(number: u64) -> Self {
                Self(number)
            }

            /// The number itself.
            #[must_use]
            pub const fn get(self) -> u64 {
                self.0
            }

            /// The number after this one. Saturates at [`u64::MAX`].
            #[must_use]
            pub const fn next(self) -> Self {
                Self(self.0.saturating_add(1))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl From<u64> for $name {
            fn from(number: u64) -> Self {
                Self(number)
            }
        }
    };
}

number! {
    /// The database-wide sequence number of a commit. The first commit is 1; 0 is before every commit.
    Seq
}
number! {
    /// The identity of a row inside its table, assigned by the engine from a counter, never reused.
    RowId
}
number! {
    /// The term of an owner. The genesis is epoch 0, the first owner writes in epoch 1.
    Epoch
}
number! {
    /// The number of a table inside its database, assigned when the table is registered.
    TableId
}
number! {
    /// A Discord guild.
    GuildId
}
number! {
    /// A channel of a guild.
    ChannelId
}
number! {
    /// A message of a channel.
    MessageId
}
number! {
    /// A Discord user.
    UserId
}

impl From<twilight_model::id::Id<twilight_model::id::marker::GuildMarker>> for GuildId {
    fn from(id: twilight_model::id::Id<twilight_model::id::marker::GuildMarker>) -> Self {
        Self(id.get())
    }
}

/// Milliseconds from the Unix epoch to Discord's (Discord docs, "API Reference": Snowflakes).
const DISCORD_EPOCH_MS: u64 = 1_420_070_400_000;

impl MessageId {
    /// The time inside the snowflake, in milliseconds since the Unix epoch
    /// (Discord docs, "API Reference": Snowflakes).
    #[must_use]
    pub const fn time_ms(self) -> u64 {
        (self.0 >> 22) + DISCORD_EPOCH_MS
    }

    /// The lowest id a message sent at `time_ms` (milliseconds since the Unix epoch) can have: a cursor for
    /// history reads. Times before Discord's epoch give 0.
    #[must_use]
    pub const fn at(time_ms: u64) -> Self {
        Self(time_ms.saturating_sub(DISCORD_EPOCH_MS) << 22)
    }
}

/// The identity of one opening of a database: random, so that no two openings share it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Incarnation(pub(crate) [u8; 8]);

impl Incarnation {
    /// From its eight bytes.
    #[must_use]
    pub const fn new(bytes: [u8; 8]) -> Self {
        Self(bytes)
    }
}

impl fmt::Display for Incarnation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Incarnation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The identity of a commit: which opening of the database made it, and its place in the order of commits.
///
/// [`Database::outcome`](crate::Database::outcome) tells with it how a commit of unknown outcome ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct CommitId {
    /// The opening that made the commit.
    pub incarnation: Incarnation,
    /// Its sequence number.
    pub seq: Seq,
}

impl fmt::Display for CommitId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.incarnation, self.seq)
    }
}
