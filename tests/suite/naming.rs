//! Columns by their names, and what plans say.

use discobase::aggregate::{avg, count, max, min, sum};
use discobase::{ColumnEnum, Comparison, Database, Error, ErrorKind, Table, Value};
use twilight_model::util::Timestamp;
use uuid::Uuid;

use crate::support::Place;

crate::in_process!(
    columns_are_found_by_their_names,
    what_does_not_fit_a_column_is_named,
    a_plan_says_what_a_query_looks_at,
);

#[derive(Debug, Clone, Copy, PartialEq, Eq, ColumnEnum)]
enum Kind {
    Town,
    City,
}

#[derive(Debug, Clone, PartialEq, Table)]
struct Spot {
    #[table(key)]
    id: u64,
    #[table(index, rename = "title")]
    name: String,
    #[table(index)]
    people: i16,
    area: Option<f64>,
    kind: Kind,
    open: bool,
    at: Timestamp,
    token: Uuid,
    data: Vec<u8>,
    #[table(json)]
    tags: Vec<String>,
    #[table(skip)]
    cache: u8,
}

fn spot(id: u64) -> Spot {
    Spot {
        id,
        name: format!("Spot {id}"),
        people: (id % 50) as i16,
        area: (!id.is_multiple_of(4)).then_some(id as f64 / 2.0),
        kind: if id.is_multiple_of(3) { Kind::City } else { Kind::Town },
        open: id.is_multiple_of(2),
        at: Timestamp::from_secs(id as i64).unwrap(),
        token: Uuid::from_u128(id.into()),
        data: vec![id as u8],
        tags: vec!["tag".into()],
        cache: 0,
    }
}

async fn open(place: &Place) -> Database {
    let db = place.database();
    db.table::<Spot>().unwrap();
    place.connect(&db).await.unwrap();
    Spot::save_all((0..100).map(spot).collect::<Vec<_>>(), &db).await.unwrap();
    db
}

async fn columns_are_found_by_their_names(place: &Place) {
    let db = open(place).await;
    let column = |name: &str| Spot::column(name).unwrap();
    let count_of = async |filter: Result<discobase::Filter<Spot>, Error>| {
        let filter = filter.unwrap();
        Spot::find(&db).filter(|_| filter).count().await.unwrap()
    };
    assert_eq!(count_of(column("people").compare(Comparison::Lt, 10)).await, 20);
    assert_eq!(count_of(column("people").compare(">=".parse().unwrap(), 49_u64)).await, 2);
    assert_eq!(count_of(column("people").is_in([1, 2, 200])).await, 4);
    assert_eq!(count_of(column("title").eq("Spot 7")).await, 1);
    assert_eq!(count_of(column("title").starts_with("Spot 7")).await, 11);
    assert_eq!(count_of(column("title").contains("7")).await, 19);
    assert_eq!(count_of(column("area").eq(None::<f64>)).await, 25);
    assert_eq!(count_of(column("area").eq(3)).await, 1, "every integer is a float, too");
    assert_eq!(count_of(column("kind").eq("City")).await, 34);
    assert_eq!(count_of(column("kind").compare(Comparison::Lt, Kind::City)).await, 66);
    assert_eq!(count_of(column("open").eq(true)).await, 50);
    assert_eq!(count_of(column("at").compare(Comparison::Le, Timestamp::from_secs(9).unwrap())).await, 10);
    assert_eq!(count_of(column("token").eq(Uuid::from_u128(3))).await, 1);
    assert_eq!(count_of(column("token").eq(Uuid::from_u128(3).to_string())).await, 1);
    assert_eq!(count_of(column("data").eq(vec![3_u8])).await, 1);
    let both = column("open").eq(true).unwrap() & column("people").compare(Comparison::Ge, 40).unwrap();
    assert_eq!(count_of(Ok(both)).await, 10);

    let order = column("people").desc().unwrap();
    let columns = vec![column("people"), column("title"), column("tags")];
    let rows = Spot::find(&db).order_by(|_| order).limit(1).select(|_| columns).all().await.unwrap();
    assert_eq!(rows, [[Value::from(49), Value::from("Spot 49"), Value::from("[\"tag\"]")]]);
    let asked =
        vec![column("people").sum().unwrap(), column("area").avg().unwrap(), column("title").min().unwrap()];
    let answers = Spot::find(&db).aggregate(|_| asked).await.unwrap();
    assert_eq!(answers, [Value::from(2_450), Value::Float(25.0), Value::from("Spot 0")]);
    let grouped = Spot::find(&db).group_by(|_| vec![column("kind"), column("open")]).aggregate(|_| count());
    let grouped = grouped.await.unwrap();
    assert_eq!(grouped[0], (vec![Value::from("Town"), Value::from(false)], 33));
    let people = Spot::column("people").unwrap();
    assert_eq!((people.name(), people.column_type().name(), people.is_nullable()), ("people", "i16", false));
    for how in ["=", "!=", "<", "<=", ">", ">="] {
        assert_eq!(how.parse::<Comparison>().unwrap().to_string(), how);
    }
    db.close().await.unwrap();
}

