//! A connected database: the engine, the guild, and the tables that are ready.

use std::any::TypeId;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::ArcSwap;
use parking_lot::Mutex;
use tokio::task::JoinHandle;

use crate::codec::frame::Genesis;
use crate::db::catalog;
use crate::db::checkpoints::Checkpoints;
use crate::db::create::Creator;
use crate::db::engine::{Engine, Role};
use crate::db::registry::{Handle, Registered};
use crate::error::{Error, ErrorKind, Result};
use crate::ids::{Seq, TableId};
use crate::replay::Salvage;
use crate::schema::Entity;
use crate::tables::{Slot, Tables};
use crate::transport::{BotUser, Guild};

/// How each struct fits its table.
pub(crate) type Handles = HashMap<TypeId, Arc<Handle>, foldhash::fast::RandomState>;

/// Which table a struct was found to fit, under whatever name.
type Known = HashMap<TypeId, TableId>;

/// One connection of a database to its guild.
pub(crate) struct Link {
    pub(crate) bot: BotUser,
    pub(crate) guild: Guild,
    pub(crate) engine: Arc<Engine>,
    pub(crate) genesis: Genesis,
    pub(crate) checkpoints: Checkpoints,
    /// What was missing of the database when it was opened.
    pub(crate) salvaged: Option<Arc<Salvage>>,
    pub(crate) creator: tokio::sync::Mutex<Creator>,
    handles: ArcSwap<Handles>,
    /// Which tables the handles are of, and those that were there before.
    known: Mutex<Known>,
    /// How many changes of tables by other processes the handles go by.
    redefined: AtomicU64,
    flusher: tokio::sync::Mutex<Option<JoinHandle<()>>>,
    /// What else runs as long as the connection.
    helpers: Mutex<Vec<JoinHandle<()>>>,
}

impl Link {
    pub(crate) fn new(
        bot: BotUser,
        guild: Guild,
        engine: Arc<Engine>,
        flusher: JoinHandle<()>,
        checkpoints: Checkpoints,
        creator: Creator,
        genesis: Genesis,
    ) -> Self {
        Self {
            bot,
            guild,
            engine,
            genesis,
            salvaged: None,
            checkpoints,
            creator: tokio::sync::Mutex::new(creator),
            handles: ArcSwap::default(),
            known: Mutex::default(),
            redefined: AtomicU64::new(0),
            flusher: tokio::sync::Mutex::new(Some(flusher)),
            helpers: Mutex::default(),
        }
    }

    /// Lends the handle of a struct whose table is ready.
    pub(crate) fn with_handle<T: Entity, R>(&self, work: impl FnOnce(Option<&Arc<Handle>>) -> R) -> R {
        work(self.handles.load().get(&TypeId::of::<T>()))
    }

    /// The handles of all structs whose tables are ready now.
    pub(crate) fn handles(&self) -> Arc<Handles> {
        self.handles.load_full()
    }

    /// Makes the handles of all registered structs whose tables exist.
    pub(crate) fn refresh(&self, registered: &[Registered]) -> Result<()> {
        let mut known = self.known.lock();
        let redefined = self.engine.redefined();
        let tables = self.engine.tables();
        let mut handles = HashMap::new();
        for one in registered {
            if let Some(table) = tables.named(one.schema.name) {
                handles.insert(one.type_id, Handle::new(one, table.def())?);
            }
        }
        self.replace_handles(&mut known, handles, redefined);
        Ok(())
    }

    /// Makes the handles of those registered structs whose tables exist and fit.
    pub(crate) fn refresh_fitting(&self, registered: &[Registered]) {
        let mut known = self.known.lock();
        let redefined = self.engine.redefined();
        let tables = self.engine.tables();
        let fitting = registered.iter().filter_map(|one| {
            let handle = Handle::new(one, tables.named(one.schema.name)?.def()).ok()?;
            Some((one.type_id, handle))
        });
        self.replace_handles(&mut known, fitting.collect(), redefined);
    }

    /// Whether another process has changed tables since the handles were made.
    pub(crate) fn is_redefined(&self) -> bool {
        self.engine.redefined() != self.redefined.load(Ordering::Acquire)
    }

    /// Makes the handles anew after another process has changed tables: of those structs as which rows can still be read.
    pub(crate) fn follow_definitions(&self, registered: &[Registered]) {
        let mut known = self.known.lock();
        let redefined = self.engine.redefined();
        let tables = self.engine.tables();
        let readable = registered
            .iter()
            .filter_map(|one| Some((one.type_id, Handle::reading(one, slot(&known, &tables, one)?.def())?)));
        let readable = readable.collect();
        self.replace_handles(&mut known, readable, redefined);
    }

