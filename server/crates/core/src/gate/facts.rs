//! The gate's facts, gathered from evidence, the ledger, runs and the approval.

use crate::{Gatepost, Result, clock, files};
use gatepost_contract::{
    CheckId, CheckStatus, EvidenceId, Gate, GateFigures, Job, JobEvidence, JobId, MailboxEvidence, MailboxId,
    PageQuery, Run, RunId, RunStatus, RunType, Tally,
};
use gatepost_gate::{Approval, DeltaFacts, Facts, FolderFacts, LedgerFacts, MailboxFacts, figures};
use gatepost_store::{
    Conn, evidence, gate_history, jobs, mailboxes,
    messages::{self, Amiss},
    runs, users,
};

impl Gatepost {
    /// What the gate of a job looks at, as it is now.
    pub(super) async fn facts(&self, conn: &mut Conn, job: &Job) -> Result<Facts> {
        let read = evidence::for_job(conn, job.id).await?;
        let histories = histories(conn, job.id, &read).await?;
        // Only what was read after the last copy counts. From an approval that stands a later copy takes nothing away by
        // itself: newer evidence decides that, and what the copy left amiss in the ledger.
        let fresh = |evidence: &MailboxEvidence| {
            job.approved_at.is_some()
                || histories.iter().find(|h| h.mailbox == evidence.mailbox_id).is_none_or(|h| h.is_before(evidence))
        };
        let approval = match jobs::approval(conn, job.id).await? {
            Some(row) => {
                let by =
                    users::get(conn, row.approved_by).await?.map_or_else(|| row.approved_by.to_string(), |u| u.email);
                let signed_by_mailbox = match row.evidence_id {
                    Some(seen) => figures_seen(conn, job.id, seen).await?,
                    None => Vec::new(),
                };
                let overridden = match &row.override_reason {
                    Some(_) => failing_when_opened(conn, job.id, &row.approved_at).await?,
                    None => None,
                };
                let (evidence_id, signed, override_reason) = (row.evidence_id, row.signed, row.override_reason);
                Some(Approval { evidence_id, signed, signed_by_mailbox, overridden, override_reason, by })
            }
            None => None,
        };
        let hours = |hours: u64| i64::try_from(hours).unwrap_or(i64::MAX).saturating_mul(3600);
        Ok(Facts {
            min_ratio: self.config().gate_min_ratio,
            delta_max_age_seconds: hours(self.config().delta_max_age_hours),
            evidence_max_age_seconds: hours(self.config().evidence_max_age_hours),
            now_seconds: clock::seconds(),
            sampled_at: clock::now(),
            initial_done: histories.iter().all(|h| h.initial_done),
            last_delta: worst_delta(&histories),
            current_evidence: read.evidence_id,
            evidence_at: oldest(&read),
            mailboxes: read
                .mailboxes
                .into_iter()
                .map(|m| {
                    let history = histories.iter().find(|h| h.mailbox == m.mailbox_id);
                    let contradicted = history.map(|h| h.contradictions(&m)).unwrap_or_default();
                    let files::Amiss { left_out, damaged, removed } =
                        history.map(|h| h.files.clone()).unwrap_or_default();
                    let mut facts = MailboxFacts { contradicted, left_out, damaged, removed, ..mailbox(fresh(&m), m) };
                    if let Some(written) = history.and_then(|h| h.amiss.as_deref()) {
                        compare(&mut facts, written);
                    }
                    facts
                })
                .collect(),
            approval,
            revoked_why: jobs::revocation(conn, job.id).await?.map(|revocation| revocation.why),
            dns_cutover: job.dns_cutover_at.is_some(),
        })
    }
}

/// When the oldest part of evidence was read.
fn oldest(read: &JobEvidence) -> Option<String> {
    read.mailboxes.iter().filter_map(|m| m.read_at.clone()).min()
}

/// The same facts under other evidence, for what somebody has looked at.
pub(super) fn under(facts: &Facts, read: JobEvidence) -> Facts {
    Facts {
        current_evidence: read.evidence_id,
        evidence_at: oldest(&read),
        // A mailbox that has no evidence yet was added later, and was not there to be looked at.
        mailboxes: read.mailboxes.into_iter().filter(|m| m.read_at.is_some()).map(|m| mailbox(true, m)).collect(),
        ..facts.clone()
    }
}

/// The figures of each mailbox in this evidence, which never changes once it was read.
async fn figures_seen(conn: &mut Conn, job: JobId, seen: EvidenceId) -> Result<Vec<(MailboxId, GateFigures)>> {
    let read = evidence::as_of(conn, job, seen).await?;
    let known = read.mailboxes.into_iter().filter(|m| m.read_at.is_some()).map(|m| mailbox(true, m));
    Ok(figures::by_mailbox(&known.collect::<Vec<_>>()))
}

