//! The SQLite side: in memory, its integer primary key, one prepared statement.

use rusqlite::{Connection, OptionalExtension as _, Result, Statement, params};

use crate::Member;

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

/// The statement that [`get`] runs.
pub(crate) fn select(connection: &Connection) -> Result<Statement<'_>> {
    connection.prepare("SELECT id, name, points, joined FROM members WHERE id = ?1")
}

/// One read by key.
pub(crate) fn get(select: &mut Statement<'_>, key: u64) -> Result<Option<Member>> {
    let member = select.query_row([key as i64], |row| {
        Ok(Member {
            id: row.get::<_, i64>(0)? as u64,
            name: row.get(1)?,
            points: row.get(2)?,
            joined: row.get(3)?,
        })
    });
    member.optional()
}
