//! From a checkpoint's segments to tables.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use bytes::Bytes;
use futures_util::StreamExt as _;

use crate::codec::checkpoint::{Checkpoint, Location, Run, Segment, TableCheckpoint};
use crate::codec::segment::{Part, Sealing, SegmentError, SegmentOf, read_rows};
use crate::env::{SharedEnv, heavy};
use crate::error::{Error, ErrorKind};
use crate::ids::{ChannelId, MessageId};
use crate::lookup::{Lazy, Lost};
use crate::tables::{Slot, TableLoad, TableState, Tables};
use crate::transport::{BoxFuture, HistoryPage, Message, Transport, TransportError, explain};

/// So many segments are downloaded at a time.
const AT_ONCE: usize = 4;
/// So many messages of a channel are read one by one before its history is.
const SINGLY: usize = 2;

/// Reads segments from a guild.
pub(crate) struct Loader<'a> {
    pub(crate) transport: &'a dyn Transport,
    pub(crate) env: &'a SharedEnv,
    pub(crate) db: &'a Arc<str>,
    pub(crate) sealing: Sealing,
}

/// A segment of a table's rows, and what it is part of.
type Piece<'a> = (SegmentOf, &'a Segment);

impl Loader<'_> {
    /// Loads the tables of a checkpoint, but for those that are looked up. At the `last` attempt, of these too, those of
    /// which segments are lost.
    pub(crate) async fn load(
        &self,
        checkpoint: &Checkpoint,
        lazy: Option<&Lazy>,
        last: bool,
    ) -> Result<Tables, Lost> {
        let mut tables = Vec::new();
        for table in &checkpoint.tables {
            tables.push(match lazy.filter(|lazy| lazy.has(&table.def.name)) {
                Some(lazy) => match lazy.lookups.open(&self.sealing, table, checkpoint.seq).await {
                    // They are of an index, perhaps: rows are enough to load the table. A channel does not come back.
                    Err(Lost::Segment(lost)) if last || lost.kind() == ErrorKind::MissingChannel => {
                        let loaded = self.table(table).await.map_err(|_| Lost::Segment(lost))?;
                        Slot::Loaded(Arc::new(loaded))
                    }
                    opened => Slot::Unloaded(Arc::new(opened?)),
                },
                None => Slot::Loaded(Arc::new(self.table(table).await?)),
            });
        }
        Ok(Tables::restore(tables, checkpoint.seq, checkpoint.next_table, checkpoint.steps.clone()))
    }

    /// Loads one table: its runs in their order, so that a later one wins.
    pub(crate) async fn table(&self, table: &TableCheckpoint) -> Result<TableState, Lost> {
        let pieces: Vec<Piece<'_>> = self.pieces(table);
        let locations = pieces.iter().map(|(_, segment)| segment.location).collect();
        let messages = messages(self.transport, locations).await.map_err(|error| failed(&error, table))?;
        let mut downloads: Vec<BoxFuture<'_, (Piece<'_>, Result<Bytes, Lost>)>> = Vec::new();
        for piece in pieces {
            let message = messages.get(&piece.1.location);
            downloads.push(Box::pin(async move {
                let file = download(self.transport, piece.1, message, table).await;
                (piece, file)
            }));
        }
        let mut files = futures_util::stream::iter(downloads).buffered(AT_ONCE);
        let mut loading = TableLoad::new(table.def.clone());
        while let Some((piece, file)) = files.next().await {
            loading = self.put(loading, piece, file?, table).await?;
        }
        let (next_row, name) = (table.next_row, table.def.name.clone());
        let finished = heavy(self.env, move || loading.finish(next_row)).await;
        let unfit = |reason: String| {
            let text = format!("the segments of the table are not what its checkpoint says: {reason}");
            Lost::Segment(Error::new(ErrorKind::Damaged, text).in_table(&name).in_channel(table.def.channel))
        };
        let finished = finished.ok_or_else(|| unfit("reading them failed".to_owned()))?;
        let state = finished.map_err(|error| unfit(error.to_string()))?;
        match state.len() as u64 {
            rows if rows == table.rows => Ok(state),
            rows => Err(unfit(format!("they hold {rows} rows instead of {}", table.rows))),
        }
    }

    fn pieces<'t>(&self, table: &'t TableCheckpoint) -> Vec<Piece<'t>> {
        let of = |run: &Run| SegmentOf {
            db: Arc::clone(self.db),
            table: table.def.id,
            part: Part::Rows,
            run: (run.from, run.to),
        };
        table.runs.iter().flat_map(|run| run.segments.iter().map(move |one| (of(run), one))).collect()
    }

    /// Puts the rows of a segment into the table, away from the runtime's threads.
    async fn put(
        &self,
        mut loading: TableLoad,
        (of, segment): Piece<'_>,
        file: Bytes,
        table: &TableCheckpoint,
    ) -> Result<TableLoad, Lost> {
        let (wanted, sealing) = (segment.clone(), self.sealing.clone());
        let putting = move || {
            let mut unfit = None;
            let read = read_rows(&of, &sealing, &wanted, &file, |entry| match entry.values {
                Some(bytes) => {
                    let put = loading.put(entry.row, entry.version, bytes);
                    unfit = unfit.take().or(put.err().map(|error| error.to_string()));
                }
                None => loading.remove(entry.row, entry.version),
            });
            match (read, unfit) {
                (Err(error @ SegmentError::Sealed), _) => Err((ErrorKind::Tampered, error.to_string())),
                (Err(error), _) => Err((ErrorKind::Damaged, error.to_string())),
                (_, Some(unfit)) => Err((ErrorKind::Damaged, unfit)),
                (Ok(()), None) => Ok(loading),
            }
        };
        let failed = || Err((ErrorKind::Damaged, "reading it failed".to_owned()));
        let done = heavy(self.env, putting).await.unwrap_or_else(failed);
        done.map_err(|(kind, reason)| {
            unusable(kind, segment, table, &format!("a segment can't be read: {reason}"))
        })
    }
}

