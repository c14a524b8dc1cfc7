//! What structs do around their writes.

use std::sync::Mutex;
use std::time::Duration;

use discobase::{Change, Database, Error, ErrorKind, Hooks, Outcome, Result, Table, Watched, delete, update};
use discobase_guild::{Action, Rule};
use twilight_model::util::Timestamp;

use crate::support::Place;

/// What ran, by the database it ran for: tests run side by side.
static RAN: Mutex<Vec<(String, String)>> = Mutex::new(Vec::new());

fn ran(db: &Database, what: String) {
    RAN.lock().unwrap().push((format!("{db:?}"), what));
}

fn take(db: &Database) -> Vec<String> {
    let name = format!("{db:?}");
    let mut all = RAN.lock().unwrap();
    let (mine, others) = all.drain(..).partition(|(of, _)| *of == name);
    *all = others;
    Vec::into_iter(mine).map(|(_, what)| what).collect()
}

#[derive(Debug, Clone, PartialEq, Table)]
#[table(hooks)]
struct Account {
    #[table(key, auto)]
    id: u64,
    #[table(length(max = 20))]
    email: String,
    owner: Option<u64>,
    #[table(soft_delete)]
    deleted_at: Option<Timestamp>,
    #[table(skip)]
    domain: String,
}

impl Account {
    fn refuse(&self, what: &str) -> Result<()> {
        if self.email.contains(what) { Err(Error::new(ErrorKind::Invalid, "refused")) } else { Ok(()) }
    }
}

impl Hooks for Account {
    async fn before_save(&mut self, db: &Database) -> Result<()> {
        ran(db, format!("before_save {} {}", self.id, self.email));
        self.email = self.email.trim().to_lowercase();
        if let Some(owner) = self.owner {
            // Records can be read from here.
            let found = Account::get(db, owner).await?;
            found.ok_or_else(|| Error::new(ErrorKind::NotFound, "there is no such owner"))?;
        }
        self.refuse("nosave")
    }

    async fn after_save(&self, db: &Database) {
        ran(db, format!("after_save {} {}", self.id, self.email));
        if self.email == "parent@x" {
            // And written.
            Account::builder().email("child@x").owner(self.id).save(db).await.unwrap();
        }
    }

    async fn before_update(&mut self, db: &Database) -> Result<()> {
        ran(db, format!("before_update {}", self.email));
        self.email = self.email.trim().to_owned();
        self.refuse("noupdate")
    }

    async fn after_update(&self, db: &Database) {
        ran(db, format!("after_update {}", self.email));
    }

    async fn before_delete(&mut self, db: &Database) -> Result<()> {
        ran(db, format!("before_delete {}", self.email));
        self.refuse("nodelete")
    }

    async fn after_delete(&self, db: &Database) {
        ran(db, format!("after_delete {} {}", self.email, self.deleted_at.is_some()));
    }

    fn after_load(&mut self) {
        self.domain = self.email.split('@').nth(1).unwrap_or_default().to_owned();
    }
}

async fn open(place: &Place) -> Database {
    let db = place.database();
    db.table::<Account>().unwrap();
    place.connect(&db).await.unwrap();
    db
}

async fn save(db: &Database, email: &str) -> Result<discobase::Record<Account>> {
    Account::builder().email(email).save(db).await
}

crate::everywhere!(
    hooks_run_around_writes,
    a_failing_hook_writes_nothing,
    hooks_may_read_and_write,
    a_write_that_fails_runs_no_after_hook,
    what_a_hook_changed_stays_when_the_write_fails,
    rules_see_what_the_hook_made,
    watched_records_are_loaded,
    hooks_run_for_no_row_that_a_delete_reaches,
    a_session_runs_no_hooks_for_what_statements_do,
    a_session_knows_what_a_struct_has_deleted,
);

crate::in_process!(an_unknown_outcome_runs_no_after_hook);

