//! Requests that are lost, refused, slowed down or answered with nonsense: nothing acknowledged is lost or doubled.

use std::future::IntoFuture as _;
use std::time::Duration;

use discobase::{Database, ErrorKind, Outcome, Table};
use discobase_guild::state::permission;
use discobase_guild::{Action, Limit, Rule};

use crate::checkpoints::until;
use crate::support::Place;
use crate::tables::{Everything, User};

crate::in_process!(
    each_fault_of_a_save_is_survived_exactly_once,
    each_fault_of_opening_is_survived,
    refused_content_travels_as_an_attachment,
    a_deadline_tells_that_the_outcome_is_unknown,
    a_cut_gateway_changes_nothing,
    a_forbidden_save_says_so_and_later_ones_work,
    a_refused_half_takes_the_other_half_with_it,
    a_half_is_not_written_behind_one_that_is_missing,
    a_forbidden_retry_after_a_lost_reply_is_no_refusal,
    a_rival_of_a_refused_save_is_not_told_that_its_key_is_taken,
    a_refusal_after_a_lost_reply_is_no_refusal,
    what_never_arrived_is_not_durable_once_its_number_is_passed,
);

const POST: (&str, &str) = ("POST", "/channels/{channel}/messages");

async fn open(place: &Place) -> Database {
    let db = place.database();
    db.table::<User>().unwrap();
    place.connect(&db).await.unwrap();
    db
}

fn faults() -> Vec<Action> {
    let limit = |limit| Action::TooManyRequests { limit, retry_after: 0.2 };
    vec![
        Action::LoseRequest,
        Action::LoseReply,
        Action::Delay { ms: 50 },
        Action::DelayReply { ms: 50 },
        Action::ServerError { status: 500, executed: false },
        Action::ServerError { status: 502, executed: true },
        Action::ServerError { status: 503, executed: true },
        limit(Limit::User),
        limit(Limit::Shared),
        limit(Limit::Global),
        limit(Limit::Cloudflare),
    ]
}

async fn each_fault_of_a_save_is_survived_exactly_once(place: &Place) {
    let db = open(place).await;
    for (id, fault) in (0..).zip(faults()) {
        place.local().faults().push(Rule::new(fault.clone()).on(POST.0, POST.1).times(2));
        let saved = User::new(id, &id.to_string(), 0).save(&db).await;
        assert!(saved.is_ok(), "{fault:?}: {saved:?}");
        place.local().faults().clear();
    }
    let many = faults().len();
    assert_eq!(User::count(&db).await.unwrap(), many);
    db.close().await.unwrap();
    let db = open(place).await;
    assert_eq!(User::count(&db).await.unwrap(), many);
    db.close().await.unwrap();
}

async fn each_fault_of_opening_is_survived(place: &Place) {
    let db = open(place).await;
    User::new(1, "a", 0).save(&db).await.unwrap();
    db.close().await.unwrap();
    for fault in faults() {
        place.local().faults().push(Rule::new(fault.clone()).times(3));
        let db = place.database();
        db.table::<User>().unwrap();
        let opened = place.connect(&db).await;
        assert!(opened.is_ok(), "{fault:?}: {opened:?}");
        place.local().faults().clear();
        assert_eq!(User::count(&db).await.unwrap(), 1);
        db.close().await.unwrap();
    }
}

async fn refused_content_travels_as_an_attachment(place: &Place) {
    let db = open(place).await;
    place.local().faults().push(Rule::new(Action::AutoMod).on(POST.0, POST.1));
    User::new(1, "a bad word", 0).save(&db).await.unwrap();
    db.close().await.unwrap();
    let db = open(place).await;
    assert_eq!(User::get(&db, 1_u64).await.unwrap().unwrap().name, "a bad word");
    db.close().await.unwrap();
}

async fn a_deadline_tells_that_the_outcome_is_unknown(place: &Place) {
    let db = open(place).await;
    place.local().faults().push(Rule::new(Action::DelayReply { ms: 3_000 }).on(POST.0, POST.1));
    let late = User::new(1, "a", 0).save(&db).deadline(Duration::from_millis(500)).await.unwrap_err();
    assert_eq!(late.kind(), ErrorKind::UnknownOutcome);
    let commit = late.commit().unwrap();
    assert_eq!(db.outcome(commit).unwrap(), Outcome::Pending);
    assert!(User::get(&db, 1_u64).await.unwrap().is_none(), "not seen before it is durable");
    // The next save is checked against it, and waits until it is decided.
    let rival = User::new(1, "b", 0).save(&db).await.unwrap_err();
    assert_eq!(rival.kind(), ErrorKind::DuplicateKey);
    assert_eq!(db.outcome(commit).unwrap(), Outcome::Durable);
    assert_eq!(User::get(&db, 1_u64).await.unwrap().unwrap().name, "a");
    db.close().await.unwrap();
}

