//! Random update expressions on random rows, beside SQLite: whatever both can say they say alike.

use discobase::{Column, Database, Entity, Expression, Filter, Table, update, when};

use crate::checkpoints::Random;
use crate::support::Place;

crate::in_process!(random_updates_do_what_sqlite_does);

#[derive(Debug, Clone, PartialEq, Table)]
struct Cell {
    #[table(key)]
    id: i64,
    a: i64,
    b: i64,
    n: Option<i64>,
    x: f64,
    t: String,
    o: Option<String>,
}

type Columns = <Cell as Entity>::Columns;
type Made<V> = (Expression<Cell, V>, String);

const ROWS: i64 = 12;
const UPDATES: usize = 150;

fn number(random: &mut Random) -> i64 {
    random.below(41) as i64 - 20
}

fn text(random: &mut Random) -> String {
    let letters = ["a", "B", "c", " ", "aB", "x y", ""];
    (0..random.below(5)).map(|_| letters[random.below(letters.len() as u64) as usize]).collect()
}

fn quoted(text: &str) -> String {
    format!("'{text}'")
}

/// An integer that is never null.
fn integer(random: &mut Random, u: Columns, depth: u32) -> Made<i64> {
    let column = |column: Column<Cell, i64>| (column + 0, column.name().to_owned());
    if depth == 0 {
        return match random.below(3) {
            0 => column(u.a),
            1 => column(u.b),
            _ => {
                let constant = number(random);
                (u.a * 0 + constant, format!("(a * 0 + ({constant}))"))
            }
        };
    }
    let (left, sql) = integer(random, u, depth - 1);
    let (right, other) = integer(random, u, depth - 1);
    // Zero is left out, which SQLite makes null, and what is multiplied stays small, because SQLite makes what is too
    // large a float.
    let divisor = 1 + random.below(9) as i64;
    match random.below(11) {
        0 => (left + right, format!("({sql} + {other})")),
        1 => (left - right, format!("({sql} - {other})")),
        2 => (left % 1_000 * (right % 1_000), format!("(({sql} % 1000) * ({other} % 1000))")),
        3 => (left / -divisor, format!("({sql} / -{divisor})")),
        4 => (left % divisor, format!("({sql} % {divisor})")),
        5 => (-left, format!("(-{sql})")),
        6 => (left.max(right), format!("max({sql}, {other})")),
        7 => (left.min(right), format!("min({sql}, {other})")),
        8 => {
            let (nullable, null) = optional(random, u, depth - 1);
            (nullable.coalesce(right), format!("coalesce({null}, {other})"))
        }
        9 => {
            let (text, of) = texts(random, u, depth - 1);
            (text.length() + left, format!("(length({of}) + {sql})"))
        }
        _ => {
            let (condition, holds) = condition(random, u);
            (
                when(condition, left).otherwise(right),
                format!("(CASE WHEN {holds} THEN {sql} ELSE {other} END)"),
            )
        }
    }
}

/// An integer that may be null.
fn optional(random: &mut Random, u: Columns, depth: u32) -> Made<Option<i64>> {
    if depth == 0 {
        return (u.n + 0, "n".into());
    }
    let (left, sql) = optional(random, u, depth - 1);
    let (right, other) = integer(random, u, depth - 1);
    match random.below(6) {
        0 => (left + right, format!("({sql} + {other})")),
        1 => (left % 1_000 * 3, format!("({sql} % 1000 * 3)")),
        2 => (left.max(right), format!("max({sql}, {other})")),
        3 => (-left, format!("(-{sql})")),
        4 => {
            let (again, null) = optional(random, u, depth - 1);
            (left.or(again), format!("coalesce({sql}, {null})"))
        }
        _ => {
            let (condition, holds) = condition(random, u);
            (when(condition, left).otherwise_null(), format!("(CASE WHEN {holds} THEN {sql} END)"))
        }
    }
}

fn float(random: &mut Random, u: Columns, depth: u32) -> Made<f64> {
    if depth == 0 {
        return (u.x + 0.0, "(x + 0.0)".into());
    }
    let (left, sql) = float(random, u, depth - 1);
    let (right, other) = float(random, u, depth - 1);
    match random.below(6) {
        0 => (left + right, format!("({sql} + {other})")),
        1 => (left - right, format!("({sql} - {other})")),
        2 => (left.min(1e6).max(-1e6) * 1.25, format!("(max(min({sql}, 1e6), -1e6) * 1.25)")),
        3 => (left / 3.0, format!("({sql} / 3.0)")),
        4 => (left.max(right), format!("max({sql}, {other})")),
        _ => {
            let (number, of) = integer(random, u, depth - 1);
            (number.to_f64(), format!("CAST({of} AS REAL)"))
        }
    }
}

