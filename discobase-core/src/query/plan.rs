//! Which way to the rows: an index where the filter fixes or bounds its first columns, all rows otherwise.

use std::ops::Bound;

use smallvec::SmallVec;

use crate::batch::{IndexDef, TableDef};
use crate::query::expr::{Compare, Expr};
use crate::schema::IndexKind;
use crate::tables::SortKey;
use crate::value::Value;

/// How the candidates of a query are found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Access {
    /// The rows with one of these keys in an index; if the keys have fewer columns than the index, with keys that begin
    /// with one of these.
    Keys { index: usize, columns: usize, keys: Vec<SortKey> },
    /// The rows between two keys of an index, of which the first so many columns are fixed.
    Range { index: usize, fixed: usize, low: Bound<SortKey>, high: Bound<SortKey> },
    /// All rows.
    Scan,
}

/// A way to the rows, and what is left of the filter.
#[derive(Debug)]
pub(crate) struct Plan<'a> {
    pub(crate) access: Access,
    /// What candidates still have to satisfy: the way itself sees to the rest.
    pub(crate) rest: Vec<&'a Expr>,
}

/// A way through an index.
struct Way {
    access: Access,
    /// The lower, the fewer rows it is likely to touch.
    cost: usize,
    /// The terms that hold of every row it leads to.
    kept: Places,
}

/// Which of the terms.
type Places = SmallVec<[usize; 4]>;

/// A way is not taken for another that sees to more of the filter if it is likely so many times as cheap.
const DEARER: usize = 32;
/// A way of less is one to single rows: there is nothing to be gained.
const SEVERAL: usize = 1_000;

/// Chooses a plan. Columns in `filter` are column ids, and operands are as they compare.
pub(crate) fn plan<'a>(table: &TableDef, filter: Option<&'a Expr>) -> Plan<'a> {
    plan_for(table, filter, |_| false)
}

/// Chooses a plan for who wants the rows in an order, which some ways have.
pub(crate) fn plan_for<'a>(
    table: &TableDef,
    filter: Option<&'a Expr>,
    has_order: impl Fn(&Access) -> bool,
) -> Plan<'a> {
    let terms = terms(filter);
    let mut ways = ways(table, &terms);
    let Some(mut best) = cheapest(&mut ways) else { return Plan { access: Access::Scan, rest: terms } };
    for way in ways {
        let of_all = best.kept.iter().all(|place| way.kept.contains(place));
        // What sees to more leads to some of the same rows, and to no others.
        let better = way.kept.len() > best.kept.len() || (has_order(&way.access) && !has_order(&best.access));
        if best.cost >= SEVERAL && of_all && better && way.cost <= best.cost.saturating_mul(DEARER) {
            best = way;
        }
    }
    planned(terms, best)
}

/// The plan of the fewest keys, for who looks them up one by one.
pub(crate) fn plan_by_keys<'a>(table: &TableDef, filter: Option<&'a Expr>) -> Plan<'a> {
    let terms = terms(filter);
    match cheapest(&mut ways(table, &terms)) {
        Some(way) => planned(terms, way),
        None => Plan { access: Access::Scan, rest: terms },
    }
}

fn terms(filter: Option<&Expr>) -> Vec<&Expr> {
    let mut terms = Vec::new();
    filter.into_iter().for_each(|filter| conjuncts(filter, &mut terms));
    terms
}

fn ways(table: &TableDef, terms: &[&Expr]) -> Vec<Way> {
    let indexes = table.indexes.iter().enumerate();
    indexes.filter_map(|(position, index)| through(position, index, terms)).collect()
}

/// Takes the cheapest way out, of several the first.
fn cheapest(ways: &mut Vec<Way>) -> Option<Way> {
    let (place, _) = ways.iter().enumerate().min_by_key(|(_, way)| way.cost)?;
    Some(ways.remove(place))
}

fn planned<'a>(terms: Vec<&'a Expr>, way: Way) -> Plan<'a> {
    let rest = terms.into_iter().enumerate().filter(|(place, _)| !way.kept.contains(place));
    Plan { access: way.access, rest: rest.map(|(_, term)| term).collect() }
}

/// The conditions that must all hold.
pub(crate) fn conjuncts<'a>(expr: &'a Expr, terms: &mut Vec<&'a Expr>) {
    match expr {
        Expr::And(parts) => parts.iter().for_each(|part| conjuncts(part, terms)),
        other => terms.push(other),
    }
}

/// The value that a term fixes the column to.
fn fixes(term: &Expr, column: usize) -> Option<&Value> {
    match term {
        Expr::Compare(of, Compare::Eq, value) if *of == column => Some(value),
        _ => None,
    }
}

