//! Mailbox by mailbox.

use super::super::{
    flow::{Flow, NOTE, TEXT},
    table::{Cell, Column, Row},
};
use crate::model::{FilePart, MailboxPart, Report};
use crate::texts::Lang;

/// Draws the section.
pub fn section(flow: &mut Flow, report: &Report) {
    let lang = flow.lang;
    flow.section(lang.mailboxes(), 90.0);
    if report.mailboxes.is_empty() {
        flow.paragraph(lang.no_mailboxes(), TEXT);
        return;
    }
    flow.paragraph(lang.mailboxes_intro(), NOTE);
    let columns = [
        Column::text(lang.mailbox(), 0.6).lines(4),
        Column::figure(lang.source(), 36.0),
        Column::figure(lang.arrived(), 38.0),
        Column::figure(lang.pending(), 40.0),
        Column::figure(lang.quarantined(), 47.0),
        Column::figure(lang.waived(), 46.5),
        Column::figure(lang.share(), 38.0),
        Column::figure(lang.volume(), 40.0),
    ];
    let rows = report.mailboxes.iter().map(|mailbox| row(mailbox, lang));
    let sum = &report.summary;
    let share = if sum.mailboxes_verified > 0 { lang.percent(sum.ratio) } else { "–".into() };
    let total = Row::Total(vec![
        format!("{}: {}", lang.total(), lang.count(sum.mailboxes)).into(),
        lang.tally(sum.tally.source).into(),
        lang.tally(sum.tally.arrived).into(),
        lang.tally(sum.tally.pending).into(),
        lang.tally(sum.tally.quarantined).into(),
        lang.tally(sum.tally.waived).into(),
        share.into(),
        lang.size(sum.bytes_source).into(),
    ]);
    let rows: Vec<Row> = rows.chain([total]).collect();
    flow.table(&columns, rows);
}

fn row(mailbox: &MailboxPart, lang: Lang) -> Row {
    let read = mailbox.read_at.is_some();
    let mut beside = format!("{} · {}", lang.source_type(mailbox.source_type), lang.depth(mailbox.depth));
    if let Some(at) = &mailbox.read_at {
        beside.push_str(&format!(" · {}", lang.minute(at)));
    }
    for file in &mailbox.files {
        beside.push_str(&format!(" · {}", described(file, lang)));
    }
    if let Some(error) = &mailbox.last_error {
        beside.push_str(&format!(" · {}: {error}", lang.last_error()));
    }
    let figure = |n: i64| if read { lang.tally(n) } else { String::new() };
    Row::Plain(vec![
        Cell::Double(mailbox.email.clone(), beside),
        figure(mailbox.tally.source).into(),
        figure(mailbox.tally.arrived).into(),
        figure(mailbox.tally.pending).into(),
        figure(mailbox.tally.quarantined).into(),
        figure(mailbox.tally.waived).into(),
        if read { lang.percent(mailbox.ratio) } else { String::new() }.into(),
        lang.size(mailbox.bytes_source).into(),
    ])
}

/// `archive.pst (SHA-256 6152489de347…, 6 no mail, saved apart)`.
fn described(file: &FilePart, lang: Lang) -> String {
    let mut about = Vec::new();
    if let Some(digest) = file.sha256.as_ref().and_then(|digest| digest.get(..12)) {
        about.push(format!("SHA-256 {digest}…"));
    }
    let others: u64 = file.others.values().sum();
    if others > 0 {
        about.push(format!("{} {}", lang.count(i64::try_from(others).unwrap_or(i64::MAX)), lang.no_mail()));
    }
    match file.state.as_str() {
        "refused" => about.push(lang.refused_file().to_owned()),
        "deleted" => about.push(lang.deleted_file().to_owned()),
        _ => {}
    }
    if about.is_empty() { file.name.clone() } else { format!("{} ({})", file.name, about.join(", ")) }
}
