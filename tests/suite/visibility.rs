//! Histories that lag behind what was posted: nobody takes for missing what is only not visible yet.

use std::sync::Arc;
use std::time::Duration;

use discobase::transport::twilight::{TwilightConfig, TwilightTransport};
use discobase::{Database, Table};

use crate::support::Place;
use crate::support::lagging::Lagging;
use crate::tables::User;

crate::in_process!(
    a_last_frame_that_is_not_visible_yet_keeps_nobody_out,
    a_frame_that_is_not_visible_yet_is_not_missed,
);

/// A database whose history lags.
async fn open_lagging(place: &Place) -> Database {
    let guild = place.local();
    let mut config = TwilightConfig::new(guild.token());
    config.api = guild.api().parse().unwrap();
    config.gateway = Some(guild.gateway().to_owned());
    let lagging = Lagging { inner: TwilightTransport::new(config).unwrap(), lag: Duration::from_millis(900) };
    let db = Database::builder(&place.name).timing(1_000, 1_000, 60_000).build();
    db.table::<User>().unwrap();
    db.connect_over(Arc::new(lagging)).await.unwrap();
    db
}

async fn a_last_frame_that_is_not_visible_yet_keeps_nobody_out(place: &Place) {
    let db = open_lagging(place).await;
    User::new(0, "0", 0).save(&db).await.unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    User::new(1, "1", 0).save(&db).await.unwrap();
    drop(db);
    let db = open_lagging(place).await;
    assert_eq!(User::count(&db).await.unwrap(), 2);
    db.close().await.unwrap();
}

async fn a_frame_that_is_not_visible_yet_is_not_missed(place: &Place) {
    let guild = place.local();
    let db = open_lagging(place).await;
    let journal = db.journal().unwrap().get();
    for id in 0..3 {
        let posted = guild.post_as(guild.owner_id(), journal, "hello").unwrap();
        User::new(id, &id.to_string(), 0).save(&db).await.unwrap();
        guild.delete_as_moderator(journal, posted.message.id).unwrap();
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    User::new(3, "3", 0).save(&db).await.unwrap();
    db.close().await.unwrap();
}
