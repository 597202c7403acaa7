//! The browser's half of tus 1.0 (<https://tus.io/protocols/resumable-upload>): what is asked of the server, and what
//! its answers mean. Knows no page and no queue.

use super::bytes;
use gatepost_contract::{MailboxId, UploadPiece, UploadState};
use js_sys::{ArrayBuffer, Promise};
use leptos::prelude::window;
use serde::{Deserialize, de::DeserializeOwned};
use std::cell::RefCell;
use wasm_bindgen::{JsCast, closure::Closure};
use wasm_bindgen_futures::JsFuture;
use web_sys::{ProgressEvent, XmlHttpRequest};

const UPLOADS: &str = "/api/v1/uploads";

/// How long an answer may take, in milliseconds. A piece is so small that a line which is slower counts as cut.
const ANSWER_WITHIN: u32 = 90_000;

/// What is read of an [`Upload`](gatepost_contract::Upload): reading all of it would make the browser load more.
#[derive(Deserialize)]
pub struct Seen {
    /// Where it stands.
    pub state: UploadState,
    /// Bytes that it has in all.
    pub bytes: i64,
    /// Bytes that have arrived.
    pub received: i64,
    /// Why it cannot be used, or from where it must be sent again.
    pub error: Option<String>,
}

/// What is read of a [`Problem`](gatepost_contract::Problem).
#[derive(Deserialize)]
struct Refusal {
    code: String,
    detail: String,
}

/// Why something was not done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// The line was cut or the server is busy: the same can be tried again.
    Line,
    /// The server does not have the upload.
    Vanished,
    /// Nobody is logged in.
    LoggedOut,
    /// The server says no, and why.
    Refused(Option<String>),
    /// The browser cannot read the file.
    Unreadable,
    /// Somebody wished otherwise meanwhile.
    Superseded,
}

/// The request that is under way, so that it can be ended from outside.
#[derive(Default)]
pub struct Line(RefCell<Option<XmlHttpRequest>>);

impl Line {
    /// Ends what is under way.
    pub fn cut(&self) {
        if let Some(request) = self.0.take() {
            // One that is over already cannot be ended, which is as good.
            let _ = request.abort();
        }
    }

    async fn ask(
        &self,
        question: Question<'_>,
        on_progress: impl Fn(i64) + 'static,
    ) -> Result<XmlHttpRequest, Trouble> {
        let request = self.begin(&question, on_progress);
        let (request, over, watching) = request.ok_or(Trouble::Line)?;
        // It is only ever resolved, by the end of the request, whatever end it has.
        let _ = JsFuture::from(over).await;
        // Another may have begun since this one was cut.
        let is_ours = self.0.borrow().as_ref() == Some(&request);
        if is_ours {
            self.0.take();
        }
        drop(watching);
        let status = request.status().unwrap_or_default();
        match status {
            200..300 => Ok(request),
            // 0: no answer. 408, 425, 429, 502 to 504: not now. 423: another tab writes. 460: the bytes were damaged on their
            // way. 507 is not here: a full disk wants a person.
            0 | 408 | 423 | 425 | 429 | 460 | 502..=504 => Err(Trouble::Line),
            401 => Err(Trouble::LoggedOut),
            404 | 410 => Err(Trouble::Vanished),
            _ => {
                let text = request.response_text().ok().flatten().unwrap_or_default();
                let problem = serde_json::from_str::<Refusal>(&text).ok();
                let code = problem.as_ref().map(|problem| problem.code.as_str());
                // The answer to an earlier piece was lost: the offset is asked for anew.
                if matches!(code, Some("wrong_offset" | "complete")) {
                    return Err(Trouble::Line);
                }
                Err(Trouble::Refused(problem.map(|problem| problem.detail)))
            }
        }
    }

    #[allow(clippy::type_complexity, reason = "the parts of one request, taken apart at once")]
    fn begin(
        &self,
        question: &Question<'_>,
        on_progress: impl Fn(i64) + 'static,
    ) -> Option<(XmlHttpRequest, Promise, Closure<dyn FnMut(ProgressEvent)>)> {
        let request = XmlHttpRequest::new().ok()?;
        request.open(question.method, &question.address).ok()?;
        request.set_timeout(ANSWER_WITHIN);
        request.set_request_header("Tus-Resumable", "1.0.0").ok()?;
        for (name, value) in &question.headers {
            request.set_request_header(name, value).ok()?;
        }
        let watching = Closure::<dyn FnMut(ProgressEvent)>::new(move |event: ProgressEvent| {
            on_progress(event.loaded() as i64);
        });
        if question.body.is_some() {
            request.upload().ok()?.set_onprogress(Some(watching.as_ref().unchecked_ref()));
        }
        let over = Promise::new(&mut |resolve, _| request.set_onloadend(Some(&resolve)));
        match question.body {
            Some(body) => request.send_with_opt_buffer_source(Some(body)),
            None => request.send(),
        }
        .ok()?;
        self.0.replace(Some(request.clone()));
        Some((request, over, watching))
    }

