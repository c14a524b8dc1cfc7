//! Random questions, asked on both sides.

use std::ops::ControlFlow;

use super::World;
use super::conditions::{COMPARES, compared, ready};
use super::shape::{Kind, Shape, plain};
use crate::ids::RowId;
use crate::query::aggregate::{Ask, Group, GroupKey, Grouping};
use crate::query::exec::Query;
use crate::query::expr::Expr;
use crate::query::paging::After;
use crate::query::selection::Selection;
use crate::query::subquery::{State, resolve};
use crate::tables::value_in;
use crate::value::{Value, ValueRef};

/// The page of rows that SQL gives.
fn page(limit: Option<usize>, offset: usize) -> String {
    match (limit, offset) {
        (None, 0) => String::new(),
        (None, offset) => format!(" LIMIT -1 OFFSET {offset}"),
        (Some(limit), offset) => format!(" LIMIT {limit} OFFSET {offset}"),
    }
}

impl World {
    /// A query, and what follows the columns in SQL.
    pub(super) fn query(&mut self, table: usize, depth: usize) -> (Query, String) {
        let filter = (!self.random.chance(4)).then(|| self.condition(table, depth));
        let Self { random, shapes, .. } = self;
        let shape = &shapes[table];
        let mut order: Vec<(usize, bool)> = Vec::new();
        for _ in 0..random.below(3) {
            let column = random.below(shape.kinds.len());
            order.push((column, random.chance(2)));
        }
        if random.chance(2) {
            // An index can have an order of one direction only.
            let reversed = random.chance(2);
            order.iter_mut().for_each(|one| one.1 = reversed);
        }
        let limit = random.chance(3).then(|| random.below(12));
        let offset = if random.chance(4) { random.below(5) } else { 0 };
        let by = order.iter().map(|(column, reversed)| {
            format!("{}{}", shape.name(*column), if *reversed { " DESC" } else { "" })
        });
        let by = by.chain(["_id".to_owned()]).collect::<Vec<_>>().join(", ");
        let holds = filter.as_ref().map_or("1", |(_, sql)| sql);
        let sql = format!("FROM {} WHERE {holds} ORDER BY {by}{}", shape.def.name, page(limit, offset));
        let filter = filter.map(|(expr, _)| ready(shape, expr));
        (Query { filter, order, limit, offset, ..Query::default() }, sql)
    }