async fn a_cut_gateway_changes_nothing(place: &Place) {
    let db = open(place).await;
    for id in 0..5 {
        place.local().drop_sockets();
        User::new(id, &id.to_string(), 0).save(&db).await.unwrap();
    }
    assert_eq!(User::count(&db).await.unwrap(), 5);
    db.close().await.unwrap();
}

async fn a_forbidden_save_says_so_and_later_ones_work(place: &Place) {
    let db = open(place).await;
    let journal = db.journal().unwrap();
    place.forbid(journal, permission::SEND_MESSAGES);
    let error = User::new(1, "a", 0).save(&db).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::MissingPermissions);
    assert_eq!(error.place().channel, Some(journal));
    assert!(error.to_string().contains("Send Messages"), "{error}");
    place.forbid(journal, 0);
    User::new(1, "b", 0).save(&db).await.unwrap();
    assert_eq!(User::get(&db, 1_u64).await.unwrap().unwrap().name, "b");
    db.close().await.unwrap();
    let db = open(place).await;
    assert_eq!(User::get(&db, 1_u64).await.unwrap().unwrap().name, "b");
    db.close().await.unwrap();
}

/// Two commits that fit one frame together only before compression: the frame is split, and the first half refused.
/// What followed was once acknowledged although it built on rows that were rolled back.
/// Five MiB that do not compress.
fn noise(seed: u64) -> Vec<u8> {
    let mut state = seed;
    let next = |_| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 56) as u8
    };
    (0..5 << 20).map(next).collect()
}

async fn a_refused_half_takes_the_other_half_with_it(place: &Place) {
    let db = place.database();
    db.table::<Everything>().unwrap();
    place.connect(&db).await.unwrap();
    let journal = db.journal().unwrap();
    let row = |key: &str, seed| Everything { bytes: noise(seed), ..Everything::ordinary(key) };
    let (a, b) = (row("a", 2), row("b", 3));
    // The first save occupies the writer, so that the next two wait in one batch.
    place.local().faults().push(Rule::new(Action::Delay { ms: 3_000 }).on(POST.0, POST.1));
    let busy = row("busy", 1).save(&db).background();
    until("the first save is posted", || place.local().faults().pending().is_empty()).await;
    let forbid = async {
        busy.await.unwrap();
        place.forbid(journal, permission::ATTACH_FILES);
    };
    // Polled in this order in one task, so that `a` is queued before `b`.
    let (a, b) = (a.save(&db).into_future(), b.save(&db).into_future());
    let (a, b, ()) = tokio::join!(biased; a, b, forbid);
    place.forbid(journal, 0);
    let saved = Everything::count(&db).await.unwrap();
    assert_eq!(saved, 1 + usize::from(a.is_ok()) + usize::from(b.is_ok()));
    assert!(!(a.is_err() && b.is_ok()), "the second half builds on the first");
    Everything::ordinary("after").save(&db).await.unwrap();
    assert_eq!(Everything::count(&db).await.unwrap(), saved + 1);
    db.close().await.unwrap();

    let db = place.database();
    db.table::<Everything>().unwrap();
    place.connect(&db).await.unwrap();
    for (key, acknowledged) in [("a", a.is_ok()), ("b", b.is_ok())] {
        assert_eq!(Everything::get(&db, key).await.unwrap().is_some(), acknowledged, "{key}");
    }
    assert_eq!(Everything::count(&db).await.unwrap(), saved + 1);
    db.close().await.unwrap();
}

/// Only the first half is refused, and the second, which would be taken, was checked as if the first were there.
async fn a_half_is_not_written_behind_one_that_is_missing(place: &Place) {
    let db = place.database();
    db.table::<Everything>().unwrap();
    place.connect(&db).await.unwrap();
    let row = |key: &str, seed| Everything { bytes: noise(seed), ..Everything::ordinary(key) };
    let (a, b) = (row("a", 2), row("b", 3));
    // The first save occupies the writer, so that the next two wait in one batch; then the first half's post comes.
    place.local().faults().push(Rule::new(Action::Delay { ms: 3_000 }).on(POST.0, POST.1));
    let refuse = Action::Refuse { status: 403, code: 50_013, message: "Missing Permissions".into() };
    place.local().faults().push(Rule::new(refuse).on(POST.0, POST.1).skip(1));
    let busy = row("busy", 1).save(&db).background();
    until("the first save is posted", || place.local().faults().pending().len() == 1).await;
    let (a, b) = (a.save(&db).into_future(), b.save(&db).into_future());
    let (a, b) = tokio::join!(biased; a, b);
    busy.await.unwrap();
    assert_eq!(a.unwrap_err().kind(), ErrorKind::MissingPermissions);
    assert_eq!(b.unwrap_err().kind(), ErrorKind::MissingPermissions, "it goes with the first half");
    Everything::ordinary("after").save(&db).await.unwrap();
    db.close().await.unwrap();
    let db = place.database();
    db.table::<Everything>().unwrap();
    place.connect(&db).await.unwrap();
    let mut keys: Vec<String> =
        Everything::find(&db).all().await.unwrap().iter().map(|row| row.key.clone()).collect();
    keys.sort_unstable();
    assert_eq!(keys, ["after", "busy"]);
    db.close().await.unwrap();
}

