//! The way back: the old values as a sheet that a person can print and a zone file can take.

use crate::read::{View, conclusive};
use gatepost_contract::{DnsAnswer, DnsRecord, DnsSnapshot, RecordType, RollbackSheet};
use std::fmt::Write as _;

/// What to put back and what to take out, from the old values and the newest reading.
#[must_use]
pub fn rollback(before: &DnsSnapshot, latest: Option<&DnsSnapshot>) -> RollbackSheet {
    let mut sheet = RollbackSheet {
        domain: before.domain.clone(),
        taken_at: before.taken_at.clone(),
        records: Vec::new(),
        remove: Vec::new(),
        zone: String::new(),
    };
    let mut same: Vec<DnsRecord> = Vec::new();
    let mut notes: Vec<String> = Vec::new();
    for (name, kind) in questions(before, latest) {
        let Some(answer) = counting(before, &name, kind) else { continue };
        // Above all, that records of it were left out.
        notes.extend(answer.note.as_ref().map(|note| format!("{name}. {kind}: {note}")));
        let old = own(answer);
        let new = latest.and_then(|latest| counting(latest, &name, kind)).map(own);
        match new {
            Some(new) if said(&new) == said(&old) => add(&mut same, old),
            Some(new) => {
                let gone = |record: &DnsRecord, from: &[DnsRecord]| !from.iter().any(|r| key(r) == key(record));
                let remove = new.iter().filter(|record| gone(record, &old)).cloned().collect();
                let back = old.iter().filter(|record| gone(record, &new)).cloned().collect();
                add(&mut same, old.iter().filter(|record| !gone(record, &new)).cloned().collect());
                add(&mut sheet.remove, remove);
                add(&mut sheet.records, back);
            }
            None if latest.is_none() => add(&mut sheet.records, old),
            // It could not be found out what stands there now: better put back once too often.
            None => add(&mut sheet.records, old),
        }
    }
    sheet.zone = zone(&sheet, &same, &notes, latest.is_some());
    sheet
}

/// The questions within the domain: what lies elsewhere is not ours to put back. SOA and NS belong to whoever serves
/// the zone.
fn questions(before: &DnsSnapshot, latest: Option<&DnsSnapshot>) -> Vec<(String, RecordType)> {
    let all = before.answers.iter().chain(latest.into_iter().flat_map(|latest| &latest.answers));
    let ours = all.filter(|answer| {
        !matches!(answer.record_type, RecordType::Soa | RecordType::Ns)
            && crate::questions::within(&answer.name, &before.domain)
    });
    let mut questions: Vec<(String, RecordType)> = ours.map(|a| (a.name.clone(), a.record_type)).collect();
    questions.sort_by_key(|(name, kind)| (name.split('.').count(), *kind != RecordType::Mx));
    crate::questions::unique(questions)
}

/// The answer that counts: of the zone's own servers where they said it. None where it could not be found out.
fn counting<'a>(snapshot: &'a DnsSnapshot, name: &str, kind: RecordType) -> Option<&'a DnsAnswer> {
    let view = View(snapshot);
    let own = |answer: &&DnsAnswer| conclusive(answer) && view.is_authoritative(answer);
    view.answers(name, kind).find(own).or_else(|| view.best(name, kind))
}

/// The records that the name itself has: of the type, or the alias instead.
fn own(answer: &DnsAnswer) -> Vec<DnsRecord> {
    answer.records.iter().filter(|record| record.name == answer.name).cloned().collect()
}

fn key(record: &DnsRecord) -> (&str, RecordType, &str) {
    (&record.name, record.record_type, &record.data)
}

fn said(records: &[DnsRecord]) -> Vec<(&str, RecordType, &str)> {
    let mut all: Vec<_> = records.iter().map(key).collect();
    all.sort_unstable();
    all
}

/// An alias answers questions of several types; it is listed once.
fn add(to: &mut Vec<DnsRecord>, records: Vec<DnsRecord>) {
    for record in records {
        if !to.iter().any(|known| key(known) == key(&record)) {
            to.push(record);
        }
    }
}

fn zone(sheet: &RollbackSheet, same: &[DnsRecord], notes: &[String], compared: bool) -> String {
    let mut text = String::new();
    let mut line = |words: std::fmt::Arguments<'_>| {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{words}");
    };
    line(format_args!(
        "; The DNS of {} as it was read at {}, before its mail was moved.",
        sheet.domain, sheet.taken_at
    ));
    line(format_args!("$ORIGIN {}.", sheet.domain));
    line(format_args!(""));
    if !notes.is_empty() {
        line(format_args!("; The reading may not be whole. Compare by hand:"));
        notes.iter().for_each(|note| line(format_args!("; {}", note.replace(char::is_control, " "))));
        line(format_args!(""));
    }
    if sheet.records.is_empty() && sheet.remove.is_empty() {
        line(format_args!("; Nothing differs from the newest reading: there is nothing to put back."));
    }
    if !sheet.remove.is_empty() {
        line(format_args!("; Take these out:"));
        sheet.remove.iter().for_each(|record| line(format_args!("; {}", written(record))));
        line(format_args!(""));
    }
    if !sheet.records.is_empty() {
        let what = if compared { "Put these back" } else { "These stood there" };
        line(format_args!("; {what} (a TTL of 300 makes the way back quick):"));
        sheet.records.iter().for_each(|record| line(format_args!("{}", written(record))));
        line(format_args!(""));
    }
    if !same.is_empty() {
        line(format_args!("; These stand as they were:"));
        same.iter().for_each(|record| line(format_args!("; {}", written(record))));
    }
    text
}

fn written(record: &DnsRecord) -> String {
    format!("{}. {} IN {} {}", record.name, record.ttl, record.record_type, record.data)
}

#[cfg(test)]
#[path = "rollback_tests.rs"]
mod tests;
