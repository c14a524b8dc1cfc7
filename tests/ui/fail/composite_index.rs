//! An index of several fields is of columns of the struct, each once, and has a channel of its own.

use discobase::Table;

#[derive(Table)]
#[table(index(guild, nam), unique(guild, guild), index(guild, cache), index(settings, guild), unique(guild, title))]
struct Fields {
    #[table(key)]
    guild: u64,
    name: String,
    #[table(rename = "title")]
    heading: String,
    #[table(skip)]
    cache: u64,
    #[table(json)]
    settings: Vec<u8>,
}

#[derive(Table)]
#[table(index, unique(guild), index(guild, name), unique(guild, name), index(a_b, c), index(a, b_c), unique(x, y))]
struct Channels {
    guild: u64,
    name: String,
    a: u64,
    b_c: u64,
    a_b: u64,
    c: u64,
    #[table(key)]
    x: u64,
    #[table(key)]
    y: u64,
}

#[derive(Table)]
struct OnAField {
    #[table(key)]
    id: u64,
    #[table(index(id, name))]
    name: String,
}

fn main() {}
