//! What a report says: a versioned document, apart from the types of the API so that it stays as it was when they
//! change. Fields are added within a version; none is renamed, removed or given another meaning.

use gatepost_contract::{
    CauseKind, CheckId, CheckStatus, Depth, Fidelity, Gate, MailboxStatus, MessageState, Phase, RunStatus, RunType,
    Security, SourceType, SpecialUse, Tally, Tool,
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// The version of the document's form.
pub const SCHEMA_VERSION: u32 = 1;

/// The report of one job at one moment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Report {
    /// The version of this form: 1.
    pub schema_version: u32,
    /// For whom it was made.
    pub edition: Edition,
    /// When it was made, RFC 3339 in UTC. Everything in it is as it was then.
    pub generated_at: String,
    /// The program that made it.
    pub generator: Generator,
    /// The domain's move.
    pub job: JobPart,
    /// What moved, and whether all of it arrived.
    pub summary: Summary,
    /// May the MX be changed, and who said so.
    pub gate: GatePart,
    /// Mailbox by mailbox, folder by folder.
    pub mailboxes: Vec<MailboxPart>,
    /// What has not arrived as it should.
    pub residue: ResiduePart,
    /// Messages given up on purpose.
    pub waivers: Vec<WaiverPart>,
    /// Every copy and every verification, oldest first.
    pub runs: Vec<RunPart>,
    /// What did the work, with its version and options.
    pub engines: Vec<EnginePart>,
    /// What the domain's DNS said, oldest first.
    pub dns: Vec<DnsPart>,
    /// What happened, oldest first.
    pub timeline: Vec<TimelineEntry>,
    /// Rows of the audit log about this job.
    pub audit: AuditPart,
}

/// For whom a report is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Edition {
    /// For those who run the migration: everything.
    Full,
    /// For the domain's owner: no names of staff, no addresses of servers, nothing of single messages.
    Customer,
}

/// A program and its version.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Generator {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
}

/// The job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct JobPart {
    /// Its number.
    pub id: i64,
    /// The domain, lower case, A-labels.
    pub domain: String,
    /// The tenant's name.
    pub tenant: String,
    /// The ticket's number.
    pub ticket_id: Option<i64>,
    /// Where it stands.
    pub phase: Phase,
    /// What the old server is called.
    pub source_label: String,
    /// The new server.
    pub dest_host: String,
    /// Its port.
    pub dest_port: u16,
    /// How the connection to it is protected.
    pub dest_security: Security,
    /// True: its certificate was not verified.
    pub dest_insecure_tls: bool,
    /// When the job was opened.
    pub created_at: String,
    /// When the MX was changed.
    pub dns_cutover_at: Option<String>,
}

/// The whole in figures.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Summary {
    /// The evidence that the figures are from; none before every mailbox was verified.
    pub evidence_id: Option<i64>,
    /// When the newest of it was read.
    pub evidence_at: Option<String>,
    /// How many mailboxes the job has.
    pub mailboxes: i64,
    /// How many of them were verified.
    pub mailboxes_verified: i64,
    /// How many folders were verified.
    pub folders: i64,
    /// How the messages add up: arrived + pending + quarantined + waived = source.
    pub tally: Tally,
    /// Arrived ÷ source, 0 to 1.
    pub ratio: f64,
    /// The worst mailbox's ratio.
    pub worst_ratio: Option<f64>,
    /// That mailbox's address.
    pub worst_mailbox: Option<String>,
    /// Bytes at the source, by the last count.
    pub bytes_source: i64,
    /// Bytes that have arrived.
    pub bytes_arrived: i64,
    /// Whether every mailbox was verified and every message has arrived unharmed.
    pub all_arrived: bool,
    /// Whether every mailbox was verified and whatever has not arrived was given up on purpose.
    pub all_explained: bool,
    /// Messages in another folder.
    pub misplaced: i64,
    /// Messages of which the destination holds more than one copy.
    pub doubled: i64,
    /// Messages with another body, date or folder.
    pub changed: i64,
    /// Messages that the new server rebuilt, content and headers unharmed.
    pub rewritten: i64,
    /// Messages that lack flags which the source has.
    pub flags_lost: i64,
    /// Bodies that were read again on both sides and compared.
    pub bodies_read: i64,
}

