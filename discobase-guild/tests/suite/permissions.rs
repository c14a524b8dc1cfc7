//! Permissions: Discord's order of roles and overwrites, and what each missing bit does.

use crate::support::{Client, general, guild};
use discobase_guild::state::permission::{self as bit, in_channel};
use discobase_guild::state::{NewChannel, Overwrite};
use serde_json::json;

fn role(id: u64, allow: u64, deny: u64) -> Overwrite {
    Overwrite { id, member: false, allow, deny }
}

fn member(id: u64, allow: u64, deny: u64) -> Overwrite {
    Overwrite { id, member: true, allow, deny }
}

#[tokio::test]
async fn overwrites_apply_in_discords_order() {
    let (guild, _) = guild().await;
    let (home, bot, channel) = (guild.guild_id(), guild.application_id(), general(&guild));
    guild.with_state(|state, _| {
        let own_role = state.guild(home).unwrap().members[&bot].roles[0];
        let may = |state: &discobase_guild::state::State, bits| {
            let (guild, channel) = (state.guild(home).unwrap(), state.channel(channel).unwrap());
            in_channel(guild, channel, bot) & bits == bits
        };
        assert!(may(state, bit::BOT_DEFAULT));
        let mut set = |overwrite| state.put_overwrite_as_owner(channel, overwrite).unwrap();
        set(role(home, 0, bit::SEND_MESSAGES | bit::VIEW_CHANNEL));
        set(role(own_role, bit::VIEW_CHANNEL | bit::SEND_MESSAGES, 0));
        assert!(may(state, bit::SEND_MESSAGES));
        state.put_overwrite_as_owner(channel, member(bot, 0, bit::SEND_MESSAGES)).unwrap();
        assert!(!may(state, bit::SEND_MESSAGES) && may(state, bit::VIEW_CHANNEL));
        // Without SEND_MESSAGES there are no files either.
        assert!(!may(state, bit::ATTACH_FILES));
        state.put_overwrite_as_owner(channel, member(bot, 0, bit::VIEW_CHANNEL)).unwrap();
        assert!(!may(state, bit::READ_MESSAGE_HISTORY));
        // The owner and administrators are above all that.
        let (guild, channel) = (state.guild(home).unwrap(), state.channel(channel).unwrap());
        assert_eq!(in_channel(guild, channel, guild.owner_id), u64::MAX);
        state.set_bot_permissions(home, bot, bit::ADMINISTRATOR).unwrap();
        assert!(may(state, bit::MANAGE_ROLES));
    });
}

#[tokio::test]
async fn a_hidden_channel_is_absent_and_inaccessible() {
    let (guild, _) = guild().await;
    let client = Client::of(&guild);
    let channel = general(&guild);
    let own = guild.with_state(|state, _| {
        state.put_overwrite_as_owner(channel, role(guild.guild_id(), 0, bit::VIEW_CHANNEL)).unwrap();
        state.guild(guild.guild_id()).unwrap().members[&guild.application_id()].roles[0]
    });
    // The bot's role allows it in the guild, but @everyone's overwrite comes after that.
    assert_eq!(client.get(&format!("/guilds/{}/channels", guild.guild_id())).await.ok(), json!([]));
    for path in ["", "/messages", "/messages/1"] {
        assert_eq!(client.get(&format!("/channels/{channel}{path}")).await.error(), (403, 50001));
    }
    assert_eq!(
        client.post(&format!("/channels/{channel}/messages"), json!({"content": "x"})).await.error(),
        (403, 50001)
    );
    assert_eq!(client.delete(&format!("/channels/{channel}")).await.error(), (403, 50001));
    guild.with_state(|state, _| {
        state.put_overwrite_as_owner(channel, role(own, bit::VIEW_CHANNEL, 0)).unwrap();
    });
    assert_eq!(client.get(&format!("/channels/{channel}")).await.status, 200);
}

