//! Long bodies from and to a mail server's web address: neither is ever whole in memory. What the bodies are is not known
//! here.
//!
//! Which addresses may be connected to is whoever calls' to say, because the rules for mail servers are others than those
//! for receivers of webhooks: they may well be in a private network.

use crate::{
    MAX_HEAD, MAX_HEADERS, Resolve, SystemResolver,
    dial::{self, Target},
    excerpt, sentence, tls,
};
use bytes::Bytes;
use gatepost_contract::Secret;
use gatepost_core::Undelivered;
use http::{HeaderValue, Method, Request, Response, header};
use http_body_util::{BodyExt as _, Empty};
use hyper::{
    body::{Body, Frame, Incoming},
    client::conn::http1,
};
use hyper_util::rt::TokioIo;
use std::{
    fmt,
    future::pending,
    io,
    net::IpAddr,
    path::PathBuf,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, ready},
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf},
    sync::oneshot,
    task::JoinSet,
    time::{sleep, timeout},
};

/// Judges an address of a host: `(host, address, whether TLS is spoken)`. An error is a sentence.
pub type AddressRule = Arc<dyn Fn(&str, IpAddr, bool) -> Result<(), String> + Send + Sync>;

/// How much of a body is read at once.
const PIECE: usize = 64 << 10;

/// Streams by HTTP/1.1, over TLS wherever the URL says https; a certificate is always verified.
pub struct HttpStream {
    ca_file: Option<PathBuf>,
    rule: AddressRule,
    resolver: Arc<dyn Resolve>,
    limits: Waits,
}

#[derive(Clone, Copy)]
struct Waits {
    connect: Duration,
    head: Duration,
    silence: Duration,
}

impl fmt::Debug for HttpStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpStream").field("ca_file", &self.ca_file).finish_non_exhaustive()
    }
}

/// An answer that is being read.
pub struct Download {
    /// Its status.
    pub status: u16,
    host: String,
    silence: Duration,
    body: Incoming,
    /// The connection ends with this.
    _connection: JoinSet<hyper::Result<()>>,
}

impl fmt::Debug for Download {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Download").field("host", &self.host).field("status", &self.status).finish_non_exhaustive()
    }
}

/// What a server answered to what it was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upload {
    /// The status.
    pub status: u16,
    /// The beginning of the answer, where it is no success.
    pub excerpt: String,
    /// Whether everything had been sent by then.
    pub complete: bool,
}

impl HttpStream {
    /// How long a connection may take.
    pub const CONNECT: Duration = Duration::from_secs(30);
    /// How long a server may take for the head of its answer once it has everything; it works on a large mailbox by then.
    pub const HEAD: Duration = Duration::from_secs(2 * 60 * 60);
    /// How long nothing may come in the middle of a body.
    pub const SILENCE: Duration = Duration::from_secs(30 * 60);

    /// A streamer that trusts these certificates beside the system's.
    #[must_use]
    pub fn new(ca_file: Option<PathBuf>, rule: AddressRule) -> Self {
        let limits = Waits { connect: Self::CONNECT, head: Self::HEAD, silence: Self::SILENCE };
        Self { ca_file, rule, resolver: Arc::new(SystemResolver), limits }
    }

    /// Asks for a URL; the body is read from the answer afterwards.
    ///
    /// # Errors
    /// [`Undelivered`] where no answer came.
    pub async fn get(&self, url: &str, authorization: &Secret) -> Result<Download, Undelivered> {
        let target = Target::read(url)?;
        let request = head(&target, Method::GET, authorization)?;
        let request = request.body(Empty::<Bytes>::new()).map_err(|_| unwritable(&target))?;
        let head = self.limits.head;
        let begun = timeout(head, self.begin(&target, request)).await;
        let Begun { response, connection } = begun.map_err(|_| late(&target, "did not answer", head))??;
        Ok(Download {
            status: response.status().as_u16(),
            host: target.host,
            silence: self.limits.silence,
            body: response.into_body(),
            _connection: connection,
        })
    }

    /// Sends what can be read to a URL, and waits for the answer. Where this is dropped before, the connection breaks off,
    /// so that the server does not take what it has got for everything.
    ///
    /// # Errors
    /// [`Undelivered`] where no answer came.
    pub async fn post(
        &self,
        url: &str,
        authorization: &Secret,
        body: Box<dyn AsyncRead + Send + Unpin>,
    ) -> Result<Upload, Undelivered> {
        let target = Target::read(url)?;
        let sent = Arc::new(AtomicBool::new(false));
        let (ended, everything) = oneshot::channel();
        let body = Reading { from: body, buffer: vec![0; PIECE], sent: sent.clone(), ended: Some(ended) };
        let request = head(&target, Method::POST, authorization)?.header(header::CONTENT_TYPE, "application/x-gzip");
        let request = request.body(body).map_err(|_| unwritable(&target))?;
        let overdue = async {
            // Sending takes as long as it takes; whoever hands over the body watches over that.
            match everything.await {
                Ok(()) => sleep(self.limits.head).await,
                Err(_) => pending().await,
            }
        };
        let Begun { response, connection: _held } = tokio::select! {
            begun = self.begin(&target, request) => begun?,
            () = overdue => return Err(late(&target, "did not answer to what it was sent", self.limits.head)),
        };
        let status = response.status();
        let complete = sent.load(Ordering::Acquire);
        let excerpt = if status.is_success() { String::new() } else { excerpt(response.into_body()).await };
        Ok(Upload { status: status.as_u16(), excerpt, complete })
    }

