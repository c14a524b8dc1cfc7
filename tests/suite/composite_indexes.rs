//! Indexes of several fields: what they find, what they forbid, and how tables come to them.

use discobase::aggregate::max;
use discobase::{Database, ErrorKind, Find, Step, Table};

use crate::support::Place;

crate::everywhere!(
    they_find_by_their_first_fields_and_keep_an_order,
    no_two_records_have_all_that_is_unique_together,
    an_upsert_goes_by_what_is_unique_together,
);

crate::in_process!(
    of_several_indexes_the_one_is_used_that_sees_to_more,
    they_are_there_after_a_checkpoint_and_looked_up,
    what_makes_them_is_additive_or_a_step,
);

#[derive(Debug, Clone, PartialEq, Table)]
#[table(name = "member", index(guild, points), unique(guild, name))]
struct Member {
    #[table(key)]
    id: u64,
    guild: u64,
    name: Option<String>,
    points: i64,
}

/// The table without them.
mod before {
    use discobase::Table;

    #[derive(Debug, Clone, PartialEq, Table)]
    #[table(name = "member")]
    pub(super) struct Member {
        #[table(key)]
        pub(super) id: u64,
        pub(super) guild: u64,
        pub(super) name: Option<String>,
        pub(super) points: i64,
    }
}

/// The table with the one that forbids nothing.
mod indexed {
    use discobase::Table;

    #[derive(Debug, Clone, PartialEq, Table)]
    #[table(name = "member", index(guild, points))]
    pub(super) struct Member {
        #[table(key)]
        pub(super) id: u64,
        pub(super) guild: u64,
        pub(super) name: Option<String>,
        pub(super) points: i64,
    }
}

fn member(id: u64) -> Member {
    Member { id, guild: id % 4, name: Some(format!("name {}", id / 4)), points: (id * 7 % 50) as i64 }
}

async fn open(place: &Place) -> Database {
    let db = place.database();
    db.table::<Member>().unwrap();
    place.connect(&db).await.unwrap();
    db
}

async fn filled(place: &Place) -> Database {
    let db = open(place).await;
    Member::save_all((0..200).map(member), &db).await.unwrap();
    db
}

async fn ids(find: Find<Member>) -> Vec<u64> {
    find.all().await.unwrap().iter().map(|member| member.id).collect()
}

async fn they_find_by_their_first_fields_and_keep_an_order(place: &Place) {
    let db = filled(place).await;
    let all: Vec<Member> = (0..200).map(member).collect();
    let expected = |wanted: fn(&Member) -> bool| -> Vec<u64> {
        all.iter().filter(|member| wanted(member)).map(|member| member.id).collect()
    };
    let way = |find: Find<Member>| {
        let explain = find.explain().unwrap();
        (explain.index.unwrap_or_default(), explain.access, explain.rows, explain.sorts)
    };
    let with = || Member::find(&db).filter(|m| m.guild.eq(2));

    let both = || with().filter(|m| m.points.eq(14));
    assert_eq!(ids(both()).await, expected(|m| m.guild == 2 && m.points == 14));
    assert_eq!(way(both()), ("guild, points".into(), "key", 2, false));
    let range = || with().filter(|m| m.points.between(10, 20));
    assert_eq!(ids(range()).await, expected(|m| m.guild == 2 && (10..=20).contains(&m.points)));
    assert_eq!(
        way(range()),
        ("guild, points".into(), "range", range().count().await.unwrap() as usize, false)
    );
    let prefix = || with().filter(|m| m.name.starts_with("name 4"));
    assert_eq!(
        ids(prefix()).await,
        expected(|m| m.guild == 2 && m.name.as_ref().is_some_and(|name| name.starts_with("name 4")))
    );
    assert_eq!(way(prefix()), ("guild, name".into(), "range", 11, false));

    // The best of a guild: neither all of the guild are looked at nor is anything sorted.
    let best = || with().order_by(|m| m.points.desc()).limit(3);
    let (index, _, rows, sorts) = way(best());
    assert!(index == "guild, points" && rows < 10 && !sorts, "{rows} rows through {index}, sorted: {sorts}");
    let mut sorted: Vec<_> = all.iter().filter(|m| m.guild == 2).map(|m| m.points).collect();
    sorted.sort_unstable_by(|a, b| b.cmp(a));
    assert_eq!(best().scalars(|m| m.points).await.unwrap(), sorted[..3]);

    // Without the first field it is of no use.
    assert_eq!(way(Member::find(&db).filter(|m| m.points.eq(14))).1, "scan");
    let found = Member::find_unique(&db, |m| m.guild.eq(2) & m.name.eq("name 7")).await.unwrap();
    assert_eq!(found.id, 30);
    db.close().await.unwrap();
}

