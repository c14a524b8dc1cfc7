//! Handing the gateway's events to everyone who asked for them.

use parking_lot::Mutex;
use tokio::sync::{mpsc, watch};

use crate::transport::{Event, Events};

/// How far the gateway session is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Stage {
    /// Not there yet; the last thing that went wrong, if any.
    Connecting(Option<String>),
    /// Every event from now on is handed on.
    Open,
    /// Over, with the close code if there was one, and the reason.
    Closed(Option<u16>, String),
}

/// The listeners and the stage.
#[derive(Debug)]
pub(super) struct Feed {
    listeners: Mutex<Vec<mpsc::UnboundedSender<Event>>>,
    stage: watch::Sender<Stage>,
}

impl Feed {
    pub(super) fn new() -> Self {
        Self { listeners: Mutex::new(Vec::new()), stage: watch::Sender::new(Stage::Connecting(None)) }
    }

    /// Everything from now on.
    pub(super) fn listen(&self) -> Events {
        let (sender, events) = mpsc::unbounded_channel();
        self.listeners.lock().push(sender);
        events
    }

    /// Hands an event to all listeners, and forgets those who have left.
    pub(super) fn tell(&self, event: &Event) {
        self.listeners.lock().retain(|listener| listener.send(event.clone()).is_ok());
    }

    /// Follows the stage.
    pub(super) fn stage(&self) -> watch::Receiver<Stage> {
        self.stage.subscribe()
    }

    /// Notes what goes wrong before the session is there.
    pub(super) fn trouble(&self, why: String) {
        self.stage.send_if_modified(|stage| match stage {
            Stage::Connecting(known) => {
                *known = Some(why);
                true
            }
            _ => false,
        });
    }

    /// The session is there.
    pub(super) fn open(&self) {
        self.stage.send_if_modified(|stage| {
            let connecting = matches!(stage, Stage::Connecting(_));
            if connecting {
                *stage = Stage::Open;
            }
            connecting
        });
    }

    /// The session is over, for good. Only the first reason counts.
    pub(super) fn close(&self, code: Option<u16>, why: &str) {
        let first = self.stage.send_if_modified(|stage| {
            let first = !matches!(stage, Stage::Closed(..));
            if first {
                *stage = Stage::Closed(code, why.to_owned());
            }
            first
        });
        if first {
            self.tell(&Event::Closed(why.to_owned()));
            self.listeners.lock().clear();
        }
    }
}
