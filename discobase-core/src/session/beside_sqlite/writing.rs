//! Random writes, done on both sides.

use std::sync::Arc;

use super::World;
use super::conditions::ready;
use super::shape::{Kind, encoded};
use crate::error::Error;
use crate::ids::RowId;
use crate::query::expr::Expr;
use crate::query::program::{Number, Operator, Program, Step};
use crate::session::prepare::prepare;
use crate::session::{Assign, Assigns, Change, Prepared, Statement, Terms, Write, WriteSet};
use crate::value::{Value, ValueRef};

impl World {
    pub(super) fn write(&mut self) {
        let table = self.random.below(2);
        match self.random.below(12) {
            0 => self.update_row(table),
            1 => self.delete_row(table),
            2 | 3 => self.update_where(table),
            4 => self.delete_where(table),
            _ => self.insert(table),
        }
    }

    fn prepare(&mut self, write: Write) -> Result<Prepared, Error> {
        let seq = self.seq.next();
        let terms = Terms { now: 0, whole: true, fits: &|_| Ok(()) };
        let prepared = prepare(&mut self.tables, seq, &WriteSet::from(vec![write]), &terms);
        if prepared.is_ok() {
            self.seq = seq;
        }
        prepared
    }

    /// Does all in SQLite, or nothing if one is refused.
    fn sqlite_does(&self, statements: &[String]) -> bool {
        self.sqlite.execute_batch("SAVEPOINT s").unwrap();
        let done = statements.iter().try_for_each(|sql| self.sqlite.execute_batch(sql));
        let end = if done.is_ok() { "RELEASE s" } else { "ROLLBACK TO s; RELEASE s" };
        self.sqlite.execute_batch(end).unwrap();
        if let Err(error) = &done {
            let refused = matches!(error.sqlite_error_code(), Some(rusqlite::ErrorCode::ConstraintViolation));
            assert!(refused, "{error}: {}", self.about(&statements.join(";\n")));
        }
        done.is_ok()
    }

    fn insert_sql(&self, table: usize, row: RowId, values: &[Value]) -> String {
        let shape = &self.shapes[table];
        let values = values.iter().enumerate().map(|(column, value)| shape.literal(column, value));
        let values = std::iter::once(row.to_string()).chain(values).collect::<Vec<_>>().join(", ");
        format!("INSERT INTO {} VALUES ({values})", shape.def.name)
    }

    fn insert(&mut self, table: usize) {
        let values = self.shapes[table].row(&mut self.random);
        let (row, id) = (self.state(table).next_row(), self.shapes[table].def.id);
        let sql = self.insert_sql(table, row, &values);
        let done = self.sqlite_does(std::slice::from_ref(&sql));
        let ours = self.prepare(Write::Insert { table: id, values: encoded(&values) });
        assert_eq!(ours.is_ok(), done, "{ours:?}: {}", self.about(&sql));
    }

    fn any_row(&mut self, table: usize) -> Option<(RowId, crate::ids::Seq, Vec<Value>)> {
        let count = self.state(table).len();
        let place = self.random.below(count.max(1));
        let (id, stored) = self.state(table).rows().nth(place)?;
        Some((id, stored.version, stored.row.values().into_iter().map(ValueRef::to_value).collect()))
    }

    fn update_row(&mut self, table: usize) {
        let Some((row, version, mut values)) = self.any_row(table) else { return };
        let shape = &self.shapes[table];
        let key = shape.def.key().map_or(Vec::new(), |(_, index)| index.columns.clone());
        let mut key_changed = false;
        for (column, known) in values.iter_mut().enumerate() {
            if self.random.chance(if key.contains(&column) { 8 } else { 2 }) {
                let value = shape.value(&mut self.random, column);
                key_changed |= key.contains(&column) && value != *known;
                *known = value;
            }
        }
        let name = shape.def.name.clone();
        let id = shape.def.id;
        let sql = [format!("DELETE FROM {name} WHERE _id = {row}"), self.insert_sql(table, row, &values)];
        // A key is for ever.
        let done = !key_changed && self.sqlite_does(&sql);
        let ours = self.prepare(Write::Update { table: id, row, version, values: encoded(&values) });
        assert_eq!(ours.is_ok(), done, "{ours:?}: {}", self.about(&sql.join(";\n")));
    }

