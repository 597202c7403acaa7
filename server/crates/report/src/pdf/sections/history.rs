//! What happened, and the audit log's word on it.

use super::super::{
    flow::{CELL, CELL_NOTE, CELL_STRONG, DIGITS, Flow, LABEL, MARGIN, MEASURE, NOTE},
    ink::{DEEP, HAIR, Mark},
    table::{Cell, Column, Row},
};
use crate::model::{Report, TimelineEntry, TimelineKind};

/// Entries on paper, the newest; the JSON form has all.
const MOST: usize = 200;
/// Where the line of time runs.
const AXIS: f32 = MARGIN + 92.0;

/// The timeline.
pub fn timeline(flow: &mut Flow, report: &Report) {
    let lang = flow.lang;
    flow.section(lang.timeline(), 60.0);
    if report.timeline.is_empty() {
        flow.paragraph(lang.timeline_none(), NOTE);
        return;
    }
    let shown = &report.timeline[report.timeline.len().saturating_sub(MOST)..];
    let mut day = "";
    for (n, entry) in shown.iter().enumerate() {
        let says = says(flow, entry);
        let reason = entry.reason.as_deref().unwrap_or_default();
        let lines = if reason.is_empty() {
            Vec::new()
        } else {
            flow.wrap(reason, CELL_NOTE, MARGIN + MEASURE - AXIS - 16.0, 3)
        };
        let height = CELL.leading + CELL_NOTE.leading * lines.len() as f32 + 9.0;
        if flow.need(height) {
            day = "";
        }
        let (top, y) = (flow.y, flow.y + CELL.size);
        if n + 1 < shown.len() {
            flow.sheet().field(AXIS - 0.4, y - 2.6, 0.8, height, 0.0, HAIR);
        }
        let today = entry.at.get(..10).unwrap_or_default();
        if today != day {
            flow.put(today, MARGIN, y, CELL_STRONG);
            day = today;
        }
        flow.put(entry.at.get(11..16).unwrap_or_default(), MARGIN + 56.0, y, CELL);
        match entry.kind {
            TimelineKind::Approval => Mark::Good.draw(flow.sheet(), AXIS - 4.0, y - 6.6, 8.0),
            TimelineKind::Gate if entry.to.as_deref() == Some("blocked") => {
                Mark::Bad.draw(flow.sheet(), AXIS - 4.0, y - 6.6, 8.0);
            }
            _ => flow.sheet().disc(AXIS, y - 2.6, 2.8, DEEP),
        }
        let wide = flow.put(&says, AXIS + 16.0, y, CELL_STRONG);
        let actor = lang.actor(&entry.actor);
        let actor = flow.fit(&actor, CELL_NOTE, (MARGIN + MEASURE - AXIS - 26.0 - wide).max(20.0));
        flow.put(&actor, AXIS + 24.0 + wide, y, CELL_NOTE);
        let mut below = y + CELL.leading;
        for line in &lines {
            flow.put(line, AXIS + 16.0, below, CELL_NOTE);
            below += CELL_NOTE.leading;
        }
        flow.y = top + height;
    }
}

fn says(flow: &mut Flow, entry: &TimelineEntry) -> String {
    let lang = flow.lang;
    let name = |state: &Option<String>| state.as_deref().map(|s| lang.state_name(s));
    let text = match (name(&entry.from), name(&entry.to)) {
        (Some(from), Some(to)) => format!("{}: {from} → {to}", lang.happened(entry.kind)),
        (None, Some(to)) => format!("{}: {to}", lang.happened(entry.kind)),
        _ => lang.happened(entry.kind).to_owned(),
    };
    flow.fit(&text, CELL_STRONG, MEASURE * 0.6)
}

/// The audit extract.
pub fn audit(flow: &mut Flow, report: &Report) {
    let lang = flow.lang;
    flow.section(lang.audit(), 80.0);
    flow.paragraph(lang.audit_intro(), NOTE);
    if let (Some(id), Some(hash)) = (report.audit.head_id, &report.audit.head_hash) {
        flow.need(24.0);
        let y = flow.y + 8.0;
        let wide = flow.put(lang.audit_head(), MARGIN, y, LABEL);
        flow.put(&format!("{id}:{hash}"), MARGIN + wide + 8.0, y, DIGITS);
        flow.y += 20.0;
    }
    if report.audit.entries.is_empty() {
        flow.paragraph(lang.audit_none(), NOTE);
        return;
    }
    let columns = [
        Column::figure("#", 34.0),
        Column::fixed(lang.when(), 66.0),
        Column::fixed(lang.who(), 94.0),
        Column::text(lang.action(), 0.6).lines(4),
        Column::fixed(lang.subject(), 62.0),
        Column::fixed(lang.hash(), 68.0).mono(),
    ];
    let rows: Vec<Row> = report
        .audit
        .entries
        .iter()
        .map(|row| {
            Row::Plain(vec![
                row.id.to_string().into(),
                lang.minute(&row.at).into(),
                lang.actor(&row.actor).into(),
                Cell::Double(row.action.clone(), row.reason.clone().unwrap_or_default()),
                row.subject.clone().into(),
                format!("{}…", row.hash.get(..16).unwrap_or(&row.hash)).into(),
            ])
        })
        .collect();
    flow.table(&columns, rows);
}
