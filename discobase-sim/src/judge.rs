//! The judge: whether what is in the guild at the end agrees with what everybody was told and saw.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;

use discobase_core::{Database, Outcome, Result, Seq, Table};

use crate::oracle::{History, Kind, Operation, Told, numbers};
use crate::report::Counts;
use crate::tables::{Claim, Deposit, Entry, Register};

/// Everything in the database.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Dump {
    entries: Vec<(Entry, Seq)>,
    deposits: Vec<(Deposit, Seq)>,
    registers: Vec<(Register, Seq)>,
    claims: Vec<(Claim, Seq)>,
}

impl Dump {
    /// Reads it all.
    pub(crate) async fn of(db: &Database) -> Result<Self> {
        let mut dump = Self::default();
        for record in Entry::find(db).all().await? {
            dump.entries.push((Entry::clone(&record), record.version()));
        }
        for record in Deposit::find(db).all().await? {
            dump.deposits.push((Deposit::clone(&record), record.version()));
        }
        for record in Register::find(db).all().await? {
            dump.registers.push((Register::clone(&record), record.version()));
        }
        for record in Claim::find(db).all().await? {
            dump.claims.push((Claim::clone(&record), record.version()));
        }
        Ok(dump)
    }

    /// The first record in which another one differs.
    pub(crate) fn differs(&self, other: &Self) -> Option<String> {
        fn first<T: PartialEq + Debug>(one: &[T], other: &[T]) -> Option<String> {
            let at = one.iter().zip(other).position(|(one, other)| one != other);
            let at = at.or((one.len() != other.len()).then(|| one.len().min(other.len())))?;
            Some(format!("{:?} and {:?}", one.get(at), other.get(at)))
        }
        first(&self.entries, &other.entries)
            .or_else(|| first(&self.deposits, &other.deposits))
            .or_else(|| first(&self.registers, &other.registers))
            .or_else(|| first(&self.claims, &other.claims))
    }
}

/// What is wrong with a run after which the database can't be opened.
pub(crate) fn judge_unopened(history: History, counts: &mut Counts) -> Vec<String> {
    counts.damaged += 1;
    history.operations.values().for_each(|operation| count(operation, counts));
    history.violations
}

fn count(operation: &Operation, counts: &mut Counts) {
    match operation.told {
        Told::Durable(_) => counts.acknowledged += 1,
        Told::Refused(_) => counts.refused += 1,
        Told::Unknown | Told::Nothing => counts.unknown += 1,
    }
}

/// Says what is wrong, and counts what callers were told.
pub(crate) fn judge(history: History, end: &Dump, counts: &mut Counts) -> Vec<String> {
    let mut judge = Judge { end, found: Vec::new(), present: BTreeMap::new() };
    judge.collect();
    for (number, operation) in &history.operations {
        count(operation, counts);
        judge.operation(*number, operation, &history);
    }
    judge.seen(&history);
    judge.order(&history);
    let mut found = history.violations;
    found.append(&mut judge.found);
    found
}

struct Judge<'a> {
    end: &'a Dump,
    found: Vec<String>,
    /// Operations whose effect is in the database, with the number of the commit where a record still has it.
    present: BTreeMap<u64, Option<Seq>>,
}

