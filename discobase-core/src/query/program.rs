//! What an update sets a column to: steps of a small stack machine, so that an expression that a loop makes of
//! thousands of parts is no deep tree, and what a case does not take is not evaluated.

use smallvec::SmallVec;

use crate::query::expr::Expr;
use crate::query::matcher::RowColumns;
use crate::tables::value_in;
use crate::value::{Value, ValueRef};

/// No text that is made on the way may be longer: no commit could hold it.
const LONGEST: usize = 64 << 20;

/// One step: it takes what it needs from the stack and puts its result there.
#[derive(Debug, Clone)]
pub(crate) enum Step {
    /// The value in a column.
    Column(usize),
    Value(Value),
    /// When the commit is made, in microseconds since the Unix epoch.
    Now,
    Calculate(Operator, Number),
    Negate,
    Not,
    /// Of two values the greater, or the lesser.
    Extreme {
        greater: bool,
    },
    /// An integer as a float.
    Float,
    Concat,
    Text(TextStep),
    /// Skips so many steps if there is a value; without one, that nothing is dropped.
    Coalesce(usize),
    /// Skips so many steps unless the condition holds.
    Unless(Expr, usize),
    /// Skips so many steps.
    Skip(usize),
}

/// What numbers are calculated as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Number {
    /// Integers: exactly, however wide the column is; what is stored must fit it.
    Integer,
    /// `f64`.
    Double,
    /// `f32`: each step is rounded.
    Single,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operator {
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
}

/// What is done with one text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum TextStep {
    Lower,
    Upper,
    Trim,
    Length,
    /// So many characters after so many others.
    Part {
        start: usize,
        length: usize,
    },
    Replace {
        from: String,
        to: String,
    },
}

/// Why an expression has no value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Fault {
    #[error("it divides by zero")]
    DivisionByZero,
    #[error("its result is beyond every number of its type")]
    Overflow,
    #[error("it makes a text of more than 64 MiB")]
    TooLong,
    #[error("it can't be evaluated")]
    Malformed,
}

/// An expression that is ready to be evaluated on many rows.
#[derive(Debug, Clone, Default)]
pub(crate) struct Program(pub(crate) Vec<Step>);

/// A value on the stack.
#[derive(Debug, Clone)]
pub(crate) enum Slot<'a> {
    Borrowed(ValueRef<'a>),
    Owned(Value),
}

impl Slot<'_> {
    pub(crate) fn get(&self) -> ValueRef<'_> {
        match self {
            Self::Borrowed(value) => *value,
            Self::Owned(value) => value.as_ref(),
        }
    }
}

type Stack<'a> = SmallVec<[Slot<'a>; 4]>;

impl Program {
    /// Whether what other queries find is part of a condition in it.
    pub(crate) fn has_subquery(&self) -> bool {
        self.0.iter().any(|step| matches!(step, Step::Unless(condition, _) if condition.has_subquery()))
    }

    /// The steps of both, one after the other.
    pub(crate) fn then(mut self, other: Self) -> Self {
        self.0.extend(other.0);
        self
    }

    /// One step more.
    pub(crate) fn step(mut self, step: Step) -> Self {
        self.0.push(step);
        self
    }

    /// Changes every column from a field's position to a column's id, and every operand of a condition to what it
    /// compares as.
    pub(crate) fn localise(
        &mut self,
        column: &impl Fn(usize) -> usize,
        operand: &impl Fn(usize, &mut Value),
    ) {
        for step in &mut self.0 {
            match step {
                Step::Column(position) => *position = column(*position),
                Step::Unless(condition, _) => {
                    condition.map_columns(column);
                    condition.map_operands(operand);
                }
                _ => {}
            }
        }
    }

    /// The expression's value on a row.
    pub(crate) fn evaluate<'a>(&'a self, row: &RowColumns<'a>, now: i64) -> Result<Slot<'a>, Fault> {
        let mut stack = Stack::new();
        let mut next = 0;
        while let Some(step) = self.0.get(next) {
            next += 1 + run(step, &mut stack, row, now)?;
        }
        match (stack.pop(), stack.is_empty()) {
            (Some(value), true) => Ok(value),
            _ => Err(Fault::Malformed),
        }
    }
}

/// Runs a step, and returns how many of those after it are skipped.
fn run<'a>(step: &'a Step, stack: &mut Stack<'a>, row: &RowColumns<'a>, now: i64) -> Result<usize, Fault> {
    match step {
        Step::Column(column) => {
            stack.push(Slot::Borrowed(value_in(row.table, row.row, *column)));
        }
        Step::Value(value) => stack.push(Slot::Borrowed(value.as_ref())),
        Step::Now => stack.push(Slot::Owned(Value::Int(i128::from(now)))),
        Step::Coalesce(skipped) => {
            if !stack.last().ok_or(Fault::Malformed)?.get().is_null() {
                return Ok(*skipped);
            }
            stack.pop();
        }
        Step::Unless(condition, skipped) => return Ok(if condition.holds(row) { 0 } else { *skipped }),
        Step::Skip(skipped) => return Ok(*skipped),
        Step::Calculate(operator, number) => {
            two(stack, |a, b| calculate(*operator, *number, a, b).map(Slot::Owned))?;
        }
        Step::Concat => two(stack, |a, b| concat(a, b).map(Slot::Owned))?,
        Step::Extreme { greater } => {
            let (b, a) = (pop(stack)?, pop(stack)?);
            let nothing = a.get().is_null() || b.get().is_null();
            let first = if *greater { a.get() >= b.get() } else { a.get() <= b.get() };
            stack.push(match (nothing, first) {
                (true, _) => Slot::Borrowed(ValueRef::Null),
                (false, true) => a,
                (false, false) => b,
            });
        }
        Step::Negate => one(stack, |value| match value {
            ValueRef::Int(value) => value.checked_neg().map(Value::Int).ok_or(Fault::Overflow),
            ValueRef::Float(value) => Ok(Value::Float(-value)),
            _ => Err(Fault::Malformed),
        })?,
        Step::Not => one(stack, |value| match value {
            ValueRef::Bool(value) => Ok(Value::Bool(!value)),
            _ => Err(Fault::Malformed),
        })?,
        Step::Float => one(stack, |value| match value {
            ValueRef::Int(value) => Ok(Value::Float(value as f64)),
            _ => Err(Fault::Malformed),
        })?,
        Step::Text(step) => one(stack, |value| match value {
            ValueRef::Text(text) => on_text(step, text),
            _ => Err(Fault::Malformed),
        })?,
    }
    Ok(0)
}

