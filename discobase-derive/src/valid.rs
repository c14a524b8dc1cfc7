//! The rules that a single attribute can't check.

use crate::ast::Table;
use crate::errors::Errors;

/// Adds every broken rule to `errors`.
pub(crate) fn check(table: &Table<'_>, errors: &mut Errors) {
    let _ = (table, errors);
}
