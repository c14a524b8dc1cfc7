//! What an enum must be for a column to keep it.

use discobase::ColumnEnum;

#[derive(Clone, Copy, ColumnEnum)]
enum WithData {
    Plain,
    Tuple(u64),
    Named { name: u64 },
    Braces {},
}

#[derive(Clone, Copy, ColumnEnum)]
enum Empty {}

#[derive(Clone, Copy, ColumnEnum)]
enum Generic<T> {
    Some(T),
    None,
}

#[derive(Clone, Copy, ColumnEnum)]
enum Names {
    Red,
    #[table(rename = "Red")]
    Crimson,
    #[table(rename = "")]
    Nothing,
}

#[derive(Clone, Copy, ColumnEnum)]
struct NotAnEnum {
    id: u64,
}

fn main() {}
