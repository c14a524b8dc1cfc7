//! A transport whose history lags: messages appear in it a while after they were made, as on Discord.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use discobase::ChannelId;
use discobase::transport::{BoxFuture, HistoryPage, Message, Transport, TransportResult, Wrapper};

pub(crate) struct Lagging {
    pub(crate) inner: Arc<dyn Transport>,
    /// How long a message stays out of the history.
    pub(crate) lag: Duration,
}

impl Wrapper for Lagging {
    fn inner(&self) -> &Arc<dyn Transport> {
        &self.inner
    }

    fn history(&self, channel: ChannelId, page: HistoryPage) -> BoxFuture<'_, TransportResult<Vec<Message>>> {
        Box::pin(async move {
            #[expect(clippy::disallowed_methods, reason = "the guild stamps its messages with this clock")]
            let now = SystemTime::now();
            let visible = now.duration_since(UNIX_EPOCH).unwrap() - self.lag;
            let mut page = self.inner.history(channel, page).await?;
            page.retain(|message| u128::from(message.id.time_ms()) < visible.as_millis());
            Ok(page)
        })
    }
}
