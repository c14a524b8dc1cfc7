//! Counts, sums, averages, least and greatest values: of all records, and of groups of them.

use discobase::aggregate::{avg, count, max, min, present, sum};
use discobase::{ColumnEnum, Database, ErrorKind, Session, Table};
use twilight_model::util::Timestamp;

use crate::support::Place;

crate::everywhere!(questions_about_all_records_are_answered, groups_have_answers_of_their_own);

crate::in_process!(
    sums_are_exact_or_errors,
    floats_add_up_with_what_each_addition_loses,
    nulls_are_skipped_and_nothing_has_no_average,
    groups_are_chosen_sorted_and_limited,
    groups_are_of_one_state,
    counts_and_extremes_come_from_an_index,
);

#[derive(Debug, Clone, Copy, PartialEq, Eq, ColumnEnum)]
enum Rank {
    Zero,
    Able,
    Mid,
}

#[derive(Debug, Clone, PartialEq, Table)]
struct Score {
    #[table(key)]
    id: u64,
    guild: u64,
    team: Option<String>,
    #[table(index)]
    points: i64,
    bonus: Option<u32>,
    weight: f64,
    rank: Rank,
    at: Option<Timestamp>,
}

fn score(id: u64, guild: u64, team: Option<&str>, points: i64, bonus: Option<u32>) -> Score {
    let rank = [Rank::Mid, Rank::Zero, Rank::Able][id as usize % 3];
    let at = (id % 2 == 1).then(|| Timestamp::from_secs(1_000 + id as i64).unwrap());
    Score { id, guild, team: team.map(Into::into), points, bonus, weight: id as f64 / 2.0, rank, at }
}

async fn empty(place: &Place) -> Database {
    let db = place.database();
    db.table::<Score>().unwrap();
    place.connect(&db).await.unwrap();
    db
}

async fn open(place: &Place) -> Database {
    let db = empty(place).await;
    let scores = [
        score(1, 10, Some("red"), 30, Some(1)),
        score(2, 10, Some("blue"), 20, None),
        score(3, 20, Some("red"), 20, Some(4)),
        score(4, 20, None, -5, None),
        score(5, 10, None, 0, Some(2)),
    ];
    Score::save_all(scores, &db).await.unwrap();
    db
}

async fn questions_about_all_records_are_answered(place: &Place) {
    let db = open(place).await;
    let find = || Score::find(&db);
    assert_eq!(find().sum(|s| s.points).await.unwrap(), 65);
    assert_eq!(find().filter(|s| s.guild.eq(10)).sum(|s| s.points).await.unwrap(), 50);
    assert_eq!(find().avg(|s| s.points).await.unwrap(), Some(13.0));
    assert_eq!(find().min(|s| s.points).await.unwrap(), Some(-5));
    assert_eq!(find().max(|s| s.points).await.unwrap(), Some(30));
    assert_eq!(find().sum(|s| s.bonus).await.unwrap(), 7);
    assert_eq!(find().sum(|s| s.weight).await.unwrap(), 7.5);
    assert_eq!(find().max(|s| s.team).await.unwrap().as_deref(), Some("red"));
    assert_eq!(find().min(|s| s.at).await.unwrap(), Timestamp::from_secs(1_001).ok());
    // Variants are in the order of their declaration, not of their names.
    assert_eq!(find().min(|s| s.rank).await.unwrap(), Some(Rank::Zero));
    assert_eq!(find().max(|s| s.rank).await.unwrap(), Some(Rank::Mid));
    assert!(find().exists().await.unwrap());
    assert!(find().filter(|s| s.team.eq("red")).exists().await.unwrap());
    assert!(!find().filter(|s| s.team.eq("green")).exists().await.unwrap());
    assert!(!find().offset(5).exists().await.unwrap());
    let asked = find().aggregate(|s| (count(), present(s.team), sum(s.points), avg(s.bonus), max(s.id)));
    assert_eq!(asked.await.unwrap(), (5, 3, 65, Some(7.0 / 3.0), Some(5)));
    // As `count`, of the page.
    let page = find().order_by(|s| s.points.desc()).limit(3).offset(1);
    assert_eq!(
        page.aggregate(|s| (count(), min(s.points), max(s.points))).await.unwrap(),
        (3, Some(0), Some(20))
    );
    db.close().await.unwrap();
}

