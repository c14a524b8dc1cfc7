//! Connecting: from a transport to a running engine, in one readable flow.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use crate::codec::frame::{Body, Frame, Genesis, Header, Sum};
use crate::codec::message;
use crate::db::catalog;
use crate::db::checkpoints::Checkpoints;
use crate::db::create::Creator;
use crate::db::discover;
use crate::db::engine::{Duty, Engine, Last, Start};
use crate::db::layout::{Home, Role};
use crate::db::link::Link;
use crate::db::options::Options;

use crate::env;
use crate::error::{Error, ErrorKind, Result};
use crate::ids::{ChannelId, Epoch, Seq};
use crate::journal::history::read_history;
use crate::journal::owner::{self, random_incarnation};
use crate::journal::post::key;
use crate::journal::reader::{Reader, is_unknown_channel};
use crate::journal::rules::{Nonce, Position, is_certain, reopens, winner};
use crate::journal::tail::Follower;
use crate::journal::writer::Writer;
use crate::lookup::{Files, Lazy, Lookups};
use crate::replay::{Replayed, replay, salvage};
use crate::seal::Keychain;
use crate::transport::{Transport, explain};

/// Finds or creates the database in its guild, replays its journal, becomes its owner and starts the engine.
///
/// The tables with the names `lazy` are not loaded.
pub(crate) async fn connect(
    db: &str,
    options: &Options,
    transport: Arc<dyn Transport>,
    lazy: BTreeSet<String>,
) -> Result<Link> {
    let bot = transport.me().await.map_err(|error| explain(&error, "logging in"))?;
    let guild = discover::guild(&*transport, &bot, &options.guild, db, options.follow).await?;
    let db: Arc<str> = Arc::from(db);
    let keychain = Keychain::new(options.key.clone(), Arc::clone(&db), Arc::clone(&options.env));
    let mut creator = Creator {
        home: Home::default(),
        salvage: options.salvage && !options.follow,
        transport: Arc::clone(&transport),
        guild: guild.id,
        bot: bot.id,
        db,
        env: Arc::clone(&options.env),
        keychain: Arc::new(keychain),
        made: Vec::new(),
    };
    let lazy = Lazy { lookups: looked_up(&creator, options), tables: lazy };
    let owner = owner_name(options)?;
    let began = options.env.monotonic();
    let (reader, replayed) = match look(&mut creator, &lazy).await? {
        Some(found) => found,
        None if options.follow => return Err(not_created(&creator.db)),
        None => create(&mut creator, options, &owner, &lazy).await?,
    };
    creator.home.adopt(&replayed.base.root.genesis);
    let (duty, replayed) = if options.follow {
        let sealing = replayed.sealing.clone();
        let follower =
            Follower::new(reader.clone(), replayed.position.clone(), replayed.newest, sealing, began);
        (Duty::Follow(Box::new(follower)), replayed)
    } else {
        let (writer, replayed) = open(reader.clone(), replayed, &owner, &lazy).await?;
        (Duty::Write(Box::new(writer)), replayed)
    };
    let Replayed { tables, base, checkpoint, untrimmed, volume, past, newest, salvaged, .. } = replayed;
    let (genesis, stand_by, queue_limit) = (base.root.genesis, options.stand_by, options.queue_limit);
    let last = checkpoint.map(|checkpoint| Last { sum: base.link.sum, checkpoint });
    let covered = base.covered();
    let lookups = lazy.lookups;
    let start =
        Start { duty, tables, past, volume, last, covered, transport, owner, stand_by, queue_limit, lookups };
    let (engine, task) = Engine::start(start);
    let age = newest.time_ms().saturating_sub(base.link.message.time_ms());
    let untrimmed = untrimmed.then_some(Duration::from_millis(age));
    let checkpoints =
        Checkpoints::start(Arc::clone(&engine), reader, base.root, options.checkpoints, untrimmed);
    let mut link = Link::new(bot, guild, engine, task, checkpoints, creator, genesis);
    link.salvaged = salvaged;
    Ok(link)
}

/// What looks rows up in the guild.
fn looked_up(creator: &Creator, options: &Options) -> Arc<Lookups> {
    let files = Files::new(Arc::clone(&creator.transport), Arc::clone(&creator.env), options.lookup_cache);
    Arc::new(Lookups::new(files, Arc::clone(&creator.db), options.small_runs))
}

fn not_created(db: &str) -> Error {
    let text = format!(
        "the guild holds no database {db:?}, or it is hidden from the bot, and a process that follows creates none: \
         open it for writing first"
    );
    Error::new(ErrorKind::NotCreated, text)
}

