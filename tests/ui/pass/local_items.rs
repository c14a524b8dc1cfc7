//! Tables and enums that are declared inside a function.

use discobase::Entity;

fn main() {
    #[derive(Clone, Copy, discobase::ColumnEnum)]
    enum Color {
        Red,
    }

    #[derive(discobase::Table)]
    struct Car {
        #[table(key, default = Color::Red)]
        color: Color,
    }

    assert_eq!(Car::SCHEMA.name, "car");
    assert!(Car::default_value(0).is_some());
}
