//! Checking a database: records that refer to ones that are not there.

use discobase::{Database, DatabaseBuilder, DeviationKind, Report, Table};

use crate::support::Place;
use crate::verify::{NEVER, clean, messages};

crate::in_process!(records_that_refer_to_lost_ones_are_named,);

#[derive(Debug, Clone, Table)]
struct Club {
    #[table(key)]
    id: u64,
}

#[derive(Debug, Clone, Table)]
struct Member {
    #[table(key)]
    name: String,
    #[table(references = Club)]
    club_id: u64,
    #[table(references = Member, on_delete = set_null)]
    sponsor_id: Option<String>,
}

fn member(name: &str, club_id: u64, sponsor: Option<&str>) -> Member {
    Member { name: name.to_owned(), club_id, sponsor_id: sponsor.map(str::to_owned) }
}

/// No commit makes such records. But the frame that held what they refer to may be deleted, and what is behind it saved.
async fn records_that_refer_to_lost_ones_are_named(place: &Place) {
    let open = async |builder: DatabaseBuilder, lazy: bool| {
        let db = builder.checkpoint_every(NEVER, NEVER).build();
        if lazy {
            db.table_lazy::<Club>().unwrap();
            db.table_lazy::<Member>().unwrap();
        } else {
            db.table::<Club>().unwrap();
            db.table::<Member>().unwrap();
        }
        place.connect(&db).await.unwrap();
        db
    };
    let db = open(place.builder(), false).await;
    Club { id: 1 }.save(&db).await.unwrap();
    let journal = db.journal().unwrap();
    let before = messages(place, journal).len();
    let (club, sponsor) = tokio::join!(Club { id: 2 }.save(&db), member("Ann", 1, None).save(&db));
    club.unwrap();
    sponsor.unwrap();
    let after = messages(place, journal).len();
    for one in [member("Bob", 1, None), member("Cid", 1, Some("Ann")), member("Dan", 2, Some("Bob"))] {
        one.save(&db).await.unwrap();
    }
    clean(&db).await;
    drop(db);
    for message in &messages(place, journal)[before..after] {
        place.local().delete_as_moderator(journal.get(), *message).unwrap();
    }
    let named = |report: &Report| {
        let part = |part: &Option<String>| part.clone().unwrap();
        report
            .of(DeviationKind::BrokenReference)
            .map(|one| (part(&one.table), part(&one.key), part(&one.field), one.text.clone()))
            .collect::<Vec<_>>()
    };
    let check = async |db: &Database| {
        let report = db.verify().await.unwrap();
        assert_eq!(report.deviations.len(), 2, "{report}");
        let found = named(&report);
        let [(table, key, field, text), (_, other_key, other_field, other_text)] = &found[..] else {
            panic!("{report}")
        };
        assert_eq!((&table[..], &key[..], &field[..]), ("member", "\"Dan\"", "club_id"), "{report}");
        assert!(text.contains("a record of club that is not there, by club_id 2"), "{text}");
        assert_eq!((&other_key[..], &other_field[..]), ("\"Cid\"", "sponsor_id"), "{report}");
        assert!(
            other_text.contains("a record of member that is not there, by sponsor_id \"Ann\""),
            "{other_text}"
        );
        assert!(
            report.to_string().contains("(table member, field club_id, key \"Dan\", channel "),
            "{report}"
        );
    };
    let db = open(place.builder().salvage(), false).await;
    assert!(db.salvaged().unwrap().is_some());
    check(&db).await;
    // Only people know what is right.
    let healed = db.heal().await.unwrap();
    assert_eq!(named(&healed.left).len(), 2, "{healed}");
    db.checkpoint().await.unwrap();
    db.close().await.unwrap();
    // Whoever opens it next finds the same, also where the tables are lazy.
    let db = open(place.builder(), true).await;
    assert!(!db.is_loaded::<Club>().unwrap());
    check(&db).await;
    Club { id: 2 }.save(&db).await.unwrap();
    let mut cid = Member::get(&db, "Cid").await.unwrap().unwrap();
    cid.sponsor_id = None;
    cid.update().await.unwrap();
    clean(&db).await;
    db.close().await.unwrap();
}
