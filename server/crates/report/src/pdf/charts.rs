//! Charts, drawn as lines and fields: volume by folder, progress over time, residue by cause. Every bar has its figure
//! beside it, and no colour means anything that a shape or a word does not say too.

use super::{
    flow::{CELL, CELL_NOTE, CELL_STRONG, Flow, MARGIN, MEASURE, NOTE},
    ink::{DEEP, GREY, HAIR, MIST, Mark, PALE},
};
use crate::model::{Report, RunPart};
use gatepost_contract::MessageState;
use std::collections::BTreeMap;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

/// Bars of one chart; the rest is summed.
const MOST: usize = 12;
/// Where bars begin.
const LABELS: f32 = 132.0;
/// Room for figures behind them.
const FIGURES: f32 = 112.0;

/// Draws the section.
pub fn section(flow: &mut Flow, report: &Report) {
    let lang = flow.lang;
    flow.section(lang.charts(), 220.0);
    let drawn = [volume(flow, report), progress(flow, report), causes(flow, report)];
    if !drawn.contains(&true) {
        flow.paragraph(lang.chart_none(), NOTE);
    }
}

#[derive(Default)]
struct Folder {
    messages: i64,
    bytes: Option<i64>,
}

fn volume(flow: &mut Flow, report: &Report) -> bool {
    let lang = flow.lang;
    let mut folders: BTreeMap<String, Folder> = BTreeMap::new();
    for folder in report.mailboxes.iter().flat_map(|mailbox| &mailbox.folders) {
        let name = folder.special_use.map_or_else(|| folder.source_path.clone(), |u| lang.special_use(u).to_owned());
        let sum = folders.entry(name).or_default();
        sum.messages += folder.tally.source;
        if let Some(bytes) = folder.bytes_source {
            sum.bytes = Some(sum.bytes.unwrap_or(0) + bytes);
        }
    }
    folders.retain(|_, sum| sum.messages > 0);
    if folders.is_empty() {
        return false;
    }
    let by_bytes = folders.values().all(|sum| sum.bytes.is_some());
    let weight = |sum: &Folder| if by_bytes { sum.bytes.unwrap_or(0) } else { sum.messages };
    let mut bars: Vec<(String, Folder)> = folders.into_iter().collect();
    bars.sort_by_key(|(_, sum)| std::cmp::Reverse(weight(sum)));
    let rest = bars.split_off(bars.len().min(MOST));
    if !rest.is_empty() {
        let sum = Folder {
            messages: rest.iter().map(|(_, s)| s.messages).sum(),
            bytes: by_bytes.then(|| rest.iter().filter_map(|(_, s)| s.bytes).sum()),
        };
        bars.push((format!("{} ({})", lang.others(), lang.count(rest.len() as i64)), sum));
    }
    let title = if by_bytes { lang.chart_bytes() } else { lang.chart_volume() };
    flow.subsection(title, bars.len() as f32 * 16.0 + 20.0);
    flow.paragraph(lang.chart_volume_intro(), NOTE);
    let most = bars.iter().map(|(_, sum)| weight(sum)).max().unwrap_or(1).max(1);
    for (name, sum) in &bars {
        let share = weight(sum) as f32 / most as f32;
        let figure = match sum.bytes {
            Some(bytes) if by_bytes => lang.size(bytes),
            _ => lang.count(sum.messages),
        };
        let beside = if by_bytes { lang.so_many(sum.messages) } else { String::new() };
        bar(flow, name, share, &figure, &beside, None);
    }
    flow.y += 6.0;
    true
}

fn causes(flow: &mut Flow, report: &Report) -> bool {
    let lang = flow.lang;
    let sums = &report.residue.by_cause;
    if sums.is_empty() {
        return false;
    }
    flow.subsection(lang.chart_causes(), sums.len().min(16) as f32 * 16.0);
    let most = sums.iter().map(|sum| sum.messages).max().unwrap_or(1).max(1);
    for sum in sums {
        let mark = match sum.state {
            MessageState::Arrived | MessageState::Quarantined => Mark::Bad,
            MessageState::Pending => Mark::Open,
            MessageState::Waived => Mark::Care,
        };
        let beside = format!("{} · {}", lang.standing(sum.state), lang.size(sum.bytes));
        let share = sum.messages as f32 / most as f32;
        bar(flow, lang.cause(sum.cause_kind), share, &lang.count(sum.messages), &beside, Some(mark));
    }
    flow.y += 6.0;
    true
}

fn bar(flow: &mut Flow, name: &str, share: f32, figure: &str, beside: &str, mark: Option<Mark>) {
    flow.need(16.0);
    let y = flow.y + 9.0;
    let mut x = MARGIN;
    if let Some(mark) = mark {
        mark.draw(flow.sheet(), x, y - 6.8, 8.0);
        x += 13.0;
    }
    let name = flow.fit(name, CELL, MARGIN + LABELS - 8.0 - x);
    flow.put(&name, x, y, CELL);
    let room = MEASURE - LABELS - FIGURES;
    let width = (share * room).max(1.0);
    let top = flow.y + 2.2;
    flow.sheet().field(MARGIN + LABELS, top, room, 8.4, 1.5, MIST);
    flow.sheet().field(MARGIN + LABELS, top, width, 8.4, 1.5, mark.map_or(DEEP, Mark::ink));
    let x = MARGIN + LABELS + room + 8.0;
    let wide = flow.put(figure, x, y, CELL_STRONG);
    let beside = flow.fit(beside, CELL_NOTE, FIGURES - 13.0 - wide);
    flow.put(&beside, x + wide + 5.0, y, CELL_NOTE);
    flow.y += 16.0;
}