fn pop<'a>(stack: &mut Stack<'a>) -> Result<Slot<'a>, Fault> {
    stack.pop().ok_or(Fault::Malformed)
}

/// Replaces the value on top, unless it is null.
fn one<'a>(
    stack: &mut Stack<'a>,
    work: impl FnOnce(ValueRef<'_>) -> Result<Value, Fault>,
) -> Result<(), Fault> {
    let value = pop(stack)?;
    let result = if value.get().is_null() { value } else { Slot::Owned(work(value.get())?) };
    stack.push(result);
    Ok(())
}

/// Replaces the two values on top by one: by null, if one is.
fn two<'a>(
    stack: &mut Stack<'a>,
    work: impl FnOnce(ValueRef<'_>, ValueRef<'_>) -> Result<Slot<'a>, Fault>,
) -> Result<(), Fault> {
    let (b, a) = (pop(stack)?, pop(stack)?);
    let nothing = a.get().is_null() || b.get().is_null();
    stack.push(if nothing { Slot::Borrowed(ValueRef::Null) } else { work(a.get(), b.get())? });
    Ok(())
}

fn calculate(operator: Operator, number: Number, a: ValueRef<'_>, b: ValueRef<'_>) -> Result<Value, Fault> {
    match (a, b) {
        (ValueRef::Int(a), ValueRef::Int(b)) => integer(operator, a, b).map(Value::Int),
        (ValueRef::Float(a), ValueRef::Float(b)) => float(operator, number, a, b).map(Value::Float),
        _ => Err(Fault::Malformed),
    }
}

/// Division truncates and the remainder has the sign of what is divided, as in Rust.
fn integer(operator: Operator, a: i128, b: i128) -> Result<i128, Fault> {
    let divides = matches!(operator, Operator::Divide | Operator::Remainder);
    if divides && b == 0 {
        return Err(Fault::DivisionByZero);
    }
    let result = match operator {
        Operator::Add => a.checked_add(b),
        Operator::Subtract => a.checked_sub(b),
        Operator::Multiply => a.checked_mul(b),
        Operator::Divide => a.checked_div(b),
        Operator::Remainder => a.checked_rem(b),
    };
    result.ok_or(Fault::Overflow)
}

/// NaN and infinity that are there already go on as IEEE 754 says; none is made of ordinary numbers.
fn float(operator: Operator, number: Number, a: f64, b: f64) -> Result<f64, Fault> {
    let divides = matches!(operator, Operator::Divide | Operator::Remainder);
    if divides && b == 0.0 {
        return Err(Fault::DivisionByZero);
    }
    let result = match operator {
        Operator::Add => a + b,
        Operator::Subtract => a - b,
        Operator::Multiply => a * b,
        Operator::Divide => a / b,
        Operator::Remainder => a % b,
    };
    // A double has more than twice the digits of a single, so rounding twice gives what rounding once would.
    let result = if number == Number::Single { f64::from(result as f32) } else { result };
    if a.is_finite() && b.is_finite() && !result.is_finite() { Err(Fault::Overflow) } else { Ok(result) }
}

fn concat(a: ValueRef<'_>, b: ValueRef<'_>) -> Result<Value, Fault> {
    let (ValueRef::Text(a), ValueRef::Text(b)) = (a, b) else { return Err(Fault::Malformed) };
    if a.len() + b.len() > LONGEST {
        return Err(Fault::TooLong);
    }
    Ok(Value::Text([a, b].concat()))
}

fn on_text(step: &TextStep, text: &str) -> Result<Value, Fault> {
    Ok(Value::Text(match step {
        TextStep::Lower => text.to_lowercase(),
        TextStep::Upper => text.to_uppercase(),
        TextStep::Trim => text.trim().to_owned(),
        TextStep::Length => return Ok(Value::Int(text.chars().count() as i128)),
        TextStep::Part { start, length } => text.chars().skip(*start).take(*length).collect(),
        TextStep::Replace { from, to } => {
            let found = text.matches(from.as_str()).count();
            if text.len() + found * to.len().saturating_sub(from.len()) > LONGEST {
                return Err(Fault::TooLong);
            }
            text.replace(from.as_str(), to)
        }
    }))
}

#[cfg(test)]
mod tests;
