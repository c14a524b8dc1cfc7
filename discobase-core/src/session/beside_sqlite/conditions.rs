//! Random conditions, for both sides.

use super::World;
use super::shape::{Kind, Shape};
use crate::error::Error;
use crate::ids::TableId;
use crate::query::exec::Query;
use crate::query::expr::{Compare, Expr};
use crate::query::selection::Selection;
use crate::query::subquery::{Inner, Local, Within};
use crate::tables::{Tables, comparable};
use crate::value::Value;

pub(super) const COMPARES: [Compare; 6] =
    [Compare::Eq, Compare::Ne, Compare::Lt, Compare::Le, Compare::Gt, Compare::Ge];

/// What `left op right` is in SQL, where nothing is a value that is less than all others.
pub(super) fn compared(left: &str, op: Compare, right: &str) -> String {
    match op {
        Compare::Eq => format!("({left} IS {right})"),
        Compare::Ne => format!("({left} IS NOT {right})"),
        Compare::Lt if right == "NULL" => "0".into(),
        Compare::Lt => format!("({left} IS NULL OR {left} < {right})"),
        Compare::Le if right == "NULL" => format!("({left} IS NULL)"),
        Compare::Le => format!("({left} IS NULL OR {left} <= {right})"),
        Compare::Gt if right == "NULL" => format!("({left} IS NOT NULL)"),
        Compare::Gt => format!("coalesce({left} > {right}, 0)"),
        Compare::Ge if right == "NULL" => "1".into(),
        Compare::Ge => format!("coalesce({left} >= {right}, 0)"),
    }
}

/// A condition with its operands as they compare, as an engine gets it.
pub(super) fn ready(shape: &Shape, mut expr: Expr) -> Expr {
    expr.map_operands(&|column, operand| {
        *operand = comparable(&shape.def, column, operand.as_ref()).to_value();
    });
    expr
}

impl World {
    /// A condition on the rows of a table; `depth` is how many more may be inside of it.
    pub(super) fn condition(&mut self, table: usize, depth: usize) -> (Expr, String) {
        if depth > 0 && self.random.chance(2) {
            let (a, a_sql) = self.condition(table, depth - 1);
            return match self.random.below(5) {
                0 => (a.not(), format!("(NOT {a_sql})")),
                1 => {
                    let (b, b_sql) = self.condition(table, depth - 1);
                    (a.or(b), format!("({a_sql} OR {b_sql})"))
                }
                _ => {
                    let (b, b_sql) = self.condition(table, depth - 1);
                    (a.and(b), format!("({a_sql} AND {b_sql})"))
                }
            };
        }
        let column = self.random.below(self.shapes[table].kinds.len());
        if depth > 1
            && self.random.chance(4)
            && let Some(within) = self.within(table, column, depth - 1)
        {
            return within;
        }
        let Self { random, shapes, .. } = self;
        let shape = &shapes[table];
        let (name, kind) = (shape.name(column), shape.kinds[column]);
        let value = shape.value(random, column);
        match (random.below(8), kind, &value) {
            (0, Kind::Text, Value::Text(text)) => {
                let sql = format!("coalesce(instr({name}, '{text}') > 0, 0)");
                (Expr::Contains(column, text.clone()), sql)
            }
            (1, Kind::Text, Value::Text(text)) => {
                let sql = format!("coalesce(substr({name}, 1, length('{text}')) = '{text}', 0)");
                (Expr::StartsWith(column, text.clone()), sql)
            }
            (2 | 3, ..) => {
                let mut values: Vec<Value> =
                    (0..random.below(4)).map(|_| shape.value(random, column)).collect();
                values.sort();
                values.dedup();
                let sql =
                    values.iter().map(|value| compared(name, Compare::Eq, &shape.literal(column, value)));
                let sql = format!("({})", sql.chain(["0".to_owned()]).collect::<Vec<_>>().join(" OR "));
                (Expr::In(column, values), sql)
            }
            _ => {
                let op = *random.pick(&COMPARES);
                let sql = compared(name, op, &shape.literal(column, &value));
                (Expr::Compare(column, op, value), sql)
            }
        }
    }

    /// A condition on what is found in a column of the same kind.
    fn within(&mut self, table: usize, column: usize, depth: usize) -> Option<(Expr, String)> {
        let inner = self.random.below(2);
        let kind = self.shapes[table].kinds[column];
        let alike: Vec<usize> = (0..self.shapes[inner].kinds.len())
            .filter(|&place| self.shapes[inner].kinds[place] == kind)
            .collect();
        if alike.is_empty() {
            return None;
        }
        let picked = *self.random.pick(&alike);
        let (query, rows) = self.query(inner, depth);
        let (outer, shape) = (&self.shapes[table], &self.shapes[inner]);
        let sql = format!(
            "EXISTS (SELECT 1 FROM (SELECT {} AS v {rows}) AS s WHERE s.v IS {}.{})",
            shape.name(picked),
            outer.def.name,
            outer.name(column),
        );
        let within = Found { table: shape.def.id, query, column: picked };
        Some((Expr::Within(column, Within::new(within)), sql))
    }
}

/// A query inside of a condition.
#[derive(Debug)]
struct Found {
    table: TableId,
    query: Query,
    column: usize,
}

impl Inner for Found {
    fn local(&self, _: &Tables) -> Result<Local, Error> {
        let (query, selection) = (self.query.clone(), Selection::new(vec![self.column], false));
        Ok(Local { table: self.table, query, selection })
    }

    fn database(&self) -> Option<usize> {
        None
    }
}
