//! The SQLite side: in memory, its integer primary key, prepared statements, the same owned structs.

use rusqlite::{Connection, OptionalExtension as _, Result, Row, Statement, params};

use crate::member::Member;

/// Inserts all members in one transaction.
pub(crate) fn fill(members: impl IntoIterator<Item = Member>) -> Result<Connection> {
    let mut connection = Connection::open_in_memory()?;
    connection.execute_batch(
        "CREATE TABLE members (id INTEGER PRIMARY KEY, name TEXT NOT NULL, points INTEGER NOT NULL, \
         joined INTEGER NOT NULL)",
    )?;
    let transaction = connection.transaction()?;
    {
        let mut insert = transaction.prepare("INSERT INTO members VALUES (?1, ?2, ?3, ?4)")?;
        for Member { id, name, points, joined } in members {
            insert.execute(params![id as i64, name, points, joined])?;
        }
    }
    transaction.commit()?;
    Ok(connection)
}

/// The questions, prepared.
pub(crate) struct Questions<'a> {
    by_key: Statement<'a>,
    range: Statement<'a>,
    scan: Statement<'a>,
}

impl<'a> Questions<'a> {
    pub(crate) fn prepare(connection: &'a Connection) -> Result<Self> {
        let prepare = |rest: &str| {
            connection.prepare(&format!("SELECT id, name, points, joined FROM members WHERE {rest}"))
        };
        Ok(Self {
            by_key: prepare("id = ?1")?,
            range: prepare("id BETWEEN ?1 AND ?2 ORDER BY id")?,
            scan: prepare("points BETWEEN ?1 AND ?2")?,
        })
    }

    /// The member with this id.
    pub(crate) fn by_key(&mut self, id: u64) -> Result<Option<Member>> {
        self.by_key.query_row([id as i64], member).optional()
    }

    /// The members with these ids and those between, in order.
    pub(crate) fn range(&mut self, first: u64, last: u64) -> Result<Vec<Member>> {
        self.range.query_map([first as i64, last as i64], member)?.collect()
    }

    /// The members with so many points; there is no index on them.
    pub(crate) fn scan(&mut self, least: i64, most: i64) -> Result<Vec<Member>> {
        self.scan.query_map([least, most], member)?.collect()
    }
}

fn member(row: &Row<'_>) -> Result<Member> {
    let id = row.get::<_, i64>(0)? as u64;
    Ok(Member { id, name: row.get(1)?, points: row.get(2)?, joined: row.get(3)? })
}
