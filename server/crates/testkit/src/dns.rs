//! A DNS server on loopback with records, TTLs and mischief. It answers from what it was told and never asks another.
//!
//! ```
//! use gatepost_testkit::{DnsServer, Mischief};
//! let server = DnsServer::start()?;
//! server.zone("moved.example 86400 MX 10 mx.old.example.\n_dmarc.moved.example 3600 TXT \"v=DMARC1; p=none\"");
//! server.mischief_at("mx.old.example", Mischief::ServFail);
//! assert!(server.address().ip().is_loopback());
//! # Ok::<(), gatepost_testkit::Error>(())
//! ```

use crate::error::{Error, Result, Tried as _};
use async_trait::async_trait;
use hickory_proto::{
    op::{Header, HeaderCounts, Metadata, ResponseCode},
    rr::{Name, RData, Record, RecordType, rdata::MX},
};
use hickory_server::{
    Server,
    net::{runtime::Time, xfer::Protocol},
    server::{Request, RequestHandler, ResponseHandler, ResponseInfo},
    zone_handler::MessageResponseBuilder,
};
use std::{
    collections::BTreeMap,
    net::{Ipv4Addr, SocketAddr},
    str::FromStr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread::JoinHandle,
    time::Duration,
};
use tokio::{
    net::{TcpListener, UdpSocket},
    sync::oneshot,
};

/// How many ports are tried for one that is free for UDP and TCP alike.
const TRIES: usize = 20;

/// What a server does instead of answering.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mischief {
    /// Says that it could not find out.
    ServFail,
    /// Does not talk to strangers.
    Refused,
    /// Says nothing at all.
    Silent,
    /// Cuts every answer over UDP short; over TCP it is whole.
    Truncated,
    /// Cuts every answer short, over TCP too.
    AlwaysTruncated,
    /// Gives so many more records of the type that was asked for.
    Huge(usize),
    /// Answers with records of a name that nobody asked for.
    Unasked,
}

/// A running server. It ends when it is dropped.
pub struct DnsServer {
    address: SocketAddr,
    shared: Arc<Shared>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// By name (lower case, with the last dot) and type.
    records: BTreeMap<(String, String), Vec<Record>>,
    everywhere: Option<Mischief>,
    at: BTreeMap<String, Mischief>,
    asked: Vec<(String, String)>,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl DnsServer {
    /// Starts a server without records.
    ///
    /// # Errors
    /// Where no port is free for both UDP and TCP.
    pub fn start() -> Result<Self> {
        let (tcp, udp, address) = sockets()?;
        let shared = Arc::new(Shared::default());
        let (stop, stopped) = oneshot::channel();
        let handler = Handler(Arc::clone(&shared));
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .tried(|| "a runtime for the DNS server".to_owned())?;
        let thread = std::thread::spawn(move || runtime.block_on(serve(handler, tcp, udp, stopped)));
        Ok(Self { address, shared, stop: Some(stop), thread: Some(thread) })
    }

    /// Where it listens, with UDP and TCP.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Adds records, one a line: name, TTL, type, data as in a zone file. Empty lines and those with `;` first are
    /// skipped.
    ///
    /// # Panics
    /// On a line that makes no sense: a mistake in the test.
    #[track_caller]
    pub fn zone(&self, lines: &str) {
        for line in lines.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with(';')) {
            let record = record(line);
            let key = (record.name.to_ascii().to_lowercase(), record.record_type().to_string());
            self.shared.state().records.entry(key).or_default().push(record);
        }
    }

    /// Replaces all records of a name and type by these lines' data, all with one TTL; none: takes them out.
    #[track_caller]
    pub fn set(&self, name: &str, record_type: &str, ttl: u32, data: &[&str]) {
        self.shared.state().records.remove(&(absolute(name), record_type.to_owned()));
        for data in data {
            self.zone(&format!("{name} {ttl} {record_type} {data}"));
        }
    }

