//! A receiver of webhooks that does what a test tells it, and a service that posts to it.
#![allow(dead_code, clippy::unwrap_used, reason = "each test file uses a part, and a test may fail")]

use async_trait::async_trait;
use gatepost_core::{Access, Actor, Config, Courier, Drivers, FileAccess, Gatepost, Outbound};
use gatepost_courier::{HttpCourier, Resolve};
use gatepost_transfer::Driver;
use std::{
    collections::{BTreeMap, VecDeque},
    io,
    net::{IpAddr, SocketAddr},
    sync::{Arc, Mutex},
    time::Duration,
};
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    sync::Notify,
};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{ServerConfig, crypto::ring, pki_types::PrivateKeyDer},
};

pub const ADMIN: &Actor = &Actor::Cli;

/// What a receiver does with a request.
#[derive(Clone, Debug)]
pub enum Act {
    /// Sends these bytes and closes.
    Say(String),
    /// Says nothing until [`Receiver::release`].
    Hang,
    /// Closes without a word.
    Close,
    /// Resets the connection.
    Reset,
    /// Sends this, then the second text again and again until the other side has had enough.
    Forever(String, &'static str),
}

/// An answer without a body.
pub fn status(code: u16) -> Act {
    Act::Say(format!("HTTP/1.1 {code} x\r\nContent-Length: 0\r\n\r\n"))
}

/// A request, read whole.
#[derive(Clone, Debug)]
pub struct Got {
    pub line: String,
    pub headers: BTreeMap<String, String>,
    pub body: String,
}

/// A server on a free loopback port. It answers 204 where it was told nothing.
pub struct Receiver {
    pub address: SocketAddr,
    inner: Arc<Inner>,
}

#[derive(Default)]
struct Inner {
    acts: Mutex<VecDeque<Act>>,
    got: Mutex<Vec<Got>>,
    arrived: Notify,
    released: Notify,
}

impl Receiver {
    pub async fn start() -> Self {
        Self::listen("127.0.0.1:0", None).await
    }

    pub async fn listen(address: &str, tls: Option<TlsAcceptor>) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        let inner = Arc::new(Inner::default());
        let serving = inner.clone();
        tokio::spawn(async move {
            while let Ok((tcp, _)) = listener.accept().await {
                let (inner, tls) = (serving.clone(), tls.clone());
                tokio::spawn(async move {
                    match tls {
                        None => inner.serve(tcp).await,
                        Some(tls) => match tls.accept(tcp).await {
                            Ok(stream) => inner.serve(stream).await,
                            Err(error) => Err(error),
                        },
                    }
                });
            }
        });
        Self { address, inner }
    }

    pub fn then(&self, act: Act) -> &Self {
        self.inner.acts.lock().unwrap().push_back(act);
        self
    }

    pub fn url(&self) -> String {
        format!("http://{}/hook?k=v", self.address)
    }

    pub fn got(&self) -> Vec<Got> {
        self.inner.got.lock().unwrap().clone()
    }

    /// Waits until so many requests have come.
    pub async fn wait_for(&self, count: usize) {
        let waiting = async {
            loop {
                let arrived = self.inner.arrived.notified();
                if self.got().len() >= count {
                    return;
                }
                arrived.await;
            }
        };
        tokio::time::timeout(Duration::from_secs(120), waiting).await.expect("the requests come");
    }

    /// Lets those that hang answer 204.
    pub fn release(&self) {
        self.inner.released.notify_waiters();
    }
}

impl Inner {
    async fn serve<S: AsyncRead + AsyncWrite + MaybeTcp + Unpin>(&self, stream: S) -> io::Result<()> {
        let mut stream = BufReader::new(stream);
        let got = read(&mut stream).await?;
        let act = self.acts.lock().unwrap().pop_front();
        let released = self.released.notified();
        self.got.lock().unwrap().push(got);
        self.arrived.notify_waiters();
        let no_content = "HTTP/1.1 204 x\r\n\r\n".to_owned();
        match act.unwrap_or(Act::Say(no_content.clone())) {
            Act::Say(text) => stream.write_all(text.as_bytes()).await?,
            Act::Hang => {
                released.await;
                stream.write_all(no_content.as_bytes()).await?;
            }
            Act::Close => {}
            Act::Reset => stream.get_ref().reset(),
            Act::Forever(head, more) => {
                stream.write_all(head.as_bytes()).await?;
                let more = more.repeat(1000);
                loop {
                    stream.write_all(more.as_bytes()).await?;
                }
            }
        }
        stream.shutdown().await
    }
}

/// What can be reset.
pub trait MaybeTcp {
    fn reset(&self) {}
}

impl MaybeTcp for TcpStream {
    fn reset(&self) {
        self.set_zero_linger().unwrap();
    }
}

