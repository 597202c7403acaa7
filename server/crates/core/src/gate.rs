//! The gate's facts, its verdict in the store, approval, and what set-up wizards are told.
//!
//! Whatever may change a verdict ends with [`Gatepost::judge_job`] in the same transaction. Time changes it too (a
//! delta grows old), so an answer is judged anew when it is asked for.

use crate::{Actor, Error, Gatepost, Result, audit::Entry, clock, jobs::found, phases, validate};
use gatepost_contract::{
    ApproveGate, CheckId, CheckStatus, DnsApplied, Gate, GateAnswer, GateView, Job, JobId, MailboxEvidence, MailboxId,
    PageQuery, Phase, Role, Run, RunId, RunStatus, RunType, Scope,
};
use gatepost_gate::{Approval, DeltaFacts, Facts, FolderFacts, MailboxFacts, Verdict, judge, phase};
use gatepost_store::{Conn, evidence, gate_checks, jobs, mailboxes, messages, runs, users};
use serde_json::json;
use std::collections::BTreeMap;

/// A delta is recent for so long.
const DELTA_MAX_AGE_SECONDS: i64 = 24 * 3600;

impl Gatepost {
    /// A job's gate with all that the approval dialog shows.
    pub async fn gate_view(&self, actor: &Actor, id: JobId) -> Result<GateView> {
        actor.read(Scope::JobsRead)?;
        let (job, facts, verdict) = self.judged_now(id).await?;
        Ok(GateView {
            job_id: id,
            gate: verdict.gate,
            reason: verdict.reason,
            checks: verdict.checks,
            evidence_id: facts.current_evidence,
            evidence_at: self.evidence_at(id).await?,
            approvable: verdict.approvable && job.approved_at.is_none() && phase_allows_approval(job.phase),
            approved_by: job.approved_by_email.clone(),
            approved_at: job.approved_at.clone(),
            override_reason: job.override_reason.clone(),
        })
    }

    /// What a set-up wizard is told about a domain. Of several open jobs the worst answers.
    ///
    /// # Errors
    /// Only for a malformed domain or a caller without the right; an unknown domain is an answer: `blocked`.
    pub async fn gate_answer(&self, actor: &Actor, domain: &str) -> Result<GateAnswer> {
        actor.read(Scope::GateRead)?;
        let domain = validate::domain(domain).map_err(|why| Error::field("domain", why))?;
        let answer = self.answer(&domain).await?;
        metrics::counter!("gatepost_gate_asked_total", "gate" => answer.gate.as_str()).increment(1);
        Ok(answer)
    }

    async fn answer(&self, domain: &str) -> Result<GateAnswer> {
        let known = jobs::by_domain(&mut *self.store().reader().await?, domain).await?;
        let open: Vec<JobId> = known.iter().filter(|j| j.phase != Phase::Closed).map(|j| j.id).collect();
        let mut worst: Option<(Job, Verdict)> = None;
        for id in open {
            let (job, _, mut verdict) = self.judged_now(id).await?;
            if job.phase == Phase::Failed && job.dns_cutover_at.is_none() {
                verdict.gate = Gate::Blocked;
                verdict.reason =
                    "The last runs of the job failed for every mailbox. Look at their errors, then retry.".into();
            }
            if worst.as_ref().is_none_or(|(_, w)| verdict.gate < w.gate) {
                worst = Some((job, verdict));
            }
        }
        let Some((job, verdict)) = worst else {
            // What a closed job once proved says nothing about today.
            let closed = known.last();
            return Ok(GateAnswer {
                domain: domain.to_owned(),
                gate: Gate::Blocked,
                dns_allowed: false,
                reason: if closed.is_some() { "closed" } else { "no_job" }.into(),
                job_id: closed.map(|j| j.id),
                phase: closed.map(|j| j.phase),
                checks: Vec::new(),
                approved_by: None,
                approved_at: None,
                evidence_at: None,
                override_reason: None,
            });
        };
        Ok(GateAnswer {
            domain: domain.to_owned(),
            gate: verdict.gate,
            dns_allowed: verdict.gate.dns_allowed(),
            reason: verdict.reason,
            job_id: Some(job.id),
            phase: Some(job.phase),
            checks: verdict.checks,
            approved_by: job.approved_by_email,
            approved_at: job.approved_at,
            evidence_at: self.evidence_at(job.id).await?,
            override_reason: job.override_reason,
        })
    }

