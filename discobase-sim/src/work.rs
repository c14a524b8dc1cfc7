//! The work: what the callers of a process do, over and over, and what they tell the oracle.

use std::sync::Arc;
use std::time::Duration;

use discobase_core::{CommitId, Database, Entity as _, Error, ErrorKind, Record, Result, Role, Seq, Table};
use tokio::time::sleep;

use crate::oracle::{Kind, Oracle, Told};
use crate::rng::Rng;
use crate::secret::SECRET;
use crate::tables::{Claim, Deposit, Entry, Register, digest};
use crate::world::World;

const ACCOUNTS: u64 = 8;
const REGISTERS: u64 = 3;
const NAMES: u64 = 4;

/// One caller of a process.
pub(crate) struct Caller {
    pub(crate) world: Arc<World>,
    pub(crate) oracle: Arc<Oracle>,
    pub(crate) db: Database,
    pub(crate) name: String,
    pub(crate) rng: Rng,
    /// The newest commit that it has seen, or was told is durable.
    pub(crate) newest: Seq,
}

impl Caller {
    /// Works until the task is ended, or the database writes no more.
    pub(crate) async fn work(mut self) {
        let mut held = Vec::new();
        loop {
            sleep(Duration::from_millis(self.rng.between(1, self.world.plan.pause))).await;
            // One that follows may have become the writer.
            let follows = self.db.role().is_ok_and(|role| role == Role::Follower);
            let done = match self.rng.below(10) {
                _ if follows => self.read().await,
                0..=2 => self.transfer().await,
                3..=5 => self.append().await,
                6 => self.claim(&mut held).await,
                7 => self.release(&mut held).await,
                _ => self.read().await,
            };
            if let Err(error) = done {
                self.judge_error(&error);
                if matches!(error.kind(), ErrorKind::Fenced | ErrorKind::NotConnected) {
                    return;
                }
            }
        }
    }

    async fn transfer(&mut self) -> Result<()> {
        let (from, to) = (self.rng.below(ACCOUNTS), self.rng.below(ACCOUNTS));
        let amount = i64::try_from(self.rng.between(1, 100)).unwrap_or(1);
        let across = self.rng.chance(0.5);
        let number = self.begin(Kind::Transfer { from, to, amount, across });
        let entry = |side, account, amount| Entry { transfer: number, side, account, amount };
        let saved = if across {
            let deposit = Deposit { transfer: number, account: to, amount };
            self.save_across(entry(0, from, -amount), deposit).await.map(Some)
        } else {
            let saved = Entry::save_all([entry(0, from, -amount), entry(1, to, amount)], &self.db).await;
            saved.map(|saved| saved.first().map(Record::version))
        };
        self.end(number, saved.as_ref().map(|version| *version)).await;
        saved?;
        // What was acknowledged is seen by whoever acknowledged it.
        let snapshot = self.db.snapshot()?;
        let seen = Entry::find(&snapshot).filter(|entry| entry.transfer.eq(number)).all().await?.len();
        let deposited = Deposit::find(&snapshot).filter(|one| one.transfer.eq(number)).all().await?.len();
        if (seen, deposited) != if across { (1, 1) } else { (2, 0) } {
            self.oracle.violation(format!(
                "{} was told that transfer {number} is durable and does not see it",
                self.name
            ));
        }
        Ok(())
    }

    /// Saves in two tables at once.
    async fn save_across(&self, entry: Entry, deposit: Deposit) -> Result<Seq> {
        let session = self.db.session()?;
        session.add(entry).await?;
        session.add(deposit).await?;
        session.commit().await
    }

    async fn append(&mut self) -> Result<()> {
        let id = self.rng.below(REGISTERS);
        let found = Register::get(&self.db, id).await?;
        if let Some(register) = &found {
            self.oracle.saw_register(&self.name, register);
        }
        // The longer between reading and writing, the more others come in between.
        if self.rng.chance(0.3) {
            sleep(Duration::from_millis(self.rng.between(1, 1_000))).await;
        }
        let number = self.begin(Kind::Append(id));
        let written = match found {
            Some(mut register) => {
                register.list.push_str(&format!("{number},"));
                register.update().await.map(|()| register.version())
            }
            None => {
                let title = format!("register {id} of the bank, which all may extend");
                let register = Register { id, title, list: format!("{number},") };
                register.save(&self.db).await.map(|saved| saved.version())
            }
        };
        self.end(number, written.as_ref().map(|version| Some(*version))).await;
        written.map(drop)
    }

