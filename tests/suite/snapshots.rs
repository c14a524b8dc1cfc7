//! Snapshots: one state for many reads.

use discobase::{ErrorKind, Table};

use crate::sessions::open;
use crate::support::Place;
use crate::tables::{Note, User};

crate::everywhere!(a_snapshot_stays_as_it_was, a_snapshot_of_nothing_is_an_error,);

async fn a_snapshot_stays_as_it_was(place: &Place) {
    let db = open(place).await;
    let mut peter = User::new(1, "Peter", 3).save(&db).await.unwrap();
    Note { text: "one".into() }.save(&db).await.unwrap();
    let snapshot = db.snapshot().unwrap();
    let query = User::find(&snapshot).filter(|u| u.points.ge(3));

    peter.points = 4;
    peter.update().await.unwrap();
    User::new(2, "Ada", 9).save(&db).await.unwrap();
    Note { text: "two".into() }.save(&db).await.unwrap();

    let before = User::get(&snapshot, 1_u64).await.unwrap().unwrap();
    assert_eq!((before.points, before.version()), (3, discobase::Seq::new(snapshot.seq().get() - 1)));
    assert_eq!(query.all().await.unwrap(), [before]);
    assert!(User::get(&snapshot, 2_u64).await.unwrap().is_none());
    assert_eq!(User::find_unique(&snapshot, |u| u.name.eq("Peter")).await.unwrap().points, 3);
    assert_eq!((User::count(&snapshot).await.unwrap(), Note::count(&snapshot).await.unwrap()), (1, 1));
    assert_eq!((User::count(&db).await.unwrap(), Note::count(&db).await.unwrap()), (2, 2));

    // A record of the past can't overwrite what came after it.
    let mut stale = User::get(&snapshot, 1_u64).await.unwrap().unwrap();
    stale.points = 0;
    assert_eq!(stale.update().await.unwrap_err().kind(), ErrorKind::Conflict);

    let shared = std::sync::Arc::new(db.clone());
    assert_eq!(User::count(&shared).await.unwrap(), 2, "pointers are sources, too");
    db.close().await.unwrap();
    assert_eq!(User::count(&snapshot).await.unwrap(), 1, "it outlives the connection");
}

async fn a_snapshot_of_nothing_is_an_error(place: &Place) {
    let db = place.database();
    db.table::<User>().unwrap();
    assert_eq!(db.snapshot().unwrap_err().kind(), ErrorKind::NotConnected);
    place.connect(&db).await.unwrap();
    let snapshot = db.snapshot().unwrap();
    assert_eq!(Note::count(&snapshot).await.unwrap_err().kind(), ErrorKind::UnknownTable);
    db.close().await.unwrap();
}
