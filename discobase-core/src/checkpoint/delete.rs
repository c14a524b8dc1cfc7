//! Deleting messages that nobody needs any more: many at once where Discord allows it.

use crate::ids::{ChannelId, MessageId};
use crate::transport::{Transport, TransportError};

/// The most messages that are deleted at once (Discord docs, "Message": Bulk Delete Messages).
const AT_ONCE: usize = 100;
/// Messages that are older are deleted one by one. Discord says 14 days; our idea of its clock may be behind.
const TOO_OLD_MS: u64 = 13 * 24 * 60 * 60 * 1_000;
/// Discord's code for a message that is too old to be deleted with others (Discord docs, "Opcodes and Status Codes").
const TOO_OLD: u64 = 50_034;

/// Deletes messages, in the order given, a hundred at a time. `now` is a lower bound of Discord's clock, in
/// milliseconds since the Unix epoch.
pub(crate) async fn delete(
    transport: &dyn Transport,
    channel: ChannelId,
    messages: &[MessageId],
    now: u64,
) -> Result<(), TransportError> {
    let old = |message: &&MessageId| message.time_ms() < now.saturating_sub(TOO_OLD_MS);
    let (singly, together) = messages.split_at(messages.iter().take_while(old).count());
    one_by_one(transport, channel, singly).await?;
    for chunk in together.chunks(AT_ONCE) {
        match chunk {
            [] => {}
            [one] => transport.delete_message(channel, *one).await?,
            many => match transport.delete_messages(channel, many).await {
                Err(TransportError::Refused(failure)) if failure.code == Some(TOO_OLD) => {
                    one_by_one(transport, channel, many).await?;
                }
                deleted => deleted?,
            },
        }
    }
    Ok(())
}

async fn one_by_one(
    transport: &dyn Transport,
    channel: ChannelId,
    messages: &[MessageId],
) -> Result<(), TransportError> {
    for message in messages {
        transport.delete_message(channel, *message).await?;
    }
    Ok(())
}
