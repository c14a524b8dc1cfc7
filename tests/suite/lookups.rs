//! Lazy tables in company: with a key, with records that are only marked as deleted, beside a process that writes, with
//! another definition, and where a file is lost.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use discobase::{Database, DatabaseBuilder, EncryptionKey, ErrorKind, Step, Table, update};
use discobase_guild::{Action, LocalGuild, Rule};
use twilight_model::util::Timestamp;

use crate::following::until;
use crate::support::{Place, limits};
use crate::tables::User;
use crate::upkeep::Later;

crate::in_process!(
    an_encrypted_table_is_looked_up,
    a_delete_that_only_marks_writes_nothing_else,
    what_another_process_writes_is_found,
    a_lost_file_is_named,
    a_lost_index_is_made_up_for_by_loading,
    a_lost_file_of_an_index_is_made_up_for_by_loading,
    a_file_that_is_late_is_waited_for,
    a_file_that_a_merge_replaced_is_found_in_the_new_one,
    a_url_that_expired_is_asked_for_anew,
    a_table_that_was_dropped_is_none_that_is_damaged,
    a_table_that_grew_is_looked_up,
    a_cache_is_kept_within_its_budget,
    lookups_are_counted,
    a_query_inside_of_a_write_reads_a_lazy_table,
);

const ROWS: u64 = 30_000;

#[derive(Debug, Clone, PartialEq, Table)]
struct Page {
    #[table(key)]
    id: u64,
    #[table(unique)]
    title: String,
    text: String,
    #[table(soft_delete)]
    deleted_at: Option<Timestamp>,
}

/// What [`Page`] becomes.
mod grown {
    use discobase::Table;
    use twilight_model::util::Timestamp;

    #[derive(Debug, Clone, PartialEq, Table)]
    pub(super) struct Page {
        #[table(key)]
        pub(super) id: u64,
        #[table(unique)]
        pub(super) title: String,
        pub(super) text: String,
        #[table(soft_delete)]
        pub(super) deleted_at: Option<Timestamp>,
        #[table(default = 7)]
        pub(super) stars: i64,
    }
}

fn page(id: u64) -> Page {
    let mixed = id.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    Page { id, title: format!("{mixed:x}"), text: format!("{:x}", !mixed), deleted_at: None }
}

fn builder(place: &Place) -> DatabaseBuilder {
    Database::builder(&place.name)
        .timing(0, 0, 60_000)
        .checkpoint_every(u64::MAX, u64::MAX)
        .trim_after(Duration::from_secs(3_600), Duration::from_secs(1))
}

async fn open(place: &Place, builder: DatabaseBuilder) -> Database {
    open_in(place.local(), builder).await
}

async fn open_in(guild: &LocalGuild, builder: DatabaseBuilder) -> Database {
    let db = builder.build();
    db.table_lazy::<Page>().unwrap();
    db.connect_guild(guild).await.unwrap();
    db
}

/// So many pages in a checkpoint, and nobody who writes.
async fn filled(place: &Place, builder: DatabaseBuilder) {
    fill(place.local(), builder).await;
}

async fn fill(guild: &LocalGuild, builder: DatabaseBuilder) {
    let db = builder.build();
    db.table::<Page>().unwrap();
    db.connect_guild(guild).await.unwrap();
    for first in (0..ROWS).step_by(10_000) {
        Page::save_all((first..first + 10_000).map(page), &db).await.unwrap();
    }
    db.checkpoint().await.unwrap();
    db.close().await.unwrap();
}

