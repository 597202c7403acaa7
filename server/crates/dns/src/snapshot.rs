//! Taking a snapshot: who is asked what, how much at once, for how long.

use crate::{
    address,
    questions::{self, Question},
    read::{View, mx_hosts},
    spf,
    text::target,
    upstream::Upstream,
};
use futures::{
    FutureExt, StreamExt,
    future::{BoxFuture, join_all},
};
use gatepost_contract::{
    DnsAnswer, DnsMoment, DnsResolver, DnsSnapshot, LookupStatus,
    RecordType::{A, Aaaa, Ns, Txt},
};
use std::{
    net::{IpAddr, SocketAddr},
    time::Duration,
};

/// The most of a zone's own servers that are asked.
const MOST_SERVERS: usize = 4;
/// The most MX hosts whose addresses are looked up.
const MOST_MX: usize = 10;

/// How questions are asked.
#[derive(Clone, Debug)]
pub struct Options {
    /// How long one question may take.
    pub timeout: Duration,
    /// How many are on their way at once.
    pub at_once: usize,
    /// Where a zone's own servers listen.
    pub authoritative_port: u16,
    /// Whether a zone's own servers are asked although they have loopback or private addresses.
    pub private_servers: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { timeout: Duration::from_secs(5), at_once: 32, authoritative_port: 53, private_servers: false }
    }
}

/// What is asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Asked {
    /// The domain, A-labels in lower case.
    pub domain: String,
    /// The old mail servers.
    pub old_hosts: Vec<String>,
    /// The new ones.
    pub new_hosts: Vec<String>,
    /// DKIM selectors, beside the usual ones.
    pub selectors: Vec<String>,
}

/// Asks resolvers about domains.
#[derive(Clone, Debug)]
pub struct Dns {
    resolvers: Vec<SocketAddr>,
    options: Options,
}

impl Dns {
    /// Asks these resolvers.
    #[must_use]
    pub fn new(resolvers: Vec<SocketAddr>, options: Options) -> Self {
        Self { resolvers, options }
    }

    /// The resolvers, ready to be asked.
    pub(crate) fn upstreams(&self) -> Vec<Upstream> {
        let new = |address: &SocketAddr| Upstream::new(shown(*address), *address, false, self.options.timeout);
        self.resolvers.iter().filter_map(new).collect()
    }

    /// How many questions are on their way at once.
    pub(crate) fn at_once(&self) -> usize {
        self.options.at_once.max(1)
    }

    /// Reads a domain's DNS. Ends after at most half a minute, whoever does not answer.
    pub async fn snapshot(&self, asked: &Asked, moment: DnsMoment, taken_by: &str, taken_at: &str) -> DnsSnapshot {
        let mut upstreams = self.upstreams();
        let mut resolvers: Vec<DnsResolver> = upstreams.iter().map(described).collect();
        for (resolver, upstream) in self.zone_servers(&upstreams, &asked.domain).await {
            resolvers.push(resolver);
            upstreams.extend(upstream);
        }
        let mut answers = self.ask(&upstreams, &asked.domain, &questions::everywhere(asked)).await;
        let guesser = upstreams.iter().find(|u| u.authoritative()).or_else(|| answering(&upstreams, &answers));
        if let Some(one) = guesser {
            answers.extend(self.ask(std::slice::from_ref(one), &asked.domain, &questions::guesses(asked)).await);
        }
        let mut snapshot = DnsSnapshot {
            id: None,
            domain: asked.domain.clone(),
            taken_at: taken_at.to_owned(),
            moment,
            taken_by: taken_by.to_owned(),
            resolvers,
            answers,
        };
        let known = |q: &Question| snapshot.answers.iter().any(|a| a.name == q.0 && a.record_type == q.1);
        let more = mx_hosts(&snapshot).into_iter().take(MOST_MX).flat_map(|host| questions::addresses(&host));
        let more: Vec<Question> = questions::unique(more.collect()).into_iter().filter(|q| !known(q)).collect();
        let more = self.ask(&upstreams, &asked.domain, &more).await;
        snapshot.answers.extend(more);
        if let Some(one) = answering(&upstreams, &snapshot.answers) {
            follow_spf(one, &mut snapshot).await;
        }
        snapshot
    }

