//! How far a new MX has spread, and how long the old one can still be in a cache.

use crate::{
    findings::Plan,
    read::{View, conclusive, hosts, mx_hosts},
};
use gatepost_contract::{DnsMoment, DnsSnapshot, Propagation, RecordType, Spread, TtlCountdown};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

/// A TTL that makes a change quick, in seconds.
pub const SHORT_TTL: u32 = 300;

/// A TTL that makes a change quick, in seconds.
#[must_use]
pub const fn short_ttl() -> u32 {
    SHORT_TTL
}

/// Which MX each resolver gave. `before` is what stood there before the change.
#[must_use]
pub fn propagation(snapshot: &DnsSnapshot, before: Option<&DnsSnapshot>, plan: &Plan) -> Vec<Propagation> {
    let view = View(snapshot);
    let old = before.map(mx_hosts).unwrap_or_default();
    let asked = snapshot.resolvers.iter().filter(|resolver| resolver.not_asked.is_none());
    asked
        .map(|resolver| {
            let answer = view.answers(&snapshot.domain, RecordType::Mx).find(|a| a.resolver == resolver.name);
            let known = answer.filter(|answer| conclusive(answer));
            let given = known.map(hosts).unwrap_or_default();
            let records = known.into_iter().flat_map(|answer| &answer.records);
            Propagation {
                resolver: resolver.name.clone(),
                authoritative: resolver.authoritative,
                spread: if known.is_some() { spread(&given, &old, plan) } else { Spread::Unknown },
                hosts: given,
                ttl: records.filter(|record| record.record_type == RecordType::Mx).map(|record| record.ttl).max(),
                note: answer.and_then(|answer| answer.note.clone()),
            }
        })
        .collect()
}

fn spread(given: &[String], old: &[String], plan: &Plan) -> Spread {
    let same = |other: &[String]| given.len() == other.len() && given.iter().all(|host| other.contains(host));
    if given.is_empty() {
        return if old.is_empty() { Spread::Old } else { Spread::Other };
    }
    if given.iter().all(|host| plan.expected_mx().contains(host)) {
        return Spread::New;
    }
    if same(old) {
        return Spread::Old;
    }
    // Nobody has said what the new MX will be: whatever has nothing in common with the old one is new.
    let apart = !old.is_empty() && !given.iter().any(|host| old.contains(host));
    if plan.new_mx.is_empty() && apart { Spread::New } else { Spread::Other }
}

/// The MX's TTL at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reading {
    /// Seconds since 1970.
    pub at: i64,
    /// Seconds.
    pub ttl: u32,
}

impl Reading {
    /// What a snapshot says; none after the cutover and where no MX was seen.
    #[must_use]
    pub fn of(snapshot: &DnsSnapshot) -> Option<Self> {
        if snapshot.moment != DnsMoment::Before {
            return None;
        }
        let at = OffsetDateTime::parse(&snapshot.taken_at, &Rfc3339).ok()?.unix_timestamp();
        let ttl = View(snapshot).ttl(&snapshot.domain, RecordType::Mx)?;
        Some(Self { at, ttl })
    }
}

/// How long the old MX can be in a cache that follows the rules.
///
/// A cache may have fetched the record with a TTL at any time until a later reading showed another one, so each
/// reading counts until the next, and the last until the cutover (or now). None without readings.
#[must_use]
pub fn countdown(readings: &[Reading], cutover: Option<i64>, now: i64) -> Option<TtlCountdown> {
    let end = cutover.unwrap_or(now);
    let mut readings: Vec<Reading> = readings.iter().copied().filter(|reading| reading.at <= end).collect();
    readings.sort_by_key(|reading| reading.at);
    let last = readings.last()?;
    let until = |n: usize| readings.get(n + 1).map_or(end, |next| next.at) + i64::from(readings[n].ttl);
    let gone = (0..readings.len()).map(until).max()?;
    let long_gone = (0..readings.len()).filter(|n| readings[*n].ttl > SHORT_TTL).map(until).max();
    let short = last.ttl <= SHORT_TTL && cutover.is_none();
    Some(TtlCountdown {
        ttl: last.ttl,
        longest_ttl: readings.iter().map(|reading| reading.ttl).max().unwrap_or(last.ttl),
        short_since: short.then(|| long_gone.unwrap_or(readings[0].at)).map(written),
        old_gone_at: written(gone),
        seconds_left: (gone - now).max(0),
    })
}

fn written(seconds: i64) -> String {
    let at = OffsetDateTime::from_unix_timestamp(seconds).unwrap_or(OffsetDateTime::UNIX_EPOCH);
    // A year that RFC 3339 cannot write does not come from a clock.
    at.format(&Rfc3339).unwrap_or_default()
}

#[cfg(test)]
#[path = "spread_tests.rs"]
mod tests;