    fn delete_row(&mut self, table: usize) {
        let Some((row, version, _)) = self.any_row(table) else { return };
        let id = self.shapes[table].def.id;
        let sql = format!("DELETE FROM {} WHERE _id = {row}", self.shapes[table].def.name);
        assert!(self.sqlite_does(&[sql]));
        self.prepare(Write::Delete { table: id, row, version }).unwrap();
    }

    /// A filter that a statement takes.
    fn chosen(&mut self, table: usize) -> (Option<Expr>, String) {
        let (expr, sql) = self.condition(table, 3);
        (Some(ready(&self.shapes[table], expr)), sql)
    }

    fn delete_where(&mut self, table: usize) {
        let (filter, holds) = self.chosen(table);
        let (id, name) = (self.shapes[table].def.id, self.shapes[table].def.name.clone());
        let sql = format!("DELETE FROM {name} WHERE {holds}");
        let gone =
            self.sqlite.execute(&sql, []).unwrap_or_else(|error| panic!("{error}: {}", self.about(&sql)));
        let write = Write::Statement(Arc::new(Statement { table: id, filter, change: Change::Delete }));
        let ours = self.prepare(write).unwrap();
        assert_eq!(ours.written.len(), gone, "{}", self.about(&sql));
    }

    /// A new value of a column, and what it is in SQL.
    fn assignment(&mut self, table: usize, column: usize) -> (Program, String) {
        let Self { random, shapes, .. } = self;
        let shape = &shapes[table];
        let (name, kind) = (shape.name(column), shape.kinds[column]);
        let alike: Vec<usize> = (0..shape.kinds.len()).filter(|&other| shape.kinds[other] == kind).collect();
        match (random.below(4), kind) {
            (0, Kind::Narrow | Kind::Integer) => {
                let step = Value::Int(random.below(60) as i128 - 30);
                let sql = format!("({name} + {step})");
                let add = Step::Calculate(Operator::Add, Number::Integer);
                (Program(vec![Step::Column(column), Step::Value(step), add]), sql)
            }
            (0, Kind::Text) => {
                let program =
                    vec![Step::Column(column), Step::Value(Value::Text("xyz".into())), Step::Concat];
                (Program(program), format!("({name} || 'xyz')"))
            }
            (1, _) => {
                let other = *random.pick(&alike);
                (Program(vec![Step::Column(other)]), shape.name(other).to_owned())
            }
            (2, _) if random.chance(4) => (Program(vec![Step::Value(Value::Null)]), "NULL".into()),
            _ => {
                let value = shape.value(random, column);
                let sql = shape.literal(column, &value);
                (Program(vec![Step::Value(value)]), sql)
            }
        }
    }

    fn update_where(&mut self, table: usize) {
        let key = self.shapes[table].def.key().map_or(Vec::new(), |(_, index)| index.columns.clone());
        let (filter, holds) = self.chosen(table);
        let columns = self.shapes[table].kinds.len();
        let (mut set, mut selected) = (Vec::new(), vec!["_id".to_owned()]);
        for column in 0..columns {
            if key.contains(&column) || !self.random.chance(3) {
                selected.push(self.shapes[table].name(column).to_owned());
                continue;
            }
            let (value, sql) = self.assignment(table, column);
            set.push(Assign { column, value });
            selected.push(sql);
        }
        let (id, name) = (self.shapes[table].def.id, self.shapes[table].def.name.clone());
        // SQLite asks of each row in turn whether its values are unique; what counts is whether they are in the end.
        let new = format!("CREATE TEMP TABLE n AS SELECT {} FROM {name} WHERE {holds}", selected.join(", "));
        self.sqlite.execute_batch(&new).unwrap_or_else(|error| panic!("{error}: {}", self.about(&new)));
        let count: i64 = self.sqlite.query_row("SELECT count(*) FROM n", [], |row| row.get(0)).unwrap();
        let sql = [
            format!("DELETE FROM {name} WHERE _id IN (SELECT _id FROM n)"),
            format!("INSERT INTO {name} SELECT * FROM n"),
        ];
        let done = self.sqlite_does(&sql);
        self.sqlite.execute_batch("DROP TABLE n").unwrap();
        let change = Change::Set(Assigns { set, ..Assigns::default() });
        let ours = self.prepare(Write::Statement(Arc::new(Statement { table: id, filter, change })));
        assert_eq!(ours.is_ok(), done, "{ours:?}: {}", self.about(&new));
        if let Ok(ours) = ours {
            assert_eq!(ours.written.len() as i64, count, "{}", self.about(&new));
        }
    }
}
