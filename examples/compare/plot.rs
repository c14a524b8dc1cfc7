//! Bars on a logarithmic axis, as SVG that is readable on light and on dark pages.

use std::fmt::Write as _;

const WIDTH: f64 = 760.0;
const LEFT: f64 = 190.0;
const RIGHT: f64 = 110.0;
const BAR: f64 = 20.0;
const STEP: f64 = 30.0;
const TOP: f64 = 48.0;

const STYLE: &str = "
    text { font: 13px system-ui, sans-serif; fill: #1f2328 }
    .title { font-weight: 600; font-size: 15px }
    .axis, .tick { fill: #59636e }
    .grid { stroke: #d1d9e0 }
    .bar { fill: #8c959f }
    .ours { fill: #5865f2 }
    @media (prefers-color-scheme: dark) {
      text { fill: #f0f6fc }
      .axis, .tick { fill: #9198a1 }
      .grid { stroke: #3d444d }
      .bar { fill: #656c76 }
      .ours { fill: #7f8af7 }
    }";

/// One bar.
pub(crate) struct Bar {
    pub(crate) name: String,
    pub(crate) value: f64,
    /// The value as it is written beside the bar.
    pub(crate) label: String,
    pub(crate) ours: bool,
}

/// What the bars' lengths mean.
#[derive(Clone, Copy)]
pub(crate) enum Axis {
    /// Rows a second.
    Rate,
    /// Seconds.
    Time,
}

impl Axis {
    /// What is written below it.
    pub(crate) fn about(self) -> &'static str {
        match self {
            Self::Rate => "durable rows a second (more is better)",
            Self::Time => "time (less is better)",
        }
    }

    /// How a power of ten is written on it.
    fn tick(self, power: f64) -> String {
        let (unit, least) = match (self, power) {
            (Self::Rate, p) if p >= 6.0 => (" M", 6.0),
            (Self::Rate, p) if p >= 3.0 => (" k", 3.0),
            (Self::Rate, _) => ("", 0.0),
            (Self::Time, p) if p >= 0.0 => (" s", 0.0),
            (Self::Time, p) if p >= -3.0 => (" ms", -3.0),
            (Self::Time, p) if p >= -6.0 => (" µs", -6.0),
            (Self::Time, _) => (" ns", -9.0),
        };
        let decimals = (least - power).max(0.0) as usize;
        format!("{:.decimals$}{unit}", 10_f64.powf(power - least))
    }
}

/// A plot of bars; values that are not above zero have none.
pub(crate) fn bars(title: &str, axis: Axis, bars: &[Bar]) -> String {
    let positive = || bars.iter().map(|bar| bar.value).filter(|value| *value > 0.0);
    let least = positive().fold(f64::INFINITY, f64::min);
    let most = positive().fold(0.0, f64::max);
    if most <= 0.0 {
        return String::new();
    }
    // Whole powers of ten around all values, so that the least has a bar, too.
    let (low, high) =
        ((least.log10() - 0.2).floor(), most.log10().ceil().max((least.log10() - 0.2).floor() + 1.0));
    let across = |value: f64| LEFT + (value.log10() - low) / (high - low) * (WIDTH - LEFT - RIGHT);
    let bottom = TOP + bars.len() as f64 * STEP;
    let height = bottom + 46.0;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" \
         aria-label=\"{title}\">\n  <style>{STYLE}\n  </style>\n  <text class=\"title\" x=\"12\" y=\"24\">{title}</text>\n"
    );
    let mut power = low;
    while power <= high {
        let x = across(10_f64.powf(power));
        // Writing to a string can't fail.
        let _ = writeln!(
            svg,
            "  <line class=\"grid\" x1=\"{x:.1}\" y1=\"{:.1}\" x2=\"{x:.1}\" y2=\"{bottom:.1}\"/>\n  <text class=\"tick\" \
             x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>",
            TOP - 8.0,
            bottom + 16.0,
            axis.tick(power)
        );
        power += ((high - low) / 8.0).ceil().max(1.0);
    }
    for (row, bar) in bars.iter().enumerate() {
        let y = TOP + row as f64 * STEP;
        let class = if bar.ours { "bar ours" } else { "bar" };
        let end = if bar.value > 0.0 { across(bar.value) } else { LEFT };
        let _ = writeln!(
            svg,
            "  <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>\n  <rect class=\"{class}\" x=\"{LEFT}\" \
             y=\"{y:.1}\" width=\"{:.1}\" height=\"{BAR}\"/>\n  <text x=\"{:.1}\" y=\"{:.1}\">{}</text>",
            LEFT - 8.0,
            y + 15.0,
            bar.name,
            end - LEFT,
            end + 6.0,
            y + 15.0,
            bar.label
        );
    }
    let middle = LEFT + (WIDTH - LEFT - RIGHT) / 2.0;
    let _ = writeln!(
        svg,
        "  <text class=\"axis\" x=\"{middle:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}, logarithmic</text>\n</svg>",
        bottom + 36.0,
        axis.about()
    );
    svg
}