async fn an_encrypted_table_is_looked_up(place: &Place) {
    let sealed = || builder(place).encryption(EncryptionKey::from_bytes([7; 32]));
    filled(place, sealed()).await;
    // A second large run, whose filters are sealed, too.
    let db = open(place, sealed()).await;
    db.load::<Page>().await.unwrap();
    let changed =
        update::<Page>().filter(|page| page.id.lt(12_000_u64)).set(|page| page.text, |page| page.text + "!");
    assert_eq!(changed.run(&db).await.unwrap(), 12_000);
    db.checkpoint().await.unwrap();
    db.close().await.unwrap();
    let db = open(place, sealed()).await;
    for id in [5, 11_999, 12_000, ROWS - 1] {
        let before = db.traffic().unwrap().requests;
        let found = Page::find_unique(&db, |page| page.title.eq(self::page(id).title)).await.unwrap();
        assert_eq!((found.id, found.text.ends_with('!')), (id, id < 12_000));
        let requests = db.traffic().unwrap().requests - before;
        assert!(requests <= 4, "{requests} requests");
    }
    assert!(Page::get(&db, ROWS).await.unwrap().is_none());
    assert_eq!(page(9).save(&db).await.unwrap_err().kind(), ErrorKind::DuplicateKey);
    page(ROWS).save(&db).await.unwrap();
    assert!(!db.is_loaded::<Page>().unwrap());
    db.close().await.unwrap();
}

async fn a_delete_that_only_marks_writes_nothing_else(place: &Place) {
    filled(place, builder(place)).await;
    let db = open(place, builder(place)).await;
    let mut one = Page::get(&db, 1_u64).await.unwrap().unwrap();
    one.text = "not written".to_owned();
    one.delete().await.unwrap();
    assert!(Page::get(&db, 1_u64).await.unwrap().is_none());
    let s = db.session().unwrap();
    let mut two = s.get::<Page>(2_u64).await.unwrap().unwrap();
    two.text = "not written".to_owned();
    s.delete(two).await.unwrap();
    assert!(s.get::<Page>(2_u64).await.unwrap().is_none());
    s.commit().await.unwrap();
    let kept = Page::find(&db).with_deleted().filter(|page| page.id.is_in([1_u64, 2])).all().await.unwrap();
    assert_eq!(kept.len(), 2);
    assert!(kept.iter().all(|kept| kept.text == page(kept.id).text && kept.deleted_at.is_some()));
    // It keeps its unique values.
    let taken = Page { id: ROWS, ..page(1) }.save(&db).await.unwrap_err();
    assert_eq!(taken.kind(), ErrorKind::UniqueViolated, "{taken}");
    assert!(!db.is_loaded::<Page>().unwrap());
    db.close().await.unwrap();
}

async fn what_another_process_writes_is_found(place: &Place) {
    filled(place, builder(place)).await;
    let writer = open(place, builder(place)).await;
    let follower = open(place, builder(place).follower()).await;
    let mut one = Page::get(&writer, 1_u64).await.unwrap().unwrap();
    one.text = "changed".to_owned();
    one.update().await.unwrap();
    Page::get(&writer, 2_u64).await.unwrap().unwrap().delete_forever().await.unwrap();
    page(ROWS).save(&writer).await.unwrap();
    until("the follower sees it", async || Page::get(&follower, ROWS).await.unwrap().is_some()).await;
    let seen = async |db: &Database| {
        assert_eq!(Page::get(db, 1_u64).await.unwrap().unwrap().text, "changed");
        assert!(Page::get(db, 2_u64).await.unwrap().is_none());
        assert_eq!(Page::get(db, 3_u64).await.unwrap().unwrap().text, page(3).text);
        assert!(!db.is_loaded::<Page>().unwrap());
    };
    seen(&follower).await;
    // The same when a checkpoint has it, and when the other process writes.
    writer.checkpoint().await.unwrap();
    page(ROWS + 1).save(&writer).await.unwrap();
    until("the follower goes on", async || Page::get(&follower, ROWS + 1).await.unwrap().is_some()).await;
    seen(&follower).await;
    writer.close().await.unwrap();
    follower.promote().await.unwrap();
    let taken = page(ROWS + 1).save(&follower).await.unwrap_err();
    assert_eq!(taken.kind(), ErrorKind::DuplicateKey, "{taken}");
    page(2).save(&follower).await.unwrap();
    assert_eq!(Page::get(&follower, 2_u64).await.unwrap().unwrap().text, page(2).text);
    assert!(!follower.is_loaded::<Page>().unwrap());
    let report = follower.verify().await.unwrap();
    assert!(report.is_clean(), "{report}");
    follower.close().await.unwrap();
}

