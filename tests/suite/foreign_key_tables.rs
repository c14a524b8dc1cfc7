//! Foreign keys, and what becomes of the tables that have them: definitions, migrations, lazy tables, marked records.

use discobase::{ErrorKind, OnDelete, Step, Table, delete};
use twilight_model::util::Timestamp;

use crate::foreign_keys::{Item, Order, User, ids, item, open, order, user};
use crate::support::Place;

crate::everywhere!(
    cascades_in_a_circle_are_refused,
    a_reference_needs_its_table,
    a_reference_is_added_only_to_rows_that_keep_it,
    a_table_that_is_referred_to_can_be_renamed_not_dropped,
);

crate::in_process!(lazy_tables_are_loaded_for_it, a_marked_parent_is_still_there,);

mod circle {
    use discobase::Table;

    #[derive(Debug, Table)]
    pub(super) struct Hen {
        #[table(key)]
        pub(super) id: u64,
        #[table(references = Egg, on_delete = cascade)]
        pub(super) egg_id: Option<u64>,
    }

    #[derive(Debug, Table)]
    pub(super) struct Egg {
        #[table(key)]
        pub(super) id: u64,
        #[table(references = Hen, on_delete = cascade)]
        pub(super) hen_id: Option<u64>,
    }
}

async fn cascades_in_a_circle_are_refused(place: &Place) {
    let db = place.database();
    db.table::<circle::Hen>().unwrap();
    db.table::<circle::Egg>().unwrap();
    let error = place.connect(&db).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::CyclicCascade);
    assert!(error.to_string().contains("hen <- egg <- hen"), "{error}");
}

async fn a_reference_needs_its_table(place: &Place) {
    let db = place.database();
    db.table::<Item>().unwrap();
    let error = place.connect(&db).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::UnknownTable);
    assert!(error.to_string().contains("refers to table order"), "{error}");
}

/// The same tables before they referred to each other.
mod before {
    use discobase::Table;

    #[derive(Debug, Table)]
    pub(super) struct Pet {
        #[table(key)]
        pub(super) id: u64,
        pub(super) owner_id: u64,
    }
}

#[derive(Debug, Table)]
struct Pet {
    #[table(key)]
    id: u64,
    #[table(references = User, on_delete = cascade)]
    owner_id: u64,
}

async fn a_reference_is_added_only_to_rows_that_keep_it(place: &Place) {
    let db = place.database();
    db.table::<User>().unwrap();
    db.table::<before::Pet>().unwrap();
    place.connect(&db).await.unwrap();
    user(1).save(&db).await.unwrap();
    let pets = [(1, 1), (2, 7), (3, 1), (4, 8), (5, 9), (6, 9)];
    before::Pet::save_all(pets.map(|(id, owner_id)| before::Pet { id, owner_id }), &db).await.unwrap();
    db.close().await.unwrap();

    let after = |steps: Vec<Step>| {
        let db = place.database();
        db.table::<User>().unwrap();
        db.table::<Pet>().unwrap();
        db.migrations(steps).unwrap();
        db
    };
    let error = place.connect(&after(Vec::new())).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::SchemaChanged);
    let said = error.to_string();
    assert!(said.contains(".reference([\"owner_id\"], \"user\", OnDelete::Cascade)"), "{said}");

    let owned = || {
        Step::new("1.1.0", "owners")
            .table("pet", |table| table.reference(["owner_id"], "user", OnDelete::Cascade))
    };
    let error = place.connect(&after(vec![owned()])).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NoParent);
    let said = error.to_string();
    assert!(said.contains("owner_id 7") && said.contains("the records 4, 5 and 1 more"), "{said}");

    let found = Step::new("1.1.0", "owners")
        .each("pet", "strays find somebody", |row| {
            let owner: u64 = row.get("owner_id")?;
            row.set("owner_id", if owner > 1 { 1_u64 } else { owner })
        })
        .table("pet", |table| table.reference(["owner_id"], "user", OnDelete::Cascade));
    let db = after(vec![found.down(|step| step.table("pet", |table| table.drop_reference(["owner_id"])))]);
    place.connect(&db).await.unwrap();
    let peter = User::get(&db, 1).await.unwrap().unwrap();
    peter.delete().await.unwrap();
    assert_eq!(Pet::count(&db).await.unwrap(), 0);
    db.close().await.unwrap();
}

