//! The oracle: every operation with what its caller was told, and every state that a reader saw.
//!
//! Callers: `work` tells it, `judge` asks it at the end. It knows nothing of how the engine works.

use std::collections::{BTreeMap, BTreeSet};

use discobase_core::{ErrorKind, Outcome, Record, Seq};
use parking_lot::Mutex;

use crate::tables::{Claim, Deposit, Entry, Register};

/// What an operation wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Two entries, or an entry and a deposit.
    Transfer { from: u64, to: u64, amount: i64, across: bool },
    /// Its number at the end of a register's list.
    Append(u64),
    /// A name.
    Claim(u64),
    /// The name that an earlier operation holds is free again.
    Release(u64),
}

/// What its caller was told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Told {
    /// Nothing: the process ended before.
    Nothing,
    /// It is durable, with this number if it made a record.
    Durable(Option<Seq>),
    /// It is not and never will be.
    Refused(ErrorKind),
    /// Nobody knows yet.
    Unknown,
}

/// One operation.
#[derive(Debug, Clone)]
pub(crate) struct Operation {
    pub(crate) process: String,
    pub(crate) kind: Kind,
    pub(crate) told: Told,
    /// What the database said of it later.
    pub(crate) verdict: Option<Outcome>,
    /// When it began and when it ended, in the order of all beginnings and ends.
    pub(crate) began: u64,
    pub(crate) ended: Option<u64>,
}

impl Operation {
    /// Whether it wrote to two tables.
    fn is_across(&self) -> bool {
        matches!(self.kind, Kind::Transfer { across: true, .. })
    }
}

#[derive(Debug, Default)]
pub(crate) struct Oracle(Mutex<History>);

/// Everything that was told and seen.
#[derive(Debug, Default)]
pub(crate) struct History {
    /// Operations by their numbers.
    pub(crate) operations: BTreeMap<u64, Operation>,
    /// The longest list that anybody saw in a register.
    pub(crate) lists: BTreeMap<u64, Vec<u64>>,
    /// Transfers and claims that anybody saw.
    pub(crate) transfers: BTreeSet<u64>,
    pub(crate) claims: BTreeSet<u64>,
    /// Of each table after a commit what it hashed to, for the first who saw it.
    states: BTreeMap<(&'static str, Seq), u64>,
    /// What can't be: a sentence each.
    pub(crate) violations: Vec<String>,
    time: u64,
}

impl Oracle {
    /// An operation begins; says its number.
    pub(crate) fn begin(&self, process: &str, kind: Kind) -> u64 {
        let mut history = self.0.lock();
        history.time += 1;
        let (number, began) = (history.operations.len() as u64 + 1, history.time);
        let process = process.to_owned();
        let operation = Operation { process, kind, told: Told::Nothing, verdict: None, began, ended: None };
        history.operations.insert(number, operation);
        number
    }

    /// An operation ends for its caller.
    pub(crate) fn end(&self, number: u64, told: Told) {
        let mut history = self.0.lock();
        history.time += 1;
        let now = history.time;
        if let Some(operation) = history.operations.get_mut(&number) {
            (operation.told, operation.ended) = (told, Some(now));
        }
    }

    /// The database says how an operation ended whose caller was told that nobody knows.
    pub(crate) fn verdict(&self, number: u64, verdict: Outcome) {
        if !matches!(verdict, Outcome::Durable | Outcome::NotDurable) {
            return;
        }
        let mut history = self.0.lock();
        let Some(operation) = history.operations.get_mut(&number) else { return };
        if operation.verdict.is_some_and(|before| before != verdict) {
            let text = format!("operation {number}: first {:?}, then {verdict:?}", operation.verdict);
            operation.verdict = Some(verdict);
            history.violations.push(text);
        } else {
            operation.verdict = Some(verdict);
        }
    }

    pub(crate) fn violation(&self, text: String) {
        self.0.lock().violations.push(text);
    }

    /// A reader saw these entries at once, and these deposits; `None`, if it looked at one table only.
    pub(crate) fn saw_entries(
        &self,
        reader: &str,
        entries: &[Record<Entry>],
        deposits: Option<&[Record<Deposit>]>,
    ) {
        let mut transfers: BTreeMap<u64, (u64, i64)> = BTreeMap::new();
        let deposited = deposits.unwrap_or_default().iter().map(|one| (one.transfer, one.amount));
        for (transfer, amount) in entries.iter().map(|one| (one.transfer, one.amount)).chain(deposited) {
            let (sides, sum) = transfers.entry(transfer).or_default();
            *sides += 1;
            *sum += amount;
        }
        let mut history = self.0.lock();
        for (transfer, (sides, sum)) in transfers {
            let across = history.operations.get(&transfer).is_some_and(Operation::is_across);
            let whole = if across && deposits.is_none() { sides == 1 } else { (sides, sum) == (2, 0) };
            if !whole {
                let text =
                    format!("{reader} saw {sides} sides of transfer {transfer}, {sum} in all: a torn commit");
                history.violations.push(text);
            }
            history.transfers.insert(transfer);
        }
    }

    /// A reader saw this list.
    pub(crate) fn saw_register(&self, reader: &str, register: &Register) {
        let seen = numbers(&register.list);
        let mut history = self.0.lock();
        let longest = history.lists.entry(register.id).or_default();
        let common = longest.iter().zip(&seen).take_while(|(a, b)| a == b).count();
        let forked = (common < longest.len().min(seen.len())).then(|| {
            format!("{reader} saw register {} as {seen:?}, and somebody saw {longest:?}: one of them was not durable", register.id)
        });
        if seen.len() > longest.len() {
            *longest = seen;
        }
        history.violations.extend(forked);
    }

    /// A reader saw these claims at once.
    pub(crate) fn saw_claims(&self, reader: &str, claims: &[Record<Claim>]) {
        let mut history = self.0.lock();
        let mut names = BTreeMap::new();
        for claim in claims {
            if let Some(other) = names.insert(claim.name.clone(), claim.by) {
                let text = format!(
                    "{reader} saw {} claimed by {other} and by {}: unique is broken",
                    claim.name, claim.by
                );
                history.violations.push(text);
            }
            history.claims.insert(claim.by);
        }
    }

    /// A reader saw a whole table after a commit: it is the same one for everybody.
    pub(crate) fn saw_state(&self, reader: &str, table: &'static str, seq: Seq, digest: u64) {
        let mut history = self.0.lock();
        if *history.states.entry((table, seq)).or_insert(digest) != digest {
            let text =
                format!("{reader}: after commit {seq} table {table} is not what somebody else saw then");
            history.violations.push(text);
        }
    }

    /// Takes everything.
    pub(crate) fn take(&self) -> History {
        std::mem::take(&mut self.0.lock())
    }
}

/// The numbers in a register's list.
pub(crate) fn numbers(list: &str) -> Vec<u64> {
    list.split_terminator(',').filter_map(|number| number.parse().ok()).collect()
}
