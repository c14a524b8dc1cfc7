//! Fields that are no columns of the table, or of another type.

use discobase::aggregate::{min, sum};
use discobase::{Database, Projection, Table};

#[derive(Table)]
struct User {
    #[table(key)]
    id: u64,
    name: String,
    points: Option<i64>,
    #[table(json)]
    tags: Vec<String>,
    #[table(skip)]
    cache: Vec<u8>,
}

#[derive(Projection)]
#[projection(table = User)]
struct Unknown {
    nam: String,
    #[projection(column = "point")]
    points: Option<i64>,
    cache: Vec<u8>,
}

#[derive(Projection)]
#[projection(table = User)]
struct Mismatched {
    id: i64,
    points: i64,
}

#[derive(Projection)]
#[projection(table = Unknown)]
struct OfNoTable {
    nam: String,
}

#[derive(Table)]
struct Other {
    #[table(key)]
    id: u64,
    user: Option<u64>,
    title: String,
}

fn queries(db: &Database) {
    let _ = Other::find(db).select_as::<Mismatched>();
    let _ = User::find(db).select(|u| u.id + 1);
    let _ = User::find(db).sum(|u| u.name);
    let _ = User::find(db).aggregate(|u| (min(u.tags), sum(u.points)));
    let _ = User::find(db).filter(|u| u.id.is_in(Other::find(db).select(|o| o.title)));
    let _ = User::find(db).filter(|u| u.id.is_in(Other::find(db).select(|o| o.user)));
}

fn main() {}
