//! The worked example of `docs/format.md`, "Encryption": what the page shows is what the code makes.

use std::sync::Arc;
use std::time::Duration;

use crate::batch::{Commit, Op};
use crate::codec::binary;
use crate::codec::frame::{Body, Frame, Genesis, Header, Sum, Timing};
use crate::codec::message;
use crate::codec::sealed::{open, seal};
use crate::codec::segment::{Part, Place, Sealing as Blocks, SegmentOf};
use crate::env::Env;
use crate::ids::{ChannelId, Epoch, Incarnation, RowId, Seq, TableId};
use crate::row::RowWriter;
use crate::seal::tests::keyed;
use crate::seal::{EncryptionKey, Sealing};
use crate::value::ValueRef;

const PAGE: &str = include_str!("../../../../docs/format.md");

/// Random bytes for an example: 40, 41, 42 and so on.
struct Counting;

impl Env for Counting {
    fn monotonic(&self) -> Duration {
        Duration::ZERO
    }

    fn random(&self, bytes: &mut [u8]) {
        bytes.iter_mut().zip(0x40..).for_each(|(byte, next)| *byte = next);
    }
}

fn sealing(key: &EncryptionKey) -> Sealing {
    keyed(key, "quickstart", counted(0xa0), Arc::new(Counting))
}

fn counted<const N: usize>(first: u8) -> [u8; N] {
    let mut bytes = [0; N];
    bytes.iter_mut().zip(first..).for_each(|(byte, next)| *byte = next);
    bytes
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Fails unless the page has the text, whatever its line breaks.
fn shown(what: &str, text: &str) {
    let joined: String = PAGE.lines().collect();
    assert!(joined.contains(text), "docs/format.md lacks {what}: {text}");
}

fn header(incarnation: [u8; 8], prev: &str) -> Header {
    Header {
        db: "quickstart".to_owned(),
        epoch: Epoch::new(1),
        incarnation: Incarnation(incarnation),
        owner: "2ed99fd6c2a41822".to_owned(),
        prev: Sum::from_hex(prev).unwrap(),
    }
}

const JOURNAL: ChannelId = ChannelId::new(1_573_922_733_635_538_944);

#[test]
fn the_keys_are_those_of_the_page() {
    let raw = sealing(&EncryptionKey::from_bytes(counted(0)));
    shown("the check of the raw key", &hex(&raw.keying().check));
    let passphrase = EncryptionKey::passphrase_with("correct horse battery staple", 1024, 2);
    shown("the check of the passphrase", &hex(&sealing(&passphrase).keying().check));

    let genesis = Genesis {
        timing: Timing::DISCORD,
        category: ChannelId::new(1_573_922_733_627_150_336),
        catalog: ChannelId::new(1_573_922_733_631_344_640),
        journal: JOURNAL,
        keying: Some(raw.keying()),
    };
    let mut header = header([0x75, 0x59, 0x6a, 0x13, 0xa0, 0x48, 0xf6, 0x2e], &"0".repeat(64));
    header.epoch = Epoch::new(0);
    let frame = Frame { header, body: Body::Genesis(genesis) };
    shown("the genesis", &hex(&binary::encode(&frame)));
    shown("its text", message::encode(&frame).unwrap().content.lines().nth(1).unwrap());
}

#[test]
fn the_sealed_frame_is_that_of_the_page() {
    let sealing = sealing(&EncryptionKey::from_bytes(counted(0)));
    let mut values = RowWriter::new(3);
    [ValueRef::Int(1), ValueRef::Text("Peter"), ValueRef::Int(0)].into_iter().for_each(|it| values.put(it));
    let insert = Op::Insert { table: TableId::new(1), row: RowId::new(1), values: values.finish() };
    let frame = Frame {
        header: header(
            [0xbe, 0x61, 0x31, 0xf1, 0x89, 0x44, 0x42, 0x8c],
            "7c9a437ba06d7addc995bd15ec87867d288676b05c2026cdecbbe9db358d025a",
        ),
        body: Body::Data(vec![Commit { seq: Seq::new(2), ops: vec![insert] }]),
    };
    shown("the body", &hex(&binary::encode_body(&frame.body)));
    let sealed = seal(frame.clone(), &sealing, JOURNAL).unwrap();
    let Body::Sealed(inner) = &sealed.body else { panic!("it is sealed") };
    shown("what is sealed", &hex(&inner.bytes));
    shown("the encoding", &hex(&binary::encode(&sealed)));
    shown("its text", message::encode(&sealed).unwrap().content.lines().nth(1).unwrap());
    assert_eq!(*open(&sealed, Some(&sealing), JOURNAL).unwrap(), frame.body);
}

#[test]
fn the_sealed_block_is_that_of_the_page() {
    let blocks = Blocks::Sealed(Arc::new(sealing(&EncryptionKey::from_bytes(counted(0)))));
    let run = (Seq::new(0), Seq::new(4));
    let of = SegmentOf { db: "quickstart".into(), table: TableId::new(1), part: Part::Rows, run };
    let place = Place::of_block(&of, &[0, 0, 0, 0, 0, 0, 0, 1]);
    shown("the place", &hex(&place.associated_data()));
    shown("the block", &hex(&blocks.seal(place, b"an example".to_vec())));
}
