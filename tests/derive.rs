//! What `#[derive(Table)]` and `#[derive(ColumnEnum)]` make of a struct and of an enum.

#![expect(clippy::unwrap_used, reason = "a test that can't go on has failed")]

use std::collections::BTreeMap;
use std::marker::PhantomData;

use discobase::private::{ColumnValue, FieldError, RowWriter, Stored, Value, ValueRef};
use discobase::{ColumnEnum, ColumnType, Entity, IndexKind, Row, Table};
use serde::{Deserialize, Serialize};
use twilight_model::id::Id;
use twilight_model::id::marker::{GuildMarker, UserMarker};
use twilight_model::util::Timestamp;
use uuid::Uuid;

/// The struct of a row that has the columns in the order of the struct's fields.
fn decode<E: Entity>(row: &Row) -> Result<E, (usize, FieldError)> {
    let columns: Vec<usize> = (0..E::SCHEMA.columns.len()).collect();
    E::decode(&Stored::of(row, &columns, E::default_value))
}

/// The first `columns` values of the entity, as a row.
fn row<E: Entity>(entity: &E, columns: usize) -> Row {
    let mut row = RowWriter::new(columns);
    for position in 0..columns {
        entity.encode(position, &mut row).unwrap();
    }
    row.finish()
}

fn round_trip<E: Entity>(entity: &E) -> E {
    decode(&row(entity, E::SCHEMA.columns.len())).map_err(|(at, error)| format!("{at}: {error}")).unwrap()
}

fn indexes<E: Entity>() -> Vec<(IndexKind, &'static [usize], &'static str)> {
    E::SCHEMA.indexes.iter().map(|index| (index.kind, index.columns, index.channel)).collect()
}

fn names<E: Entity>() -> Vec<&'static str> {
    E::SCHEMA.columns.iter().map(|column| column.name).collect()
}

#[derive(Debug, Clone, PartialEq, Table)]
#[table(name = "user_profiles")]
struct UserProfile {
    #[table(key)]
    user_id: u64,
    #[table(unique, max_len = 100)]
    display_name: String,
    #[table(default = 7)]
    points: i64,
    #[table(index)]
    guild: Option<Id<GuildMarker>>,
}

#[test]
fn a_plain_struct() {
    let peter = UserProfile { user_id: 1, display_name: "Peter".into(), points: 5, guild: Some(Id::new(2)) };
    assert_eq!(round_trip(&peter), peter);
    assert_eq!(UserProfile::SCHEMA.name, "user_profiles");
    assert_eq!(UserProfile::SCHEMA.columns[1].max_len, Some(100));
    assert_eq!(UserProfile::columns().points.name(), "points");
    assert_eq!(UserProfile::columns().guild.position(), 3);
    assert_eq!(
        indexes::<UserProfile>(),
        [
            (IndexKind::Key, &[0][..], "user_profiles_user_id"),
            (IndexKind::Unique, &[1][..], "user_profiles_display_name"),
            (IndexKind::Index, &[3][..], "user_profiles_guild"),
        ]
    );
}

#[derive(Debug, Clone, Copy, PartialEq, ColumnEnum)]
enum Role {
    Member,
    #[table(rename = "boss")]
    Chief,
}

#[derive(Debug, Clone, PartialEq, Table)]
struct EveryType {
    boolean: bool,
    i8: i8,
    i16: i16,
    i32: i32,
    i64: i64,
    u8: u8,
    u16: u16,
    u32: u32,
    u64: u64,
    f32: f32,
    f64: f64,
    text: String,
    bytes: Vec<u8>,
    uuid: Uuid,
    timestamp: Timestamp,
    user: Id<UserMarker>,
    role: Role,
    #[table(json)]
    json: BTreeMap<String, Vec<u8>>,
    maybe_text: Option<String>,
    maybe_role: Option<Role>,
    maybe_number: Option<i64>,
    #[table(json)]
    maybe_json: Option<(u8, bool)>,
}

fn every_type() -> EveryType {
    EveryType {
        boolean: true,
        i8: i8::MIN,
        i16: i16::MIN,
        i32: i32::MIN,
        i64: i64::MIN,
        u8: u8::MAX,
        u16: u16::MAX,
        u32: u32::MAX,
        u64: u64::MAX,
        f32: -0.0,
        f64: f64::INFINITY,
        text: "Grüße, `Welt`".into(),
        bytes: vec![0, 255],
        uuid: Uuid::from_u128(7),
        timestamp: Timestamp::from_micros(1_700_000_000_123_456).unwrap(),
        user: Id::new(42),
        role: Role::Chief,
        json: BTreeMap::from([("a".to_owned(), vec![1, 2])]),
        maybe_text: None,
        maybe_role: Some(Role::Member),
        maybe_number: Some(-1),
        maybe_json: None,
    }
}

