//! One table of an import, whatever its struct is.

use std::collections::BTreeSet;

use discobase_core::transport::BoxFuture;
use discobase_core::{ChannelId, Error, ErrorKind, Result, Session, Table};

use crate::mapping::{Mapping, Plan};
use crate::read::{Contents, Described};
use crate::report::{ImportedTable, Skipped};

/// A table that is asked for.
pub(crate) trait Job: Send + Sync {
    /// The Python table's name, plain.
    fn python(&self) -> &str;

    /// The channel, if it is said.
    fn channel(&self) -> Option<ChannelId>;

    /// The table's name.
    fn table(&self) -> &'static str;

    /// Decides what goes where, before anything is written.
    fn prepare(&self, described: Described, contents: Contents) -> Result<Box<dyn Prepared>>;
}

/// A table that was read.
pub(crate) trait Prepared: Send {
    /// Adds the records to the session.
    fn add<'a>(self: Box<Self>, session: &'a Session) -> BoxFuture<'a, Result<ImportedTable>>
    where
        Self: 'a;
}

struct Ready<T> {
    plan: Plan<T>,
    described: Described,
    contents: Contents,
}

impl<T: Table> Job for Mapping<T> {
    fn python(&self) -> &str {
        &self.python
    }

    fn channel(&self) -> Option<ChannelId> {
        self.channel
    }

    fn table(&self) -> &'static str {
        T::SCHEMA.name
    }

    fn prepare(&self, described: Described, contents: Contents) -> Result<Box<dyn Prepared>> {
        let held = contents.records.iter().flat_map(|record| record.fields.keys());
        let fields: BTreeSet<String> = described.fields.iter().chain(held).cloned().collect();
        let plan = self.plan(&fields)?;
        Ok(Box::new(Ready::<T> { plan, described, contents }))
    }
}

impl<T: Table> Prepared for Ready<T> {
    fn add<'a>(self: Box<Self>, session: &'a Session) -> BoxFuture<'a, Result<ImportedTable>>
    where
        Self: 'a,
    {
        Box::pin(async move {
            let Self { plan, described, contents } = *self;
            refuse_filled::<T>(session).await?;
            let (mut imported, mut skipped) = (0, contents.skipped);
            for record in contents.records {
                let value = match plan.make(&record) {
                    Ok(value) => value,
                    Err(one) => {
                        skipped.push(one);
                        continue;
                    }
                };
                match session.add(value).await {
                    Ok(_) => imported += 1,
                    Err(error) if is_about_the_record(&error) => skipped.push(Skipped {
                        message: record.message,
                        field: error.place().field.clone(),
                        reason: error.to_string(),
                    }),
                    Err(error) => return Err(error),
                }
            }
            skipped.sort_unstable_by_key(|one| one.message);
            let Described { name, channel, .. } = described;
            Ok(ImportedTable { table: T::SCHEMA.name, python: name, channel, imported, skipped })
        })
    }
}

/// A second import would save everything again.
async fn refuse_filled<T: Table>(session: &Session) -> Result<()> {
    match T::count(session).await? {
        0 => Ok(()),
        some => {
            let text = format!(
                "the table has {some} records, and an import saves only into empty tables: if they were imported before, \
                 nothing is left to do"
            );
            Err(Error::new(ErrorKind::Invalid, text).in_table(T::SCHEMA.name))
        }
    }
}

/// Whether the record is at fault, and the next one may be fine. Hooks find also what is not there.
fn is_about_the_record(error: &Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::DuplicateKey
            | ErrorKind::UniqueViolated
            | ErrorKind::Violated
            | ErrorKind::TooLong
            | ErrorKind::TooLarge
            | ErrorKind::Invalid
            | ErrorKind::NotFound
            | ErrorKind::NotUnique
            | ErrorKind::NoParent
    )
}