impl Judge<'_> {
    fn collect(&mut self) {
        let entries = self.end.entries.iter().map(|(one, version)| (one.transfer, one.amount, *version));
        let deposits = self.end.deposits.iter().map(|(one, version)| (one.transfer, one.amount, *version));
        let mut transfers: BTreeMap<u64, Vec<(i64, Seq)>> = BTreeMap::new();
        for (transfer, amount, version) in entries.chain(deposits) {
            transfers.entry(transfer).or_default().push((amount, version));
        }
        for (transfer, sides) in transfers {
            let sum: i64 = sides.iter().map(|(amount, _)| amount).sum();
            let versions: BTreeSet<Seq> = sides.iter().map(|(_, version)| *version).collect();
            if sides.len() != 2 || sum != 0 || versions.len() != 1 {
                self.found.push(format!("transfer {transfer} is torn: {sides:?}"));
            }
            self.present.insert(transfer, versions.first().copied());
        }
        for (register, version) in &self.end.registers {
            let list = numbers(&register.list);
            for (place, number) in list.iter().enumerate() {
                let version = (place + 1 == list.len()).then_some(*version);
                if self.present.insert(*number, version).is_some() {
                    self.found.push(format!("operation {number} is there twice: register {}", register.id));
                }
            }
        }
        for (claim, version) in &self.end.claims {
            self.present.insert(claim.by, Some(*version));
        }
    }

    /// Whether one operation is there exactly if it may be.
    fn operation(&mut self, number: u64, operation: &Operation, history: &History) {
        let released = history.operations.values().find(|one| one.kind == Kind::Release(number));
        // A claim that was released, or may have been, may be gone; a release is there if its claim is not.
        let (there, may_be_gone) = match operation.kind {
            Kind::Release(claim) => (!self.present.contains_key(&claim), false),
            Kind::Claim(_) => {
                let gone = released.is_some_and(|one| !matches!(one.told, Told::Refused(_)));
                (self.present.contains_key(&number), gone)
            }
            Kind::Transfer { .. } | Kind::Append(_) => (self.present.contains_key(&number), false),
        };
        let who = format!("operation {number} of {} ({:?})", operation.process, operation.kind);
        match (operation.told, operation.verdict) {
            (Told::Durable(_), _) | (_, Some(Outcome::Durable)) if !there && !may_be_gone => {
                self.found.push(format!("{who} was acknowledged and is lost"));
            }
            (Told::Refused(kind), _) if there => {
                self.found.push(format!("{who} was refused ({kind:?}) and is there"));
            }
            (_, Some(Outcome::NotDurable)) if there => {
                self.found.push(format!("{who} was said to be not durable and is there"));
            }
            _ => {}
        }
        if let (Told::Durable(Some(told)), Some(Some(found))) = (operation.told, self.present.get(&number))
            && told != *found
        {
            self.found
                .push(format!("{who} was acknowledged as commit {told} and is there as commit {found}"));
        }
    }

    /// What a reader saw was durable.
    fn seen(&mut self, history: &History) {
        for transfer in &history.transfers {
            if !self.present.contains_key(transfer) {
                self.found.push(format!("transfer {transfer} was seen by a reader and is lost"));
            }
        }
        for claim in &history.claims {
            let released = history.operations.values().find(|one| one.kind == Kind::Release(*claim));
            let gone = released.is_some_and(|one| !matches!(one.told, Told::Refused(_)));
            if !self.present.contains_key(claim) && !gone {
                self.found.push(format!("claim {claim} was seen by a reader and is lost"));
            }
        }
        for (id, seen) in &history.lists {
            let end = self.end.registers.iter().find(|(register, _)| register.id == *id);
            let end = end.map(|(register, _)| numbers(&register.list)).unwrap_or_default();
            if !end.starts_with(seen) {
                self.found.push(format!("register {id} was seen as {seen:?} and ended as {end:?}"));
            }
        }
    }

    /// Commits are numbered in the order in which they happened: what was acknowledged before another began has the
    /// lower number, no two have the same, and lists grow in that order.
    fn order(&mut self, history: &History) {
        let durable: Vec<(u64, u64, u64, Seq)> = (history.operations.iter())
            .filter_map(|(number, one)| match (one.told, one.ended) {
                (Told::Durable(Some(seq)), Some(ended)) => Some((*number, one.began, ended, seq)),
                _ => None,
            })
            .collect();
        let mut numbers_of: BTreeMap<Seq, u64> = BTreeMap::new();
        for (number, _, _, seq) in &durable {
            if let Some(other) = numbers_of.insert(*seq, *number) {
                self.found
                    .push(format!("operations {other} and {number} were both acknowledged as commit {seq}"));
            }
        }
        let mut by_end = durable.clone();
        by_end.sort_by_key(|(_, _, ended, _)| *ended);
        let (mut ended, mut highest) = (by_end.iter().peekable(), None);
        for (number, began, _, seq) in &durable {
            while let Some((other, _, _, before)) = ended.next_if(|(_, _, end, _)| end < began) {
                highest = highest.max(Some((*before, *other)));
            }
            if let Some((before, other)) = highest.filter(|(before, _)| before >= seq) {
                self.found.push(format!(
                    "operation {number} is commit {seq}, but {other}, acknowledged before it began, is commit {before}"
                ));
            }
        }
        let seq_of: BTreeMap<u64, Seq> = durable.iter().map(|(number, _, _, seq)| (*number, *seq)).collect();
        for (register, _) in &self.end.registers {
            let list = numbers(&register.list);
            let known: Vec<Seq> = list.iter().filter_map(|number| seq_of.get(number)).copied().collect();
            if !known.is_sorted() {
                self.found
                    .push(format!("register {} has its operations out of order: {list:?}", register.id));
            }
        }
    }
}
