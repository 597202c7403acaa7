//! Folder by folder, below the mailbox that they belong to.

use super::super::{
    flow::{Flow, NOTE},
    table::{Cell, Column, Row},
};
use crate::model::{FolderPart, Report};
use crate::texts::Lang;

/// Draws the section.
pub fn section(flow: &mut Flow, report: &Report) {
    let lang = flow.lang;
    flow.section(lang.folders(), 90.0);
    if report.mailboxes.iter().all(|mailbox| mailbox.folders.is_empty()) {
        flow.paragraph(lang.no_folders(), NOTE);
        return;
    }
    flow.paragraph(lang.folders_intro(), NOTE);
    let columns = [
        Column::text(lang.folder(), 0.6).lines(4),
        Column::figure(lang.source(), 36.0),
        Column::figure(lang.arrived(), 38.0),
        Column::figure(lang.pending(), 40.0),
        Column::figure(lang.quarantined(), 47.0),
        Column::figure(lang.waived(), 46.5),
        Column::fixed(lang.flaws(), 90.0).lines(4),
    ];
    let mut rows = Vec::new();
    for mailbox in report.mailboxes.iter().filter(|m| !m.folders.is_empty()) {
        let beside = format!("{} · {}", lang.so_many(mailbox.tally.source), lang.percent(mailbox.ratio));
        rows.push(Row::Group(mailbox.email.clone(), beside));
        rows.extend(mailbox.folders.iter().map(|folder| row(folder, lang)));
    }
    let tally = report.summary.tally;
    rows.push(Row::Total(vec![
        format!("{}: {}", lang.total(), lang.count(report.summary.folders)).into(),
        lang.tally(tally.source).into(),
        lang.tally(tally.arrived).into(),
        lang.tally(tally.pending).into(),
        lang.tally(tally.quarantined).into(),
        lang.tally(tally.waived).into(),
        String::new().into(),
    ]));
    flow.table(&columns, rows);
}

fn row(folder: &FolderPart, lang: Lang) -> Row {
    let mut beside = match &folder.dest_path {
        None => lang.not_mapped().to_owned(),
        Some(dest) if *dest != folder.source_path => format!("→ {dest}"),
        Some(_) => String::new(),
    };
    for said in [(!folder.visited).then(|| lang.not_visited().to_owned()), folder.note.clone()].into_iter().flatten() {
        if !beside.is_empty() {
            beside.push_str(" · ");
        }
        beside.push_str(&said);
    }
    let flaws: Vec<String> = [
        (folder.changed, lang.changed_n()),
        (folder.misplaced, lang.misplaced_n()),
        (folder.doubled, lang.doubled_n()),
        (folder.flags_lost, lang.flags_n()),
        (folder.rewritten, lang.rewritten_n()),
    ]
    .into_iter()
    .filter(|(n, _)| *n > 0)
    .map(|(n, what)| format!("{} {what}", lang.count(n)))
    .collect();
    Row::Plain(vec![
        Cell::Double(folder.source_path.clone(), beside),
        lang.tally(folder.tally.source).into(),
        lang.tally(folder.tally.arrived).into(),
        lang.tally(folder.tally.pending).into(),
        lang.tally(folder.tally.quarantined).into(),
        lang.tally(folder.tally.waived).into(),
        flaws.join(", ").into(),
    ])
}
