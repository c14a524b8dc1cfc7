//! What others do to a journal: copies, messages that are no frames, and frames that nobody would post who obeys the rules.

use crate::codec::frame::{Kind, Sum};
use crate::fuzzing::arbitrary;
use crate::fuzzing::journal::guild::BOT;
use crate::fuzzing::journal::world::{JOURNAL, World};
use crate::fuzzing::source::Source;
use crate::ids::UserId;
use crate::transport::NewMessage;

impl World {
    /// A frame is posted once more: the same bytes, under a new id.
    pub(super) fn copy(&mut self, source: &mut Source<'_>) {
        let Some(known) = self.known.get(source.below(self.known.len())) else { return };
        let on_chain = self.chain().iter().any(|link| link.sum == known.link.sum);
        let present = self.present();
        // A late copy of what was trimmed tells nobody that it was.
        let understood = on_chain && matches!(known.link.kind, Kind::Open | Kind::Checkpoint);
        let orphan = known.link.header.prev != Sum::NONE && !present.contains(&known.link.header.prev);
        let message = self.guild.messages(JOURNAL).into_iter().find(|one| one.id == known.link.message);
        let Some(message) = message else { return };
        self.may_fail |= orphan && !understood;
        let content = self.guild.content(&message);
        self.posted.push(self.guild.put(JOURNAL, BOT, &content));
    }

    /// Somebody else posts, or the bot posts what is no frame of this database.
    pub(super) fn stranger(&mut self, source: &mut Source<'_>) {
        let Some(known) = self.known.get(source.below(self.known.len())) else { return };
        let message = self.guild.messages(JOURNAL).into_iter().find(|one| one.id == known.link.message);
        let mut content = message.map_or_else(NewMessage::default, |message| self.guild.content(&message));
        let author = if source.flag() { UserId::new(9) } else { BOT };
        match source.below(5) {
            0 => content = NewMessage { content: arbitrary::text(source), ..NewMessage::default() },
            1 => content.content = content.content.replacen("\"epoch\"", "\"epok\"", 1),
            2 => content.content = content.content.replacen("{\"discobase\":1", "{\"discobase\":2", 1),
            3 => content.attachments.clear(),
            _ => {
                let at = source.number() as usize;
                if let Some(byte) = char::from_u32(0x20 + u32::from(source.byte()) % 0x5f)
                    && let Some(old) = content.content.get(at..=at)
                {
                    content.content = content.content.replacen(old, byte.encode_utf8(&mut [0; 4]), 1);
                }
            }
        }
        self.may_fail |= author == BOT;
        self.posted.push(self.guild.put(JOURNAL, author, &content));
    }

    /// What only a bot that lies would post, or one that has lost its journal.
    pub(super) fn lie(&mut self, source: &mut Source<'_>) {
        let place = self.place(source);
        let mut frame = arbitrary::frame(source, "shop");
        if source.flag() {
            frame.header.prev = self.known.get(place).map_or(Sum::NONE, |known| known.link.sum);
        }
        if source.flag()
            && let Some(known) = self.known.get(place)
        {
            frame.header.epoch = known.holder.epoch;
            frame.header.incarnation = known.holder.incarnation;
        }
        self.lies = true;
        self.post(source, frame);
    }
}
