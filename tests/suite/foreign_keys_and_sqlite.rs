//! Random commits on parents, children and grandchildren, beside SQLite with foreign keys on: whatever the one refuses
//! the other refuses, and what is left is the same.

use std::collections::BTreeSet;

use discobase::{Database, ErrorKind, Table, delete, update};
use rusqlite::Connection;

use crate::checkpoints::Random;
use crate::support::Place;

crate::in_process!(random_commits_leave_what_sqlite_leaves);

#[derive(Debug, Clone, PartialEq, Table)]
struct A {
    #[table(key)]
    id: i64,
}

/// Refers to a parent in each of the three ways.
#[derive(Debug, Clone, PartialEq, Table)]
struct B {
    #[table(key)]
    id: i64,
    #[table(references = A, relation = keeper)]
    r: Option<i64>,
    #[table(references = A, on_delete = cascade, relation = owner)]
    c: Option<i64>,
    #[table(references = A, on_delete = set_null, relation = friend)]
    n: Option<i64>,
}

/// Refers to its parent in each of the three ways, and to others of its own.
#[derive(Debug, Clone, PartialEq, Table)]
struct C {
    #[table(key)]
    id: i64,
    #[table(references = B, relation = keeper)]
    r: Option<i64>,
    #[table(references = B, on_delete = cascade, relation = owner)]
    c: Option<i64>,
    #[table(references = B, on_delete = set_null, relation = friend)]
    n: Option<i64>,
    #[table(references = C, on_delete = cascade, relation = original)]
    s: Option<i64>,
}

const SCHEMA: &str = "
    PRAGMA foreign_keys = ON;
    CREATE TABLE a (id INTEGER PRIMARY KEY);
    CREATE TABLE b (
        id INTEGER PRIMARY KEY,
        r INTEGER REFERENCES a ON DELETE NO ACTION DEFERRABLE INITIALLY DEFERRED,
        c INTEGER REFERENCES a ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED,
        n INTEGER REFERENCES a ON DELETE SET NULL DEFERRABLE INITIALLY DEFERRED
    );
    CREATE TABLE c (
        id INTEGER PRIMARY KEY,
        r INTEGER REFERENCES b ON DELETE NO ACTION DEFERRABLE INITIALLY DEFERRED,
        c INTEGER REFERENCES b ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED,
        n INTEGER REFERENCES b ON DELETE SET NULL DEFERRABLE INITIALLY DEFERRED,
        s INTEGER REFERENCES c ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED
    );
";

const COMMITS: usize = 600;
const KEYS: u64 = 6;

/// One write, as both can do it.
#[derive(Debug, Clone)]
enum Change {
    Insert(char, i64, [Option<i64>; 4]),
    Refer(char, i64, [Option<i64>; 4]),
    Delete(char, i64, i64),
}

fn change(random: &mut Random) -> Change {
    let table = ['a', 'b', 'b', 'c', 'c'][random.below(5) as usize];
    let key = |random: &mut Random| random.below(KEYS) as i64;
    let id = key(random);
    let mut to = || (random.below(3) > 0).then(|| key(random));
    let references = [to(), to(), to(), to()];
    match random.below(8) {
        0..4 => Change::Insert(table, id, references),
        4..6 if table != 'a' => Change::Refer(table, id, references),
        _ => Change::Delete(table, id, id + (random.below(4) / 3 * 2) as i64),
    }
}

fn in_sqlite(sqlite: &Connection, change: &Change) {
    let done = match change {
        Change::Insert('a', id, _) => sqlite.execute("INSERT OR IGNORE INTO a VALUES (?)", [id]),
        Change::Insert('b', id, [r, c, n, _]) => {
            sqlite.execute("INSERT OR IGNORE INTO b VALUES (?, ?, ?, ?)", (id, r, c, n))
        }
        Change::Insert(_, id, [r, c, n, s]) => {
            sqlite.execute("INSERT OR IGNORE INTO c VALUES (?, ?, ?, ?, ?)", (id, r, c, n, s))
        }
        Change::Refer('b', id, [r, c, n, _]) => {
            sqlite.execute("UPDATE b SET r = ?2, c = ?3, n = ?4 WHERE id = ?1", (id, r, c, n))
        }
        Change::Refer(_, id, [r, c, n, s]) => {
            sqlite.execute("UPDATE c SET r = ?2, c = ?3, n = ?4, s = ?5 WHERE id = ?1", (id, r, c, n, s))
        }
        Change::Delete(table, low, high) => {
            sqlite.execute(&format!("DELETE FROM {table} WHERE id BETWEEN ? AND ?"), [low, high])
        }
    };
    // Everything is deferred to the commit.
    done.unwrap();
}

/// The same in a session.
async fn in_session(session: &discobase::Session, change: &Change) -> discobase::Result<()> {
    match *change {
        Change::Insert('a', id, _) => {
            if session.get::<A>(id).await?.is_none() {
                session.add(A { id }).await?;
            }
        }
        Change::Insert('b', id, [r, c, n, _]) => {
            if session.get::<B>(id).await?.is_none() {
                session.add(B { id, r, c, n }).await?;
            }
        }
        Change::Insert(_, id, [r, c, n, s]) => {
            if session.get::<C>(id).await?.is_none() {
                session.add(C { id, r, c, n, s }).await?;
            }
        }
        Change::Refer('b', id, [r, c, n, _]) => {
            if let Some(mut row) = session.get::<B>(id).await? {
                *row = B { id, r, c, n };
                session.update(&mut row).await?;
            }
        }
        Change::Refer(_, id, [r, c, n, s]) => {
            let row = update::<C>().filter(|row| row.id.eq(id));
            let row = row.set(|row| row.r, |_| r).set(|row| row.c, |_| c);
            row.set(|row| row.n, |_| n).set(|row| row.s, |_| s).run(session).await?;
        }
        Change::Delete('a', low, high) if low == high => {
            if let Some(row) = session.get::<A>(low).await? {
                session.delete(row).await?;
            }
        }
        Change::Delete('a', low, high) => {
            delete::<A>().filter(|row| row.id.between(low, high)).run(session).await?;
        }
        Change::Delete('b', low, high) => {
            delete::<B>().filter(|row| row.id.between(low, high)).run(session).await?;
        }
        Change::Delete(_, low, high) => {
            delete::<C>().filter(|row| row.id.between(low, high)).run(session).await?;
        }
    }
    Ok(())
}

