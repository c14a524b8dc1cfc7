//! The rows of the large table.

use discobase::Table;

use crate::time::Random;

/// Two integers, a time and a short text: what a bot keeps of a person.
#[derive(Debug, Clone, PartialEq, Table)]
#[table(name = "members")]
pub(crate) struct Member {
    /// As large as Discord's ids.
    #[table(key)]
    pub(crate) id: u64,
    pub(crate) name: String,
    pub(crate) points: i64,
    pub(crate) joined: i64,
}

/// Points are less than this, and no value is more frequent than another.
pub(crate) const POINTS: i64 = 1 << 16;

/// Members with distinct ids of 63 bits, in no order; the same in every run.
pub(crate) fn members(rows: usize) -> impl Iterator<Item = Member> {
    let mut random = Random(0x2545_f491_4f6c_dd1d);
    (0..rows).map(move |number| Member {
        // The low bits keep the ids distinct.
        id: random.next() << 24 >> 1 | number as u64,
        name: format!("member {:x}", random.next() >> 40),
        points: (random.next() >> 48) as i64,
        joined: 1_420_070_400_000 + (random.next() >> 26) as i64,
    })
}
