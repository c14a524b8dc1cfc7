//! The names that generated code uses are not the ones the user gave a new meaning.

#![allow(non_camel_case_types, dead_code, unused_macros)]

mod core {}
mod std {}
mod private {}

struct Result;
struct Option;
struct Vec;
struct String;
struct Some;
struct None;
struct Ok;
struct Err;
struct Box;
struct usize;
struct str;
struct u32;
trait Default {}
trait Clone {}
trait Copy {}
trait From {}
trait Send {}
trait Sync {}
trait Entity {}
trait ColumnValue {}
macro_rules! unreachable {
    () => {};
}

#[derive(::core::clone::Clone, ::core::marker::Copy, discobase::ColumnEnum)]
enum Color {
    Red,
    Some,
}

#[derive(discobase::Table)]
struct User {
    #[table(key)]
    id: u64,
    #[table(unique, max_len = 10, default = "x")]
    name: Name,
    #[table(index, max_len = 10)]
    alias: ::std::option::Option<Name>,
    #[table(default)]
    points: i64,
    #[table(json)]
    tags: ::std::vec::Vec<::std::string::String>,
    #[table(skip)]
    row: u64,
    #[table(index, default = Color::Red)]
    position: Color,
}

type Name = ::std::string::String;

fn main() {}
