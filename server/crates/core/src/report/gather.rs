//! What a report is made of: everything read from the database at one moment.

use super::press::Turn;
use crate::{Actor, Gatepost, Result, clock, jobs::found};
use gatepost_contract::{
    AuditFilter, Depth, DnsSnapshot, Job, JobEvidence, JobId, LookupStatus, Mailbox, MailboxEvidence, MailboxId,
    PageQuery, RunType, Tool, Upload,
};
use gatepost_report::{
    ApprovalPart, AuditPart, AuditRow, CauseSum, CheckPart, DnsPart, DnsRecordPart, Edition, EnginePart, FilePart,
    FolderPart, GatePart, Generator, JobPart, MailboxPart, Report, ResidueItem, ResiduePart, RunPart, SCHEMA_VERSION,
    Summary, TimelineEntry, TimelineKind, VerdictPart, WaiverPart,
};
use gatepost_store::{
    Conn, audit, dns_snapshots, evidence, gate_history, jobs, mailboxes, phase_history, reports, reports::RunRow,
    uploads,
};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Messages of the residue that a report lists one by one; the sums cover all.
const MOST_RESIDUE: i64 = 50_000;
/// Runs, the newest.
const MOST_RUNS: i64 = 5_000;
/// Rows of the audit log, the newest.
const MOST_AUDIT: u32 = 200;

impl Gatepost {
    /// A job's report, before [`Report::for_customer`]; what that edition lacks by the thousand is not even read for it.
    /// What is read lies in memory, so it takes a turn at the press.
    pub(super) async fn gathered(&self, id: JobId, edition: Edition, _turn: &Turn) -> Result<Report> {
        // Judging may write, so it comes before the moment that is shown. Evidence that was added in between would
        // stand beside the verdict on the evidence before it: then once more.
        let mut left = 3;
        loop {
            let view = self.gate_view(&Actor::Worker, id).await?;
            let mut tx = self.store().snapshot().await?;
            let job = found(jobs::get(&mut tx, id).await?)?;
            let read = evidence::for_job(&mut tx, id).await?;
            left -= 1;
            if read.evidence_id != view.evidence_id && left > 0 {
                continue;
            }
            let approval = jobs::approval(&mut tx, id).await?;
            let gate = GatePart {
                gate: view.gate,
                reason: view.reason,
                checks: view
                    .checks
                    .into_iter()
                    .map(|check| CheckPart {
                        check_id: check.check_id,
                        status: check.status,
                        message: check.message,
                        checked_at: check.checked_at,
                    })
                    .collect(),
                approval: approval.zip(job.approved_by_email.clone()).map(|(approval, by)| ApprovalPart {
                    by,
                    at: approval.approved_at,
                    evidence_id: approval.evidence_id.map(|e| e.0),
                    override_reason: approval.override_reason,
                }),
                history: gate_history::list(&mut tx, id)
                    .await?
                    .into_iter()
                    .map(|change| VerdictPart {
                        at: change.at,
                        from: change.from,
                        to: change.to,
                        reason: change.reason,
                        actor: change.actor,
                    })
                    .collect(),
            };
            return self.compiled(&mut tx, job, edition, read, gate).await;
        }
    }

