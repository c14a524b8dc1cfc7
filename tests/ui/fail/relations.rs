//! References and relations that mean nothing.
use discobase::Table;

#[derive(Table)]
struct User {
    #[table(key)]
    id: u64,
}

#[derive(Table)]
struct Unnamed {
    #[table(references = User)]
    owner: u64,
}

#[derive(Table)]
struct Taken {
    user: String,
    #[table(references = User)]
    user_id: u64,
    #[table(references = User, relation = save)]
    other: u64,
}

#[derive(Table)]
struct Alone {
    #[table(on_delete = cascade)]
    a: u64,
    #[table(relation = x)]
    b: u64,
}

#[derive(Table)]
struct Wrong {
    #[table(references = "User")]
    a_id: u64,
    #[table(references = User, on_delete = cascad)]
    b_id: u64,
    #[table(references = User, on_delete)]
    c_id: u64,
    #[table(references = User, relation = "d")]
    d_id: u64,
    #[table(references = User, json)]
    e_id: u64,
    #[table(references = User, created_at)]
    f_id: u64,
    #[table(references = User.email)]
    g_id: String,
    #[table(references = User(id, email))]
    h_id: u64,
}

#[derive(Table)]
#[table(has_many, has_one(), has_many(orders = Order), many_to_many(tags = Tag), has_one(find = Order.user_id))]
struct Back {
    #[table(key)]
    id: u64,
}

#[derive(Table)]
struct Generic<T> {
    #[table(references = User)]
    user_id: u64,
    value: T,
}

fn main() {}
