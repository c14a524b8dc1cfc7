//! What encryption costs a large save, and what the cipher does by itself.

use chacha20poly1305::aead::inout::InOutBuf;
use chacha20poly1305::{AeadInOut as _, KeyInit as _, XChaCha20Poly1305, XNonce};
use discobase::{Database, EncryptionKey, Table as _};
use serde::{Deserialize, Serialize};

use crate::Result;
use crate::figure::Figure;
use crate::guild::{Address, Guild};
use crate::member::{Member, members};
use crate::part::Part;
use crate::time::{milliseconds, now};

/// How many rows one save has.
pub(crate) const ROWS: usize = 10_000;
/// How often each of the two databases saves.
pub(crate) const SAVES: usize = 15;

/// One process that saves into a clear database and into an encrypted one, in turn.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Encryption {
    guild: Address,
}

/// What it took.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Encrypted {
    /// Milliseconds of each save.
    clear: Vec<f64>,
    sealed: Vec<f64>,
    /// Bytes that were sent.
    sent: (u64, u64),
    sealing: Vec<f64>,
    opening: Vec<f64>,
}

/// Makes the figures, all in one process.
pub(crate) fn figures() -> Result<Vec<Figure>> {
    let guild = Guild { unlimited: true, ..Guild::default() }.start()?;
    let all: Encrypted = Part::Encryption(Encryption { guild: guild.address.clone() }).measure()?;
    let ratios = all.clear.iter().zip(&all.sealed).map(|(clear, sealed)| sealed / clear).collect();
    let saves = SAVES as f64 * 1e6;
    Ok(vec![
        Figure::of(format!("save of {ROWS} rows, clear"), "ms", all.clear),
        Figure::of(format!("save of {ROWS} rows, encrypted"), "ms", all.sealed),
        Figure::of("encrypted to clear, save by save", "times", ratios),
        Figure::once("sent for a save, clear", "MB", all.sent.0 as f64 / saves),
        Figure::once("sent for a save, encrypted", "MB", all.sent.1 as f64 / saves),
        Figure::of("the cipher alone, sealing 64 KiB", "MB/s", all.sealing),
        Figure::of("the cipher alone, opening 64 KiB", "MB/s", all.opening),
    ])
}

impl Encryption {
    /// Saves into both.
    pub(crate) async fn run(self) -> Result<Encrypted> {
        let clear = self.guild.builder("clear")?.unencrypted().build();
        let sealed = self.guild.builder("sealed")?.encryption(EncryptionKey::generate()?).build();
        for db in [&clear, &sealed] {
            db.table::<Member>()?;
            self.guild.connect(db).await?;
        }
        let mut all: Vec<Member> = members(ROWS * (SAVES + 1)).collect();
        let mut took = (Vec::new(), Vec::new());
        let mut sent = (0, 0);
        for round in 0..=SAVES {
            let rows = all.split_off(all.len() - ROWS);
            let one = save(&clear, rows.clone()).await?;
            let other = save(&sealed, rows).await?;
            // The first save of each makes room that the later ones find.
            if round > 0 {
                took.0.push(one.0);
                took.1.push(other.0);
                sent = (sent.0 + one.1, sent.1 + other.1);
            }
        }
        clear.close().await?;
        sealed.close().await?;
        let (sealing, opening) = cipher()?;
        Ok(Encrypted { clear: took.0, sealed: took.1, sent, sealing, opening })
    }
}

/// One save: milliseconds until it is durable, and bytes sent.
async fn save(db: &Database, rows: Vec<Member>) -> Result<(f64, u64)> {
    let before = db.traffic()?.bytes_sent;
    let started = now();
    Member::save_all(rows, db).await?;
    Ok((milliseconds(started.elapsed()), db.traffic()?.bytes_sent - before))
}

/// The cipher alone, in megabytes a second.
fn cipher() -> Result<(Vec<f64>, Vec<f64>)> {
    const TIMES: usize = 400;
    let cipher = XChaCha20Poly1305::new(&[7; 32].into());
    let nonce = XNonce::from([9; 24]);
    let mut block = vec![5; 64 << 10];
    let (mut sealing, mut opening) = (Vec::new(), Vec::new());
    for _ in 0..SAVES {
        let mut tags = Vec::with_capacity(TIMES);
        let rate = |seconds: f64| (TIMES * (64 << 10)) as f64 / seconds / 1e6;
        let started = now();
        for _ in 0..TIMES {
            let tag = cipher.encrypt_inout_detached(&nonce, b"place", InOutBuf::from(block.as_mut_slice()));
            tags.push(tag.map_err(|_| "sealing failed")?);
        }
        sealing.push(rate(started.elapsed().as_secs_f64()));
        let started = now();
        for tag in tags.iter().rev() {
            cipher
                .decrypt_inout_detached(&nonce, b"place", InOutBuf::from(block.as_mut_slice()), tag)
                .map_err(|_| "opening failed")?;
        }
        opening.push(rate(started.elapsed().as_secs_f64()));
    }
    Ok((sealing, opening))
}