    async fn begin<B>(&self, target: &Target, request: Request<B>) -> Result<Begun, Undelivered>
    where
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let host = &target.host;
        let judge = |ip: IpAddr| (self.rule)(host, ip, target.tls).map_err(Undelivered);
        let connect = async {
            let tcp = dial::connect_where(target, &*self.resolver, &judge).await?;
            Ok::<Box<dyn Connection>, Undelivered>(if target.tls {
                Box::new(tls::handshake(target, self.ca_file.as_deref(), tcp).await?)
            } else {
                Box::new(tcp)
            })
        };
        let limit = self.limits.connect;
        let stream = timeout(limit, connect).await.map_err(|_| late(target, "was not reached", limit))??;
        let (mut sender, driven) = http1::Builder::new()
            .max_buf_size(MAX_HEAD.max(2 * PIECE))
            .max_headers(MAX_HEADERS)
            .handshake::<_, B>(TokioIo::new(stream))
            .await
            .map_err(|error| sentence(target, &error))?;
        let mut connection = JoinSet::new();
        connection.spawn(driven);
        let response = sender.send_request(request).await.map_err(|error| sentence(target, &error))?;
        Ok(Begun { response, connection })
    }
}

/// Something that bytes go to and come from.
trait Connection: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Connection for T {}

struct Begun {
    response: Response<Incoming>,
    connection: JoinSet<hyper::Result<()>>,
}

fn head(target: &Target, method: Method, authorization: &Secret) -> Result<http::request::Builder, Undelivered> {
    let mut secret = HeaderValue::from_str(&authorization.0).map_err(|_| unwritable(target))?;
    secret.set_sensitive(true);
    Ok(Request::builder()
        .method(method)
        .uri(target.path.as_str())
        .header(header::HOST, target.authority.as_str())
        .header(header::USER_AGENT, concat!("Gatepost/", env!("CARGO_PKG_VERSION")))
        .header(header::CONNECTION, "close")
        .header(header::AUTHORIZATION, secret))
}

fn late(target: &Target, what: &str, limit: Duration) -> Undelivered {
    Undelivered(format!("{} {what} within {} seconds.", target.host, limit.as_secs()))
}

fn unwritable(target: &Target) -> Undelivered {
    Undelivered(format!("The address at {} cannot be written as an HTTP request.", target.host))
}

impl Download {
    /// The beginning of the body as text, for a sentence about an answer that is no success.
    pub async fn excerpt(self) -> String {
        excerpt(self.body).await
    }

    /// Writes the body somewhere, at the speed at which it is taken there, and closes that. Returns how many bytes it had.
    /// An end that comes too early is an error (RFC 9112 section 8).
    ///
    /// # Errors
    /// [`Undelivered`] where it broke off, or where it is not taken any more.
    pub async fn copy_to(mut self, sink: &mut (dyn AsyncWrite + Send + Unpin)) -> Result<u64, Undelivered> {
        let host = &self.host;
        let mut bytes = 0;
        while let Some(frame) = timeout(self.silence, self.body.frame()).await.map_err(|_| {
            Undelivered(format!("{host} sent nothing more for {} minutes.", self.silence.as_secs_f64() / 60.0))
        })? {
            let frame = frame.map_err(|error| {
                tracing::debug!(%host, %error, "a download broke off");
                Undelivered(format!("{host} broke off in the middle of what it sent, after {bytes} bytes."))
            })?;
            if let Some(data) = frame.data_ref() {
                sink.write_all(data).await.map_err(|_| not_taken())?;
                bytes += data.len() as u64;
            }
        }
        sink.shutdown().await.map_err(|_| not_taken())?;
        Ok(bytes)
    }

    /// Reads until so many bytes have come, or all, and lets go of the rest.
    ///
    /// # Errors
    /// [`Undelivered`] where it broke off before.
    pub async fn beginning(mut self, most: usize) -> Result<Vec<u8>, Undelivered> {
        let mut bytes = Vec::new();
        while bytes.len() < most
            && let Some(frame) = timeout(self.silence, self.body.frame()).await.unwrap_or(None)
        {
            let host = &self.host;
            let frame = frame.map_err(|_| Undelivered(format!("{host} broke off at the beginning of its answer.")))?;
            if let Some(data) = frame.data_ref() {
                bytes.extend_from_slice(&data[..data.len().min(most - bytes.len())]);
            }
        }
        Ok(bytes)
    }
}

fn not_taken() -> Undelivered {
    Undelivered("What was sent is not taken any more.".to_owned())
}

/// A body that is read from somewhere while it is sent.
struct Reading {
    from: Box<dyn AsyncRead + Send + Unpin>,
    buffer: Vec<u8>,
    sent: Arc<AtomicBool>,
    ended: Option<oneshot::Sender<()>>,
}

impl Body for Reading {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let this = self.get_mut();
        let mut buffer = ReadBuf::new(&mut this.buffer);
        ready!(Pin::new(&mut this.from).poll_read(context, &mut buffer))?;
        let read = buffer.filled();
        if read.is_empty() {
            this.sent.store(true, Ordering::Release);
            if let Some(ended) = this.ended.take() {
                let _ = ended.send(());
            }
            return Poll::Ready(None);
        }
        Poll::Ready(Some(Ok(Frame::data(Bytes::copy_from_slice(read)))))
    }
}