async fn of_several_indexes_the_one_is_used_that_sees_to_more(place: &Place) {
    #[derive(Debug, Clone, PartialEq, Table)]
    #[table(index(guild, points))]
    struct Player {
        #[table(key)]
        id: u64,
        #[table(index)]
        guild: u64,
        points: i64,
        #[table(unique)]
        name: String,
    }
    let db = place.database();
    db.table::<Player>().unwrap();
    place.connect(&db).await.unwrap();
    let player = |id: u64| Player { id, guild: id % 4, points: (id / 4) as i64, name: format!("{id}") };
    Player::save_all((0..200).map(player), &db).await.unwrap();
    let find = || Player::find(&db).filter(|p| p.guild.eq(2));
    let way = |find: Find<Player>| {
        let explain = find.explain().unwrap();
        format!("{} {} {}", explain.access, explain.index.unwrap_or_default(), explain.rows)
    };
    assert_eq!(way(find()), "key guild 50");
    assert_eq!(way(find().filter(|p| p.points.eq(9))), "key guild, points 1");
    assert_eq!(way(find().filter(|p| p.points.ge(45))), "range guild, points 5");
    // As many either way, and one is in order.
    assert_eq!(way(find().order_by(|p| p.points.asc())), "range guild, points 50");
    let best = || find().order_by(|p| p.points.desc()).limit(2);
    assert_eq!(best().scalars(|p| p.id).await.unwrap(), [198, 194]);
    assert!(!best().explain().unwrap().sorts);
    assert_eq!(find().max(|p| p.points).await.unwrap(), Some(49));
    let greatest = find().explain_aggregate(|p| max(p.points)).unwrap();
    assert_eq!((greatest.index.as_deref(), greatest.rows), (Some("guild, points"), 1));
    // Nothing is better than a row, and a thousand searches are no better than fifty rows.
    assert_eq!(way(find().filter(|p| p.name.eq("6"))), "key name 1");
    let many = find().filter(|p| p.points.is_in(0..1_000));
    assert_eq!(way(many), "key guild 50");
    db.close().await.unwrap();
}

async fn no_two_records_have_all_that_is_unique_together(place: &Place) {
    let db = open(place).await;
    let new =
        |id: u64, guild: u64, name: Option<&str>| Member { id, guild, name: name.map(Into::into), points: 0 };
    new(1, 1, Some("Ann")).save(&db).await.unwrap();
    // One field alone may be the same, and who lacks one is like nobody.
    new(2, 2, Some("Ann")).save(&db).await.unwrap();
    new(3, 1, None).save(&db).await.unwrap();
    new(4, 1, None).save(&db).await.unwrap();
    let error = new(5, 1, Some("Ann")).save(&db).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::UniqueViolated);
    let place_of = error.place();
    assert_eq!(place_of.field.as_deref(), Some("guild, name"));
    assert_eq!(place_of.key.as_deref(), Some("1, \"Ann\""), "{error}");
    assert!(error.to_string().contains("unique together"), "{error}");
    let error = Member::save_all([new(5, 5, Some("Eve")), new(6, 5, Some("Eve"))], &db).await.unwrap_err();
    assert_eq!((error.kind(), error.place().position), (ErrorKind::UniqueViolated, Some(1)));

    let mut second = Member::get(&db, 2).await.unwrap().unwrap();
    second.guild = 1;
    assert_eq!(second.update().await.unwrap_err().kind(), ErrorKind::UniqueViolated);
    let session = db.session().unwrap();
    assert_eq!(session.add(new(7, 1, Some("Ann"))).await.unwrap_err().kind(), ErrorKind::UniqueViolated);
    // What goes makes room.
    let first = session.get::<Member>(1).await.unwrap().unwrap();
    session.delete(first).await.unwrap();
    session.add(new(7, 1, Some("Ann"))).await.unwrap();
    session.commit().await.unwrap();
    assert_eq!(Member::count(&db).await.unwrap(), 4);
    db.close().await.unwrap();
}

