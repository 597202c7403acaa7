//! The residue as a file: CSV for spreadsheets, JSON for programs, written as it is read.

use crate::http::csv;
use axum::{
    body::{Body, Bytes},
    response::{IntoResponse, Response},
};
use futures::{Stream, StreamExt, TryStreamExt, stream};
use gatepost_contract::{JobId, Residue};
use gatepost_core::Error;
use http::header;
use std::io;

/// How it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// RFC 4180 with a line of names.
    Csv,
    /// `{"job_id": 7, "items": […]}`.
    Json,
}

/// The file as a download. When its rows cannot be read to their end the connection is cut, so that half a file is
/// never taken for a whole one.
pub fn response(
    job: JobId,
    format: Format,
    rows: impl Stream<Item = Result<Vec<Residue>, Error>> + Send + 'static,
) -> Response {
    let (media, ending) = match format {
        Format::Csv => ("text/csv; charset=utf-8; header=present", "csv"),
        Format::Json => ("application/json", "json"),
    };
    let headers = [
        (header::CONTENT_TYPE, media.to_owned()),
        (header::CONTENT_DISPOSITION, format!("attachment; filename=\"residue-job-{job}.{ending}\"")),
    ];
    (headers, Body::from_stream(pieces(job, format, rows))).into_response()
}

fn pieces(
    job: JobId,
    format: Format,
    rows: impl Stream<Item = Result<Vec<Residue>, Error>> + Send + 'static,
) -> impl Stream<Item = io::Result<Bytes>> + Send + 'static {
    let (start, end) = match format {
        Format::Csv => (csv_names(), String::new()),
        Format::Json => (format!("{{\"job_id\":{job},\"items\":["), "]}\n".to_owned()),
    };
    let mut first = true;
    let middle = rows.map(move |portion| {
        // What lies behind is logged here, where it leaves the service.
        let portion = portion.map_err(|error| io::Error::other(gatepost_contract::Problem::from(error)))?;
        let mut text = String::new();
        for row in &portion {
            match format {
                Format::Csv => text.push_str(&csv_row(row)),
                Format::Json => {
                    text.push_str(if std::mem::take(&mut first) { "\n" } else { ",\n" });
                    text.push_str(&serde_json::to_string(row)?);
                }
            }
        }
        Ok(text)
    });
    let whole = stream::iter([Ok(start)]).chain(middle).chain(stream::iter([Ok(end)]));
    whole.map_ok(Bytes::from)
}

const NAMES: [&str; 21] = [
    "message_id",
    "mailbox",
    "folder",
    "source_uid",
    "state",
    "fidelity",
    "internal_date",
    "size",
    "from",
    "subject",
    "date",
    "message_id_header",
    "cause_kind",
    "cause",
    "first_seen_at",
    "waiver_id",
    "waived_by",
    "waived_at",
    "waiver_reason",
    "mailbox_id",
    "folder_id",
];

fn csv_names() -> String {
    NAMES.join(",") + "\r\n"
}

fn csv_row(row: &Residue) -> String {
    let waiver = row.waiver.as_ref();
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let fields: [String; NAMES.len()] = [
        row.message_id.to_string(),
        row.email.clone(),
        row.folder.clone(),
        row.source_uid.to_string(),
        row.state.to_string(),
        row.fidelity.map(|fidelity| fidelity.to_string()).unwrap_or_default(),
        row.internal_date.clone(),
        row.size.to_string(),
        text(&row.from),
        text(&row.subject),
        text(&row.date),
        text(&row.message_id_header),
        row.cause_kind.map(|kind| kind.to_string()).unwrap_or_default(),
        text(&row.cause),
        row.first_seen_at.clone(),
        waiver.map(|w| w.id.to_string()).unwrap_or_default(),
        waiver.map(|w| w.actor.clone()).unwrap_or_default(),
        waiver.map(|w| w.at.clone()).unwrap_or_default(),
        waiver.map(|w| w.reason.clone()).unwrap_or_default(),
        row.mailbox_id.to_string(),
        row.folder_id.to_string(),
    ];
    csv::line(&fields)
}

#[cfg(test)]
mod tests {
    use super::*;
    use gatepost_contract::{CauseKind, FolderId, MailboxId, MessageId, MessageState, Waiver, WaiverId};

    fn row(id: i64) -> Residue {
        Residue {
            message_id: MessageId(id),
            mailbox_id: MailboxId(2),
            email: "ana@cliente.example".into(),
            folder_id: FolderId(3),
            folder: "INBOX".into(),
            source_uid: 10,
            state: MessageState::Waived,
            fidelity: None,
            internal_date: "2020-02-29T23:59:58-03:00".into(),
            size: 100,
            message_id_header: Some("<a@b>".into()),
            from: Some("\"Ana\" <ana@x>, b;=1".into()),
            subject: Some("=HYPERLINK(\"http://x\")".into()),
            date: None,
            cause_kind: Some(CauseKind::TooLarge),
            cause: Some("two\nlines".into()),
            first_seen_at: "2026-11-21T04:12:00.000Z".into(),
            waiver: Some(Waiver {
                id: WaiverId(9),
                batch: None,
                actor: "lead@desk.example".into(),
                reason: "agreed, by telephone".into(),
                at: "2026-11-21T05:00:00.000Z".into(),
            }),
        }
    }

    async fn written(format: Format, portions: Vec<Result<Vec<Residue>, Error>>) -> io::Result<String> {
        let pieces: Vec<Bytes> = pieces(JobId(7), format, stream::iter(portions)).try_collect().await?;
        Ok(pieces.iter().map(|piece| String::from_utf8_lossy(piece).into_owned()).collect())
    }

    #[tokio::test]
    async fn the_csv_file_is_quoted_and_holds_no_formula() {
        let file = written(Format::Csv, vec![Ok(vec![row(1)])]).await.expect("a file");
        let (names, line) = file.split_once("\r\n").expect("two lines");
        assert_eq!(names.split(',').count(), NAMES.len());
        assert_eq!(
            line,
            "\"1\",\"ana@cliente.example\",\"INBOX\",\"10\",\"waived\",\"\",\"2020-02-29T23:59:58-03:00\",\"100\",\
             \"\"\"Ana\"\" <ana@x>, b;'=1\",\"'=HYPERLINK(\"\"http://x\"\")\",\"\",\"<a@b>\",\"too_large\",\"two\nlines\",\
             \"2026-11-21T04:12:00.000Z\",\"9\",\"lead@desk.example\",\"2026-11-21T05:00:00.000Z\",\
             \"agreed, by telephone\",\"2\",\"3\"\r\n"
        );
    }

    #[tokio::test]
    async fn the_json_file_is_one_document_however_many_portions_there_are() {
        for portions in [vec![], vec![vec![row(1)]], vec![vec![row(1), row(2)], vec![row(3)]]] {
            let rows: Vec<Residue> = portions.iter().flatten().cloned().collect();
            let file = written(Format::Json, portions.into_iter().map(Ok).collect()).await.expect("a file");
            let value: serde_json::Value = serde_json::from_str(&file).expect("one document");
            assert_eq!(value["job_id"], 7);
            let items: Vec<Residue> = serde_json::from_value(value["items"].clone()).expect("residue");
            assert_eq!(items, rows);
        }
    }

    #[tokio::test]
    async fn a_file_that_cannot_be_finished_ends_with_an_error() {
        let portions = vec![Ok(vec![row(1)]), Err(Error::NotFound("job"))];
        assert!(written(Format::Json, portions).await.is_err());
    }
}