    /// Makes an upload; answers its id.
    pub async fn create(&self, mailbox: MailboxId, name: &str, size: i64) -> Result<String, Trouble> {
        let mailbox = bytes::base64(mailbox.to_string().as_bytes());
        let metadata = format!("mailbox_id {mailbox},filename {}", bytes::base64(name.as_bytes()));
        let headers = vec![("Upload-Length", size.to_string()), ("Upload-Metadata", metadata)];
        let question = Question { headers, ..Question::new("POST", UPLOADS.to_owned()) };
        let answer = self.ask(question, |_| {}).await?;
        let place = answer.get_response_header("Location").ok().flatten().ok_or(Trouble::Refused(None))?;
        Ok(place.rsplit('/').next().unwrap_or_default().to_owned())
    }

    /// How many bytes the server has.
    pub async fn offset(&self, id: &str) -> Result<i64, Trouble> {
        offset_of(&self.ask(Question::new("HEAD", format!("{UPLOADS}/{id}")), |_| {}).await?)
    }

    /// Sends the bytes from an offset on; answers the next offset.
    pub async fn send(
        &self,
        id: &str,
        from: i64,
        body: &ArrayBuffer,
        on_progress: impl Fn(i64) + 'static,
    ) -> Result<i64, Trouble> {
        let digest = bytes::base64(&bytes::sha256(body).await);
        let headers = vec![
            ("Upload-Offset", from.to_string()),
            ("Content-Type", "application/offset+octet-stream".to_owned()),
            ("Upload-Checksum", format!("sha256 {digest}")),
        ];
        let question = Question { headers, body: Some(body), ..Question::new("PATCH", format!("{UPLOADS}/{id}")) };
        offset_of(&self.ask(question, on_progress).await?)
    }

    /// The pieces that the server has from an offset on, for a comparison; none where there are no more.
    pub async fn pieces(&self, id: &str, from: i64) -> Result<Vec<UploadPiece>, Trouble> {
        self.read(format!("{UPLOADS}/{id}/pieces?from={from}")).await
    }

    /// The upload as the server knows it.
    pub async fn look(&self, id: &str) -> Result<Seen, Trouble> {
        self.read(format!("{UPLOADS}/{id}")).await
    }

    async fn read<T: DeserializeOwned>(&self, address: String) -> Result<T, Trouble> {
        let answer = self.ask(Question::new("GET", address), |_| {}).await?;
        let text = answer.response_text().ok().flatten().unwrap_or_default();
        serde_json::from_str(&text).map_err(|_| Trouble::Refused(None))
    }

    /// Has the server delete what has arrived.
    pub async fn give_up(&self, id: &str) -> Result<(), Trouble> {
        self.ask(Question::new("DELETE", format!("{UPLOADS}/{id}")), |_| {}).await.map(|_| ())
    }
}

fn offset_of(answer: &XmlHttpRequest) -> Result<i64, Trouble> {
    let offset = answer.get_response_header("Upload-Offset").ok().flatten();
    offset.and_then(|text| text.parse().ok()).ok_or(Trouble::Refused(None))
}

struct Question<'a> {
    method: &'static str,
    address: String,
    headers: Vec<(&'static str, String)>,
    body: Option<&'a ArrayBuffer>,
}

impl Question<'_> {
    const fn new(method: &'static str, address: String) -> Self {
        Self { method, address, headers: Vec::new(), body: None }
    }
}

/// Waits.
pub async fn sleep(milliseconds: i32) {
    let over = Promise::new(&mut |resolve, _| {
        // Where the browser sets no timer the wait is over at once.
        if window().set_timeout_with_callback_and_timeout_and_arguments_0(&resolve, milliseconds).is_err() {
            let _ = resolve.call0(&wasm_bindgen::JsValue::UNDEFINED);
        }
    });
    let _ = JsFuture::from(over).await;
}
