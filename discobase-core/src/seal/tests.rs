//! Keys and sealing: what opens, what does not, and what nobody may see.

use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;

use crate::env::{Env, SharedEnv};
use crate::error::ErrorKind;
use crate::ids::ChannelId;
use crate::seal::{EncryptionKey, Kdf, KeySource, Keychain, Keying, OVERHEAD, Sealing};

/// Random numbers that are always the same byte.
struct Fixed(u8);

impl Env for Fixed {
    fn monotonic(&self) -> Duration {
        Duration::ZERO
    }

    fn random(&self, bytes: &mut [u8]) {
        bytes.fill(self.0);
    }
}

pub(crate) fn sealing(key: &EncryptionKey, db: &str, salt: u8) -> Sealing {
    keyed(key, db, [salt; 16], Arc::new(crate::env::SystemEnv::new()))
}

pub(crate) fn keyed(key: &EncryptionKey, db: &str, salt: [u8; 16], env: SharedEnv) -> Sealing {
    let (keying, subkeys) = Keying::new(key, salt).unwrap();
    Sealing::new(keying, &subkeys, Arc::from(db), env)
}

const JOURNAL: ChannelId = ChannelId::new(9);

proptest! {
    #[test]
    fn a_body_opens_in_its_place_and_nowhere_else(
        key: [u8; 32], clear: Vec<u8>, body: Vec<u8>, bit: prop::sample::Index
    ) {
        let ours = sealing(&EncryptionKey::from_bytes(key), "shop", 1);
        let sealed = ours.seal_body(JOURNAL, &clear, &body);
        prop_assert_eq!(sealed.len(), body.len() + OVERHEAD);
        prop_assert_eq!(ours.open_body(JOURNAL, &clear, &sealed), Some(body.clone()));
        prop_assert_ne!(&ours.seal_body(JOURNAL, &clear, &body), &sealed, "each time another nonce");

        prop_assert_eq!(ours.open_body(ChannelId::new(8), &clear, &sealed), None, "another journal");
        let other = [clear.as_slice(), b"x"].concat();
        prop_assert_eq!(ours.open_body(JOURNAL, &other, &sealed), None, "another header");
        prop_assert_eq!(ours.open_block(&clear, &sealed), None, "not a block");
        for other in [
            sealing(&EncryptionKey::from_bytes(key), "shops", 1),
            sealing(&EncryptionKey::from_bytes(key), "shop", 2),
            sealing(&EncryptionKey::from_bytes(key.map(|byte| !byte)), "shop", 1),
        ] {
            prop_assert_eq!(other.open_body(JOURNAL, &clear, &sealed), None);
        }
        let bit = bit.index(sealed.len() * 8);
        let mut flipped = sealed.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        prop_assert_eq!(ours.open_body(JOURNAL, &clear, &flipped), None, "bit {} flipped", bit);
        for length in [0, 23, 24, 39, sealed.len() - 1] {
            let cut = &sealed[..length.min(sealed.len() - 1)];
            prop_assert_eq!(ours.open_body(JOURNAL, &clear, cut), None, "cut to {}", length);
        }
    }

    #[test]
    fn a_block_opens_in_its_place_and_nowhere_else(key: [u8; 32], place: Vec<u8>, other: Vec<u8>, block: Vec<u8>) {
        prop_assume!(place != other);
        let ours = sealing(&EncryptionKey::from_bytes(key), "shop", 1);
        let sealed = ours.seal_block(&place, &block);
        prop_assert_eq!(ours.open_block(&place, &sealed), Some(block));
        prop_assert_eq!(ours.open_block(&other, &sealed), None, "another place");
        prop_assert_eq!(ours.open_body(JOURNAL, &place, &sealed), None, "not a body");
    }

    #[test]
    fn a_raw_key_is_read_back_however_it_is_written(bytes: [u8; 32]) {
        use base64::Engine as _;
        use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
        let hex = EncryptionKey::from_bytes(bytes).export().unwrap();
        let texts = [
            hex.clone(),
            hex.to_uppercase(),
            format!(" {hex}\n"),
            STANDARD.encode(bytes),
            STANDARD_NO_PAD.encode(bytes),
            URL_SAFE.encode(bytes),
            URL_SAFE_NO_PAD.encode(bytes),
        ];
        for text in texts {
            prop_assert_eq!(text.parse::<EncryptionKey>().unwrap().export().unwrap(), hex.clone(), "{}", text);
        }
    }

    #[test]
    fn what_is_no_key_is_refused_and_not_repeated(text in "[a-zA-Z0-9+/=äß ]{1,70}") {
        if let Err(error) = text.parse::<EncryptionKey>() {
            prop_assert_eq!(error.kind(), ErrorKind::Invalid);
            let told = format!("{error} {error:?}");
            prop_assert!(text.trim().len() < 12 || !told.contains(text.trim()), "{}", told);
        }
    }
}

