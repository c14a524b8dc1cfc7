//! The gateway: who hears of what, and what is lost, repeated or late on the way.

use std::sync::Arc;
use std::time::Duration;

use discobase_core::transport::Event;
use discobase_core::{ChannelId, MessageId};
use discobase_guild::state::{self, Snowflake, State};
use tokio::sync::mpsc::UnboundedSender;
use tokio::time::{Instant, sleep};

use crate::convert;
use crate::process::Process;
use crate::rng::Rng;
use crate::trace::Trace;
use crate::world::World;

/// One process's session.
pub(crate) struct Subscriber {
    pub(crate) process: Arc<Process>,
    pub(crate) events: UnboundedSender<Event>,
    /// Until when the session is lost: what happens meanwhile is never told.
    pub(crate) lost_until: Option<Instant>,
}

impl Subscriber {
    /// Sends an event on its way.
    pub(crate) fn send(
        &mut self,
        world: &World,
        event: &Event,
        rng: &mut Rng,
        trace: &mut Trace,
        healed: bool,
    ) {
        let (chances, now) = (world.plan.chances, Instant::now());
        if self.lost_until.is_some_and(|until| now < until) {
            return;
        }
        if !healed && rng.chance(chances.gap) {
            let away = Duration::from_millis(rng.between(100, 20_000));
            self.lost_until = Some(now + away);
            trace.counts.faults += 1;
            return self.later(away + Duration::from_millis(1), Event::Gap);
        }
        let strange = if healed { 0.0 } else { chances.event };
        let (lost, twice, late) = (rng.chance(strange), rng.chance(strange), rng.chance(strange));
        trace.counts.faults += u64::from(lost || twice || late);
        let slowest = if late { 10_000 } else { world.plan.latency };
        if lost {
            return;
        }
        for _ in 0..=u8::from(twice) {
            self.later(Duration::from_millis(rng.between(1, slowest)), event.clone());
        }
    }

    fn later(&self, wait: Duration, event: Event) {
        let (process, events) = (Arc::clone(&self.process), self.events.clone());
        tokio::spawn(async move {
            sleep(wait).await;
            process.reached().await;
            // Nobody listens any more, perhaps.
            drop(events.send(event));
        });
    }
}

/// What the guild says happened, in the engine's words.
pub(crate) fn translate(state: &State, event: &state::Event) -> Vec<Event> {
    let bot = state.home().bot_id;
    let Some(delivery) = event.deliveries.iter().find(|one| one.user_id == bot) else { return Vec::new() };
    let Ok(data) = serde_json::from_str::<serde_json::Value>(&delivery.data) else { return Vec::new() };
    let id = |name: &str| data.get(name).and_then(|id| id.as_str()?.parse::<Snowflake>().ok()).unwrap_or(0);
    let (channel, one) = (ChannelId::new(id("channel_id")), id("id"));
    match event.name {
        "MESSAGE_CREATE" => match state.message(channel.get(), one) {
            Some(message) => vec![Event::Posted(convert::message(state, message))],
            None => Vec::new(),
        },
        "MESSAGE_UPDATE" => vec![Event::Edited { channel, message: MessageId::new(one) }],
        "MESSAGE_DELETE" => vec![Event::Deleted { channel, message: MessageId::new(one) }],
        "MESSAGE_DELETE_BULK" => {
            let ids = data.get("ids").and_then(|ids| ids.as_array()).into_iter().flatten();
            let ids = ids.filter_map(|id| id.as_str()?.parse().ok());
            ids.map(|id| Event::Deleted { channel, message: MessageId::new(id) }).collect()
        }
        "CHANNEL_CREATE" | "CHANNEL_UPDATE" => {
            state.channel(one).map(convert::channel).map(Event::Channel).into_iter().collect()
        }
        "CHANNEL_DELETE" => vec![Event::ChannelDeleted(ChannelId::new(one))],
        _ => Vec::new(),
    }
}
