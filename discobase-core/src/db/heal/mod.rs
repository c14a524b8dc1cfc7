//! Mending a database: what is in memory is written anew, and what was deleted is made again.

mod healed;
mod tidy;

use std::collections::HashSet;
use std::sync::Arc;

pub use healed::Healed;

use crate::batch::TableDef;
use crate::db::build::in_use;
use crate::db::checkpoints::Mend;
use crate::db::create::Creator;
use crate::db::engine::{Role as Part, read_only};
use crate::db::layout::Role;
use crate::db::link::Link;
use crate::db::{Database, DeviationKind, Report};
use crate::error::{Error, ErrorKind, Result};
use crate::ids::ChannelId;
use crate::session::Write;

/// Deviations that only a checkpoint of everything mends.
const BY_CHECKPOINT: [DeviationKind; 10] = [
    DeviationKind::DeletedFrames,
    DeviationKind::LostCommits,
    DeviationKind::EditedFrame,
    DeviationKind::DamagedFrame,
    DeviationKind::MissingChannel,
    DeviationKind::MissingSegment,
    DeviationKind::SwappedSegment,
    DeviationKind::DamagedSegment,
    DeviationKind::RowsDiffer,
    DeviationKind::IndexDiffers,
];

impl Database {
    /// Mends what [`Database::verify`] finds, from what this process has in memory.
    ///
    /// It writes all tables anew as one checkpoint, so that nothing that is damaged is referred to any more; makes another
    /// channel for each that was deleted, the journal's excepted; writes the catalog anew; and deletes segments that
    /// nothing names, metadata messages of no table, and messages of the bot's in the journal that were frames and can't
    /// be read any more. Messages of people are left alone, and so are channels that they changed. Where nothing is wrong
    /// nothing is written.
    ///
    /// A process that stopped writing because frames were deleted writes on afterwards: it has in memory all that it was
    /// told is durable, and the checkpoint takes the place of the frames. That is refused when another process has opened
    /// the database since, and when all frames of this process were deleted together with its opening: then nothing tells
    /// the two apart. Until the checkpoint is durable commits are refused as before.
    ///
    /// What it can't mend is in [`Healed::left`].
    ///
    /// ```
    /// # use discobase_core as discobase;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> discobase::Result<()> {
    /// use discobase::Database;
    ///
    /// let db = Database::new("shop");
    /// # #[cfg(feature = "local")] {
    /// db.connect_memory().await?;
    /// let healed = db.heal().await?;
    /// assert!(healed.left.is_clean(), "{healed}");
    /// # }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `NotConnected`; `ReadOnly` for a process that follows; `Fenced` when another process owns the database;
    /// `MissingChannel` when the journal's channel was deleted, or a channel is hidden from the bot; `Damaged` when it is
    /// not certain that this process may write on; what creating channels, uploading and committing can fail with. It can
    /// be called again.
    pub async fn heal(&self) -> Result<Healed> {
        let _turn = self.0.turn.lock().await;
        let connection = self.connection()?;
        let link = &connection.link;
        if link.engine.role() == Part::Follower {
            return Err(read_only());
        }
        let stopped = link.engine.stopped();
        if let Some(error) = stopped.clone().filter(|error| !is_damage(error)) {
            return Err(error);
        }
        let found = self.site(&connection).await.verify().await?;
        let mut healed = Healed { found, ..Healed::default() };
        if healed.found.is_clean() && stopped.is_none() {
            return Ok(healed);
        }
        refuse(link, &healed.found)?;
        let wanted = healed.found.deviations.iter().any(|one| BY_CHECKPOINT.contains(&one.kind));
        if wanted || stopped.is_some() {
            self.write_anew(link, &mut healed).await?;
        }
        link.tidy(&mut healed).await?;
        healed.left = self.site(&connection).await.verify().await?;
        tracing::info!(
            name: "healed", target: "discobase::engine", database = %self.0.name,
            found = healed.found.deviations.len(), left = healed.left.deviations.len(), "the database was mended"
        );
        Ok(healed)
    }

