//! What the database was a moment ago.

use discobase::{Database, ErrorKind, Step, Table};

use crate::migrations::{one, steps};
use crate::support::Place;

crate::everywhere!(a_backup_takes_everything_back,);

#[derive(Debug, Clone, PartialEq, Table)]
#[table(name = "leftovers")]
struct Leftover {
    #[table(key)]
    name: String,
}

async fn a_backup_takes_everything_back(place: &Place) {
    let db = place.builder().migrate_on_connect(false).build();
    db.table::<one::Profile>().unwrap();
    db.table::<Leftover>().unwrap();
    let [levels, scores] = steps();
    let drop = Step::new("2.0.0", "less").drop_table("leftovers").each("profiles", "fewer", |row| {
        if row.get::<u64>("id")? == 3 {
            row.delete();
        }
        Ok(())
    });
    place.connect(&db).await.unwrap();
    one::Profile::save_all((1..=4).map(|id| one::profile(id, 60)), &db).await.unwrap();
    Leftover { name: "kept".into() }.save(&db).await.unwrap();
    let before = one::Profile::find(&db).order_by(|p| p.id.asc()).all().await.unwrap();
    let backup = db.backup().unwrap();
    assert_eq!(db.restore(&backup).await.unwrap(), 0, "nothing differs");

    db.migrations([levels, scores, drop]).unwrap();
    // The structs do not fit what the steps lead to; that is what a failed update looks like.
    let error = db.migrator().up().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::SchemaChanged, "{error}");
    assert_eq!(db.migrator().status().unwrap().iter().filter(|step| step.applied.is_some()).count(), 3);
    assert!(db.restore(&backup).await.unwrap() >= 4);
    let check = async |db: &Database| {
        let after = one::Profile::find(db).order_by(|p| p.id.asc()).all().await.unwrap();
        let values =
            |all: &[discobase::Record<one::Profile>]| all.iter().map(|p| (**p).clone()).collect::<Vec<_>>();
        assert_eq!(values(&after), values(&before));
        let kept = Leftover::find(db).all().await.unwrap();
        assert_eq!(kept.iter().map(|row| row.name.as_str()).collect::<Vec<_>>(), ["kept"]);
        assert_eq!(one::Profile::find(db).filter(|p| p.points.eq(60)).count().await.unwrap(), 4);
        assert!(db.migrator().status().unwrap().iter().all(|step| step.applied.is_none()));
    };
    check(&db).await;
    db.close().await.unwrap();

    let db = place.database();
    db.table::<one::Profile>().unwrap();
    db.table::<Leftover>().unwrap();
    place.connect(&db).await.unwrap();
    check(&db).await;

    // Rows that came, changed and went since.
    let backup = db.backup().unwrap();
    Leftover::save_all(["x", "y"].map(|name| Leftover { name: name.into() }), &db).await.unwrap();
    let mut first = one::Profile::get(&db, 1_u64).await.unwrap().unwrap();
    first.points = 7;
    first.update().await.unwrap();
    one::Profile::get(&db, 2_u64).await.unwrap().unwrap().delete().await.unwrap();
    assert_eq!(db.restore(&backup).await.unwrap(), 4, "two rows go, one changes, one comes back");
    check(&db).await;
    db.close().await.unwrap();
}