#[tokio::test]
async fn each_missing_permission_has_its_effect() {
    let (guild, _) = guild().await;
    let client = Client::of(&guild);
    let (home, channel) = (guild.guild_id(), general(&guild));
    let messages = format!("/channels/{channel}/messages");
    let foreign = guild.post_as(guild.owner_id(), channel, "x").unwrap().message.id;
    guild.with_state(|state, _| state.set_role_permissions(home, home, 0).unwrap());
    let without = |bits: u64| guild.set_bot_permissions(bit::BOT_DEFAULT & !bits);

    without(bit::READ_MESSAGE_HISTORY);
    assert_eq!(client.get(&messages).await.ok(), json!([]));
    assert_eq!(client.get(&format!("{messages}/{foreign}")).await.error(), (403, 50001));
    without(bit::SEND_MESSAGES);
    assert_eq!(client.post(&messages, json!({"content": "x"})).await.error(), (403, 50013));
    assert_eq!(client.post(&format!("/channels/{channel}/typing"), json!(null)).await.error(), (403, 50013));
    without(bit::ATTACH_FILES);
    let reply = client.upload("POST", &messages, &json!({"content": "x"}), &[(0, "a", b"a")]).await;
    assert_eq!(reply.error(), (403, 50013));
    without(bit::EMBED_LINKS);
    let reply = client.post(&messages, json!({"content": "x", "embeds": [{"title": "t"}]})).await.ok();
    assert_eq!(reply["embeds"], json!([]));
    without(bit::MANAGE_MESSAGES);
    assert_eq!(client.delete(&format!("{messages}/{foreign}")).await.error(), (403, 50013));
    let bulk = json!({"messages": ["1", "2"]});
    assert_eq!(client.post(&format!("{messages}/bulk-delete"), bulk).await.error(), (403, 50013));
    without(bit::MANAGE_CHANNELS);
    let channels = format!("/guilds/{home}/channels");
    assert_eq!(client.post(&channels, json!({"name": "x"})).await.error(), (403, 50013));
    assert_eq!(
        client.patch(&format!("/channels/{channel}"), json!({"name": "x"})).await.error(),
        (403, 50013)
    );
    assert_eq!(
        client.patch(&channels, json!([{"id": channel.to_string(), "position": 1}])).await.error(),
        (403, 50013)
    );
    assert_eq!(client.delete(&format!("/channels/{channel}")).await.error(), (403, 50013));
    without(bit::MANAGE_ROLES);
    let put =
        client.send("PUT", &format!("/channels/{channel}/permissions/{home}"), json!({"deny": "1024"})).await;
    assert_eq!(put.error(), (403, 50013));
    let patch = json!({"permission_overwrites": []});
    assert_eq!(client.patch(&format!("/channels/{channel}"), patch).await.error(), (403, 50013));
    without(bit::VIEW_CHANNEL);
    assert_eq!(client.get(&format!("/channels/{channel}")).await.error(), (403, 50001));
    // All these refusals count towards the invalid request limit.
    assert_eq!(guild.stats().invalid, 13);
}

#[tokio::test]
async fn overwrites_are_put_and_deleted() {
    let (guild, _) = guild().await;
    let client = Client::of(&guild);
    let (home, channel) = (guild.guild_id(), general(&guild));
    let path = format!("/channels/{channel}/permissions");
    let reply = client.send("PUT", &format!("{path}/{home}"), json!({"type": 0, "deny": "2048"})).await;
    assert_eq!(reply.status, 204);
    let read = client.get(&format!("/channels/{channel}")).await.ok();
    assert_eq!(
        read["permission_overwrites"],
        json!([{"id": home.to_string(), "type": 0, "allow": "0", "deny": "2048"}])
    );
    // Only what the bot holds itself; MANAGE_ROLES only by administrators.
    for bits in [bit::MANAGE_GUILD, bit::MANAGE_ROLES] {
        let body = json!({"type": 0, "allow": bits.to_string()});
        assert_eq!(client.send("PUT", &format!("{path}/{home}"), body).await.error(), (403, 50013));
    }
    assert_eq!(client.delete(&format!("{path}/{home}")).await.status, 204);
    assert_eq!(client.delete(&format!("{path}/{home}")).await.error(), (404, 10009));
}

#[tokio::test]
async fn overwrites_of_a_new_channel_have_rules() {
    let (guild, _) = guild().await;
    let (home, bot) = (guild.guild_id(), guild.application_id());
    guild.with_state(|state, now_ms| {
        let mut create = |overwrites| {
            let new = NewChannel { name: "x".into(), overwrites: Some(overwrites), ..NewChannel::default() };
            state.create_channel(now_ms, bot, home, new).map_err(|refusal| refusal.code)
        };
        assert!(create(vec![role(home, 0, bit::VIEW_CHANNEL), member(bot, bit::VIEW_CHANNEL, 0)]).is_ok());
        assert_eq!(create(vec![role(home, bit::MANAGE_GUILD, 0)]).err(), Some(50013));
        assert_eq!(create(vec![role(home, bit::MANAGE_ROLES, 0)]).err(), Some(50013));
        let many = |count| (1..=count).map(|id| role(id, 0, 0)).collect();
        assert_eq!(create(many(101)).err(), Some(50035));
        assert!(create(many(100)).is_ok());
    });
}
