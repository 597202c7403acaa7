//! The domain's DNS, before and after.

use super::super::{
    flow::{Flow, NOTE},
    table::{Cell, Column, Row},
};
use crate::{
    model::{DnsPart, DnsRecordPart, Report},
    texts::Lang,
};
use std::collections::BTreeMap;

/// Draws the section.
pub fn section(flow: &mut Flow, report: &Report) {
    let lang = flow.lang;
    flow.section(lang.dns(), 80.0);
    let before = report.dns.iter().find(|part| part.moment == "before");
    let after = report.dns.iter().rev().find(|part| part.moment != "before");
    if before.is_none() && after.is_none() {
        flow.paragraph(lang.dns_none(), NOTE);
        return;
    }
    let taken: Vec<String> = [before, after]
        .into_iter()
        .flatten()
        .map(|part| format!("{}: {}", lang.state_name(&part.moment), lang.moment(&part.taken_at)))
        .collect();
    flow.paragraph(&taken.join(" · "), NOTE);
    let columns = [
        Column::text(lang.dns_record(), 0.3),
        Column::text(lang.dns_before(), 0.4).lines(6),
        Column::text(lang.dns_after(), 0.4).lines(6),
    ];
    let (old, new) = (by_name(before), by_name(after));
    let mut names: Vec<&(String, String)> = old.keys().chain(new.keys()).collect();
    names.sort();
    names.dedup();
    let rows: Vec<Row> = names
        .into_iter()
        .map(|name| {
            let (was, is) = (old.get(name), new.get(name));
            let same = was.is_some() && said(was) == said(is);
            let after = match is {
                Some(_) if same => Cell::Text(lang.dns_same().to_owned()),
                Some(answers) => Cell::Strong(answer(answers, lang)),
                None => Cell::Text(lang.dns_absent().to_owned()),
            };
            let before = was.map_or_else(|| lang.dns_absent().to_owned(), |answers| answer(answers, lang));
            Row::Plain(vec![Cell::Double(name.1.clone(), name.0.clone()), before.into(), after])
        })
        .collect();
    flow.table(&columns, rows);
}

type Answers<'a> = BTreeMap<(String, String), Vec<&'a DnsRecordPart>>;

fn by_name(part: Option<&DnsPart>) -> Answers<'_> {
    let mut found = Answers::new();
    for record in part.into_iter().flat_map(|part| &part.records) {
        found.entry((record.name.clone(), record.record_type.clone())).or_default().push(record);
    }
    found
}

fn said(answers: Option<&Vec<&DnsRecordPart>>) -> Vec<String> {
    let mut values: Vec<String> = answers.into_iter().flatten().flat_map(|r| r.values.iter().cloned()).collect();
    values.sort();
    values.dedup();
    values
}

/// The values; each with its resolvers where these do not agree.
fn answer(answers: &[&DnsRecordPart], lang: Lang) -> String {
    let one = answers.windows(2).all(|pair| pair[0].values == pair[1].values);
    let shown = if one { &answers[..answers.len().min(1)] } else { answers };
    let texts: Vec<String> = shown
        .iter()
        .map(|record| {
            let mut text = record.values.join(", ");
            if let Some(ttl) = record.ttl {
                text.push_str(&format!(" ({} {ttl} s)", lang.dns_ttl()));
            }
            if !one && !record.resolvers.is_empty() {
                text.push_str(&format!(" [{}]", record.resolvers.join(", ")));
            }
            text
        })
        .collect();
    texts.join("; ")
}
