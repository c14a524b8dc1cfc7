//! What clients send to the gateway. Pure: from text to a command or the close code it deserves.
//!
//! Discord docs, "Gateway Events": Send Events; "Opcodes and Status Codes": Gateway Opcodes.

use serde_json::Value;

use super::Close;

/// A payload from a client.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Command {
    Heartbeat,
    Identify(Identify),
    Resume {
        token: String,
        session_id: String,
        sequence: u64,
    },
    RequestMembers {
        guild_id: u64,
        query: Option<String>,
        user_ids: Vec<u64>,
        limit: usize,
        nonce: Option<String>,
    },
    /// Presence, voice state, soundboard: taken note of, without effect.
    Ignored,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Identify {
    pub(super) token: String,
    pub(super) intents: u64,
    pub(super) shard: Option<(u64, u64)>,
    /// Guilds with more members are large.
    pub(super) large_threshold: usize,
}

pub(super) fn parse(text: &str) -> Result<Command, Close> {
    let value: Value = serde_json::from_str(text).map_err(|_| Close::DecodeError)?;
    let op = value.get("op").and_then(Value::as_u64).ok_or(Close::DecodeError)?;
    let data = value.get("d").unwrap_or(&Value::Null);
    match op {
        1 => Ok(Command::Heartbeat),
        2 => identify(data).map(Command::Identify),
        3 | 4 | 31 => Ok(Command::Ignored),
        6 => Ok(Command::Resume {
            token: string(data, "token")?,
            session_id: string(data, "session_id")?,
            sequence: data.get("seq").and_then(Value::as_u64).ok_or(Close::DecodeError)?,
        }),
        8 => Ok(Command::RequestMembers {
            guild_id: id(data.get("guild_id").unwrap_or(&Value::Null)).ok_or(Close::DecodeError)?,
            query: data.get("query").and_then(Value::as_str).map(str::to_owned),
            user_ids: match data.get("user_ids") {
                Some(Value::Array(list)) => list.iter().filter_map(id).collect(),
                Some(one) => id(one).into_iter().collect(),
                None => Vec::new(),
            },
            limit: data
                .get("limit")
                .and_then(Value::as_u64)
                .and_then(|limit| usize::try_from(limit).ok())
                .unwrap_or(0),
            nonce: data.get("nonce").and_then(Value::as_str).map(str::to_owned),
        }),
        _ => Err(Close::UnknownOpcode),
    }
}

fn identify(data: &Value) -> Result<Identify, Close> {
    let shard = match data.get("shard") {
        None | Some(Value::Null) => None,
        Some(shard) => {
            let number = |n: usize| shard.get(n).and_then(Value::as_u64).ok_or(Close::InvalidShard);
            let (id, count) = (number(0)?, number(1)?);
            if id >= count {
                return Err(Close::InvalidShard);
            }
            Some((id, count))
        }
    };
    // Discord docs, "Gateway": Gateway Intents. Since API v8 an identify without intents is invalid.
    let intents = data.get("intents").and_then(Value::as_u64).ok_or(Close::InvalidIntents)?;
    if !data.get("properties").is_some_and(Value::is_object) {
        return Err(Close::DecodeError);
    }
    // Discord docs, "Gateway Events": Identify Structure. Between 50, the default, and 250.
    let large = data.get("large_threshold").and_then(Value::as_u64).unwrap_or(50).clamp(50, 250);
    let large_threshold = usize::try_from(large).unwrap_or(50);
    Ok(Identify { token: string(data, "token")?, intents, shard, large_threshold })
}

fn string(data: &Value, name: &str) -> Result<String, Close> {
    data.get(name).and_then(Value::as_str).map(str::to_owned).ok_or(Close::DecodeError)
}

fn id(value: &Value) -> Option<u64> {
    value.as_str().and_then(|text| text.parse().ok()).or_else(|| value.as_u64())
}
