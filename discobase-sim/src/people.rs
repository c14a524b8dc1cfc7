//! People: they post into the database's channels, and now and then delete what they should not.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use discobase_guild::state::{Message, Snowflake, State, channel_kind};
use serde_json::Value;
use tokio::time::sleep;

use crate::rng::Rng;
use crate::world::World;

/// People write into the database's channels, now and then: nonsense, and copies of what is there.
pub(crate) async fn moderate(world: Arc<World>, mut rng: Rng) {
    while world.elapsed() < world.plan.duration {
        sleep(Duration::from_millis(rng.between(1_000, 60_000))).await;
        let nonsense = rng.chance(0.5);
        let which = rng.next();
        let posted = world.with(|inner, now_ms| {
            let state = &mut inner.state;
            let home = state.home();
            let channel = one_of(
                &state.channels_of(home.guild_id).map(|channel| channel.id).collect::<Vec<_>>(),
                which,
            )?;
            let copied = state.messages_in(channel).next_back().map(|message| message.content.clone());
            let text = copied
                .filter(|text| !nonsense && !text.is_empty())
                .unwrap_or_else(|| "what is this?".to_owned());
            state
                .post_as(now_ms, home.owner_id, channel, &text)
                .ok()
                .map(|posted| (channel, posted.message.id))
        });
        if let Some((channel, message)) = posted {
            world.note(&format!("the owner posts {message} in {channel}"));
        }
    }
}

/// What people delete. Never the newest frame: without it a shorter chain remains, and nothing proves that it was longer.
/// Nor one of several copies of a frame: without the first, the frame is as young as the second, and nothing proves that it
/// was older.
#[derive(Debug, Clone, Copy)]
enum Victim {
    /// A frame that another one follows, and that was posted once.
    Frame,
    /// A message in the channel of a table or an index.
    Segment,
    /// A channel of the database, with all that is in it.
    Channel,
}

/// People delete what belongs to the database: so many messages or channels.
pub(crate) async fn vandalise(world: Arc<World>, mut rng: Rng) {
    for _ in 0..world.plan.deletions {
        sleep(Duration::from_millis(rng.below(world.plan.duration))).await;
        let victim =
            rng.pick(Victim::Frame, &[Victim::Frame, Victim::Segment, Victim::Segment, Victim::Channel]);
        let which = rng.next();
        let deleted = world.with(|inner, now_ms| {
            let state = &mut inner.state;
            let channels: Vec<(Snowflake, String)> = (state.channels_of(state.home().guild_id))
                .filter(|channel| channel.kind == channel_kind::TEXT)
                .filter_map(|channel| Some((channel.id, role(channel.topic.as_deref()?)?)))
                .collect();
            let of = |wanted: &dyn Fn(&str) -> bool| -> Vec<Snowflake> {
                channels.iter().filter(|(_, role)| wanted(role)).map(|(id, _)| *id).collect()
            };
            let gone = match victim {
                Victim::Channel => {
                    let channel = one_of(&of(&|_| true), which)?;
                    state.delete_channel_as_owner(channel).ok().map(|()| format!("channel {channel}"))
                }
                Victim::Frame => {
                    let frames = of(&|role| role == "journal").into_iter().flat_map(|id| followed(state, id));
                    let (channel, message) = one_of(&frames.collect::<Vec<_>>(), which)?;
                    let deleted = state.delete_as_moderator(now_ms, channel, message);
                    deleted.ok().map(|()| format!("frame {message} in {channel}"))
                }
                Victim::Segment => {
                    let segments = of(&|role| role == "table" || role == "index").into_iter();
                    let bot = state.home().bot_id;
                    let own = |id| {
                        let own = state.messages_in(id).filter(move |message| message.author_id == bot);
                        own.map(move |message| (id, message.id))
                    };
                    let (channel, message) = one_of(&segments.flat_map(own).collect::<Vec<_>>(), which)?;
                    let deleted = state.delete_as_moderator(now_ms, channel, message);
                    deleted.ok().map(|()| format!("segment {message} in {channel}"))
                }
            };
            if gone.is_some() {
                inner.vandalised = true;
                inner.trace.counts.deletions += 1;
            }
            gone
        });
        if let Some(what) = deleted {
            world.note(&format!("the owner deletes {what}"));
        }
    }
}

fn one_of<T: Copy>(all: &[T], which: u64) -> Option<T> {
    let at = which.checked_rem(all.len() as u64)?;
    all.get(usize::try_from(at).ok()?).copied()
}

/// The role that a channel's topic says.
fn role(topic: &str) -> Option<String> {
    let topic: Value = serde_json::from_str(topic).ok()?;
    topic.get("role")?.as_str().map(str::to_owned)
}

/// The messages of a journal whose frames are followed by others, and in no other message.
fn followed(state: &State, journal: Snowflake) -> Vec<(Snowflake, Snowflake)> {
    let bot = state.home().bot_id;
    let own = || state.messages_in(journal).filter(|message| message.author_id == bot);
    let followed: BTreeSet<String> = own().filter_map(|message| field(message, "prev")).collect();
    let sums = || own().filter_map(|message| Some((field(message, "sum")?, message.id)));
    let alone = |sum: &str| sums().filter(|(other, _)| other == sum).count() == 1;
    sums().filter(|(sum, _)| followed.contains(sum) && alone(sum)).map(|(_, id)| (journal, id)).collect()
}

/// A field of the frame that a message shows.
fn field(message: &Message, name: &str) -> Option<String> {
    let text = message.content.trim_start_matches("```json\n").trim_end_matches("\n```");
    let frame: Value = serde_json::from_str(text).ok()?;
    frame.get(name)?.as_str().map(str::to_owned)
}