/// Opens the journal for writing.
///
/// If something follows the tip that was read, it may be the last frame of a process that is gone, which was not
/// visible yet: then the journal is read once more. If it is another process's `open`, that process owns it now. If what
/// follows is deleted, its writer may have written a checkpoint since and trimmed it: reading tells.
async fn open(reader: Reader, replayed: Replayed, owner: &str, lazy: &Lazy) -> Result<(Writer, Replayed)> {
    let open = |replayed: &Replayed| {
        let sealing = replayed.sealing.clone();
        owner::open(reader.clone(), owner, replayed.position.clone(), replayed.newest, sealing)
    };
    let error = match open(&replayed).await {
        Ok(writer) => return Ok((writer, replayed)),
        Err(error) if matches!(error.kind(), ErrorKind::Fenced | ErrorKind::Damaged) => error,
        Err(error) => return Err(error),
    };
    match moved(&reader, &replayed.position, lazy).await? {
        Some(now) if reopens(&replayed.position, &now.position) => match open(&now).await {
            Ok(writer) => Ok((writer, now)),
            Err(error) if error.kind() == ErrorKind::Damaged => {
                let later = moved(&reader, &now.position, lazy).await?;
                Err(later.map_or(error, |later| owner::owned_elsewhere(&reader, &later.position.holder)))
            }
            Err(error) => Err(error),
        },
        Some(now) => Err(owner::owned_elsewhere(&reader, &now.position.holder)),
        None => Err(error),
    }
}

/// What the journal holds after a while, if it no longer ends where it did.
async fn moved(reader: &Reader, before: &Position, lazy: &Lazy) -> Result<Option<Replayed>> {
    env::sleep(&*reader.env, before.timing.settle()).await;
    let now = replay(reader, Some(lazy)).await?;
    Ok(now.filter(|now| now.position.tip.sum != before.tip.sum))
}

/// Lists the channels, and finds the journal in them.
///
/// A list that was read before every older genesis had to be in it may show the journal of a process that has lost
/// the race for creating the database and does not know it yet: then both are read again.
async fn look(creator: &mut Creator, lazy: &Lazy) -> Result<Option<(Reader, Replayed)>> {
    let listed = creator.env.monotonic();
    creator.look().await?;
    let Some((reader, replayed)) = find(creator, lazy).await? else { return Ok(None) };
    let timing = replayed.position.timing;
    // Discord's clock showed at least this when the list was asked for.
    let passed = creator.env.monotonic().saturating_sub(listed).as_millis();
    let then = replayed.newest.time_ms().saturating_sub(u64::try_from(passed).unwrap_or(u64::MAX));
    if is_certain(replayed.base.root.message, then, timing) {
        return Ok(Some((reader, replayed)));
    }
    env::sleep(&*creator.env, timing.settle()).await;
    creator.look().await?;
    find(creator, lazy).await
}

/// Replays a journal; what is left of it, if it is damaged and that is wanted.
async fn read(creator: &Creator, reader: &Reader, lazy: &Lazy) -> Result<Option<Replayed>> {
    match replay(reader, Some(lazy)).await {
        Err(error) if creator.salvage && matches!(error.kind(), ErrorKind::Damaged | ErrorKind::Corrupt) => {
            // Where not even that can be read, what is wrong is what was found first.
            let salvaged = salvage(reader).await;
            salvaged.and_then(|salvaged| salvaged.map(Some).ok_or(error))
        }
        replayed => replayed,
    }
}

/// The database's journal, replayed.
async fn find(creator: &Creator, lazy: &Lazy) -> Result<Option<(Reader, Replayed)>> {
    let journals = creator.home.journals();
    let journal = match journals.as_slice() {
        [only] => Some(*only),
        _ => oldest(creator, &journals, lazy).await?,
    };
    if let Some(journal) = journal {
        let reader = creator.reader(journal);
        if let Some(replayed) = read(creator, &reader, lazy).await? {
            refuse_another(creator, &replayed).await?;
            return Ok(Some((reader, replayed)));
        }
    }
    if !creator.home.has_tables() {
        return Ok(None);
    }
    let text = if creator.home.journals().is_empty() {
        format!(
            "tables of database {} are there, but its journal is not: it was deleted, or it is hidden from the \
             bot. If it is hidden, allow the bot View Channel on it; if it was deleted, the data is lost",
            creator.db
        )
    } else {
        format!(
            "the journal of database {} holds no genesis frame, although its tables exist: its messages were \
             deleted, and the data with them",
            creator.db
        )
    };
    let kind =
        if creator.home.journals().is_empty() { ErrorKind::MissingChannel } else { ErrorKind::Damaged };
    let error = Error::new(kind, text);
    Err(match creator.home.get(&Role::Journal) {
        Some(journal) => error.in_channel(journal),
        None => error,
    })
}

