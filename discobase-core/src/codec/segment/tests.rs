//! Segments through their files and back, and damaged ones, which are refused.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::codec::checkpoint::{Block, Location, Segment};
use crate::codec::segment::writer::Filling as _;
use crate::ids::{ChannelId, Epoch, Incarnation, MessageId, RowId, UserId};
use crate::row::RowWriter;
use crate::transport::{Attachment, Message};
use crate::value::ValueRef;

fn of(part: Part) -> SegmentOf {
    SegmentOf { db: "db".into(), table: TableId::new(1), part, run: (Seq::new(3), Seq::new(9)) }
}

fn place() -> Location {
    Location { channel: ChannelId::new(1), message: MessageId::new(2) }
}

/// A row, or that it was deleted.
type Entry = (u64, u64, Option<Vec<u8>>);

fn row(text: &str) -> Vec<u8> {
    let mut row = RowWriter::new(1);
    row.put(ValueRef::Text(text));
    row.finish().as_bytes().to_vec()
}

fn entries() -> impl Strategy<Value = Vec<Entry>> {
    let text = prop_oneof!["\\PC{0,40}", "[a-z]{100,9000}"].prop_map(|text| row(&text));
    let entry = (any::<u64>(), 1_u64.., any::<u64>(), proptest::option::weighted(0.8, text));
    proptest::collection::vec(entry, 0..60).prop_map(|entries| {
        let mut last = 0_u64;
        let entries = entries.into_iter().map(|(wide, step, version, values)| {
            // Dense ids as a table has them, and now and then a wide gap.
            let step = if wide % 10 == 0 { step >> 8 } else { step % 3 };
            last = last.saturating_add(step.max(1));
            (last, version, values)
        });
        let mut entries: Vec<Entry> = entries.collect();
        entries.dedup_by_key(|entry| entry.0);
        entries
    })
}

fn write_rows(entries: &[Entry]) -> Vec<Built> {
    let mut writer = RowsWriter::new(of(Part::Rows), Sealing::Clear).unwrap();
    for (row, version, values) in entries {
        let values = values.as_deref();
        writer.put(RowEntry { row: RowId::new(*row), version: Seq::new(*version), values }).unwrap();
    }
    writer.finish().unwrap()
}

fn read_back(files: &[(Segment, Vec<u8>)]) -> Result<Vec<Entry>, SegmentError> {
    let mut read = Vec::new();
    for (segment, file) in files {
        read_rows(&of(Part::Rows), &Sealing::Clear, segment, file, |entry| {
            read.push((entry.row.get(), entry.version.get(), entry.values.map(<[u8]>::to_vec)));
        })?;
    }
    Ok(read)
}

fn placed(built: Vec<Built>) -> Vec<(Segment, Vec<u8>)> {
    built.into_iter().map(|built| (built.clone().at(place()), built.file.to_vec())).collect()
}

fn block_of<'a>(files: &'a [(Segment, Vec<u8>)], position: &[u8]) -> Option<(&'a Block, &'a [u8])> {
    let all = files.iter().flat_map(|(segment, file)| {
        segment.blocks.as_slice().iter().map(move |block| (block, &file[block.range()]))
    });
    all.take_while(|(block, _)| *block.from <= *position).last()
}

