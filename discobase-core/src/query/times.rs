//! [`now`](crate::query::expression::now) for columns of other crates' times, which are all one column type.

use twilight_model::util::Timestamp;

use crate::query::expression::{Expression, IntoExpression};

macro_rules! moments {
    ($type:ty, $feature:literal) => {
        #[doc = concat!("With the feature `", $feature, "`.")]
        impl<T> IntoExpression<T, $type> for Expression<T, Timestamp> {
            fn into_expression(self) -> Expression<T, $type> {
                Expression::new(self.program)
            }
        }

        #[doc = concat!("With the feature `", $feature, "`.")]
        impl<T> IntoExpression<T, Option<$type>> for Expression<T, Timestamp> {
            fn into_expression(self) -> Expression<T, Option<$type>> {
                Expression::new(self.program)
            }
        }
    };
}

#[cfg(feature = "chrono")]
moments!(chrono::DateTime<chrono::Utc>, "chrono");

#[cfg(feature = "time")]
moments!(time::OffsetDateTime, "time");

#[cfg(feature = "time")]
moments!(time::UtcDateTime, "time");

#[cfg(feature = "jiff")]
moments!(jiff::Timestamp, "jiff");