    async fn compiled(
        &self,
        conn: &mut Conn,
        job: Job,
        edition: Edition,
        read: JobEvidence,
        gate: GatePart,
    ) -> Result<Report> {
        let boxes = mailboxes::list(conn, job.id).await?;
        let names: HashMap<MailboxId, String> = boxes.iter().map(|b| (b.id, b.email.clone())).collect();
        let named = |id: MailboxId| names.get(&id).cloned().unwrap_or_default();
        let bytes = reports::folder_bytes(conn, job.id).await?;
        let mut evidence_of: HashMap<MailboxId, MailboxEvidence> =
            read.mailboxes.iter().map(|m| (m.mailbox_id, m.clone())).collect();
        let mut parts: Vec<MailboxPart> =
            boxes.iter().map(|mailbox| mailbox_part(mailbox, evidence_of.remove(&mailbox.id), &bytes)).collect();
        for file in uploads::summaries_of_job(conn, job.id).await? {
            if let Some(part) = parts.iter_mut().find(|part| part.id == file.mailbox_id.0) {
                part.files.push(file_part(file));
            }
        }
        let by_cause = reports::causes(conn, job.id).await?;
        let items = residue_items(conn, job.id, edition, named).await?;
        let waivers: Vec<WaiverPart> = reports::waivers(conn, job.id)
            .await?
            .into_iter()
            .map(|waiver| WaiverPart {
                actor: waiver.actor,
                at: waiver.at,
                reason: waiver.reason,
                mailbox: named(waiver.mailbox),
                messages: waiver.messages,
                expired: waiver.expired,
            })
            .collect();
        let runs = reports::runs(conn, job.id, MOST_RUNS).await?;
        let dns = dns_parts(conn, job.id).await?;
        let timeline = timeline(conn, &job, &gate, &waivers, &dns).await?;
        Ok(Report {
            schema_version: SCHEMA_VERSION,
            edition: Edition::Full,
            generated_at: clock::now(),
            generator: Generator { name: "Gatepost".into(), version: env!("CARGO_PKG_VERSION").into() },
            summary: summary(&read, &boxes, &parts),
            gate,
            residue: ResiduePart {
                total: by_cause.iter().map(|sum| sum.messages).sum(),
                listed: i64::try_from(items.len()).unwrap_or(i64::MAX),
                by_cause: by_cause
                    .into_iter()
                    .map(|sum| CauseSum {
                        state: sum.state,
                        cause_kind: sum.cause_kind,
                        messages: sum.messages,
                        bytes: sum.bytes,
                    })
                    .collect(),
                items,
            },
            waivers,
            engines: self.engines(&boxes, &parts, &runs),
            runs: runs.into_iter().map(|run| run_part(run, &named)).collect(),
            dns,
            timeline,
            audit: audit_part(conn, job.id, edition).await?,
            mailboxes: parts,
            job: JobPart {
                id: job.id.0,
                domain: job.domain,
                tenant: job.tenant_name,
                ticket_id: job.ticket_id.map(|t| t.0),
                phase: job.phase,
                source_label: job.source_server_label,
                dest_host: job.dest_imap_host,
                dest_port: job.dest_imap_port,
                dest_security: job.dest_imap_security,
                dest_insecure_tls: job.dest_insecure_tls,
                created_at: job.created_at,
                dns_cutover_at: job.dns_cutover_at,
            },
        })
    }

    /// What did work, with its version and the options that it had.
    fn engines(&self, boxes: &[Mailbox], parts: &[MailboxPart], runs: &[RunRow]) -> Vec<EnginePart> {
        let tools: BTreeSet<Tool> = runs.iter().map(|run| run.tool).chain(boxes.iter().map(|b| b.tool)).collect();
        let mut engines = Vec::new();
        for tool in tools {
            let of_tool: Vec<&RunRow> = runs.iter().filter(|run| run.tool == tool).collect();
            let mut options = BTreeMap::new();
            let mut put = |name: &str, value: String| options.insert(name.to_owned(), value);
            let count = |n: usize| i64::try_from(n).unwrap_or(i64::MAX);
            let served = match tool {
                Tool::Verify => {
                    let depths: BTreeSet<&str> = parts.iter().filter_map(|m| m.depth).map(Depth::as_str).collect();
                    put("depth", depths.into_iter().collect::<Vec<_>>().join(", "));
                    let seeds: BTreeSet<String> =
                        of_tool.iter().filter_map(|run| run.stats.get("seed")).map(plain).collect();
                    if !seeds.is_empty() {
                        put("seeds of samples", seeds.into_iter().take(12).collect::<Vec<_>>().join(", "));
                    }
                    parts.iter().filter(|m| m.read_at.is_some()).count()
                }
                _ => {
                    let served: Vec<&Mailbox> = boxes.iter().filter(|b| b.tool == tool).collect();
                    put("memory budget", format!("{} MB", self.config().memory_budget_mb));
                    put("runs at once", self.config().workers.to_string());
                    let mapped = served.iter().filter(|b| !b.folder_map.is_empty()).count();
                    if mapped > 0 {
                        put("mailboxes with a folder map of their own", mapped.to_string());
                    }
                    let unverified = served.iter().filter(|b| b.source_insecure_tls).count();
                    if unverified > 0 {
                        put("mailboxes whose source certificate was not verified", unverified.to_string());
                    }
                    served.len()
                }
            };
            let ours = matches!(tool, Tool::Native | Tool::Verify);
            // What an external program says of itself stands in the figures of its runs.
            let said = of_tool.iter().rev().find_map(|run| run.stats.get("version")).map(plain);
            engines.push(EnginePart {
                tool,
                version: said.unwrap_or_else(|| if ours { env!("CARGO_PKG_VERSION").into() } else { "–".into() }),
                mailboxes: count(served),
                runs: count(of_tool.len()),
                options,
            });
        }
        engines
    }
}

