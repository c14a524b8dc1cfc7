//! Generic tables, in the ways structs are generic.

use std::collections::HashMap;
use std::marker::PhantomData;

use discobase::{ColumnValue, Entity, Table};
use serde::Serialize;
use serde::de::DeserializeOwned;

#[derive(Table)]
struct Wrapper<T> {
    #[table(key)]
    value: T,
}

#[derive(Table)]
struct Bounded<T: ColumnValue, V = String>
where
    V: Serialize + DeserializeOwned + Default,
{
    #[table(index)]
    value: Option<u64>,
    other: T,
    #[table(json, default)]
    settings: HashMap<String, V>,
}

#[derive(Table)]
struct Tagged<T, const N: usize> {
    id: u64,
    #[table(skip)]
    tag: PhantomData<T>,
    #[table(json)]
    parents: Vec<Box<Self>>,
}

impl<T, const N: usize> Serialize for Tagged<T, N> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.id.serialize(serializer)
    }
}

impl<'de, T, const N: usize> serde::Deserialize<'de> for Tagged<T, N> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        u64::deserialize(deserializer).map(|id| Self { id, tag: PhantomData, parents: Vec::new() })
    }
}

fn main() {
    assert_eq!(Wrapper::<u64>::SCHEMA.columns[0].ty.name(), "u64");
    assert_eq!(Wrapper::<String>::SCHEMA.columns[0].ty.name(), "text");
    assert_ne!(Wrapper::<u64>::FINGERPRINT, Wrapper::<String>::FINGERPRINT);
    assert!(Bounded::<Option<bool>>::SCHEMA.columns[1].nullable);
    assert_eq!(Tagged::<String, 3>::columns().parents.position(), 1);
    const { assert!(Wrapper::<u64>::SCHEMA.indexes.len() == 1) };
}