/// The verdict and its grounds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct GatePart {
    /// The verdict.
    pub gate: Gate,
    /// Why, in one sentence.
    pub reason: String,
    /// Every check.
    pub checks: Vec<CheckPart>,
    /// The approval in force.
    pub approval: Option<ApprovalPart>,
    /// Every verdict that differed from the one before, oldest first.
    pub history: Vec<VerdictPart>,
}

/// One check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CheckPart {
    /// Which.
    pub check_id: CheckId,
    /// How it came out.
    pub status: CheckStatus,
    /// Why, in one sentence.
    pub message: String,
    /// When it was computed.
    pub checked_at: String,
}

/// An approval.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ApprovalPart {
    /// By whom.
    pub by: String,
    /// When.
    pub at: String,
    /// The evidence that was signed.
    pub evidence_id: Option<i64>,
    /// Why it was given in spite of failing checks, where it was.
    pub override_reason: Option<String>,
}

/// A change of the verdict.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct VerdictPart {
    /// When.
    pub at: String,
    /// What it was.
    pub from: Gate,
    /// What it became.
    pub to: Gate,
    /// Why.
    pub reason: String,
    /// By whom.
    pub actor: String,
}

/// One mailbox.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct MailboxPart {
    /// Its number.
    pub id: i64,
    /// Its address.
    pub email: String,
    /// Where its mail came from.
    pub source_type: SourceType,
    /// What copied it.
    pub tool: Tool,
    /// The old server.
    pub source_host: Option<String>,
    /// How it stands.
    pub status: MailboxStatus,
    /// How thoroughly it was verified; none while it never was.
    pub depth: Option<Depth>,
    /// When.
    pub read_at: Option<String>,
    /// How its messages add up.
    pub tally: Tally,
    /// Arrived ÷ source, 0 to 1.
    pub ratio: f64,
    /// Bytes at the source, by the last count.
    pub bytes_source: i64,
    /// Bytes that have arrived.
    pub bytes_arrived: i64,
    /// Why its last run failed.
    pub last_error: Option<String>,
    /// Its files, where its mail came from files.
    #[serde(default)]
    pub files: Vec<FilePart>,
    /// By folder.
    pub folders: Vec<FolderPart>,
}

/// One file that mail came from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FilePart {
    /// What it was called.
    pub name: String,
    /// Where it stands: `ready`, `refused`, …
    pub state: String,
    /// Its bytes.
    pub bytes: i64,
    /// The SHA-256 of its bytes, in hex; none while they have not all come, and for a folder.
    pub sha256: Option<String>,
    /// What it is: `PST, Unicode`; none while it was not read.
    pub format: Option<String>,
    /// Messages that were found in it.
    pub messages: Option<u64>,
    /// Messages of it that an earlier file of the mailbox holds too; they were copied once.
    pub overlapping: Option<u64>,
    /// Messages of it that cannot be read.
    pub unreadable: Option<u64>,
    /// What in it is no mail, by kind. It was saved for download and not copied.
    pub others: BTreeMap<String, u64>,
    /// Since when its bytes are deleted here.
    pub deleted_at: Option<String>,
}

/// One folder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FolderPart {
    /// Its path at the source.
    pub source_path: String,
    /// Where it went; none where it is not mapped.
    pub dest_path: Option<String>,
    /// What it is for.
    pub special_use: Option<SpecialUse>,
    /// Whether both sides could be read.
    pub visited: bool,
    /// How its messages add up.
    pub tally: Tally,
    /// Bytes at the source, where they are known.
    pub bytes_source: Option<i64>,
    /// Messages that the destination folder holds beside these.
    pub extra: i64,
    /// Messages that lie in another folder.
    pub misplaced: i64,
    /// Messages of which the folder holds more than one copy.
    pub doubled: i64,
    /// Messages with another body, date or folder.
    pub changed: i64,
    /// Messages that the new server rebuilt.
    pub rewritten: i64,
    /// Messages that lack flags.
    pub flags_lost: i64,
    /// Bodies that were read again.
    pub bodies_read: i64,
    /// What is worth knowing.
    pub note: Option<String>,
}

/// What has not arrived as it should.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ResiduePart {
    /// How many messages there are.
    pub total: i64,
    /// How many of them are listed below; all, unless there are very many.
    pub listed: i64,
    /// All of them by state and cause.
    pub by_cause: Vec<CauseSum>,
    /// One by one.
    pub items: Vec<ResidueItem>,
}