/// The checks that failed when an override opened the gate; none while it has not, within the act itself.
async fn failing_when_opened(conn: &mut Conn, job: JobId, approved_at: &str) -> Result<Option<Vec<CheckId>>> {
    let history = gate_history::list(conn, job).await?;
    let opened = history.into_iter().find(|change| change.to == Gate::ReadyForDns && change.at.as_str() >= approved_at);
    let failing = |change: gatepost_contract::GateChange| {
        let failing = change.checks.into_iter().filter(|check| check.status == CheckStatus::Fail);
        failing.map(|check| check.check_id).collect()
    };
    Ok(opened.map(failing))
}

/// Sets what the ledger says beside what the evidence says, folder by folder.
fn compare(facts: &mut MailboxFacts, written: &[Amiss]) {
    for folder in &mut facts.folders {
        folder.ledger = Some(LedgerFacts::default());
    }
    for amiss in written {
        let Amiss { pending, quarantined, changed, .. } = *amiss;
        let ledger = Some(LedgerFacts { pending, quarantined, changed });
        match facts.folders.iter_mut().find(|folder| folder.source_path == amiss.source_path) {
            Some(folder) => folder.ledger = ledger,
            // A run has placed it since, and nobody has read it yet.
            None if pending + quarantined + changed > 0 => facts.folders.push(FolderFacts {
                source_path: amiss.source_path.clone(),
                special_use: None,
                mapped: true,
                visited: false,
                tally: Tally::default(),
                changed: 0,
                rewritten: 0,
                flags_lost: 0,
                misplaced: 0,
                doubled: 0,
                ledger,
            }),
            None => {}
        }
    }
}

fn mailbox(fresh: bool, m: MailboxEvidence) -> MailboxFacts {
    let mut sum = Tally::default();
    m.folders.iter().for_each(|folder| sum += folder.tally);
    let adds_up = m.folders.is_empty() || sum == m.tally;
    let folders = m.folders.into_iter().map(|f| FolderFacts {
        source_path: f.source_path,
        special_use: f.special_use,
        mapped: f.dest_path.is_some(),
        visited: f.visited,
        tally: f.tally,
        changed: f.changed,
        rewritten: f.rewritten,
        flags_lost: f.flags_lost,
        misplaced: f.misplaced,
        doubled: f.doubled,
        ledger: None,
    });
    MailboxFacts {
        id: m.mailbox_id,
        depth: m.depth.filter(|_| fresh),
        read_seconds: m.read_at.as_deref().and_then(clock::parse).map(time::OffsetDateTime::unix_timestamp),
        contradicted: Vec::new(),
        left_out: Vec::new(),
        damaged: Vec::new(),
        removed: Vec::new(),
        adds_up,
        email: m.email,
        folders: folders.collect(),
    }
}

/// What the runs of one mailbox say.
struct History {
    mailbox: MailboxId,
    initial_done: bool,
    delta: Option<DeltaFacts>,
    /// The newest runs that may have changed something at the destination.
    copies: Vec<Copied>,
    /// What is amiss by the ledger; none while a run is at work, which writes it.
    amiss: Option<Vec<Amiss>>,
    /// The newest quick look that has ended, and the folders in which it counted otherwise than the evidence of its time.
    counted: Option<(RunId, Vec<String>)>,
    /// What is amiss with the mailbox's files.
    files: files::Amiss,
}

/// A run that may have changed something at the destination.
struct Copied {
    run: RunId,
    /// When it ended; none while it is at work.
    ended: Option<String>,
    /// Whether it ended with a proof of its own. Evidence of an attempt that was interrupted before its end is older than
    /// what the next attempt copied.
    proved: bool,
}

impl History {
    /// Folders in which a quick look after this evidence counted otherwise.
    fn contradictions(&self, evidence: &MailboxEvidence) -> Vec<String> {
        let newer = self.counted.iter().filter(|(run, _)| evidence.run_id.is_some_and(|read| read < *run));
        newer.flat_map(|(_, folders)| folders.clone()).collect()
    }

    /// Whether this was read after the last copy; a `final` run's own proof was.
    fn is_before(&self, evidence: &MailboxEvidence) -> bool {
        self.copies.iter().all(|copy| {
            let read = evidence.read_at.as_ref();
            copy.proved && evidence.run_id == Some(copy.run)
                || copy.ended.as_ref().zip(read).is_some_and(|(ended, read)| read >= ended)
        })
    }
}

