//! The first page: what moved, did all of it arrive, who approved.

use super::super::{
    Paper,
    flow::{CELL, CELL_STRONG, DIGITS, Flow, LABEL, MARGIN, MEASURE, NOTE, STRONG, SUBHEADING, TEXT, Type},
    fonts::Font,
    ink::{BLACK, CARE, DEEP, GOOD, GREY, HAIR, Ink, MIST, Mark, PALE},
    sheet::{HEIGHT, WIDTH},
};
use crate::{
    model::{Edition, Report},
    texts::Lang,
};
use gatepost_contract::{CheckStatus, Gate};

const FIGURE: Type = Type { font: Font::Bold, size: 21.0, leading: 26.0, ink: BLACK };
/// One of two columns.
const HALF: f32 = MEASURE / 2.0 - 16.0;
/// Where figures end; what they count stands close behind, also for those who are read to.
const FIGURES: f32 = 58.0;
/// From line to line in lists.
const LINE: f32 = 16.0;
const VERDICT: Type = Type { font: Font::Bold, size: 16.0, leading: 21.0, ink: BLACK };

/// Draws the page.
pub fn page(flow: &mut Flow, paper: &Paper<'_>) {
    let report = paper.report;
    head(flow, report);
    let y = title(flow, report);
    let y = verdict(flow, report, y + 20.0);
    let y = figures(flow, report, y + 30.0);
    let y = sum(flow, report, y + 28.0);
    checks(flow, report, y + 26.0);
    gate(flow, report, y + 26.0);
    digest(flow, paper);
}

fn head(flow: &mut Flow, report: &Report) {
    let sheet = flow.sheet();
    // Two posts and the gate between them.
    sheet.field(MARGIN, 40.0, 3.4, 17.0, 1.0, DEEP);
    sheet.field(MARGIN + 15.6, 40.0, 3.4, 17.0, 1.0, DEEP);
    sheet.field(MARGIN + 5.2, 45.0, 8.6, 1.8, 0.0, PALE);
    sheet.field(MARGIN + 5.2, 50.6, 8.6, 1.8, 0.0, PALE);
    flow.put("Gatepost", MARGIN + 26.0, 53.6, Type { size: 12.0, ..STRONG }.in_ink(DEEP));
    let lang = flow.lang;
    let right = WIDTH - MARGIN;
    let of = match report.edition {
        Edition::Full => format!("{} · #{}", lang.report(), report.job.id),
        Edition::Customer => format!("{} · {}", lang.report(), lang.customer_edition()),
    };
    flow.put_right(&of, right, 46.5, CELL_STRONG);
    flow.put_right(&lang.moment(&report.generated_at), right, 57.0, NOTE);
    flow.sheet().rule(MARGIN, 68.0, MEASURE, 0.9, DEEP);
}

fn title(flow: &mut Flow, report: &Report) -> f32 {
    let lang = flow.lang;
    flow.put(lang.mail_of(), MARGIN, 102.0, Type { size: 10.0, ..TEXT }.in_ink(GREY));
    let mut kind = Type { font: Font::Bold, size: 32.0, leading: 36.0, ink: DEEP };
    while flow.fonts.width(report.job.domain.get(..200).unwrap_or(&report.job.domain), kind.font, kind.size) > MEASURE
        && kind.size > 15.0
    {
        kind.size -= 1.0;
    }
    let domain = flow.fit(&report.job.domain, kind, MEASURE);
    flow.put(&domain, MARGIN, 102.0 + 6.0 + kind.size, kind);
    let mut y = 102.0 + 6.0 + kind.size + 20.0;
    let mut way = report.job.tenant.clone();
    if !report.job.dest_host.is_empty() {
        let from_files = !report.mailboxes.is_empty() && report.mailboxes.iter().all(|m| m.source_type.is_file());
        let old = match report.job.source_label.as_str() {
            "" if from_files => lang.files(),
            "" => lang.old_server(),
            label => label,
        };
        let (new, port) = (&report.job.dest_host, report.job.dest_port);
        let security = lang.security(report.job.dest_security);
        way = format!("{way} · {} {old} {} {new}:{port} ({security})", lang.from(), lang.to());
    }
    for line in flow.wrap(&way, TEXT, MEASURE, 2) {
        flow.put(&line, MARGIN, y, TEXT.in_ink(GREY));
        y += TEXT.leading;
    }
    y - TEXT.leading
}

