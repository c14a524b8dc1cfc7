//! Holding commits back for a moment: while the key is changed, no frame with commits may be posted.

use std::sync::Arc;

use crate::db::engine::Engine;

/// Commits are accepted, but wait until it is dropped.
pub(crate) struct Hold(Arc<Engine>);

impl Engine {
    /// From the next frame on, commits wait. Whoever takes a cut afterwards has all that came before.
    pub(crate) fn hold(self: &Arc<Self>) -> Hold {
        self.newest.lock().held = true;
        Hold(Arc::clone(self))
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.0.newest.lock().held = false;
        self.0.wake.notify_one();
    }
}
