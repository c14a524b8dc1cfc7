//! What an encrypted database keeps in its guild: frames, and blocks of segments.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use futures_util::FutureExt as _;

use crate::codec::binary;
use crate::codec::frame::{Body, Frame};
use crate::codec::message::{Posted, encode, encode_attached, open_attachment, read};
use crate::codec::sealed::{OpenError, Sealed, open, seal};
use crate::codec::segment::{Part, Place, Sealing as Blocks, SegmentError, SegmentOf};
use crate::env::Env;
use crate::fuzzing::arbitrary;
use crate::fuzzing::codec::as_posted;
use crate::fuzzing::segments::segment_of;
use crate::fuzzing::source::Source;
use crate::ids::{ChannelId, Epoch, Seq};
use crate::seal::{EncryptionKey, KeySource, Keychain, Sealing};

const JOURNAL: ChannelId = ChannelId::new(5);

/// Nothing of it differs from one run to the next, so that an input always does the same.
struct Same;

impl Env for Same {
    fn monotonic(&self) -> Duration {
        Duration::ZERO
    }

    fn random(&self, bytes: &mut [u8]) {
        bytes.fill(7);
    }

    fn inline(&self) -> bool {
        true
    }
}

/// Two keys of one database.
pub(super) fn keys() -> &'static [Arc<Sealing>; 2] {
    static KEYS: OnceLock<[Arc<Sealing>; 2]> = OnceLock::new();
    KEYS.get_or_init(|| {
        [1, 2].map(|byte| {
            let source = KeySource::Given(EncryptionKey::from_bytes([byte; 32]));
            let created = Keychain::new(source, Arc::from("shop"), Arc::new(Same)).create().now_or_never();
            match created {
                Some(Ok(Some(sealing))) => sealing,
                _ => panic!("a raw key seals"),
            }
        })
    })
}

/// A sealed frame travels as text and as a file, says what was sealed in it, and says nothing with another key, behind
/// another header, in another journal, or with one bit changed. What is sealed with the key, whatever it is, is a body
/// or none.
pub fn sealed_frame(bytes: &[u8]) {
    let mut source = Source::new(bytes);
    let [sealing, _] = keys();
    match source.below(4) {
        0 => {
            let header = arbitrary::header(&mut source, "shop");
            let clear = binary::encode_clear(&header, None);
            let bytes = sealing.seal_body(JOURNAL, &clear, source.rest());
            says_one_thing(Frame { header, body: Body::Sealed(Sealed { summary: None, bytes }) });
        }
        1 => {
            // What nobody sealed does not open.
            let Ok(frame) = binary::decode(source.rest()) else { return };
            if matches!(frame.body, Body::Sealed(_)) {
                assert_eq!(open(&frame, Some(sealing), JOURNAL).err(), Some(OpenError::Tampered));
                assert_eq!(open(&frame, None, JOURNAL).err(), Some(OpenError::Sealed));
            }
        }
        _ => {
            let frame = arbitrary::frame(&mut source, "shop");
            // A checkpoint out of order is none.
            if binary::decode(&binary::encode(&frame)).is_ok() {
                seals(&frame, &mut source);
            }
        }
    }
}

/// A body that opens is sealed again and opens as the same.
fn says_one_thing(frame: Frame) {
    let [sealing, _] = keys();
    let Ok(body) = open(&frame, Some(sealing), JOURNAL).map(std::borrow::Cow::into_owned) else { return };
    let again = seal(Frame { header: frame.header, body: body.clone() }, sealing, JOURNAL);
    let again = again.unwrap_or_else(|error| panic!("a small body is too large: {error:?}"));
    let reopened = open(&again, Some(sealing), JOURNAL).map(std::borrow::Cow::into_owned);
    assert_eq!(reopened.map(|body| binary::encode_body(&body)), Ok(binary::encode_body(&body)));
}