/// What one glance should tell.
fn judged(report: &Report, lang: Lang) -> (Mark, &'static str, String) {
    let sum = &report.summary;
    let found = match lang {
        Lang::English => format!(
            "{} of {} messages were found at the new server.",
            lang.count(sum.tally.arrived),
            lang.count(sum.tally.source)
        ),
        Lang::Portuguese => format!(
            "{} de {} mensagens foram encontradas no servidor novo.",
            lang.count(sum.tally.arrived),
            lang.count(sum.tally.source)
        ),
    };
    let failing = report.gate.checks.iter().any(|c| c.status == CheckStatus::Fail);
    if sum.mailboxes == 0 {
        (Mark::Open, lang.no_mailboxes(), String::new())
    } else if sum.evidence_id.is_none() {
        (Mark::Open, lang.not_proved(), lang.unproved_why().to_owned())
    } else if !sum.tally.adds_up() {
        (Mark::Bad, lang.not_proved(), lang.sum_broken().to_owned())
    } else if sum.all_arrived {
        (Mark::Good, lang.all_arrived(), format!("{found} {}", lang.proved_by()))
    } else if sum.all_explained {
        (Mark::Good, lang.all_explained(), format!("{found} {}: {}.", lang.waived(), lang.count(sum.tally.waived)))
    } else if sum.tally.arrived == sum.tally.source {
        (Mark::Bad, lang.with_flaws(), found)
    } else {
        (if failing { Mark::Bad } else { Mark::Care }, lang.not_all(), found)
    }
}

fn verdict(flow: &mut Flow, report: &Report, top: f32) -> f32 {
    let (mark, title, why) = judged(report, flow.lang);
    let lines = flow.wrap(&why, TEXT, MEASURE - 92.0, 3);
    let lines: Vec<String> = lines.into_iter().filter(|l| !l.is_empty()).collect();
    let height = 52.0 + TEXT.leading * lines.len().saturating_sub(usize::from(lines.len() == 1)) as f32;
    let height = height.max(68.0);
    flow.sheet().field(MARGIN, top, MEASURE, height, 5.0, mark.field());
    flow.sheet().field(MARGIN, top, 5.0, height, 2.0, mark.ink());
    mark.draw(flow.sheet(), MARGIN + 24.0, top + (height - 34.0) / 2.0, 34.0);
    let block = VERDICT.leading + TEXT.leading * lines.len() as f32;
    let mut y = top + (height - block) / 2.0 + VERDICT.size - 1.0;
    let title = flow.fit(title, VERDICT, MEASURE - 92.0);
    flow.put(&title, MARGIN + 76.0, y, VERDICT.in_ink(mark.ink()));
    y += VERDICT.leading - 3.0;
    for line in &lines {
        flow.put(line, MARGIN + 76.0, y, TEXT);
        y += TEXT.leading;
    }
    top + height
}

fn figures(flow: &mut Flow, report: &Report, top: f32) -> f32 {
    let (lang, sum) = (flow.lang, &report.summary);
    let figures = [
        (lang.mailboxes(), lang.count(sum.mailboxes)),
        (lang.messages(), lang.count(sum.tally.source)),
        (lang.volume(), lang.size(sum.bytes_source)),
        (lang.arrived_share(), if sum.evidence_id.is_some() { lang.percent(sum.ratio) } else { "–".into() }),
    ];
    let width = MEASURE / 4.0;
    for (n, (label, figure)) in figures.iter().enumerate() {
        let x = MARGIN + n as f32 * width + if n > 0 { 14.0 } else { 0.0 };
        if n > 0 {
            flow.sheet().field(x - 14.0, top, 0.6, 40.0, 0.0, HAIR);
        }
        flow.put(label, x, top + 7.0, LABEL);
        let figure = flow.fit(figure, FIGURE, width - 18.0);
        flow.put(&figure, x, top + 33.0, FIGURE);
    }
    top + 40.0
}

