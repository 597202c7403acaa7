//! The gate: its checks, its approval, its verdicts.

use super::super::{
    flow::{Flow, NOTE, TEXT},
    ink::{CARE, Mark},
    table::{Cell, Column, Row},
};
use crate::model::Report;
use gatepost_contract::CheckStatus;

/// The shape of a result.
pub const fn mark(status: CheckStatus) -> Mark {
    match status {
        CheckStatus::Pass => Mark::Good,
        CheckStatus::Warn => Mark::Care,
        CheckStatus::Fail => Mark::Bad,
    }
}

/// Draws the section.
pub fn section(flow: &mut Flow, report: &Report) {
    let lang = flow.lang;
    flow.section(lang.checks(), 90.0);
    let verdict = format!("{}: {}", lang.gate(report.gate.gate), lang.gate_means(report.gate.gate));
    flow.paragraph(&verdict, TEXT);
    if !report.gate.reason.is_empty() {
        flow.paragraph(&report.gate.reason, NOTE);
    }
    let columns = [
        Column::fixed(lang.result(), 66.0),
        Column::fixed(lang.check_label(), 96.0),
        Column::text(lang.why(), 0.5).lines(5),
        Column::fixed(lang.checked(), 64.0),
    ];
    let rows: Vec<Row> = report
        .gate
        .checks
        .iter()
        .map(|check| {
            Row::Plain(vec![
                Cell::Mark(mark(check.status), lang.check_status(check.status).to_owned()),
                Cell::Strong(lang.check(check.check_id).to_owned()),
                check.message.clone().into(),
                lang.minute(&check.checked_at).into(),
            ])
        })
        .collect();
    flow.table(&columns, rows);

    flow.subsection(lang.approval(), 20.0);
    match &report.gate.approval {
        Some(approval) => {
            let mut text =
                format!("{} {}, {}.", lang.approved_by(), lang.actor(&approval.by), lang.moment(&approval.at));
            if let Some(id) = approval.evidence_id {
                text.push_str(&format!(" {} {id}.", lang.evidence()));
            }
            flow.paragraph(&text, TEXT);
            if let Some(reason) = &approval.override_reason {
                flow.paragraph(&lang.overruled(reason), TEXT.in_ink(CARE));
            }
        }
        None => flow.paragraph(lang.nobody_approved(), TEXT),
    }

    flow.subsection(lang.verdicts(), 40.0);
    if report.gate.history.is_empty() {
        flow.paragraph(lang.verdicts_none(), NOTE);
        return;
    }
    let columns = [
        Column::fixed(lang.when(), 66.0),
        Column::fixed(lang.verdict(), 110.0),
        Column::text(lang.why(), 0.5).lines(4),
        Column::fixed(lang.who(), 92.0),
    ];
    let rows: Vec<Row> = report
        .gate
        .history
        .iter()
        .map(|change| {
            Row::Plain(vec![
                lang.minute(&change.at).into(),
                format!("{} → {}", lang.gate(change.from), lang.gate(change.to)).into(),
                change.reason.clone().into(),
                lang.actor(&change.actor).into(),
            ])
        })
        .collect();
    flow.table(&columns, rows);
}
