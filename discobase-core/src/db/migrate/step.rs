//! Steps, as a program writes them.

use std::fmt;
use std::sync::Arc;

use semver::Version;

use crate::batch::{ColumnDef, ReferenceDef};
use crate::db::migrate::change::{Change, TableChange};
use crate::db::migrate::row::RowChange;
use crate::error::{Error, ErrorKind, Result};
use crate::field::{ColumnType, ColumnValue};
use crate::schema::{IndexKind, OnDelete};
use crate::value::ValueRef;

/// A migration step: how a database becomes that of the next version of a program, and how it becomes that of the
/// version before again.
///
/// Steps are registered with [`Database::migrations`](crate::Database::migrations). Each is one commit, together with
/// the record that it was applied: it happens once and wholly, or not at all.
///
/// ```
/// # use discobase_core as discobase;
/// use discobase::Step;
///
/// let step = Step::new("1.1.0", "levels")
///     .table("user_profiles", |table| table.rename("points", "score").add("level", 1_i64).index(["level"]))
///     .each("user_profiles", "a level for each 100 points", |row| {
///         let score: i64 = row.get("score")?;
///         row.set("level", 1 + score / 100)
///     })
///     .down(|step| step.table("user_profiles", |table| table.drop("level").rename("score", "points")));
/// ```
#[derive(Clone)]
pub struct Step {
    version: String,
    name: String,
    up: Vec<Change>,
    down: Option<Vec<Change>>,
}

/// The changes of one table's definition: see [`Step::table`].
#[derive(Debug, Clone, Default)]
#[must_use = "the changes are made by the step that they are given back to"]
pub struct TableChanges {
    changes: Vec<TableChange>,
}

impl Step {
    /// A step that leads to a [semantic version](https://semver.org) of the program; steps are applied in the order of
    /// their versions.
    pub fn new(version: impl Into<String>, name: impl Into<String>) -> Self {
        Self { version: version.into(), name: name.into(), up: Vec::new(), down: None }
    }

    /// Changes a table's definition. No row is touched: what is new has its default in the rows that are there.
    #[must_use]
    pub fn table(mut self, table: &str, changes: impl FnOnce(TableChanges) -> TableChanges) -> Self {
        let made = changes(TableChanges::default()).changes.into_iter();
        self.up.extend(made.map(|change| Change::Table { table: table.to_owned(), change }));
        self
    }

    /// Looks at each row of a table, and changes or deletes it. `label` says what is done: it is all that the step's
    /// checksum knows of the closure.
    ///
    /// All rows that change travel in the step's one commit, which may have 64 MiB, and 8 MiB compressed.
    #[must_use]
    pub fn each(
        mut self,
        table: &str,
        label: &str,
        work: impl Fn(&mut RowChange<'_>) -> Result<()> + Send + Sync + 'static,
    ) -> Self {
        self.up.push(Change::Each { table: table.into(), label: label.into(), work: Arc::new(work) });
        self
    }

    /// Adds a row; fields that the closure does not set have their columns' defaults, or are null.
    ///
    /// A new database only records its steps, so it has no such row: what every database is to have is better put there with
    /// `get_or_create` after connecting.
    #[must_use]
    pub fn insert(
        mut self,
        table: &str,
        label: &str,
        fill: impl Fn(&mut RowChange<'_>) -> Result<()> + Send + Sync + 'static,
    ) -> Self {
        self.up.push(Change::Insert { table: table.into(), label: label.into(), work: Arc::new(fill) });
        self
    }

    /// Gives a table another name. Its channels keep theirs, which are for people only.
    #[must_use]
    pub fn rename_table(mut self, from: &str, to: &str) -> Self {
        self.up.push(Change::Rename { from: from.into(), to: to.into() });
        self
    }

    /// Removes a table and all that is in it.
    #[must_use]
    pub fn drop_table(mut self, table: &str) -> Self {
        self.up.push(Change::Drop { table: table.into() });
        self
    }

    /// How the step is taken back: the changes that the closure adds.
    #[must_use]
    pub fn down(mut self, changes: impl FnOnce(Self) -> Self) -> Self {
        let back = changes(Self::new(self.version.clone(), self.name.clone()));
        self.down = Some(back.up);
        self
    }

    /// The version that the step leads to.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.version
    }

    /// What the step is called.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn up(&self) -> &[Change] {
        &self.up
    }

    pub(crate) fn back(&self) -> Option<&[Change]> {
        self.down.as_deref()
    }

    /// What tells whether a step is still what it was when it was applied.
    pub(crate) fn checksum(&self) -> [u8; 16] {
        let mut hasher = blake3::Hasher::new();
        for change in &self.up {
            hasher.update(change.to_string().as_bytes());
            hasher.update(b"\n");
        }
        let mut sum = [0; 16];
        hasher.finalize_xof().fill(&mut sum);
        sum
    }

    pub(crate) fn parsed(&self) -> Result<Version> {
        parse(&self.version, &self.name)
    }
}

