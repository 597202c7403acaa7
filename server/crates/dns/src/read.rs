//! Reading a snapshot: of several answers to one question the one that counts.

use crate::text::{joined, preference, target};
use gatepost_contract::{DnsAnswer, DnsRecord, DnsSnapshot, LookupStatus, RecordType};
use std::{collections::BTreeSet, net::IpAddr};

/// A snapshot with its questions in reach.
#[derive(Clone, Copy)]
pub struct View<'a>(pub &'a DnsSnapshot);

/// Whether an answer says how things are, and not only that it could not be found out.
pub const fn conclusive(answer: &DnsAnswer) -> bool {
    matches!(answer.status, LookupStatus::Answered | LookupStatus::Empty | LookupStatus::Nxdomain)
}

impl<'a> View<'a> {
    pub fn is_authoritative(self, answer: &DnsAnswer) -> bool {
        self.0.resolvers.iter().any(|resolver| resolver.authoritative && resolver.name == answer.resolver)
    }

    /// All answers to a question, in the order of the resolvers.
    pub fn answers(self, name: &str, kind: RecordType) -> impl Iterator<Item = &'a DnsAnswer> {
        self.0.answers.iter().filter(move |answer| answer.record_type == kind && answer.name == name)
    }

    /// The answer that counts: of one of the zone's own servers, as long as it does not lead out of the zone; of a
    /// resolver otherwise.
    pub fn best(self, name: &str, kind: RecordType) -> Option<&'a DnsAnswer> {
        let all: Vec<_> = self.answers(name, kind).filter(|answer| conclusive(answer)).collect();
        let whole = |answer: &&&DnsAnswer| answer.status == LookupStatus::Answered || answer.records.is_empty();
        let own = all.iter().filter(|answer| self.is_authoritative(answer)).find(whole);
        own.or_else(|| all.iter().find(|answer| answer.status == LookupStatus::Answered))
            .or_else(|| all.first())
            .copied()
    }

    /// The records of a type that a name has, by that answer.
    pub fn records(self, name: &str, kind: RecordType) -> Vec<&'a DnsRecord> {
        let answer = self.best(name, kind);
        answer.map(|a| a.records.iter().filter(|r| r.record_type == kind).collect()).unwrap_or_default()
    }

    /// Its texts.
    pub fn texts(self, name: &str) -> Vec<String> {
        self.records(name, RecordType::Txt).into_iter().map(|record| joined(&record.data)).collect()
    }

    /// What the name is an alias of, if it is one.
    pub fn alias(self, name: &str, kind: RecordType) -> Option<&'a str> {
        let mut records = self.answers(name, kind).flat_map(|answer| &answer.records);
        records.find(|record| record.record_type == RecordType::Cname && record.name == name).and_then(target)
    }

    /// Its addresses; a name that is an address is its own.
    pub fn addresses(self, name: &str) -> BTreeSet<IpAddr> {
        if let Ok(ip) = name.parse() {
            return [ip].into();
        }
        let records = [RecordType::A, RecordType::Aaaa].into_iter().flat_map(|kind| self.records(name, kind));
        records.filter_map(|record| record.data.parse().ok()).collect()
    }

    /// Whether it could be found out which addresses a name has.
    pub fn addresses_known(self, name: &str) -> bool {
        name.parse::<IpAddr>().is_ok()
            || [RecordType::A, RecordType::Aaaa].into_iter().all(|kind| self.best(name, kind).is_some())
    }

    /// The TTL of a name's records: the full one of the zone's own servers where they said it, the longest otherwise.
    pub fn ttl(self, name: &str, kind: RecordType) -> Option<u32> {
        let ttls = |own: bool| {
            let answers = self.answers(name, kind).filter(move |answer| self.is_authoritative(answer) == own);
            answers.flat_map(|answer| &answer.records).filter(|r| r.record_type == kind).map(|r| r.ttl).max()
        };
        ttls(true).or_else(|| ttls(false))
    }
}

/// The MX hosts of an answer, the preferred first.
#[must_use]
pub fn hosts(answer: &DnsAnswer) -> Vec<String> {
    let mut records: Vec<_> = answer.records.iter().filter(|r| r.record_type == RecordType::Mx).collect();
    records.sort_by_key(|record| preference(record));
    records.into_iter().filter_map(target).map(str::to_owned).collect()
}

/// The MX hosts of a snapshot's domain, the preferred first.
#[must_use]
pub fn mx_hosts(snapshot: &DnsSnapshot) -> Vec<String> {
    View(snapshot).best(&snapshot.domain, RecordType::Mx).map(hosts).unwrap_or_default()
}
