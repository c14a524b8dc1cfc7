//! The tables of the simulated program.

use std::hash::{DefaultHasher, Hash, Hasher};

use discobase_core as discobase;
use discobase_core::{Record, Table};

/// One side of a transfer of money: a commit saves two, whose amounts cancel out. The other one may be a [`Deposit`].
#[derive(Debug, Clone, PartialEq, Eq, Hash, Table)]
#[table(crate = "discobase")]
pub(crate) struct Entry {
    #[table(key)]
    pub(crate) transfer: u64,
    #[table(key)]
    pub(crate) side: u64,
    #[table(index)]
    pub(crate) account: u64,
    pub(crate) amount: i64,
}

/// The other side of a transfer that goes from one table to another.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Table)]
#[table(crate = "discobase")]
pub(crate) struct Deposit {
    #[table(key)]
    pub(crate) transfer: u64,
    pub(crate) account: u64,
    pub(crate) amount: i64,
}

/// A list that callers read, extend by the number of their operation, and write back.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Table)]
#[table(crate = "discobase")]
pub(crate) struct Register {
    #[table(key)]
    pub(crate) id: u64,
    /// What never changes, so that an update leaves it out where it may.
    pub(crate) title: String,
    /// The numbers, with a comma after each.
    pub(crate) list: String,
}

/// A name that one operation at a time can hold.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Table)]
#[table(crate = "discobase")]
pub(crate) struct Claim {
    #[table(key)]
    pub(crate) by: u64,
    #[table(unique)]
    pub(crate) name: String,
}

/// What records hash to, whatever their order: so that a change of one changes it by what that one hashes to.
pub(crate) fn digest<'a, T: Hash + 'a>(records: impl IntoIterator<Item = &'a Record<T>>) -> u64 {
    let one = |record: &Record<T>| {
        let mut hasher = DefaultHasher::new();
        (record.id(), record.version(), &**record).hash(&mut hasher);
        hasher.finish()
    };
    records.into_iter().fold(0, |sum: u64, record| sum.wrapping_add(one(record)))
}