async fn a_lost_file_is_named(place: &Place) {
    filled(place, builder(place)).await;
    let db = open(place, builder(place)).await;
    assert!(Page::get(&db, 1_u64).await.unwrap().is_some());
    // The links that were read at opening still name the files.
    delete_files(place, "page");
    assert!(Page::get(&db, 1_u64).await.unwrap().is_some(), "what was read is kept");
    let error = Page::get(&db, 29_000_u64).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Damaged, "{error}");
    let found = error.place();
    assert_eq!(found.channel.map(discobase::ChannelId::get), Some(channel_of(place, "page")));
    assert!(found.message.is_some() && found.table.as_deref() == Some("page"), "{error}");
    let advice = error.to_string();
    assert!(advice.contains("verify()") && advice.contains("heal()"), "{advice}");
    db.close().await.unwrap();
}

/// The messages of the pages' channel, by age.
fn files(place: &Place) -> Vec<u64> {
    files_of(place, "page")
}

/// The messages of a channel, by age.
fn files_of(place: &Place, channel: &str) -> Vec<u64> {
    let channel = channel_of(place, channel);
    place.local().with_state(|state, _| state.messages_in(channel).map(|message| message.id).collect())
}

/// Deletes the messages of a channel.
fn delete_files(place: &Place, channel: &str) {
    for file in files_of(place, channel) {
        place.local().delete_as_moderator(channel_of(place, channel), file).unwrap();
    }
}

fn channel_of(place: &Place, name: &str) -> u64 {
    let guild = place.local();
    guild.with_state(|state, _| {
        state.channels_of(guild.guild_id()).find(|channel| channel.name == name).unwrap().id
    })
}

async fn a_lost_index_is_made_up_for_by_loading(place: &Place) {
    filled(place, builder(place)).await;
    let db = open(place, builder(place)).await;
    assert!(!db.is_loaded::<Page>().unwrap());
    place.local().delete_channel_as_owner(channel_of(place, "page_id")).unwrap();
    // Asked for the first time, when its index is gone.
    assert!(Page::get(&db, 29_000_u64).await.unwrap().is_some());
    db.close().await.unwrap();
    let db = open(place, builder(place)).await;
    assert!(Page::get(&db, 3_u64).await.unwrap().is_some());
    db.close().await.unwrap();
}

async fn a_lost_file_of_an_index_is_made_up_for_by_loading(place: &Place) {
    filled(place, builder(place)).await;
    let db = builder(place).build();
    db.table::<Page>().unwrap();
    db.connect_guild(place.local()).await.unwrap();
    page(ROWS).save(&db).await.unwrap();
    db.checkpoint().await.unwrap();
    db.close().await.unwrap();
    // The second run has a filter, which is read when the table is opened.
    delete_files(place, "page_title");
    let db = open(place, builder(place).small_runs(0)).await;
    let title = page(29_000).title;
    let found = Page::find_unique(&db, |page| page.title.eq(title)).await.unwrap();
    assert_eq!(found.id, 29_000);
    db.close().await.unwrap();
}

