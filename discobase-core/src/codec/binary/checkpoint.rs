//! Checkpoints: what their frames hold.

use crate::codec::binary::definition::{put_step, put_table, step, table};
use crate::codec::binary::{DecodeError, Input, genesis, put_genesis};
use crate::codec::checkpoint::{
    Block, Checkpoint, Covers, Directory, FilterPart, Location, MAX_PAST, Root, Run, Segment, Summary,
    TableCheckpoint, Wrote,
};
use crate::codec::frame::Sum;
use crate::ids::{ChannelId, Epoch, Incarnation, MessageId, RowId, Seq, TableId};
use crate::wire::{put_bytes, put_varint};

/// What finding and walking the chain takes: it is never sealed.
pub(super) fn put_summary(out: &mut Vec<u8>, summary: &Summary) {
    let Summary { root, covers, seq } = summary;
    put_genesis(out, &root.genesis);
    out.extend_from_slice(&root.sum.0);
    put_varint(out, root.message.get());
    put_covers(out, covers);
    put_varint(out, seq.get());
}

/// All the rest.
pub(super) fn put_contents(out: &mut Vec<u8>, checkpoint: &Checkpoint) {
    let Checkpoint { root: _, covers: _, seq: _, next_table, tables, past, steps, drop } = checkpoint;
    put_varint(out, next_table.get());
    put_list(out, tables, put_table_checkpoint);
    put_list(out, past, |out, wrote| {
        out.extend_from_slice(&wrote.incarnation.0);
        put_varint(out, wrote.first.get());
        put_varint(out, wrote.last.get());
    });
    put_list(out, steps, put_step);
    put_list(out, drop, |out, location| put_location(out, *location));
}

fn put_list<T>(out: &mut Vec<u8>, items: &[T], mut put: impl FnMut(&mut Vec<u8>, &T)) {
    put_varint(out, items.len() as u64);
    items.iter().for_each(|item| put(out, item));
}

fn put_covers(out: &mut Vec<u8>, covers: &Covers) {
    out.extend_from_slice(&covers.sum.0);
    put_varint(out, covers.message.get());
    put_varint(out, covers.epoch.get());
    out.extend_from_slice(&covers.incarnation.0);
    put_bytes(out, covers.owner.as_bytes());
}

fn put_location(out: &mut Vec<u8>, location: Location) {
    put_varint(out, location.channel.get());
    put_varint(out, location.message.get());
}

fn put_table_checkpoint(out: &mut Vec<u8>, table: &TableCheckpoint) {
    put_table(out, &table.def);
    put_varint(out, table.next_row.get());
    put_varint(out, table.rows);
    put_list(out, &table.runs, put_run);
    put_list(out, &table.indexes, |out, runs| put_list(out, runs, put_run));
}

fn put_run(out: &mut Vec<u8>, run: &Run) {
    put_varint(out, run.from.get());
    put_varint(out, run.to.get());
    put_list(out, &run.segments, |out, segment| {
        put_location(out, segment.location);
        out.extend_from_slice(&segment.hash);
        put_varint(out, segment.rows);
        put_varint(out, segment.tombstones);
        put_list(out, segment.blocks.as_slice(), put_block);
        put_filter(out, segment.filter.as_ref());
    });
}

fn put_filter(out: &mut Vec<u8>, filter: Option<&FilterPart>) {
    put_varint(out, filter.map_or(0, |filter| filter.length.into()));
    filter.into_iter().for_each(|filter| out.extend_from_slice(&filter.check));
}

fn put_block(out: &mut Vec<u8>, block: &Block) {
    // Where it begins follows from the lengths before it.
    put_bytes(out, &block.from);
    put_varint(out, u64::from(block.length));
    put_varint(out, u64::from(block.unpacked));
    out.extend_from_slice(&block.check);
}

pub(super) fn summary(input: &mut Input<'_>, encrypted: bool) -> Result<Summary, DecodeError> {
    Ok(Summary {
        root: Root {
            genesis: genesis(input, encrypted)?,
            sum: Sum(input.array()?),
            message: MessageId::new(input.varint()?),
        },
        covers: covers(input)?,
        seq: Seq::new(input.varint()?),
    })
}

