//! The tables the suite saves.

use discobase::{ColumnEnum, Table};
use serde::{Deserialize, Serialize};
use twilight_model::id::Id;
use twilight_model::id::marker::UserMarker;
use twilight_model::util::Timestamp;
use uuid::Uuid;

#[derive(Debug, Clone, PartialEq, Table)]
#[table(name = "users")]
pub(crate) struct User {
    #[table(key)]
    pub(crate) id: u64,
    #[table(unique, max_len = 100)]
    pub(crate) name: String,
    #[table(index)]
    pub(crate) points: i64,
    #[table(index)]
    pub(crate) team: Option<String>,
}

impl User {
    pub(crate) fn new(id: u64, name: &str, points: i64) -> Self {
        Self { id, name: name.into(), points, team: None }
    }

    pub(crate) fn in_team(id: u64, name: &str, points: i64, team: &str) -> Self {
        Self { team: Some(team.into()), ..Self::new(id, name, points) }
    }
}

/// A table without a key.
#[derive(Debug, Clone, PartialEq, Table)]
pub(crate) struct Note {
    pub(crate) text: String,
}

/// A table with a key of two fields.
#[derive(Debug, Clone, PartialEq, Table)]
pub(crate) struct Membership {
    #[table(key)]
    pub(crate) guild: u64,
    #[table(key)]
    pub(crate) user: String,
    pub(crate) role: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ColumnEnum)]
pub(crate) enum Level {
    Low,
    Middle,
    High,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Address {
    pub(crate) street: String,
    pub(crate) numbers: Vec<u32>,
}

/// Every column type.
#[derive(Debug, Clone, PartialEq, Table)]
pub(crate) struct Everything {
    #[table(key)]
    pub(crate) key: String,
    pub(crate) yes: bool,
    pub(crate) i8: i8,
    pub(crate) i16: i16,
    pub(crate) i32: i32,
    pub(crate) i64: i64,
    pub(crate) u8: u8,
    pub(crate) u16: u16,
    pub(crate) u32: u32,
    #[table(index)]
    pub(crate) u64: u64,
    pub(crate) f32: f32,
    #[table(index)]
    pub(crate) f64: f64,
    #[table(index)]
    pub(crate) text: String,
    pub(crate) bytes: Vec<u8>,
    pub(crate) option: Option<i32>,
    #[table(index)]
    pub(crate) time: Timestamp,
    pub(crate) uuid: Uuid,
    pub(crate) user: Id<UserMarker>,
    #[table(index)]
    pub(crate) level: Level,
    #[table(json)]
    pub(crate) address: Address,
    #[table(skip)]
    pub(crate) cached: Option<String>,
}

impl Everything {
    pub(crate) fn ordinary(key: &str) -> Self {
        Self {
            key: key.into(),
            yes: true,
            i8: -1,
            i16: -2,
            i32: -3,
            i64: -4,
            u8: 1,
            u16: 2,
            u32: 3,
            u64: 4,
            f32: 1.5,
            f64: -2.25,
            text: "text".into(),
            bytes: vec![0, 1, 255],
            option: Some(7),
            time: Timestamp::from_secs(1_700_000_000).unwrap(),
            uuid: Uuid::from_u128(0x1234_5678),
            user: Id::new(81_384_788_765_712_384),
            level: Level::Middle,
            address: Address { street: "Ring".into(), numbers: vec![1, 2] },
            cached: None,
        }
    }
}
