//! Channels and categories: how many there are, and where they are put.

use discobase::{Confirm, ErrorKind, Table};
use twilight_model::id::Id;

use crate::support::Place;
use crate::tables::{Note, User};

crate::in_process!(
    tables_spill_into_further_categories,
    a_renamed_further_category_is_still_the_databases,
    a_full_guild_is_told_before_anything_is_made,
    a_renamed_category_is_still_the_databases,
    a_table_has_one_metadata_message_however_large,
);

macro_rules! wide {
    ($($name:ident),*) => {$(
        #[derive(Debug, Clone, PartialEq, Table)]
        struct $name {
            #[table(key)]
            a_column_with_a_long_name_1: u64,
            #[table(unique)]
            a_column_with_a_long_name_2: Option<u64>,
            #[table(index)]
            a_column_with_a_long_name_3: u64,
            #[table(index)]
            a_column_with_a_long_name_4: u64,
            #[table(index)]
            a_column_with_a_long_name_5: u64,
            #[table(index)]
            a_column_with_a_long_name_6: u64,
            #[table(index)]
            a_column_with_a_long_name_7: u64,
            #[table(index)]
            a_column_with_a_long_name_8: u64,
            #[table(index)]
            a_column_with_a_long_name_9: u64,
            #[table(index)]
            a_column_with_a_long_name_10: u64,
        }
    )*};
}

wide!(Wide1, Wide2, Wide3, Wide4, Wide5);

fn wide(id: u64) -> Wide1 {
    Wide1 {
        a_column_with_a_long_name_1: id,
        a_column_with_a_long_name_2: None,
        a_column_with_a_long_name_3: 0,
        a_column_with_a_long_name_4: 0,
        a_column_with_a_long_name_5: 0,
        a_column_with_a_long_name_6: 0,
        a_column_with_a_long_name_7: 0,
        a_column_with_a_long_name_8: 0,
        a_column_with_a_long_name_9: 0,
        a_column_with_a_long_name_10: 0,
    }
}

/// The categories with the number of channels in each.
fn categories(place: &Place) -> Vec<(String, usize)> {
    let guild = place.local().guild_id();
    place.local().with_state(|state, _| {
        let channels: Vec<_> = state.channels_of(guild).collect();
        let inside = |id| channels.iter().filter(|one| one.parent_id == Some(id)).count();
        let categories =
            channels.iter().filter(|one| one.name.starts_with(&place.name) && one.topic.is_none());
        categories.map(|one| (one.name.clone(), inside(one.id))).collect()
    })
}

async fn tables_spill_into_further_categories(place: &Place) {
    let db = place.database();
    db.table::<Wide1>()
        .unwrap()
        .table::<Wide2>()
        .unwrap()
        .table::<Wide3>()
        .unwrap()
        .table::<Wide4>()
        .unwrap();
    place.connect(&db).await.unwrap();
    assert_eq!(categories(place), [(place.name.clone(), 46)]);
    db.table::<Wide5>().unwrap().table::<User>().unwrap();
    db.build_tables().await.unwrap();
    let second = format!("{}-2", place.name);
    assert_eq!(categories(place), [(place.name.clone(), 50), (second.clone(), 12)]);
    User::new(1, "a", 0).save(&db).await.unwrap();
    db.close().await.unwrap();

    let db = place.database();
    db.table::<Wide5>().unwrap().table::<User>().unwrap();
    place.connect(&db).await.unwrap();
    assert_eq!(categories(place), [(place.name.clone(), 50), (second, 12)]);
    assert_eq!(User::count(&db).await.unwrap(), 1);
    // Another database is in neither of them.
    let other = place.database_named(&format!("{}-2", place.name));
    other.table::<User>().unwrap();
    place.connect(&other).await.unwrap();
    other.clean(Confirm::delete_all_data_of(other.name())).await.unwrap();
    db.clean(Confirm::delete_all_data_of(&place.name)).await.unwrap();
    assert_eq!(categories(place), []);
}

