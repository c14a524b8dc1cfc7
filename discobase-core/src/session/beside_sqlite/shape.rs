//! Tables of random shapes, and their values.

use std::fmt::Write as _;

use super::Random;
use crate::batch::{ColumnDef, IndexDef, TableDef};
use crate::ids::{ChannelId, TableId};
use crate::row::{Row, RowWriter};
use crate::schema::IndexKind;
use crate::value::{Value, ValueRef};

/// SQLite keeps the place of a variant.
pub(super) const VARIANTS: [&str; 4] = ["Zero", "Mid", "Able", "Last"];

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Bool,
    /// A small integer, whose bounds are checked.
    Narrow,
    Integer,
    Float,
    Text,
    Bytes,
    Enum,
}

const KINDS: [Kind; 9] = [
    Kind::Bool,
    Kind::Narrow,
    Kind::Integer,
    Kind::Integer,
    Kind::Float,
    Kind::Text,
    Kind::Text,
    Kind::Bytes,
    Kind::Enum,
];

/// A table.
pub(super) struct Shape {
    pub(super) def: TableDef,
    pub(super) kinds: Vec<Kind>,
}

impl Shape {
    pub(super) fn random(random: &mut Random, id: TableId) -> Self {
        let kinds: Vec<Kind> = (0..2 + random.below(6)).map(|_| *random.pick(&KINDS)).collect();
        let mut columns: Vec<ColumnDef> =
            kinds.iter().enumerate().map(|(place, kind)| column(random, place, *kind)).collect();
        let mut indexes = Vec::new();
        let mut index = |kind, columns: Vec<usize>| {
            indexes.push(IndexDef { kind, columns, channel: ChannelId::new(9), references: None });
        };
        let some = |random: &mut Random, most: usize| {
            let mut all: Vec<usize> = (0..kinds.len()).collect();
            let count = 1 + random.below(most.min(all.len()));
            (0..count).map(|_| all.swap_remove(random.below(all.len()))).collect::<Vec<usize>>()
        };
        if !random.chance(4) {
            let key = some(random, 3);
            key.iter().for_each(|&column| columns[column].nullable = false);
            index(IndexKind::Key, key);
        }
        for _ in 0..random.below(3) {
            index(IndexKind::Unique, some(random, 2));
        }
        for _ in 0..random.below(4) {
            index(IndexKind::Index, some(random, 3));
        }
        let def = TableDef {
            id,
            name: format!("t{id}"),
            fingerprint: 0,
            channel: ChannelId::new(1),
            columns,
            indexes,
        };
        Self { def, kinds }
    }

    /// The table for SQLite. `_id` is the row.
    pub(super) fn sql(&self) -> String {
        let mut sql = format!("CREATE TABLE {} (_id INTEGER PRIMARY KEY", self.def.name);
        for (def, kind) in self.def.columns.iter().zip(&self.kinds) {
            let ty = match kind {
                Kind::Bool | Kind::Narrow | Kind::Integer | Kind::Enum => "INTEGER",
                Kind::Float => "REAL",
                Kind::Text => "TEXT",
                Kind::Bytes => "BLOB",
            };
            let _ = write!(sql, ", {} {ty}", def.name);
            if !def.nullable {
                sql.push_str(" NOT NULL");
            }
            if *kind == Kind::Narrow {
                let _ = write!(sql, " CHECK ({} BETWEEN -128 AND 127)", def.name);
            }
            if let Some(max_len) = def.max_len {
                let _ = write!(sql, " CHECK (length({}) <= {max_len})", def.name);
            }
        }
        for index in self.def.indexes.iter().filter(|index| index.kind != IndexKind::Index) {
            let _ = write!(sql, ", UNIQUE ({})", self.names(&index.columns));
        }
        sql.push_str(");\n");
        for (place, index) in self.def.indexes.iter().enumerate() {
            if index.kind == IndexKind::Index {
                let (table, names) = (&self.def.name, self.names(&index.columns));
                let _ = writeln!(sql, "CREATE INDEX {table}_{place} ON {table} ({names});");
            }
        }
        sql
    }

    fn names(&self, columns: &[usize]) -> String {
        self.def.names(columns).join(", ")
    }

    pub(super) fn name(&self, column: usize) -> &str {
        &self.def.columns[column].name
    }