/// A figure as text, a text without its quotes.
fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn mailbox_part(
    mailbox: &Mailbox,
    evidence: Option<MailboxEvidence>,
    bytes: &HashMap<gatepost_contract::FolderId, i64>,
) -> MailboxPart {
    let evidence = evidence.filter(|e| e.run_id.is_some());
    let folders = evidence.iter().flat_map(|e| &e.folders).map(|folder| FolderPart {
        source_path: folder.source_path.clone(),
        dest_path: folder.dest_path.clone(),
        special_use: folder.special_use,
        visited: folder.visited,
        tally: folder.tally,
        bytes_source: folder.folder_id.and_then(|id| bytes.get(&id).copied()),
        extra: folder.extra,
        misplaced: folder.misplaced,
        doubled: folder.doubled,
        changed: folder.changed,
        rewritten: folder.rewritten,
        flags_lost: folder.flags_lost,
        bodies_read: folder.bodies_read,
        note: folder.note.clone(),
    });
    MailboxPart {
        id: mailbox.id.0,
        email: mailbox.email.clone(),
        source_type: mailbox.source_type,
        tool: mailbox.tool,
        source_host: mailbox.source_host.clone(),
        status: mailbox.status,
        folders: folders.collect(),
        depth: evidence.as_ref().and_then(|e| e.depth),
        read_at: evidence.as_ref().and_then(|e| e.read_at.clone()),
        tally: evidence.as_ref().map(|e| e.tally).unwrap_or_default(),
        ratio: evidence.as_ref().map_or(0.0, |e| e.ratio),
        bytes_source: mailbox.bytes_source,
        bytes_arrived: mailbox.bytes_dest,
        last_error: mailbox.last_error.clone(),
        files: Vec::new(),
    }
}

fn file_part(file: Upload) -> FilePart {
    let found = file.inspection;
    FilePart {
        name: file.name,
        state: file.state.to_string(),
        bytes: file.bytes,
        sha256: file.sha256,
        format: found.as_ref().map(|i| i.format.clone()),
        messages: found.as_ref().map(|i| i.messages),
        overlapping: found.as_ref().map(|i| i.overlapping),
        unreadable: found.as_ref().map(|i| i.unreadable),
        others: found.map(|i| i.others).unwrap_or_default(),
        deleted_at: file.deleted_at,
    }
}

fn summary(read: &JobEvidence, boxes: &[Mailbox], parts: &[MailboxPart]) -> Summary {
    let count = |n: usize| i64::try_from(n).unwrap_or(i64::MAX);
    let sum = |figure: fn(&FolderPart) -> i64| parts.iter().flat_map(|m| &m.folders).map(figure).sum::<i64>();
    let (changed, misplaced, doubled) = (sum(|f| f.changed), sum(|f| f.misplaced), sum(|f| f.doubled));
    let verified = parts.iter().filter(|m| m.read_at.is_some());
    let worst = verified.clone().min_by(|a, b| a.ratio.total_cmp(&b.ratio));
    let proved = read.evidence_id.is_some() && read.totals.adds_up();
    let unharmed = proved && changed + misplaced + doubled == 0;
    Summary {
        evidence_id: read.evidence_id.map(|e| e.0),
        evidence_at: read.evidence_at.clone(),
        mailboxes: count(boxes.len()),
        mailboxes_verified: count(verified.count()),
        folders: parts.iter().map(|m| count(m.folders.len())).sum(),
        tally: read.totals,
        ratio: read.totals.ratio(),
        worst_ratio: worst.map(|m| m.ratio),
        worst_mailbox: worst.map(|m| m.email.clone()),
        bytes_source: boxes.iter().map(|b| b.bytes_source).sum(),
        bytes_arrived: boxes.iter().map(|b| b.bytes_dest).sum(),
        all_arrived: unharmed && read.totals.arrived == read.totals.source,
        all_explained: unharmed && read.totals.arrived + read.totals.waived == read.totals.source,
        misplaced,
        doubled,
        changed,
        rewritten: sum(|f| f.rewritten),
        flags_lost: sum(|f| f.flags_lost),
        bodies_read: sum(|f| f.bodies_read),
    }
}