    /// Adds an MX whose host has one label of these bytes, which need be no host name.
    ///
    /// # Panics
    /// On more than 63 bytes.
    #[track_caller]
    pub fn strange_mx(&self, name: &str, label: &[u8]) {
        let host = Name::from_labels([label]).unwrap_or_else(|error| panic!("{label:?}: {error}"));
        let owner = Name::from_ascii(absolute(name)).unwrap_or_else(|error| panic!("{name:?}: {error}"));
        let record = Record::from_rdata(owner, 60, RData::MX(MX::new(10, host)));
        self.shared.state().records.entry((absolute(name), "MX".to_owned())).or_default().push(record);
    }

    /// Forgets all records and takes these instead, as [`Self::zone`] does.
    #[track_caller]
    pub fn replace(&self, lines: &str) {
        self.shared.state().records.clear();
        self.zone(lines);
    }

    /// Does mischief with every question, or stops it.
    pub fn mischief(&self, mischief: Option<Mischief>) {
        self.shared.state().everywhere = mischief;
    }

    /// Does mischief with questions for one name.
    pub fn mischief_at(&self, name: &str, mischief: Mischief) {
        self.shared.state().at.insert(absolute(name), mischief);
    }

    /// Every question so far: name with its last dot, and type.
    #[must_use]
    pub fn asked(&self) -> Vec<(String, String)> {
        self.shared.state().asked.clone()
    }
}

impl Drop for DnsServer {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            // The thread may have ended already.
            let _ = stop.send(());
        }
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn sockets() -> Result<(std::net::TcpListener, std::net::UdpSocket, SocketAddr)> {
    let mut last = None;
    for _ in 0..TRIES {
        let tcp = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).tried(|| "a TCP port for DNS".to_owned())?;
        let address = tcp.local_addr().tried(|| "a TCP port for DNS".to_owned())?;
        match std::net::UdpSocket::bind(address) {
            Ok(udp) => {
                tcp.set_nonblocking(true).tried(|| "a TCP socket for DNS".to_owned())?;
                udp.set_nonblocking(true).tried(|| "a UDP socket for DNS".to_owned())?;
                return Ok((tcp, udp, address));
            }
            Err(error) => last = Some(error),
        }
    }
    let source = last.unwrap_or_else(|| std::io::Error::other("no port was tried"));
    Err(Error::Io { what: "a UDP port for DNS".to_owned(), source })
}

async fn serve(handler: Handler, tcp: std::net::TcpListener, udp: std::net::UdpSocket, stopped: oneshot::Receiver<()>) {
    let mut server = Server::new(handler);
    if let (Ok(tcp), Ok(udp)) = (TcpListener::from_std(tcp), UdpSocket::from_std(udp)) {
        server.register_socket(udp);
        server.register_listener(tcp, Duration::from_secs(10), 64 * 1024);
    }
    // Dropped without a word: the test is over.
    let _ = stopped.await;
}

fn absolute(name: &str) -> String {
    let name = name.to_lowercase();
    if name.ends_with('.') { name } else { format!("{name}.") }
}

#[track_caller]
fn record(line: &str) -> Record {
    let mut words = line.splitn(4, char::is_whitespace);
    let (Some(name), Some(ttl), Some(kind), Some(data)) = (words.next(), words.next(), words.next(), words.next())
    else {
        panic!("{line:?} is no record; write: name TTL TYPE data");
    };
    let name = Name::from_ascii(absolute(name)).unwrap_or_else(|error| panic!("{line:?}: {error}"));
    let ttl = ttl.parse().unwrap_or_else(|error| panic!("{line:?}: {error}"));
    let kind = RecordType::from_str(kind).unwrap_or_else(|error| panic!("{line:?}: {error}"));
    let data = RData::try_from_str(kind, data.trim()).unwrap_or_else(|error| panic!("{line:?}: {error}"));
    Record::from_rdata(name, ttl, data)
}

struct Handler(Arc<Shared>);

/// What is sent back.
enum Reply {
    Nothing,
    Code(ResponseCode),
    Records { records: Vec<Record>, code: ResponseCode, cut: bool, authority: Vec<Record> },
}

