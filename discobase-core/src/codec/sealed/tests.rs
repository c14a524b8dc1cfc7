//! Sealed frames: through every form and back, in their place only, and never beside clear ones.

use proptest::prelude::*;

use crate::batch::{Commit, Op};
use crate::codec::binary;
use crate::codec::frame::{Body, Frame, Header, Sum};
use crate::codec::message;
use crate::codec::sealed::{OpenError, open, seal};
use crate::ids::{ChannelId, Epoch, Incarnation, RowId, Seq, TableId};
use crate::row::RowWriter;
use crate::seal::tests::sealing;
use crate::seal::{EncryptionKey, Sealing};
use crate::value::ValueRef;

const JOURNAL: ChannelId = ChannelId::new(7);

fn sealing_now(key: u8) -> Sealing {
    sealing(&EncryptionKey::from_bytes([key; 32]), "shop", 1)
}

/// A data frame with one commit that inserts these texts.
fn frame(texts: &[String]) -> Frame {
    let insert = |(text, row): (&String, u64)| {
        let mut values = RowWriter::new(1);
        values.put(ValueRef::Text(text));
        Op::Insert { table: TableId::new(1), row: RowId::new(row), values: values.finish() }
    };
    let ops = texts.iter().zip(1..).map(insert).collect();
    let header = Header {
        db: "shop".to_owned(),
        epoch: Epoch::new(3),
        incarnation: Incarnation([1; 8]),
        owner: "me".to_owned(),
        prev: Sum([2; 32]),
    };
    Frame { header, body: Body::Data(vec![Commit { seq: Seq::new(5), ops }]) }
}

fn body(frame: &Frame, sealing: &Sealing) -> Body {
    open(frame, Some(sealing), JOURNAL).unwrap().into_owned()
}

proptest! {
    #[test]
    fn what_was_sealed_opens_from_text_and_from_a_file(texts in proptest::collection::vec("\\PC{0,300}", 0..12)) {
        let sealing = sealing_now(1);
        let frame = frame(&texts);
        let sealed = seal(frame.clone(), &sealing, JOURNAL).unwrap();
        prop_assert_eq!(&binary::decode(&binary::encode(&sealed)).unwrap(), &sealed);
        prop_assert_eq!(body(&sealed, &sealing), frame.body);
        prop_assert_eq!(&seal(sealed.clone(), &sealing, JOURNAL).unwrap(), &sealed, "sealed once");

        let (either, file) = (message::encode(&sealed).unwrap(), message::encode_attached(&sealed).unwrap());
        prop_assert_eq!(either.sum, file.sum, "one frame, whatever its form");
        prop_assert_eq!(file.attachments.len(), 1);
        for text in texts.iter().filter(|text| text.len() > 3) {
            prop_assert!(!either.content.contains(text.as_str()));
        }
    }

    #[test]
    fn a_sealed_body_opens_in_no_other_frame(bit in any::<prop::sample::Index>()) {
        let sealing = sealing_now(1);
        let ours = seal(frame(&["secret".to_owned()]), &sealing, JOURNAL).unwrap();
        let refused = |frame: &Frame, why: &str| {
            let opened = open(frame, Some(&sealing), JOURNAL);
            assert_eq!(opened.err(), Some(OpenError::Tampered), "{why}");
        };
        type Change = fn(&mut Header);
        let changes: [(&str, Change); 5] = [
            ("db", |header| header.db.push('x')),
            ("epoch", |header| header.epoch = header.epoch.next()),
            ("inc", |header| header.incarnation = Incarnation([9; 8])),
            ("owner", |header| header.owner.push('x')),
            ("prev", |header| header.prev = Sum([9; 32])),
        ];
        for (field, change) in changes {
            let mut other = ours.clone();
            change(&mut other.header);
            refused(&other, field);
        }
        let mut flipped = ours.clone();
        let Body::Sealed(sealed) = &mut flipped.body else { panic!("it is sealed") };
        let bit = bit.index(sealed.bytes.len() * 8);
        sealed.bytes[bit / 8] ^= 1 << (bit % 8);
        refused(&flipped, "a bit");
        prop_assert_eq!(open(&ours, Some(&sealing), ChannelId::new(8)).err(), Some(OpenError::Tampered));
        prop_assert_eq!(open(&ours, Some(&sealing_now(2)), JOURNAL).err(), Some(OpenError::Tampered));
    }
}

#[test]
fn a_database_is_encrypted_or_it_is_not() {
    let sealing = sealing_now(1);
    let clear = frame(&["a".to_owned()]);
    let sealed = seal(clear.clone(), &sealing, JOURNAL).unwrap();
    assert_eq!(open(&clear, Some(&sealing), JOURNAL).err(), Some(OpenError::Clear));
    assert_eq!(open(&sealed, None, JOURNAL).err(), Some(OpenError::Sealed));
    // What carries no data is never sealed: anybody can walk the chain.
    for body in [Body::Open, Body::Close] {
        let frame = Frame { body: body.clone(), ..clear.clone() };
        assert_eq!(seal(frame.clone(), &sealing, JOURNAL).unwrap(), frame);
        assert_eq!(*open(&frame, Some(&sealing), JOURNAL).unwrap(), body);
    }
}

#[test]
fn a_sealed_body_is_compressed_first() {
    let sealing = sealing_now(1);
    let sealed = seal(frame(&vec!["the same text".to_owned(); 1_000]), &sealing, JOURNAL).unwrap();
    let Body::Sealed(inner) = &sealed.body else { panic!("it is sealed") };
    assert!(inner.bytes.len() < 6_000, "{} bytes", inner.bytes.len());
    let too_large = frame(&(0..9_u64).map(noise).collect::<Vec<_>>());
    let refused = seal(too_large, &sealing, JOURNAL).unwrap_err();
    assert!(refused.unpacked > 9 << 20 && refused.compressed > Some(8 << 20), "{refused:?}");
}

/// A mebibyte of text that does not compress to less than three quarters.
fn noise(seed: u64) -> String {
    use base64::Engine as _;
    let mut bytes = vec![0; 3 << 19];
    blake3::Hasher::new_derive_key("noise").update(&seed.to_le_bytes()).finalize_xof().fill(&mut bytes);
    base64::engine::general_purpose::STANDARD.encode(bytes)
}
