//! What a frame is: one message of the journal.

use std::fmt;

use crate::batch::Commit;
use crate::codec::checkpoint::Checkpoint;
use crate::codec::sealed::Sealed;
use crate::ids::{ChannelId, Epoch, Incarnation};
use crate::seal::Keying;

/// The checksum of a frame, and its identity: blake3 over its canonical encoding.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Sum(pub(crate) [u8; 32]);

impl Sum {
    /// What a genesis follows: nothing.
    pub(crate) const NONE: Self = Self([0; 32]);

    /// From 64 hexadecimal digits in lower case.
    pub(crate) fn from_hex(text: &str) -> Option<Self> {
        let mut bytes = [0; 32];
        if text.len() != 64 {
            return None;
        }
        for (byte, digits) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
            let [high, low] = digits else { return None };
            *byte = hex_digit(*high)? << 4 | hex_digit(*low)?;
        }
        Some(Self(bytes))
    }
}

/// The value of one hexadecimal digit in lower case.
pub(crate) fn hex_digit(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    }
}

impl fmt::Display for Sum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Sum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().take(4).try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// One frame.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Frame {
    pub(crate) header: Header,
    pub(crate) body: Body,
}

/// The fields every frame has.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Header {
    /// The database's name.
    pub(crate) db: String,
    /// The term it was written in.
    pub(crate) epoch: Epoch,
    /// The opening that wrote it.
    pub(crate) incarnation: Incarnation,
    /// The configured name of the process that wrote it.
    pub(crate) owner: String,
    /// The frame it follows.
    pub(crate) prev: Sum,
}

/// What kind of frame it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    Genesis,
    Data,
    Open,
    Close,
    Checkpoint,
}

impl Kind {
    const ALL: [Self; 5] = [Self::Genesis, Self::Data, Self::Open, Self::Close, Self::Checkpoint];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Genesis => "genesis",
            Self::Data => "data",
            Self::Open => "open",
            Self::Close => "close",
            Self::Checkpoint => "checkpoint",
        }
    }

    pub(crate) const fn code(self) -> u8 {
        match self {
            Self::Genesis => 1,
            Self::Data => 2,
            Self::Open => 3,
            Self::Close => 4,
            Self::Checkpoint => 5,
        }
    }

    pub(crate) fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    pub(crate) fn from_code(code: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.code() == code)
    }
}

/// What a frame says.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Body {
    /// The first frame of a journal.
    Genesis(Genesis),
    /// Commits in the order of their sequence numbers, which follow each other without gaps inside a frame.
    Data(Vec<Commit>),
    /// A process begins a term.
    Open,
    /// The owner ends its term.
    Close,
    /// Where the rows lie in the guild, so that the frames before it need not be read.
    Checkpoint(Box<Checkpoint>),
    /// A data frame or a checkpoint of an encrypted database, not opened.
    Sealed(Sealed),
}

impl Body {
    pub(crate) const fn kind(&self) -> Kind {
        match self {
            Self::Genesis(_) => Kind::Genesis,
            Self::Data(_) => Kind::Data,
            Self::Open => Kind::Open,
            Self::Close => Kind::Close,
            Self::Checkpoint(_) => Kind::Checkpoint,
            Self::Sealed(sealed) => sealed.kind(),
        }
    }
}

/// What the first frame fixes for good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Genesis {
    pub(crate) timing: Timing,
    pub(crate) category: ChannelId,
    pub(crate) catalog: ChannelId,
    pub(crate) journal: ChannelId,
    /// How bodies are sealed from here on; `None` if they are not. Only a sealed checkpoint has one.
    pub(crate) keying: Option<Keying>,
}

/// The times, in milliseconds, that the fencing rules count with. They stand in the genesis frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Timing {
    /// V: a message is in every history read begun this long after its snowflake's time.
    pub(crate) visibility: u64,
    /// B: how much later than a rival's `open` an owner's frame may be and still count. At least V.
    pub(crate) grace: u64,
    /// W: how long after the owner last heard the journal's tip its frame is acknowledged without a read.
    pub(crate) window: u64,
}

impl Timing {
    /// Discord.
    pub(crate) const DISCORD: Self = Self { visibility: 2_000, grace: 3_000, window: 60_000 };
    /// A guild in this process, which is consistent: nothing waits.
    #[cfg(feature = "local")]
    pub(crate) const EMBEDDED: Self = Self { visibility: 0, grace: 0, window: 60_000 };

    /// How long a process waits before it reads what decides between rivals: B + V.
    pub(crate) const fn settle(self) -> std::time::Duration {
        std::time::Duration::from_millis(self.grace + self.visibility)
    }
}
