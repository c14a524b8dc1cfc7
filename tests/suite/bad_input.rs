//! Values at the edges: each round-trips exactly, or is refused before anything is sent.

use std::time::Duration;

use discobase::{Database, ErrorKind, Table};
use twilight_model::util::Timestamp;

use crate::support::Place;
use crate::tables::{Address, Everything, User};

crate::everywhere!(
    texts_come_back_to_the_byte,
    numbers_and_times_come_back_at_their_ends,
    a_large_field_travels_and_a_larger_one_is_refused,
    a_value_over_its_max_len_is_refused,
);

crate::in_process!(the_longest_deadline_is_none,);

async fn open(place: &Place) -> Database {
    let db = place.database();
    db.table::<User>().unwrap().table::<Everything>().unwrap();
    place.connect(&db).await.unwrap();
    db
}

const TEXTS: [&str; 14] = [
    "",
    " ",
    "  spaces around  ",
    "```json\n{\"discobase\":1}\n```",
    "`backtick` ``two``",
    "@everyone @here <@1> <@&2> <#3>",
    "\u{200b}\u{200d}\u{feff}\u{202e}zero width",
    "\0\u{1}\u{7f}\u{85}\u{9f} control",
    "line\nbreak\r\ntab\t",
    "🦀👩‍👩‍👧‍👦 \u{10ffff}\u{10000}",
    "e\u{301} \u{e9} ﬁ",
    "\"quotes\" \\back\\ /slash/ \\u0041",
    "||spoiler|| **bold** __u__ https://discord.com/x",
    "\u{fffd}\u{fffe}\u{ffff}",
];

async fn texts_come_back_to_the_byte(place: &Place) {
    let db = open(place).await;
    for (number, text) in TEXTS.iter().enumerate() {
        let key = format!("{number}{text}");
        Everything { text: (*text).into(), bytes: text.as_bytes().into(), ..Everything::ordinary(&key) }
            .save(&db)
            .await
            .unwrap();
    }
    // All at once makes a frame that goes as an attachment.
    let long: String = TEXTS.concat().repeat(40);
    let all = TEXTS.iter().enumerate().map(|(number, text)| Everything {
        text: format!("{text}{long}"),
        ..Everything::ordinary(&format!("long {number}"))
    });
    Everything::save_all(all, &db).await.unwrap();
    db.close().await.unwrap();

    let db = open(place).await;
    for (number, text) in TEXTS.iter().enumerate() {
        let found = Everything::get(&db, format!("{number}{text}")).await.unwrap().unwrap();
        assert_eq!((found.text.as_str(), found.bytes.as_slice()), (*text, text.as_bytes()));
        let found = Everything::get(&db, format!("long {number}")).await.unwrap().unwrap();
        assert_eq!(found.text, format!("{text}{long}"));
        let by_text = Everything::find(&db).filter(|e| e.text.eq(*text)).all().await.unwrap();
        assert_eq!(by_text.len(), 1, "{text:?}");
    }
    db.close().await.unwrap();
}

async fn numbers_and_times_come_back_at_their_ends(place: &Place) {
    let db = open(place).await;
    let micros = |micros| Timestamp::from_micros(micros).unwrap();
    // The years 0 and 9999 are as far as a timestamp goes.
    let ends = [micros(-62_167_219_200_000_000), micros(253_402_300_799_999_999)];
    let floats = [f64::NAN, -f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -0.0, 5e-324, f64::MAX];
    let rows: Vec<Everything> = floats
        .iter()
        .enumerate()
        .map(|(number, &float)| {
            let top = number % 2 == 0;
            Everything {
                i8: if top { i8::MAX } else { i8::MIN },
                i16: if top { i16::MAX } else { i16::MIN },
                i32: if top { i32::MAX } else { i32::MIN },
                i64: if top { i64::MAX } else { i64::MIN },
                u8: if top { u8::MAX } else { 0 },
                u16: if top { u16::MAX } else { 0 },
                u32: if top { u32::MAX } else { 0 },
                u64: if top { u64::MAX } else { 0 },
                f64: float,
                f32: float as f32,
                time: ends[number % 2],
                option: None,
                address: Address { street: String::new(), numbers: vec![] },
                ..Everything::ordinary(&number.to_string())
            }
        })
        .collect();
    for row in &rows {
        row.clone().save(&db).await.unwrap();
    }
    db.close().await.unwrap();
    let db = open(place).await;
    for row in &rows {
        let found = Everything::get(&db, row.key.as_str()).await.unwrap().unwrap();
        assert_eq!(found.f64.to_bits(), row.f64.to_bits());
        assert_eq!(found.f32.to_bits(), row.f32.to_bits());
        let without_floats = |row: &Everything| Everything { f64: 0.0, f32: 0.0, ..row.clone() };
        assert_eq!(without_floats(&found), without_floats(row));
    }
    db.close().await.unwrap();
}

/// Bytes that do not compress.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let next = |_| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as u8
    };
    (0..length).map(next).collect()
}

async fn a_large_field_travels_and_a_larger_one_is_refused(place: &Place) {
    let db = open(place).await;
    let row = |key: &str, bytes| Everything { bytes, ..Everything::ordinary(key) };
    row("5 MiB", noise(5 << 20)).save(&db).await.unwrap();
    row("20 MiB of zeros", vec![0; 20 << 20]).save(&db).await.unwrap();
    let frames = db.frames().unwrap();
    for bytes in [noise(9 << 20), vec![0; 65 << 20]] {
        let error = row("too large", bytes).save(&db).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TooLarge);
    }
    assert_eq!(db.frames().unwrap(), frames, "nothing was sent");
    // Each fits alone, but not both into one frame.
    let both = [row("a", noise(5 << 20)), row("b", noise(5 << 20))];
    let [a, b] = both.map(|row| row.save(&db).background());
    a.await.unwrap();
    b.await.unwrap();
    db.close().await.unwrap();
    let db = open(place).await;
    for key in ["5 MiB", "a", "b"] {
        assert!(Everything::get(&db, key).await.unwrap().unwrap().bytes == noise(5 << 20), "{key}");
    }
    let zeros = Everything::get(&db, "20 MiB of zeros").await.unwrap().unwrap();
    assert_eq!((zeros.bytes.len(), zeros.bytes.iter().max()), (20 << 20, Some(&0)));
    assert_eq!(Everything::count(&db).await.unwrap(), 4);
    db.close().await.unwrap();
}

async fn a_value_over_its_max_len_is_refused(place: &Place) {
    let db = open(place).await;
    User::new(1, &"🦀".repeat(100), 0).save(&db).await.unwrap();
    let frames = db.frames().unwrap();
    let error = User::new(2, &"x".repeat(101), 0).save(&db).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TooLong);
    assert_eq!(error.place().field.as_deref(), Some("name"));
    assert_eq!(db.frames().unwrap(), frames);
    db.close().await.unwrap();
}

async fn the_longest_deadline_is_none(place: &Place) {
    let db = open(place).await;
    User::new(1, "a", 0).save(&db).deadline(Duration::MAX).await.unwrap();
    db.close().await.unwrap();
}
