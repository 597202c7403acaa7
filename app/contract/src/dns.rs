//! A domain's DNS as several resolvers see it, and the cutover that changes it.

use crate::{DnsFindingKind, DnsMoment, DnsSnapshotId, Gate, JobId, LookupStatus, Phase, RecordType, Severity, Spread};
use serde::{Deserialize, Serialize};

/// A domain's DNS at one moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DnsSnapshot {
    /// Its id; none before it is stored.
    #[serde(default)]
    pub id: Option<DnsSnapshotId>,
    /// The domain, A-labels.
    pub domain: String,
    /// When it was read.
    pub taken_at: String,
    /// Seen from the cutover.
    pub moment: DnsMoment,
    /// By whom it was asked for.
    pub taken_by: String,
    /// Who was asked.
    pub resolvers: Vec<DnsResolver>,
    /// What they said: one answer for each question and resolver.
    pub answers: Vec<DnsAnswer>,
}

/// Somebody who answers questions about names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DnsResolver {
    /// How answers refer to it: an address and port, with the server's name where it is authoritative.
    pub name: String,
    /// Whether it is one of the zone's own servers, so that its TTLs are the full ones.
    pub authoritative: bool,
    /// Why it was not asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_asked: Option<String>,
}

/// What one resolver said to one question.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DnsAnswer {
    /// The name that was asked for, lower case, without the last dot.
    pub name: String,
    /// The type that was asked for.
    pub record_type: RecordType,
    /// Who answered.
    pub resolver: String,
    /// How it ended.
    pub status: LookupStatus,
    /// The records, aliases on the way included, in a settled order.
    pub records: Vec<DnsRecord>,
    /// What is worth knowing of a failure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// A record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DnsRecord {
    /// Whose it is, lower case, without the last dot.
    pub name: String,
    /// Its type.
    pub record_type: RecordType,
    /// How long it may be kept, in seconds, by this answer.
    pub ttl: u32,
    /// Its data as a zone file has it: `10 mx.example.com.`
    pub data: String,
}

/// Something about a domain's DNS that one should know before or after the cutover.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DnsFinding {
    /// How grave.
    pub severity: Severity,
    /// What, for programs.
    pub kind: DnsFindingKind,
    /// The name or resolver that it is about.
    pub subject: String,
    /// What will break, why, and what to do.
    pub sentence: String,
}

/// Which MX one resolver gives.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Propagation {
    /// The resolver.
    pub resolver: String,
    /// Whether it is one of the zone's own servers.
    pub authoritative: bool,
    /// The old or the new one.
    pub spread: Spread,
    /// The MX hosts that it gives, the preferred first.
    pub hosts: Vec<String>,
    /// How long it may go on giving them, in seconds, by its own word.
    pub ttl: Option<u32>,
    /// Why it is unknown.
    pub note: Option<String>,
}

/// How long the old MX can be in a cache.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TtlCountdown {
    /// The MX's TTL by its newest reading before the cutover, in seconds.
    pub ttl: u32,
    /// The longest TTL that was read.
    pub longest_ttl: u32,
    /// When the short TTL has reached every cache; none while the TTL is long. Before the cutover only.
    pub short_since: Option<String>,
    /// When the last cache that follows the rules has let the old MX go. Before the cutover: as if it were now.
    pub old_gone_at: String,
    /// Seconds until then; 0 when it is past.
    pub seconds_left: i64,
}

/// What a job is told about its cutover.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CutoverSettings {
    /// After the cutover, fetch stragglers so often (5 to 1440 minutes); none: by hand only.
    #[serde(default)]
    pub straggler_minutes: Option<i64>,
    /// How long the old server must have been quiet (1 to 720 hours) before the job is verified; without
    /// `straggler_minutes` the first complete proof after the cutover suffices.
    #[serde(default = "usual_quiet")]
    pub quiet_hours: i64,
    /// The hosts that the new MX will name; the new mail server where left empty.
    #[serde(default)]
    pub new_mx: Vec<String>,
    /// DKIM selectors to look for, beside the usual ones.
    #[serde(default)]
    pub dkim_selectors: Vec<String>,
}

const fn usual_quiet() -> i64 {
    24
}

impl Default for CutoverSettings {
    fn default() -> Self {
        Self { straggler_minutes: None, quiet_hours: usual_quiet(), new_mx: Vec::new(), dkim_selectors: Vec::new() }
    }
}

/// Mail that still arrived at the old server after the cutover.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Stragglers {
    /// Whether they are fetched by themselves.
    pub automatic: bool,
    /// Messages that `final` runs have copied since the cutover.
    pub messages: i64,
    /// When the newest message at the old server was first seen, if that was after the cutover.
    pub newest_at: Option<String>,
    /// When the last `final` run ended.
    pub last_run_at: Option<String>,
    /// When the next one is due.
    pub next_run_at: Option<String>,
    /// Since when the old server has been quiet.
    pub quiet_since: Option<String>,
    /// When it will have been quiet for long enough.
    pub quiet_until: Option<String>,
}

/// A job's cutover: what the DNS said before and says now, what to look at, how far the change has spread.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CutoverView {
    /// The job.
    pub job_id: JobId,
    /// Its domain.
    pub domain: String,
    /// Where it stands.
    pub phase: Phase,
    /// The verdict.
    pub gate: Gate,
    /// Why, in one sentence.
    pub gate_reason: String,
    /// When the MX was changed.
    pub dns_cutover_at: Option<String>,
    /// The settings.
    pub settings: CutoverSettings,
    /// The old values, kept for the way back.
    pub before: Option<DnsSnapshot>,
    /// The newest reading.
    pub latest: Option<DnsSnapshot>,
    /// What to look at, the gravest first.
    pub findings: Vec<DnsFinding>,
    /// Which MX each resolver gave at the newest reading.
    pub propagation: Vec<Propagation>,
    /// How long the old MX can be in a cache.
    pub ttl: Option<TtlCountdown>,
    /// Mail that still arrived at the old server.
    pub stragglers: Stragglers,
}

/// How to put the old values back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RollbackSheet {
    /// The domain.
    pub domain: String,
    /// When the old values were read.
    pub taken_at: String,
    /// What to put back: the records that differ from the newest reading, or all of them where there is none.
    pub records: Vec<DnsRecord>,
    /// What to take out: records of the newest reading that were not there before.
    pub remove: Vec<DnsRecord>,
    /// The same as a zone file, with comments that say what to do.
    pub zone: String,
}
