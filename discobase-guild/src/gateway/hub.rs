//! The hub: all sessions, and the wake-up calls of the sockets that read them.
//!
//! Callers: the store publishes events, sockets open and resume sessions, tests cut sockets.
//! Invariant: a session is read by one connection at most; a newer reader puts the older one out.

use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::Arc;
use tokio::sync::Notify;
use tokio_tungstenite::tungstenite::Utf8Bytes;

use super::Close;
use super::session::{Asked, Lost, Session};
use crate::faults::{Action, Faults};
use crate::limits::{Limits, Window};
use crate::state::{Event, Snowflake};

/// What a socket is told to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    /// Break the connection without a word.
    Cut,
    /// Close it properly.
    Close(Close),
    /// Ask the client to reconnect and resume.
    Reconnect,
    /// Declare the session invalid.
    Invalidate,
    /// Declare the session invalid for now: it can be resumed.
    Suspend,
    /// Say nothing more for so many milliseconds, not even to heartbeats.
    Silence(u64),
}

/// The wake-up call of one socket.
#[derive(Debug, Default)]
pub(crate) struct Wake {
    pub(super) call: Notify,
    order: Mutex<Option<Order>>,
}

impl Wake {
    pub(super) fn take_order(&self) -> Option<Order> {
        self.order.lock().take()
    }

    fn give(&self, order: Order) {
        *self.order.lock() = Some(order);
        self.call.notify_one();
    }
}

/// All sessions.
pub(crate) struct Hub {
    inner: Mutex<Inner>,
    faults: Arc<Faults>,
}

#[derive(Default)]
struct Inner {
    sessions: HashMap<String, Session>,
    sockets: HashMap<u64, Arc<Wake>>,
    identifies: HashMap<Snowflake, (Window, Window)>,
    /// Events that wait for another one to pass them.
    held: Vec<Event>,
    last_socket: u64,
}

impl Inner {
    /// Gives an event to the sessions that asked for it, and wakes or cuts those who read them.
    fn hand_out(&mut self, event: &Event, cut: bool) {
        for session in self.sessions.values_mut() {
            if !session.push(event) {
                continue;
            }
            let Some(socket) = session.reader.ok().and_then(|reader| self.sockets.get(&reader)) else {
                continue;
            };
            if cut {
                socket.give(Order::Cut);
            } else {
                socket.call.notify_one();
            }
        }
    }
}

/// Why an identify is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refused {
    /// Too soon after the last one: the session is invalid at once.
    TooSoon,
    /// Too many in a day.
    TooMany,
}

impl Hub {
    pub(crate) fn new(faults: Arc<Faults>) -> Self {
        Self { inner: Mutex::default(), faults }
    }

    /// Hands events to the sessions that asked for them.
    pub(crate) fn publish(&self, events: &[Event]) {
        if events.is_empty() {
            return;
        }
        let mut inner = self.inner.lock();
        for event in events {
            let fault = self.faults.on_event(event.name);
            let copies = match fault {
                Some(Action::ReorderEvent) => {
                    inner.held.push(event.clone());
                    continue;
                }
                Some(Action::SwallowEvent) => 0,
                Some(Action::RepeatEvent) => 2,
                _ => 1,
            };
            let cut = fault == Some(Action::DropSocket);
            (0..copies).for_each(|_| inner.hand_out(event, cut));
            for late in std::mem::take(&mut inner.held) {
                inner.hand_out(&late, false);
            }
        }
    }

    pub(super) fn connect(&self) -> (u64, Arc<Wake>) {
        let mut inner = self.inner.lock();
        inner.last_socket += 1;
        let (number, wake) = (inner.last_socket, Arc::<Wake>::default());
        inner.sockets.insert(number, Arc::clone(&wake));
        (number, wake)
    }

    /// Counts an identify. Discord docs, "Gateway": Session Start Limit.
    pub(super) fn count_identify(
        &self,
        limits: &Limits,
        now_ms: u64,
        user: Snowflake,
    ) -> Result<(), Refused> {
        let mut inner = self.inner.lock();
        let (short, daily) = inner.identifies.entry(user).or_default();
        if let Some(rate) = limits.identify_daily {
            daily.check(rate, now_ms).map_err(|_| Refused::TooMany)?;
            daily.take(rate, now_ms);
        }
        if let Some(rate) = limits.identify {
            short.check(rate, now_ms).map_err(|_| Refused::TooSoon)?;
            short.take(rate, now_ms);
        }
        Ok(())
    }

    /// What is left of the day's identifies, and in how many milliseconds the day ends.
    pub(crate) fn identifies_left(&self, limits: &Limits, now_ms: u64, user: Snowflake) -> (u64, u64, u64) {
        let Some(rate) = limits.identify_daily else { return (1000, 1000, 0) };
        let mut inner = self.inner.lock();
        let (_, daily) = inner.identifies.entry(user).or_default();
        let _full = daily.check(rate, now_ms);
        (rate.count, daily.remaining(rate), daily.ends_in(rate, now_ms))
    }