/// The way through one index, if the terms say something of its first column.
fn through(position: usize, index: &IndexDef, terms: &[&Expr]) -> Option<Way> {
    let (mut key, mut kept, mut fixed) = (SortKey::default(), Places::new(), 0);
    for &column in &index.columns {
        let mut places = terms.iter().enumerate();
        let Some((place, value)) = places.find_map(|(place, term)| Some((place, fixes(term, column)?)))
        else {
            break;
        };
        key.push(value.as_ref());
        kept.push(place);
        fixed += 1;
    }
    let unique = index.kind != IndexKind::Index;
    let Some(&column) = index.columns.get(fixed) else {
        let access = Access::Keys { index: position, columns: fixed, keys: vec![key] };
        return Some(Way { access, cost: if unique { 1 } else { 1_000 }, kept });
    };
    let within = terms.iter().enumerate().find_map(|(place, term)| match term {
        Expr::In(of, values) if *of == column => Some((place, values)),
        _ => None,
    });
    if let Some((place, values)) = within {
        let keys = values.iter().map(|value| {
            let mut key = key.clone();
            key.push(value.as_ref());
            key
        });
        let mut keys: Vec<_> = keys.collect();
        keys.sort_unstable();
        keys.dedup();
        kept.push(place);
        let each = if unique && fixed + 1 == index.columns.len() { 1 } else { 1_000 };
        let cost = each * keys.len();
        return Some(Way { access: Access::Keys { index: position, columns: fixed + 1, keys }, cost, kept });
    }
    range(position, fixed, &key, column, terms, kept)
}

/// The way between two bounds of the column behind those that are fixed.
fn range(
    index: usize,
    fixed: usize,
    prefix: &SortKey,
    column: usize,
    terms: &[&Expr],
    mut kept: Places,
) -> Option<Way> {
    let (mut low, mut high) = (Bound::Unbounded, Bound::Unbounded);
    for (place, term) in terms.iter().enumerate() {
        let with = |value: &Value| {
            let mut key = prefix.clone();
            key.push(value.as_ref());
            key
        };
        match term {
            Expr::Compare(of, op, value) if *of == column => match op {
                Compare::Gt => low = tighter_low(low, Bound::Excluded(with(value))),
                Compare::Ge => low = tighter_low(low, Bound::Included(with(value))),
                Compare::Lt => high = tighter_high(high, Bound::Excluded(with(value))),
                Compare::Le => high = tighter_high(high, Bound::Included(with(value))),
                Compare::Eq | Compare::Ne => continue,
            },
            Expr::StartsWith(of, text) if *of == column => {
                let mut start = prefix.clone();
                start.push_text_start(text);
                high = tighter_high(high, Bound::Excluded(start.clone().after_prefix()));
                low = tighter_low(low, Bound::Included(start));
            }
            _ => continue,
        }
        kept.push(place);
    }
    if is_empty(&low, &high) {
        return Some(Way {
            access: Access::Keys { index, columns: fixed + 1, keys: Vec::new() },
            cost: 0,
            kept,
        });
    }
    let bounds = [&low, &high].into_iter().filter(|bound| key(bound).is_some()).count();
    let cost = match (fixed, bounds) {
        (0, 0) => return None,
        (0, 1) => 2_000_000,
        (0, _) => 1_000_000,
        (_, 0) => 20_000,
        (_, 1) => 10_000,
        (_, _) => 5_000,
    };
    if fixed > 0 {
        let whole = || Bound::Included(prefix.clone());
        (low, high) = (
            if key(&low).is_some() { low } else { whole() },
            if key(&high).is_some() { high } else { whole() },
        );
    }
    Some(Way { access: Access::Range { index, fixed, low, high }, cost, kept })
}

fn tighter_low(a: Bound<SortKey>, b: Bound<SortKey>) -> Bound<SortKey> {
    match (key(&a), key(&b)) {
        (Some(x), Some(y)) if x > y || (x == y && matches!(a, Bound::Excluded(_))) => a,
        (_, None) => a,
        _ => b,
    }
}

fn tighter_high(a: Bound<SortKey>, b: Bound<SortKey>) -> Bound<SortKey> {
    match (key(&a), key(&b)) {
        (Some(x), Some(y)) if x < y || (x == y && matches!(a, Bound::Excluded(_))) => a,
        (_, None) => a,
        _ => b,
    }
}

/// Whether nothing lies between the bounds; a map refuses to be asked for such a range.
fn is_empty(low: &Bound<SortKey>, high: &Bound<SortKey>) -> bool {
    match (key(low), key(high)) {
        (Some(x), Some(y)) if x == y => !matches!((low, high), (Bound::Included(_), Bound::Included(_))),
        (Some(x), Some(y)) => x > y,
        _ => false,
    }
}

fn key(bound: &Bound<SortKey>) -> Option<&SortKey> {
    match bound {
        Bound::Included(key) | Bound::Excluded(key) => Some(key),
        Bound::Unbounded => None,
    }
}