#[test]
fn every_type_survives_a_round_trip() {
    let full = every_type();
    assert_eq!(round_trip(&full), full);
    let empty = EveryType { maybe_role: None, maybe_number: None, maybe_json: Some((1, true)), ..full };
    assert_eq!(round_trip(&empty), empty);
}

#[test]
fn columns_know_their_types() {
    let types: Vec<_> =
        EveryType::SCHEMA.columns.iter().map(|column| (column.ty.name(), column.nullable)).collect();
    let never = ["bool", "i8", "i16", "i32", "i64", "u8", "u16", "u32", "u64", "f32", "f64", "text", "bytes"];
    assert!(types[..13].iter().copied().eq(never.map(|name| (name, false))));
    assert_eq!(
        types[13..],
        [
            ("uuid", false),
            ("timestamp", false),
            ("id", false),
            ("enum", false),
            ("json", false),
            ("text", true),
            ("enum", true),
            ("i64", true),
            // A JSON column is never null: `None` is the JSON text `null`.
            ("json", false),
        ]
    );
}

#[test]
fn a_wrong_value_names_its_position() {
    let mut row = RowWriter::new(2);
    row.put(ValueRef::Int(1));
    row.put(ValueRef::Bool(true));
    let (position, error) = decode::<UserProfile>(&row.finish()).unwrap_err();
    assert_eq!((position, error.to_string().as_str()), (1, "expected text, found true"));
}

#[test]
fn enums_keep_their_names() {
    assert_eq!(Role::VARIANTS, ["Member", "boss"]);
    assert_eq!(
        (Role::Chief.name(), Role::from_name("boss"), Role::from_name("Chief")),
        ("boss", Some(Role::Chief), None)
    );
    assert_eq!(Role::TYPE, ColumnType::Enum { variants: Role::VARIANTS });
    let error = Role::decode(ValueRef::Text("Chief")).unwrap_err();
    assert_eq!(error.to_string(), "expected one of Member, boss, found \"Chief\"");
}

#[derive(Debug, PartialEq, Table)]
struct Membership {
    note: String,
    #[table(key)]
    guild: Id<GuildMarker>,
    #[table(index)]
    since: i64,
    #[table(key, index)]
    user: Id<UserMarker>,
}

#[test]
fn a_composite_key_has_the_order_of_its_fields() {
    assert_eq!(
        indexes::<Membership>(),
        [
            (IndexKind::Key, &[1, 3][..], "membership_guild_user"),
            (IndexKind::Index, &[2][..], "membership_since"),
            (IndexKind::Index, &[3][..], "membership_user"),
        ]
    );
    assert_eq!(Membership::SCHEMA.key().unwrap().columns, [1, 3]);
    fn key_is<E: Entity<Key = K>, K>() {}
    key_is::<Membership, (Id<GuildMarker>, Id<UserMarker>)>();
    key_is::<EveryType, ()>();
}

#[derive(Debug, PartialEq, Default, Clone, Serialize, Deserialize)]
struct Settings {
    dark: bool,
}

fn three() -> i64 {
    3
}

/// What `Defaults` was before it had more columns.
#[derive(Table)]
struct OldDefaults {
    id: u64,
}

#[derive(Debug, PartialEq, Table)]
struct Defaults {
    id: u64,
    #[table(default)]
    zero: i64,
    #[table(default = three())]
    called: i64,
    #[table(default = "none")]
    text: String,
    #[table(default = "none")]
    maybe_text: Option<String>,
    #[table(default = Some(4))]
    maybe: Option<u8>,
    nothing: Option<u8>,
    #[table(default = Role::Chief)]
    role: Role,
    #[table(json, default = Settings { dark: true })]
    settings: Settings,
}

