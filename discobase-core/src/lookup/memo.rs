//! What was fetched once is kept, within a budget; who wants what is being fetched waits for it.

use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::OnceCell;

/// Values by key, the least recently used of which make room.
pub(super) struct Memo<K, V>(Mutex<State<K, V>>);

struct State<K, V> {
    kept: HashMap<K, Kept<V>, foldhash::fast::RandomState>,
    /// The keys by when they were used last.
    used: BTreeMap<u64, K>,
    clock: u64,
    size: usize,
    budget: usize,
    /// What is being fetched. Who gives up waiting leaves an empty cell, which the next one fills.
    flying: HashMap<K, Arc<OnceCell<V>>, foldhash::fast::RandomState>,
}

struct Kept<V> {
    value: V,
    size: usize,
    used: u64,
}

impl<K: Clone + Eq + Hash, V: Clone> Memo<K, V> {
    /// Keeps values of `budget` together, in what their sizes are given in.
    pub(super) fn new(budget: usize) -> Self {
        Self(Mutex::new(State {
            kept: HashMap::default(),
            used: BTreeMap::new(),
            clock: 0,
            size: 0,
            budget,
            flying: HashMap::default(),
        }))
    }

    /// Whether a value is kept.
    pub(super) fn has(&self, key: &K) -> bool {
        self.0.lock().kept.contains_key(key)
    }

    /// The value of a key: kept, or fetched now, by one caller for all that wait.
    pub(super) async fn get<E>(
        &self,
        key: &K,
        size: impl FnOnce(&V) -> usize,
        fetch: impl Future<Output = Result<V, E>>,
    ) -> Result<V, E> {
        let cell = {
            let mut state = self.0.lock();
            if let Some(value) = state.used(key) {
                return Ok(value);
            }
            Arc::clone(state.flying.entry(key.clone()).or_default())
        };
        let fetched = cell.get_or_try_init(|| fetch).await.cloned();
        let mut state = self.0.lock();
        let is_mine = state.flying.get(key).is_some_and(|flying| Arc::ptr_eq(flying, &cell));
        if is_mine {
            state.flying.remove(key);
            if let Ok(value) = &fetched {
                state.keep(key.clone(), value.clone(), size(value));
            }
        }
        fetched
    }

    /// The value of a key, if it is kept.
    pub(super) fn peek(&self, key: &K) -> Option<V> {
        self.0.lock().used(key)
    }

    /// Keeps a value that came with something else.
    pub(super) fn put(&self, key: K, value: V, size: usize) {
        self.0.lock().keep(key, value, size);
    }

    /// Forgets a value that turned out not to hold any more.
    pub(super) fn forget(&self, key: &K) {
        self.0.lock().remove(key);
    }

    /// The size of what is kept.
    #[cfg(test)]
    pub(super) fn size(&self) -> usize {
        self.0.lock().size
    }
}

impl<K: Clone + Eq + Hash, V: Clone> State<K, V> {
    fn used(&mut self, key: &K) -> Option<V> {
        let kept = self.kept.get_mut(key)?;
        self.clock += 1;
        self.used.remove(&kept.used);
        self.used.insert(self.clock, key.clone());
        kept.used = self.clock;
        Some(kept.value.clone())
    }

    fn keep(&mut self, key: K, value: V, size: usize) {
        self.remove(&key);
        // What exceeds the budget alone would only drive out everything else.
        if size > self.budget {
            return;
        }
        self.clock += 1;
        self.size += size;
        self.used.insert(self.clock, key.clone());
        self.kept.insert(key, Kept { value, size, used: self.clock });
        while self.size > self.budget
            && let Some((_, oldest)) = self.used.pop_first()
        {
            self.remove(&oldest);
        }
    }

    fn remove(&mut self, key: &K) {
        if let Some(old) = self.kept.remove(key) {
            self.used.remove(&old.used);
            self.size -= old.size;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::convert::Infallible;

    use super::*;

    async fn get(memo: &Memo<u32, u32>, key: u32, fetches: &Cell<u32>) -> u32 {
        let fetch = async {
            fetches.set(fetches.get() + 1);
            tokio::task::yield_now().await;
            Ok::<_, Infallible>(key * 2)
        };
        memo.get(&key, |_| 10, fetch).await.unwrap()
    }

    #[tokio::test]
    async fn what_is_used_least_makes_room() {
        let (memo, fetches) = (Memo::new(30), Cell::new(0));
        for key in [1, 2, 3, 1, 4] {
            assert_eq!(get(&memo, key, &fetches).await, key * 2);
        }
        assert_eq!((fetches.get(), memo.size()), (4, 30));
        get(&memo, 1, &fetches).await;
        assert_eq!(fetches.get(), 4, "it was used after 2");
        get(&memo, 2, &fetches).await;
        assert_eq!(fetches.get(), 5, "it made room");
        memo.forget(&1);
        assert_eq!(memo.size(), 20);
        get(&memo, 1, &fetches).await;
        assert_eq!(fetches.get(), 6);
    }

    #[tokio::test]
    async fn what_is_fetched_is_fetched_once() {
        let (memo, fetches) = (Memo::new(30), Cell::new(0));
        let all = futures_util::future::join_all((0..50).map(|_| get(&memo, 7, &fetches))).await;
        assert_eq!((all, fetches.get()), (vec![14; 50], 1));
    }

    #[tokio::test]
    async fn a_failed_fetch_is_tried_again_and_a_dropped_one_too() {
        let memo: Memo<u32, u32> = Memo::new(30);
        assert_eq!(memo.get(&1, |_| 10, async { Err("lost") }).await, Err("lost"));
        let never = memo.get(&1, |_| 10, std::future::pending::<Result<u32, ()>>());
        assert!(futures_util::future::FutureExt::now_or_never(never).is_none());
        assert_eq!(memo.get(&1, |_| 10, async { Ok::<_, ()>(5) }).await, Ok(5));
        let huge = memo.get(&2, |_| 31, async { Ok::<_, ()>(6) }).await;
        assert_eq!((huge, memo.size()), (Ok(6), 10), "it is not kept");
    }
}