impl<T> MaybeTcp for tokio_rustls::server::TlsStream<T> {}

async fn read<S: AsyncRead + Unpin>(stream: &mut BufReader<S>) -> io::Result<Got> {
    let mut line = String::new();
    stream.read_line(&mut line).await?;
    let mut headers = BTreeMap::new();
    loop {
        let mut header = String::new();
        if stream.read_line(&mut header).await? <= 2 {
            break;
        }
        let (name, value) = header.split_once(':').expect("a header");
        headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
    let length = headers.get("content-length").map_or(0, |text| text.parse().unwrap());
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await?;
    Ok(Got { line: line.trim().to_owned(), headers, body: String::from_utf8(body).unwrap() })
}

/// A DNS that answers as it is told, one answer a question, the last one for ever.
#[derive(Clone, Default)]
pub struct Names(Arc<Mutex<(VecDeque<Vec<IpAddr>>, usize)>>);

impl Names {
    pub fn answering(answers: &[&[&str]]) -> Self {
        let answers = answers.iter().map(|ips| ips.iter().map(|ip| ip.parse().unwrap()).collect()).collect();
        Self(Arc::new(Mutex::new((answers, 0))))
    }

    pub fn asked(&self) -> usize {
        self.0.lock().unwrap().1
    }
}

#[async_trait]
impl Resolve for Names {
    async fn resolve(&self, _: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        let mut state = self.0.lock().unwrap();
        state.1 += 1;
        let answer = if state.0.len() > 1 { state.0.pop_front() } else { state.0.front().cloned() };
        let answer = answer.ok_or_else(|| io::Error::other("no such name"))?;
        Ok(answer.into_iter().map(|ip| SocketAddr::new(ip, port)).collect())
    }
}

/// A certificate for a name, and its own issuer's as a PEM file below `dir`.
pub fn tls(dir: &TempDir, name: &str) -> (TlsAcceptor, std::path::PathBuf) {
    let issued = rcgen::generate_simple_self_signed([name.to_owned()]).unwrap();
    let file = dir.path().join(format!("{name}.pem"));
    std::fs::write(&file, issued.cert.pem()).unwrap();
    let key = PrivateKeyDer::try_from(issued.signing_key.serialize_der()).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![issued.cert.der().clone()], key)
        .unwrap();
    (TlsAcceptor::from(Arc::new(config)), file)
}

/// Drivers that post, each within so long, and know no mail.
pub struct PostOnly(Duration);

impl Drivers for PostOnly {
    fn imap(&self, _: Access) -> Arc<dyn Driver> {
        panic!("there is no mail in these tests");
    }

    fn files(&self, _: FileAccess) -> Arc<dyn Driver> {
        panic!("there is no mail in these tests");
    }

    fn inspect(
        &self,
        _: &FileAccess,
        _: u8,
        _: Option<&std::path::Path>,
        _: &mut dyn FnMut(u64, u64),
        _: &tokio_util::sync::CancellationToken,
    ) -> Result<gatepost_contract::Inspection, gatepost_transfer::Fault> {
        panic!("there is no mail in these tests");
    }

    fn courier(&self, outbound: Outbound) -> Arc<dyn Courier> {
        Arc::new(HttpCourier::with(outbound, Arc::new(gatepost_courier::SystemResolver), self.0))
    }

    fn web(&self, _: Outbound) -> Arc<dyn gatepost_web::Web> {
        Arc::new(Nowhere)
    }
}

struct Nowhere;

#[async_trait::async_trait]
impl gatepost_web::Web for Nowhere {
    async fn ask(&self, _: &gatepost_web::WebRequest) -> Result<gatepost_web::WebReply, gatepost_web::WebError> {
        panic!("nothing is asked in these tests");
    }
}

/// How long what goes well may take here: any machine is quicker.
pub const PATIENT: Duration = Duration::from_secs(120);
/// How long a test waits for what hangs.
pub const LIMIT: Duration = Duration::from_secs(5);

/// A service that may post to this machine.
pub async fn service(dir: &TempDir) -> Gatepost {
    service_with(dir, |_| {}).await
}

/// The same where a post is given up after a while.
pub async fn service_within(dir: &TempDir, limit: Duration) -> Gatepost {
    open(dir, limit, |_| {}).await
}

/// The same with other settings.
pub async fn service_with(dir: &TempDir, change: impl FnOnce(&mut Config)) -> Gatepost {
    open(dir, PATIENT, change).await
}

async fn open(dir: &TempDir, limit: Duration, change: impl FnOnce(&mut Config)) -> Gatepost {
    let mut config = Config::below(dir.path().to_owned());
    config.webhook_allowed_hosts = vec!["127.0.0.1".to_owned()];
    change(&mut config);
    Gatepost::open(config, Arc::new(PostOnly(limit))).await.unwrap()
}