async fn a_full_guild_is_told_before_anything_is_made(place: &Place) {
    let db = place.database();
    place.connect(&db).await.unwrap();
    let client = db.client().unwrap().unwrap();
    let guild = place.local().guild_id();
    let count = || place.local().with_state(|state, _| state.channels_of(guild).count());
    while count() < 490 {
        client.create_guild_channel(Id::new(guild), "other").await.unwrap();
    }
    db.table::<Wide1>().unwrap();
    let full = db.build_tables().await.unwrap_err();
    assert_eq!(full.kind(), ErrorKind::GuildFull, "{full}");
    assert!(
        full.to_string().contains("11 more channels") && full.to_string().contains("10 of its 500"),
        "{full}"
    );
    assert_eq!(count(), 490);
    db.table::<User>().unwrap();
    db.close().await.unwrap();
    let db = place.database();
    db.table::<User>().unwrap();
    place.connect(&db).await.unwrap();
    assert_eq!(count(), 495);
    db.close().await.unwrap();
}

async fn a_renamed_category_is_still_the_databases(place: &Place) {
    let db = place.database();
    db.table::<User>().unwrap();
    place.connect(&db).await.unwrap();
    let client = db.client().unwrap().unwrap();
    let guild = place.local().guild_id();
    let category = place
        .local()
        .with_state(|state, _| state.channels_of(guild).find(|one| one.name == place.name).unwrap().id);
    client.update_channel(Id::new(category)).name("renamed").await.unwrap();
    db.close().await.unwrap();
    let db = place.database();
    db.table::<User>().unwrap().table::<Note>().unwrap();
    place.connect(&db).await.unwrap();
    assert_eq!(categories(place), []);
    db.clean(Confirm::delete_all_data_of(&place.name)).await.unwrap();
    let left = place.local().with_state(|state, _| state.channels_of(guild).any(|one| one.id == category));
    assert!(!left, "nothing is left behind");
}

async fn a_renamed_further_category_is_still_the_databases(place: &Place) {
    let db = place.database();
    db.table::<Wide1>().unwrap().table::<Wide2>().unwrap().table::<Wide3>().unwrap();
    db.table::<Wide4>().unwrap().table::<Wide5>().unwrap();
    place.connect(&db).await.unwrap();
    let guild = place.local().guild_id();
    let count = || place.local().with_state(|state, _| state.channels_of(guild).count());
    let second = format!("{}-2", place.name);
    let named = |name: &str| {
        place.local().with_state(|state, _| state.channels_of(guild).find(|one| one.name == name).unwrap().id)
    };
    let category = named(&second);
    let client = db.client().unwrap().unwrap();
    client.update_channel(Id::new(category)).name("renamed").await.unwrap();
    db.close().await.unwrap();
    let before = count();
    let db = place.database();
    db.table::<Note>().unwrap();
    place.connect(&db).await.unwrap();
    assert_eq!(count(), before + 1, "it has room, so no other category is made");
    let report = db.verify().await.unwrap();
    assert!(report.is_clean(), "{report}");
    db.clean(Confirm::delete_all_data_of(&place.name)).await.unwrap();
    let left = place.local().with_state(|state, _| state.channels_of(guild).any(|one| one.id == category));
    assert!(!left, "nothing is left behind");
    assert_eq!(categories(place), []);
}

async fn a_table_has_one_metadata_message_however_large(place: &Place) {
    for id in 0..3 {
        let db = place.database();
        db.table::<Wide1>().unwrap().table::<User>().unwrap();
        place.connect(&db).await.unwrap();
        wide(id).save(&db).await.unwrap();
        let catalog = db.catalog().unwrap().get();
        db.close().await.unwrap();
        let messages: Vec<_> = place.local().with_state(|state, _| {
            state.messages_in(catalog).map(|one| (one.content.clone(), one.attachments.len())).collect()
        });
        assert_eq!(messages.len(), 2);
        let (content, files) = &messages[0];
        assert!(content.contains(&format!("\"current_records\": {}", id + 1)), "{content}");
        assert!(content.contains("\"name\": \"wide1\"") && *files == 1, "{content} {files}");
    }
}
