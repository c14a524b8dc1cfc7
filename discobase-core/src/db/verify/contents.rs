//! What lies in the channels of tables and indexes: segments that are used, those that nothing names, and what is none.

use std::collections::{HashMap, HashSet};

use super::Pass;
use super::journal::Journal;
use super::report::{Deviation, DeviationKind as Kind};
use crate::codec::checkpoint::Location;
use crate::codec::segment::SegmentHeader;
use crate::error::Result;
use crate::ids::{ChannelId, MessageId};
use crate::transport::{HistoryPage, Message, explain};

/// The messages of the segments that a table is made of, as far as they are there.
pub(super) type Found = HashMap<Location, Message>;

impl Pass<'_> {
    /// Reads a channel's history: keeps the messages that are `wanted`, and reports those that nothing names.
    pub(super) async fn contents(
        &mut self,
        channel: ChannelId,
        table: &str,
        journal: &Journal,
        wanted: &HashSet<Location>,
        found: &mut Found,
    ) -> Result<()> {
        let mut cursor = MessageId::new(0);
        loop {
            self.counts.requests += 1;
            let page = self.site.reader.transport.history(channel, HistoryPage::After(cursor)).await;
            let page =
                page.map_err(|error| explain(&error, "reading a table's channel").in_channel(channel))?;
            let Some(last) = page.last() else { return Ok(()) };
            cursor = last.id;
            self.counts.messages += page.len() as u64;
            for message in page {
                let at = Location { channel, message: message.id };
                if wanted.contains(&at) {
                    found.insert(at, message);
                } else if let Some(deviation) = self.stray(&message, at, journal) {
                    self.found(deviation.table(table).channel(channel).message(message.id));
                }
            }
        }
    }

    /// What is wrong with a message that is no segment of the checkpoint's.
    fn stray(&self, message: &Message, at: Location, journal: &Journal) -> Option<Deviation> {
        let foreign = |who: &str| {
            let text = format!(
                "{who} wrote a message that is no segment of the table. It is ignored: delete it if it disturbs you"
            );
            Some(Deviation::new(Kind::ForeignMessage, text))
        };
        if message.author != self.site.reader.bot {
            return foreign(&format!("user {}", message.author));
        }
        let header = SegmentHeader::read(message).filter(|header| *header.of.db == *self.site.reader.db);
        if header.is_none() && !is_bare(message) {
            return foreign("the bot");
        }
        // What a checkpoint replaced is deleted when nobody can be reading it any more.
        let dropped = journal.checkpoint.as_ref().is_some_and(|checkpoint| checkpoint.drop.contains(&at));
        // Checkpoints of one term come one after the other, and what is uploaded for the next is younger than the last.
        let base = &journal.walked.base;
        let term = base.covers.as_ref().map_or(journal.walked.holder.epoch, |covers| covers.epoch);
        let earlier = header.is_some_and(|header| header.epoch < term);
        let over = earlier || base.covers.is_some() && message.id < base.link.message;
        let text = "a segment that no checkpoint names: what uploaded it was interrupted. It takes up room until the \
                    next checkpoint is written and trimmed, or db.heal().await deletes it";
        (over && !dropped).then(|| Deviation::new(Kind::OrphanSegment, text))
    }
}

/// A segment whose text Discord's filters refused: it has none.
fn is_bare(message: &Message) -> bool {
    let is_segment = |name: &str| name.strip_suffix(".seg").is_some_and(|stem| stem.len() == 16);
    matches!(&message.attachments[..], [file] if message.content.is_empty() && is_segment(&file.filename))
}
