//! Pages that go on where the last one ended, and records one after the other.

use std::collections::BTreeSet;

use discobase::{Cursor, Database, ErrorKind, Find, Record, Table, delete, update};

use crate::checkpoints::Random;
use crate::support::Place;

crate::everywhere!(pages_go_on_behind_the_last_record);

crate::in_process!(
    pages_are_stable_while_rows_come_and_go,
    a_cursor_survives_its_row_and_its_process,
    a_cursor_goes_with_its_query,
    a_cursor_that_was_damaged_is_none,
    pages_have_their_own_size,
    a_stream_gives_one_state_record_by_record,
    a_lazy_table_is_paged_and_streamed,
);

#[derive(Debug, Clone, PartialEq, Table)]
struct Item {
    #[table(key)]
    id: u64,
    #[table(index)]
    rank: i64,
    group: Option<String>,
    weight: f64,
}

fn item(id: u64) -> Item {
    let group = (!id.is_multiple_of(3)).then(|| format!("g{}", id % 4));
    Item { id, rank: (id * 7 % 5) as i64 - 2, group, weight: (id % 6) as f64 / 2.0 }
}

async fn open(place: &Place, items: u64) -> Database {
    let db = place.database();
    db.table::<Item>().unwrap();
    place.connect(&db).await.unwrap();
    Item::save_all((1..=items).map(item), &db).await.unwrap();
    db
}

/// All orders: none, of an index, backwards, of several columns in both directions, of what has no index.
fn orders(db: &Database) -> Vec<Find<Item>> {
    let find = || Item::find(db);
    vec![
        find(),
        find().order_by(|i| i.rank.asc()),
        find().order_by(|i| i.rank.desc()),
        find().order_by(|i| i.group.asc()),
        find().order_by(|i| i.group.desc()).order_by(|i| i.weight.asc()),
        find().order_by(|i| i.rank.desc()).order_by(|i| i.group.asc()).order_by(|i| i.id.desc()),
        find().filter(|i| i.rank.ge(0)).order_by(|i| i.rank.asc()),
        find().filter(|i| i.weight.gt(0.5)),
        find().filter(|i| i.rank.eq(1)).order_by(|i| i.weight.desc()),
    ]
}

fn ids(records: &[Record<Item>]) -> Vec<u64> {
    records.iter().map(|item| item.id).collect()
}

async fn paged(find: &Find<Item>, size: usize) -> Vec<u64> {
    let (mut found, mut cursor) = (Vec::new(), None);
    loop {
        let page = find.clone().page(size).after(&cursor).await.unwrap();
        assert!(page.records.len() == size || page.next.is_none());
        assert!(!page.records.is_empty() || found.is_empty(), "a page that was announced is not empty");
        found.extend(ids(&page.records));
        // As text, as JSON, as itself.
        cursor = page.next.map(|cursor| {
            assert_eq!(cursor.to_string().parse::<Cursor>().unwrap(), cursor);
            serde_json::from_str(&serde_json::to_string(&cursor).unwrap()).unwrap()
        });
        if cursor.is_none() {
            return found;
        }
    }
}

async fn pages_go_on_behind_the_last_record(place: &Place) {
    let db = open(place, 40).await;
    for find in orders(&db) {
        let all = ids(&find.clone().all().await.unwrap());
        for size in [1, 3, 39, 40, 41] {
            assert_eq!(paged(&find, size).await, all, "{find:?} in pages of {size}");
        }
    }
    assert_eq!(paged(&Item::find(&db).filter(|i| i.id.gt(99)), 5).await, [0; 0]);
    db.close().await.unwrap();
}

