//! A figure: a number with a unit, and how far it moved from run to run.

use comfy_table::{CellAlignment, ContentArrangement, Table, presets};
use serde::{Deserialize, Serialize};

/// What was measured, and what came out.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Figure {
    what: String,
    unit: String,
    median: f64,
    lowest: f64,
    highest: f64,
    /// How many values stand behind it.
    values: usize,
}

impl Figure {
    /// The median of several values.
    pub(crate) fn of(what: impl Into<String>, unit: &str, mut values: Vec<f64>) -> Self {
        values.sort_unstable_by(f64::total_cmp);
        let at = |index: usize| values.get(index).copied().unwrap_or(f64::NAN);
        Self {
            what: what.into(),
            unit: unit.to_owned(),
            median: at(values.len() / 2),
            lowest: at(0),
            highest: at(values.len().saturating_sub(1)),
            values: values.len(),
        }
    }

    /// A value that was measured once.
    pub(crate) fn once(what: impl Into<String>, unit: &str, value: f64) -> Self {
        Self::of(what, unit, vec![value])
    }
}

/// Figures as a table for people.
pub(crate) fn grid(figures: &[Figure]) -> Table {
    let mut grid = Table::new();
    grid.load_style(presets::UTF8_FULL_CONDENSED);
    grid.set_content_arrangement(ContentArrangement::Disabled);
    grid.set_header(["", "median", "lowest", "highest", "values", "unit"]);
    for figure in figures {
        let spread = |value| if figure.values > 1 { number(value) } else { String::new() };
        grid.add_row([
            figure.what.clone(),
            number(figure.median),
            spread(figure.lowest),
            spread(figure.highest),
            figure.values.to_string(),
            figure.unit.clone(),
        ]);
    }
    for column in 1..5 {
        if let Some(column) = grid.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    grid
}

/// Three digits that mean something, and thousands set apart.
fn number(value: f64) -> String {
    let digits = match value.abs() {
        ..10.0 => 2,
        10.0..100.0 => 1,
        _ => 0,
    };
    let text = format!("{value:.digits$}");
    let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
    let mut grouped = String::new();
    for (index, character) in whole.chars().enumerate() {
        if index > 0
            && character.is_ascii_digit()
            && (whole.len() - index).is_multiple_of(3)
            && !grouped.ends_with('-')
        {
            grouped.push(',');
        }
        grouped.push(character);
    }
    match fraction.trim_end_matches('0') {
        "" => grouped,
        _ => format!("{grouped}.{fraction}"),
    }
}
