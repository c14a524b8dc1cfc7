//! What validation found: one entry for each rule that a field breaks.

use std::borrow::Cow;
use std::fmt;

/// Why a value is refused: a code for programs, a sentence for people. What a function named by
/// `#[table(validate = …)]` gives as its error; a text alone is a reason with the code `custom`.
///
/// ```
/// # use discobase_core as discobase;
/// use discobase::Reason;
///
/// fn adult(age: &u8) -> Result<(), Reason> {
///     if *age >= 18 { Ok(()) } else { Err(Reason::new("too_young", "only adults can register")) }
/// }
/// # assert!(adult(&17).is_err());
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reason {
    code: Cow<'static, str>,
    message: String,
}

impl Reason {
    /// A reason. The message should not repeat the value: it may end up in a log.
    pub fn new(code: impl Into<Cow<'static, str>>, message: impl Into<String>) -> Self {
        Self { code: code.into(), message: message.into() }
    }
}

impl From<&str> for Reason {
    fn from(message: &str) -> Self {
        Self::new("custom", message)
    }
}

impl From<String> for Reason {
    fn from(message: String) -> Self {
        Self::new("custom", message)
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Reason {}

/// One rule that one field breaks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    record: usize,
    field: String,
    reason: Reason,
}

impl Violation {
    pub(crate) fn new(record: usize, field: String, reason: Reason) -> Self {
        Self { record, field, reason }
    }

    /// Which of the structs that were saved together breaks it, counted from 0.
    #[must_use]
    pub fn record(&self) -> usize {
        self.record
    }

    /// The field, as Rust names it: `name`, or `address.city` in an embedded struct. Empty where the struct as a whole
    /// breaks a rule of its own.
    #[must_use]
    pub fn field(&self) -> &str {
        &self.field
    }

    /// Which rule: `length`, `range`, `pattern`, `custom`, or the code of the function's [`Reason`].
    #[must_use]
    pub fn code(&self) -> &str {
        &self.reason.code
    }

    /// What is wrong, without the value.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.reason.message
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.record > 0 {
            write!(f, "record {}: ", self.record)?;
        }
        if !self.field.is_empty() {
            write!(f, "{}: ", self.field)?;
        }
        self.reason.fmt(f)
    }
}
