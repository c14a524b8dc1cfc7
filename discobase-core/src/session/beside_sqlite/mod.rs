//! Tables of random shapes beside SQLite: what both are told and asked alike they do and answer alike.
//!
//! A seed decides everything: two tables with random columns, nulls, bounds, keys, unique fields and indexes; rows;
//! inserts, updates and deletes, by row and by condition; queries with orders, pages and cursors, distinct values,
//! questions about all rows and about groups, conditions on what another query finds. Every answer is compared, and so is
//! whether a write is refused. The seed is printed; `DISCOBASE_SEED` takes it back.

mod asking;
mod conditions;
mod shape;
mod writing;

use rusqlite::Connection;

use crate::batch::Op;
use crate::ids::{Seq, TableId};
use crate::tables::{TableState, Tables};
use shape::Shape;

/// Shapes of one run, and what is done with each.
const SHAPES: u64 = 40;
const WRITES: usize = 60;
const QUESTIONS: usize = 60;

/// A number that decides others.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) % end as u64) as usize
    }

    fn chance(&mut self, one_in: usize) -> bool {
        self.below(one_in) == 0
    }

    fn pick<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.below(of.len())]
    }
}

/// The same tables on both sides.
struct World {
    random: Random,
    seed: u64,
    tables: Tables,
    seq: Seq,
    shapes: [Shape; 2],
    sqlite: Connection,
}

impl World {
    fn new(seed: u64) -> Self {
        let mut random = Random(seed);
        let shapes = [1, 2].map(|id| Shape::random(&mut random, TableId::new(id)));
        let (mut tables, sqlite) = (Tables::default(), Connection::open_in_memory().unwrap());
        for shape in &shapes {
            tables.apply_op(Seq::new(1), &Op::Schema(Box::new(shape.def.clone()))).unwrap();
            sqlite.execute_batch(&shape.sql()).unwrap();
        }
        Self { random, seed, tables, seq: Seq::new(1), shapes, sqlite }
    }

    fn state(&self, table: usize) -> &TableState {
        self.tables.loaded(self.shapes[table].def.id).unwrap()
    }

    /// What a failure needs to be understood.
    fn about(&self, sql: &str) -> String {
        format!("DISCOBASE_SEED={}\n{}{}\n{sql}", self.seed, self.shapes[0].sql(), self.shapes[1].sql())
    }

    fn run(&mut self) {
        for _ in 0..WRITES {
            self.write();
        }
        self.compare_rows();
        for _ in 0..QUESTIONS {
            self.ask();
        }
        for _ in 0..WRITES / 2 {
            self.write();
            self.ask();
        }
        self.compare_rows();
        (0..2).for_each(|table| self.state(table).check_invariants());
    }
}

#[test]
fn tables_of_random_shapes_are_what_sqlite_has() {
    let (first, count) = match std::env::var("DISCOBASE_SEED") {
        Ok(seed) => (seed.parse().unwrap(), 1),
        Err(_) => (std::hash::BuildHasher::hash_one(&std::hash::RandomState::new(), 0_u8) >> 16, SHAPES),
    };
    for seed in first..first + count {
        World::new(seed).run();
    }
}
