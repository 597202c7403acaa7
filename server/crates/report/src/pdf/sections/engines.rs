//! What did the work, with its version and options, and its latest runs.

use super::super::{
    flow::Flow,
    ink::Mark,
    table::{Cell, Column, Row},
};
use crate::model::Report;
use gatepost_contract::RunStatus;

/// Runs on paper; the JSON form has all.
const MOST: usize = 60;

/// Draws the section.
pub fn section(flow: &mut Flow, report: &Report) {
    let lang = flow.lang;
    flow.section(lang.engines(), 80.0);
    let columns = [
        Column::fixed(lang.engine(), 96.0),
        Column::fixed(lang.version(), 66.0),
        Column::figure(lang.mailboxes(), 58.0),
        Column::figure(lang.runs(), 48.0),
        Column::text(lang.options(), 0.5).lines(12),
    ];
    let engines: Vec<Row> = report
        .engines
        .iter()
        .map(|engine| {
            let options: Vec<String> = engine.options.iter().map(|(name, value)| format!("{name}: {value}")).collect();
            let options = if options.is_empty() { lang.usual().to_owned() } else { options.join("; ") };
            Row::Plain(vec![
                Cell::Strong(lang.tool(engine.tool).to_owned()),
                engine.version.clone().into(),
                lang.count(engine.mailboxes).into(),
                lang.count(engine.runs).into(),
                options.into(),
            ])
        })
        .collect();
    flow.table(&columns, engines);
    if report.runs.is_empty() {
        return;
    }
    flow.subsection(lang.runs_title(), 60.0);
    let columns = [
        Column::figure("#", 22.0),
        Column::fixed(lang.run(), 72.0),
        Column::text(lang.mailbox(), 0.5).lines(1),
        Column::fixed(lang.result(), 70.0),
        Column::fixed(lang.ended(), 66.0),
        Column::figure(lang.copied(), 40.0),
        Column::figure(lang.volume(), 42.0),
    ];
    let latest = &report.runs[report.runs.len().saturating_sub(MOST)..];
    let rows: Vec<Row> = latest
        .iter()
        .map(|run| {
            let mark = match run.status {
                RunStatus::Success => Mark::Good,
                RunStatus::Partial => Mark::Care,
                RunStatus::Failed => Mark::Bad,
                RunStatus::Queued | RunStatus::Running => Mark::Open,
            };
            Row::Plain(vec![
                run.id.to_string().into(),
                lang.run_type(run.run_type).into(),
                run.mailbox.clone().unwrap_or_default().into(),
                Cell::Mark(mark, lang.run_status(run.status).to_owned()),
                run.finished_at.as_deref().map(|at| lang.minute(at)).unwrap_or_default().into(),
                lang.tally(run.messages).into(),
                if run.bytes > 0 { lang.size(run.bytes) } else { "–".to_owned() }.into(),
            ])
        })
        .collect();
    flow.table(&columns, rows);
}