    /// Approves the gate, on the newest evidence. With `override`, in spite of failing checks.
    pub async fn approve_gate(&self, actor: &Actor, id: JobId, request: ApproveGate) -> Result<GateView> {
        actor.approve()?;
        let Actor::User { id: user, .. } = actor else {
            return Err(Error::Forbidden("Only a person can approve a gate.".into()));
        };
        if request.override_checks {
            let may = actor.role().is_some_and(|r| self.config().override_roles.contains(&r));
            if !may {
                let roles: Vec<&str> = self.config().override_roles.iter().map(|r| Role::as_str(*r)).collect();
                return Err(Error::Forbidden(format!("Only these roles may override a gate: {}.", roles.join(", "))));
            }
        }
        let mut checker = validate::Checker::new();
        let note = request.note.as_ref().map(|n| checker.text("note", n, 0..=2000, true)).filter(|n| !n.is_empty());
        let reason = match (&request.reason, request.override_checks) {
            (Some(reason), true) => Some(checker.text("reason", reason, 10..=2000, true)),
            (None, true) => {
                checker.error("reason", "must say why the gate is opened in spite of its checks");
                None
            }
            _ => None,
        };
        checker.finish()?;

        let mut tx = self.store().begin().await?;
        let job = found(jobs::get(&mut tx, id).await?)?;
        // A second approval is judged as the first was: on evidence read after the last copy.
        let facts = self.facts(&mut tx, &Job { approved_at: None, ..job.clone() }).await?;
        let verdict = judge(&Facts { approval: None, ..facts.clone() });
        if request.override_checks && facts.current_evidence.is_none() {
            return Err(Error::conflict(
                "no_evidence",
                "An override is bound to evidence. Verify every mailbox first; the result may be as bad as it is.",
            ));
        }
        if !phase_allows_approval(job.phase) {
            return Err(Error::Conflict {
                code: "gate_checks_failed",
                detail: format!("A job in phase {} cannot be approved yet: {}", job.phase, verdict.reason),
                checks: failing(&verdict),
            });
        }
        if let Some(seen) = request.evidence_id
            && facts.current_evidence != Some(seen)
        {
            return Err(Error::conflict(
                "evidence_replaced",
                "There is newer evidence than the one that was looked at. Read it, then approve again.",
            ));
        }
        if !verdict.approvable && !request.override_checks {
            return Err(Error::Conflict {
                code: "gate_checks_failed",
                detail: verdict.reason.clone(),
                checks: failing(&verdict),
            });
        }
        let overridden = reason.filter(|_| !verdict.approvable);
        let now = clock::now();
        let row = jobs::ApprovalRow {
            approved_by: *user,
            approved_at: now.clone(),
            evidence_id: facts.current_evidence,
            note: note.clone(),
            override_reason: overridden.clone(),
        };
        jobs::approve(&mut tx, id, &row, &now).await?;
        let action = if overridden.is_some() { "gate.override" } else { "gate.approve" };
        Entry::new(actor, action, format!("job/{id}"))
            .job(id)
            .before(&json!({"gate": job.migration_gate, "checks": statuses(&verdict)}))
            .after(&json!({"evidence_id": facts.current_evidence}))
            .reason(overridden.or(note).unwrap_or_else(|| "approved".into()))
            .write(&mut tx)
            .await?;
        self.judge_job(&mut tx, actor, id).await?;
        tx.commit().await?;
        self.gate_view(actor, id).await
    }

    /// The wizard's word that the MX was changed. Accepted only through an open gate.
    pub async fn dns_applied(&self, actor: &Actor, request: DnsApplied) -> Result<GateAnswer> {
        if let Actor::Token { .. } = actor {
            actor.read(Scope::DnsWrite)?;
        } else {
            actor.approve()?;
        }
        let mut checker = validate::Checker::new();
        let domain = checker.domain("domain", &request.domain);
        let mx = request.mx.as_ref().map(|mx| checker.host("mx", mx));
        let at = match &request.applied_at {
            None => clock::now(),
            Some(text) => match clock::parse(text.trim()) {
                Some(at) => clock::text(at),
                None => {
                    checker.error("applied_at", "must be an RFC 3339 time such as 2026-11-21T04:12:00Z");
                    String::new()
                }
            },
        };
        checker.finish()?;
        let answer = self.answer(&domain).await?;
        if answer.job_id.is_none() || !answer.dns_allowed {
            return Err(Error::Conflict {
                code: "gate_shut",
                detail: format!("The gate of {domain} is {}: {}", answer.gate, answer.reason),
                checks: answer.checks,
            });
        }
        let mut tx = self.store().begin().await?;
        for job in jobs::by_domain(&mut tx, &domain).await?.into_iter().filter(|j| j.phase != Phase::Closed) {
            if job.dns_cutover_at.is_some() {
                continue;
            }
            // Judged once more in the transaction that acts on it.
            let verdict = self.judge_job(&mut tx, actor, job.id).await?;
            if !verdict.gate.dns_allowed() {
                return Err(Error::Conflict {
                    code: "gate_shut",
                    detail: verdict.reason.clone(),
                    checks: failing(&verdict),
                });
            }
            jobs::set_dns_cutover(&mut tx, job.id, &at, &clock::now()).await?;
            Entry::new(actor, "dns.applied", format!("job/{}", job.id))
                .job(job.id)
                .after(&json!({"mx": mx, "applied_at": at}))
                .write(&mut tx)
                .await?;
            self.judge_job(&mut tx, actor, job.id).await?;
        }
        tx.commit().await?;
        self.answer(&domain).await
    }

