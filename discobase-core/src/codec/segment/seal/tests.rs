//! Sealed segments: they come back with the key, show nothing without it, and their blocks open in their place only.

use std::sync::Arc;

use super::*;
use crate::codec::checkpoint::{Location, Segment};
use crate::codec::segment::{Built, Filter, RowEntry, RowsWriter, open_block, read_rows};
use crate::ids::{ChannelId, MessageId, RowId, Seq, TableId};
use crate::row::RowWriter;
use crate::seal::{EncryptionKey, tests::sealing};
use crate::value::ValueRef;

fn of(run: (u64, u64)) -> SegmentOf {
    let run = (Seq::new(run.0), Seq::new(run.1));
    SegmentOf { db: "shop".into(), table: TableId::new(1), part: Part::Rows, run }
}

fn key(byte: u8) -> Sealing {
    Sealing::Sealed(Arc::new(sealing(&EncryptionKey::from_bytes([byte; 32]), "shop", 1)))
}

/// A run of several blocks, all rows of which say `word`.
fn write(of: &SegmentOf, sealing: &Sealing, word: &str) -> Built {
    let mut writer = RowsWriter::new(of.clone(), sealing.clone()).unwrap();
    for row in 1..2_000 {
        let mut values = RowWriter::new(1);
        values.put(ValueRef::Text(&format!("{row:>4}{}", word.repeat(16))));
        let values = values.finish();
        let values = Some(values.as_bytes());
        let entry = RowEntry { row: RowId::new(row), version: Seq::new(row), values };
        writer.put(entry).unwrap();
    }
    let [built] = <[Built; 1]>::try_from(writer.finish().unwrap()).unwrap();
    built
}

fn at(built: &Built) -> Segment {
    built.clone().at(Location { channel: ChannelId::new(1), message: MessageId::new(2) })
}

fn rows(of: &SegmentOf, sealing: &Sealing, built: &Built) -> Result<usize, SegmentError> {
    let mut rows = 0;
    read_rows(of, sealing, &at(built), &built.file, |_| rows += 1).map(|()| rows)
}

#[test]
fn a_sealed_segment_opens_with_its_key_in_its_place() {
    let built = write(&of((0, 9)), &key(1), "secret");
    assert!(built.blocks.as_slice().len() > 2, "{} blocks", built.blocks.as_slice().len());
    assert_eq!(rows(&of((0, 9)), &key(1), &built), Ok(1_999));
    assert_eq!(rows(&of((0, 9)), &key(2), &built), Err(SegmentError::Sealed));
    assert!(rows(&of((0, 9)), &Sealing::Clear, &built).is_err());
    let clear = write(&of((0, 9)), &Sealing::Clear, "secret");
    assert_eq!(rows(&of((0, 9)), &key(1), &clear), Err(SegmentError::Sealed));
    let elsewhere = [
        of((1, 9)),
        of((0, 8)),
        SegmentOf { db: "shops".into(), ..of((0, 9)) },
        SegmentOf { table: TableId::new(2), ..of((0, 9)) },
        SegmentOf { part: Part::Index(0), ..of((0, 9)) },
    ];
    for other in elsewhere {
        assert_eq!(rows(&other, &key(1), &built), Err(SegmentError::Sealed), "{other:?}");
    }
}

#[test]
fn a_block_in_anothers_place_does_not_open() {
    let of = of((0, 9));
    let built = write(&of, &key(1), "secret");
    let blocks = built.blocks.as_slice();
    let file = |block: &crate::codec::checkpoint::Block| &built.file[block.range()];
    // Whoever could change the directory as well would get no further.
    let (first, second) = (&blocks[0], &blocks[1]);
    assert!(open_block(&of, &key(1), first, file(first)).is_ok());
    let moved = crate::codec::checkpoint::Block { from: first.from.clone(), ..second.clone() };
    assert_eq!(open_block(&of, &key(1), &moved, file(second)), Err(SegmentError::Sealed));
    assert!(open_block(&of, &key(1), second, file(first)).is_err());
}

#[test]
fn a_sealed_file_shows_none_of_its_rows() {
    let built = write(&of((0, 9)), &key(1), "secret");
    let unpacked = zstd::stream::decode_all(&built.file[10..]).unwrap_or_default();
    for bytes in [&built.file[..], &unpacked] {
        assert!(!bytes.windows(6).any(|window| window == b"secret"));
    }
    let again = write(&of((0, 9)), &key(1), "secret");
    assert_ne!(built.hash, again.hash, "each time other nonces");
    let sizes = |built: &Built| built.file.len();
    let clear = write(&of((0, 9)), &Sealing::Clear, "secret");
    assert_eq!(sizes(&built), sizes(&clear) + 40 * built.blocks.as_slice().len());
}

#[test]
fn a_sealed_filter_opens_with_its_key_in_its_place() {
    let built = write(&of((3, 9)), &key(1), "secret");
    let segment = at(&built);
    let bytes = &built.file[segment.blocks.end() as usize..];
    let open = |of: &SegmentOf, sealing: &Sealing, segment: &Segment| {
        Filter::open(of, sealing, segment, bytes).map(drop)
    };
    assert_eq!(open(&of((3, 9)), &key(1), &segment), Ok(()));
    assert_eq!(open(&of((3, 9)), &key(2), &segment), Err(SegmentError::Sealed));
    assert_eq!(open(&of((4, 9)), &key(1), &segment), Err(SegmentError::Sealed));
    // A file that begins elsewhere, or no filter at all but a block in its place.
    let mut other = segment.clone();
    other.blocks = Default::default();
    assert_eq!(open(&of((3, 9)), &key(1), &other), Err(SegmentError::Sealed));
    let block = &segment.blocks.as_slice()[0];
    let part = crate::codec::checkpoint::FilterPart { length: block.length, check: block.check };
    let taken = Segment { filter: Some(part), ..segment.clone() };
    let opened = Filter::open(&of((3, 9)), &key(1), &taken, &built.file[block.range()]);
    assert_eq!(opened, Err(SegmentError::Sealed));
}