#[test]
fn rows_older_than_a_column_have_its_default() {
    let new = decode::<Defaults>(&row(&OldDefaults { id: 1 }, 1)).unwrap();
    assert_eq!(
        new,
        Defaults {
            id: 1,
            zero: 0,
            called: 3,
            text: "none".into(),
            maybe_text: Some("none".into()),
            maybe: Some(4),
            nothing: None,
            role: Role::Chief,
            settings: Settings { dark: true },
        }
    );
    assert_eq!(Defaults::default_value(0), None);
    assert_eq!(Defaults::default_value(2), Some(Value::Int(3)));
    assert_eq!(Defaults::default_value(6), None);
    assert_eq!(Defaults::default_value(7), Some(Value::Text("boss".into())));
    assert_eq!(Defaults::default_value(8), Some(Value::Text(r#"{"dark":true}"#.into())));
    assert_eq!(Defaults::default_value(99), None);
    let with_default: Vec<_> = Defaults::SCHEMA.columns.iter().map(|column| column.has_default).collect();
    assert_eq!(with_default, [false, true, true, true, true, true, false, true, true]);
}

#[test]
fn a_column_without_a_default_can_not_be_missing() {
    let peter = UserProfile { user_id: 1, display_name: "Peter".into(), points: 5, guild: None };
    assert_eq!(decode::<UserProfile>(&row(&peter, 2)).unwrap().points, 7);
    let (position, error) = decode::<UserProfile>(&row(&peter, 1)).unwrap_err();
    assert_eq!((position, error.to_string().as_str()), (1, "expected text, found null"));
}

#[expect(non_snake_case, reason = "a column keeps the name that its field has")]
#[derive(Debug, PartialEq, Table)]
struct Names {
    #[table(rename = "user-id", index)]
    id: u64,
    #[table(skip)]
    cache: Vec<Vec<u8>>,
    r#type: String,
    guildId: u64,
}

#[test]
fn renamed_and_skipped_fields() {
    assert_eq!(names::<Names>(), ["user-id", "type", "guildId"]);
    assert_eq!(indexes::<Names>(), [(IndexKind::Index, &[0][..], "names_user-id")]);
    let columns = Names::columns();
    assert_eq!((columns.id.name(), columns.r#type.position(), columns.guildId.position()), ("user-id", 1, 2));
    let full = Names { id: 1, cache: vec![vec![1]], r#type: "bot".into(), guildId: 2 };
    assert_eq!(round_trip(&full), Names { cache: Vec::new(), ..full });
}

#[derive(Debug, PartialEq, Table)]
struct HTTPServer<T, U = u8> {
    #[table(key)]
    id: T,
    #[table(index)]
    maybe: Option<U>,
    #[table(json, default)]
    list: Vec<U>,
    #[table(skip)]
    tag: PhantomData<T>,
}

#[test]
fn generic_structs() {
    type Server = HTTPServer<String>;
    let server = Server { id: "a".into(), maybe: Some(1), list: vec![2], tag: PhantomData };
    assert_eq!(round_trip(&server), server);
    assert_eq!(Server::SCHEMA.name, "http_server");
    assert_eq!(Server::SCHEMA.columns[0].ty, ColumnType::Text);
    assert_eq!(HTTPServer::<u64>::SCHEMA.columns[0].ty, ColumnType::Unsigned { bits: 64 });
    assert_ne!(HTTPServer::<u64>::FINGERPRINT, Server::FINGERPRINT);
}

/// Declares a table of the name `t` and takes its fingerprint.
macro_rules! fingerprint {
    ($(#[$on:meta])* { $($fields:tt)* }) => {{
        #[derive(Table)]
        $(#[$on])*
        #[allow(dead_code)]
        struct T { $($fields)* }
        T::FINGERPRINT
    }};
}

#[test]
fn the_fingerprint_is_that_of_the_schema() {
    let base = fingerprint!({ a: u64, b: String });
    let same = [
        fingerprint!({ b: String, a: u64 }),
        fingerprint!(#[table(name = "t")] { a: u64, b: String }),
        fingerprint!({ #[table(rename = "a")] other: u64, b: String, #[table(skip)] c: u8 }),
        // What old rows get is not what new rows look like.
        fingerprint!({ #[table(default)] a: u64, b: String }),
    ];
    assert_eq!(same, [base; 4]);
}

#[test]
fn different_schemas_have_different_fingerprints() {
    let mut all = vec![
        fingerprint!({ a: u64, b: String }),
        fingerprint!(#[table(name = "u")] { a: u64, b: String }),
        fingerprint!({ a: u64 }),
        fingerprint!({ a: i64, b: String }),
        fingerprint!({ a: Option<u64>, b: String }),
        fingerprint!({ #[table(key)] a: u64, b: String }),
        fingerprint!({ #[table(unique)] a: u64, b: String }),
        fingerprint!({ #[table(index)] a: u64, b: String }),
        fingerprint!({ #[table(key)] a: u64, #[table(key)] b: String }),
        fingerprint!({ #[table(key)] b: String, #[table(key)] a: u64 }),
        fingerprint!({ a: u64, #[table(max_len = 1)] b: String }),
        fingerprint!({ a: u64, #[table(max_len = 2)] b: String }),
        fingerprint!({ a: u64, #[table(json)] b: String }),
        fingerprint!({ a: u64, b: Role }),
    ];
    let count = all.len();
    all.sort_unstable();
    all.dedup();
    assert_eq!(all.len(), count);
}

/// The crate under another name, as a dependency's `package` key gives it.
mod renamed {
    pub(crate) use discobase as database;

    #[derive(Clone, Copy, database::ColumnEnum)]
    #[table(crate = "crate::renamed::database")]
    pub(crate) enum Color {
        Red,
    }

    #[derive(database::Table)]
    #[table(crate = "crate::renamed::database")]
    pub(crate) struct Car {
        #[table(default = Color::Red)]
        pub(crate) color: Color,
    }
}

#[test]
fn a_renamed_crate() {
    assert_eq!(names::<renamed::Car>(), ["color"]);
    let _ = round_trip(&renamed::Car { color: renamed::Color::Red }).color;
}
