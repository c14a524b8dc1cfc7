//! Changes of single values of a row: what a frame carries where the whole row can be left out.

use crate::row::{Row, RowRef, RowWriter};
use crate::value::ValueRef;

/// New values of some of a row's columns, kept as a row of pairs: a column id, and the value that the column gets. The
/// ids rise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Patch(Row);

impl Patch {
    /// The patch that is kept as these pairs; `None` if they are not as they should be.
    pub(crate) fn of_pairs(pairs: Row) -> Option<Self> {
        fn are_pairs(values: &[ValueRef<'_>]) -> bool {
            let mut least = 0;
            let rising = values.chunks(2).all(|pair| match pair {
                [ValueRef::Int(column), _] if *column >= least => {
                    least = column + 1;
                    true
                }
                _ => false,
            });
            rising && !values.is_empty()
        }
        if are_pairs(&pairs.values()) { Some(Self(pairs)) } else { None }
    }

    /// What makes one row of another; `None` unless that takes fewer bytes than the other one as a whole.
    pub(crate) fn between(before: RowRef<'_>, after: RowRef<'_>) -> Option<Self> {
        // Encodings are compared: of two values that are equal, 0.0 and -0.0, the bytes may differ.
        let (old, new) = (before.encoded(), after.encoded());
        if old.len() != new.len() {
            return None;
        }
        let changed = || new.iter().zip(&old).enumerate().filter(|(_, (new, old))| new != old);
        let mut pairs = RowWriter::new(2 * changed().count());
        for (column, (value, _)) in changed() {
            pairs.put(ValueRef::Int(column as i128));
            pairs.put_encoded(value);
        }
        let pairs = pairs.finish();
        (old != new && pairs.as_bytes().len() < after.as_bytes().len()).then_some(Self(pairs))
    }

    /// The row with these values in the place of its own; `None` if it lacks one of the columns.
    pub(crate) fn apply(&self, row: RowRef<'_>) -> Option<Row> {
        let (mut values, pairs) = (row.encoded(), self.0.borrow().encoded());
        for (place, value) in self.columns().zip(pairs.iter().skip(1).step_by(2)) {
            *values.get_mut(place?)? = value;
        }
        let mut after = RowWriter::new(values.len());
        values.iter().for_each(|value| after.put_encoded(value));
        Some(after.finish())
    }

    /// The pairs.
    pub(crate) fn pairs(&self) -> &Row {
        &self.0
    }

    /// The ids of the columns that change; `None` of one that no table has.
    fn columns(&self) -> impl Iterator<Item = Option<usize>> {
        self.0.values().into_iter().step_by(2).map(|column| match column {
            ValueRef::Int(column) => usize::try_from(column).ok(),
            _ => None,
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::value::Value;

    fn row(values: &[Value]) -> Row {
        let mut row = RowWriter::new(values.len());
        values.iter().for_each(|value| row.put(value.as_ref()));
        row.finish()
    }

    fn values() -> impl Strategy<Value = Value> {
        prop_oneof![
            Just(Value::Null),
            any::<i64>().prop_map(|number| Value::Int(number.into())),
            prop_oneof![Just(0.0), Just(-0.0), Just(f64::NAN), any::<f64>()].prop_map(Value::Float),
            "[a-z]{0,40}".prop_map(Value::Text),
        ]
    }

    proptest! {
        /// What was taken from two rows makes the second of the first, to the byte.
        #[test]
        fn a_patch_makes_one_row_of_the_other(
            before in proptest::collection::vec(values(), 0..12),
            changes in proptest::collection::vec((any::<usize>(), values()), 0..4),
        ) {
            let mut after = before.clone();
            for (place, value) in changes {
                let count = after.len().max(1);
                after.get_mut(place % count).into_iter().for_each(|old| *old = value.clone());
            }
            let (before, after) = (row(&before), row(&after));
            match Patch::between(before.borrow(), after.borrow()) {
                Some(patch) => {
                    prop_assert!(patch.pairs().as_bytes().len() < after.as_bytes().len());
                    prop_assert!(before != after);
                    prop_assert_eq!(Patch::of_pairs(patch.pairs().clone()), Some(patch.clone()));
                    prop_assert_eq!(patch.apply(before.borrow()), Some(after));
                }
                None => {
                    let (old, new) = (before.borrow().encoded(), after.borrow().encoded());
                    let changed = new.iter().zip(&old).filter(|(new, old)| new != old);
                    // A byte for the number of values, and two for each column's id.
                    let length = changed.fold(1, |length, (new, _)| length + 2 + new.len());
                    prop_assert!(before == after || length >= after.as_bytes().len());
                }
            }
        }
    }

    fn int(number: i128) -> Value {
        Value::Int(number)
    }

    #[test]
    fn one_changed_value_is_all_there_is() {
        let name = || Value::Text("Peter".to_owned());
        let (before, after) = (row(&[int(1), name(), int(0)]), row(&[int(1), name(), int(5)]));
        let patch = Patch::between(before.borrow(), after.borrow()).unwrap();
        assert_eq!(patch.pairs(), &row(&[int(2), int(5)]));
        assert_eq!(patch.apply(before.borrow()), Some(after));
    }

    #[test]
    fn rows_of_other_lengths_and_equal_ones_have_none() {
        let long = row(&[int(1), Value::Text("a".repeat(50)), int(2)]);
        let short = row(&[int(1), Value::Text("a".repeat(50))]);
        assert_eq!(Patch::between(long.borrow(), short.borrow()), None);
        assert_eq!(Patch::between(short.borrow(), long.borrow()), None);
        assert_eq!(Patch::between(long.borrow(), long.borrow()), None);
    }

    #[test]
    fn zeros_of_other_signs_differ() {
        let text = Value::Text("a".repeat(50));
        let before = row(&[text.clone(), Value::Float(0.0)]);
        let after = row(&[text, Value::Float(-0.0)]);
        let patch = Patch::between(before.borrow(), after.borrow()).unwrap();
        assert_eq!(patch.apply(before.borrow()), Some(after));
    }

    #[test]
    fn a_row_that_lacks_the_column_is_refused() {
        let patch = Patch::of_pairs(row(&[int(2), int(5)])).unwrap();
        assert_eq!(patch.apply(row(&[int(1), int(2)]).borrow()), None);
        let patch = Patch::of_pairs(row(&[int(1 << 63), int(5)])).unwrap();
        assert_eq!(patch.apply(row(&[int(1), int(2)]).borrow()), None);
    }

    #[test]
    fn pairs_are_columns_that_rise() {
        let name = || Value::Text("a".to_owned());
        for pairs in [
            vec![],
            vec![int(1)],
            vec![int(-1), int(1)],
            vec![name(), int(1)],
            vec![int(1), name(), int(1), name()],
            vec![int(2), name(), int(1), name()],
            vec![int(1), name(), int(2)],
        ] {
            assert_eq!(Patch::of_pairs(row(&pairs)), None, "{pairs:?}");
        }
        assert!(Patch::of_pairs(row(&[int(0), name(), int(4), Value::Null])).is_some());
    }
}