#[test]
fn a_key_shows_nothing_of_itself() {
    let (raw, passphrase) =
        (EncryptionKey::from_bytes([0xab; 32]), EncryptionKey::passphrase("correct horse"));
    let sealing = sealing(&raw, "shop", 1);
    let source = KeySource::Given(raw.clone());
    let chain = Keychain::new(source.clone(), Arc::from("shop"), Arc::new(Fixed(1)));
    let shown = format!("{raw:?} {passphrase:?} {sealing:?} {source:?} {chain:?} {raw:#?}");
    for secret in ["ab, ab", "171", "abab", "correct", "horse"] {
        assert!(!shown.contains(secret), "{shown}");
    }
    assert_eq!(passphrase.export(), None);
}

#[test]
fn a_passphrase_opens_what_it_sealed() {
    let cheap = |text: &str| EncryptionKey::passphrase_with(text, 8, 1);
    let (keying, subkeys) = Keying::new(&cheap("a"), [7; 16]).unwrap();
    assert_eq!(keying.kdf, Kdf::Argon2id { memory_kib: 8, passes: 1, lanes: 1 });
    // The price stands in the journal: the one the key asks for is for new databases.
    let again = keying.unlock(&EncryptionKey::passphrase_with("a", 16, 2)).unwrap();
    assert_eq!(*again.frames, *subkeys.frames);
    assert_ne!(*again.frames, *again.blocks);
    for wrong in [cheap("b"), EncryptionKey::from_bytes([1; 32])] {
        assert_eq!(keying.unlock(&wrong).err().unwrap().kind(), ErrorKind::WrongKey);
    }
    for refused in
        [cheap(""), EncryptionKey::passphrase_with("a", 7, 1), EncryptionKey::passphrase_with("a", 8, 0)]
    {
        assert_eq!(Keying::new(&refused, [0; 16]).err().unwrap().kind(), ErrorKind::Invalid);
    }
}

#[tokio::test]
async fn each_mistake_with_a_key_has_an_error_of_its_own() {
    let chain = |source| Keychain::new(source, Arc::from("shop"), Arc::new(Fixed(1)) as SharedEnv);
    let key = |byte| KeySource::Given(EncryptionKey::from_bytes([byte; 32]));
    let keying = chain(key(1)).create().await.unwrap().unwrap().keying();
    assert!(chain(KeySource::Nowhere).create().await.unwrap().is_none());

    assert_eq!(chain(key(1)).unlock(Some(keying)).await.unwrap().unwrap().keying(), keying);
    assert!(chain(KeySource::Nowhere).unlock(None).await.unwrap().is_none());
    let asked = KeySource::Asked(Arc::new(|| Ok(EncryptionKey::from_bytes([1; 32]))));
    assert!(chain(asked).unlock(Some(keying)).await.unwrap().is_some());

    for (source, keying, kind) in [
        (KeySource::Nowhere, Some(keying), ErrorKind::KeyMissing),
        (KeySource::Environment, Some(keying), ErrorKind::KeyMissing),
        (key(2), Some(keying), ErrorKind::WrongKey),
        (key(1), None, ErrorKind::NotEncrypted),
    ] {
        let error = chain(source.clone()).unlock(keying).await.err().unwrap();
        assert_eq!(error.kind(), kind, "{source:?}: {error}");
    }
    let failing = KeySource::Asked(Arc::new(|| panic!("the vault is on fire")));
    assert_eq!(chain(failing).unlock(Some(keying)).await.err().unwrap().kind(), ErrorKind::Invalid);
}
