//! From a field's JSON to a column's value.

use discobase_core::{ColumnType, Value};
use serde_json::Value as Json;
use twilight_model::util::Timestamp;
use uuid::Uuid;

/// The column's value for `json`. Whether it is in the range of the field's own type is for the field to say.
pub(crate) fn value(ty: ColumnType, json: &Json) -> Result<Value, String> {
    let converted = match (ty, json) {
        (ColumnType::Json, _) => Some(Value::Text(json.to_string())),
        (_, Json::Null) => Some(Value::Null),
        (ColumnType::Bool, Json::Bool(value)) => Some(Value::Bool(*value)),
        (ColumnType::Signed { .. } | ColumnType::Unsigned { .. } | ColumnType::Id, Json::Number(_)) => {
            whole(json).map(Value::Int)
        }
        (ColumnType::Id, Json::String(text)) => text.parse::<u64>().ok().map(|id| Value::Int(id.into())),
        (ColumnType::Float { .. }, Json::Number(_)) => float(json).map(Value::Float),
        (ColumnType::Text | ColumnType::Enum { .. }, Json::String(text)) => Some(Value::Text(text.clone())),
        // As pydantic writes bytes: the UTF-8 that they are.
        (ColumnType::Bytes, Json::String(text)) => Some(Value::Bytes(text.as_bytes().to_vec())),
        (ColumnType::Timestamp, Json::String(text)) => {
            Timestamp::parse(text).ok().map(|time| Value::Int(time.as_micros().into()))
        }
        (ColumnType::Uuid, Json::String(text)) => {
            Uuid::parse_str(text).ok().map(|uuid| Value::Bytes(uuid.into_bytes().to_vec()))
        }
        _ => None,
    };
    converted.ok_or_else(|| format!("expected {}, found {}", ty.name(), shown(json)))
}

fn whole(json: &Json) -> Option<i128> {
    json.as_i64().map(i128::from).or_else(|| json.as_u64().map(i128::from))
}

/// Only numbers that are the same as a float.
fn float(json: &Json) -> Option<f64> {
    let float = json.as_f64()?;
    match whole(json) {
        Some(whole) if float as i128 != whole => None,
        _ => Some(float),
    }
}

/// At most 64 characters of it.
fn shown(json: &Json) -> String {
    let text = json.to_string();
    match text.char_indices().nth(64) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn each_type_takes_its_json_and_no_other() {
        let text = |text: &str| Value::Text(text.to_owned());
        for (ty, json, expected) in [
            (ColumnType::Bool, json!(true), Some(Value::Bool(true))),
            (ColumnType::Bool, json!(1), None),
            (ColumnType::Signed { bits: 64 }, json!(i64::MIN), Some(Value::Int(i64::MIN.into()))),
            (ColumnType::Unsigned { bits: 64 }, json!(u64::MAX), Some(Value::Int(u64::MAX.into()))),
            (ColumnType::Signed { bits: 64 }, json!(1.0), None),
            (ColumnType::Signed { bits: 64 }, json!(1e30), None),
            (ColumnType::Signed { bits: 64 }, json!("1"), None),
            (ColumnType::Float { bits: 64 }, json!(1), Some(Value::Float(1.0))),
            (ColumnType::Float { bits: 64 }, json!((1_u64 << 53) + 1), None),
            (ColumnType::Float { bits: 64 }, json!("1"), None),
            (ColumnType::Text, json!("a"), Some(text("a"))),
            (ColumnType::Text, json!(3), None),
            (ColumnType::Text, json!(null), Some(Value::Null)),
            (ColumnType::Bytes, json!("é"), Some(Value::Bytes(vec![0xc3, 0xa9]))),
            (ColumnType::Id, json!("81384788765712384"), Some(Value::Int(81_384_788_765_712_384))),
            (ColumnType::Id, json!("-1"), None),
            (ColumnType::Timestamp, json!("1970-01-01T00:00:01+00:00"), Some(Value::Int(1_000_000))),
            (ColumnType::Timestamp, json!("yesterday"), None),
            (ColumnType::Uuid, json!("00000000-0000-0000-0000-000000000001"), Some(uuid_one())),
            (ColumnType::Uuid, json!("1"), None),
            (ColumnType::Json, json!([1, null]), Some(text("[1,null]"))),
        ] {
            assert_eq!(value(ty, &json).ok(), expected, "{ty:?} {json}");
        }
    }

    fn uuid_one() -> Value {
        Value::Bytes([[0; 15].as_slice(), &[1]].concat())
    }

    #[test]
    fn long_values_are_cut_in_reasons() {
        let reason = value(ColumnType::Bool, &json!("ü".repeat(300))).err().unwrap_or_default();
        assert!(reason.starts_with("expected bool, found \"üü") && reason.chars().count() < 100, "{reason}");
    }
}