    /// Judges a job and stores what changed: checks, gate, a revoked approval, the phase that follows from them.
    pub(crate) async fn judge_job(&self, tx: &mut Conn, actor: &Actor, id: JobId) -> Result<Verdict> {
        let mut job = found(jobs::get(tx, id).await?)?;
        let mut verdict = judge(&self.facts(tx, &job).await?);
        let now = clock::now();
        if verdict.revoked {
            let approval = jobs::approval(tx, id).await?;
            jobs::revoke_approval(tx, id, &now).await?;
            let given = approval.map(|a| json!({"approved_at": a.approved_at, "evidence_id": a.evidence_id}));
            Entry::new(&Actor::Worker, "gate.revoke", format!("job/{id}"))
                .job(id)
                .before(&given)
                .reason(verdict.reason.clone())
                .write(tx)
                .await?;
            job = found(jobs::get(tx, id).await?)?;
            verdict = judge(&self.facts(tx, &job).await?);
        }
        gate_checks::put(tx, id, &verdict.checks).await?;
        if verdict.gate != job.migration_gate {
            jobs::set_gate(tx, id, verdict.gate, &now).await?;
            Entry::new(actor, "gate.change", format!("job/{id}"))
                .job(id)
                .before(&job.migration_gate)
                .after(&verdict.gate)
                .reason(verdict.reason.clone())
                .write(tx)
                .await?;
        }
        match (verdict.gate, job.phase) {
            (Gate::ReadyForDns, Phase::DeltaSync | Phase::CutoverReady) => {
                phases::enter(tx, actor, &job, Phase::CutoverReady, "the gate is open").await?;
                if job.dns_cutover_at.is_some() {
                    let job = found(jobs::get(tx, id).await?)?;
                    phases::enter(tx, actor, &job, Phase::DnsCutover, "the MX was changed").await?;
                }
            }
            (Gate::Blocked | Gate::Warning, Phase::CutoverReady) => {
                phases::enter(tx, actor, &job, Phase::DeltaSync, "the gate has shut again").await?;
            }
            _ => {}
        }
        Ok(verdict)
    }

    /// The verdict at this moment. Where it differs from the stored one, the stored one is brought up to date.
    async fn judged_now(&self, id: JobId) -> Result<(Job, Facts, Verdict)> {
        let (job, facts, verdict) = {
            let mut conn = self.store().reader().await?;
            let job = found(jobs::get(&mut conn, id).await?)?;
            let facts = self.facts(&mut conn, &job).await?;
            let verdict = judge(&facts);
            (job, facts, verdict)
        };
        if verdict.gate == job.migration_gate && !verdict.revoked {
            return Ok((job, facts, verdict));
        }
        let mut tx = self.store().begin().await?;
        let verdict = self.judge_job(&mut tx, &Actor::Worker, id).await?;
        let job = found(jobs::get(&mut tx, id).await?)?;
        let facts = self.facts(&mut tx, &job).await?;
        tx.commit().await?;
        Ok((job, facts, verdict))
    }

    async fn evidence_at(&self, id: JobId) -> Result<Option<String>> {
        Ok(evidence::for_job(&mut *self.store().reader().await?, id).await?.evidence_at)
    }