    /// All questions to all of them, in an order that does not depend on who was quicker.
    async fn ask(&self, upstreams: &[Upstream], domain: &str, questions: &[Question]) -> Vec<DnsAnswer> {
        let mut asked: Vec<BoxFuture<'_, DnsAnswer>> = Vec::with_capacity(questions.len() * upstreams.len());
        for (name, kind) in questions {
            // A zone's own servers know nothing beyond it.
            let fitting = upstreams.iter().filter(|u| !u.authoritative() || questions::within(name, domain));
            asked.extend(fitting.map(|upstream| upstream.ask(name, *kind).boxed()));
        }
        futures::stream::iter(asked).buffered(self.at_once()).collect().await
    }

    /// The servers of the zone that the domain lies in, found through the resolvers.
    async fn zone_servers(&self, upstreams: &[Upstream], domain: &str) -> Vec<(DnsResolver, Option<Upstream>)> {
        let mut zone = domain;
        let names = loop {
            let asked: Vec<_> = upstreams.iter().map(|upstream| upstream.ask(zone, Ns).boxed()).collect();
            let answers = join_all(asked).await;
            if let Some(found) = answers.iter().find(|answer| answer.status == LookupStatus::Answered) {
                let targets = found.records.iter().filter(|record| record.record_type == Ns).filter_map(target);
                break targets.take(MOST_SERVERS).map(str::to_owned).collect::<Vec<_>>();
            }
            let silent = answers.iter().all(|answer| answer.status == LookupStatus::Timeout);
            match zone.split_once('.') {
                Some((_, above)) if !silent && above.contains('.') => zone = above,
                _ => return Vec::new(),
            }
        };
        let found: Vec<_> = names.iter().map(|name| address_of(upstreams, name).boxed()).collect();
        let addresses = join_all(found).await;
        names.into_iter().zip(addresses).map(|(name, address)| self.zone_server(name, address)).collect()
    }

    fn zone_server(&self, name: String, address: Option<IpAddr>) -> (DnsResolver, Option<Upstream>) {
        let not_asked = |name, why: String| (DnsResolver { name, authoritative: true, not_asked: Some(why) }, None);
        let Some(ip) = address else { return not_asked(name, "its address could not be found".to_owned()) };
        let shown = format!("{name} ({ip})");
        match address::refusal(ip) {
            Some(why) if !self.options.private_servers => not_asked(shown, format!("{ip} is {why}")),
            _ => {
                let address = SocketAddr::new(ip, self.options.authoritative_port);
                let upstream = Upstream::new(shown.clone(), address, true, self.options.timeout);
                (DnsResolver { name: shown, authoritative: true, not_asked: None }, upstream)
            }
        }
    }
}

/// The first address that somebody knows of a host.
async fn address_of(upstreams: &[Upstream], host: &str) -> Option<IpAddr> {
    for kind in [A, Aaaa] {
        for upstream in upstreams {
            let answer = upstream.ask(host, kind).await;
            let address = answer.records.iter().find_map(|record| record.data.parse::<IpAddr>().ok());
            if address.is_some() {
                return address;
            }
        }
    }
    None
}

/// Reads the SPF records that the domain's own one includes, as far as SPF itself goes (RFC 7208 section 4.6.4).
async fn follow_spf(upstream: &Upstream, snapshot: &mut DnsSnapshot) {
    for _ in 0..spf::MOST_LOOKUPS {
        let Some(name) = spf::next_include(View(snapshot), &snapshot.domain) else { return };
        let answer = upstream.ask(&name, Txt).await;
        snapshot.answers.push(answer);
    }
}

/// One that has answered something.
fn answering<'a>(upstreams: &'a [Upstream], answers: &[DnsAnswer]) -> Option<&'a Upstream> {
    upstreams
        .iter()
        .filter(|upstream| !upstream.authoritative())
        .find(|upstream| answers.iter().any(|a| a.resolver == upstream.name() && a.status == LookupStatus::Answered))
}

fn described(upstream: &Upstream) -> DnsResolver {
    DnsResolver { name: upstream.name().to_owned(), authoritative: upstream.authoritative(), not_asked: None }
}

/// The address, with its port where that is not the usual one.
fn shown(address: SocketAddr) -> String {
    if address.port() == 53 { address.ip().to_string() } else { address.to_string() }
}

#[cfg(test)]
#[path = "snapshot_tests.rs"]
mod tests;