async fn a_table_that_is_referred_to_can_be_renamed_not_dropped(place: &Place) {
    let db = open(place).await;
    user(1).save(&db).await.unwrap();
    order(1, 1).save(&db).await.unwrap();
    db.close().await.unwrap();
    let with = |step: Step| {
        let db = place.database();
        db.migrations([step]).unwrap();
        db
    };
    let error = place.connect(&with(Step::new("1.1.0", "no users").drop_table("user"))).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::UnknownTable);
    let db = with(Step::new("1.1.0", "people").rename_table("user", "people"));
    place.connect(&db).await.unwrap();
    db.close().await.unwrap();
    let db = place.database();
    db.table::<Person>().unwrap();
    db.migrations([Step::new("1.1.0", "people").rename_table("user", "people")]).unwrap();
    place.connect(&db).await.unwrap();
    let error = Person::get(&db, 1).await.unwrap().unwrap().delete().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::StillReferenced);
    db.close().await.unwrap();
}

#[derive(Debug, Table)]
#[table(name = "people")]
struct Person {
    #[table(key)]
    id: u64,
    #[table(unique)]
    name: String,
}

async fn lazy_tables_are_loaded_for_it(place: &Place) {
    let db = open(place).await;
    User::save_all([user(1), user(2)], &db).await.unwrap();
    Order::save_all([order(1, 1), order(2, 2)], &db).await.unwrap();
    Item::save_all([item(1, 1), item(2, 1)], &db).await.unwrap();
    db.checkpoint().await.unwrap();
    db.close().await.unwrap();
    let db = place.database();
    db.table_lazy::<User>().unwrap();
    db.table_lazy::<Order>().unwrap();
    db.table_lazy::<Item>().unwrap();
    place.connect(&db).await.unwrap();
    assert!(!db.is_loaded::<User>().unwrap());
    assert_eq!(order(3, 9).save(&db).await.unwrap_err().kind(), ErrorKind::NoParent);
    order(3, 2).save(&db).await.unwrap();
    assert!(!db.is_loaded::<Item>().unwrap());
    assert_eq!(delete::<Order>().filter(|o| o.id.eq(1)).run(&db).await.unwrap(), 1);
    let error = delete::<User>().filter(|u| u.id.eq(2)).run(&db).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::StillReferenced);
    assert_eq!(ids(&db).await, (vec![1, 2], vec![2, 3], vec![(2, 1)]));
    db.close().await.unwrap();
}

#[derive(Debug, Clone, Table)]
#[table(has_many(members = Member.club_id))]
struct Club {
    #[table(key)]
    id: u64,
    #[table(soft_delete)]
    closed_at: Option<Timestamp>,
}

#[derive(Debug, Clone, Table)]
struct Member {
    #[table(key)]
    id: u64,
    #[table(references = Club, on_delete = cascade)]
    club_id: u64,
    #[table(soft_delete)]
    left_at: Option<Timestamp>,
}

async fn a_marked_parent_is_still_there(place: &Place) {
    let db = place.database();
    db.table::<Club>().unwrap();
    db.table::<Member>().unwrap();
    place.connect(&db).await.unwrap();
    let club = Club { id: 1, closed_at: None }.save(&db).await.unwrap();
    let mut member = Member { id: 1, club_id: 1, left_at: None }.save(&db).await.unwrap();
    club.delete().await.unwrap();
    assert_eq!(Club::count(&db).await.unwrap(), 0);
    // It can be referred to, and found by whoever refers to it.
    member.left_at = None;
    member.update().await.unwrap();
    assert_eq!(member.club(&db).await.unwrap().id, 1);
    assert_eq!(Member::find(&db).filter(|m| m.club.exists()).count().await.unwrap(), 1);
    let (_, found) = Member::find(&db).with(|m| m.club).first().await.unwrap().unwrap();
    assert!(found.id == 1 && found.closed_at.is_some());
    // A marked child is none.
    let clubs = || Club::find(&db).with_deleted();
    assert_eq!(clubs().filter(|c| c.members.exist()).count().await.unwrap(), 1);
    member.clone().delete().await.unwrap();
    assert_eq!(clubs().filter(|c| c.members.exist()).count().await.unwrap(), 0);
    assert_eq!(clubs().filter(|c| c.members.all(|m| m.id.eq(9))).count().await.unwrap(), 1);
    let (_, members) = clubs().with(|c| c.members).first().await.unwrap().unwrap();
    assert!(members.is_empty());
    Member { id: 2, club_id: 1, left_at: None }.save(&db).await.unwrap().delete().await.unwrap();
    let club = Club::find(&db).with_deleted().first().await.unwrap().unwrap();
    club.delete_forever().await.unwrap();
    assert_eq!(Member::find(&db).with_deleted().count().await.unwrap(), 0);
    db.close().await.unwrap();
}