/// The messages of segments, with URLs that are fresh. What is not there is left out.
async fn messages(
    transport: &dyn Transport,
    wanted: Vec<Location>,
) -> Result<HashMap<Location, Message>, TransportError> {
    let mut by_channel: BTreeMap<ChannelId, Vec<MessageId>> = BTreeMap::new();
    for location in wanted {
        by_channel.entry(location.channel).or_default().push(location.message);
    }
    let mut found = HashMap::new();
    for (channel, mut ids) in by_channel {
        ids.sort_unstable();
        if ids.len() > SINGLY {
            read_between(transport, channel, &ids, &mut found).await?;
        }
        // A history may lag behind what a single message's route knows.
        for message in ids {
            let Entry::Vacant(lacking) = found.entry(Location { channel, message }) else { continue };
            match transport.message(channel, message).await {
                Ok(message) => drop(lacking.insert(message)),
                Err(TransportError::Missing(_)) => {}
                Err(error) => return Err(error),
            }
        }
    }
    Ok(found)
}

/// Reads a channel's history from the first of `ids`, which are sorted, to the last.
async fn read_between(
    transport: &dyn Transport,
    channel: ChannelId,
    ids: &[MessageId],
    found: &mut HashMap<Location, Message>,
) -> Result<(), TransportError> {
    let (Some(first), Some(last)) = (ids.first(), ids.last()) else { return Ok(()) };
    let mut cursor = MessageId::new(first.get().saturating_sub(1));
    while cursor < *last {
        let page = transport.history(channel, HistoryPage::After(cursor)).await?;
        let Some(newest) = page.last().map(|message| message.id) else { break };
        cursor = newest;
        for message in page {
            if ids.binary_search(&message.id).is_ok() {
                found.insert(Location { channel, message: message.id }, message);
            }
        }
    }
    Ok(())
}

async fn download(
    transport: &dyn Transport,
    segment: &Segment,
    message: Option<&Message>,
    table: &TableCheckpoint,
) -> Result<Bytes, Lost> {
    let missing = |what: &str| lost(segment, table, &format!("{what}, so a part of the table is lost"));
    let Some(message) = message else { return Err(missing("a segment was deleted")) };
    let [attachment] = &message.attachments[..] else {
        return Err(missing("a segment's message has no file"));
    };
    match transport.download(attachment).await {
        Ok(file) => Ok(file),
        Err(TransportError::Missing(_)) => Err(missing("a segment's file is gone")),
        Err(error) => Err(failed(&error, table)),
    }
}

fn lost(segment: &Segment, table: &TableCheckpoint, what: &str) -> Lost {
    unusable(ErrorKind::Damaged, segment, table, what)
}

fn unusable(kind: ErrorKind, segment: &Segment, table: &TableCheckpoint, what: &str) -> Lost {
    let Location { channel, message } = segment.location;
    let error = Error::new(kind, what).in_table(&table.def.name);
    Lost::Segment(error.in_channel(channel).in_message(message))
}

fn failed(error: &TransportError, table: &TableCheckpoint) -> Lost {
    let told = explain(error, "loading a table's segments").in_table(&table.def.name);
    let told = told.in_channel(table.def.channel);
    // It was deleted with the table, if a newer checkpoint does without it.
    if error.is_unknown_channel() { Lost::Segment(told) } else { Lost::Failed(told) }
}