fn run_part(run: RunRow, named: &impl Fn(MailboxId) -> String) -> RunPart {
    let copied = matches!(run.run_type, RunType::Initial | RunType::Delta | RunType::Final | RunType::PstUpload);
    let figure = |name: &str| run.stats.get(name).and_then(Value::as_i64).filter(|_| copied).unwrap_or(0);
    RunPart {
        id: run.id,
        messages: figure("transferred"),
        bytes: figure("bytes"),
        mailbox: run.mailbox.map(named),
        run_type: run.run_type,
        tool: run.tool,
        status: run.status,
        started_at: run.started_at,
        finished_at: run.finished_at,
    }
}

/// The readings that tell what changed: the last one before the cutover, that of the cutover, and the newest.
async fn dns_parts(conn: &mut Conn, job: JobId) -> Result<Vec<DnsPart>> {
    use gatepost_contract::DnsMoment;
    let mut parts = Vec::new();
    // Newest first: the first of each moment is the one that counts.
    let taken = dns_snapshots::list(conn, job).await?;
    for moment in [DnsMoment::Before, DnsMoment::Cutover, DnsMoment::After] {
        if let Some(newest) = taken.iter().find(|t| t.moment == moment)
            && let Some(snapshot) = dns_snapshots::get(conn, newest.id).await?
        {
            parts.push(dns_part(&snapshot));
        }
    }
    Ok(parts)
}