    /// Makes the handles anew after tables have changed in the midst of other work: of a process that writes those that
    /// it had, and those that fit; of one that reads, as it [follows](Link::follow_definitions).
    pub(crate) fn refit(&self, registered: &[Registered]) {
        if self.engine.role() == Role::Follower {
            return self.follow_definitions(registered);
        }
        let mut known = self.known.lock();
        let redefined = self.engine.redefined();
        let (tables, had) = (self.engine.tables(), self.handles());
        let fitting = registered.iter().filter_map(|one| {
            let def = slot(&known, &tables, one)?.def();
            let handle = match Handle::new(one, def) {
                Ok(handle) => handle,
                // Steps may be under way, and reads go on meanwhile.
                Err(_) if had.contains_key(&one.type_id) => Handle::reading(one, def)?,
                Err(_) => return None,
            };
            Some((one.type_id, handle))
        });
        let fitting = fitting.collect();
        self.replace_handles(&mut known, fitting, redefined);
    }

    /// The table of a struct, whatever it is called by now.
    pub(crate) fn slot<'t>(&self, tables: &'t Tables, registered: &Registered) -> Option<&'t Slot> {
        slot(&self.known.lock(), tables, registered)
    }

    /// `known` is locked from before the tables are looked at, so that no older handles replace newer ones.
    fn replace_handles(&self, known: &mut Known, handles: HashMap<TypeId, Handle>, redefined: u64) {
        known.extend(handles.iter().map(|(&of, handle)| (of, handle.id)));
        let had = self.handles();
        let replaced = |(of, handle): (TypeId, Handle)| {
            let handle = match had.get(&of) {
                Some(earlier) => handle.in_place_of(earlier),
                None => handle,
            };
            (of, Arc::new(handle))
        };
        self.handles.store(Arc::new(handles.into_iter().map(replaced).collect()));
        self.redefined.store(redefined, Ordering::Release);
    }

    /// Rewrites the metadata messages of the tables that changed after commit `since`, unless a checkpoint did it.
    pub(crate) async fn mirror(&self, since: Seq) {
        let creator = self.creator.lock().await;
        let checkpoint = self.engine.last().map(|last| last.checkpoint);
        let since = checkpoint.as_ref().map_or(since, |checkpoint| since.max(checkpoint.seq));
        let tables = self.engine.tables().clone();
        let (transport, genesis) = (&*creator.transport, &self.described());
        catalog::refresh(transport, genesis, self.bot.id, &tables, since, checkpoint.as_deref()).await;
    }

    /// What the journal began with, and how it is sealed now.
    pub(crate) fn described(&self) -> Genesis {
        self.engine.last().map_or(self.genesis, |last| last.checkpoint.root.genesis)
    }

    /// Keeps a task that is to be ended with the connection.
    pub(crate) fn keep(&self, helper: JoinHandle<()>) {
        self.helpers.lock().push(helper);
    }

    /// Lets the queue drain, writes the closing frame and ends the tasks. If it is dropped, the next call goes on
    /// waiting where it was.
    pub(crate) async fn close(&self) -> Result<()> {
        self.checkpoints.stop();
        self.engine.close();
        let mut flusher = self.flusher.lock().await;
        let ended = match flusher.as_mut() {
            Some(running) => running.await,
            None => Ok(()),
        };
        *flusher = None;
        self.helpers.lock().drain(..).for_each(|helper| helper.abort());
        ended.map_err(|_| Error::new(ErrorKind::UnknownOutcome, "the writer ended before its work did"))
    }
}

impl Drop for Link {
    /// A database that is dropped without `close` stops as a crash would: what was acknowledged is durable, the
    /// next opening finds no closing frame. Its tasks must not outlive it.
    fn drop(&mut self) {
        let tasks = self.flusher.get_mut().take().into_iter().chain(self.helpers.get_mut().drain(..));
        tasks.for_each(|task| task.abort());
    }
}

fn slot<'t>(known: &Known, tables: &'t Tables, registered: &Registered) -> Option<&'t Slot> {
    let known = known.get(&registered.type_id).and_then(|id| tables.get(*id));
    known.or_else(|| tables.named(registered.schema.name))
}
