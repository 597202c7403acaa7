//! Posts signed messages to addresses outside, and asks web servers ([`HttpWeb`]): one connection and one request for
//! each. Knows nothing of events, secrets or retries: those are core's, which hands letters to this crate as its
//! [`Courier`].
//!
//! A host is resolved once for each request, every address that it resolved to is judged, and the connection goes to the
//! address that was judged: a name that changes in between leads nowhere else. Redirects are not followed, no more of
//! an answer is read than is of use, and each request as a whole has a time limit.

mod dial;
mod stream;
mod tls;
mod web;

pub use dial::{Resolve, SystemResolver};
pub use stream::{AddressRule, Download, HttpStream, Upload};
pub use web::HttpWeb;

use async_trait::async_trait;
use bytes::Bytes;
use dial::{Rules, Target};
use gatepost_core::{Courier, Letter, Outbound, Reply, Undelivered};
use http::{Request, Response, header};
use http_body_util::{BodyExt as _, Full};
use hyper::{body::Incoming, client::conn::http1};
use hyper_util::rt::TokioIo;
use std::{fmt, sync::Arc, time::Duration};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    task::JoinSet,
    time::timeout,
};

/// How much of an answer that is no success is read, in bytes.
const EXCERPT: usize = 2048;
/// How long that may take. The status is known by then.
const EXCERPT_WAIT: Duration = Duration::from_secs(2);
/// The largest head of an answer, in bytes, and its most lines.
const MAX_HEAD: usize = 32 << 10;
const MAX_HEADERS: usize = 100;

/// Posts by HTTP/1.1, over TLS wherever the settings do not name the host.
pub struct HttpCourier {
    outbound: Outbound,
    resolver: Arc<dyn Resolve>,
    limit: Duration,
}

impl fmt::Debug for HttpCourier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpCourier").field("outbound", &self.outbound).finish_non_exhaustive()
    }
}

impl HttpCourier {
    /// How long a post may take from its first look into the DNS to the head of the answer.
    pub const LIMIT: Duration = Duration::from_secs(15);

    /// A courier that asks the system's resolver.
    #[must_use]
    pub fn new(outbound: Outbound) -> Self {
        Self::with(outbound, Arc::new(SystemResolver), Self::LIMIT)
    }

    /// A courier with a resolver and a time limit of its own.
    #[must_use]
    pub fn with(outbound: Outbound, resolver: Arc<dyn Resolve>, limit: Duration) -> Self {
        Self { outbound, resolver, limit }
    }

    fn rules(&self) -> Rules<'_> {
        Rules { allowed: &self.outbound.allowed_hosts, setting: "GATEPOST_WEBHOOK_ALLOWED_HOSTS" }
    }

    async fn send(&self, letter: &Letter) -> Result<Answered, Undelivered> {
        let target = Target::of(&letter.url, &self.rules())?;
        let request = request(&target, letter)?;
        let tcp = dial::connect(&target, &*self.resolver, &self.rules()).await?;
        if target.tls {
            let stream = tls::handshake(&target, self.outbound.ca_file.as_deref(), tcp).await?;
            exchange(&target, stream, request).await
        } else {
            exchange(&target, tcp, request).await
        }
    }
}

#[async_trait]
impl Courier for HttpCourier {
    async fn post(&self, letter: &Letter) -> Result<Reply, Undelivered> {
        let response = timeout(self.limit, self.send(letter)).await.map_err(|_| {
            let host = Target::of(&letter.url, &self.rules()).map_or_else(|e| e.0, |t| t.host);
            Undelivered(format!("{host} did not answer within {} seconds.", self.limit.as_secs_f64()))
        })??;
        let Answered { response, connection: _held } = response;
        let status = response.status();
        let retry_after = response.headers().get(header::RETRY_AFTER).and_then(|value| value.to_str().ok());
        let retry_after = retry_after.map(|text| text.chars().take(100).collect());
        let excerpt = if status.is_success() { String::new() } else { excerpt(response.into_body()).await };
        Ok(Reply { status: status.as_u16(), retry_after, excerpt })
    }
}

/// The head of an answer. Its connection ends with it, so that nothing outlives the time limit.
struct Answered {
    response: Response<Incoming>,
    connection: JoinSet<hyper::Result<()>>,
}

fn request(target: &Target, letter: &Letter) -> Result<Request<Full<Bytes>>, Undelivered> {
    Request::post(target.path.as_str())
        .header(header::HOST, target.authority.as_str())
        .header(header::USER_AGENT, concat!("Gatepost/", env!("CARGO_PKG_VERSION")))
        .header(header::CONTENT_TYPE, "application/json")
        .header(header::CONNECTION, "close")
        .header("webhook-id", letter.message_id.as_str())
        .header("webhook-timestamp", letter.timestamp)
        .header("webhook-signature", letter.signature.as_str())
        .body(Full::new(Bytes::from(letter.body.clone())))
        .map_err(|_| Undelivered(format!("The address at {} cannot be written as an HTTP request.", target.host)))
}

/// Sends a request over a connection of its own, and reads the head of the answer.
async fn exchange<S>(target: &Target, stream: S, request: Request<Full<Bytes>>) -> Result<Answered, Undelivered>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let (mut sender, connection) = http1::Builder::new()
        .max_buf_size(MAX_HEAD)
        .max_headers(MAX_HEADERS)
        .handshake::<_, Full<Bytes>>(TokioIo::new(stream))
        .await
        .map_err(|error| sentence(target, &error))?;
    let driven = connection;
    let mut connection = JoinSet::new();
    connection.spawn(driven);
    let response = sender.send_request(request).await.map_err(|error| sentence(target, &error))?;
    Ok(Answered { response, connection })
}

fn sentence(target: &Target, error: &hyper::Error) -> Undelivered {
    let host = &target.host;
    let said = if error.is_parse() {
        format!("{host} does not answer in HTTP as it should ({error}). Check the port of the address.")
    } else {
        format!("{host} closed the connection before it had answered.")
    };
    tracing::debug!(%host, %error, "a post failed");
    Undelivered(said)
}

/// The beginning of a body as text; what cannot be had of it is left out.
async fn excerpt(mut body: Incoming) -> String {
    let mut bytes = Vec::new();
    let read = async {
        while bytes.len() < EXCERPT
            && let Some(Ok(frame)) = body.frame().await
        {
            if let Some(data) = frame.data_ref() {
                bytes.extend_from_slice(&data[..data.len().min(EXCERPT - bytes.len())]);
            }
        }
    };
    let _ = timeout(EXCERPT_WAIT, read).await;
    String::from_utf8_lossy(&bytes).into_owned()
}