/// The same as a commit of its own, without a session.
async fn alone(db: &Database, change: &Change) -> discobase::Result<()> {
    match *change {
        Change::Insert('a', id, _) => drop(A { id }.get_or_create(db).await?),
        Change::Insert('b', id, [r, c, n, _]) => drop(B { id, r, c, n }.get_or_create(db).await?),
        Change::Insert(_, id, [r, c, n, s]) => drop(C { id, r, c, n, s }.get_or_create(db).await?),
        Change::Refer('b', id, [r, c, n, _]) => {
            if B::get(db, id).await?.is_some() {
                B { id, r, c, n }.save_or_update(db).await?;
            }
        }
        Change::Refer(_, id, [r, c, n, s]) => {
            if let Some(mut row) = C::get(db, id).await? {
                *row = C { id, r, c, n, s };
                row.update().await?;
            }
        }
        Change::Delete('a', low, high) => {
            delete::<A>().filter(|row| row.id.between(low, high)).run(db).await?;
        }
        Change::Delete('b', low, high) if low == high => {
            if let Some(row) = B::get(db, low).await? {
                row.delete().await?;
            }
        }
        Change::Delete('b', low, high) => {
            delete::<B>().filter(|row| row.id.between(low, high)).run(db).await?;
        }
        Change::Delete(_, low, high) => {
            delete::<C>().filter(|row| row.id.between(low, high)).run(db).await?;
        }
    }
    Ok(())
}

type Rows = BTreeSet<(char, i64, [Option<i64>; 4])>;

fn sqlite_rows(sqlite: &Connection) -> Rows {
    let mut rows = Rows::new();
    for (table, select) in [
        ('a', "SELECT id, NULL, NULL, NULL, NULL FROM a"),
        ('b', "SELECT id, r, c, n, NULL FROM b"),
        ('c', "SELECT id, r, c, n, s FROM c"),
    ] {
        let mut select = sqlite.prepare(select).unwrap();
        let row = |row: &rusqlite::Row<'_>| {
            Ok((table, row.get(0)?, [row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?]))
        };
        rows.extend(select.query_map([], row).unwrap().map(Result::unwrap));
    }
    rows
}

async fn our_rows(db: &Database) -> Rows {
    let mut rows = Rows::new();
    rows.extend(A::find(db).all().await.unwrap().iter().map(|a| ('a', a.id, [None; 4])));
    rows.extend(B::find(db).all().await.unwrap().iter().map(|b| ('b', b.id, [b.r, b.c, b.n, None])));
    rows.extend(C::find(db).all().await.unwrap().iter().map(|c| ('c', c.id, [c.r, c.c, c.n, c.s])));
    rows
}

async fn open(place: &Place) -> Database {
    let db = place.database();
    db.table::<C>().unwrap();
    db.table::<B>().unwrap();
    db.table::<A>().unwrap();
    place.connect(&db).await.unwrap();
    db
}

async fn random_commits_leave_what_sqlite_leaves(place: &Place) {
    let mut random = Random::new();
    let db = open(place).await;
    let sqlite = Connection::open_in_memory().unwrap();
    sqlite.execute_batch(SCHEMA).unwrap();
    let (mut refused, mut largest) = (0, 0);
    for round in 0..COMMITS {
        let changes: Vec<Change> = (0..=random.below(5)).map(|_| change(&mut random)).collect();
        sqlite.execute_batch("BEGIN").unwrap();
        changes.iter().for_each(|change| in_sqlite(&sqlite, change));
        let theirs = sqlite.execute_batch("COMMIT");
        if theirs.is_err() {
            sqlite.execute_batch("ROLLBACK").unwrap();
            refused += 1;
        }
        let ours = match changes.as_slice() {
            [one] => alone(&db, one).await,
            several => {
                let session = db.session().unwrap();
                for change in several {
                    in_session(&session, change).await.unwrap();
                }
                session.commit().await.map(drop)
            }
        };
        assert_eq!(ours.is_ok(), theirs.is_ok(), "round {round}: {changes:?}: {ours:?}, {theirs:?}");
        if let Err(error) = ours {
            let expected = [ErrorKind::NoParent, ErrorKind::StillReferenced];
            assert!(expected.contains(&error.kind()), "round {round}: {changes:?}: {error:?}");
        }
        let rows = our_rows(&db).await;
        assert_eq!(rows, sqlite_rows(&sqlite), "round {round}: {changes:?}");
        largest = largest.max(rows.len());
    }
    assert!(refused > COMMITS / 20 && refused < COMMITS, "{refused} of {COMMITS} commits were refused");
    assert!(largest > KEYS as usize, "there were never more than {largest} rows");
    // The journal leads to the same.
    let rows = our_rows(&db).await;
    db.close().await.unwrap();
    let db = open(place).await;
    assert_eq!(our_rows(&db).await, rows);
    db.close().await.unwrap();
}
