//! References and relations between fields that are not of one type.
use discobase::Table;

#[derive(Table)]
#[table(has_many(orders = Order.number))]
struct User {
    #[table(key)]
    id: u64,
}

#[derive(Table)]
struct Order {
    #[table(key)]
    id: u64,
    #[table(references = User)]
    user_id: i32,
    #[table(references = User, on_delete = set_null)]
    other_id: u64,
    #[table(references = Pair)]
    pair_id: u64,
    number: i8,
}

#[derive(Table)]
struct Pair {
    #[table(key)]
    a: u64,
    #[table(key)]
    b: u64,
}

#[derive(Table)]
struct Tag {
    #[table(key, references = User)]
    user_id: u64,
}

async fn with(db: &discobase::Database) {
    let _ = Tag::find(db).with(|t| t.user_id).all().await;
    let _ = Tag::find(db).with(|t| t.user).all().await;
}

fn main() {}