    /// Opens a session that begins with these events.
    pub(super) fn open(&self, id: &str, asked: Asked, reader: u64, keeps: usize, first: &[(&str, String)]) {
        let mut session = Session::new(asked, reader, keeps.max(first.len()));
        for (name, data) in first {
            session.push_data(name, data);
        }
        self.inner.lock().sessions.insert(id.to_owned(), session);
    }

    /// Adds an event to one session.
    pub(super) fn push_to(&self, id: &str, name: &str, data: &str) {
        if let Some(session) = self.inner.lock().sessions.get_mut(id) {
            session.push_data(name, data);
        }
    }

    /// Lets a new connection read a session from where the old one stopped.
    pub(super) fn resume(
        &self,
        limits: &Limits,
        now_ms: u64,
        id: &str,
        user: Snowflake,
        sequence: u64,
        reader: u64,
    ) -> Result<Asked, Lost> {
        let mut inner = self.inner.lock();
        let window = limits.resume_window_ms;
        let Inner { sessions, sockets, .. } = &mut *inner;
        sessions.retain(|_, session| session.reader.is_ok_or_after(now_ms, window));
        let session = sessions.get_mut(id).filter(|session| session.asked.user_id == user);
        let session = session.ok_or(Lost::Forgotten)?;
        session.after(sequence).map(drop)?;
        if let Ok(older) = std::mem::replace(&mut session.reader, Ok(reader))
            && let Some(socket) = sockets.get(&older)
        {
            socket.give(Order::Cut);
        }
        session.push_data("RESUMED", "{}");
        Ok(session.asked)
    }

    /// The events of a session after a sequence number; nothing if the session was lost meanwhile.
    pub(super) fn read(&self, id: &str, reader: u64, sequence: u64) -> Option<Vec<(u64, Utf8Bytes)>> {
        let inner = self.inner.lock();
        let session = inner.sessions.get(id).filter(|session| session.reader == Ok(reader))?;
        session.after(sequence).ok().map(Iterator::collect)
    }

    /// A connection is gone. The session stays for a resume unless the client ended it.
    pub(super) fn disconnect(
        &self,
        limits: &Limits,
        reader: u64,
        session: Option<&str>,
        ended: bool,
        now_ms: u64,
    ) {
        let mut inner = self.inner.lock();
        inner.sockets.remove(&reader);
        let window = limits.resume_window_ms;
        inner.sessions.retain(|_, session| session.reader.is_ok_or_after(now_ms, window));
        let Some(id) = session else { return };
        let Some(found) = inner.sessions.get_mut(id).filter(|session| session.reader == Ok(reader)) else {
            return;
        };
        found.reader = Err(now_ms);
        if ended {
            inner.sessions.remove(id);
        }
    }

    /// Takes a session away from the connection that reads it; the session stays for a resume.
    pub(super) fn suspend(&self, id: &str, reader: u64, now_ms: u64) {
        let mut inner = self.inner.lock();
        if let Some(session) = inner.sessions.get_mut(id).filter(|session| session.reader == Ok(reader)) {
            session.reader = Err(now_ms);
        }
    }

    /// Ends a session that a connection reads.
    pub(super) fn end(&self, id: &str, reader: u64) {
        self.inner.lock().sessions.retain(|one, session| one != id || session.reader != Ok(reader));
    }

    /// What the client of a session asked for.
    pub(super) fn asked(&self, id: &str) -> Option<Asked> {
        self.inner.lock().sessions.get(id).map(|session| session.asked)
    }

    /// How many sessions a connection reads.
    pub(crate) fn sessions(&self) -> usize {
        self.inner.lock().sessions.values().filter(|session| session.reader.is_ok()).count()
    }

    /// Gives an order to every socket. Says how many there were.
    pub(crate) fn order_all(&self, order: Order) -> usize {
        let inner = self.inner.lock();
        inner.sockets.values().for_each(|socket| socket.give(order));
        inner.sockets.len()
    }

    /// Forgets sessions that no connection reads: who resumes one of them must identify anew.
    pub(crate) fn forget_sessions(&self) {
        self.inner.lock().sessions.retain(|_, session| session.reader.is_ok());
    }
}

trait Since {
    fn is_ok_or_after(&self, now_ms: u64, window_ms: u64) -> bool;
}

impl Since for Result<u64, u64> {
    fn is_ok_or_after(&self, now_ms: u64, window_ms: u64) -> bool {
        self.map_or_else(|since| now_ms < since.saturating_add(window_ms), |_| true)
    }
}
