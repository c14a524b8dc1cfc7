//! Distance: a relay that holds back every byte for a while, both ways, and changes nothing else.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

/// Listens for those who would speak to `api`, and gives the address to speak to instead.
pub(crate) async fn relay(api: &str, one_way: Duration) -> io::Result<String> {
    let target = api.trim_start_matches("http://").to_owned();
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move {
        while let Ok((near, _)) = listener.accept().await {
            let Ok(far) = TcpStream::connect(&target).await else { continue };
            // A small request must not wait for company.
            if near.set_nodelay(true).and_then(|()| far.set_nodelay(true)).is_err() {
                continue;
            }
            let ((near_reads, near_writes), (far_reads, far_writes)) = (near.into_split(), far.into_split());
            tokio::spawn(carry(near_reads, far_writes, one_way));
            tokio::spawn(carry(far_reads, near_writes, one_way));
        }
    });
    Ok(format!("http://{address}"))
}

/// Carries bytes one way. How many are on the way does not matter: it is a long line, not a thin one.
async fn carry(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, one_way: Duration) {
    let (sender, mut line) = mpsc::unbounded_channel::<(Instant, Vec<u8>)>();
    let arriving = async move {
        let mut buffer = vec![0; 64 << 10];
        while let Ok(read) = from.read(&mut buffer).await {
            let bytes = buffer.get(..read).unwrap_or_default().to_vec();
            if read == 0 || sender.send((Instant::now() + one_way, bytes)).is_err() {
                break;
            }
        }
    };
    let leaving = async move {
        while let Some((due, bytes)) = line.recv().await {
            sleep_until(due).await;
            if to.write_all(&bytes).await.is_err() {
                break;
            }
        }
    };
    tokio::join!(arriving, leaving);
}