async fn hooks_run_around_writes(place: &Place) {
    let db = open(place).await;
    let mut account = save(&db, " A@B ").await.unwrap();
    account.email = "c@d".into();
    account.update().await.unwrap();
    assert_eq!(Account::get(&db, 1).await.unwrap().unwrap().domain, "d");
    let mut found = Account::find(&db).first().await.unwrap().unwrap();
    assert_eq!(found.domain, "d");
    found.clone().delete().await.unwrap();
    found = Account::find(&db).only_deleted().first().await.unwrap().unwrap();
    found.restore().await.unwrap();
    found.delete_forever().await.unwrap();
    let expected = [
        "before_save 0  A@B ",
        "after_save 1 a@b",
        "before_update c@d",
        "after_update c@d",
        "before_delete c@d",
        "after_delete c@d true",
        "before_update c@d",
        "after_update c@d",
        "before_delete c@d",
        "after_delete c@d false",
    ];
    assert_eq!(take(&db), expected);
    db.close().await.unwrap();
}

async fn a_failing_hook_writes_nothing(place: &Place) {
    let db = open(place).await;
    let mut account = save(&db, "a@nodelete").await.unwrap();
    let frames = db.frames().unwrap();
    assert_eq!(save(&db, "NOSAVE").await.unwrap_err().kind(), ErrorKind::Invalid);
    let batch = ["x@y", "nosave@y"].map(|email| Account::builder().email(email).build());
    assert_eq!(Account::save_all(batch, &db).await.unwrap_err().kind(), ErrorKind::Invalid);
    account.email = "b@noupdate".into();
    assert!(account.update().await.is_err());
    account.email = "b@nodelete".into();
    assert!(account.delete().await.is_err());
    assert_eq!(db.frames().unwrap(), frames);
    let all = Account::find(&db).all().await.unwrap();
    assert_eq!(all.iter().map(|one| one.email.as_str()).collect::<Vec<_>>(), ["a@nodelete"]);
    assert!(take(&db).iter().skip(2).all(|what| what.starts_with("before")));
    db.close().await.unwrap();
}

async fn hooks_may_read_and_write(place: &Place) {
    let db = open(place).await;
    let error = Account::builder().email("a@b").owner(9u64).save(&db).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    let parent = save(&db, "parent@x").await.unwrap();
    let child = Account::find_unique(&db, |a| a.owner.eq(parent.id)).await.unwrap();
    assert_eq!(child.email, "child@x");
    db.close().await.unwrap();
}

async fn a_write_that_fails_runs_no_after_hook(place: &Place) {
    let db = open(place).await;
    let mut account = save(&db, "a@b").await.unwrap();
    let mut stale = account.clone();
    account.email = "b@b".into();
    account.update().await.unwrap();
    take(&db);
    stale.email = "c@b".into();
    assert_eq!(stale.update().await.unwrap_err().kind(), ErrorKind::Conflict);
    account.update().await.unwrap();
    let error = save(&db, "12345678901234567890@b").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Violated);
    assert_eq!(take(&db), ["before_update c@b", "before_update b@b", "before_save 0 12345678901234567890@b"]);
    db.close().await.unwrap();
}

async fn what_a_hook_changed_stays_when_the_write_fails(place: &Place) {
    let db = open(place).await;
    let mut account = save(&db, "a@b").await.unwrap();
    account.email = " x@noupdate ".into();
    assert!(account.update().await.is_err());
    assert_eq!(account.email, "x@noupdate");
    assert_eq!(Account::get(&db, 1).await.unwrap().unwrap().email, "a@b");
    db.close().await.unwrap();
}

/// Too long as it was given, and not as the hook leaves it.
async fn rules_see_what_the_hook_made(place: &Place) {
    let db = open(place).await;
    let spaces = " ".repeat(30);
    let mut account = save(&db, &format!("{spaces}A@B{spaces}")).await.unwrap();
    assert_eq!(account.email, "a@b");
    account.email = format!("c@d{spaces}");
    account.update().await.unwrap();
    assert_eq!(Account::get(&db, 1).await.unwrap().unwrap().email, "c@d");
    db.close().await.unwrap();
}

async fn watched_records_are_loaded(place: &Place) {
    let db = open(place).await;
    let mut watch = Account::watch(&db).unwrap();
    save(&db, "a@b").await.unwrap();
    let Watched::Commit { changes, .. } = watch.next().await.unwrap().unwrap() else { panic!("lagged") };
    let [Change::Inserted { new }] = &changes[..] else { panic!("{changes:?}") };
    assert_eq!(new.domain, "b");
    db.close().await.unwrap();
}

