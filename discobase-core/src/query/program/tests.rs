use super::*;

fn int(operator: Operator, a: i128, b: i128) -> Result<i128, Fault> {
    integer(operator, a, b)
}

#[test]
fn integers_are_exact_and_divide_as_in_rust() {
    use Operator::{Add, Divide, Multiply, Remainder, Subtract};
    assert_eq!(int(Add, i128::from(u64::MAX), 1), Ok(1 << 64));
    assert_eq!(int(Subtract, i128::from(i64::MIN), 1), Ok(i128::from(i64::MIN) - 1));
    assert_eq!([int(Divide, -7, 2), int(Remainder, -7, 2), int(Remainder, 7, -2)], [Ok(-3), Ok(-1), Ok(1)]);
    assert_eq!([int(Divide, 1, 0), int(Remainder, 1, 0)], [Err(Fault::DivisionByZero); 2]);
    assert_eq!(int(Multiply, i128::MAX, 2), Err(Fault::Overflow));
    assert_eq!(int(Divide, i128::MIN, -1), Err(Fault::Overflow));
}

#[test]
fn floats_never_become_infinite_or_nan_by_themselves() {
    let of = |operator, a: f64, b: f64| float(operator, Number::Double, a, b);
    assert_eq!(of(Operator::Multiply, f64::MAX, 2.0), Err(Fault::Overflow));
    assert_eq!(of(Operator::Divide, 1.0, 0.0), Err(Fault::DivisionByZero));
    assert_eq!(of(Operator::Remainder, 1.0, -0.0), Err(Fault::DivisionByZero));
    assert_eq!(of(Operator::Add, f64::INFINITY, 1.0), Ok(f64::INFINITY));
    assert!(of(Operator::Subtract, f64::INFINITY, f64::INFINITY).is_ok_and(f64::is_nan));
    assert_eq!(of(Operator::Add, 0.1, 0.2), Ok(0.1 + 0.2));
    let single = |operator, a: f32, b: f32| float(operator, Number::Single, a.into(), b.into());
    assert_eq!(single(Operator::Add, 0.1, 0.2), Ok(f64::from(0.1_f32 + 0.2_f32)));
    assert_eq!(single(Operator::Multiply, f32::MAX, 2.0), Err(Fault::Overflow));
}

#[test]
fn texts_are_cut_and_counted_in_characters() {
    let text = |step| on_text(&step, "  Größe 😀 ").unwrap();
    assert_eq!(text(TextStep::Length), Value::Int(10));
    assert_eq!(text(TextStep::Trim), Value::Text("Größe 😀".into()));
    assert_eq!(text(TextStep::Upper), Value::Text("  GRÖSSE 😀 ".into()));
    assert_eq!(text(TextStep::Part { start: 4, length: 3 }), Value::Text("öße".into()));
    assert_eq!(text(TextStep::Part { start: 99, length: 3 }), Value::Text(String::new()));
    let replace = TextStep::Replace { from: "ö".into(), to: "oe".into() };
    assert_eq!(text(replace), Value::Text("  Groeße 😀 ".into()));
    let huge = TextStep::Replace { from: " ".into(), to: "x".repeat(LONGEST / 3) };
    assert_eq!(on_text(&huge, "    "), Err(Fault::TooLong));
}