/// Those who said the same stand together, so that a difference is seen.
fn dns_part(snapshot: &DnsSnapshot) -> DnsPart {
    type Said = (Vec<String>, Option<i64>, Vec<String>);
    let mut by_question: BTreeMap<(String, &'static str), Vec<Said>> = BTreeMap::new();
    for answer in &snapshot.answers {
        let mut values: Vec<String> = answer
            .records
            .iter()
            .map(|record| {
                let alias = record.record_type != answer.record_type;
                if alias { format!("{} {}", record.record_type, record.data) } else { record.data.clone() }
            })
            .collect();
        if values.is_empty() {
            values.push(match answer.status {
                LookupStatus::Answered | LookupStatus::Empty => "–".into(),
                other => other.as_str().to_uppercase(),
            });
        }
        let ttl = answer.records.iter().map(|record| i64::from(record.ttl)).max();
        let said = by_question.entry((answer.name.clone(), answer.record_type.as_str())).or_default();
        match said.iter_mut().find(|(known, _, _)| *known == values) {
            Some((_, longest, resolvers)) => {
                *longest = (*longest).max(ttl);
                resolvers.push(answer.resolver.clone());
            }
            None => said.push((values, ttl, vec![answer.resolver.clone()])),
        }
    }
    let records = by_question.into_iter().flat_map(|((name, record_type), said)| {
        said.into_iter().map(move |(values, ttl, resolvers)| DnsRecordPart {
            name: name.clone(),
            record_type: record_type.to_owned(),
            values,
            ttl,
            resolvers,
        })
    });
    DnsPart {
        moment: snapshot.moment.as_str().to_owned(),
        taken_at: snapshot.taken_at.clone(),
        records: records.collect(),
    }
}

/// What happened, in one order: what the tables tell in names of the data model, so that every language can say it.
async fn timeline(
    conn: &mut Conn,
    job: &Job,
    gate: &GatePart,
    waivers: &[WaiverPart],
    dns: &[DnsPart],
) -> Result<Vec<TimelineEntry>> {
    let filter =
        |action: &str| AuditFilter { job_id: Some(job.id), action: Some(action.to_owned()), ..AuditFilter::default() };
    let page = PageQuery { page: 1, per_page: 200, sort: Some("-id".into()) };
    let happened = |at: &str, kind, actor: &str, reason: Option<&str>| TimelineEntry {
        at: at.to_owned(),
        kind,
        actor: actor.to_owned(),
        from: None,
        to: None,
        reason: reason.map(str::to_owned),
    };
    let opened = audit::list(conn, &filter("job.create"), &page).await?.items;
    let opener = opened.first().map_or("worker", |row| row.actor.as_str());
    let mut entries = vec![happened(&job.created_at, TimelineKind::Opened, opener, None)];
    for change in phase_history::list(conn, job.id).await? {
        entries.push(TimelineEntry {
            from: Some(change.from.as_str().into()),
            to: Some(change.to.as_str().into()),
            ..happened(&change.at, TimelineKind::Phase, &change.actor, Some(&change.reason))
        });
    }
    for verdict in &gate.history {
        entries.push(TimelineEntry {
            from: Some(verdict.from.as_str().into()),
            to: Some(verdict.to.as_str().into()),
            ..happened(&verdict.at, TimelineKind::Gate, &verdict.actor, Some(&verdict.reason))
        });
    }
    for action in ["gate.approve", "gate.override"] {
        for row in audit::list(conn, &filter(action), &page).await?.items {
            entries.push(happened(&row.at, TimelineKind::Approval, &row.actor, row.reason.as_deref()));
        }
    }
    for waiver in waivers {
        entries.push(happened(&waiver.at, TimelineKind::Waiver, &waiver.actor, Some(&waiver.reason)));
    }
    if let Some(at) = &job.dns_cutover_at {
        let said = audit::list(conn, &filter("dns.applied"), &page).await?.items;
        let actor = said.last().map_or("worker", |row| row.actor.as_str());
        entries.push(happened(at, TimelineKind::Cutover, actor, None));
    }
    for reading in dns {
        let entry = happened(&reading.taken_at, TimelineKind::Dns, "worker", None);
        entries.push(TimelineEntry { to: Some(reading.moment.clone()), ..entry });
    }
    // Stable: what happened in the same millisecond stays in this order of cause and effect.
    entries.sort_by(|a, b| a.at.cmp(&b.at));
    Ok(entries)
}

/// The messages that have not arrived as they should, one by one. The customer's edition lists none.
pub(super) async fn residue_items(
    conn: &mut Conn,
    job: JobId,
    edition: Edition,
    named: impl Fn(MailboxId) -> String,
) -> Result<Vec<ResidueItem>> {
    if edition == Edition::Customer {
        return Ok(Vec::new());
    }
    let rows = reports::residue(conn, job, MOST_RESIDUE).await?;
    let item = |row: reports::ResidueRow| ResidueItem {
        mailbox: named(row.mailbox),
        folder: row.folder,
        uid: row.uid,
        state: row.state,
        fidelity: row.fidelity,
        cause_kind: row.cause_kind,
        cause: row.cause,
        internal_date: row.internal_date,
        from: row.from,
        subject: row.subject,
        message_id: row.message_id,
        size: row.size,
        first_seen_at: row.first_seen_at,
    };
    Ok(rows.into_iter().map(item).collect())
}

/// The head of the log, how many rows are about a job, and the newest of them. The customer's edition lists none.
pub(super) async fn audit_part(conn: &mut Conn, job: JobId, edition: Edition) -> Result<AuditPart> {
    let page = PageQuery { page: 1, per_page: 1, sort: Some("-id".into()) };
    let head = audit::list(conn, &AuditFilter::default(), &page).await?.items.into_iter().next();
    let of_job = AuditFilter { job_id: Some(job), ..AuditFilter::default() };
    let page = PageQuery { per_page: if edition == Edition::Full { MOST_AUDIT } else { 1 }, ..page };
    let mut rows = audit::list(conn, &of_job, &page).await?;
    if edition == Edition::Customer {
        rows.items.clear();
    }
    let entries = rows.items.into_iter().rev().map(|row| AuditRow {
        id: row.id.0,
        at: row.at,
        actor: row.actor,
        action: row.action,
        subject: row.subject,
        reason: row.reason,
        hash: row.hash,
    });
    Ok(AuditPart {
        head_id: head.as_ref().map(|row| row.id.0),
        head_hash: head.map(|row| row.hash),
        total: rows.total,
        entries: entries.collect(),
    })
}