async fn what_does_not_fit_a_column_is_named(_: &Place) {
    let said = |error: Error| {
        assert_eq!(error.kind(), ErrorKind::Invalid);
        error.to_string()
    };
    let all = "id, title, people, area, kind, open, at, token, data, tags";
    assert_eq!(
        said(Spot::column("name").unwrap_err()),
        format!("there is no column \"name\"; the columns are {all} (table spot, field name)")
    );
    assert_eq!(
        said(Spot::column("cache").unwrap_err()),
        format!(
            "cache is a field that is not stored (`skip`), so no query can be about it; the columns are {all} (table spot, \
             field cache)"
        )
    );
    let column = |name: &str| Spot::column(name).unwrap();
    let compared = |name: &str, value: Value| said(column(name).eq(value).unwrap_err());
    let with = |name: &str, wanted: &str, value: &str| {
        format!("the column is compared with {wanted}, and not with {value} (table spot, field {name})")
    };
    assert_eq!(compared("people", "many".into()), with("people", "values of i16", "\"many\""));
    assert_eq!(compared("people", 40_000.into()), with("people", "values of i16", "40000"));
    assert_eq!(compared("people", Value::Null), with("people", "values of i16", "null"));
    assert_eq!(compared("area", true.into()), with("area", "values of f64 or null", "true"));
    assert_eq!(compared("id", Value::Int(-1)), with("id", "values of u64", "-1"));
    assert_eq!(compared("kind", "Village".into()), with("kind", "one of Town, City", "\"Village\""));
    assert_eq!(compared("token", "x".into()), with("token", "values of uuid", "\"x\""));
    assert_eq!(compared("at", "now".into()), with("at", "a timestamp (microseconds since 1970)", "\"now\""));
    let json = "a column of JSON can't be compared or sorted by (table spot, field tags)";
    assert_eq!(compared("tags", "x".into()), json);
    assert_eq!(said(column("tags").asc().unwrap_err()), json);
    assert_eq!(said(column("tags").max().unwrap_err()), json);
    assert_eq!(
        said(column("people").contains("1").unwrap_err()),
        "a column of i16 is no text that could contain another (table spot, field people)"
    );
    assert_eq!(
        said(column("title").sum().unwrap_err()),
        "a column of text can't be added up (table spot, field title)"
    );
    assert_eq!(
        said("=>".parse::<Comparison>().unwrap_err()),
        "\"=>\" is no comparison; there are =, !=, <, <=, > and >="
    );
}

async fn a_plan_says_what_a_query_looks_at(place: &Place) {
    let db = open(place).await;
    let find = || Spot::find(&db);
    let says = |find: discobase::Find<Spot>| find.explain().unwrap().to_string();
    assert_eq!(says(find()), "scan of spot: looks at 100 of 100 rows");
    assert_eq!(says(find().limit(3).offset(2)), "scan of spot: looks at 5 of 100 rows");
    assert_eq!(says(find().limit(0)), "scan of spot: looks at 0 of 100 rows");
    assert_eq!(says(find().filter(|s| s.open.eq(true)).limit(3)), "scan of spot: looks at 5 of 100 rows");
    assert_eq!(says(find().filter(|s| s.people.lt(5))), "range on spot (people): looks at 10 of 100 rows");
    assert_eq!(says(find().filter(|s| s.id.eq(5))), "key on spot (id): looks at 1 of 100 rows");
    assert_eq!(says(find().order_by(|s| s.id.asc()).limit(7)), "order of spot (id): looks at 7 of 100 rows");
    assert_eq!(says(find().order_by(|s| s.id.desc()).limit(7)), "order of spot (id): looks at 7 of 100 rows");
    assert_eq!(
        says(find().order_by(|s| s.people.asc()).limit(7)),
        "order of spot (people): looks at 7 of 100 rows"
    );
    // Two have each number of people; which of them was saved first is known once both were looked at.
    assert_eq!(
        says(find().order_by(|s| s.people.desc()).limit(6)),
        "order of spot (people): looks at 7 of 100 rows"
    );
    assert_eq!(
        says(find().order_by(|s| s.area.desc()).limit(7)),
        "scan of spot: looks at 100 of 100 rows, and sorts them"
    );
    assert_eq!(
        says(find().filter(|s| s.people.lt(5)).order_by(|s| s.id.asc()).limit(1)),
        "range on spot (people): looks at 10 of 100 rows, and sorts them"
    );
    let ranged = find().filter(|s| s.people.between(10, 30)).order_by(|s| s.people.asc()).limit(4);
    assert_eq!(says(ranged.clone()), "range on spot (people): looks at 4 of 100 rows");
    // A page begins in the index where the last one ended: at the rows with as many people.
    let page = find().order_by(|s| s.people.asc()).page(40).await.unwrap();
    assert_eq!(page.records[39].people, 19);

    let counts = |find: discobase::Find<Spot>| find.explain_count().unwrap().to_string();
    assert_eq!(counts(find()), "count of spot: looks at 0 of 100 rows");
    assert_eq!(counts(find().filter(|s| s.people.ge(10))), "range on spot (people): looks at 0 of 100 rows");
    assert_eq!(
        counts(find().filter(|s| s.people.ge(10) & s.open.eq(true))),
        "range on spot (people): looks at 80 of 100 rows"
    );
    assert_eq!(counts(find().filter(|s| s.open.eq(true))), "scan of spot: looks at 100 of 100 rows");
    let end = find().explain_aggregate(|s| max(s.people)).unwrap();
    assert_eq!(
        (end.to_string(), end.sorts),
        ("end on spot (people): looks at 1 of 100 rows".to_owned(), false)
    );
    let ends = find()
        .filter(|s| s.people.ge(10))
        .explain_aggregate(|s| (min(s.people), max(s.people), count()))
        .unwrap();
    assert_eq!(ends.to_string(), "end on spot (people): looks at 2 of 100 rows");
    for scans in [
        find().explain_aggregate(|s| avg(s.people)),
        find().explain_aggregate(|s| (max(s.people), sum(s.people))),
        find().explain_aggregate(|s| max(s.area)),
        find().filter(|s| s.open.eq(true)).explain_aggregate(|s| max(s.people)),
    ] {
        assert_eq!(scans.unwrap().to_string(), "scan of spot: looks at 100 of 100 rows");
    }
    db.close().await.unwrap();
}