/// The answer is held back until after the deadline: nobody knows then whether there is something to run a hook for.
async fn an_unknown_outcome_runs_no_after_hook(place: &Place) {
    let db = open(place).await;
    let held = Rule::new(Action::DelayReply { ms: 3_000 }).on("POST", "/channels/{channel}/messages");
    place.local().faults().push(held);
    let account = Account::builder().email("a@b").build();
    let error = account.save(&db).deadline(Duration::from_millis(500)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::UnknownOutcome, "{error}");
    let commit = error.commit().unwrap();
    while db.outcome(commit).unwrap() == Outcome::Pending {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(Account::count(&db).await.unwrap(), 1, "it was saved after all");
    assert_eq!(take(&db), ["before_save 0 a@b"]);
    db.close().await.unwrap();
}

#[derive(Debug, Clone, Table)]
struct Shelf {
    #[table(key)]
    id: u64,
}

#[derive(Debug, Clone, Table)]
#[table(hooks)]
struct Book {
    #[table(key)]
    id: u64,
    #[table(references = Shelf, on_delete = cascade)]
    shelf_id: u64,
    #[table(references = Book, on_delete = set_null)]
    sequel_id: Option<u64>,
    pages: u32,
}

impl Hooks for Book {
    async fn before_delete(&mut self, db: &Database) -> Result<()> {
        ran(db, format!("before_delete {}", self.id));
        Ok(())
    }

    async fn after_save(&self, db: &Database) {
        ran(db, format!("after_save {}", self.id));
    }

    async fn after_update(&self, db: &Database) {
        ran(db, format!("after_update {} {}", self.id, self.pages));
    }

    async fn after_delete(&self, db: &Database) {
        ran(db, format!("after_delete {}", self.id));
    }
}

fn book(id: u64, shelf_id: u64, sequel_id: Option<u64>) -> Book {
    Book { id, shelf_id, sequel_id, pages: 0 }
}

async fn library(place: &Place, books: impl IntoIterator<Item = Book> + Send) -> Database {
    let db = place.database();
    db.table::<Shelf>().unwrap();
    db.table::<Book>().unwrap();
    place.connect(&db).await.unwrap();
    Shelf::save_all((1..=3).map(|id| Shelf { id }), &db).await.unwrap();
    Book::save_all(books, &db).await.unwrap();
    take(&db);
    db
}

/// Also in a session that has written other rows of the same table by itself.
async fn hooks_run_for_no_row_that_a_delete_reaches(place: &Place) {
    let books = [book(1, 1, None), book(2, 2, None), book(3, 2, None), book(4, 3, None), book(5, 3, Some(4))];
    let db = library(place, books).await;
    Shelf::get(&db, 1).await.unwrap().unwrap().delete().await.unwrap();
    assert_eq!(take(&db), Vec::<String>::new(), "a commit of its own");

    let s = db.session().unwrap();
    s.add(book(6, 3, None)).await.unwrap();
    // Added, and changed, and then reached by a delete.
    s.add(book(7, 2, None)).await.unwrap();
    let mut second = s.get::<Book>(2).await.unwrap().unwrap();
    second.pages = 2;
    s.update(&mut second).await.unwrap();
    s.delete(s.get::<Shelf>(2).await.unwrap().unwrap()).await.unwrap();
    // Book 5 loses its sequel.
    s.delete(s.get::<Book>(4).await.unwrap().unwrap()).await.unwrap();
    assert_eq!(take(&db), ["before_delete 4"]);
    s.commit().await.unwrap();
    assert_eq!(take(&db), ["after_delete 4", "after_save 6"]);
    let left = Book::find(&db).order_by(|b| b.id.asc()).all().await.unwrap();
    let left: Vec<_> = left.iter().map(|book| (book.id, book.sequel_id)).collect();
    assert_eq!(left, [(5, None), (6, None)]);

    // One that the session has changed itself, and that a delete changes, too, was changed by itself.
    let s = db.session().unwrap();
    let mut fifth = s.get::<Book>(5).await.unwrap().unwrap();
    fifth.sequel_id = Some(6);
    fifth.pages = 5;
    s.update(&mut fifth).await.unwrap();
    s.delete(s.get::<Book>(6).await.unwrap().unwrap()).await.unwrap();
    s.commit().await.unwrap();
    assert_eq!(take(&db), ["before_delete 6", "after_delete 6", "after_update 5 5"]);
    db.close().await.unwrap();
}

async fn a_session_runs_no_hooks_for_what_statements_do(place: &Place) {
    let db = library(place, (1..=4).map(|id| book(id, 1, None))).await;
    let s = db.session().unwrap();
    let mut first = s.get::<Book>(1).await.unwrap().unwrap();
    first.pages = 10;
    s.update(&mut first).await.unwrap();
    update::<Book>().set(|b| b.pages, |b| b.pages + 1).run(&s).await.unwrap();
    delete::<Book>().filter(|b| b.id.eq(2)).run(&s).await.unwrap();
    s.delete(s.get::<Book>(3).await.unwrap().unwrap()).await.unwrap();
    s.commit().await.unwrap();
    assert_eq!(take(&db), ["before_delete 3", "after_delete 3", "after_update 1 11"]);
    db.close().await.unwrap();

    // The same where a delete only marks.
    let db = place.database();
    db.table::<Account>().unwrap();
    place.connect(&db).await.unwrap();
    for email in ["a@b", "c@d", "e@f"] {
        save(&db, email).await.unwrap();
    }
    take(&db);
    let s = db.session().unwrap();
    let mut first = s.get::<Account>(1).await.unwrap().unwrap();
    first.email = "g@h".into();
    s.update(&mut first).await.unwrap();
    delete::<Account>().filter(|a| a.id.le(2)).run(&s).await.unwrap();
    s.delete(s.get::<Account>(3).await.unwrap().unwrap()).await.unwrap();
    s.commit().await.unwrap();
    assert_eq!(take(&db), ["before_update g@h", "before_delete e@f", "after_delete e@f true"]);
    db.close().await.unwrap();
}

#[derive(Debug, Clone, Table)]
#[table(hooks)]
struct Note {
    #[table(key)]
    id: u64,
    #[table(references = Shelf, on_delete = set_null)]
    shelf_id: Option<u64>,
    text: String,
    #[table(soft_delete)]
    deleted_at: Option<Timestamp>,
}

impl Hooks for Note {
    async fn after_save(&self, db: &Database) {
        ran(db, format!("after_save {}", self.id));
    }

    async fn after_update(&self, db: &Database) {
        ran(db, format!("after_update {} {}", self.id, self.text));
    }

    async fn after_delete(&self, db: &Database) {
        ran(db, format!("after_delete {}", self.id));
    }
}

/// What comes in with its mark, or has it already, is not deleted by what is written; what a struct has deleted stays
/// deleted, whatever reaches it then.
async fn a_session_knows_what_a_struct_has_deleted(place: &Place) {
    let db = place.database();
    db.table::<Shelf>().unwrap();
    db.table::<Note>().unwrap();
    place.connect(&db).await.unwrap();
    Shelf { id: 1 }.save(&db).await.unwrap();
    let note = |id, deleted_at| Note { id, shelf_id: Some(1), text: String::new(), deleted_at };
    let long_ago = Timestamp::from_secs(1_500_000_000).ok();

    let s = db.session().unwrap();
    s.add(note(1, long_ago)).await.unwrap();
    s.add(note(2, None)).await.unwrap();
    s.commit().await.unwrap();
    assert_eq!(take(&db), ["after_save 1", "after_save 2"]);

    let s = db.session().unwrap();
    let mut first = Note::find(&s).only_deleted().first().await.unwrap().unwrap();
    first.text = "old".into();
    s.update(&mut first).await.unwrap();
    s.commit().await.unwrap();
    assert_eq!(take(&db), ["after_update 1 old"]);

    let s = db.session().unwrap();
    s.delete(s.get::<Note>(2).await.unwrap().unwrap()).await.unwrap();
    s.delete(s.get::<Shelf>(1).await.unwrap().unwrap()).await.unwrap();
    s.commit().await.unwrap();
    assert_eq!(take(&db), ["after_delete 2"]);
    let left = Note::find(&db).with_deleted().all().await.unwrap();
    assert!(left.iter().all(|note| note.shelf_id.is_none() && note.deleted_at.is_some()), "{left:?}");
    db.close().await.unwrap();
}