/// Arrived + pending + quarantined + waived = source, as a bar and as a sum that anybody can add up.
fn sum(flow: &mut Flow, report: &Report, top: f32) -> f32 {
    let (lang, tally) = (flow.lang, report.summary.tally);
    flow.put(lang.sum_title(), MARGIN, top + 9.0, SUBHEADING);
    let parts: [(&str, i64, Ink, Mark); 4] = [
        (lang.arrived(), tally.arrived, GOOD, Mark::Good),
        (lang.pending(), tally.pending, GREY, Mark::Open),
        (lang.quarantined(), tally.quarantined, Mark::Bad.ink(), Mark::Bad),
        (lang.waived(), tally.waived, CARE, Mark::Care),
    ];
    let bar = top + 20.0;
    flow.sheet().field(MARGIN, bar, MEASURE, 9.0, 2.0, MIST);
    if tally.source > 0 {
        // What is there is seen, however few they are.
        let shown = |n: i64| if n <= 0 { 0.0 } else { (n as f32 / tally.source as f32 * MEASURE).max(3.0) };
        let small: f32 = parts[1..].iter().map(|p| shown(p.1)).sum();
        let mut x = MARGIN;
        for (n, part) in parts.iter().enumerate() {
            let width = if n == 0 { shown(part.1).min(MEASURE - small) } else { shown(part.1) };
            let width = width.min(MARGIN + MEASURE - x);
            flow.sheet().field(x, bar, width - if width > 4.0 { 0.8 } else { 0.4 }, 9.0, 1.5, part.2);
            x += width;
        }
    }
    // As an account: one below the other, so that anybody can add it up, and so that it is read out in this order.
    let (mut y, width) = (bar + 28.0, HALF);
    for (n, (label, count, _, mark)) in parts.iter().enumerate() {
        flow.put(if n > 0 { "+" } else { "" }, MARGIN, y, NOTE);
        flow.put_right(&lang.count(*count), MARGIN + FIGURES, y, CELL_STRONG);
        mark.draw(flow.sheet(), MARGIN + FIGURES + 10.0, y - 7.0, 8.0);
        flow.put(label, MARGIN + FIGURES + 22.0, y, CELL);
        flow.sheet().rule(MARGIN, y + 4.6, width, 0.4, HAIR);
        y += LINE;
    }
    flow.sheet().rule(MARGIN, y - LINE + 4.6, width, 0.9, GREY);
    flow.put("=", MARGIN, y, NOTE);
    flow.put_right(&lang.count(tally.source), MARGIN + FIGURES, y, CELL_STRONG);
    flow.put(lang.source(), MARGIN + FIGURES + 22.0, y, CELL_STRONG);
    fidelity(flow, report, bar + 28.0);
    y + 6.0
}

fn checks(flow: &mut Flow, report: &Report, top: f32) {
    let lang = flow.lang;
    flow.put(lang.checks(), MARGIN, top + 9.0, SUBHEADING);
    let mut y = top + 30.0;
    for check in &report.gate.checks {
        let mark = super::checks::mark(check.status);
        mark.draw(flow.sheet(), MARGIN, y - 7.4, 9.0);
        flow.put(lang.check_status(check.status), MARGIN + 14.0, y, CELL_STRONG.in_ink(mark.ink()));
        flow.put(lang.check(check.check_id), MARGIN + FIGURES + 22.0, y, CELL);
        flow.sheet().rule(MARGIN, y + 4.6, HALF, 0.4, HAIR);
        y += LINE;
    }
    if report.gate.checks.is_empty() {
        flow.put("–", MARGIN, y, NOTE);
    }
}