fn seals(frame: &Frame, source: &mut Source<'_>) {
    let [sealing, other_key] = keys();
    let Ok(sealed) = seal(frame.clone(), sealing, JOURNAL) else { panic!("a small frame is too large") };
    assert_eq!(binary::decode(&binary::encode(&sealed)).as_ref(), Ok(&sealed), "it does not come back");
    travels(&sealed);
    let Body::Sealed(Sealed { summary, bytes }) = &sealed.body else { return };
    let opened = open(&sealed, Some(sealing), JOURNAL).map(std::borrow::Cow::into_owned);
    // How it is sealed is the one thing that a checkpoint says besides.
    let said = opened.map(|body| binary::encode_body(&body));
    assert_eq!(said, Ok(binary::encode_body(&frame.body)), "it says something else");
    let tampered = |frame: &Frame, key: &Sealing, journal| {
        assert_eq!(open(frame, Some(key), journal).err(), Some(OpenError::Tampered));
    };
    tampered(&sealed, other_key, JOURNAL);
    tampered(&sealed, sealing, ChannelId::new(6));
    let with = |change: &dyn Fn(&mut Frame)| {
        let mut changed = sealed.clone();
        change(&mut changed);
        tampered(&changed, sealing, JOURNAL);
    };
    with(&|frame| frame.header.epoch = Epoch::new(frame.header.epoch.get() ^ 1));
    with(&|frame| frame.header.prev.0 = frame.header.prev.0.map(|byte| byte ^ 1));
    with(&|frame| frame.header.owner.push('x'));
    if summary.is_some() {
        with(&|frame| {
            if let Body::Sealed(Sealed { summary: Some(summary), .. }) = &mut frame.body {
                summary.seq = Seq::new(summary.seq.get() ^ 1);
            }
        });
    }
    let (at, bit) = (source.number() as usize % bytes.len(), source.below(8));
    with(&|frame| {
        if let Body::Sealed(Sealed { bytes, .. }) = &mut frame.body {
            bytes.iter_mut().skip(at).take(1).for_each(|byte| *byte ^= 1 << bit);
        }
    });
}

fn travels(frame: &Frame) {
    for encoded in [encode(frame), encode_attached(frame)] {
        // A name can be too long for a message.
        let Ok(encoded) = encoded else { continue };
        let message = as_posted(&encoded);
        let found = match read(&message) {
            Some(Posted::Whole { frame, .. }) => Ok(frame),
            Some(Posted::Attached(attached)) => {
                let file = encoded.attachments.first().map(|file| file.bytes.clone()).unwrap_or_default();
                open_attachment(&attached, &file)
            }
            None => Err("it is no frame".to_owned()),
        };
        assert_eq!(found.as_ref(), Ok(frame), "a message says something else");
    }
}

/// A block opens at its own place, with its own key, unchanged, and in no other case.
pub fn sealed_block(bytes: &[u8]) {
    let mut source = Source::new(bytes);
    let [sealing, other] = keys();
    let (sealing, other_key) = (Blocks::Sealed(Arc::clone(sealing)), Blocks::Sealed(Arc::clone(other)));
    let (of, from) = (segment_of(Part::Index(source.below(3))), source.bytes());
    let (at, bit) = (source.number() as usize, source.below(8));
    let given = source.rest();
    let place = Place::of_block(&of, from);
    // What nobody sealed does not open.
    assert_eq!(sealing.open(place, given), Err(SegmentError::Sealed));
    let sealed = sealing.seal(place, given.to_vec());
    assert_eq!(sealing.open(place, &sealed).as_deref(), Ok(given));
    assert_eq!(other_key.open(place, &sealed), Err(SegmentError::Sealed));
    let others = [
        SegmentOf { db: Arc::from("shop2"), ..of.clone() },
        SegmentOf { table: of.table.next(), ..of.clone() },
        SegmentOf { part: Part::Rows, ..of.clone() },
        SegmentOf { run: (of.run.0, of.run.1.next()), ..of.clone() },
        SegmentOf { run: (of.run.0.next(), of.run.1), ..of.clone() },
    ];
    for of in &others {
        assert_eq!(sealing.open(Place::of_block(of, from), &sealed), Err(SegmentError::Sealed));
    }
    let longer = [from, &[0]].concat();
    assert_eq!(sealing.open(Place::of_block(&of, &longer), &sealed), Err(SegmentError::Sealed));
    let mut changed = sealed;
    let at = at % changed.len();
    changed.iter_mut().skip(at).take(1).for_each(|byte| *byte ^= 1 << bit);
    assert_eq!(sealing.open(place, &changed), Err(SegmentError::Sealed));
}