async fn pages_are_stable_while_rows_come_and_go(place: &Place) {
    let mut random = Random::new();
    let db = open(place, 60).await;
    for find in orders(&db) {
        let staying: BTreeSet<u64> = (0..20).map(|_| 1 + random.below(60)).collect();
        let expected: Vec<u64> = {
            let all = ids(&find.clone().all().await.unwrap());
            all.into_iter().filter(|id| staying.contains(id)).collect()
        };
        let (mut found, mut cursor, mut next) = (Vec::new(), None, 1_000);
        loop {
            let page = find.clone().page(4).after(&cursor).await.unwrap();
            found.extend(ids(&page.records));
            cursor = page.next;
            if cursor.is_none() {
                break;
            }
            // The last one of the page may be among those that go.
            let gone: Vec<u64> =
                (0..3).map(|_| 1 + random.below(60)).filter(|id| !staying.contains(id)).collect();
            delete::<Item>().filter(|i| i.id.is_in(gone)).run(&db).await.unwrap();
            let new = (next..next + 3).map(|id| Item { id, ..item(1 + random.below(60)) });
            next += 3;
            Item::save_all(new.collect::<Vec<_>>(), &db).await.unwrap();
        }
        let seen: BTreeSet<u64> = found.iter().copied().collect();
        assert_eq!(seen.len(), found.len(), "{find:?}: none comes twice");
        let kept: Vec<u64> = found.into_iter().filter(|id| staying.contains(id)).collect();
        assert_eq!(kept, expected, "{find:?}: none is left out");
        delete::<Item>().run(&db).await.unwrap();
        Item::save_all((1..=60).map(item), &db).await.unwrap();
    }
    db.close().await.unwrap();
}

async fn a_cursor_survives_its_row_and_its_process(place: &Place) {
    let db = open(place, 20).await;
    let find = |db: &Database| Item::find(db).order_by(|i| i.rank.asc());
    let all = ids(&find(&db).all().await.unwrap());
    let page = find(&db).page(7).await.unwrap();
    let text = page.next.unwrap().to_string();
    page.records.into_iter().next_back().unwrap().delete().await.unwrap();
    db.close().await.unwrap();
    let db = place.database();
    db.table::<Item>().unwrap();
    place.connect(&db).await.unwrap();
    let rest = find(&db).page(100).after(&Some(text.parse().unwrap())).await.unwrap();
    assert_eq!(ids(&rest.records), all[7..]);
    // Its own snapshot shows what was there.
    let snapshot = db.snapshot().unwrap();
    update::<Item>().set(|i| i.rank, |_| 9).run(&db).await.unwrap();
    let same = Item::find(&snapshot).order_by(|i| i.rank.asc()).page(100).after(&Some(text.parse().unwrap()));
    assert_eq!(same.await.unwrap().records, rest.records);
    db.close().await.unwrap();
}

async fn a_cursor_goes_with_its_query(place: &Place) {
    let db = open(place, 20).await;
    let find = || Item::find(&db).filter(|i| i.rank.gt(-2)).order_by(|i| i.rank.asc());
    let cursor = find().page(2).await.unwrap().next;
    assert!(find().page(5).after(&cursor).await.is_ok(), "the size may change");
    let others = [
        Item::find(&db).order_by(|i| i.rank.asc()),
        Item::find(&db).filter(|i| i.rank.gt(-1)).order_by(|i| i.rank.asc()),
        Item::find(&db).filter(|i| i.rank.ge(-2)).order_by(|i| i.rank.asc()),
        Item::find(&db).filter(|i| i.id.gt(2)).order_by(|i| i.rank.asc()),
        Item::find(&db).filter(|i| i.rank.gt(-2)).order_by(|i| i.rank.desc()),
        Item::find(&db).filter(|i| i.rank.gt(-2)).order_by(|i| i.id.asc()),
        Item::find(&db).filter(|i| i.rank.gt(-2)),
        find().order_by(|i| i.id.asc()),
        find().filter(|i| !i.rank.gt(-2)),
    ];
    for other in others {
        let error = other.clone().page(2).after(&cursor).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid, "{other:?}");
        assert_eq!(
            error.to_string(),
            "the cursor is one of another query: it goes with the table, the filters and the order of the query that gave \
             it; begin with the first page (table item)"
        );
    }
    db.close().await.unwrap();
}