    /// A value that the column may hold; seldom one that the bounds of its table forbid, where a statement would see it.
    pub(super) fn value(&self, random: &mut Random, column: usize) -> Value {
        if self.def.columns[column].nullable && random.chance(4) {
            return Value::Null;
        }
        value(random, self.kinds[column])
    }

    pub(super) fn row(&self, random: &mut Random) -> Vec<Value> {
        (0..self.kinds.len()).map(|column| self.value(random, column)).collect()
    }

    /// As it stands in SQL.
    pub(super) fn literal(&self, column: usize, value: &Value) -> String {
        match value {
            Value::Null => "NULL".into(),
            Value::Bool(value) => u8::from(*value).to_string(),
            Value::Int(value) => value.to_string(),
            Value::Float(value) => format!("{value:?}"),
            Value::Text(text) if self.kinds[column] == Kind::Enum => {
                VARIANTS.iter().position(|variant| variant == text).unwrap().to_string()
            }
            Value::Text(text) => format!("'{text}'"),
            Value::Bytes(bytes) => {
                let hex = bytes.iter().map(|byte| format!("{byte:02X}")).collect::<String>();
                format!("X'{hex}'")
            }
        }
    }

    /// A value as SQLite gives it.
    pub(super) fn read(&self, column: usize, value: rusqlite::types::ValueRef<'_>) -> Value {
        use rusqlite::types::ValueRef as Sql;
        match (value, self.kinds[column]) {
            (Sql::Null, _) => Value::Null,
            (Sql::Integer(number), Kind::Bool) => Value::Bool(number != 0),
            (Sql::Integer(place), Kind::Enum) => Value::Text(VARIANTS[place as usize].into()),
            (value, _) => plain(value),
        }
    }
}

/// A value as SQLite gives it, of a column that is none of a table.
pub(super) fn plain(value: rusqlite::types::ValueRef<'_>) -> Value {
    use rusqlite::types::ValueRef as Sql;
    match value {
        Sql::Null => Value::Null,
        Sql::Integer(number) => Value::Int(number.into()),
        Sql::Real(number) => Value::Float(number),
        Sql::Text(text) => Value::Text(String::from_utf8(text.to_vec()).unwrap()),
        Sql::Blob(bytes) => Value::Bytes(bytes.to_vec()),
    }
}

pub(super) fn encoded(values: &[Value]) -> Row {
    let mut row = RowWriter::new(values.len());
    values.iter().map(Value::as_ref).for_each(|value: ValueRef<'_>| row.put(value));
    row.finish()
}

fn column(random: &mut Random, place: usize, kind: Kind) -> ColumnDef {
    let ty = match kind {
        Kind::Bool => "bool",
        Kind::Narrow => "i8",
        Kind::Integer => "i64",
        Kind::Float => "f64",
        Kind::Text => "text",
        Kind::Bytes => "bytes",
        Kind::Enum => "enum",
    };
    ColumnDef {
        name: format!("c{place}"),
        ty: ty.into(),
        variants: if kind == Kind::Enum { VARIANTS.map(str::to_owned).to_vec() } else { Vec::new() },
        nullable: random.chance(2),
        max_len: (kind == Kind::Text && random.chance(3)).then_some(6),
        default: None,
    }
}

/// Few values, so that rows have some in common; none that SQLite has otherwise (NaN, -0.0, texts with a zero).
fn value(random: &mut Random, kind: Kind) -> Value {
    match kind {
        Kind::Bool => Value::Bool(random.chance(2)),
        Kind::Narrow => Value::Int(random.below(40) as i128 * 6 - 120),
        Kind::Integer if random.chance(3) => Value::Int(random.below(1_000_000_000_000) as i128 - 300_000),
        Kind::Integer => Value::Int(random.below(20) as i128 - 10),
        // Sums of eighths are exact in any order.
        Kind::Float if random.chance(12) => Value::Float(f64::from(random.below(100_000) as u32) / 8.0),
        Kind::Float => Value::Float(f64::from(random.below(24) as i32 - 11) / 8.0 + 0.0),
        Kind::Text => {
            let parts = ["a", "B", "b", "ä", " ", "\u{10ffff}", "%", "_", "\u{1}"];
            Value::Text((0..random.below(4)).map(|_| *random.pick(&parts)).collect())
        }
        Kind::Bytes => Value::Bytes((0..random.below(4)).map(|_| *random.pick(&[0, 1, 127, 255])).collect()),
        Kind::Enum => Value::Text((*random.pick(&VARIANTS)).into()),
    }
}