/// Keys none of which is the front of another, as those of an index are, with their rows.
fn index_entries() -> impl Strategy<Value = BTreeSet<(Vec<u8>, u64)>> {
    let key = prop_oneof!["[ab]{0,3}", "[a-c]{200,300}"].prop_map(|text| [text.as_bytes(), &[0, 0]].concat());
    proptest::collection::btree_set((key, any::<u64>()), 0..500)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn rows_come_back(entries in entries()) {
        let files = placed(write_rows(&entries));
        prop_assert_eq!(&read_back(&files).unwrap(), &entries);
        prop_assert_eq!(&placed(write_rows(&entries)), &files, "the same rows give the same files");
        for (id, version, values) in entries.iter().step_by(7) {
            let (block, bytes) = block_of(&files, &row_position(RowId::new(*id))).unwrap();
            let plain = open_block(&of(Part::Rows), &Sealing::Clear, block, bytes).unwrap();
            let found = RowBlock::new(&plain).unwrap().find(RowId::new(*id)).unwrap().unwrap();
            prop_assert_eq!((found.version.get(), found.values), (*version, values.as_deref()));
        }
    }

    #[test]
    fn index_entries_come_back(entries in index_entries()) {
        let mut writer = IndexWriter::new(of(Part::Index(0)), Sealing::Clear).unwrap();
        entries.iter().for_each(|(key, row)| writer.put(key, RowId::new(*row)).unwrap());
        let files = placed(writer.finish().unwrap());
        let mut read = BTreeSet::new();
        for (segment, file) in &files {
            read_entries(&of(Part::Index(0)), &Sealing::Clear, segment, file, |key, row| {
                read.insert((key.to_vec(), row.get()));
            }).unwrap();
        }
        prop_assert_eq!(&read, &entries);
        for (key, row) in entries.iter().step_by(37) {
            let (block, bytes) = block_of(&files, &index_position(key, RowId::new(*row))).unwrap();
            let plain = open_block(&of(Part::Index(0)), &Sealing::Clear, block, bytes).unwrap();
            let found = IndexBlock::new(&plain).unwrap().find(key).unwrap();
            prop_assert!(found.contains(&RowId::new(*row)));
        }
    }

    #[test]
    fn a_damaged_file_is_refused(entries in entries(), at in any::<prop::sample::Index>(), bit in 0..8, cut: bool) {
        prop_assume!(!entries.is_empty());
        let mut files = placed(write_rows(&entries));
        let (segment, file) = files.last_mut().unwrap();
        let at = at.index(file.len());
        if cut {
            file.truncate(at);
        } else {
            file[at] ^= 1_u8 << bit;
            // A block that is read alone is verified as well.
            if let Some(block) = segment.blocks.as_slice().iter().find(|block| block.range().contains(&at)) {
                let opened = open_block(&of(Part::Rows), &Sealing::Clear, block, &file[block.range()]);
                prop_assert_eq!(opened, Err(SegmentError::Hash));
            }
        }
        prop_assert!(read_back(&files).is_err());
    }

    #[test]
    fn a_block_has_one_encoding(entries in entries(), at in any::<prop::sample::Index>(), bit in 0..8, cut: bool) {
        prop_assume!(!entries.is_empty());
        let mut plain = plain_rows(&entries);
        let at = at.index(plain.len());
        if cut { plain.truncate(at) } else { plain[at] ^= 1_u8 << bit }
        let read: Result<Vec<_>, _> = RowBlock::new(&plain).and_then(Iterator::collect);
        if let Ok(read) = read {
            let again: Vec<Entry> = read
                .iter()
                .map(|entry| (entry.row.get(), entry.version.get(), entry.values.map(<[u8]>::to_vec)))
                .collect();
            prop_assert_eq!(plain_rows(&again), plain);
        }
    }

    #[test]
    fn an_index_block_has_one_encoding(entries in index_entries(), at in any::<prop::sample::Index>(), bit in 0..8) {
        prop_assume!(!entries.is_empty());
        let mut plain = plain_index(&entries.into_iter().collect::<Vec<_>>());
        let at = at.index(plain.len());
        plain[at] ^= 1_u8 << bit;
        if let Ok(again) = all_entries(&plain) {
            prop_assert_eq!(plain_index(&again), plain);
        }
    }

    #[test]
    fn arbitrary_blocks_never_panic(plain in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _refused: Result<Vec<_>, _> = RowBlock::new(&plain).and_then(Iterator::collect);
        let _refused = all_entries(&plain);
    }
}

fn plain_rows(entries: &[Entry]) -> Vec<u8> {
    let mut block = rows::RowBlockBuilder::default();
    for (row, version, values) in entries {
        let values = values.as_deref();
        block.put(RowEntry { row: RowId::new(*row), version: Seq::new(*version), values });
    }
    block.take()
}

fn plain_index(entries: &[(Vec<u8>, u64)]) -> Vec<u8> {
    let mut block = index::IndexBlockBuilder::default();
    entries.iter().for_each(|(key, row)| block.put(key, RowId::new(*row)));
    block.take()
}

fn all_entries(plain: &[u8]) -> Result<Vec<(Vec<u8>, u64)>, SegmentError> {
    let mut block = IndexBlock::new(plain)?;
    let mut all = Vec::new();
    while let Some((key, row)) = block.next()? {
        all.push((key.to_vec(), row.get()));
    }
    Ok(all)
}

