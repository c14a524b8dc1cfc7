//! The rules that `#[table(length(…), range(…), pattern = …, validate = …)]` declare, as generated code checks them.

use std::sync::OnceLock;

use regex_lite::Regex;

use crate::error::{Reason, Violation};
use crate::field::ColumnValue;
use crate::value::{Value, ValueRef};

/// Collects what a struct's fields break.
#[derive(Debug, Default)]
pub struct Violations {
    found: Vec<Violation>,
    record: usize,
    /// The path of the embedded struct that is looked at, with a dot at its end.
    path: String,
}

impl Violations {
    /// The next struct of those that are saved together.
    pub(crate) fn begin(&mut self, record: usize) {
        self.record = record;
    }

    pub(crate) fn into_found(self) -> Vec<Violation> {
        self.found
    }

    /// Notes that a field breaks a rule, if it does. No field is named for a rule of the whole struct.
    pub fn note(&mut self, field: &str, reason: Option<Reason>) {
        if let Some(reason) = reason {
            let field = format!("{}{field}", self.path);
            let field = field.strip_suffix('.').map(str::to_owned).unwrap_or(field);
            self.found.push(Violation::new(self.record, field, reason));
        }
    }

    /// Notes what a function said.
    pub fn custom<E: Objection>(&mut self, field: &str, said: Result<(), E>) {
        self.note(field, said.err().map(Objection::reason));
    }

    /// Looks at the fields of an embedded struct.
    pub fn inside(&mut self, field: &str, look: impl FnOnce(&mut Self)) {
        let outside = self.path.len();
        self.path.push_str(field);
        self.path.push('.');
        look(self);
        self.path.truncate(outside);
    }
}

/// What a function of `validate` can say: everything that a [`Reason`] is made from.
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not say what is wrong",
    label = "its error is a `{Self}`",
    note = "a function for `validate` gives `Result<(), E>`, where `E` is a `String`, a `&'static str`, a `Reason`, or a \
            type of yours with `impl From<{Self}> for Reason`"
)]
pub trait Objection {
    /// The reason.
    fn reason(self) -> Reason;
}

#[diagnostic::do_not_recommend]
impl<E: Into<Reason>> Objection for E {
    fn reason(self) -> Reason {
        self.into()
    }
}

/// `length(min = …, max = …)`: characters of text, or bytes. Nothing has no length to be wrong.
pub fn length<V: ColumnValue>(value: &V, min: Option<u32>, max: Option<u32>) -> Option<Reason> {
    let (length, unit) = match value.as_value() {
        ValueRef::Text(text) => (text.chars().count(), "characters"),
        ValueRef::Bytes(bytes) => (bytes.len(), "bytes"),
        _ => return None,
    };
    let bound = match (min, max) {
        (Some(min), _) if length < min as usize => format!("at least {min} are needed"),
        (_, Some(max)) if length > max as usize => format!("at most {max} are allowed"),
        _ => return None,
    };
    Some(Reason::new("length", format!("it has {length} {unit}, and {bound}")))
}

/// `range(min = …)`: in the order that queries have. Nothing is in every range.
pub fn at_least<V: ColumnValue>(value: &V, min: &Value) -> Option<Reason> {
    let value = value.as_value();
    let wrong = !value.is_null() && value < min.as_ref();
    wrong.then(|| Reason::new("range", format!("it must be {min} at least")))
}

/// `range(max = …)`: in the order that queries have. Nothing is in every range.
pub fn at_most<V: ColumnValue>(value: &V, max: &Value) -> Option<Reason> {
    let value = value.as_value();
    let wrong = !value.is_null() && value > max.as_ref();
    wrong.then(|| Reason::new("range", format!("it must be {max} at most")))
}

/// `pattern = "…"`: a regular expression, which the derive has looked at already.
#[derive(Debug)]
pub struct Pattern {
    text: &'static str,
    compiled: OnceLock<Option<Regex>>,
}

impl Pattern {
    /// The pattern, compiled when it is first needed.
    #[must_use]
    pub const fn new(text: &'static str) -> Self {
        Self { text, compiled: OnceLock::new() }
    }

    /// Checks a text. Nothing fits every pattern.
    pub fn check<V: ColumnValue>(&self, value: &V) -> Option<Reason> {
        let ValueRef::Text(text) = value.as_value() else { return None };
        let compiled = self.compiled.get_or_init(|| Regex::new(self.text).ok());
        let fits = compiled.as_ref().is_some_and(|pattern| pattern.is_match(text));
        (!fits).then(|| Reason::new("pattern", format!("it does not fit the pattern {}", self.text)))
    }
}
