//! Records of sessions: which row in which version they are is known only once the session is committed.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use crate::error::{Error, ErrorKind, Result};
use crate::ids::{RowId, Seq, TableId};

/// What a record of a session has beside its provisional row id and version.
#[derive(Clone)]
pub(crate) struct Draft {
    pub(crate) ticket: Arc<Ticket>,
    pub(crate) table: TableId,
}

/// How a session ended: shared with all records it handed out.
#[derive(Default)]
pub(crate) struct Ticket(OnceLock<Fate>);

/// How a session ended.
pub(crate) enum Fate {
    Committed(HashMap<(TableId, RowId), Landed>),
    /// It was rolled back, or the commit was refused.
    Ended,
    /// Nobody knows yet whether the commit is durable.
    Unknown,
}

/// Where a row of a session is after the commit.
pub(crate) struct Landed {
    pub(crate) id: RowId,
    pub(crate) version: Seq,
    /// The write of the session that added it; 0 if it was there before.
    pub(crate) added: Seq,
    /// The session's last write of it.
    pub(crate) last: Seq,
}

impl Ticket {
    /// The session has ended. Only the first word counts.
    pub(crate) fn decide(&self, fate: Fate) {
        let _ = self.0.set(fate);
    }
}

impl Draft {
    /// The row and the version that a record turned out to be, if the session was committed. A record that the session
    /// wrote over, or took back, is of no version.
    pub(crate) fn place(&self, row: RowId, version: Seq) -> Option<(RowId, Seq)> {
        let Some(Fate::Committed(rows)) = self.ticket.0.get() else { return None };
        let landed = rows.get(&(self.table, row)).filter(|landed| version >= landed.added)?;
        Some((landed.id, if version == landed.last { landed.version } else { Seq::default() }))
    }

    /// As [`Draft::place`], for who wants to write.
    pub(crate) fn settled(&self, row: RowId, version: Seq) -> Result<(RowId, Seq)> {
        let text = match self.ticket.0.get() {
            Some(Fate::Committed(_)) => {
                let stale = "the session went on to change this record, or took it back: find it again";
                return self.place(row, version).ok_or_else(|| Error::new(ErrorKind::Conflict, stale));
            }
            None => {
                "this record belongs to a session that is not committed yet: write it through the session, or commit \
                 the session first"
            }
            Some(Fate::Ended) => {
                "this record belongs to a session that was not committed: find or save it anew"
            }
            Some(Fate::Unknown) => {
                "whether the session that this record belongs to was committed is not known: find it again once it is"
            }
        };
        Err(Error::new(ErrorKind::Invalid, text))
    }
}
