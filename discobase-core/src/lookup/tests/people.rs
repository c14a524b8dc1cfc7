//! Tables of people: what is true of them, and the runs that say so.

use std::collections::BTreeMap;

use super::shelf::Shelf;
use crate::batch::{ColumnDef, IndexDef, TableDef};
use crate::codec::checkpoint::{Run, Segment, TableCheckpoint};
use crate::codec::segment::{Built, IndexWriter, Part, RowEntry, RowsWriter, Sealing, SegmentOf};
use crate::ids::{ChannelId, RowId, Seq, TableId};
use crate::row::{Row, RowWriter};
use crate::schema::IndexKind;
use crate::tables::{Found, SortKey, comparable, value_in};
use crate::value::{Value, ValueRef};

pub(super) const ID: usize = 0;
pub(super) const NAME: usize = 1;

/// A table with a key and an index that several rows can share an entry of.
pub(super) fn def() -> TableDef {
    let column = |name: &str, ty: &str| ColumnDef {
        name: name.to_owned(),
        ty: ty.to_owned(),
        variants: Vec::new(),
        nullable: false,
        max_len: None,
        default: (ty == "text").then(|| Value::Text("nobody".to_owned())),
    };
    let index =
        |kind, column| IndexDef { kind, columns: vec![column], channel: ChannelId::new(7), references: None };
    TableDef {
        id: TableId::new(3),
        name: "people".to_owned(),
        fingerprint: 0,
        channel: ChannelId::new(7),
        columns: vec![column("id", "u64"), column("name", "text")],
        indexes: vec![index(IndexKind::Key, ID), index(IndexKind::Index, NAME)],
    }
}

/// A row; without a name it is one from before the table had names.
pub(super) fn person(id: u64, name: Option<&str>) -> Row {
    let mut row = RowWriter::new(1 + usize::from(name.is_some()));
    row.put(ValueRef::Int(id.into()));
    name.into_iter().for_each(|name| row.put(ValueRef::Text(name)));
    row.finish()
}

pub(super) fn id_key(id: u64) -> SortKey {
    SortKey::of(ValueRef::Int(id.into()))
}

pub(super) fn name_key(name: &str) -> SortKey {
    SortKey::of(ValueRef::Text(name))
}

/// What is true: rows and tombstones, with the commit that made them.
pub(super) type Truth = BTreeMap<u64, (u64, Option<Row>)>;

pub(super) fn placed(shelf: &Shelf, built: Vec<Built>) -> Vec<Segment> {
    built
        .into_iter()
        .map(|built| {
            let at = shelf.put(built.file.clone());
            built.at(at)
        })
        .collect()
}

/// Adds to a checkpoint the runs of the commits after `from`, up to `to`.
pub(super) fn add_runs(shelf: &Shelf, table: &mut TableCheckpoint, truth: &Truth, from: u64, to: u64) {
    let run = (Seq::new(from), Seq::new(to));
    let of = |part| SegmentOf { db: "db".into(), table: table.def.id, part, run };
    let changed = || truth.iter().filter(|(_, (version, _))| *version > from);
    let mut rows = RowsWriter::new(of(Part::Rows), Sealing::default()).unwrap();
    for (row, (version, values)) in changed() {
        let values = values.as_ref().map(Row::as_bytes);
        rows.put(RowEntry { row: RowId::new(*row), version: Seq::new(*version), values }).unwrap();
    }
    let segments = placed(shelf, rows.finish().unwrap());
    table.runs.push(Run { from: run.0, to: run.1, segments });
    for index in 0..table.def.indexes.len() {
        let live = changed().filter_map(|(row, (_, values))| Some((*row, values.as_ref()?)));
        let mut entries: Vec<_> =
            live.map(|(row, values)| (key_of(&table.def, index, values), row)).collect();
        entries.sort_unstable();
        let mut writer = IndexWriter::new(of(Part::Index(index)), Sealing::default()).unwrap();
        entries.iter().for_each(|(key, row)| writer.put(key.as_bytes(), RowId::new(*row)).unwrap());
        let segments = placed(shelf, writer.finish().unwrap());
        table.indexes[index].push(Run { from: run.0, to: run.1, segments });
    }
    let live = |(_, (version, values)): &(&u64, &(u64, Option<Row>))| *version <= to && values.is_some();
    table.rows = truth.iter().filter(live).count() as u64;
    table.next_row = RowId::new(truth.keys().last().map_or(1, |last| last + 1));
}

pub(super) fn empty() -> TableCheckpoint {
    let def = def();
    let indexes = vec![Vec::new(); def.indexes.len()];
    TableCheckpoint { def, next_row: RowId::new(1), rows: 0, runs: Vec::new(), indexes }
}

/// The key of a row in an index.
pub(super) fn key_of(def: &TableDef, index: usize, row: &Row) -> SortKey {
    let mut key = SortKey::default();
    for &column in &def.indexes[index].columns {
        key.push(comparable(def, column, value_in(def, row.borrow(), column)));
    }
    key
}

/// What a lookup should find.
pub(super) fn expected(truth: &Truth, index: usize, key: &SortKey) -> Vec<Found> {
    let live = truth.iter().filter_map(|(row, (version, values))| Some((row, version, values.clone()?)));
    live.filter(|(_, _, values)| key_of(&def(), index, values) == *key)
        .map(|(row, version, values)| Found { row: RowId::new(*row), version: Seq::new(*version), values })
        .collect()
}