/// Text that does not compress.
fn noise(length: usize, seed: u64) -> String {
    let mut state = seed;
    let next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        char::from(b' ' + (state >> 57) as u8 % 95)
    };
    std::iter::repeat_with(next).take(length).collect()
}

#[test]
fn rows_are_cut_into_blocks_and_files() {
    let small: Vec<Entry> = (1..=20_000).map(|id| (id, 3, Some(row(&noise(900, id))))).collect();
    let files = placed(write_rows(&small));
    assert!(files.len() > 1);
    for (segment, file) in &files {
        assert!(file.len() <= FILE_TARGET);
        assert_eq!(segment.bytes(), file.len() as u64);
        for block in segment.blocks.as_slice() {
            assert!((block.unpacked as usize) < BLOCK_TARGET + 2_000, "{block:?}");
            assert!(block.from.len() <= 8);
        }
    }
    let total: u64 = files.iter().map(|(segment, _)| segment.rows).sum();
    assert_eq!(total, 20_000);
    assert_eq!(read_back(&files).unwrap(), small);
}

#[test]
fn files_that_are_full_can_be_taken_early() {
    let mut writer = RowsWriter::new(of(Part::Rows), Sealing::Clear).unwrap();
    let mut taken = Vec::new();
    for id in 1..=30 {
        let values = row(&noise(1 << 20, id));
        writer.put(RowEntry { row: RowId::new(id), version: Seq::new(1), values: Some(&values) }).unwrap();
        taken.extend(writer.full());
    }
    assert!(!taken.is_empty());
    taken.extend(writer.finish().unwrap());
    assert_eq!(read_back(&placed(taken)).unwrap().len(), 30);
}

#[test]
fn a_row_that_fills_a_frame_fits_a_file() {
    // As much as a frame takes, behind rows that alone would not fill a block.
    let large = row(&noise(9 << 20, 1));
    let entries: Vec<Entry> = vec![(1, 1, Some(row(&noise(60_000, 2)))), (2, 1, Some(large)), (3, 1, None)];
    let files = placed(write_rows(&entries));
    let large = files.iter().max_by_key(|(_, file)| file.len()).unwrap();
    assert!(large.1.len() > 7 << 20 && large.1.len() <= MAX_FILE, "{}", large.1.len());
    assert_eq!(read_back(&files).unwrap(), entries);
    let too_large = row(&noise(12 << 20, 1));
    let mut writer = RowsWriter::new(of(Part::Rows), Sealing::Clear).unwrap();
    let entry = RowEntry { row: RowId::new(1), version: Seq::new(1), values: Some(&too_large) };
    assert!(matches!(writer.put(entry), Err(SegmentError::Oversize(_))));
}

#[test]
fn what_is_not_sorted_is_refused() {
    let mut writer = RowsWriter::new(of(Part::Rows), Sealing::Clear).unwrap();
    let entry = |row| RowEntry { row: RowId::new(row), version: Seq::new(1), values: None };
    writer.put(entry(2)).unwrap();
    assert_eq!(writer.put(entry(2)), Err(SegmentError::Order));
    let mut writer = IndexWriter::new(of(Part::Index(0)), Sealing::Clear).unwrap();
    writer.put(b"b\0\0", RowId::new(2)).unwrap();
    assert_eq!(writer.put(b"b\0\0", RowId::new(2)), Err(SegmentError::Order));
    assert_eq!(writer.put(b"a\0\0", RowId::new(3)), Err(SegmentError::Order));
}