async fn a_cursor_that_was_damaged_is_none(place: &Place) {
    let db = open(place, 20).await;
    let text = Item::find(&db).order_by(|i| i.group.desc()).page(2).await.unwrap().next.unwrap().to_string();
    for (place, letter) in text.char_indices() {
        let other = if letter == 'A' { 'B' } else { 'A' };
        let changed: String =
            text.char_indices().map(|(at, letter)| if at == place { other } else { letter }).collect();
        assert_eq!(changed.parse::<Cursor>().unwrap_err().kind(), ErrorKind::Invalid, "{changed}");
        assert!(text[..place].parse::<Cursor>().is_err());
    }
    let error = "hello there".parse::<Cursor>().unwrap_err();
    assert_eq!(
        error.to_string(),
        "this is no cursor, or it was cut or changed on its way: begin with the first page"
    );
    assert!(serde_json::from_str::<Cursor>("\"abcd\"").is_err());
    db.close().await.unwrap();
}

async fn pages_have_their_own_size(place: &Place) {
    let db = open(place, 3).await;
    for wrong in
        [Item::find(&db).page(0), Item::find(&db).limit(2).page(1), Item::find(&db).offset(1).page(1)]
    {
        let error = wrong.await.unwrap_err();
        assert_eq!((error.kind(), error.place().table.as_deref()), (ErrorKind::Invalid, Some("item")));
    }
    assert_eq!(Item::find(&db).page(usize::MAX).await.unwrap().records.len(), 3);
    db.close().await.unwrap();
}

async fn streamed(find: Find<Item>) -> Vec<u64> {
    let (mut records, mut found) = (find.stream(), Vec::new());
    while let Some(record) = records.next().await {
        found.push(record.unwrap().id);
    }
    assert!(records.next().await.is_none(), "it stays at its end");
    found
}

async fn a_stream_gives_one_state_record_by_record(place: &Place) {
    let db = open(place, 700).await;
    for find in orders(&db) {
        assert_eq!(streamed(find.clone()).await, ids(&find.all().await.unwrap()));
    }
    assert_eq!(streamed(Item::find(&db).limit(300).offset(5)).await, (6..=305).collect::<Vec<_>>());
    let mut records = Item::find(&db).order_by(|i| i.id.desc()).stream();
    let first = records.next().await.unwrap().unwrap();
    assert_eq!((first.id, first.rank), (700, item(700).rank));
    update::<Item>().set(|i| i.rank, |_| 77).run(&db).await.unwrap();
    delete::<Item>().filter(|i| i.id.lt(300)).run(&db).await.unwrap();
    let mut count = 1;
    let mut last = first;
    while let Some(record) = records.next().await {
        last = record.unwrap();
        assert_eq!(last.rank, item(last.id).rank, "as it was when the stream began");
        count += 1;
    }
    assert_eq!((count, last.id), (700, 1));
    // A session's own rows are records of it: they can be written again.
    let session = db.session().unwrap();
    session.add(item(5_000)).await.unwrap();
    let mut records = Item::find(&session).filter(|i| i.id.ge(5_000)).stream();
    let mut own = records.next().await.unwrap().unwrap();
    own.rank = 1_000;
    session.update(&mut own).await.unwrap();
    session.commit().await.unwrap();
    assert_eq!(Item::get(&db, 5_000).await.unwrap().unwrap().rank, 1_000);
    let unregistered = place.database_named("another");
    let mut records = Item::find(&unregistered).stream();
    assert_eq!(records.next().await.unwrap().unwrap_err().kind(), ErrorKind::NotConnected);
    assert!(records.next().await.is_none());
    db.close().await.unwrap();
}

async fn a_lazy_table_is_paged_and_streamed(place: &Place) {
    let db = open(place, 30).await;
    db.checkpoint().await.unwrap();
    db.close().await.unwrap();
    let db = place.database();
    db.table_lazy::<Item>().unwrap();
    place.connect(&db).await.unwrap();
    assert!(!db.is_loaded::<Item>().unwrap());
    assert_eq!(streamed(Item::find(&db).filter(|i| i.id.eq(7))).await, [7]);
    assert_eq!(paged(&Item::find(&db), 7).await, (1..=30).collect::<Vec<_>>());
    db.close().await.unwrap();
}
