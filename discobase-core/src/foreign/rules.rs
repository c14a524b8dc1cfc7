//! The rules of garde and of validator as violations: `#[table(garde)]` and `#[table(validator)]` on a struct.

use crate::validate::Violations;

#[cfg(feature = "garde")]
pub use with_garde::garde;
#[cfg(not(feature = "garde"))]
pub use without_garde::garde;

#[cfg(feature = "validator")]
pub use with_validator::validator;
#[cfg(not(feature = "validator"))]
pub use without_validator::validator;

#[cfg(feature = "garde")]
mod with_garde {
    use super::Violations;
    use crate::error::Reason;

    /// Notes what `garde::Validate` finds, under the code `garde`.
    pub fn garde<T: garde::Validate>(value: &T, found: &mut Violations)
    where
        T::Context: Default,
    {
        let Err(report) = value.validate() else { return };
        for (path, error) in report.iter() {
            found.note(&path.to_string(), Some(Reason::new("garde", error.message())));
        }
    }
}

#[cfg(not(feature = "garde"))]
mod without_garde {
    use super::Violations;

    /// Nothing has it.
    #[diagnostic::on_unimplemented(
        message = "`garde` needs the feature of that name",
        label = "asks for the rules of garde",
        note = "add it to the dependency: discobase = {{ …, features = [\"garde\"] }}"
    )]
    pub trait Garde {}

    /// Does not compile without the feature.
    pub fn garde<T: Garde>(_: &T, _: &mut Violations) {}
}

#[cfg(feature = "validator")]
mod with_validator {
    use validator::{ValidationError, ValidationErrors, ValidationErrorsKind};

    use super::Violations;
    use crate::error::Reason;

    /// Notes what `validator::Validate` finds, under the codes it has.
    pub fn validator<T: validator::Validate>(value: &T, found: &mut Violations) {
        if let Err(errors) = value.validate() {
            note(&errors, found);
        }
    }

    fn note(errors: &ValidationErrors, found: &mut Violations) {
        // It keeps them by name in no order.
        let mut by_field: Vec<_> = errors.errors().iter().collect();
        by_field.sort_by_key(|(field, _)| *field);
        for (field, kind) in by_field {
            // The name it gives to what is wrong with the struct as a whole.
            let field = if field == "__all__" { "" } else { field.as_ref() };
            match kind {
                ValidationErrorsKind::Field(errors) => {
                    errors.iter().for_each(|error| found.note(field, Some(reason(error))));
                }
                ValidationErrorsKind::Struct(inner) => found.inside(field, |found| note(inner, found)),
                ValidationErrorsKind::List(items) => {
                    for (at, inner) in items {
                        found.inside(&format!("{field}[{at}]"), |found| note(inner, found));
                    }
                }
            }
        }
    }

    fn reason(error: &ValidationError) -> Reason {
        let message = error.message.as_ref().map_or_else(
            || format!("it does not satisfy `{}`", error.code),
            |message| message.clone().into_owned(),
        );
        Reason::new(error.code.clone(), message)
    }
}

#[cfg(not(feature = "validator"))]
mod without_validator {
    use super::Violations;

    /// Nothing has it.
    #[diagnostic::on_unimplemented(
        message = "`validator` needs the feature of that name",
        label = "asks for the rules of validator",
        note = "add it to the dependency: discobase = {{ …, features = [\"validator\"] }}"
    )]
    pub trait Validator {}

    /// Does not compile without the feature.
    pub fn validator<T: Validator>(_: &T, _: &mut Violations) {}
}
