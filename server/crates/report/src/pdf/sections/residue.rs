//! What has not arrived as it should: message by message, what servers refused, what was given up.

use super::super::{
    flow::{Flow, NOTE},
    ink::Mark,
    table::{Cell, Column, Row},
};
use crate::{
    model::{Report, ResidueItem},
    texts::Lang,
};
use gatepost_contract::MessageState;

/// Rows of one list on paper. The JSON form has more.
const MOST: usize = 10_000;

const fn mark(state: MessageState) -> Mark {
    match state {
        MessageState::Arrived | MessageState::Quarantined => Mark::Bad,
        MessageState::Pending => Mark::Open,
        MessageState::Waived => Mark::Care,
    }
}

/// Everything but the quarantine.
pub fn section(flow: &mut Flow, report: &Report) {
    let lang = flow.lang;
    flow.section(lang.residue(), 80.0);
    let items: Vec<&ResidueItem> =
        report.residue.items.iter().filter(|item| item.state != MessageState::Quarantined).collect();
    if items.is_empty() {
        flow.paragraph(lang.residue_none(), NOTE);
        return;
    }
    flow.paragraph(lang.residue_intro(), NOTE);
    let columns = [
        Column::fixed(lang.state_label(), 62.0),
        Column::text(lang.message(), 0.52),
        Column::text(lang.folder(), 0.3),
        Column::figure(lang.size_label(), 40.0),
        Column::text(lang.cause_label(), 0.5).lines(5),
    ];
    list(flow, &columns, &items, |item| {
        vec![
            Cell::Mark(mark(item.state), lang.standing(item.state).to_owned()),
            message(item, lang),
            Cell::Double(item.folder.clone(), format!("{} {}", lang.uid(), item.uid)),
            lang.size(item.size).into(),
            Cell::Double(lang.cause(item.cause_kind).to_owned(), item.cause.clone().unwrap_or_default()),
        ]
    });
    cut(flow, report, items.len());
}

/// The quarantine, with the words of the server that refused.
pub fn quarantine(flow: &mut Flow, report: &Report) {
    let lang = flow.lang;
    flow.section(lang.quarantine(), 80.0);
    let items: Vec<&ResidueItem> =
        report.residue.items.iter().filter(|item| item.state == MessageState::Quarantined).collect();
    if items.is_empty() {
        flow.paragraph(lang.quarantine_none(), NOTE);
        return;
    }
    flow.paragraph(lang.quarantine_intro(), NOTE);
    let columns = [
        Column::text(lang.message(), 0.45),
        Column::text(lang.folder(), 0.25),
        Column::figure(lang.size_label(), 40.0),
        Column::text(lang.cause_label(), 0.6).lines(7),
    ];
    list(flow, &columns, &items, |item| {
        vec![
            message(item, lang),
            Cell::Double(item.folder.clone(), format!("{} {}", lang.uid(), item.uid)),
            lang.size(item.size).into(),
            Cell::Double(lang.cause(item.cause_kind).to_owned(), item.cause.clone().unwrap_or_default()),
        ]
    });
    cut(flow, report, items.len());
}

fn message(item: &ResidueItem, lang: Lang) -> Cell {
    let subject = item.subject.clone().filter(|s| !s.trim().is_empty()).unwrap_or_else(|| lang.no_subject().to_owned());
    let mut beside = lang.minute(&item.internal_date);
    if let Some(from) = item.from.as_ref().filter(|f| !f.trim().is_empty()) {
        beside = format!("{beside} · {from}");
    }
    Cell::Double(subject, beside)
}

fn list(flow: &mut Flow, columns: &[Column<'_>], items: &[&ResidueItem], cells: impl Fn(&ResidueItem) -> Vec<Cell>) {
    let lang = flow.lang;
    let mut rows = Vec::new();
    let shown = &items[..items.len().min(MOST)];
    for group in shown.chunk_by(|a, b| a.mailbox == b.mailbox) {
        let Some(first) = group.first() else { continue };
        let count = group.len() as i64;
        rows.push(Row::Group(first.mailbox.clone(), lang.so_many(count)));
        rows.extend(group.iter().map(|item| Row::Plain(cells(item))));
    }
    flow.table(columns, rows);
}

fn cut(flow: &mut Flow, report: &Report, listed: usize) {
    if listed > MOST || report.residue.listed < report.residue.total {
        let note = flow.lang.residue_cut();
        flow.paragraph(note, NOTE);
    }
}

/// What was given up, by whom and why.
pub fn waivers(flow: &mut Flow, report: &Report) {
    let lang = flow.lang;
    flow.section(lang.waivers(), 60.0);
    if report.waivers.is_empty() {
        flow.paragraph(lang.waivers_none(), NOTE);
        return;
    }
    flow.paragraph(lang.waivers_intro(), NOTE);
    let columns = [
        Column::fixed(lang.when(), 66.0),
        Column::fixed(lang.who(), 104.0),
        Column::figure(lang.messages(), 48.0),
        Column::text(lang.mailbox(), 0.35),
        Column::text(lang.reason(), 0.6).lines(8),
    ];
    let rows: Vec<Row> = report
        .waivers
        .iter()
        .map(|waiver| {
            let expired = if waiver.expired > 0 {
                format!("{} {}", lang.count(waiver.expired), lang.expired())
            } else {
                String::new()
            };
            Row::Plain(vec![
                lang.minute(&waiver.at).into(),
                lang.actor(&waiver.actor).into(),
                lang.count(waiver.messages).into(),
                Cell::Double(waiver.mailbox.clone(), expired),
                waiver.reason.clone().into(),
            ])
        })
        .collect();
    flow.table(&columns, rows);
}
