//! The audit log as a file: JSON for programs, CSV for spreadsheets, written as it is read.

use crate::http::csv;
use axum::body::Bytes;
use futures::{Stream, StreamExt, stream};
use gatepost_contract::{AuditEntry, AuditFilter, Problem};
use gatepost_core::{Actor, Gatepost};
use serde::Deserialize;

/// As what the log is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, clap::ValueEnum, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum ExportFormat {
    /// One JSON object a line.
    #[default]
    Jsonl,
    /// Comma separated values with a line of names, for spreadsheets.
    Csv,
}

/// The log in parts, each as large as one reading; no more than one of them is in memory.
pub fn rows(
    core: Gatepost,
    actor: Actor,
    filter: AuditFilter,
    format: ExportFormat,
    first: Vec<AuditEntry>,
) -> impl Stream<Item = Result<Bytes, Box<Problem>>> + Send {
    let head = (format == ExportFormat::Csv).then(|| Ok(Bytes::from_static(CSV_HEAD.as_bytes())));
    let parts = stream::unfold((core, actor, filter, Some(first)), move |(core, actor, filter, part)| async move {
        let part = part.filter(|part| !part.is_empty())?;
        let last = part.last().map(|entry| entry.id)?;
        let text = written(&part, format);
        let next = match core.audit_following(&actor, filter.clone(), last).await {
            Ok(next) => next,
            // The connection is broken off, so that half a log is not taken for all of it.
            Err(error) => return Some((Err(Box::new(Problem::from(error))), (core, actor, filter, None))),
        };
        Some((text, (core, actor, filter, Some(next))))
    });
    stream::iter(head).chain(parts)
}

const CSV_HEAD: &str = "id,at,actor,action,job_id,subject,before,after,reason,previous_hash,hash\r\n";

fn written(entries: &[AuditEntry], format: ExportFormat) -> Result<Bytes, Box<Problem>> {
    let mut out = Vec::with_capacity(entries.len() * 400);
    for entry in entries {
        match format {
            ExportFormat::Jsonl => {
                serde_json::to_writer(&mut out, entry).map_err(|_| Box::new(Problem::internal()))?;
                out.push(b'\n');
            }
            ExportFormat::Csv => csv_row(&mut out, entry),
        }
    }
    Ok(Bytes::from(out))
}

fn csv_row(out: &mut Vec<u8>, entry: &AuditEntry) {
    let (id, job) = (entry.id.to_string(), entry.job_id.map(|job| job.to_string()));
    let texts = [&entry.before, &entry.after, &entry.reason].map(|text| text.as_deref().unwrap_or_default());
    let [before, after, reason] = texts;
    let fields = [
        id.as_str(),
        &entry.at,
        &entry.actor,
        &entry.action,
        job.as_deref().unwrap_or_default(),
        &entry.subject,
        before,
        after,
        reason,
        &entry.previous_hash,
        &entry.hash,
    ];
    out.extend_from_slice(csv::line(&fields).as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;
    use gatepost_contract::AuditId;

    #[test]
    fn a_row_of_the_spreadsheet_holds_any_text_and_no_formula() {
        let entry = AuditEntry {
            id: AuditId(7),
            at: "2026-11-21T04:12:00.000Z".into(),
            actor: "lead@example.org".into(),
            action: "gate.approve".into(),
            job_id: None,
            subject: "job/3".into(),
            before: Some(r#"{"gate":"warning"}"#.into()),
            after: None,
            reason: Some("=HYPERLINK(\"x\")\nsecond line, ok;=1".into()),
            previous_hash: "0".into(),
            hash: "1".into(),
        };
        let text = written(&[entry], ExportFormat::Csv).expect("it is written");
        let expected = "\"7\",\"2026-11-21T04:12:00.000Z\",\"lead@example.org\",\"gate.approve\",\"\",\"job/3\",\
            \"{\"\"gate\"\":\"\"warning\"\"}\",\"\",\"'=HYPERLINK(\"\"x\"\")\nsecond line, ok;'=1\",\"0\",\"1\"\r\n";
        assert_eq!(String::from_utf8_lossy(&text), expected);
    }
}
