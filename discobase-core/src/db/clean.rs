//! Removing a database with everything in it.

use std::sync::Arc;

use crate::db::Database;
use crate::db::layout::Home;
use crate::error::{Error, ErrorKind, Result};
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
    /// copy, and nothing brings them back.
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
        let cleaned = match connection.link.close().await {
            Ok(()) => delete_channels(&connection.link, self.name()).await,
            Err(error) => Err(error),
        };
        self.disconnect(connection, turn).await;
        cleaned
    }
}

/// Deletes the channels, the journal last, because while it is there an interrupted clean can be repeated; then the
/// categories that hold nothing else.
async fn delete_channels(link: &crate::db::link::Link, db: &str) -> Result<()> {
    let mut creator = link.creator.lock().await;
    creator.look().await?;
    creator.home.recognise(&link.genesis);
    let Home { tagged, categories, .. } = creator.home.clone();
    let journal = link.genesis.journal;
    let mut ours: Vec<_> = tagged.iter().map(|(id, _)| *id).filter(|id| *id != journal).collect();
    ours.push(journal);
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
    for channel in ours {
        let deleted = creator.transport.delete_channel(channel).await;
        deleted.map_err(|error| {
            explain(&error, &format!("deleting a channel of database {db:?}")).in_channel(channel)
        })?;
    }
    Ok(())
}