/// The frame was stored, its reply was lost, and then the bot may not post any more: as text, and as an attachment.
async fn a_forbidden_retry_after_a_lost_reply_is_no_refusal(place: &Place) {
    for filtered in [false, true] {
        let db = open(place).await;
        let id = 10 + u64::from(filtered);
        let forbid = Action::Refuse { status: 403, code: 50_013, message: "Missing Permissions".into() };
        place.local().faults().push(Rule::new(Action::LoseReply).on(POST.0, POST.1));
        if filtered {
            place.local().faults().push(Rule::new(Action::AutoMod).on(POST.0, POST.1));
        }
        place.local().faults().push(Rule::new(forbid).on(POST.0, POST.1));
        let error = User::new(id, &id.to_string(), 0).save(&db).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::UnknownOutcome, "{error}");
        let commit = error.commit().unwrap();
        assert_eq!(db.outcome(commit).unwrap(), Outcome::Unknown);
        db.close().await.unwrap();
        let db = open(place).await;
        assert_eq!(db.outcome(commit).unwrap(), Outcome::Durable);
        assert!(User::get(&db, id).await.unwrap().is_some());
        db.close().await.unwrap();
    }
}

async fn a_rival_of_a_refused_save_is_not_told_that_its_key_is_taken(place: &Place) {
    let db = open(place).await;
    let journal = db.journal().unwrap();
    place.local().faults().push(Rule::new(Action::Delay { ms: 300 }).on(POST.0, POST.1));
    place.forbid(journal, permission::SEND_MESSAGES);
    let refused = User::new(1, "a", 0).save(&db).background();
    // It collides with a save that is still in flight, and waits; when that one fails, nothing is in its way.
    let rival = User::new(1, "b", 0).save(&db).background();
    assert_eq!(refused.await.unwrap_err().kind(), ErrorKind::MissingPermissions);
    let rival = rival.await;
    assert!(rival.as_ref().is_err_and(|error| error.kind() == ErrorKind::MissingPermissions), "{rival:?}");
    place.forbid(journal, 0);
    User::new(1, "b", 0).save(&db).await.unwrap();
    db.close().await.unwrap();
}

/// The text was stored, its reply lost; what followed was refused. To call that refused would be a lie.
async fn a_refusal_after_a_lost_reply_is_no_refusal(place: &Place) {
    let db = open(place).await;
    User::new(1, "a", 0).save(&db).await.unwrap();
    place.local().faults().push(Rule::new(Action::LoseReply).on(POST.0, POST.1));
    place.local().faults().push(Rule::new(Action::AutoMod).on(POST.0, POST.1).times(2));
    let error = User::new(2, "b", 0).save(&db).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::UnknownOutcome, "{error}");
    let commit = error.commit().unwrap();
    assert_eq!(db.outcome(commit).unwrap(), Outcome::Unknown);
    db.close().await.unwrap();
    let db = open(place).await;
    assert_eq!(db.outcome(commit).unwrap(), Outcome::Durable);
    assert_eq!(User::count(&db).await.unwrap(), 2);
    db.close().await.unwrap();
}

async fn what_never_arrived_is_not_durable_once_its_number_is_passed(place: &Place) {
    let db = open(place).await;
    User::new(1, "a", 0).save(&db).await.unwrap();
    place.local().faults().push(Rule::new(Action::LoseRequest).on(POST.0, POST.1).times(100));
    let late = User::new(2, "b", 0).save(&db).deadline(Duration::from_millis(500)).await.unwrap_err();
    let commit = late.commit().unwrap();
    assert_eq!(db.outcome(commit).unwrap(), Outcome::Pending);
    // The process ends before any try gets through.
    drop(db);
    place.local().faults().clear();
    let db = open(place).await;
    assert_eq!(db.outcome(commit).unwrap(), Outcome::Unknown, "the next commit has not taken its number yet");
    User::new(3, "c", 0).save(&db).await.unwrap();
    assert_eq!(db.outcome(commit).unwrap(), Outcome::NotDurable);
    assert!(User::get(&db, 2_u64).await.unwrap().is_none());
    db.close().await.unwrap();
}
