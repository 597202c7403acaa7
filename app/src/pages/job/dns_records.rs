//! All records of one DNS reading, and who said what.

use crate::{
    components::{Table, count, head},
    i18n::names,
};
use gatepost_contract::{DnsAnswer, DnsSnapshot, LookupStatus, RecordType};
use leptos::prelude::*;

/// What several resolvers said to one question in the same words.
struct Said {
    words: Vec<String>,
    by: Vec<String>,
}

/// The records, folded up.
#[component]
pub fn DnsRecords(snapshot: DnsSnapshot) -> AnyView {
    let questions = questions(&snapshot);
    let heads =
        vec![head(t!(cutover.name)), head(t!(cutover.kind)), head(t!(cutover.record)), head(t!(cutover.said_by))];
    let number = t!(cutover.records_of, count = count(questions.len() as i64));
    let rows = questions.into_iter().flat_map(|(name, kind, said)| {
        said.into_iter().enumerate().map(move |(place, said)| {
            let words = said.words.into_iter().map(|word| view! { <div>{word}</div> }).collect_view();
            view! {
                <tr>
                    <th scope="row" data-label=t!(cutover.name) class="path">
                        {name.clone()}{(place > 0).then_some(" ↳")}
                    </th>
                    <td data-label=t!(cutover.kind)>{kind.to_string()}</td>
                    <td data-label=t!(cutover.record) class="path">{words}</td>
                    <td data-label=t!(cutover.said_by) class="note">{said.by.join(", ")}</td>
                </tr>
            }
        })
    });
    let rows = rows.collect_view().into_any();
    view! {
        <section aria-labelledby="records">
            <h2 id="records">{t!(cutover.records)}</h2>
            <details>
                <summary class="button">{t!(cutover.records)}": "{number}</summary>
                <Table caption=t!(cutover.records).to_owned() heads rows/>
            </details>
        </section>
    }
    .into_any()
}

/// The questions that somebody had something to say to, each with its different answers.
fn questions(snapshot: &DnsSnapshot) -> Vec<(String, RecordType, Vec<Said>)> {
    let mut all: Vec<(String, RecordType, Vec<Said>)> = Vec::new();
    for answer in &snapshot.answers {
        let same =
            |(name, kind, _): &(String, RecordType, Vec<Said>)| *name == answer.name && *kind == answer.record_type;
        let place = all.iter().position(same).unwrap_or_else(|| {
            all.push((answer.name.clone(), answer.record_type, Vec::new()));
            all.len() - 1
        });
        let words = words(answer);
        let said = &mut all[place].2;
        match said.iter_mut().find(|known| known.words == words) {
            Some(known) => known.by.push(answer.resolver.clone()),
            None => said.push(Said { words, by: vec![answer.resolver.clone()] }),
        }
    }
    // What nobody has is not worth a line.
    let worth = |name: &str, kind: RecordType| {
        let absent = |answer: &DnsAnswer| {
            answer.records.is_empty() && matches!(answer.status, LookupStatus::Empty | LookupStatus::Nxdomain)
        };
        snapshot.answers.iter().any(|a| a.name == name && a.record_type == kind && !absent(a))
    };
    all.retain(|(name, kind, _)| worth(name, *kind));
    all
}

/// An answer in words. TTLs differ from resolver to resolver by their nature, and are left out.
fn words(answer: &DnsAnswer) -> Vec<String> {
    if answer.records.is_empty() {
        let status = names::lookup_status(answer.status).to_owned();
        return vec![status];
    }
    let alias = |kind: RecordType| if kind == RecordType::Cname { "CNAME " } else { "" };
    answer.records.iter().map(|record| format!("{}{}", alias(record.record_type), record.data)).collect()
}
