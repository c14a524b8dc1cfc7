//! Panics: those of a run's tasks are violations of that run, though the runtime swallows them.

use std::cell::RefCell;
use std::sync::Once;

thread_local! {
    /// What panicked on this thread while a run was under way.
    static CAUGHT: RefCell<Option<Vec<String>>> = const { RefCell::new(None) };
}

/// Runs something and collects the panics of the tasks it runs on this thread.
pub(crate) fn catch<R>(run: impl FnOnce() -> R) -> (R, Vec<String>) {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            let ours = CAUGHT
                .with_borrow_mut(|caught| caught.as_mut().map(|all| all.push(panic.to_string())).is_some());
            if !ours {
                before(panic);
            }
        }));
    });
    CAUGHT.set(Some(Vec::new()));
    let result = run();
    (result, CAUGHT.take().unwrap_or_default())
}
