//! Deleting what belongs to nothing, and mirroring the tables anew. Only what the bot wrote is ever deleted.

use crate::checkpoint::trim::drop_messages;
use crate::codec::checkpoint::Location;
use crate::codec::frame::Sum;
use crate::db::heal::Healed;
use crate::db::link::Link;
use crate::db::{DeviationKind, Report, catalog};
use crate::error::Result;
use crate::ids::{ChannelId, MessageId};
use crate::journal::reader::{Reader, Scan, read_error};
use crate::transport::explain;

impl Link {
    /// Mends what needs no checkpoint, or is superfluous since.
    pub(super) async fn tidy(&self, healed: &mut Healed) -> Result<()> {
        let creator = self.creator.lock().await;
        let reader = creator.reader(self.genesis.journal);
        let mut superfluous = unnamed(&healed.found);
        let last = self.engine.last();
        if let Some(last) = last.as_ref().filter(|_| healed.seq.is_some()) {
            superfluous.extend(broken(&reader, last.sum).await?);
        }
        let genesis = self.described();
        let tables = self.engine.tables().clone();
        let checkpoint = last.as_ref().map(|last| &*last.checkpoint);
        let wrong = [DeviationKind::MissingMetadata, DeviationKind::StaleMetadata];
        if healed.found.deviations.iter().any(|one| wrong.contains(&one.kind)) {
            let stray = catalog::stray(&*reader.transport, genesis.catalog, self.bot.id, &tables).await;
            let stray =
                stray.map_err(|error| explain(&error, "reading the catalog").in_channel(genesis.catalog))?;
            superfluous.extend(stray.into_iter().map(|message| at(genesis.catalog, message)));
            if healed.seq.is_none() {
                catalog::rewrite(&*reader.transport, &genesis, self.bot.id, &tables, checkpoint).await;
            }
        }
        let now = superfluous.iter().map(|location| location.message.time_ms()).max().unwrap_or(0);
        drop_messages(&reader, &superfluous, now).await?;
        healed.deleted = superfluous.len() as u64;
        Ok(())
    }
}

fn at(channel: ChannelId, message: MessageId) -> Location {
    Location { channel, message }
}

/// The segments that nothing names.
fn unnamed(found: &Report) -> Vec<Location> {
    let found = found.of(DeviationKind::OrphanSegment);
    found.filter_map(|one| Some(at(one.channel?, one.message?))).collect()
}

/// The messages of the bot's before a checkpoint's frame that were frames and can't be read any more.
async fn broken(reader: &Reader, checkpoint: Sum) -> Result<Vec<Location>> {
    let mut scan = Scan::default();
    let read = reader.read(&mut scan, MessageId::new(0)).await;
    read.map_err(|error| read_error(&error, reader.channel))?;
    let frame = scan.links.iter().find(|link| link.sum == checkpoint).map(|link| link.message);
    // The newest message stays, as with trimming.
    let broken =
        scan.strangers.iter().filter(|stranger| stranger.broken && Some(stranger.message) != scan.newest);
    Ok(broken.filter(|one| Some(one.message) < frame).map(|one| at(reader.channel, one.message)).collect())
}
