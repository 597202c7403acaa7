//! The gate's facts, gathered from evidence, the ledger, runs and the approval.

use crate::{Gatepost, Result, clock, files};
use gatepost_contract::{
    CheckId, CheckStatus, EvidenceId, Gate, GateFigures, Job, JobEvidence, JobId, MailboxEvidence, MailboxId, RunId,
    RunStatus, Tally,
};
use gatepost_gate::{Approval, DeltaFacts, Facts, FolderFacts, LedgerFacts, MailboxFacts, figures};
use gatepost_store::{
    Conn, evidence, gate_history, jobs,
    messages::{self, Amiss},
    runs::history::{self, History, Past},
    users,
};
use serde_json::Value;
use std::collections::{HashMap, HashSet};

impl Gatepost {
    /// What the gate of a job looks at, as it is now.
    pub(super) async fn facts(&self, conn: &mut Conn, job: &Job) -> Result<Facts> {
        let read = evidence::for_job(conn, job.id).await?;
        let now = Now::look(conn, &read).await?;
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
            initial_done: read.mailboxes.iter().all(|m| now.initial_done(m.mailbox_id)),
            last_delta: now.worst_delta(&read),
            current_evidence: read.evidence_id,
            evidence_at: oldest(&read),
            mailboxes: read.mailboxes.into_iter().map(|m| now.beside(m, job.approved_at.is_some())).collect(),
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

/// What runs, the ledger and files say by now, beside the evidence.
struct Now {
    histories: HashMap<MailboxId, History>,
    /// What is amiss by the ledger.
    amiss: HashMap<MailboxId, Vec<Amiss>>,
    /// The mailboxes whose ledger a run is writing.
    in_motion: HashSet<MailboxId>,
    /// What is amiss with the files of mailboxes that have some.
    files: HashMap<MailboxId, files::Amiss>,
}

impl Now {
    async fn look(conn: &mut Conn, read: &JobEvidence) -> Result<Self> {
        let mut amiss: HashMap<MailboxId, Vec<Amiss>> = HashMap::new();
        for folder in messages::amiss_of_job(conn, read.job_id).await? {
            amiss.entry(folder.mailbox).or_default().push(folder);
        }
        Ok(Self {
            histories: history::of_job(conn, read.job_id).await?,
            amiss,
            in_motion: history::in_motion(conn, read.job_id).await?,
            files: files::amiss_of_job(conn, read).await?,
        })
    }

    /// What a mailbox's evidence is worth now.
    fn beside(&self, evidence: MailboxEvidence, approved: bool) -> MailboxFacts {
        let id = evidence.mailbox_id;
        // Only what was read after the last copy counts. From an approval that stands a later copy takes nothing away by
        // itself: newer evidence decides that, and what the copy left amiss in the ledger.
        let fresh = approved || self.is_read_since(&evidence);
        let counted = self.histories.get(&id).and_then(|history| history.counted.as_ref());
        let files::Amiss { left_out, damaged, removed } = self.files.get(&id).cloned().unwrap_or_default();
        let contradicted = counted.map(contradicted).unwrap_or_default();
        let mut facts = MailboxFacts { contradicted, left_out, damaged, removed, ..mailbox(fresh, evidence) };
        if !self.in_motion.contains(&id) {
            compare(&mut facts, self.amiss_in(id));
        }
        facts
    }

    /// Whether this was read after the last copy; a `final` run's own proof was. Evidence of an attempt that was
    /// interrupted before its end is older than what the next attempt copied.
    fn is_read_since(&self, evidence: &MailboxEvidence) -> bool {
        let copied = self.histories.get(&evidence.mailbox_id).and_then(|history| history.copied.as_ref());
        copied.is_none_or(|copy| {
            let is_its_own = |read: RunId| read == copy.id && copy.stats.contains_key("proof");
            evidence.run_id.is_some_and(|read| read > copy.id || is_its_own(read))
        })
    }

    fn amiss_in(&self, mailbox: MailboxId) -> &[Amiss] {
        self.amiss.get(&mailbox).map_or(&[], Vec::as_slice)
    }

    fn initial_done(&self, mailbox: MailboxId) -> bool {
        let initial = self.histories.get(&mailbox).and_then(|history| history.initial.as_ref());
        initial.is_some_and(|run| {
            run.status == RunStatus::Success || run.status == RunStatus::Partial && run.exit_code != Some(130)
        })
    }

    /// How the last deltas ended: the oldest and worst of them, or none where a mailbox had none.
    fn worst_delta(&self, read: &JobEvidence) -> Option<DeltaFacts> {
        let all: Option<Vec<DeltaFacts>> = read.mailboxes.iter().map(|m| self.delta(m.mailbox_id)).collect();
        all?.into_iter().reduce(|a, b| DeltaFacts {
            finished_seconds: a.finished_seconds.min(b.finished_seconds),
            ended_well: a.ended_well && b.ended_well,
            pending: a.pending + b.pending,
        })
    }

    fn delta(&self, mailbox: MailboxId) -> Option<DeltaFacts> {
        let run = self.histories.get(&mailbox)?.delta.as_ref()?;
        let finished = run.finished_at.as_deref().and_then(clock::parse);
        Some(DeltaFacts {
            finished_seconds: finished.map_or(0, time::OffsetDateTime::unix_timestamp),
            ended_well: ended_well(run),
            pending: self.amiss_in(mailbox).iter().map(|folder| folder.pending).sum(),
        })
    }
}

/// The folders in which this run counted otherwise than the evidence of its time.
fn contradicted(run: &Past) -> Vec<String> {
    let folders = run.stats.get("contradicted").and_then(Value::as_array);
    folders.into_iter().flatten().filter_map(|folder| folder.as_str().map(str::to_owned)).collect()
}

/// Refused messages make a run partial; the quarantine check speaks for them.
fn ended_well(run: &Past) -> bool {
    let failed_folders = run.stats.get("failed_folders").and_then(Value::as_i64).unwrap_or(0);
    match run.status {
        RunStatus::Success => true,
        RunStatus::Partial => failed_folders == 0 && run.exit_code != Some(130),
        _ => false,
    }
}
