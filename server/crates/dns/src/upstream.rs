//! One server that answers questions: one question at a time, over UDP and, where the answer is cut short, over TCP.
//! Nothing is cached: what counts is what the server says now.

use crate::text;
use futures::StreamExt;
use gatepost_contract::{DnsAnswer, LookupStatus, RecordType};
use hickory_resolver::{
    NameServerPool, PoolContext, TlsConfig,
    config::{ConnectionConfig, NameServerConfig, ResolverOpts},
    net::{DnsError, DnsHandle, NetError, runtime::TokioRuntimeProvider},
    proto::{
        op::{DnsRequestOptions, Message, Query, ResponseCode},
        rr::Name,
    },
};
use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

/// The most records of one answer that are kept.
const MOST_RECORDS: usize = 100;
/// After so many questions without any answer in a row, a server is not asked any more.
const PATIENCE: u32 = 3;

/// A server that answers questions.
pub struct Upstream {
    name: String,
    authoritative: bool,
    pool: NameServerPool<TokioRuntimeProvider>,
    timeout: Duration,
    unanswered: AtomicU32,
}

impl Upstream {
    /// A server at an address. One that is authoritative is not asked to ask others.
    pub fn new(name: String, address: SocketAddr, authoritative: bool, timeout: Duration) -> Option<Self> {
        let mut options = ResolverOpts::default();
        options.timeout = timeout;
        options.cache_size = 0;
        options.recursion_desired = !authoritative;
        // Many questions are on their way at once, to each server.
        options.max_active_requests = 256;
        let connections = [ConnectionConfig::udp(), ConnectionConfig::tcp()].map(|mut connection| {
            connection.port = address.port();
            connection
        });
        let server = NameServerConfig::new(address.ip(), true, connections.into());
        let context = Arc::new(PoolContext::new(options, TlsConfig::new().ok()?));
        let pool = NameServerPool::from_config([server], context, TokioRuntimeProvider::default());
        Some(Self { name, authoritative, pool, timeout, unanswered: AtomicU32::new(0) })
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    pub const fn authoritative(&self) -> bool {
        self.authoritative
    }

    /// One question. Whatever happens is an answer.
    pub async fn ask(&self, name: &str, record_type: RecordType) -> DnsAnswer {
        let mut answer = DnsAnswer {
            name: name.to_owned(),
            record_type,
            resolver: self.name.clone(),
            status: LookupStatus::Timeout,
            records: Vec::new(),
            note: None,
        };
        if self.unanswered.load(Ordering::Relaxed) >= PATIENCE {
            answer.note = Some("not asked, because it had left other questions unanswered".to_owned());
            return answer;
        }
        // RFC 1035 section 2.3.4: at most 255 octets, and 63 a label.
        let Ok(mut query_name) = Name::from_ascii(name) else {
            answer.status = LookupStatus::Failed;
            answer.note = Some("this is no name that can be asked for".to_owned());
            return answer;
        };
        query_name.set_fqdn(true);
        let mut options = DnsRequestOptions::default();
        options.recursion_desired = !self.authoritative;
        let query = Query::query(query_name.clone(), text::kind(record_type));
        let mut sent = self.pool.lookup(query, options);
        let reply = tokio::time::timeout(self.timeout, sent.next()).await;
        let outcome = match reply {
            Ok(Some(Ok(message))) => Ok(message),
            Ok(Some(Err(error))) => Err(error),
            Ok(None) => Err(NetError::NoConnections),
            Err(_) => Err(NetError::Timeout),
        };
        match outcome {
            Ok(message) => self.answered(&mut answer, &query_name, &message),
            Err(error) => self.refused(&mut answer, error),
        }
        if answer.status == LookupStatus::Timeout {
            self.unanswered.fetch_add(1, Ordering::Relaxed);
        } else {
            self.unanswered.store(0, Ordering::Relaxed);
        }
        answer
    }

    fn answered(&self, answer: &mut DnsAnswer, asked: &Name, message: &Message) {
        let wanted = text::kind(answer.record_type);
        // Only the name itself and the names that its aliases lead to: nothing that somebody slipped in.
        let mut names = vec![asked.to_lowercase()];
        for record in message.answers.iter().take(MOST_RECORDS) {
            if let hickory_resolver::proto::rr::RData::CNAME(target) = &record.data
                && names.contains(&record.name.to_lowercase())
            {
                names.push(target.0.to_lowercase());
            }
        }
        let fitting = message.answers.iter().filter(|record| {
            let kind = record.record_type();
            (kind == wanted || kind == hickory_resolver::proto::rr::RecordType::CNAME)
                && names.contains(&record.name.to_lowercase())
        });
        let (too_long, mut records): (Vec<_>, Vec<_>) = fitting.filter_map(text::record).partition(text::is_too_long);
        let count = records.len();
        let mut notes = Vec::new();
        if !too_long.is_empty() {
            notes.push(format!(
                "{} of the records not shown, being longer than {} bytes",
                too_long.len(),
                text::LONGEST
            ));
        }
        records.sort_by(|a, b| {
            // Aliases first, then as mail servers and people order them.
            let rank = |r: &gatepost_contract::DnsRecord| (r.record_type != RecordType::Cname, text::preference(r));
            rank(a).cmp(&rank(b)).then_with(|| a.data.cmp(&b.data)).then_with(|| a.name.cmp(&b.name))
        });
        records.dedup();
        if count > MOST_RECORDS {
            records.truncate(MOST_RECORDS);
            notes.push(format!("{count} records came; {MOST_RECORDS} of them are shown"));
        }
        let said = records.iter().chain(&too_long).any(|r| r.record_type == answer.record_type);
        answer.status = match (message.response_code, said) {
            (_, true) => LookupStatus::Answered,
            (ResponseCode::NXDomain, false) => LookupStatus::Nxdomain,
            _ => LookupStatus::Empty,
        };
        if self.authoritative && !message.authoritative && answer.status == LookupStatus::Answered {
            notes.push("it answered without being responsible for the name".to_owned());
        }
        answer.note = Some(notes.join("; ")).filter(|note| !note.is_empty());
        answer.records = records;
    }

    fn refused(&self, answer: &mut DnsAnswer, error: NetError) {
        let (status, note) = match error {
            NetError::Dns(DnsError::NoRecordsFound(none)) => match none.response_code {
                ResponseCode::NXDomain => (LookupStatus::Nxdomain, None),
                ResponseCode::NoError => (LookupStatus::Empty, None),
                code => by_code(code),
            },
            NetError::Dns(DnsError::ResponseCode(code)) => by_code(code),
            NetError::Timeout => {
                (LookupStatus::Timeout, Some(format!("no answer within {} s", self.timeout.as_secs())))
            }
            NetError::Truncated => (LookupStatus::Failed, Some("the answer was cut short over TCP too".to_owned())),
            NetError::Io(error) => (LookupStatus::Timeout, Some(format!("it could not be reached: {error}"))),
            NetError::NoConnections => (LookupStatus::Timeout, Some("it could not be reached".to_owned())),
            other => {
                tracing::debug!(error = %other, "a DNS answer was not understood");
                (LookupStatus::Failed, Some("its answer was not understood".to_owned()))
            }
        };
        answer.status = status;
        answer.note = note;
    }
}

fn by_code(code: ResponseCode) -> (LookupStatus, Option<String>) {
    match code {
        ResponseCode::ServFail => (
            LookupStatus::Servfail,
            Some("it could not find out (SERVFAIL): the zone or its DNSSEC may be broken".into()),
        ),
        ResponseCode::Refused => (LookupStatus::Refused, Some("it does not answer us (REFUSED)".into())),
        code => (LookupStatus::Failed, Some(format!("it answered with an error: {code}"))),
    }
}