impl Handler {
    fn reply(&self, name: &str, kind: RecordType, tcp: bool) -> Reply {
        let mut state = self.0.state();
        state.asked.push((name.to_owned(), kind.to_string()));
        let mischief = state.at.get(name).or(state.everywhere.as_ref()).cloned();
        let (mut records, code) = state.find(name, kind);
        let authority = if records.is_empty() { state.soa_above(name) } else { Vec::new() };
        let mut cut = false;
        match mischief {
            Some(Mischief::Silent) => return Reply::Nothing,
            Some(Mischief::ServFail) => return Reply::Code(ResponseCode::ServFail),
            Some(Mischief::Refused) => return Reply::Code(ResponseCode::Refused),
            Some(Mischief::Truncated) => cut = !tcp,
            Some(Mischief::AlwaysTruncated) => cut = true,
            Some(Mischief::Huge(count)) => {
                let more = (0..count).filter_map(|n| {
                    let data = match kind {
                        RecordType::MX => format!("{} mx{n}.huge.example.", n % 65_536),
                        RecordType::TXT => format!("\"{n} {}\"", "x".repeat(200)),
                        RecordType::A => format!("192.0.{}.{}", n / 256 % 256, n % 256),
                        _ => return None,
                    };
                    let name = Name::from_ascii(name).ok()?;
                    Some(Record::from_rdata(name, 60, RData::try_from_str(kind, &data).ok()?))
                });
                records.extend(more);
            }
            Some(Mischief::Unasked) => {
                let other = Name::from_ascii("unasked.example.").unwrap_or_default();
                for record in &mut records {
                    record.name = other.clone();
                }
            }
            None => {}
        }
        if cut {
            records.clear();
        }
        Reply::Records { records, code, cut, authority }
    }
}

impl State {
    /// The records of a name, aliases followed; how the answer is coded.
    fn find(&self, name: &str, kind: RecordType) -> (Vec<Record>, ResponseCode) {
        let mut found = Vec::new();
        let mut name = name.to_owned();
        for _ in 0..8 {
            if let Some(records) = self.records.get(&(name.clone(), kind.to_string())) {
                found.extend(records.iter().cloned());
                return (found, ResponseCode::NoError);
            }
            let alias = self.records.get(&(name.clone(), "CNAME".to_owned())).and_then(|records| records.first());
            let Some(alias) = alias else { break };
            found.push(alias.clone());
            let RData::CNAME(target) = &alias.data else { break };
            name = target.0.to_ascii().to_lowercase();
        }
        let below = format!(".{name}");
        let exists = self.records.keys().any(|(known, _)| *known == name || known.ends_with(&below));
        let code = if exists || !found.is_empty() { ResponseCode::NoError } else { ResponseCode::NXDomain };
        (found, code)
    }

    /// The SOA of the zone that a name lies in.
    fn soa_above(&self, name: &str) -> Vec<Record> {
        let mut rest = name;
        loop {
            if let Some(found) = self.records.get(&(rest.to_owned(), "SOA".to_owned())) {
                return found.clone();
            }
            match rest.split_once('.') {
                Some((_, above)) if !above.is_empty() => rest = above,
                _ => return Vec::new(),
            }
        }
    }
}

#[async_trait]
impl RequestHandler for Handler {
    async fn handle_request<R: ResponseHandler, T: Time>(&self, request: &Request, mut answer: R) -> ResponseInfo {
        let mut metadata = Metadata::response_from_request(&request.metadata);
        let nothing = ResponseInfo::from(Header { metadata, counts: HeaderCounts::default() });
        let Ok(asked) = request.request_info() else { return nothing };
        let name = asked.query.name().to_string().to_lowercase();
        let tcp = asked.protocol == Protocol::Tcp;
        let reply = self.reply(&name, asked.query.query_type(), tcp);
        let builder = MessageResponseBuilder::from_message_request(request);
        let sent = match reply {
            Reply::Nothing => return nothing,
            Reply::Code(code) => answer.send_response(builder.error_msg(&request.metadata, code)).await,
            Reply::Records { records, code, cut, authority } => {
                metadata.response_code = code;
                metadata.authoritative = true;
                metadata.truncation = cut;
                let none: [&Record; 0] = [];
                answer.send_response(builder.build(metadata, &records, none, &authority, none)).await
            }
        };
        sent.unwrap_or(nothing)
    }
}
