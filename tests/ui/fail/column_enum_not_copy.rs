//! An enum without data has no reason not to be `Copy`.

use discobase::ColumnEnum;

#[derive(ColumnEnum)]
enum Role {
    Member,
    Boss,
}

fn main() {}
