//! What every table can do.

use crate::db::Database;
use crate::error::Result;
use crate::orm::find::{Find, FindUnique};
use crate::orm::record::{Record, Saved};
use crate::orm::save::{Delete, Save, SaveAll};
use crate::orm::source::Source;
use crate::orm::upsert::Upsert;
use crate::orm::watch::Watch;
use crate::orm::write::Writable;
use crate::query::column::Filter;
use crate::query::key::Key;
use crate::query::named::Named;
use crate::schema::Entity;

/// A struct whose values are saved as records. `#[derive(Table)]` makes a struct one.
///
/// ```no_run
/// # use discobase_core as discobase;
/// use discobase::{Database, Table};
///
/// #[derive(Debug, Clone, PartialEq, Table)]
/// # #[table(crate = "discobase_core")]
/// struct User {
///     #[table(key)]
///     id: u64,
///     #[table(unique)]
///     name: String,
///     points: i64,
/// }
///
/// # async fn run(db: Database) -> discobase::Result<()> {
/// let mut peter = User { id: 1, name: "Peter".into(), points: 0 }.save(&db).await?;
/// peter.points += 5;
/// peter.update().await?;
/// let best = User::find(&db).filter(|u| u.points.gt(3)).order_by(|u| u.points.desc()).limit(10).all().await?;
/// let peter = User::find_unique(&db, |u| u.name.eq("Peter")).await?;
/// peter.delete().await?;
/// # Ok(())
/// # }
/// ```
pub trait Table: Entity {
    /// Makes a struct field by field. A function of the field's name gives each; then `build()` makes the struct, and
    /// `save(&db)` saves it. A field that must be given and was not is an error of the compiler that names it. May be
    /// left out: fields with a `default` or `default_with`, those the database fills (`auto`, `created_at`,
    /// `updated_at`), an `Option`, which is `None` then, and skipped fields.
    ///
    /// ```no_run
    /// # use discobase_core as discobase;
    /// # use discobase::{Database, Result, Table};
    /// #[derive(Debug, Table)]
    /// # #[table(crate = "discobase_core")]
    /// struct User {
    ///     #[table(key, auto)]
    ///     id: u64,
    ///     name: String,
    ///     #[table(default = 10)]
    ///     points: i64,
    ///     nickname: Option<String>,
    /// }
    ///
    /// # async fn run(db: Database) -> Result<()> {
    /// let peter = User::builder().name("Peter").nickname("Pete").save(&db).await?;
    /// assert_eq!((peter.id, peter.points), (1, 10));
    /// # Ok(())
    /// # }
    /// ```
    fn builder() -> Self::Builder {
        Self::new_builder()
    }

    /// Saves this struct as a new record: one commit, durable when it returns.
    ///
    /// # Errors
    /// `DuplicateKey`, `UniqueViolated`, `TooLong`, `TooLarge`, `Invalid` (nothing was sent); `UnknownTable`,
    /// `TableNotReady`, `NotConnected`; `UnknownOutcome` when a deadline passed; `Conflict` when it passed while the
    /// write waited for a commit that it collides with (nothing was sent); `Fenced` when another process owns the
    /// database now; `Damaged` or `Corrupt` when messages of the journal were deleted meanwhile; `Refused`,
    /// `MissingPermissions` and others when Discord refuses it.
    fn save(self, db: &Database) -> Save<Self> {
        Save::new(self, db)
    }

    /// Saves all as one commit: either all are saved or none is.
    ///
    /// # Errors
    /// As [`Table::save`].
    fn save_all(records: impl IntoIterator<Item = Self>, db: &Database) -> SaveAll<Self> {
        SaveAll::new(records.into_iter().collect(), db)
    }

    /// Saves this struct; if a record has its key, that record gets the values instead. [`Upsert::set`] changes only some
    /// of them, [`Upsert::on`] looks for the record by a unique field.
    ///
    /// # Errors
    /// `UniqueViolated` when another record has a unique value of it; as [`Table::save`]. `Invalid` when the table has no
    /// key and no unique field is named.
    fn save_or_update(self, target: &impl Writable) -> Upsert<Self> {
        Upsert::replacing(self, target)
    }

    /// The record with this struct's key as it is, or, if there is none, this struct saved. Of many callers at once
    /// exactly one saves. If the record is there, nothing is sent.
    ///
    /// # Errors
    /// As [`Table::save_or_update`].
    fn get_or_create(self, target: &impl Writable) -> Upsert<Self> {
        Upsert::keeping(self, target)
    }

    /// Saves this struct: what [`Record::commit`] is to a record that is saved already.
    ///
    /// # Errors
    /// As [`Table::save`].
    fn commit(self, db: &Database) -> Save<Self> {
        self.save(db)
    }

    /// Does not compile: a struct is no record. Without it, the compiler would say only that there is no such function.
    #[doc(hidden)]
    fn update(self) -> Delete<Self>
    where
        Self: Saved,
    {
        self.record().delete()
    }

    /// Does not compile, as [`Table::update`].
    #[doc(hidden)]
    fn delete(self) -> Delete<Self>
    where
        Self: Saved,
    {
        self.record().delete()
    }

    /// Begins a query over all records, of a database or a [`Snapshot`](crate::Snapshot).
    fn find(source: &impl Source) -> Find<Self> {
        Find::new(source)
    }

    /// The one record that satisfies the filter. [`FindUnique::lenient`] makes none and several no errors.
    ///
    /// # Errors
    /// `NotFound` when no record does, `NotUnique` when several do. Otherwise as [`Find::all`].
    fn find_unique(
        source: &impl Source,
        filter: impl FnOnce(Self::Columns) -> Filter<Self>,
    ) -> FindUnique<Self> {
        FindUnique::new(Find::new(source).filter(filter))
    }

    /// The record with this key, or `None`. One probe of a hash index, no request; in a
    /// [lazy table](Database::table_lazy) a few requests, unless what they bring is known.
    ///
    /// # Errors
    /// As [`Find::all`].
    fn get(
        source: &impl Source,
        key: impl Key<Self::Key>,
    ) -> impl Future<Output = Result<Option<Record<Self>>>> + Send {
        key.with_values(|values| Record::get(source, values))
    }

    /// The column of that name, for queries of which the program does not know beforehand what they are about: see
    /// [`Named`]. The name is the column's, which is the field's unless it has another with `rename`.
    ///
    /// # Errors
    /// `Invalid` when there is none: the error says which there are.
    fn column(name: &str) -> Result<Named<Self>> {
        Named::new(name)
    }

    /// The changes of the table from now on, as they become durable, of this process and of others: see [`Watch`].
    ///
    /// # Errors
    /// `UnknownTable`, `NotConnected`; `TableNotReady`, also for a [lazy table](Database::table_lazy) that is not in
    /// memory: await [`Database::load`] first.
    fn watch(db: &Database) -> Result<Watch<Self>> {
        Watch::new(db)
    }

    /// How many records the table has.
    ///
    /// # Errors
    /// `UnknownTable`, `TableNotReady`, `NotConnected`.
    fn count(source: &impl Source) -> impl Future<Output = Result<usize>> + Send {
        Find::<Self>::new(source).count()
    }
}

impl<T: Entity> Table for T {}