async fn a_file_that_is_late_is_waited_for(place: &Place) {
    let owner =
        Database::builder(&place.name).timing(0, 0, 60_000).checkpoint_every(u64::MAX, u64::MAX).build();
    owner.table::<User>().unwrap();
    owner.connect_guild(place.local()).await.unwrap();
    User::save_all((0..100).map(|id| User::new(id, &id.to_string(), 1)), &owner).await.unwrap();
    // The files of the rows and of the four indexes, and not that of the checkpoint's frame.
    let late = Rule::new(Action::LateFiles { ms: 3_000 }).on("POST", "/channels/{channel}/messages").times(5);
    place.local().faults().push(late);
    owner.checkpoint().await.unwrap();
    for follows in [true, false] {
        let reader = Database::builder(&place.name).timing(0, 0, 60_000).small_runs(0);
        let reader = if follows { reader.follower().build() } else { reader.build() };
        reader.table_lazy::<User>().unwrap();
        reader.connect_guild(place.local()).await.unwrap();
        let user = User::get(&reader, 8_u64).await.unwrap().unwrap();
        assert_eq!((user.points, reader.is_loaded::<User>().unwrap()), (1, false));
        reader.close().await.unwrap();
        if follows {
            owner.close().await.unwrap();
        }
    }
}

/// Whoever follows has the place of a file in mind that the owner's next checkpoint has merged away and deleted.
async fn a_file_that_a_merge_replaced_is_found_in_the_new_one(place: &Place) {
    filled(place, builder(place)).await;
    // It reads the journal by itself only after half a minute, and hears of nothing.
    let follower = open(place, builder(place).follower().gateway(false)).await;
    assert_eq!(Page::get(&follower, 1_u64).await.unwrap().unwrap().text, page(1).text);
    let before = files(place);
    let owner = builder(place).trim_after(Duration::ZERO, Duration::from_millis(50)).build();
    owner.table::<Page>().unwrap();
    owner.connect_guild(place.local()).await.unwrap();
    let changed =
        update::<Page>().filter(|page| page.id.ge(0_u64)).set(|page| page.text, |page| page.text + "!");
    assert_eq!(changed.run(&owner).await.unwrap() as u64, ROWS);
    owner.checkpoint().await.unwrap();
    let gone = async || !files(place).iter().any(|file| before.contains(file));
    until("what the merge replaced is deleted", gone).await;
    let found = Page::get(&follower, 29_000_u64).await.unwrap().unwrap();
    assert_eq!(found.text, format!("{}!", page(29_000).text));
    assert!(!follower.is_loaded::<Page>().unwrap());
    owner.close().await.unwrap();
    follower.close().await.unwrap();
}

/// Its channels went with it, and whoever has not heard of that is about to look into them.
async fn a_table_that_was_dropped_is_none_that_is_damaged(place: &Place) {
    filled(place, builder(place)).await;
    // A second large run, so that looking one up reads the channel.
    let owner = builder(place).build();
    owner.table::<Page>().unwrap();
    owner.connect_guild(place.local()).await.unwrap();
    let some =
        update::<Page>().filter(|page| page.id.lt(12_000_u64)).set(|page| page.text, |page| page.text + "!");
    assert_eq!(some.run(&owner).await.unwrap(), 12_000);
    owner.checkpoint().await.unwrap();
    owner.close().await.unwrap();
    let follower = open(place, builder(place).follower().gateway(false)).await;
    assert!(Page::get(&follower, 1_u64).await.unwrap().is_some());
    let owner = builder(place).build();
    owner.migrations([Step::new("2.0.0", "no pages").drop_table("page")]).unwrap();
    owner.connect_guild(place.local()).await.unwrap();
    assert!(Page::get(&follower, 29_000_u64).await.unwrap().is_none());
    let error = Page::get(&follower, 29_000_u64).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TableNotReady, "{error}");
    owner.close().await.unwrap();
    follower.close().await.unwrap();
}

