//! Waiting for one's turn.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::Notify;

use super::{Limits, Outcome, Route, Ticket, Verdict};
use crate::env::SharedEnv;
use crate::transport::Room;

/// Where every request passes.
pub(crate) struct Gate {
    limits: Mutex<Limits>,
    changed: Notify,
    env: SharedEnv,
}

/// Too many requests were invalid; for how long none is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Spent(pub(crate) Duration);

impl Gate {
    pub(crate) fn new(env: SharedEnv) -> Arc<Self> {
        Arc::new(Self { limits: Mutex::new(Limits::default()), changed: Notify::new(), env })
    }

    /// A place behind all calls so far. A call keeps it for all its tries, so that a retry is not overtaken by
    /// what came later.
    pub(crate) fn place(self: &Arc<Self>, route: Route) -> Place {
        let mut limits = self.limits.lock();
        let ticket = limits.ticket();
        limits.join(route, ticket);
        Place { gate: Arc::clone(self), route, ticket }
    }

    /// Waits until a request of the route would leave at once.
    pub(crate) async fn ready(&self, route: Route) {
        self.wait(|limits, now| limits.ready(route, now)).await.ok();
    }

    /// How many more requests of the route may leave for now.
    pub(crate) fn room(&self, route: Route) -> Option<Room> {
        let now = self.env.monotonic();
        self.limits.lock().room(route, now)
    }

    async fn wait(&self, mut ask: impl FnMut(&mut Limits, Duration) -> Verdict) -> Result<(), Spent> {
        loop {
            let mut changed = std::pin::pin!(self.changed.notified());
            changed.as_mut().enable();
            let now = self.env.monotonic();
            let verdict = ask(&mut self.limits.lock(), now);
            match verdict {
                Verdict::Go => return Ok(()),
                Verdict::Later => changed.await,
                Verdict::At(time) => {
                    tokio::select! {
                        () = changed => {}
                        () = tokio::time::sleep(time.saturating_sub(now)) => {}
                    }
                }
                Verdict::Spent(over) => return Err(Spent(over.saturating_sub(now))),
            }
        }
    }

    fn finish(&self, ticket: Ticket, outcome: Outcome) {
        self.limits.lock().finish(ticket, outcome, self.env.monotonic());
        self.changed.notify_waiters();
    }
}

/// A call's place in the order. Dropped, it is given up.
pub(crate) struct Place {
    gate: Arc<Gate>,
    route: Route,
    ticket: Ticket,
}

impl Place {
    /// Waits until the request may leave, which it then must.
    pub(crate) async fn pass(&self) -> Result<Permit, Spent> {
        self.gate.limits.lock().join(self.route, self.ticket);
        let gate = &self.gate;
        let passed = gate.wait(|limits, now| limits.poll(self.route, self.ticket, now)).await;
        // The next in the queue may have its turn at once.
        gate.changed.notify_waiters();
        passed.map(|()| Permit { gate: Arc::clone(gate), ticket: self.ticket, finished: false })
    }

    /// Lets others go first until the next [`Place::pass`].
    pub(crate) fn step_aside(&self) {
        self.gate.limits.lock().leave(self.route, self.ticket);
        self.gate.changed.notify_waiters();
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.step_aside();
    }
}

/// A request on its way. Dropped, it counts as lost.
pub(crate) struct Permit {
    gate: Arc<Gate>,
    ticket: Ticket,
    finished: bool,
}

impl Permit {
    /// Tells what became of it.
    pub(crate) fn finish(mut self, outcome: Outcome) {
        self.finished = true;
        self.gate.finish(self.ticket, outcome);
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        if !self.finished {
            self.gate.finish(self.ticket, Outcome::Lost);
        }
    }
}
