//! What must not be readable in the guild of an encrypted database: searched for in every text and in every file, packed
//! and unpacked.

use std::sync::Arc;

use crate::world::{Inner, World};

/// What the names that are saved begin with.
pub(crate) const SECRET: &str = "the secret name ";

/// Where something can be read that must not be, if the database was encrypted all the time.
pub(crate) fn leaks(world: &Arc<World>) -> Option<String> {
    if !world.plan.secret() {
        return None;
    }
    world.with(|inner, _| text(inner).or_else(|| file(inner)))
}

fn text(inner: &Inner) -> Option<String> {
    let state = &inner.state;
    let messages = state.channels_of(state.home().guild_id).flat_map(|channel| state.messages_in(channel.id));
    let found = messages.into_iter().find(|message| message.content.contains(SECRET));
    found.map(|message| format!("a value can be read in message {}: {}", message.id, message.content))
}

fn file(inner: &Inner) -> Option<String> {
    let readable = |bytes: &[u8]| contains(bytes) || unpacked(bytes).is_some_and(|bytes| contains(&bytes));
    let found = inner.blobs.iter().filter(|(_, bytes)| readable(bytes)).map(|(id, _)| id).min();
    found.map(|id| format!("a value can be read in file {id}"))
}

/// Everything in a file that can be unpacked, wherever it begins.
fn unpacked(bytes: &[u8]) -> Option<Vec<u8>> {
    const MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];
    let starts = bytes.windows(4).enumerate().filter(|(_, four)| *four == MAGIC).map(|(at, _)| at);
    let mut all = Vec::new();
    for start in starts {
        // What follows may be no frame, or be followed by something else: what comes out of it until then counts.
        let decoder = zstd::stream::read::Decoder::new(bytes.get(start..)?);
        if let Ok(decoder) = decoder {
            let mut decoder = decoder.single_frame();
            drop(std::io::copy(&mut decoder, &mut all));
        }
    }
    Some(all)
}

fn contains(bytes: &[u8]) -> bool {
    bytes.windows(SECRET.len()).any(|window| window == SECRET.as_bytes())
}
