//! Finding segments that nothing refers to: what a checkpoint uploaded that was never finished.

use std::collections::{BTreeSet, HashSet};

use crate::codec::checkpoint::{Checkpoint, Location};
use crate::codec::segment::SegmentHeader;
use crate::error::Result;
use crate::ids::{ChannelId, Incarnation, MessageId};
use crate::journal::reader::Reader;
use crate::transport::{HistoryPage, Message, explain};

/// Segments of earlier terms, and of this process's own that no checkpoint is preparing, that are not among `used`:
/// those of `checkpoint`, the latest, and those that are to be kept for a while. A later term's are never among them: its owner may be about to refer to them.
pub(crate) async fn orphans(
    reader: &Reader,
    checkpoint: &Checkpoint,
    used: &HashSet<Location>,
    own: Incarnation,
) -> Result<Vec<Location>> {
    let channels: BTreeSet<ChannelId> = checkpoint
        .tables
        .iter()
        .flat_map(|table| table.def.indexes.iter().map(|index| index.channel).chain([table.def.channel]))
        .collect();
    let mut found = Vec::new();
    for channel in channels {
        let mut cursor = MessageId::new(0);
        loop {
            let page = reader.transport.history(channel, HistoryPage::After(cursor)).await;
            let page =
                page.map_err(|error| explain(&error, "looking for old segments").in_channel(channel))?;
            let Some(last) = page.last() else { break };
            cursor = last.id;
            for message in page.iter().filter(|message| message.author == reader.bot) {
                let location = Location { channel, message: message.id };
                if !used.contains(&location) && is_left_over(reader, message, checkpoint, own) {
                    found.push(location);
                }
            }
        }
    }
    Ok(found)
}

/// Whether a message is a segment of this database that was uploaded for a checkpoint which is over.
fn is_left_over(reader: &Reader, message: &Message, checkpoint: &Checkpoint, own: Incarnation) -> bool {
    SegmentHeader::read(message).is_some_and(|header| {
        *header.of.db == *reader.db && (header.incarnation == own || header.epoch < checkpoint.covers.epoch)
    })
}