/// A text that is never null, and at most a few hundred characters long.
fn texts(random: &mut Random, u: Columns, depth: u32) -> Made<String> {
    if depth == 0 {
        return (u.t + "", "t".into());
    }
    let (left, sql) = texts(random, u, depth - 1);
    let (from, length) = (random.below(6) as usize, random.below(30) as usize);
    match random.below(7) {
        0 => (left.lower(), format!("lower({sql})")),
        1 => (left.upper(), format!("upper({sql})")),
        2 => (left.trim(), format!("trim({sql})")),
        3 => (left.substr(from, length), format!("substr({sql}, {}, {length})", from + 1)),
        4 => (left.replace("a", "ccc"), format!("replace({sql}, 'a', 'ccc')")),
        5 => {
            let (right, other) = texts(random, u, depth - 1);
            (
                left.substr(0, 40) + right.substr(0, 40),
                format!("(substr({sql}, 1, 40) || substr({other}, 1, 40))"),
            )
        }
        _ => (u.o.coalesce(left), format!("coalesce(o, {sql})")),
    }
}

fn condition(random: &mut Random, u: Columns) -> (Filter<Cell>, String) {
    let (number, letters) = (number(random), text(random));
    match random.below(9) {
        0 => (u.a.gt(number), format!("a > {number}")),
        1 => (u.b.le(number), format!("b <= {number}")),
        2 => (u.a.eq(number).or(u.b.ne(number)), format!("(a = {number} OR b <> {number})")),
        // Where SQL says "unknown", Rust says that nothing is less than everything.
        3 => (u.n.lt(number), format!("(n IS NULL OR n < {number})")),
        4 => (u.n.gt(number), format!("n > {number}")),
        5 => (u.n.is_null(), "n IS NULL".into()),
        6 => (u.t.contains(letters.as_str()), format!("instr(t, {}) > 0", quoted(&letters))),
        7 => (!u.o.eq(letters.as_str()), format!("o IS NOT {}", quoted(&letters))),
        _ => (u.x.ge(f64::from(number as i32)), format!("x >= {number}.0")),
    }
}

fn cells(random: &mut Random) -> Vec<Cell> {
    let maybe = |random: &mut Random| random.below(3) > 0;
    (0..ROWS)
        .map(|id| Cell {
            id,
            a: number(random),
            b: number(random),
            n: maybe(random).then(|| number(random)),
            x: number(random) as f64 / 8.0,
            t: text(random),
            o: maybe(random).then(|| text(random)),
        })
        .collect()
}

fn beside(cells: &[Cell]) -> rusqlite::Connection {
    let sqlite = rusqlite::Connection::open_in_memory().unwrap();
    sqlite
        .execute("CREATE TABLE cell (id INTEGER PRIMARY KEY, a, b, n, x REAL, t TEXT, o TEXT)", [])
        .unwrap();
    for cell in cells {
        let values = (cell.id, cell.a, cell.b, cell.n, cell.x, &cell.t, &cell.o);
        sqlite.execute("INSERT INTO cell VALUES (?, ?, ?, ?, ?, ?, ?)", values).unwrap();
    }
    sqlite
}

fn rows(sqlite: &rusqlite::Connection) -> Vec<Cell> {
    let mut select = sqlite.prepare("SELECT id, a, b, n, x, t, o FROM cell ORDER BY id").unwrap();
    let cell = |row: &rusqlite::Row<'_>| {
        Ok(Cell {
            id: row.get(0)?,
            a: row.get(1)?,
            b: row.get(2)?,
            n: row.get(3)?,
            x: row.get(4)?,
            t: row.get(5)?,
            o: row.get(6)?,
        })
    };
    select.query_map([], cell).unwrap().map(Result::unwrap).collect()
}

async fn random_updates_do_what_sqlite_does(place: &Place) {
    let mut random = Random::new();
    let db: Database = place.database();
    db.table::<Cell>().unwrap();
    place.connect(&db).await.unwrap();
    let mut start = cells(&mut random);
    Cell::save_all(start.clone(), &db).await.unwrap();
    let mut sqlite = beside(&start);
    for round in 0..UPDATES {
        let u = Cell::columns();
        let (filter, holds) = condition(&mut random, u);
        let ((a, a_sql), (n, n_sql)) = (integer(&mut random, u, 3), optional(&mut random, u, 2));
        let ((x, x_sql), (t, t_sql)) = (float(&mut random, u, 2), texts(&mut random, u, 3));
        let updated = update::<Cell>()
            .filter(|_| filter)
            .set(|c| c.a, |_| a)
            .set(|c| c.n, |_| n)
            .set(|c| c.x, |_| x)
            .set(|c| c.t, |_| t)
            .run(&db)
            .await
            .unwrap();
        let sql = format!("UPDATE cell SET a = {a_sql}, n = {n_sql}, x = {x_sql}, t = {t_sql} WHERE {holds}");
        let changed = sqlite.execute(&sql, []).unwrap();
        assert_eq!(updated, changed as u64, "round {round}: {sql}");
        let found = Cell::find(&db).order_by(|c| c.id.asc()).all().await.unwrap();
        let found: Vec<Cell> = found.into_iter().map(discobase::Record::into_inner).collect();
        assert_eq!(found, rows(&sqlite), "round {round}: {sql}");
        if round % 10 == 9 {
            // Values that have grown large would say the same again and again.
            start = cells(&mut random);
            discobase::delete::<Cell>().run(&db).await.unwrap();
            Cell::save_all(start.clone(), &db).await.unwrap();
            sqlite = beside(&start);
        }
    }
    db.close().await.unwrap();
}