async fn an_upsert_goes_by_what_is_unique_together(place: &Place) {
    let db = filled(place).await;
    let new = |id: u64, name: Option<&str>| Member { id, guild: 2, name: name.map(Into::into), points: 77 };
    let there = new(900, Some("name 7")).save_or_update(&db).on(|m| (m.guild, m.name)).await.unwrap();
    assert_eq!((there.id, there.points), (30, 77));
    let kept = new(900, Some("name 8")).get_or_create(&db).on(|m| (m.name, m.guild)).await.unwrap();
    assert_eq!((kept.id, kept.points), (34, member(34).points));
    let fresh = new(900, None).save_or_update(&db).on(|m| (m.guild, m.name)).await.unwrap();
    assert_eq!(fresh.id, 900, "who lacks a name is like nobody");
    let error = new(901, None).save_or_update(&db).on(|m| (m.guild, m.points)).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.place().field.as_deref()),
        (ErrorKind::Invalid, Some("guild, points")),
        "{error}"
    );
    assert_eq!(Member::count(&db).await.unwrap(), 201);
    db.close().await.unwrap();
}

async fn they_are_there_after_a_checkpoint_and_looked_up(place: &Place) {
    let db = filled(place).await;
    let nameless = |id: u64| Member { id, guild: 2, name: None, points: 999 };
    Member::save_all((600..670).map(nameless), &db).await.unwrap();
    db.checkpoint().await.unwrap();
    db.close().await.unwrap();
    let db = open(place).await;
    let lacking = ids(Member::find(&db).filter(|m| m.guild.eq(2) & m.name.is_null())).await;
    assert_eq!(lacking, (600..670).collect::<Vec<_>>());
    assert_eq!(Member::find(&db).filter(|m| m.guild.eq(2) & m.points.eq(14)).count().await.unwrap(), 2);
    let twice = Member { id: 500, ..member(30) };
    assert_eq!(twice.clone().save(&db).await.unwrap_err().kind(), ErrorKind::UniqueViolated);
    db.close().await.unwrap();

    let db = place.builder().small_runs(0).build();
    db.table_lazy::<Member>().unwrap();
    place.connect(&db).await.unwrap();
    let named = || Member::find(&db).filter(|m| m.guild.eq(2) & m.name.eq("name 7"));
    assert_eq!(named().explain().unwrap().access, "lookup");
    assert_eq!(named().all().await.unwrap()[0].id, 30);
    // However many lack a name: who lacks one is compared with nobody.
    nameless(670).save(&db).await.unwrap();
    assert_eq!(twice.save(&db).await.unwrap_err().kind(), ErrorKind::UniqueViolated);
    assert!(!db.is_loaded::<Member>().unwrap());
    let report = db.verify().await.unwrap();
    assert!(report.is_clean(), "{report}");
    let lacking = Member::find(&db).filter(|m| m.guild.eq(2) & m.name.is_null()).order_by(|m| m.id.asc());
    assert_eq!(ids(lacking).await, (600..=670).collect::<Vec<_>>());
    db.close().await.unwrap();
}

async fn what_makes_them_is_additive_or_a_step(place: &Place) {
    let db = place.database();
    db.table::<before::Member>().unwrap();
    place.connect(&db).await.unwrap();
    let old = |id: u64| before::Member { id, guild: 1, name: Some("Ann".into()), points: 3 };
    let unnamed = |id: u64| before::Member { id, guild: 1, name: None, points: 9 };
    before::Member::save_all([old(1), old(2), unnamed(3), unnamed(4)], &db).await.unwrap();
    db.close().await.unwrap();

    // One that forbids nothing comes by itself, where that is allowed.
    let db = place.builder().additive_changes(true).build();
    db.table::<indexed::Member>().unwrap();
    place.connect(&db).await.unwrap();
    let find = || indexed::Member::find(&db).filter(|m| m.guild.eq(1) & m.points.eq(3));
    assert_eq!(find().explain().unwrap().index.as_deref(), Some("guild, points"));
    assert_eq!(find().count().await.unwrap(), 2);
    db.close().await.unwrap();

    let db = place.builder().additive_changes(true).build();
    db.table::<Member>().unwrap();
    let error = place.connect(&db).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::SchemaChanged);
    let step = r#".unique(["guild", "name"])"#;
    assert!(error.to_string().contains(step), "the step is in the error: {error}");

    let unique = || Step::new("1.1.0", "unique").table("member", |table| table.unique(["guild", "name"]));
    let db = place.database();
    db.table::<Member>().unwrap();
    db.migrations([unique()]).unwrap();
    let error = place.connect(&db).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::UniqueViolated, "two are the same: {error}");

    let db = place.database();
    db.table::<Member>().unwrap();
    let apart = unique().each("member", "unnamed", |row| {
        if row.get::<u64>("id")? == 2 { row.set("name", None::<String>) } else { Ok(()) }
    });
    db.migrations([apart]).unwrap();
    place.connect(&db).await.unwrap();
    assert_eq!(Member::find_unique(&db, |m| m.guild.eq(1) & m.name.eq("Ann")).await.unwrap().id, 1);
    db.close().await.unwrap();
}
