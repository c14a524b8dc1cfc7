//! One mistake, one error: what uses the struct or the enum finds the traits it needs.

use discobase::{ColumnEnum, Entity, Table};

#[derive(Table)]
struct User {
    #[table(uniqe)]
    name: String,
    role: Role,
}

#[derive(ColumnEnum)]
enum Role {
    Member,
    Boss { since: u64 },
}

#[derive(Table)]
struct Borrowed<'a> {
    name: &'a str,
}

#[derive(Table)]
#[table(key)]
struct Generic<T> {
    value: T,
}

#[derive(Table)]
struct Tuple(u64);

fn entity<E: Entity>() {}

fn main() {
    entity::<User>();
    entity::<Borrowed>();
    entity::<Generic<u64>>();
    entity::<Tuple>();
    let _ = User::columns().name.eq("Peter").and(User::columns().role.eq(Role::Member));
    let _ = Borrowed::columns().name;
    let _ = Generic::<u64>::columns().value.gt(3);
}