/// How many messages have one cause.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CauseSum {
    /// Where they stand.
    pub state: MessageState,
    /// Why; none where no cause is recorded.
    pub cause_kind: Option<CauseKind>,
    /// How many.
    pub messages: i64,
    /// Their bytes.
    pub bytes: i64,
}

/// One message that has not arrived as it should.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ResidueItem {
    /// The mailbox's address.
    pub mailbox: String,
    /// The folder at the source.
    pub folder: String,
    /// The UID there.
    pub uid: i64,
    /// Where it stands.
    pub state: MessageState,
    /// How its copy compares, where there is one.
    pub fidelity: Option<Fidelity>,
    /// Why, for programs.
    pub cause_kind: Option<CauseKind>,
    /// Why, with what to do.
    pub cause: Option<String>,
    /// When it arrived at the source.
    pub internal_date: String,
    /// Its sender.
    pub from: Option<String>,
    /// Its subject.
    pub subject: Option<String>,
    /// Its Message-Id.
    pub message_id: Option<String>,
    /// Bytes.
    pub size: i64,
    /// When it was first listed.
    pub first_seen_at: String,
}

/// Messages given up at one time for one reason.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct WaiverPart {
    /// By whom.
    pub actor: String,
    /// When.
    pub at: String,
    /// Why.
    pub reason: String,
    /// The mailbox's address.
    pub mailbox: String,
    /// How many messages.
    pub messages: i64,
    /// How many of them are covered no more because they have changed since.
    pub expired: i64,
}

/// One run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RunPart {
    /// Its number.
    pub id: i64,
    /// The mailbox's address.
    pub mailbox: Option<String>,
    /// What it did.
    pub run_type: RunType,
    /// With what.
    pub tool: Tool,
    /// How it ended.
    pub status: RunStatus,
    /// When it began.
    pub started_at: Option<String>,
    /// When it ended.
    pub finished_at: Option<String>,
    /// Messages that it copied.
    pub messages: i64,
    /// Their bytes.
    pub bytes: i64,
}

/// A program that did work in this job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct EnginePart {
    /// Which.
    pub tool: Tool,
    /// Its version.
    pub version: String,
    /// For how many mailboxes.
    pub mailboxes: i64,
    /// How many runs it did.
    pub runs: i64,
    /// Its options by name.
    pub options: BTreeMap<String, String>,
}

/// One reading of the domain's DNS.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DnsPart {
    /// `before`, `cutover` or `after` the change of the MX.
    pub moment: String,
    /// When it was taken.
    pub taken_at: String,
    /// What was answered.
    pub records: Vec<DnsRecordPart>,
}

/// One name's records of one type.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DnsRecordPart {
    /// The name.
    pub name: String,
    /// The type: `MX`, `TXT`, …
    pub record_type: String,
    /// The values, or the answer in words where there is none (`NXDOMAIN`, a time-out).
    pub values: Vec<String>,
    /// Seconds that it may be cached.
    pub ttl: Option<i64>,
    /// The resolvers that said so.
    pub resolvers: Vec<String>,
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TimelineEntry {
    /// When.
    pub at: String,
    /// What kind.
    pub kind: TimelineKind,
    /// By whom.
    pub actor: String,
    /// What it was before, by its name in the data model, where that has one.
    pub from: Option<String>,
    /// What it became.
    pub to: Option<String>,
    /// Why.
    pub reason: Option<String>,
}

/// What kind of thing happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum TimelineKind {
    /// The job was opened.
    Opened,
    /// The phase changed.
    Phase,
    /// The gate's verdict changed.
    Gate,
    /// The gate was approved.
    Approval,
    /// Messages were given up.
    Waiver,
    /// The MX was changed.
    Cutover,
    /// The DNS was looked at.
    Dns,
}

/// Rows of the audit log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AuditPart {
    /// The newest row of the whole log when the report was made.
    pub head_id: Option<i64>,
    /// Its hash: with it `gatepost audit verify --head ID:HASH` proves that nothing before it was changed since.
    pub head_hash: Option<String>,
    /// How many rows concern this job.
    pub total: i64,
    /// The newest of them, oldest first.
    pub entries: Vec<AuditRow>,
}

/// One row of the audit log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AuditRow {
    /// Its place in the chain.
    pub id: i64,
    /// When.
    pub at: String,
    /// By whom.
    pub actor: String,
    /// What.
    pub action: String,
    /// On what.
    pub subject: String,
    /// Why.
    pub reason: Option<String>,
    /// Its hash.
    pub hash: String,
}
