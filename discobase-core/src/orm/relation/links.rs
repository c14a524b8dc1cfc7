//! The rows between two tables that link records of the one to records of the other.

use std::collections::BTreeSet;

use crate::db::Database;
use crate::decode::Stored;
use crate::error::{Error, ErrorKind, Result};
use crate::orm::find::Find;
use crate::orm::record::Record;
use crate::orm::relation::children::key_of;
use crate::orm::relation::kinds::ManyToMany;
use crate::orm::session::Session;
use crate::orm::statement::delete;
use crate::orm::transaction::Transaction;
use crate::orm::write::{Target, Writable};
use crate::query::column::Filter;
use crate::query::expr::{Compare, Expr};
use crate::row::RowWriter;
use crate::schema::Entity;
use crate::value::{Value, ValueRef};

/// What has the key of a record of `T`: a reference to the struct, or to its record.
pub trait Keyed<T> {
    /// The key.
    #[doc(hidden)]
    fn key_value(&self) -> Value;
}

impl<T: Entity> Keyed<T> for &T {
    fn key_value(&self) -> Value {
        key_of(*self)
    }
}

impl<T: Entity> Keyed<T> for &Record<T> {
    fn key_value(&self) -> Value {
        let value: &T = self;
        key_of(value)
    }
}

/// Whether links that are not wanted any more go.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Others {
    Stay,
    Go,
}

/// Links records to `parent`, those that are not linked yet: one commit. How many were.
///
/// # Errors
/// `NoParent` when one of the records is not there. `Invalid` when the link has fields that need a value: save links
/// yourself then. Otherwise as [`Table::save`](crate::Table::save).
pub async fn link<P: Entity, L: Entity, T: Entity>(
    parent: &P,
    by: ManyToMany<P, L, T>,
    target: &impl Writable,
    to: impl IntoIterator<Item = impl Keyed<T>>,
) -> Result<u64> {
    let wanted = to.into_iter().map(|one| one.key_value()).collect();
    write(Links { by, from: key_of(parent), wanted, others: Others::Stay }, target).await
}

/// Takes links away: one commit. How many there were.
///
/// # Errors
/// As [`Table::save`](crate::Table::save).
pub async fn unlink<P: Entity, L: Entity, T: Entity>(
    parent: &P,
    by: ManyToMany<P, L, T>,
    target: &impl Writable,
    to: impl IntoIterator<Item = impl Keyed<T>>,
) -> Result<u64> {
    let (from, to_column) = by.link();
    let mut gone: Vec<Value> = to.into_iter().map(|one| one.key_value()).collect();
    gone.sort_unstable();
    gone.dedup();
    let own = Expr::Compare(from, Compare::Eq, key_of(parent));
    let filter = own.and(Expr::In(to_column, gone));
    delete::<L>().filter(|_| Filter::new(filter)).run(target).await
}

/// Links exactly these records to `parent`: one commit. How many links were made or taken away.
///
/// # Errors
/// As [`link`].
pub async fn set_links<P: Entity, L: Entity, T: Entity>(
    parent: &P,
    by: ManyToMany<P, L, T>,
    target: &impl Writable,
    to: impl IntoIterator<Item = impl Keyed<T>>,
) -> Result<u64> {
    let wanted = to.into_iter().map(|one| one.key_value()).collect();
    write(Links { by, from: key_of(parent), wanted, others: Others::Go }, target).await
}

/// The links that a record is to have.
struct Links<P, L, T> {
    by: ManyToMany<P, L, T>,
    from: Value,
    wanted: BTreeSet<Value>,
    others: Others,
}

async fn write<P: Entity, L: Entity, T: Entity>(
    links: Links<P, L, T>,
    target: &impl Writable,
) -> Result<u64> {
    match target.target() {
        Target::Session(session) => links.write(&Session::of(session)).await,
        Target::Database(db) => links.commit(&db).await,
    }
}

impl<P: Entity, L: Entity, T: Entity> Links<P, L, T> {
    async fn commit(&self, db: &Database) -> Result<u64> {
        // Two that link the same records at once would both find no link: of these, one is made to look again.
        Transaction::new().serializable().run(db, |session| async move { self.write(&session).await }).await
    }

    async fn write(&self, session: &Session) -> Result<u64> {
        let (from, to) = self.by.link();
        let own = Expr::Compare(from, Compare::Eq, self.from.clone());
        let known = Find::<L>::new(session).filtered(own.clone()).rows(vec![to]).await?;
        let known: BTreeSet<Value> = known.into_iter().flatten().collect();
        let mut written = 0;
        let surplus: Vec<Value> = known.difference(&self.wanted).cloned().collect();
        if self.others == Others::Go && !surplus.is_empty() {
            let filter = own.and(Expr::In(to, surplus));
            written += delete::<L>().filter(|_| Filter::new(filter)).run(session).await?;
        }
        for one in self.wanted.difference(&known) {
            session.add(self.row(one.as_ref())?).await?;
            written += 1;
        }
        Ok(written)
    }

    /// A link; its other fields have their defaults.
    fn row(&self, to_key: ValueRef<'_>) -> Result<L> {
        let (from, to) = self.by.link();
        let columns = L::SCHEMA.columns;
        // Saving it fills these where they are 0.
        let filled = [L::MODEL.auto, L::MODEL.created_at, L::MODEL.updated_at];
        let mut row = RowWriter::new(columns.len());
        for position in 0..columns.len() {
            let default = L::default_value(position);
            row.put(match position {
                _ if position == from => self.from.as_ref(),
                _ if position == to => to_key,
                _ if filled.contains(&Some(position)) => ValueRef::Int(0),
                _ => default.as_ref().map_or(ValueRef::Null, Value::as_ref),
            });
        }
        let (row, places) = (row.finish(), (0..columns.len()).collect::<Vec<_>>());
        L::decode(&Stored::of(&row, &places, L::default_value)).map_err(|(position, _)| {
            let text = "a link is made of two keys, and this field of it needs a value: give it a default, or save the \
                        link as a record of its own";
            let name = columns.get(position).map_or("?", |column| column.name);
            Error::new(ErrorKind::Invalid, text).in_table(L::SCHEMA.name).in_field(name)
        })
    }
}