async fn a_url_that_expired_is_asked_for_anew(place: &Place) {
    let clock = Arc::new(Later(AtomicU64::new(0)));
    let guild = LocalGuild::builder().limits(limits()).clock(Arc::clone(&clock)).start().await.unwrap();
    fill(&guild, builder(place)).await;
    let db = open_in(&guild, builder(place).follower().gateway(false)).await;
    let cost = async |id: u64| {
        let before = db.traffic().unwrap().requests;
        assert_eq!(Page::get(&db, id).await.unwrap().unwrap().text, page(id).text);
        db.traffic().unwrap().requests - before
    };
    assert_eq!(cost(1).await, 2, "a block of the index, and one of the rows");
    clock.0.store(limits().url_lifetime_ms + 60_000, Ordering::Relaxed);
    assert_eq!(cost(29_000).await, 6, "both are refused, asked for anew, and downloaded");
    assert!(cost(15_000).await <= 2, "the new ones are kept");
    assert!(!db.is_loaded::<Page>().unwrap());
    db.close().await.unwrap();
}

async fn a_table_that_grew_is_looked_up(place: &Place) {
    filled(place, builder(place)).await;
    let follower = open(place, builder(place).follower()).await;
    let db = builder(place).additive_changes(true).build();
    db.table_lazy::<grown::Page>().unwrap();
    db.connect_guild(place.local()).await.unwrap();
    assert_eq!(grown::Page::get(&db, 5_u64).await.unwrap().unwrap().stars, 7);
    let mut one = grown::Page::get(&db, 6_u64).await.unwrap().unwrap();
    one.stars = 8;
    one.update().await.unwrap();
    drop(db);
    let db = builder(place).additive_changes(true).build();
    db.table_lazy::<grown::Page>().unwrap();
    db.connect_guild(place.local()).await.unwrap();
    assert_eq!(grown::Page::get(&db, 5_u64).await.unwrap().unwrap().stars, 7);
    assert_eq!(grown::Page::get(&db, 6_u64).await.unwrap().unwrap().stars, 8);
    assert!(!db.is_loaded::<grown::Page>().unwrap());
    until("the follower sees it", async || follower.stats().unwrap().seq == db.stats().unwrap().seq).await;
    assert_eq!(Page::get(&follower, 6_u64).await.unwrap().unwrap().text, page(6).text);
    db.close().await.unwrap();
    follower.close().await.unwrap();
}

async fn a_cache_is_kept_within_its_budget(place: &Place) {
    filled(place, builder(place)).await;
    for (budget, again) in [(0, 2), (8 << 20, 0)] {
        let db = open(place, builder(place).follower().gateway(false).lookup_cache(budget)).await;
        let cost = async || {
            let before = db.traffic().unwrap().requests;
            assert!(Page::get(&db, 17_u64).await.unwrap().is_some());
            db.traffic().unwrap().requests - before
        };
        assert_eq!((cost().await, cost().await), (2, again), "a cache of {budget} bytes");
        db.close().await.unwrap();
    }
}

async fn lookups_are_counted(place: &Place) {
    filled(place, builder(place)).await;
    let db = open(place, builder(place).follower().gateway(false)).await;
    for _ in 0..3 {
        Page::get(&db, 17_u64).await.unwrap();
    }
    let stats = db.stats().unwrap();
    assert_eq!((stats.lookups, stats.lookup_hits, stats.lookup_misses), (3, 4, 2));
    assert!(stats.lookup_bytes > 1_000 && stats.lookup_bytes < 256 << 10, "{stats:?}");
    db.close().await.unwrap();
}

async fn a_query_inside_of_a_write_reads_a_lazy_table(place: &Place) {
    filled(place, builder(place)).await;
    let db = open(place, builder(place)).await;
    db.table::<User>().unwrap();
    db.build_tables().await.unwrap();
    User::new(1, &page(29_999).title, 0).save(&db).await.unwrap();
    User::new(2, "nobody's", 0).save(&db).await.unwrap();
    let titles = Page::find(&db).filter(|page| page.id.gt(29_000_u64)).select(|page| page.title);
    let changed = update::<User>().filter(|user| user.name.is_in(titles)).set(|user| user.points, |_| 5);
    assert_eq!(changed.run(&db).await.unwrap(), 1);
    assert_eq!(User::get(&db, 1_u64).await.unwrap().unwrap().points, 5);
    db.close().await.unwrap();
}
