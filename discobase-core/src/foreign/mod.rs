//! What other crates have for times and for rules, each behind a feature of its name.

pub(crate) mod rules;
#[cfg(any(feature = "chrono", feature = "time", feature = "jiff"))]
mod times;