fn gate(flow: &mut Flow, report: &Report, top: f32) {
    let lang = flow.lang;
    let (x, width) = (MARGIN + MEASURE - HALF, HALF);
    flow.put(lang.gate_title(), x, top + 9.0, SUBHEADING);
    let mark = match report.gate.gate {
        Gate::Blocked => Mark::Bad,
        Gate::Warning => Mark::Care,
        Gate::ReadyForDns => Mark::Good,
    };
    let mut y = top + 32.0;
    mark.draw(flow.sheet(), x, y - 10.5, 13.0);
    flow.put(lang.gate(report.gate.gate), x + 20.0, y, Type { size: 12.0, ..STRONG }.in_ink(mark.ink()));
    y += 14.0;
    flow.put(lang.gate_means(report.gate.gate), x + 20.0, y, NOTE);
    y += 24.0;
    match &report.gate.approval {
        Some(approval) => {
            flow.put(lang.approved_by(), x, y, LABEL);
            y += 14.0;
            let by = flow.fit(&lang.actor(&approval.by), Type { size: 11.0, ..STRONG }, width);
            flow.put(&by, x, y, Type { size: 11.0, ..STRONG });
            y += 13.0;
            flow.put(&lang.moment(&approval.at), x, y, NOTE);
            y += NOTE.leading;
            if let Some(reason) = &approval.override_reason {
                y += 3.0;
                for line in flow.wrap(&lang.overruled(reason), CELL, width, 3) {
                    flow.put(&line, x, y, CELL.in_ink(CARE));
                    y += CELL.leading;
                }
            }
        }
        None => {
            flow.put(lang.not_approved(), x, y, STRONG.in_ink(GREY));
            y += 13.0;
            flow.put(lang.nobody_approved(), x, y, NOTE);
            y += NOTE.leading;
        }
    }
    if let (Some(id), Some(at)) = (report.summary.evidence_id, &report.summary.evidence_at) {
        let text = format!("{} {id}, {} {} UTC", lang.evidence(), lang.evidence_read(), lang.minute(at));
        flow.put(&text, x, y, NOTE);
        y += NOTE.leading;
    }
    if let Some(at) = &report.job.dns_cutover_at {
        flow.put(&format!("{} {}.", lang.mx_changed(), lang.moment(at)), x, y, NOTE);
    }
}

/// How faithful the copies are, beside the sum.
fn fidelity(flow: &mut Flow, report: &Report, top: f32) {
    let (lang, sum) = (flow.lang, &report.summary);
    let (x, mut y) = (MARGIN + MEASURE - HALF, top);
    let facts = [
        (lang.bodies_read(), sum.bodies_read, false),
        (lang.changed_n(), sum.changed, true),
        (lang.misplaced_n(), sum.misplaced, true),
        (lang.doubled_n(), sum.doubled, true),
        (lang.flags_n(), sum.flags_lost, false),
    ];
    for (label, count, bad) in facts {
        let kind = if bad && count > 0 { CELL_STRONG.in_ink(Mark::Bad.ink()) } else { CELL_STRONG };
        let known = sum.evidence_id.is_some();
        let figure = match count {
            _ if !known => "–".to_owned(),
            0 => lang.none_of_it().to_owned(),
            count => lang.count(count),
        };
        flow.put_right(&figure, x + FIGURES, y, kind);
        flow.put(label, x + FIGURES + 10.0, y, CELL);
        flow.sheet().rule(x, y + 4.6, HALF, 0.4, HAIR);
        y += LINE;
    }
}

fn digest(flow: &mut Flow, paper: &Paper<'_>) {
    let lang = flow.lang;
    let y = HEIGHT - 72.0;
    let wide = flow.put(lang.digest(), MARGIN, y, LABEL);
    flow.put(&paper.signature.digest, MARGIN + wide + 8.0, y, Type { size: 6.4, ..DIGITS }.in_ink(GREY));
    let wide = flow.put(lang.key_id(), MARGIN, y + 12.0, LABEL);
    let key = format!("ed25519 {}", paper.signature.key_id);
    flow.put(&key, MARGIN + wide + 8.0, y + 12.0, Type { size: 6.4, ..DIGITS }.in_ink(GREY));
}
