//! Charts over time as SVG, drawn on the server. They know figures and labels, not what was measured.
//!
//! A picture stretches to the width that it is given, so no word stands in it: scale and times are text beside it and
//! stay readable at any width. It is described in words for those who cannot see it, and its place in the page has
//! the same figures as a table.

use super::{Table, head, head_figure};
use crate::numbers::minute;
use leptos::prelude::*;
use std::fmt::Write as _;

/// How high a picture is in its own units; its width is one unit for each slot.
const HEIGHT: f64 = 100.0;

/// How the figures of a chart are drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// A line with what is below it: for what goes on.
    Area,
    /// A bar for each slot: for what is counted.
    Bars,
}

/// What a chart's picture looks like and says.
#[derive(Clone, Debug)]
pub struct Chart {
    /// Its id in the page.
    pub id: &'static str,
    /// What it shows.
    pub title: &'static str,
    /// How it is drawn.
    pub mark: Mark,
    /// The class that carries its colour: `good`, `bad` or none for the usual one.
    pub tone: &'static str,
    /// A figure for each slot of time; none where nothing was measured.
    pub values: Vec<Option<f64>>,
    /// How a figure is written.
    pub shown: fn(f64) -> String,
}

impl Chart {
    fn highest(&self) -> f64 {
        self.values.iter().flatten().copied().filter(|value| value.is_finite()).fold(0.0, f64::max)
    }
}

/// The top of the scale: 1, 2, 2.5 or 5 times a power of ten, no less than 1.
fn top(highest: f64) -> f64 {
    if !highest.is_finite() || highest <= 1.0 {
        return 1.0;
    }
    let power = 10_f64.powf(highest.log10().floor());
    let times = [1.0, 2.0, 2.5, 5.0, 10.0].into_iter().find(|times| times * power >= highest - power * 1e-9);
    times.unwrap_or(10.0) * power
}

/// How high a figure stands, from the top of the picture.
fn at(value: f64, top: f64) -> f64 {
    (HEIGHT - value.clamp(0.0, top) / top * HEIGHT).clamp(0.0, HEIGHT)
}

/// The lines and the grounds of the stretches that were measured.
fn area(values: &[Option<f64>], top: f64) -> (String, String) {
    let (mut line, mut ground) = (String::new(), String::new());
    // Writing to a String cannot fail.
    for stretch in stretches(values) {
        let first = stretch.first().map_or(0.0, |(x, _)| *x);
        let last = stretch.last().map_or(0.0, |(x, _)| *x) + 1.0;
        let _ = write!(ground, "M{first:.1} {HEIGHT}");
        for (place, (x, value)) in stretch.iter().enumerate() {
            let y = at(*value, top);
            // A slot is as wide as the time it stands for, so the line has steps.
            let _ = write!(line, "{}{x:.1} {y:.1}H{:.1}", if place == 0 { 'M' } else { 'L' }, x + 1.0);
            let _ = write!(ground, "L{x:.1} {y:.1}H{:.1}", x + 1.0);
        }
        let _ = write!(ground, "L{last:.1} {HEIGHT}Z");
    }
    (line, ground)
}

/// Slots that follow each other, each with its place.
fn stretches(values: &[Option<f64>]) -> Vec<Vec<(f64, f64)>> {
    let mut found: Vec<Vec<(f64, f64)>> = Vec::new();
    let mut open = false;
    for (place, value) in values.iter().enumerate() {
        match value.filter(|value| value.is_finite()) {
            Some(value) => {
                if !open {
                    found.push(Vec::new());
                }
                if let Some(stretch) = found.last_mut() {
                    stretch.push((place as f64, value));
                }
                open = true;
            }
            None => open = false,
        }
    }
    found
}

/// One bar for each figure above zero.
fn bars(values: &[Option<f64>], top: f64) -> String {
    let mut path = String::new();
    for (place, value) in values.iter().enumerate() {
        if let Some(value) = value.filter(|value| value.is_finite() && *value > 0.0) {
            // What is more than nothing can be seen.
            let y = at(value, top).min(HEIGHT - 1.5);
            let x = place as f64;
            let _ = write!(path, "M{:.2} {HEIGHT}V{y:.1}H{:.2}V{HEIGHT}Z", x + 0.12, x + 0.88);
        }
    }
    path
}