async fn groups_have_answers_of_their_own(place: &Place) {
    let db = open(place).await;
    let find = || Score::find(&db);
    let by_guild = find().group_by(|s| s.guild).aggregate(|s| (count(), sum(s.points), max(s.bonus)));
    assert_eq!(by_guild.await.unwrap(), [(10, (3, 50, Some(2))), (20, (2, 15, Some(4)))]);
    // Nothing is a value that some have in common.
    let by_team = find().group_by(|s| s.team).aggregate(|_| count()).await.unwrap();
    let team = |name: &str| Some(name.to_owned());
    assert_eq!(by_team, [(None, 2), (team("blue"), 1), (team("red"), 2)]);
    let by_both = find().group_by(|s| (s.guild, s.team)).aggregate(|s| sum(s.points)).await.unwrap();
    assert_eq!(
        by_both,
        [
            ((10, None), 0),
            ((10, team("blue")), 20),
            ((10, team("red")), 30),
            ((20, None), -5),
            ((20, team("red")), 20)
        ]
    );
    // In the order of the variants.
    let by_rank = find().group_by(|s| s.rank).aggregate(|_| count()).await.unwrap();
    assert_eq!(by_rank, [(Rank::Zero, 2), (Rank::Able, 2), (Rank::Mid, 1)]);
    assert_eq!(
        find().filter(|s| s.guild.eq(30)).group_by(|s| s.guild).aggregate(|_| count()).await.unwrap(),
        []
    );
    assert_eq!(find().group_by(|s| s.team).count().await.unwrap(), 3);
    db.close().await.unwrap();
}

async fn sums_are_exact_or_errors(place: &Place) {
    let db = empty(place).await;
    let find = || Score::find(&db);
    // On the way the sum is beyond what 64 bits hold, at the end it is not.
    let points = [i64::MAX, i64::MAX, i64::MIN, i64::MIN, 7];
    let scores = (0..5).map(|id| score(id, id % 2, None, points[id as usize], Some(u32::MAX)));
    Score::save_all(scores, &db).await.unwrap();
    assert_eq!(find().sum(|s| s.points).await.unwrap(), 5);
    assert_eq!(find().avg(|s| s.points).await.unwrap(), Some(1.0));
    assert_eq!(find().sum(|s| s.bonus).await.unwrap(), 5 * u64::from(u32::MAX));
    let error = find().filter(|s| s.points.gt(0)).sum(|s| s.points).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Arithmetic);
    assert_eq!(
        error.to_string(),
        "the sum does not fit its type: expected i64, found 18446744073709551621; add up fewer records, or ask for `avg` \
         (table score, field points)"
    );
    let error = find().filter(|s| s.points.lt(0)).sum(|s| s.points).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Arithmetic);
    // A condition and an order know the exact sum, though nobody could be given it.
    let large = find().filter(|s| s.points.gt(7)).group_by(|s| s.id).having(|s| sum(s.points).eq(i64::MAX));
    assert_eq!(large.aggregate(|_| count()).await.unwrap(), [(0, 1), (1, 1)]);
    let signs = find().filter(|s| s.points.ne(7)).group_by(|s| s.guild).order_by(|s| sum(s.points).desc());
    assert_eq!(signs.aggregate(|_| count()).await.unwrap(), [(0, 2), (1, 2)]);
    db.close().await.unwrap();
}

async fn floats_add_up_with_what_each_addition_loses(place: &Place) {
    let db = empty(place).await;
    let weights = [1e16, 1.0, 1.0, -1e16];
    let scores = (0..4).map(|id| Score { weight: weights[id as usize], ..score(id, 0, None, 0, None) });
    Score::save_all(scores, &db).await.unwrap();
    assert_eq!(weights.iter().sum::<f64>(), 0.0, "added one after the other they lose the small ones");
    assert_eq!(Score::find(&db).sum(|s| s.weight).await.unwrap(), 2.0);
    assert_eq!(Score::find(&db).avg(|s| s.weight).await.unwrap(), Some(0.5));
    let infinite = Score { weight: f64::INFINITY, ..score(9, 0, None, 0, None) };
    infinite.save(&db).await.unwrap();
    assert_eq!(Score::find(&db).sum(|s| s.weight).await.unwrap(), f64::INFINITY);
    db.close().await.unwrap();
}

async fn nulls_are_skipped_and_nothing_has_no_average(place: &Place) {
    let db = empty(place).await;
    let find = || Score::find(&db);
    let of_nothing = |find: discobase::Find<Score>| {
        find.aggregate(|s| {
            (count(), present(s.bonus), sum(s.bonus), sum(s.weight), avg(s.points), min(s.points))
        })
    };
    assert_eq!(of_nothing(find()).await.unwrap(), (0, 0, 0, 0.0, None, None));
    assert!(!find().exists().await.unwrap());
    Score::save_all([score(1, 1, None, 4, None), score(2, 1, None, 6, None)], &db).await.unwrap();
    let bonus = find().aggregate(|s| (count(), present(s.bonus), sum(s.bonus), avg(s.bonus), max(s.bonus)));
    assert_eq!(bonus.await.unwrap(), (2, 0, 0, None, None));
    assert_eq!(find().filter(|s| s.id.gt(2)).avg(|s| s.points).await.unwrap(), None);
    score(3, 1, None, 8, Some(5)).save(&db).await.unwrap();
    assert_eq!(find().avg(|s| s.bonus).await.unwrap(), Some(5.0), "of those that have one");
    db.close().await.unwrap();
}