#[test]
fn what_the_checkpoint_says_is_checked() {
    let files = placed(write_rows(&[(1, 1, Some(row("a"))), (5, 2, None)]));
    let (segment, file) = files.first().unwrap();
    let read = |change: &dyn Fn(&mut Segment)| {
        let mut segment = segment.clone();
        change(&mut segment);
        read_back(&[(segment, file.clone())])
    };
    assert!(read(&|_| {}).is_ok());
    assert_eq!(read(&|it| it.rows = 2), Err(SegmentError::Count { expected: 3, found: 2 }));
    assert_eq!(read(&|it| it.hash = [0; 32]), Err(SegmentError::Hash));
    let directory = |from: &[u8], length: u32, unpacked: u32, check: [u8; 8]| {
        let mut blocks = crate::codec::checkpoint::Directory::default();
        assert!(blocks.push(from.into(), length, unpacked, check));
        blocks
    };
    let Block { from, length, unpacked, check, .. } = segment.blocks.as_slice()[0].clone();
    let later = row_position(RowId::new(2));
    assert_eq!(read(&|it| it.blocks = directory(&later, length, unpacked, check)), Err(SegmentError::Order));
    assert_eq!(read(&|it| it.blocks = directory(&from, length, unpacked, [0; 8])), Err(SegmentError::Hash));
    let huge = read(&|it| it.blocks = directory(&from, length, u32::MAX, check));
    assert_eq!(huge, Err(SegmentError::Oversize(u32::MAX as usize)), "nothing is allocated for it");
    assert_eq!(
        read(&|it| it.blocks = directory(&from, length, unpacked + 1, check)),
        Err(SegmentError::Packing)
    );
    assert!(matches!(
        read(&|it| it.blocks = directory(&from, length + 1, unpacked, check)),
        Err(SegmentError::Length { .. })
    ));
}

#[test]
fn the_message_says_what_the_file_is() {
    for part in [Part::Rows, Part::Index(3)] {
        let mut of = of(part);
        of.db = "d`b \"ö\"".into();
        let built = write_rows(&[(1, 1, Some(row("a")))]).remove(0);
        let posted = segment_message(&of, Epoch::new(7), Incarnation([3; 8]), &built, "n".to_owned());
        assert!(posted.content.bytes().all(|byte| byte == b'\n' || (b' '..=b'~').contains(&byte)));
        let file = posted.attachments.first().unwrap();
        let message = Message {
            id: MessageId::new(1),
            channel: ChannelId::new(1),
            author: UserId::new(1),
            content: posted.content.clone(),
            attachments: vec![Attachment {
                id: 1,
                filename: file.filename.clone(),
                size: file.bytes.len() as u64,
                url: String::new(),
            }],
            edited: false,
            ordinary: true,
        };
        let header = SegmentHeader::read(&message).unwrap();
        assert_eq!(header.of, of);
        assert_eq!((header.epoch, header.incarnation), (Epoch::new(7), Incarnation([3; 8])));
        assert_eq!((header.hash, header.bytes, header.rows), (built.hash, built.file.len() as u64, 1));
        assert!(crate::codec::message::read(&message).is_none(), "it is no frame");
    }
}

#[test]
fn a_filter_lets_what_the_file_has_pass_and_little_else() {
    let entries: Vec<Entry> =
        (1..3_000).map(|id| (id * 3, id, (id % 5 > 0).then(|| row(&id.to_string())))).collect();
    let built = write_rows(&entries).remove(0);
    let segment = built.clone().at(place());
    let bytes = &built.file[segment.blocks.end() as usize..];
    let of = of(Part::Rows);
    let filter = Filter::open(&of, &Sealing::Clear, &segment, bytes).unwrap();
    let passes = |id: u64| filter.may_have(Mark::of(&row_position(RowId::new(id))));
    assert!(entries.iter().all(|(id, ..)| passes(*id)), "tombstones, too");
    let wrong = (1..9_000).filter(|id| id % 3 != 0 && passes(*id)).count();
    assert!(wrong < 150, "{wrong} of 6,000 pass");
    for at in [0, bytes.len() - 1] {
        let mut other = bytes.to_vec();
        other[at] ^= 1;
        let opened = Filter::open(&of, &Sealing::Clear, &segment, &other);
        assert_eq!(opened, Err(SegmentError::Hash));
    }
    let short = Filter::open(&of, &Sealing::Clear, &segment, &bytes[1..]);
    assert!(matches!(short, Err(SegmentError::Length { .. })), "{short:?}");
    // What the first run does not have is nowhere.
    let first = SegmentOf { run: (Seq::new(0), Seq::new(9)), ..of };
    let mut writer = RowsWriter::new(first, Sealing::Clear).unwrap();
    writer.put(RowEntry { row: RowId::new(1), version: Seq::new(1), values: None }).unwrap();
    assert_eq!(writer.finish().unwrap().remove(0).filter, None);
}
