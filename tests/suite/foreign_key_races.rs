//! Foreign keys, when somebody else deletes the parent or saves a child meanwhile.

use std::sync::atomic::{AtomicU32, Ordering};

use discobase::{Database, ErrorKind, Table, Transaction, delete};

use crate::foreign_keys::{Item, Order, User, ids, open, order, user};
use crate::support::Place;

crate::everywhere!(
    a_deleted_parent_and_its_new_child_never_both_are,
    a_transaction_that_lost_a_parent_or_met_a_child_is_done_again,
    a_transaction_that_breaks_references_by_itself_is_told_at_once,
);

crate::in_process!(transactions_on_lazy_tables,);

/// Two at once, many times: one deletes a parent, the other gives it a child.
async fn a_deleted_parent_and_its_new_child_never_both_are(place: &Place) {
    let db = open(place).await;
    let (mut deleted, mut saved) = (0, 0);
    for round in 1..=40 {
        user(round).save(&db).await.unwrap();
        let deleting = async {
            let session = db.session()?;
            let found = session.get::<User>(round).await?.unwrap();
            session.delete(found).await?;
            session.commit().await
        };
        let saving = async {
            let session = db.session()?;
            session.add(order(round, round)).await?;
            if round % 2 == 0 {
                tokio::task::yield_now().await;
            }
            session.commit().await
        };
        let (gone, child) = if round % 3 == 0 {
            tokio::join!(deleting, saving)
        } else {
            let (child, gone) = tokio::join!(saving, deleting);
            (gone, child)
        };
        match (gone, child) {
            (Ok(_), Err(error)) => {
                assert_eq!(error.kind(), ErrorKind::NoParent);
                deleted += 1;
            }
            (Err(error), Ok(_)) => {
                assert_eq!(error.kind(), ErrorKind::StillReferenced);
                saved += 1;
            }
            other => panic!("round {round}: {other:?}"),
        }
        let (users, orders, _) = ids(&db).await;
        assert_eq!(users.contains(&round), orders.contains(&round));
    }
    assert!(deleted > 0 && saved > 0, "{deleted} parents deleted, {saved} children saved");
    db.close().await.unwrap();
}

/// The first time, before the work commits, somebody else does something.
struct Once(AtomicU32);

impl Once {
    const fn new() -> Self {
        Self(AtomicU32::new(0))
    }

    fn attempts(&self) -> u32 {
        self.0.load(Ordering::Relaxed)
    }

    async fn meanwhile(&self, other: impl Future<Output = discobase::Result<()>>) {
        if self.0.fetch_add(1, Ordering::Relaxed) == 0 {
            other.await.unwrap();
        }
    }
}

async fn gone(db: &Database, id: u64) -> discobase::Result<()> {
    User::get(db, id).await?.unwrap().delete().await.map(|_| ())
}

/// What the session saw was right: somebody else was faster, and the next attempt sees what they did.
async fn a_transaction_that_lost_a_parent_or_met_a_child_is_done_again(place: &Place) {
    let db = open(place).await;
    racing(&db).await;
    db.close().await.unwrap();
}

async fn racing(db: &Database) {
    User::save_all([user(1), user(2), user(3)], db).await.unwrap();
    for flush in [false, true] {
        // A parent that was there is gone.
        let (once, other) = (Once::new(), 1 + u64::from(flush));
        let parent = db.transaction(|s| {
            let once = &once;
            async move {
                let parent = if s.get::<User>(other).await?.is_some() { other } else { 3 };
                s.add(order(other, parent)).await?;
                once.meanwhile(gone(db, other)).await;
                if flush {
                    s.flush().await?;
                }
                Ok(parent)
            }
        });
        assert_eq!(parent.await.unwrap(), 3);
        assert_eq!(once.attempts(), 2);
    }
    assert_eq!(ids(db).await, (vec![3], vec![1, 2], vec![]));

    // A parent that nothing referred to has a child.
    delete::<Order>().run(db).await.unwrap();
    let once = Once::new();
    let children = db.transaction(|s| {
        let once = &once;
        async move {
            let children = delete::<Order>().filter(|o| o.user_id.eq(3)).run(&s).await?;
            delete::<User>().filter(|u| u.id.eq(3)).run(&s).await?;
            once.meanwhile(async { order(4, 3).save(db).await.map(|_| ()) }).await;
            Ok(children)
        }
    });
    assert_eq!(children.await.unwrap(), 1);
    assert_eq!(once.attempts(), 2);
    assert_eq!(ids(db).await, (vec![], vec![], vec![]));

    // It ends with the error if the same happens each time.
    user(1).save(db).await.unwrap();
    let attempts = Once::new();
    let three = Transaction::new().attempts(3);
    let error = three.run(db, |s| {
        let attempts = &attempts;
        async move {
            let id = u64::from(attempts.0.fetch_add(1, Ordering::Relaxed)) + 1;
            s.add(order(1, id)).await?;
            user(id + 1).save(db).await?;
            gone(db, id).await
        }
    });
    assert_eq!(error.await.unwrap_err().kind(), ErrorKind::NoParent);
    assert_eq!(attempts.attempts(), 3);
}

/// No other attempt would change it.
async fn a_transaction_that_breaks_references_by_itself_is_told_at_once(place: &Place) {
    let db = open(place).await;
    mistaken(&db).await;
    db.close().await.unwrap();
}

async fn mistaken(db: &Database) {
    User::save_all([user(1), user(2)], db).await.unwrap();
    order(1, 1).save(db).await.unwrap();
    for flush in [false, true] {
        let attempts = Once::new();
        let work = db.transaction(|s| {
            let attempts = &attempts;
            async move {
                attempts.meanwhile(async { Ok(()) }).await;
                s.add(order(2, 7)).await?;
                if flush { s.flush().await } else { Ok(()) }
            }
        });
        assert_eq!(work.await.unwrap_err().kind(), ErrorKind::NoParent);
        assert_eq!(attempts.attempts(), 1);
    }
    // It saw the child. That another one comes meanwhile does not matter.
    let once = Once::new();
    let work = db.transaction(|s| {
        let once = &once;
        async move {
            s.delete(s.get::<User>(1).await?.unwrap()).await?;
            once.meanwhile(async { order(3, 1).save(db).await.map(|_| ()) }).await;
            Ok(())
        }
    });
    assert_eq!(work.await.unwrap_err().kind(), ErrorKind::StillReferenced);
    assert_eq!(once.attempts(), 1);
    assert_eq!(ids(db).await, (vec![1, 2], vec![1, 3], vec![]));
}

async fn transactions_on_lazy_tables(place: &Place) {
    let lazy = async |name: &str| {
        let db = place.database_named(name);
        db.table_lazy::<Order>().unwrap();
        db.table_lazy::<Item>().unwrap();
        db.table_lazy::<User>().unwrap();
        place.connect(&db).await.unwrap();
        db
    };
    for mistake in [false, true] {
        let name = format!("{}-{mistake}", place.name);
        let db = lazy(&name).await;
        db.checkpoint().await.unwrap();
        db.close().await.unwrap();
        let db = lazy(&name).await;
        assert!(!db.is_loaded::<User>().unwrap());
        if mistake {
            mistaken(&db).await;
        } else {
            racing(&db).await;
        }
        db.close().await.unwrap();
    }
}