async fn groups_are_chosen_sorted_and_limited(place: &Place) {
    let db = empty(place).await;
    let scores =
        (0..100).map(|id| score(id, id % 7, None, (id * 37 % 101) as i64, (id % 7 < 3).then_some(1)));
    Score::save_all(scores, &db).await.unwrap();
    let groups = || Score::find(&db).group_by(|s| s.guild);
    let guilds = |groups: Vec<(u64, u64)>| groups.into_iter().map(|(guild, _)| guild).collect::<Vec<_>>();
    let asked = |grouped: discobase::Grouped<Score, _>| async {
        guilds(grouped.aggregate(|_| count()).await.unwrap())
    };
    assert_eq!(asked(groups()).await, [0, 1, 2, 3, 4, 5, 6]);
    assert_eq!(asked(groups().having(|_| count().gt(14))).await, [0, 1]);
    assert_eq!(asked(groups().having(|_| !count().gt(14))).await, [2, 3, 4, 5, 6]);
    assert_eq!(asked(groups().having(|_| count().gt(14)).having(|s| min(s.id).ge(1))).await, [1]);
    assert_eq!(asked(groups().having(|s| count().gt(14) & min(s.id).ge(1) | max(s.id).eq(95))).await, [1, 4]);
    // No answer is less than every answer.
    assert_eq!(asked(groups().having(|s| max(s.bonus).lt(1))).await, [3, 4, 5, 6]);
    assert_eq!(asked(groups().having(|s| max(s.bonus).is_null())).await, [3, 4, 5, 6]);
    assert_eq!(asked(groups().having(|s| max(s.bonus).is_not_null())).await, [0, 1, 2]);
    assert_eq!(asked(groups().having(|s| max(s.rank).gt(Rank::Able)).limit(1)).await, [0]);
    assert_eq!(asked(groups().order_by(|s| s.guild.desc()).limit(2)).await, [6, 5]);
    assert_eq!(
        asked(groups().order_by(|_| count().asc()).order_by(|s| s.guild.desc())).await,
        [6, 5, 4, 3, 2, 1, 0]
    );
    assert_eq!(asked(groups().order_by(|s| max(s.id).desc()).limit(2).offset(1)).await, [0, 6]);
    assert_eq!(groups().having(|_| count().gt(14)).count().await.unwrap(), 2);
    // What is asked for an order or a condition is not among the answers.
    let sums = groups().having(|s| avg(s.points).gt(0.0)).order_by(|s| sum(s.points).desc());
    let sums = sums.aggregate(|s| (min(s.id), sum(s.points))).await.unwrap();
    assert_eq!(sums.len(), 7);
    assert!(sums.is_sorted_by(|(_, (_, a)), (_, (_, b))| a >= b));
    let error = groups().order_by(|s| s.points.asc()).aggregate(|_| count()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert_eq!(
        error.to_string(),
        "groups can't be sorted by a column that differs inside of them: they are grouped by guild; sort by one of these, \
         or by an aggregate such as `min` (table score, field points)"
    );
    db.close().await.unwrap();
}

async fn groups_are_of_one_state(place: &Place) {
    let db = open(place).await;
    let before = db.snapshot().unwrap();
    let session: Session = db.session().unwrap();
    session.add(score(6, 20, None, 100, None)).await.unwrap();
    let points = |source: &dyn Fn() -> discobase::Find<Score>| {
        source().group_by(|s| s.guild).aggregate(|s| sum(s.points))
    };
    assert_eq!(points(&|| Score::find(&session)).await.unwrap(), [(10, 50), (20, 115)], "its own write");
    assert_eq!(points(&|| Score::find(&db)).await.unwrap(), [(10, 50), (20, 15)]);
    session.commit().await.unwrap();
    assert_eq!(points(&|| Score::find(&db)).await.unwrap(), [(10, 50), (20, 115)]);
    assert_eq!(points(&|| Score::find(&before)).await.unwrap(), [(10, 50), (20, 15)]);
    db.close().await.unwrap();
}

async fn counts_and_extremes_come_from_an_index(place: &Place) {
    let db = empty(place).await;
    let scores: Vec<Score> =
        (0..200).map(|id| score(id, id % 3, None, (id * 37 % 211) as i64 - 50, None)).collect();
    Score::save_all(scores.clone(), &db).await.unwrap();
    for low in [-60, -50, 0, 77, 160, 161] {
        let matching = || scores.iter().map(|score| score.points).filter(|points| *points >= low);
        let find = || Score::find(&db).filter(|s| s.points.ge(low));
        assert_eq!(find().count().await.unwrap(), matching().count());
        assert_eq!(find().limit(7).count().await.unwrap(), matching().count().min(7));
        assert_eq!(
            find().limit(7).offset(3).count().await.unwrap(),
            matching().count().saturating_sub(3).min(7)
        );
        assert_eq!(find().exists().await.unwrap(), matching().next().is_some());
        assert_eq!(find().min(|s| s.points).await.unwrap(), matching().min());
        assert_eq!(find().max(|s| s.points).await.unwrap(), matching().max());
        let both = find().aggregate(|s| (min(s.points), max(s.points), count())).await.unwrap();
        assert_eq!(both, (matching().min(), matching().max(), matching().count() as u64));
    }
    db.close().await.unwrap();
}
