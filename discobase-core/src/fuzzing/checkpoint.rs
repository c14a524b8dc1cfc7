//! Checkpoints: what their frames say, and what they say of blocks.

use crate::codec::binary;
use crate::codec::checkpoint::{Checkpoint, MAX_PAST, Run};
use crate::codec::frame::{Body, Frame};
use crate::codec::message::{Posted, encode, open_attachment, read};
use crate::fuzzing::arbitrary;
use crate::fuzzing::codec::as_posted;
use crate::fuzzing::source::Source;
use crate::ids::Seq;

/// A checkpoint that is in order travels and comes back, whole and in its two parts; one that is not is refused. Its
/// directories name the blocks in which a position can be.
pub fn checkpoint(bytes: &[u8]) {
    let mut source = Source::new(bytes);
    let checkpoint = arbitrary::checkpoint(&mut source);
    runs(&checkpoint).for_each(|run| directory(run, &mut source.clone()));
    let (header, summary) = (arbitrary::header(&mut source, "shop"), checkpoint.summary());
    let body = Body::Checkpoint(Box::new(checkpoint.clone()));
    let frame = Frame { header, body };
    let canonical = binary::encode(&frame);
    let decoded = binary::decode(&canonical);
    let parts = binary::decode_body(Some(&summary), &binary::encode_body(&frame.body));
    assert_eq!(decoded.clone().map(|frame| frame.body), parts, "the parts say something else than the whole");
    match decoded {
        Ok(decoded) => {
            assert!(in_order(&checkpoint), "a checkpoint out of order is read");
            assert_eq!(decoded, frame, "a checkpoint does not come back");
            travels(&frame);
        }
        Err(error) => assert!(!in_order(&checkpoint), "a checkpoint that is in order is refused: {error}"),
    }
}

/// A checkpoint is a message with a file, and what its reader makes of the two is the checkpoint again.
fn travels(frame: &Frame) {
    // Too long a name or owner has no message.
    let Ok(encoded) = encode(frame) else { return };
    let message = as_posted(&encoded);
    assert!(encoded.echoed_by(&message), "a checkpoint does not know its own echo");
    let Some(Posted::Attached(attached)) = read(&message) else { panic!("a checkpoint is no frame") };
    let file = encoded.attachments.first().expect("a checkpoint has a file");
    assert_eq!(open_attachment(&attached, &file.bytes), Ok(frame.clone()));
}

fn runs(checkpoint: &Checkpoint) -> impl Iterator<Item = &Run> {
    checkpoint.tables.iter().flat_map(|table| table.runs.iter().chain(table.indexes.iter().flatten()))
}

/// What the format asks for, once more.
fn in_order(checkpoint: &Checkpoint) -> bool {
    let Checkpoint { tables, past, seq, next_table, .. } = checkpoint;
    let ids: Vec<_> = tables.iter().map(|table| table.def.id).chain([*next_table]).collect();
    let lists = tables.iter().all(|table| {
        table.indexes.len() == table.def.indexes.len()
            && intervals(&table.runs, *seq)
            && table.indexes.iter().all(|runs| intervals(runs, *seq))
    });
    let mut end = None;
    let wrote = past.iter().all(|wrote| {
        let after = end.is_none_or(|end| end < wrote.first);
        end = Some(wrote.last);
        after && wrote.first <= wrote.last && wrote.last <= *seq
    });
    rises(&ids) && lists && wrote && past.len() <= MAX_PAST
}

fn intervals(runs: &[Run], seq: Seq) -> bool {
    let mut end = Seq::default();
    runs.iter().enumerate().all(|(place, run)| {
        let blocks: Vec<_> =
            run.segments.iter().flat_map(|one| one.blocks.as_slice()).map(|block| &block.from).collect();
        let after = place == 0 || end <= run.from;
        end = run.to;
        after
            && run.from < run.to
            && run.to <= seq
            && rises(&blocks)
            && run.segments.iter().all(|segment| !segment.blocks.as_slice().is_empty())
    })
}

fn rises<T: Ord>(items: &[T]) -> bool {
    items.windows(2).all(|pair| match pair {
        [one, next] => one < next,
        _ => false,
    })
}

/// The blocks between two positions are those, and no others, that begin at or before the second, and of which the next
/// one does not begin at or before the first.
fn directory(run: &Run, source: &mut Source<'_>) {
    let blocks: Vec<_> = run
        .segments
        .iter()
        .flat_map(|segment| segment.blocks.as_slice().iter().map(move |block| (segment, block)))
        .collect();
    let begins: Vec<_> = blocks.iter().map(|(_, block)| &block.from).collect();
    if !rises(&begins) || run.segments.iter().any(|segment| segment.blocks.as_slice().is_empty()) {
        return;
    }
    let (low, high) = (source.bytes(), source.bytes());
    let (low, high) = (low.min(high), low.max(high));
    let next = begins.iter().skip(1).map(|from| Some(&***from)).chain([None]);
    let wanted = blocks
        .iter()
        .zip(next)
        .filter(|((_, block), next)| *block.from <= *high && next.is_none_or(|next| next > low));
    let wanted: Vec<_> = wanted.map(|(both, _)| *both).collect();
    let found: Vec<_> = run.between(low, high).collect();
    assert_eq!(found, wanted, "from {low:?} to {high:?}");
    for pair in run.segments.iter().flat_map(|segment| segment.blocks.as_slice().windows(2)) {
        let [one, next] = pair else { continue };
        assert_eq!(one.range().end, next.range().start, "blocks do not lie one behind the other");
    }
}
