//! Sealing and opening: XChaCha20-Poly1305 with random nonces (RFC 8439; draft-irtf-cfrg-xchacha-03), and associated
//! data that bind each sealed piece to its place.

use std::fmt;
use std::sync::Arc;

use chacha20poly1305::aead::inout::InOutBuf;
use chacha20poly1305::{AeadInOut as _, KeyInit as _, Tag, XChaCha20Poly1305, XNonce};

use crate::env::SharedEnv;
use crate::ids::ChannelId;
use crate::seal::keying::{Keying, Subkeys};
use crate::wire::put_bytes;

/// How many bytes a sealed piece is longer than what it holds: a nonce before it and a tag behind it.
pub(crate) const OVERHEAD: usize = NONCE + TAG;
const NONCE: usize = 24;
const TAG: usize = 16;

/// Seals and opens what one database keeps in its guild.
pub(crate) struct Sealing {
    keying: Keying,
    db: Arc<str>,
    frames: XChaCha20Poly1305,
    blocks: XChaCha20Poly1305,
    env: SharedEnv,
}

impl Sealing {
    pub(super) fn new(keying: Keying, subkeys: &Subkeys, db: Arc<str>, env: SharedEnv) -> Self {
        Self {
            keying,
            db,
            frames: XChaCha20Poly1305::new((&*subkeys.frames).into()),
            blocks: XChaCha20Poly1305::new((&*subkeys.blocks).into()),
            env,
        }
    }

    /// What stands clear in the journal about the keys.
    pub(crate) fn keying(&self) -> Keying {
        self.keying
    }

    /// Seals the body of a frame. `clear` is all of its canonical encoding that comes before: the header, and what a
    /// checkpoint says clear.
    pub(crate) fn seal_body(&self, journal: ChannelId, clear: &[u8], body: &[u8]) -> Vec<u8> {
        seal(&self.frames, self.nonce(), &self.frame_data(journal, clear), body)
    }

    /// Opens the body of a frame; `None` if it is not what this key sealed for this frame.
    pub(crate) fn open_body(&self, journal: ChannelId, clear: &[u8], sealed: &[u8]) -> Option<Vec<u8>> {
        open(&self.frames, &self.frame_data(journal, clear), sealed)
    }

    /// Seals a block of a segment. `place` says which one, of which run.
    pub(crate) fn seal_block(&self, place: &[u8], block: &[u8]) -> Vec<u8> {
        seal(&self.blocks, self.nonce(), &block_data(place), block)
    }

    /// Opens a block; `None` if it is not what this key sealed for this place.
    pub(crate) fn open_block(&self, place: &[u8], sealed: &[u8]) -> Option<Vec<u8>> {
        open(&self.blocks, &block_data(place), sealed)
    }

    fn nonce(&self) -> [u8; NONCE] {
        let mut nonce = [0; NONCE];
        self.env.random(&mut nonce);
        nonce
    }

    fn frame_data(&self, journal: ChannelId, clear: &[u8]) -> Vec<u8> {
        let mut data = Vec::with_capacity(clear.len() + self.db.len() + 32);
        data.extend_from_slice(b"discobase frame\0");
        put_bytes(&mut data, self.db.as_bytes());
        data.extend_from_slice(&journal.get().to_le_bytes());
        data.extend_from_slice(clear);
        data
    }
}

fn block_data(place: &[u8]) -> Vec<u8> {
    [b"discobase block\0", place].concat()
}

/// Nothing of the keys is shown.
impl fmt::Debug for Sealing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sealing").field("db", &self.db).finish_non_exhaustive()
    }
}

/// Nonce, ciphertext, tag.
fn seal(cipher: &XChaCha20Poly1305, nonce: [u8; NONCE], data: &[u8], plain: &[u8]) -> Vec<u8> {
    let mut sealed = Vec::with_capacity(plain.len() + OVERHEAD);
    sealed.extend_from_slice(&nonce);
    sealed.extend_from_slice(plain);
    let (_, buffer) = sealed.split_at_mut(NONCE);
    match cipher.encrypt_inout_detached(&XNonce::from(nonce), data, InOutBuf::from(buffer)) {
        Ok(tag) => sealed.extend_from_slice(&tag),
        // Only more than 256 GiB can't be sealed, and a frame has at most 64 MiB. Nothing leaves unsealed.
        Err(_) => sealed.clear(),
    }
    sealed
}

fn open(cipher: &XChaCha20Poly1305, data: &[u8], sealed: &[u8]) -> Option<Vec<u8>> {
    let (nonce, rest) = sealed.split_first_chunk::<NONCE>()?;
    let (ciphertext, tag) = rest.split_last_chunk::<TAG>()?;
    let mut plain = ciphertext.to_vec();
    let buffer = InOutBuf::from(plain.as_mut_slice());
    let opened = cipher.decrypt_inout_detached(&XNonce::from(*nonce), data, buffer, &Tag::from(*tag));
    opened.ok().map(|()| plain)
}