/// Refuses a journal without a single commit where the catalog tells of tables: it is one that lost the race for creating
/// the database and was never deleted, and the database's own is gone. Taken for it, the database would seem empty.
async fn refuse_another(creator: &Creator, replayed: &Replayed) -> Result<()> {
    if replayed.tables.seq() > Seq::default() || !creator.home.has_tables() || creator.salvage {
        return Ok(());
    }
    let catalogs = creator.home.tagged.iter().filter(|(_, role)| *role == Role::Catalog);
    for (catalog, _) in catalogs {
        if catalog::tells_of_tables(&*creator.transport, *catalog, creator.bot).await? {
            let text = format!(
                "the journal of database {} was deleted, or it is hidden from the bot: the one that is there holds no \
                 commit, and the catalog tells of tables. If it is hidden, allow the bot View Channel on it; if it was \
                 deleted, the data is lost: delete the database's other channels to begin anew",
                creator.db
            );
            return Err(Error::new(ErrorKind::MissingChannel, text).in_channel(*catalog));
        }
    }
    Ok(())
}

/// Which of the journals is the database's: the one with the oldest genesis, if any has one.
///
/// Those that lost are only read, not replayed: what they say may be sealed with a key that nobody has any more.
async fn oldest(creator: &Creator, journals: &[ChannelId], lazy: &Lazy) -> Result<Option<ChannelId>> {
    let (mut roots, mut gone) = (Vec::new(), None);
    for journal in journals {
        let reader = creator.reader(*journal);
        match read_history(&reader).await {
            Ok(Some(history)) => roots.push((*journal, history.base.root.message)),
            Ok(None) => {}
            Err(error)
                if creator.salvage && matches!(error.kind(), ErrorKind::Damaged | ErrorKind::Corrupt) =>
            {
                let left = read(creator, &reader, lazy).await?;
                roots.extend(left.map(|left| (*journal, left.base.root.message)));
            }
            // Whoever lost a race for creating the database has just deleted its own.
            Err(error) if is_unknown_channel(&error) => gone = Some(error),
            Err(error) => return Err(error),
        }
    }
    match (winner(roots), gone) {
        (None, Some(gone)) => Err(gone),
        (winner, _) => Ok(winner),
    }
}

/// Creates the database: its channels, then the genesis. If two processes do so at once, the older genesis wins.
async fn create(
    creator: &mut Creator,
    options: &Options,
    owner: &str,
    lazy: &Lazy,
) -> Result<(Reader, Replayed)> {
    let wanted = [Role::Catalog, Role::Journal];
    let missing = wanted.iter().filter(|role| creator.home.get(role).is_none()).count();
    creator.home.check_room(missing)?;
    let catalog = creator.ensure(&Role::Catalog).await?;
    let journal = creator.ensure(&Role::Journal).await?;
    post_genesis(creator, options, owner, catalog, journal).await?;
    env::sleep(&*options.env, options.timing.settle()).await;
    creator.look().await?;
    match find(creator, lazy).await? {
        Some(found) => {
            creator.drop_rivals(&found.1.base.root.genesis).await;
            Ok(found)
        }
        None => {
            let text = "the journal was created, but its genesis frame can't be read back: try again";
            Err(Error::new(ErrorKind::Damaged, text).in_channel(journal))
        }
    }
}

async fn post_genesis(
    creator: &Creator,
    options: &Options,
    owner: &str,
    catalog: ChannelId,
    journal: ChannelId,
) -> Result<()> {
    let category = creator.home.categories.first().map_or(ChannelId::new(0), |(id, _)| *id);
    let header = Header {
        db: creator.db.to_string(),
        epoch: Epoch::new(0),
        incarnation: random_incarnation(&options.env),
        owner: owner.to_owned(),
        prev: Sum::NONE,
    };
    let keying = creator.keychain.create().await?.map(|sealing| sealing.keying());
    let body = Body::Genesis(Genesis { timing: options.timing, category, catalog, journal, keying });
    let Ok(encoded) = message::encode(&Frame { header, body }) else {
        return Err(Error::new(ErrorKind::Invalid, "the names of the owner and the database are too long"));
    };
    let posted = creator.transport.post(
        journal,
        encoded.message(key(journal, Nonce { after: Sum::NONE, against: None })),
        Some(options.patience),
    );
    let posted = posted.await;
    posted.map(|_| ()).map_err(|error| explain(&error, "posting the first frame").in_channel(journal))
}

/// The most characters an owner's name may have: a frame's fields must leave room for its content.
const OWNER_NAME: usize = 64;

fn owner_name(options: &Options) -> Result<String> {
    match &options.owner {
        None => Ok(random_incarnation(&options.env).to_string()),
        Some(name) if name.chars().count() <= OWNER_NAME && !name.is_empty() => Ok(name.clone()),
        Some(name) => Err(Error::new(
            ErrorKind::Invalid,
            format!("the owner name {name:?} must have 1 to {OWNER_NAME} characters"),
        )),
    }
}