pub(super) fn contents(summary: Summary, input: &mut Input<'_>) -> Result<Checkpoint, DecodeError> {
    let Summary { root, covers, seq } = summary;
    let checkpoint = Checkpoint {
        root,
        covers,
        seq,
        next_table: TableId::new(input.varint()?),
        tables: input.list(table_checkpoint)?,
        past: input.list(wrote)?,
        steps: input.list(step)?,
        drop: input.list(location)?,
    };
    if checkpoint.is_in_order() { Ok(checkpoint) } else { Err(DecodeError::Order) }
}

fn covers(input: &mut Input<'_>) -> Result<Covers, DecodeError> {
    Ok(Covers {
        sum: Sum(input.array()?),
        message: MessageId::new(input.varint()?),
        epoch: Epoch::new(input.varint()?),
        incarnation: Incarnation(input.array()?),
        owner: input.owned_text()?,
    })
}

fn wrote(input: &mut Input<'_>) -> Result<Wrote, DecodeError> {
    Ok(Wrote {
        incarnation: Incarnation(input.array()?),
        first: Seq::new(input.varint()?),
        last: Seq::new(input.varint()?),
    })
}

fn location(input: &mut Input<'_>) -> Result<Location, DecodeError> {
    Ok(Location { channel: ChannelId::new(input.varint()?), message: MessageId::new(input.varint()?) })
}

fn table_checkpoint(input: &mut Input<'_>) -> Result<TableCheckpoint, DecodeError> {
    Ok(TableCheckpoint {
        def: table(input)?,
        next_row: RowId::new(input.varint()?),
        rows: input.varint()?,
        runs: input.list(run)?,
        indexes: input.list(|input| input.list(run))?,
    })
}

fn run(input: &mut Input<'_>) -> Result<Run, DecodeError> {
    Ok(Run { from: Seq::new(input.varint()?), to: Seq::new(input.varint()?), segments: input.list(segment)? })
}

fn segment(input: &mut Input<'_>) -> Result<Segment, DecodeError> {
    let location = location(input)?;
    let hash = input.array()?;
    let (rows, tombstones) = (input.varint()?, input.varint()?);
    let mut blocks = Directory::default();
    for _ in 0..input.count()? {
        let from = input.bytes()?.into();
        let (length, unpacked) = (size(input)?, size(input)?);
        if !blocks.push(from, length, unpacked, input.array()?) {
            return Err(DecodeError::Range);
        }
    }
    let filter = match size(input)? {
        0 => None,
        length => Some(FilterPart { length, check: input.array()? }),
    };
    let end = blocks.end().checked_add(filter.as_ref().map_or(0, |filter| filter.length));
    end.ok_or(DecodeError::Range)?;
    Ok(Segment { location, hash, rows, tombstones, blocks, filter })
}

fn size(input: &mut Input<'_>) -> Result<u32, DecodeError> {
    u32::try_from(input.varint()?).map_err(|_| DecodeError::Range)
}

impl Checkpoint {
    /// Whether what it lists is in the order that the format asks for, and fits together.
    fn is_in_order(&self) -> bool {
        let tables = self.tables.is_sorted_by(|a, b| a.def.id < b.def.id)
            && self.tables.last().is_none_or(|last| last.def.id < self.next_table)
            && self.tables.iter().all(|table| table.is_in_order(self.seq));
        let past = self.past.len() <= MAX_PAST
            && self.past.is_sorted_by(|a, b| a.last < b.first)
            && self.past.iter().all(|wrote| wrote.first <= wrote.last && wrote.last <= self.seq);
        tables && past
    }
}

impl TableCheckpoint {
    fn is_in_order(&self, seq: Seq) -> bool {
        let in_order = |runs: &[Run]| {
            runs.is_sorted_by(|a, b| a.to <= b.from) && runs.iter().all(|run| run.is_in_order(seq))
        };
        self.indexes.len() == self.def.indexes.len()
            && in_order(&self.runs)
            && self.indexes.iter().all(|runs| in_order(runs))
    }
}

impl Run {
    fn is_in_order(&self, seq: Seq) -> bool {
        let blocks = || self.segments.iter().flat_map(|segment| segment.blocks.as_slice());
        self.from < self.to
            && self.to <= seq
            && self.segments.iter().all(|segment| !segment.blocks.as_slice().is_empty())
            && blocks().is_sorted_by(|a, b| a.from < b.from)
    }
}
