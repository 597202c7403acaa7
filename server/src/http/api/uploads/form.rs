//! Forms with files: their fields in whatever order they come. The files go to the disk as they arrive.

use super::{meter::Meter, refusal};
use crate::http::error::{Answer, Refusal};
use axum::extract::{FromRequest, Multipart, Request, multipart::Field};
use futures::TryStreamExt;
use gatepost_contract::{JobId, MailboxId, Problem, Upload};
use gatepost_core::{Actor, Gatepost, ReceivedFile};
use http::header;
use std::io;

/// The longest value of a field that is no file.
const VALUE: usize = 256;
/// Files of one form, at most.
const FILES: usize = 20;
/// Other fields, at most.
const OTHERS: usize = 16;

/// A form with files, of which nothing has been read yet.
pub struct FileForm {
    form: Multipart,
    meter: Meter,
    /// How long the body says that it is.
    declared: Option<u64>,
}

impl<S: Send + Sync> FromRequest<S> for FileForm {
    type Rejection = Refusal;

    async fn from_request(request: Request, state: &S) -> Result<Self, Refusal> {
        let length = request.headers().get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok());
        let declared = length.and_then(|text| text.parse().ok());
        let meter = Meter::default();
        let request = request.map(|body| meter.measure(body));
        let form = Multipart::from_request(request, state).await.map_err(|_| {
            refusal(415, "unsupported_media_type", "Send the file as the field `file` of multipart/form-data.")
        })?;
        Ok(Self { form, meter, declared })
    }
}

/// Takes the files of a form into a mailbox: the one that is given, or that of the field `mailbox_id`.
pub async fn take_form(
    core: &Gatepost,
    actor: &Actor,
    job: JobId,
    mailbox: Option<MailboxId>,
    FileForm { mut form, meter, declared }: FileForm,
) -> Answer<Vec<Upload>> {
    core.may_bring_files(actor, job).await?;
    let broken = || if meter.has_refused() { too_much() } else { broken() };
    let mut mailbox = mailbox;
    let mut sha256 = None;
    let mut received: Vec<(String, ReceivedFile)> = Vec::new();
    let mut others = 0;
    loop {
        meter.beside_files();
        let Some(field) = form.next_field().await.map_err(|_| broken())? else { break };
        meter.beside_files();
        // A field for files that was left empty comes without a name of a file.
        let is_file = field.name() == Some("file") && field.file_name() != Some("");
        others += usize::from(!is_file);
        if others > OTHERS {
            return Err(too_much());
        }
        match field.name() {
            Some("mailbox_id") if mailbox.is_none() => {
                let text = value(field).await?;
                let id = text.trim().parse().map_err(|_| Problem::field("mailbox_id", "is no number"))?;
                mailbox = Some(MailboxId(id));
            }
            Some("sha256") => sha256 = Some(value(field).await?),
            Some("file") if is_file => {
                if received.len() == FILES {
                    return Err(Problem::field("file", format!("can be at most {FILES} files at once")).into());
                }
                let name = field.file_name().unwrap_or("file").to_owned();
                meter.in_file();
                let mut bytes = Box::pin(field.map_err(io::Error::other));
                received.push((name, core.receive_file(actor, job, declared, &mut bytes).await?));
            }
            _ => {}
        }
    }
    let Some(mailbox) = mailbox else { return Err(Problem::field("mailbox_id", "is missing").into()) };
    if received.is_empty() {
        return Err(Problem::field("file", "is missing").into());
    }
    if sha256.is_some() && received.len() > 1 {
        return Err(Problem::field("sha256", "can be told of one file only").into());
    }
    let mut kept = Vec::with_capacity(received.len());
    for (name, file) in received {
        kept.push(core.keep_file(actor, job, mailbox, &name, sha256.as_deref(), file).await?);
    }
    Ok(kept)
}

async fn value(mut field: Field<'_>) -> Answer<String> {
    let mut bytes = Vec::new();
    while let Some(some) = field.chunk().await.map_err(|_| broken())? {
        if bytes.len() + some.len() > VALUE {
            return Err(refusal(413, "too_large", "A field of the form is too long."));
        }
        bytes.extend_from_slice(&some);
    }
    String::from_utf8(bytes).map_err(|_| refusal(400, "bad_request", "A field of the form is not UTF-8."))
}

fn too_much() -> Refusal {
    refusal(413, "too_large", "The form holds too much beside its files.")
}

fn broken() -> Refusal {
    gatepost_core::Error::from(gatepost_core::UploadRefusal::FormCut).into()
}