/// The picture of a chart.
#[component]
pub fn Picture(
    /// What it shows.
    chart: Chart,
    /// When each slot begins (RFC 3339, UTC), oldest first.
    times: Vec<String>,
    /// What the highest figure is called.
    highest: &'static str,
) -> AnyView {
    let slots = chart.values.len().min(times.len());
    let peak = chart.highest();
    let top = top(peak);
    let when =
        chart.values.iter().position(|value| value.is_some_and(|value| value >= peak)).and_then(|p| times.get(p));
    let over = match (times.first(), times.get(slots.saturating_sub(1))) {
        (Some(from), Some(to)) => format!("{} – {}. ", minute(from), minute(to)),
        _ => String::new(),
    };
    let when = when.filter(|_| peak > 0.0).map(|when| format!(", {}", minute(when))).unwrap_or_default();
    let said = format!("{highest}: {}{when}.", (chart.shown)(peak));
    let drawn = match chart.mark {
        Mark::Area => {
            let (line, ground) = area(&chart.values, top);
            view! { <path class="ground" d=ground></path><path class="line" d=line></path> }.into_any()
        }
        Mark::Bars => view! { <path class="bars" d=bars(&chart.values, top)></path> }.into_any(),
    };
    // What stands under the pointer says itself.
    let slots_said = times.iter().zip(&chart.values).enumerate().filter_map(|(place, (time, value))| {
        let text = format!("{}: {}", minute(time), (chart.shown)((*value)?));
        Some(view! { <rect class="slot" x=place width="1" y="0" height=HEIGHT><title>{text}</title></rect> })
    });
    let slots_said = slots_said.collect_view();
    let grid = [0.0, HEIGHT / 2.0, HEIGHT]
        .map(|y| view! { <path class="grid" d=format!("M0 {y}H{}", slots.max(1))></path> })
        .collect_view();
    let (title_id, said_id) = (format!("{}-title", chart.id), format!("{}-said", chart.id));
    let label = format!("{title_id} {said_id}");
    let marks = [0, slots / 2, slots.saturating_sub(1)].map(|place| short(times.get(place), &times));
    view! {
        <figure class=format!("chart {}", chart.tone)>
            <figcaption id=title_id>{chart.title}</figcaption>
            <div class="scale" aria-hidden="true">
                <span>{(chart.shown)(top)}</span>
                <span>{(chart.shown)(top / 2.0)}</span>
                <span>{(chart.shown)(0.0)}</span>
            </div>
            <svg role="img" aria-labelledby=label viewBox=format!("0 0 {} {HEIGHT}", slots.max(1)) preserveAspectRatio="none">
                {grid}
                {drawn}
                {slots_said}
            </svg>
            <div class="times" aria-hidden="true">{marks.map(|text| view! { <span>{text}</span> }).collect_view()}</div>
            <p class="note" id=said_id><span class="hidden">{over}</span>{said}</p>
        </figure>
    }
    .into_any()
}

/// The day, or the time where all slots lie within two days.
fn short(time: Option<&String>, times: &[String]) -> String {
    let Some(time) = time else { return String::new() };
    let days = times.iter().filter_map(|time| time.get(..10)).collect::<std::collections::BTreeSet<_>>();
    let part = if days.len() <= 2 { time.get(11..16) } else { time.get(5..10) };
    part.unwrap_or(time).to_owned()
}

/// The figures of charts that share their slots, as one table, newest first.
#[component]
pub fn Figures(
    /// What the table holds.
    caption: &'static str,
    /// The heading over the times.
    time: &'static str,
    /// The charts.
    charts: Vec<Chart>,
    /// When each slot begins.
    times: Vec<String>,
) -> AnyView {
    let measured = |place: usize| charts.iter().any(|chart| chart.values.get(place).copied().flatten().is_some());
    let places = (0..times.len()).rev().filter(|place| measured(*place));
    let heads = std::iter::once(head(time)).chain(charts.iter().map(|chart| head_figure(chart.title))).collect();
    let rows = places.map(|place| {
        let cells = charts.iter().map(|chart| {
            let value = chart.values.get(place).copied().flatten();
            let text = value.map_or_else(|| "–".to_owned(), chart.shown);
            view! { <td class="num" data-label=chart.title>{text}</td> }
        });
        let when = times.get(place).cloned().unwrap_or_default();
        view! { <tr><th scope="row" data-label=time><time datetime=when.clone()>{minute(&when)}</time></th>{cells.collect_view()}</tr> }
    });
    let rows = rows.collect_view().into_any();
    view! { <Table caption=caption.to_owned() heads rows class="figures"/> }.into_any()
}

#[cfg(test)]
mod tests {
    use super::{area, bars, stretches, top};

    #[test]
    fn a_scale_ends_at_a_round_figure_that_no_value_exceeds() {
        for (highest, end) in [
            (0.0, 1.0),
            (f64::NAN, 1.0),
            (0.4, 1.0),
            (1.0, 1.0),
            (3.0, 5.0),
            (20.0, 20.0),
            (21.0, 25.0),
            (51.0, 100.0),
            (999_999.0, 1_000_000.0),
        ] {
            assert_eq!(top(highest), end, "{highest}");
        }
    }

    #[test]
    fn a_line_breaks_where_nothing_was_measured() {
        let values = [Some(1.0), Some(2.0), None, Some(f64::INFINITY), Some(4.0)];
        let places: Vec<Vec<f64>> =
            stretches(&values).iter().map(|one| one.iter().map(|(x, _)| *x).collect()).collect();
        assert_eq!(places, [vec![0.0, 1.0], vec![4.0]]);
        let (line, ground) = area(&values, 4.0);
        assert_eq!(line, "M0.0 75.0H1.0L1.0 50.0H2.0M4.0 0.0H5.0");
        assert_eq!(ground.matches('Z').count(), 2);
    }

    #[test]
    fn a_bar_that_is_more_than_nothing_can_be_seen() {
        let path = bars(&[Some(0.0), Some(1.0), None, Some(1_000_000.0)], 1_000_000.0);
        assert_eq!(path, "M1.12 100V98.5H1.88V100ZM3.12 100V0.0H3.88V100Z");
    }
}
