//! What an owner does for its journal besides writing: checkpoints, and trimming what they cover.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use crate::checkpoint::build::{Wanted, build};
use crate::checkpoint::trim::{superseded, trim_journal};
use crate::checkpoint::upload::{Uploader, upload};
use crate::codec::checkpoint::{Checkpoint, Covers};
use crate::codec::frame::{Body, Frame, Kind, Sum};
use crate::codec::segment::Sealing;
use crate::fuzzing::journal::world::{Known, TIMING, World};
use crate::fuzzing::source::Source;
use crate::journal::rules::{Position, Tip};

/// How long after a checkpoint became durable the journal is trimmed.
const TRIM_AFTER: Duration = Duration::from_secs(600);

impl World {
    /// A checkpoint after some frame, of an earlier one on the same chain.
    pub(super) async fn checkpoint(&mut self, source: &mut Source<'_>) {
        let place = self.place(source);
        let mut covered = place;
        for _ in 0..source.below(4) {
            covered = self.known.get(covered).and_then(|known| known.before).unwrap_or(covered);
        }
        let (Some(header), Some(known), Some(root)) =
            (self.header(place), self.known.get(covered), self.root)
        else {
            return;
        };
        // Who covers a closed term's frame, or frames that make no sense, is no writer.
        let (Some(tables), false, false) = (known.tables.clone(), known.holder.closed, known.strange) else {
            return;
        };
        // Nor does a writer's checkpoint cover less than the one before.
        let last = known.last.clone();
        let latest = self.known.get(place).and_then(|known| known.last.as_ref());
        if latest.is_some_and(|latest| latest.covers.message >= known.link.message) {
            return;
        }
        let position = Position {
            tip: Tip { sum: known.link.sum, message: known.link.message },
            holder: known.holder.clone(),
            timing: TIMING,
        };
        let wanted = Wanted {
            db: Arc::clone(&self.reader.db),
            sealing: Sealing::Clear,
            tables: tables.clone(),
            last: last.clone(),
        };
        let uploader = Uploader {
            transport: Arc::clone(&self.reader.transport),
            epoch: header.epoch,
            incarnation: header.incarnation,
        };
        let built = upload(&uploader, build(&self.reader.env, wanted)).await;
        let mut checkpoint = Checkpoint {
            root,
            covers: Covers::of(&position),
            seq: tables.seq(),
            next_table: tables.next_table(),
            tables: built.unwrap_or_else(|error| panic!("no checkpoint of sound tables: {error}")),
            past: Vec::new(),
            steps: tables.steps().to_vec(),
            drop: Vec::new(),
        };
        checkpoint.drop = last.map_or_else(Vec::new, |last| superseded(&last, &[], &checkpoint));
        let body = Body::Checkpoint(Box::new(checkpoint.clone()));
        self.add(source, place, Frame { header, body }, |known| known.last = Some(Arc::new(checkpoint)));
    }

    /// The owner deletes what its last checkpoint covers, or is interrupted in it.
    pub(super) async fn trim(&mut self, source: &mut Source<'_>) {
        let Some(checkpoint) = self.chain().into_iter().rev().find(|link| link.kind == Kind::Checkpoint)
        else {
            return;
        };
        let Some(known) = self.known.iter().find(|known| known.link.sum == checkpoint.sum) else { return };
        let dropped = known.last.as_ref().map_or_else(Vec::new, |last| last.drop.clone());
        self.guild.pass(TRIM_AFTER);
        // What it covers is to be final, and so is the checkpoint.
        let interrupted = source.rarely(3);
        self.guild.allow_deletions(if interrupted { source.number() } else { u64::MAX });
        let trimmed = trim_journal(&self.reader, checkpoint.sum, &[]).await;
        self.guild.allow_deletions(u64::MAX);
        // The newest message stays. A request that came so late that it follows what is trimmed looks like a hole then.
        let present = self.present();
        let chain: HashSet<Sum> = self.chain().iter().map(|link| link.sum).collect();
        self.may_fail |= self.known.iter().any(|known| {
            let Known { link, .. } = known;
            present.contains(&link.sum) && !chain.contains(&link.sum) && !present.contains(&link.header.prev)
        });
        if trimmed.is_ok() {
            for location in dropped {
                self.guild.remove(location.channel, location.message);
            }
        }
    }
}
