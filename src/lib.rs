//! Placeholder of the facade.

pub use discobase_core::*;