    /// The answers that SQLite gives: of each row each column as `read` makes it.
    fn sqlite(
        &self,
        sql: &str,
        read: impl Fn(usize, rusqlite::types::ValueRef<'_>) -> Value,
    ) -> Vec<Vec<Value>> {
        let mut statement =
            self.sqlite.prepare(sql).unwrap_or_else(|error| panic!("{error}: {}", self.about(sql)));
        let columns = statement.column_count();
        let rows = statement.query_map([], |row| {
            Ok((0..columns).map(|column| read(column, row.get_ref(column).unwrap())).collect())
        });
        rows.unwrap().map(|row| row.unwrap_or_else(|error| panic!("{error}: {}", self.about(sql)))).collect()
    }

    pub(super) fn ask(&mut self) {
        let table = self.random.below(2);
        let (mut query, rows) = self.query(table, 3);
        if let Some(filter) = &mut query.filter {
            let def = self.shapes[table].def.clone();
            assert!(resolve(filter, &def, State::of(&self.tables), &mut |_, _| ()).is_ok());
        }
        match self.random.below(5) {
            0 | 1 => self.ask_rows(table, &query, &rows),
            2 => self.ask_all(table, &query, &rows),
            3 => self.ask_groups(table, &query, &rows),
            _ => self.ask_distinct(table, &query, &rows),
        }
    }

    fn ask_rows(&mut self, table: usize, query: &Query, rows: &str) {
        let sql = format!("SELECT _id {rows}");
        let wanted: Vec<RowId> =
            self.sqlite(&sql, |_, value| plain(value)).iter().map(|row| row_id(row)).collect();
        let found = query.ids(self.state(table));
        assert_eq!(found, wanted, "{}", self.about(&sql));
        assert_eq!(query.count(self.state(table)), found.len(), "{}", self.about(&sql));
        // From any row on, whether with a limit or without one.
        let all = Query { limit: None, offset: 0, ..query.clone() };
        let ids = all.ids(self.state(table));
        if ids.is_empty() {
            return;
        }
        let (place, size) = (self.random.below(ids.len()), 1 + self.random.below(6));
        let state = self.state(table);
        let stored = state.row(ids[place]).unwrap();
        let values =
            query.order.iter().map(|(column, _)| value_in(state.def(), stored.row, *column).to_value());
        let after = After { values: values.collect(), id: ids[place] };
        let rest = all.begin_behind(state.def(), after);
        assert_eq!(rest.ids(state), ids[place + 1..], "behind {place}: {}", self.about(&sql));
        let page = Query { limit: Some(size), ..rest };
        let end = ids.len().min(place + 1 + size);
        assert_eq!(page.ids(state), ids[place + 1..end], "behind {place}: {}", self.about(&sql));
    }

    /// A question, and what it is in SQL.
    fn question(&mut self, table: usize) -> (Ask, String) {
        let Self { random, shapes, .. } = self;
        let shape = &shapes[table];
        let column = random.below(shape.kinds.len());
        let (name, kind) = (shape.name(column), shape.kinds[column]);
        match (random.below(6), kind) {
            (0, _) => (Ask::Rows, "count(*)".into()),
            (1, _) => (Ask::Present(column), format!("count({name})")),
            (2, Kind::Narrow | Kind::Integer) => (Ask::Sum(column), format!("coalesce(sum({name}), 0)")),
            (2, Kind::Float) => (Ask::Sum(column), format!("coalesce(sum({name}), 0.0)")),
            (3, Kind::Narrow | Kind::Integer | Kind::Float) => (Ask::Average(column), format!("avg({name})")),
            (2 | 4, _) => (Ask::Least(column), format!("min({name})")),
            _ => (Ask::Greatest(column), format!("max({name})")),
        }
    }

    fn questions(&mut self, table: usize) -> (Vec<Ask>, Vec<String>) {
        (0..1 + self.random.below(4)).map(|_| self.question(table)).unzip()
    }

    fn ask_all(&mut self, table: usize, query: &Query, rows: &str) {
        let (asks, sql) = self.questions(table);
        let sql = format!("SELECT {} FROM (SELECT * {rows})", sql.join(", "));
        let shape = &self.shapes[table];
        let wanted = self.sqlite(&sql, |place, value| answer(shape, asks[place], value));
        let grouping = Grouping { asks, ..Grouping::default() };
        let found = query.groups(self.state(table), &grouping);
        let found: Vec<Vec<Value>> = found.into_iter().map(|group| group.answers).collect();
        assert_eq!(found, wanted, "{}", self.about(&sql));
    }

    fn ask_groups(&mut self, table: usize, query: &Query, rows: &str) {
        let by: Vec<usize> = (0..1 + self.random.below(2))
            .map(|_| self.random.below(self.shapes[table].kinds.len()))
            .collect();
        let (asks, asks_sql) = self.questions(table);
        let having = self.random.chance(2).then(|| self.having(table, &asks, &asks_sql));
        let Self { random, shapes, .. } = self;
        let shape = &shapes[table];
        let names: Vec<&str> = by.iter().map(|&column| shape.name(column)).collect();
        let (mut order, mut order_sql) = (Vec::new(), Vec::new());
        for _ in 0..random.below(3) {
            let (key, sql) = if random.chance(2) {
                let place = random.below(by.len());
                (GroupKey::By(place), names[place])
            } else {
                let place = random.below(asks.len());
                (GroupKey::Ask(place), asks_sql[place].as_str())
            };
            let reversed = random.chance(2);
            order.push((key, reversed));
            order_sql.push(format!("+{sql}{}", if reversed { " DESC" } else { "" }));
        }
        // With a sign before it SQLite sorts by it. Without one, and with rows that come in the opposite order, it takes that
        // for the order of the groups.
        order_sql.extend(names.iter().map(|name| format!("+{name}")));
        let limit = random.chance(3).then(|| random.below(5));
        let offset = if random.chance(4) { random.below(3) } else { 0 };
        let sql = format!(
            "SELECT {}, {} FROM (SELECT * {rows}) GROUP BY {} HAVING {} ORDER BY {}{}",
            names.join(", "),
            asks_sql.join(", "),
            names.join(", "),
            having.as_ref().map_or("1", |(_, sql)| sql),
            order_sql.join(", "),
            page(limit, offset),
        );
        let wanted = self.sqlite(&sql, |place, value| match by.get(place) {
            Some(&column) => self.shapes[table].read(column, value),
            None => answer(&self.shapes[table], asks[place - by.len()], value),
        });
        let wanted: Vec<Group> = wanted
            .into_iter()
            .map(|mut key| {
                let answers = key.split_off(by.len());
                Group { key, answers }
            })
            .collect();
        let grouping = Grouping { by, asks, having: having.map(|(expr, _)| expr), order, limit, offset };
        assert_eq!(query.groups(self.state(table), &grouping), wanted, "{}", self.about(&sql));
    }

    /// A condition on the answers to some questions.
    fn having(&mut self, table: usize, asks: &[Ask], sql: &[String]) -> (Expr, String) {
        if self.random.chance(3) {
            let ((a, a_sql), (b, b_sql)) = (self.having(table, asks, sql), self.having(table, asks, sql));
            return match self.random.below(3) {
                0 => (a.and(b), format!("({a_sql} AND {b_sql})")),
                1 => (a.or(b), format!("({a_sql} OR {b_sql})")),
                _ => (a.not(), format!("(NOT {a_sql})")),
            };
        }
        let Self { random, shapes, .. } = self;
        let (shape, place) = (&shapes[table], random.below(asks.len()));
        let is_float = |column: usize| shape.kinds[column] == Kind::Float;
        let (operand, literal) = match asks[place] {
            Ask::Rows | Ask::Present(_) => number(random.below(4) as i128),
            Ask::Sum(column) if !is_float(column) => number(random.below(9) as i128 - 4),
            Ask::Sum(_) | Ask::Average(_) => {
                let operand = f64::from(random.below(9) as i32 - 4) / 4.0 + 0.0;
                (Value::Float(operand), format!("{operand:?}"))
            }
            Ask::Least(column) | Ask::Greatest(column) => {
                let operand = shape.value(random, column);
                let literal = shape.literal(column, &operand);
                (operand, literal)
            }
        };
        let op = *random.pick(&COMPARES);
        (Expr::Compare(place, op, operand), compared(&sql[place], op, &literal))
    }

    fn ask_distinct(&mut self, table: usize, query: &Query, rows: &str) {
        let columns: Vec<usize> = (0..1 + self.random.below(3))
            .map(|_| self.random.below(self.shapes[table].kinds.len()))
            .collect();
        let shape = &self.shapes[table];
        let names = columns.iter().map(|&column| shape.name(column)).collect::<Vec<_>>().join(", ");
        // SQLite has no word for the first of those that are alike in an order of other columns.
        let all = rows.strip_suffix(&page(query.limit, query.offset)).unwrap();
        let order = all.rsplit_once(" ORDER BY ").unwrap();
        let sql = format!(
            "SELECT {names} FROM (SELECT *, row_number() OVER (ORDER BY {}) AS n {}) GROUP BY {names} ORDER BY min(n){}",
            order.1,
            order.0,
            page(query.limit, query.offset),
        );
        let wanted = self.sqlite(&sql, |place, value| shape.read(columns[place], value));
        let mut found: Vec<Vec<Value>> = Vec::new();
        Selection::new(columns, true).each(query, self.state(table), |values: &[ValueRef<'_>]| {
            found.push(values.iter().map(|value| value.to_value()).collect());
            ControlFlow::Continue(())
        });
        assert_eq!(found, wanted, "{}", self.about(&sql));
    }

    /// Both have the same rows.
    pub(super) fn compare_rows(&self) {
        for (table, shape) in self.shapes.iter().enumerate() {
            let sql = format!("SELECT * FROM {} ORDER BY _id", shape.def.name);
            let wanted = self.sqlite(&sql, |place, value| match place.checked_sub(1) {
                Some(column) => shape.read(column, value),
                None => plain(value),
            });
            let rows = self.state(table).rows().map(|(id, stored)| {
                let values = stored.row.values().into_iter().map(ValueRef::to_value);
                std::iter::once(Value::Int(id.get().into())).chain(values).collect::<Vec<Value>>()
            });
            assert_eq!(rows.collect::<Vec<_>>(), wanted, "{}", self.about(&sql));
        }
    }
}

fn number(number: i128) -> (Value, String) {
    (Value::Int(number), number.to_string())
}

fn row_id(row: &[Value]) -> RowId {
    let [Value::Int(id)] = row else { panic!("no row's number: {row:?}") };
    RowId::new(*id as u64)
}

fn answer(shape: &Shape, ask: Ask, value: rusqlite::types::ValueRef<'_>) -> Value {
    match ask {
        Ask::Least(column) | Ask::Greatest(column) => shape.read(column, value),
        _ => plain(value),
    }
}