    async fn facts(&self, conn: &mut Conn, job: &Job) -> Result<Facts> {
        let read = evidence::for_job(conn, job.id).await?;
        let histories = histories(conn, job.id).await?;
        // Only what was read after the last copy counts. An approval that stands is not taken away by age alone:
        // newer evidence decides that.
        let fresh = |evidence: &MailboxEvidence| {
            job.approved_at.is_some()
                || histories.iter().find(|h| h.mailbox == evidence.mailbox_id).is_none_or(|h| h.is_before(evidence))
        };
        let mailboxes = read
            .mailboxes
            .into_iter()
            .map(|m| MailboxFacts {
                depth: m.depth.filter(|_| fresh(&m)),
                email: m.email,
                folders: m
                    .folders
                    .into_iter()
                    .map(|f| FolderFacts {
                        source_path: f.source_path,
                        special_use: f.special_use,
                        mapped: f.dest_path.is_some(),
                        visited: f.visited,
                        tally: f.tally,
                        changed: f.changed,
                        rewritten: f.rewritten,
                        flags_lost: f.flags_lost,
                    })
                    .collect(),
            })
            .collect();
        let approval = match jobs::approval(conn, job.id).await? {
            Some(row) => {
                let by =
                    users::get(conn, row.approved_by).await?.map_or_else(|| row.approved_by.to_string(), |u| u.email);
                Some(Approval { evidence_id: row.evidence_id, override_reason: row.override_reason, by })
            }
            None => None,
        };
        Ok(Facts {
            min_ratio: self.config().gate_min_ratio,
            delta_max_age_seconds: DELTA_MAX_AGE_SECONDS,
            now_seconds: clock::seconds(),
            sampled_at: clock::now(),
            mailboxes,
            initial_done: histories.iter().all(|h| h.initial_done),
            last_delta: worst_delta(&histories),
            current_evidence: read.evidence_id,
            approval,
            dns_cutover: job.dns_cutover_at.is_some(),
        })
    }
}

/// What the runs of one mailbox say.
struct History {
    mailbox: MailboxId,
    initial_done: bool,
    delta: Option<DeltaFacts>,
    /// The newest runs that may have changed something at the destination: when they ended, or none while at work.
    copies: Vec<(RunId, Option<String>)>,
}

impl History {
    /// Whether this was read after the last copy; a `final` run's own proof was.
    fn is_before(&self, evidence: &MailboxEvidence) -> bool {
        self.copies.iter().all(|(run, ended)| {
            evidence.run_id == Some(*run)
                || ended.as_ref().zip(evidence.read_at.as_ref()).is_some_and(|(ended, read)| read >= ended)
        })
    }
}

/// How many of a mailbox's newest runs are looked at: more than can lie between two verifications in practice, and
/// what is older than these and never verified shows as pending or as unverified all the same.
const RUNS_LOOKED_AT: u32 = 200;

async fn histories(conn: &mut Conn, job: JobId) -> Result<Vec<History>> {
    let mut all = Vec::new();
    for mailbox in mailboxes::list(conn, job).await? {
        let initial = runs::latest_finished(conn, mailbox.id, &[RunType::Initial]).await?;
        let delta = runs::latest_finished(conn, mailbox.id, &[RunType::Delta, RunType::Final]).await?;
        let filter = runs::RunFilter { mailbox_id: Some(mailbox.id), ..runs::RunFilter::default() };
        let newest = PageQuery { per_page: RUNS_LOOKED_AT, ..PageQuery::default() };
        let copies = runs::list(conn, &filter, &newest).await?.items;
        let pending = match &delta {
            Some(_) => messages::pending(conn, mailbox.id).await?,
            None => 0,
        };
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
            copies: copies.into_iter().filter(may_have_copied).map(|r| (r.id, r.finished_at)).collect(),
        });
    }
    Ok(all)
}

fn figure(run: &Run, name: &str) -> i64 {
    run.stats.get(name).and_then(serde_json::Value::as_i64).unwrap_or(0)
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

fn phase_allows_approval(phase: Phase) -> bool {
    phase == Phase::CutoverReady || phase::allowed(phase, Phase::CutoverReady, None)
}

/// What an approval signs, in short: each check with how it came out.
fn statuses(verdict: &Verdict) -> BTreeMap<&'static str, CheckStatus> {
    verdict.checks.iter().map(|c| (c.check_id.as_str(), c.status)).collect()
}

fn failing(verdict: &Verdict) -> Vec<gatepost_contract::Check> {
    verdict
        .checks
        .iter()
        .filter(|c| c.status == CheckStatus::Fail && c.check_id != CheckId::ManualApproval)
        .cloned()
        .collect()
}