/// How many of a mailbox's newest runs are looked at: more than can lie between two verifications in practice, and
/// what is older than these and never verified shows as pending or as unverified all the same.
const RUNS_LOOKED_AT: u32 = 200;

async fn histories(conn: &mut Conn, job: JobId, read: &JobEvidence) -> Result<Vec<History>> {
    let mut all = Vec::new();
    for mailbox in mailboxes::list(conn, job).await? {
        let initial = runs::latest_finished(conn, mailbox.id, &[RunType::Initial]).await?;
        let delta = runs::latest_finished(conn, mailbox.id, &[RunType::Delta, RunType::Final]).await?;
        let filter = runs::RunFilter { mailbox_id: Some(mailbox.id), ..runs::RunFilter::default() };
        let newest = PageQuery { per_page: RUNS_LOOKED_AT, ..PageQuery::default() };
        let newest = runs::list(conn, &filter, &newest).await?.items;
        let counted = newest.iter().find(|run| run.status.is_final() && has_counted(run));
        let counted = counted.map(|run| (run.id, contradicted(run)));
        let amiss = messages::amiss(conn, mailbox.id).await?;
        let pending = if delta.is_some() { amiss.iter().map(|folder| folder.pending).sum() } else { 0 };
        let at_work = newest.iter().any(is_at_work);
        let proof = read.mailboxes.iter().find(|m| m.mailbox_id == mailbox.id).and_then(|m| m.run_id);
        // Only mailboxes of files have any; the others cost one look at an index.
        let files = files::amiss(conn, mailbox.id, proof).await?;
        all.push(History {
            mailbox: mailbox.id,
            initial_done: initial.is_some_and(|r| {
                r.status == RunStatus::Success || r.status == RunStatus::Partial && r.exit_code != Some(130)
            }),
            delta: delta.map(|run| DeltaFacts {
                finished_seconds: run
                    .finished_at
                    .as_deref()
                    .and_then(clock::parse)
                    .map_or(0, time::OffsetDateTime::unix_timestamp),
                ended_well: ended_well(&run),
                pending,
            }),
            counted,
            files,
            copies: newest.into_iter().filter(may_have_copied).map(copied).collect(),
            amiss: (!at_work).then_some(amiss),
        });
    }
    Ok(all)
}

fn figure(run: &Run, name: &str) -> i64 {
    run.stats.get(name).and_then(serde_json::Value::as_i64).unwrap_or(0)
}

/// A verification of depth `quick` that came to its end.
fn has_counted(run: &Run) -> bool {
    run.run_type == RunType::Verify && run.stats.contains_key("contradicted")
}

fn contradicted(run: &Run) -> Vec<String> {
    let folders = run.stats.get("contradicted").and_then(serde_json::Value::as_array);
    folders.into_iter().flatten().filter_map(|folder| folder.as_str().map(str::to_owned)).collect()
}

/// Whether a run that writes the ledger has begun and not ended, though it may wait to be taken up again.
fn is_at_work(run: &Run) -> bool {
    run.started_at.is_some() && !run.status.is_final() && run.run_type != RunType::PstExtract
}

fn copied(run: Run) -> Copied {
    Copied { run: run.id, proved: run.stats.contains_key("proof"), ended: run.finished_at }
}

fn may_have_copied(run: &Run) -> bool {
    if !matches!(run.run_type, RunType::Initial | RunType::Delta | RunType::Final) || run.status == RunStatus::Queued {
        return false;
    }
    let nothing = ["transferred", "adopted", "quarantined", "flags_changed", "failed_folders"]
        .iter()
        .all(|f| figure(run, f) == 0);
    !(nothing && run.status == RunStatus::Success && !run.stats.contains_key("resumed"))
}

/// Refused messages make a run partial; the quarantine check speaks for them.
fn ended_well(run: &Run) -> bool {
    match run.status {
        RunStatus::Success => true,
        RunStatus::Partial => figure(run, "failed_folders") == 0 && run.exit_code != Some(130),
        _ => false,
    }
}

/// How the last deltas ended: the oldest and worst of them, or none where a mailbox had none.
fn worst_delta(histories: &[History]) -> Option<DeltaFacts> {
    let all: Option<Vec<DeltaFacts>> = histories.iter().map(|h| h.delta).collect();
    all?.into_iter().reduce(|a, b| DeltaFacts {
        finished_seconds: a.finished_seconds.min(b.finished_seconds),
        ended_well: a.ended_well && b.ended_well,
        pending: a.pending + b.pending,
    })
}
