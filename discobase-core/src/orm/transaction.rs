//! Work in a session that is repeated until it commits.

use std::time::Duration;

use crate::db::Database;
use crate::env::{self, Env};
use crate::error::{Error, ErrorKind, Result};
use crate::orm::session::Session;

/// The longest wait before the first repetition; it doubles with each, up to [`LONGEST_WAIT`].
const FIRST_WAIT: Duration = Duration::from_millis(4);

const LONGEST_WAIT: Duration = Duration::from_millis(500);

/// How a transaction is done: [`Database::transaction`] with other settings.
///
/// ```no_run
/// # use discobase_core as discobase;
/// use discobase::{Database, Result, Table, Transaction};
///
/// #[derive(Table)]
/// # #[table(crate = "discobase_core")]
/// struct Shift {
///     #[table(key)]
///     doctor: u64,
///     on_call: bool,
/// }
///
/// /// Ends a doctor's shift, unless nobody else would be there.
/// async fn leave(db: &Database, doctor: u64) -> Result<bool> {
///     let work = Transaction::new().serializable().attempts(10);
///     work.run(db, |s| async move {
///         let on_call = Shift::find(&s).filter(|d| d.on_call.eq(true)).count().await?;
///         let Some(mut shift) = s.get::<Shift>(doctor).await? else { return Ok(false) };
///         if on_call < 2 || !shift.on_call {
///             return Ok(false);
///         }
///         shift.on_call = false;
///         s.update(&mut shift).await?;
///         Ok(true)
///     })
///     .await
/// }
/// ```
#[derive(Debug, Clone)]
#[must_use = "a transaction does nothing until it is run"]
pub struct Transaction {
    serializable: bool,
    attempts: u32,
    deadline: Option<Duration>,
}

impl Default for Transaction {
    fn default() -> Self {
        Self { serializable: false, attempts: 50, deadline: None }
    }
}

impl Transaction {
    /// Snapshot isolation, at most 50 attempts, no deadline but the database's.
    pub fn new() -> Self {
        Self::default()
    }

    /// What the session reads is checked when it commits: see [`Session::serializable`].
    pub fn serializable(mut self) -> Self {
        self.serializable = true;
        self
    }

    /// How often the work is begun at most (default: 50).
    pub fn attempts(mut self, attempts: u32) -> Self {
        self.attempts = attempts.max(1);
        self
    }

    /// How long all attempts together may wait.
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = Some(deadline);
        self
    }

    /// Does the work in a session and commits it; if others got in its way, all of it again, in a new session.
    ///
    /// # Errors
    /// What the work gave: nothing is written then. `Conflict`, `DuplicateKey`, `UniqueViolated`, `NoParent` or
    /// `StillReferenced` when others got in the way each time; the last two at once, if they are true of what the
    /// session saw, because no other attempt would change that. Otherwise as [`Session::commit`].
    pub async fn run<R, W>(&self, db: &Database, work: impl Fn(Session) -> W) -> Result<R>
    where
        W: Future<Output = Result<R>>,
    {
        let (engine, _) = db.running()?;
        let env = engine.env();
        let end = self.deadline.or(db.deadline()).map(|deadline| env.monotonic().saturating_add(deadline));
        let left = || end.map(|end| end.saturating_sub(env.monotonic()));
        let mut attempt = 1;
        loop {
            let mut session = db.session()?;
            if self.serializable {
                session = session.serializable();
            }
            if let Some(left) = left() {
                session = session.deadline(left);
            }
            let lent = session.lend();
            let failed = match work(session.lend()).await {
                // The work has ended it itself.
                Ok(result) if session.has_ended() => return Ok(result),
                Ok(result) => match session.commit().await {
                    Ok(_) => return Ok(result),
                    Err(error) => error,
                },
                Err(error) => error,
            };
            // What flushing or committing found may be no mistake of the work.
            if !lent.is_beaten() || !in_the_way(&failed) {
                return Err(failed);
            }
            if attempt >= self.attempts || left().is_some_and(|left| left.is_zero()) {
                return Err(failed);
            }
            env::sleep(&**env, wait(&**env, attempt)).await;
            attempt += 1;
        }
    }
}

impl Database {
    /// Does some work in a [`Session`] and commits it: all it writes becomes durable and visible together. If others got
    /// in its way, the work is done again in a new session, at most 50 times, after short random waits. An error
    /// that the work returns rolls everything back. [`Transaction`] sets more.
    ///
    /// The work may be begun several times, so it should do nothing but read and write through the session.
    ///
    /// ```no_run
    /// # use discobase_core as discobase;
    /// use discobase::{Database, Error, ErrorKind, Result, Table};
    ///
    /// #[derive(Table)]
    /// # #[table(crate = "discobase_core")]
    /// struct Account {
    ///     #[table(key)]
    ///     id: u64,
    ///     coins: i64,
    /// }
    ///
    /// async fn pay(db: &Database, from: u64, to: u64, coins: i64) -> Result<()> {
    ///     db.transaction(|s| async move {
    ///         let nobody = || Error::new(ErrorKind::NotFound, "no such account");
    ///         let mut from = s.get::<Account>(from).await?.ok_or_else(nobody)?;
    ///         let mut to = s.get::<Account>(to).await?.ok_or_else(nobody)?;
    ///         from.coins -= coins;
    ///         to.coins += coins;
    ///         s.update(&mut from).await?;
    ///         s.update(&mut to).await
    ///     })
    ///     .await
    /// }
    /// ```
    ///
    /// # Errors
    /// As [`Transaction::run`].
    pub async fn transaction<R, W>(&self, work: impl Fn(Session) -> W) -> Result<R>
    where
        W: Future<Output = Result<R>>,
    {
        Transaction::new().run(self, work).await
    }
}

/// Whether an error is of a kind that says that somebody else was faster, if a session found it when it was flushed or
/// committed.
fn in_the_way(error: &Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::Conflict
            | ErrorKind::DuplicateKey
            | ErrorKind::UniqueViolated
            | ErrorKind::NoParent
            | ErrorKind::StillReferenced
    )
}

/// A random wait, so that those who met do not meet again.
fn wait(env: &dyn Env, attempt: u32) -> Duration {
    let longest = FIRST_WAIT.saturating_mul(1 << attempt.min(10)).min(LONGEST_WAIT);
    let mut bytes = [0; 4];
    env.random(&mut bytes);
    longest.mul_f64(f64::from(u32::from_le_bytes(bytes)) / f64::from(u32::MAX))
}
