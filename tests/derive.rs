//! What `#[derive(Table)]` and `#[derive(ColumnEnum)]` make of a struct.

use discobase::private::{Fields, RowWriter, Value, ValueRef};
use discobase::{Entity, IndexKind, Row, Table};
use twilight_model::id::Id;
use twilight_model::id::marker::GuildMarker;

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

/// A row as the struct's schema lays it out; `None` past its end.
struct Stored(Row);

impl Fields for Stored {
    fn value(&self, position: usize) -> Option<ValueRef<'_>> {
        self.0.value(position)
    }
}

/// The first `columns` values of the entity, as a row.
fn row<E: Entity>(entity: &E, columns: usize) -> Stored {
    let mut row = RowWriter::new(columns);
    for position in 0..columns {
        entity.encode(position, &mut row).unwrap();
    }
    Stored(row.finish())
}

fn round_trip<E: Entity>(entity: &E) -> E {
    E::decode(&row(entity, E::SCHEMA.columns.len())).unwrap()
}

fn indexes<E: Entity>() -> Vec<(IndexKind, &'static [usize], &'static str)> {
    E::SCHEMA.indexes.iter().map(|index| (index.kind, index.columns, index.channel)).collect()
}

#[test]
fn a_plain_struct() {
    let peter = UserProfile { user_id: 1, display_name: "Peter".into(), points: 5, guild: Some(Id::new(2)) };
    assert_eq!(round_trip(&peter), peter);
    assert_eq!(UserProfile::SCHEMA.name, "user_profiles");
    assert_eq!(UserProfile::SCHEMA.columns[1].max_len, Some(100));
    assert_eq!(
        UserProfile::decode(&row(&peter, 2)).unwrap(),
        UserProfile { points: 7, guild: None, ..peter }
    );
    assert_eq!(UserProfile::default_value(2), Some(Value::Int(7)));
    assert_eq!(UserProfile::default_value(0), None);
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