    /// Makes the channels that are missing, and writes everything anew.
    async fn write_anew(&self, link: &Link, healed: &mut Healed) -> Result<()> {
        healed.resumed = link.engine.mend().await?;
        let written = async {
            if !healed.resumed {
                // Until its term is verified an owner makes no channels.
                link.engine.settled().await?;
            }
            let mut mend = link.replace(healed).await?;
            mend.resumed = healed.resumed;
            if !mend.resumed && !mend.defs.is_empty() {
                let writes: Vec<_> =
                    mend.defs.iter().map(|def| Write::Alter(Box::new(def.clone()))).collect();
                link.engine.commit(writes).await?.durable().await?;
            }
            link.checkpoints.heal(mend).await
        };
        match written.await {
            Ok(seq) => healed.seq = Some(seq),
            Err(error) => {
                link.engine.stay_stopped();
                return Err(error);
            }
        }
        let registered = self.0.registry.lock().tables.clone();
        link.refresh_fitting(&registered);
        Ok(())
    }
}

/// Whether a writer stopped because messages of the journal were deleted or changed.
fn is_damage(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::Damaged | ErrorKind::Corrupt)
}

/// Refuses to begin what can't succeed.
fn refuse(link: &Link, found: &Report) -> Result<()> {
    let journal = Some(link.genesis.journal);
    if let Some(gone) = found.of(DeviationKind::MissingChannel).find(|one| one.channel == journal) {
        let text = "the journal's channel was deleted, and with it what makes this process the one that may write. What \
                    was in it is in this process's memory only: read it from here and save it to another database";
        let error = Error::new(ErrorKind::MissingChannel, text);
        return Err(gone.channel.map_or(error.clone(), |channel| error.in_channel(channel)));
    }
    if let Some(hidden) = found.of(DeviationKind::HiddenChannel).next() {
        let error = Error::new(ErrorKind::MissingChannel, hidden.text.clone());
        return Err(hidden.channel.map_or(error.clone(), |channel| error.in_channel(channel)));
    }
    Ok(())
}

impl Link {
    /// Makes channels in the place of those that were deleted.
    async fn replace(&self, healed: &mut Healed) -> Result<Mend> {
        let missing = healed.found.of(DeviationKind::MissingChannel).filter_map(|one| one.channel);
        let gone: HashSet<ChannelId> = missing.collect();
        let mut mend = Mend { gone, ..Mend::default() };
        if mend.gone.is_empty() {
            return Ok(mend);
        }
        let genesis = self.described();
        let mut creator = self.creator.lock().await;
        creator.look().await?;
        creator.home.adopt(&genesis);
        let tables = Arc::clone(&self.engine.tables());
        creator.home.leave(&in_use(&tables));
        creator.home.check_room(mend.gone.len())?;
        for table in tables.iter() {
            let def = table.def();
            if Role::of_table(def).iter().any(|(channel, _)| mend.gone.contains(channel)) {
                mend.defs.push(rehomed(&mut creator, def, &mend.gone, healed).await?);
            }
        }
        if mend.gone.contains(&genesis.catalog) {
            let made = creator.ensure(&Role::Catalog).await?;
            healed.channels.push((genesis.catalog, made));
            mend.catalog = Some(made);
        }
        if !creator.home.has_category(genesis.category) {
            mend.category = creator.home.categories.first().map(|(category, _)| *category);
        }
        Ok(mend)
    }
}

/// A table's definition, with channels that are there.
async fn rehomed(
    creator: &mut Creator,
    def: &TableDef,
    gone: &HashSet<ChannelId>,
    healed: &mut Healed,
) -> Result<TableDef> {
    let mut new = def.clone();
    for (place, (channel, role)) in Role::of_table(def).into_iter().enumerate() {
        if !gone.contains(&channel) {
            continue;
        }
        let made = creator.ensure(&role).await?;
        healed.channels.push((channel, made));
        match place.checked_sub(1) {
            None => new.channel = made,
            Some(index) => new.indexes.get_mut(index).into_iter().for_each(|index| index.channel = made),
        }
    }
    Ok(new)
}
