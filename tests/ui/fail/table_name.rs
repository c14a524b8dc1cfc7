//! A table's name is that of its channel.

use discobase::Table;

#[derive(Table)]
#[table(name = "")]
struct Empty {
    id: u64,
}

#[derive(Table)]
#[table(name = "Users")]
struct Upper {
    id: u64,
}

#[derive(Table)]
#[table(name = "old--users")]
struct Dashes {
    id: u64,
}

#[derive(Table)]
#[table(name = "my users")]
struct Space {
    id: u64,
}

#[derive(Table)]
#[table(name = "a_name_that_goes_on_and_on_and_on_and_on_and_on_and_on_and_on_and_on_and_on_and_on_and_on_and_on_and_on")]
struct Long {
    id: u64,
}

#[derive(Table)]
struct ANameThatGoesOnAndOnAndOnAndOnAndOnAndOnAndOnAndOnAndOnAndOnAndOnAndOnAndOnAndOnAndOn {
    id: u64,
}

fn main() {}
