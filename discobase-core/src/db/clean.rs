//! Removing a database with everything in it.

use std::sync::Arc;

use crate::db::Database;
use crate::db::layout::Home;
use crate::db::link::Link;
use crate::error::{Error, ErrorKind, Result};
use crate::session::Write;
use crate::transport::explain;

/// The confirmation that [`Database::clean`] asks for: the name of the database whose data are to be lost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Confirm(String);

impl Confirm {
    /// Yes, delete the database of this name with all its records, for good.
    #[must_use]
    pub fn delete_all_data_of(database: impl Into<String>) -> Self {
        Self(database.into())
    }
}

impl Database {
    /// Deletes every channel this database made in its guild, with all records, and disconnects. Discord keeps no
    /// copy, and nothing brings them back. If it is interrupted, connect again and repeat it: by then the database is
    /// empty, whatever of its channels is left.
    ///
    /// # Errors
    /// `Invalid` when the confirmation names another database; `NotConnected`; `Fenced` when another process owns
    /// the database; what deleting a channel can fail with (those that were deleted until then are gone).
    pub async fn clean(&self, confirm: Confirm) -> Result<()> {
        if confirm.0 != self.name() {
            let text = format!(
                "the confirmation names database {:?}, and this is {:?}: nothing was deleted",
                confirm.0,
                self.name()
            );
            return Err(Error::new(ErrorKind::Invalid, text));
        }
        let turn = Arc::clone(&self.0.turn).lock_owned().await;
        let connection = self.connection()?;
        connection.link.engine.settled().await?;
        empty(&connection.link).await?;
        let cleaned = match connection.link.close().await {
            Ok(()) => delete_channels(&connection.link, self.name()).await,
            Err(error) => Err(error),
        };
        self.disconnect(connection, turn).await;
        cleaned
    }
}

/// Drops all tables, for good: if what follows is interrupted, the database can be opened without its channels, and the
/// clean be repeated.
async fn empty(link: &Link) -> Result<()> {
    let tables = link.engine.tables().clone();
    let drops: Vec<Write> = tables.iter().map(|table| Write::Drop { table: table.def().id }).collect();
    if !drops.is_empty() {
        link.engine.commit(drops).await?.durable().await?;
    }
    // Otherwise an earlier checkpoint would want its segments.
    if link.engine.last().is_some() {
        link.checkpoints.write().await?;
    }
    Ok(())
}

/// Deletes the channels; then the categories that hold nothing else; the journal last, because while it is there an
/// interrupted clean can be repeated.
async fn delete_channels(link: &Link, db: &str) -> Result<()> {
    let mut creator = link.creator.lock().await;
    creator.look().await?;
    creator.home.recognise(&link.described());
    let Home { tagged, categories, .. } = creator.home.clone();
    let journal = link.genesis.journal;
    let mut ours: Vec<_> = tagged.iter().map(|(id, _)| *id).filter(|id| *id != journal).collect();
    for (category, inside) in categories {
        let mine = creator.home.in_category(category);
        if mine == inside {
            ours.push(category);
        } else {
            tracing::info!(
                name: "channel_left", target: "discobase::guild", %category,
                "the category holds channels of others and is kept"
            );
        }
    }
    ours.push(journal);
    for channel in ours {
        let deleted = creator.transport.delete_channel(channel).await;
        deleted.map_err(|error| {
            explain(&error, &format!("deleting a channel of database {db:?}")).in_channel(channel)
        })?;
    }
    Ok(())
}
