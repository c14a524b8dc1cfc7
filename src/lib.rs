//! discobase: a typed ORM whose database is a Discord guild.
//!
//! Everything lives in [`discobase_core`]; this crate is its front door.

#[doc(inline)]
pub use discobase_core::*;