/// The semantic version of a step.
pub(crate) fn parse(version: &str, name: &str) -> Result<Version> {
    version.parse().map_err(|error: semver::Error| {
        let text = format!(
            "the migration step {name:?} has the version {version:?}, which is no semantic version ({error}): write one \
             like 1.2.0"
        );
        Error::new(ErrorKind::Migration, text)
    })
}

impl TableChanges {
    /// Adds a column of the type `V`. Rows that are there have `default` in it; an `Option` may be `None`.
    #[expect(clippy::needless_pass_by_value, reason = "defaults are written where they are needed")]
    pub fn add<V: ColumnValue>(mut self, name: &str, default: V) -> Self {
        let (ty, variants) = type_of::<V>();
        let default = match default.as_value() {
            ValueRef::Null => None,
            value => Some(value.to_value()),
        };
        let (name, nullable) = (name.to_owned(), V::NULLABLE);
        self.changes.push(TableChange::Add(Box::new(ColumnDef {
            name,
            ty,
            variants,
            nullable,
            max_len: None,
            default,
        })));
        self
    }

    /// Gives a column another name.
    pub fn rename(mut self, from: &str, to: &str) -> Self {
        self.changes.push(TableChange::Rename { from: from.into(), to: to.into() });
        self
    }

    /// Removes a column, with its values and the indexes that it is in.
    pub fn drop(mut self, name: &str) -> Self {
        self.changes.push(TableChange::Drop(name.into()));
        self
    }

    /// Gives a column the type `V`: all values that are there must be of it, as an `i32` is an `i64`. Where they are
    /// not, add a column, fill it with [`Step::each`], drop the old one and rename the new one.
    pub fn retype<V: ColumnValue>(mut self, name: &str) -> Self {
        let (ty, variants) = type_of::<V>();
        self.changes.push(TableChange::Retype { name: name.into(), ty, variants });
        self.changes.push(TableChange::Nullable { name: name.into(), nullable: V::NULLABLE });
        self
    }

    /// Lets a column be null: its field is an `Option` from now on.
    pub fn nullable(mut self, name: &str) -> Self {
        self.changes.push(TableChange::Nullable { name: name.into(), nullable: true });
        self
    }

    /// Forbids a column to be null. No row may have null in it: fill it with [`Step::each`] first.
    pub fn required(mut self, name: &str) -> Self {
        self.changes.push(TableChange::Nullable { name: name.into(), nullable: false });
        self
    }

    /// Bounds the length of a column, in characters or bytes. No value may be longer already.
    pub fn max_len(mut self, name: &str, max_len: impl Into<Option<u32>>) -> Self {
        self.changes.push(TableChange::MaxLen { name: name.into(), max_len: max_len.into() });
        self
    }

    /// Adds an index on columns.
    pub fn index<'a>(self, columns: impl IntoIterator<Item = &'a str>) -> Self {
        self.indexed(IndexKind::Index, columns)
    }

    /// Adds a unique index on columns. No two rows may have the same values already.
    pub fn unique<'a>(self, columns: impl IntoIterator<Item = &'a str>) -> Self {
        self.indexed(IndexKind::Unique, columns)
    }

    /// Removes the index, unique or not, on these columns.
    pub fn drop_index<'a>(mut self, columns: impl IntoIterator<Item = &'a str>) -> Self {
        self.changes.push(TableChange::DropIndex(columns.into_iter().map(str::to_owned).collect()));
        self
    }

    /// Has columns refer to the key of a table, and says what becomes of the rows that refer to one which is deleted. The
    /// columns get an index if they have none. No row may refer to one that is not there: those that do are named, and
    /// nothing is changed.
    pub fn reference<'a>(
        mut self,
        columns: impl IntoIterator<Item = &'a str>,
        table: &str,
        on_delete: OnDelete,
    ) -> Self {
        let columns = columns.into_iter().map(str::to_owned).collect();
        let reference = ReferenceDef { table: table.to_owned(), on_delete };
        self.changes.push(TableChange::Reference { columns, reference });
        self
    }

    /// Removes the reference of these columns. Their index stays.
    pub fn drop_reference<'a>(mut self, columns: impl IntoIterator<Item = &'a str>) -> Self {
        self.changes.push(TableChange::DropReference(columns.into_iter().map(str::to_owned).collect()));
        self
    }

    fn indexed<'a>(mut self, kind: IndexKind, columns: impl IntoIterator<Item = &'a str>) -> Self {
        let columns = columns.into_iter().map(str::to_owned).collect();
        self.changes.push(TableChange::Index { kind, columns });
        self
    }
}

fn type_of<V: ColumnValue>() -> (String, Vec<String>) {
    let variants = match V::TYPE {
        ColumnType::Enum { variants } => variants.iter().map(|&name| name.to_owned()).collect(),
        _ => Vec::new(),
    };
    (V::TYPE.name().to_owned(), variants)
}

impl fmt::Debug for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines = |changes: &[Change]| changes.iter().map(Change::to_string).collect::<Vec<_>>();
        f.debug_struct("Step")
            .field("version", &self.version)
            .field("name", &self.name)
            .field("up", &lines(&self.up))
            .field("down", &self.down.as_deref().map(lines))
            .finish()
    }
}
