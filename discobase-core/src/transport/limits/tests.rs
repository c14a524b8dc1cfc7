//! Limits in virtual time.