    async fn claim(&mut self, held: &mut Vec<Record<Claim>>) -> Result<()> {
        let name = self.rng.below(NAMES);
        let number = self.begin(Kind::Claim(name));
        let saved = Claim { by: number, name: format!("{SECRET}{name}") }.save(&self.db).await;
        self.end(number, saved.as_ref().map(|saved| Some(saved.version()))).await;
        held.push(saved?);
        Ok(())
    }

    async fn release(&mut self, held: &mut Vec<Record<Claim>>) -> Result<()> {
        let Some(claim) = held.pop() else { return Ok(()) };
        let number = self.begin(Kind::Release(claim.by));
        let deleted = claim.delete().await;
        self.end(number, deleted.as_ref().map(|_| None)).await;
        deleted.map(drop)
    }

    /// Reads everything at once: what it sees is one state, the same that everybody sees after that commit, and none from
    /// before what this caller has seen or was told.
    async fn read(&mut self) -> Result<()> {
        let snapshot = self.db.snapshot()?;
        let entries = Entry::find(&snapshot).all().await?;
        let deposits = Deposit::find(&snapshot).all().await?;
        let claims = Claim::find(&snapshot).all().await?;
        let registers = Register::find(&snapshot).all().await?;
        self.oracle.saw_entries(&self.name, &entries, Some(&deposits));
        self.oracle.saw_claims(&self.name, &claims);
        registers.iter().for_each(|register| self.oracle.saw_register(&self.name, register));
        let seq = snapshot.seq();
        // Where people deleted frames that had been read, a follower takes back what they held.
        if !self.world.vandalised() {
            self.oracle.saw_state(&self.name, Entry::SCHEMA.name, seq, digest(&entries));
            self.oracle.saw_state(&self.name, Deposit::SCHEMA.name, seq, digest(&deposits));
            self.oracle.saw_state(&self.name, Claim::SCHEMA.name, seq, digest(&claims));
            self.oracle.saw_state(&self.name, Register::SCHEMA.name, seq, digest(&registers));
            if seq < self.newest {
                let text = format!("{} saw commit {}, and commit {seq} afterwards", self.name, self.newest);
                self.oracle.violation(text);
            }
        }
        self.newest = self.newest.max(seq);
        Ok(())
    }

    fn begin(&self, kind: Kind) -> u64 {
        let number = self.oracle.begin(&self.name, kind);
        self.world.note(&format!("{} begins {number}: {kind:?}", self.name));
        number
    }

    async fn end(&mut self, number: u64, result: Result<Option<Seq>, &Error>) {
        let told = match result {
            Ok(version) => {
                self.newest = self.newest.max(version.unwrap_or_default());
                Told::Durable(version)
            }
            Err(error) if error.kind() == ErrorKind::UnknownOutcome => Told::Unknown,
            Err(error) => Told::Refused(error.kind()),
        };
        self.oracle.end(number, told);
        self.world.note(&format!("{} ends {number}: {told:?}", self.name));
        if let Err(error) = result
            && let Some(commit) = error.place().commit
        {
            self.ask(number, commit).await;
        }
    }

    /// Asks a few times how a commit of unknown outcome ended.
    async fn ask(&mut self, number: u64, commit: CommitId) {
        for _ in 0..3 {
            sleep(Duration::from_millis(self.rng.between(1, 20_000))).await;
            if let Ok(outcome) = self.db.outcome(commit) {
                self.world.note(&format!("{} hears of {number}: {outcome:?}", self.name));
                self.oracle.verdict(number, outcome);
            }
        }
    }

    /// What callers may be told, and what they may not.
    fn judge_error(&self, error: &Error) {
        let expected = matches!(
            error.kind(),
            ErrorKind::Conflict
                | ErrorKind::DuplicateKey
                | ErrorKind::UniqueViolated
                | ErrorKind::UnknownOutcome
                | ErrorKind::Fenced
                | ErrorKind::NotConnected
                | ErrorKind::Unreachable
                | ErrorKind::Refused
        );
        let damaged =
            matches!(error.kind(), ErrorKind::Damaged | ErrorKind::Corrupt | ErrorKind::MissingChannel);
        if !(expected || damaged && self.world.vandalised()) {
            self.oracle.violation(format!("{} was told {:?}: {error}", self.name, error.kind()));
        }
    }
}