fn seconds(at: &str) -> Option<i64> {
    OffsetDateTime::parse(at, &Rfc3339).ok().map(OffsetDateTime::unix_timestamp)
}

/// Copied messages over time: nought at the first start, then a step for every run that ended.
fn points(runs: &[RunPart]) -> Vec<(i64, i64)> {
    let mut steps: Vec<(i64, i64)> = runs
        .iter()
        .filter(|run| run.messages > 0)
        .filter_map(|run| Some((run.finished_at.as_deref().and_then(seconds)?, run.messages)))
        .collect();
    steps.sort_unstable();
    let began = runs.iter().filter(|r| r.messages > 0).filter_map(|r| r.started_at.as_deref().and_then(seconds)).min();
    let Some(began) = began else { return Vec::new() };
    let mut sum = 0;
    let mut points = vec![(began, 0)];
    for (at, messages) in steps {
        sum += messages;
        match points.last_mut() {
            Some(last) if last.0 == at => last.1 = sum,
            _ => points.push((at, sum)),
        }
    }
    points
}

fn progress(flow: &mut Flow, report: &Report) -> bool {
    let lang = flow.lang;
    let points = points(&report.runs);
    let (Some((begin, _)), Some((end, sum))) = (points.first().copied(), points.last().copied()) else { return false };
    if points.len() < 2 || end <= begin {
        return false;
    }
    const HIGH: f32 = 120.0;
    flow.subsection(lang.chart_progress(), HIGH + 60.0);
    flow.paragraph(lang.chart_progress_intro(), NOTE);
    let (left, top) = (MARGIN + 46.0, flow.y + 8.0);
    let wide = MEASURE - 46.0;
    let most = sum.max(report.summary.tally.source).max(1);
    let x = |at: i64| left + (at - begin) as f32 / (end - begin) as f32 * wide;
    let y = |n: i64| top + HIGH - n as f32 / most as f32 * (HIGH - 8.0);
    for quarter in 0..=4 {
        let n = most * quarter / 4;
        let at = y(n);
        flow.sheet().rule(left, at, wide, 0.4, if quarter == 0 { GREY } else { HAIR });
        flow.put_right(&lang.count(n), left - 6.0, at + 2.5, CELL_NOTE);
    }
    let mut area: Vec<(f32, f32)> = points.iter().map(|(at, n)| (x(*at), y(*n))).collect();
    let line = thinned(&area);
    area.push((x(end), y(0)));
    area.push((x(begin), y(0)));
    flow.sheet().polygon(&area, super::ink::Ink(0xe3, 0xee, 0xf2));
    flow.sheet().stroke(&line, 1.4, DEEP);
    if let Some((last_x, last_y)) = line.last() {
        flow.sheet().disc(*last_x, *last_y, 2.4, DEEP);
    }
    if let Some(at) = report.job.dns_cutover_at.as_deref().and_then(seconds).filter(|at| (begin..=end).contains(at)) {
        let at_x = x(at);
        let mut from = top;
        while from < top + HIGH {
            flow.sheet().field(at_x - 0.4, from, 0.8, 3.0, 0.0, PALE);
            from += 5.5;
        }
        let label = lang.happened(crate::model::TimelineKind::Cutover);
        let taken = flow.fonts.width(label, CELL_NOTE.font, CELL_NOTE.size);
        flow.put(label, (at_x - taken - 4.0).max(left + 2.0), top + 5.0, CELL_NOTE);
    }
    for tick in 0..=4 {
        let at = begin + (end - begin) * tick / 4;
        let Some(text) = OffsetDateTime::from_unix_timestamp(at).ok().and_then(|t| t.format(&Rfc3339).ok()) else {
            continue;
        };
        let text = lang.minute(&text);
        let taken = flow.fonts.width(&text, CELL_NOTE.font, CELL_NOTE.size);
        let middle = (x(at) - taken / 2.0).clamp(left - 10.0, left + wide - taken);
        flow.sheet().field(x(at) - 0.3, top + HIGH, 0.6, 3.0, 0.0, GREY);
        flow.put(&text, middle, top + HIGH + 12.0, CELL_NOTE);
    }
    flow.y = top + HIGH + 24.0;
    true
}

/// No more points than can be told apart.
fn thinned(points: &[(f32, f32)]) -> Vec<(f32, f32)> {
    let mut kept: Vec<(f32, f32)> = Vec::new();
    for (n, point) in points.iter().enumerate() {
        let far = kept.last().is_none_or(|last| (last.0 - point.0).abs() + (last.1 - point.1).abs() > 0.6);
        if far || n + 1 == points.len() {
            kept.push(*point);
        }
    }
    kept
}
