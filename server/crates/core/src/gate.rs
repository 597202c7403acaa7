//! The gate: its verdict in the store, and what people and set-up wizards are told.
//!
//! Whatever may change a verdict ends with [`Gatepost::judge_job`] in the same transaction. Time changes it too (a delta
//! and evidence grow old), so an answer is judged anew when it is asked for.

mod approval;
mod facts;
#[cfg(test)]
mod tests;

use crate::{Actor, Error, Gatepost, Result, audit::Entry, clock, jobs::found, phases, validate};
use gatepost_contract::{
    Check, CheckId, CheckStatus, Gate, GateAnswer, GateChange, GateView, Job, JobId, Phase, Scope,
};
use gatepost_gate::{Facts, Verdict, judge, phase};
use gatepost_store::{Conn, gate_checks, gate_history, jobs};
use serde_json::json;

impl Gatepost {
    /// A job's gate with all that the approval dialog shows.
    pub async fn gate_view(&self, actor: &Actor, id: JobId) -> Result<GateView> {
        actor.read(Scope::JobsRead)?;
        let (job, facts, verdict) = self.judged_now(id).await?;
        let (approval, revocation) = {
            let mut conn = self.store().snapshot().await?;
            (jobs::approval(&mut conn, id).await?, jobs::revocation(&mut conn, id).await?)
        };
        let read = facts.mailboxes.iter().filter_map(|m| m.read_seconds).min();
        let expires = read.filter(|_| facts.current_evidence.is_some() && !facts.dns_cutover);
        let expires = expires.map(|read| read.saturating_add(facts.evidence_max_age_seconds));
        // A standing approval may be renewed on newer evidence.
        let unsigned = approval.as_ref().is_none_or(|approval| approval.evidence_id != facts.current_evidence);
        Ok(GateView {
            job_id: id,
            gate: verdict.gate,
            reason: verdict.reason,
            approvable: verdict.approvable && unsigned && phase_allows_approval(job.phase),
            checks: verdict.checks,
            evidence_id: facts.current_evidence,
            evidence_at: facts.evidence_at.clone(),
            signs: facts.figures(),
            evidence_expires_at: expires
                .and_then(|at| time::OffsetDateTime::from_unix_timestamp(at).ok())
                .map(clock::text),
            approved_by: job.approved_by_email,
            approved_at: job.approved_at,
            approval_note: approval.as_ref().and_then(|approval| approval.note.clone()),
            signed: approval.and_then(|approval| approval.signed),
            override_reason: job.override_reason,
            revoked_at: revocation.as_ref().map(|revocation| revocation.at.clone()),
            revoked_why: revocation.map(|revocation| revocation.why),
        })
    }

    /// Every change of a job's verdict, oldest first.
    pub async fn gate_history(&self, actor: &Actor, id: JobId) -> Result<Vec<GateChange>> {
        actor.read(Scope::JobsRead)?;
        let mut conn = self.store().reader().await?;
        found(jobs::get(&mut conn, id).await?)?;
        Ok(gate_history::list(&mut conn, id).await?)
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

    pub(crate) async fn answer(&self, domain: &str) -> Result<GateAnswer> {
        let known = jobs::by_domain(&mut *self.store().reader().await?, domain).await?;
        let open: Vec<JobId> = known.iter().filter(|j| j.phase != Phase::Closed).map(|j| j.id).collect();
        let mut worst: Option<(Job, Facts, Verdict)> = None;
        for id in open {
            let (job, facts, verdict) = self.judged_now(id).await?;
            if worst.as_ref().is_none_or(|(_, _, w)| verdict.gate < w.gate) {
                worst = Some((job, facts, verdict));
            }
        }
        let Some((job, facts, verdict)) = worst else {
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
            // The oldest part, by whose age the evidence ends.
            evidence_at: facts.evidence_at,
            override_reason: job.override_reason,
        })
    }

    /// Judges a job and stores what changed: checks, gate, a revoked approval, the phase that follows from them.
    pub(crate) async fn judge_job(&self, tx: &mut Conn, actor: &Actor, id: JobId) -> Result<Verdict> {
        let mut job = found(jobs::get(tx, id).await?)?;
        let mut facts = self.facts(tx, &job).await?;
        let mut verdict = verdict_of(&job, &facts);
        let now = clock::now();
        let mut fallen = None;
        if let Some(why) = verdict.revoked_why.take() {
            let given = jobs::approval(tx, id)
                .await?
                .map(|a| json!({"approved_at": a.approved_at, "evidence_id": a.evidence_id, "signed": a.signed}));
            jobs::revoke_approval(tx, id, &why, &now).await?;
            Entry::new(&Actor::Worker, "gate.revoke", format!("job/{id}"))
                .job(id)
                .before(&given)
                .after(&facts.figures())
                .reason(verdict.reason.clone())
                .write(tx)
                .await?;
            fallen = Some(verdict.reason);
            job = found(jobs::get(tx, id).await?)?;
            facts = self.facts(tx, &job).await?;
            verdict = verdict_of(&job, &facts);
        }
        gate_checks::put(tx, id, &verdict.checks).await?;
        if verdict.gate != job.migration_gate || fallen.is_some() {
            let change = GateChange {
                at: now.clone(),
                from: job.migration_gate,
                to: verdict.gate,
                reason: fallen.unwrap_or_else(|| verdict.reason.clone()),
                evidence_id: facts.current_evidence,
                checks: verdict.checks.clone(),
                actor: actor.label(),
            };
            gate_history::add(tx, id, &change).await?;
        }
        if verdict.gate != job.migration_gate {
            jobs::set_gate(tx, id, verdict.gate, &now).await?;
            Entry::new(actor, "gate.change", format!("job/{id}"))
                .job(id)
                .before(&job.migration_gate)
                .after(&verdict.gate)
                .reason(verdict.reason.clone())
                .write(tx)
                .await?;
            crate::webhooks::gate_changed(tx, &job, verdict.gate, &verdict.reason).await?;
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
            let mut conn = self.store().snapshot().await?;
            let job = found(jobs::get(&mut conn, id).await?)?;
            let facts = self.facts(&mut conn, &job).await?;
            let verdict = verdict_of(&job, &facts);
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
}

/// The gate of a job in this phase. A job whose runs have failed for every mailbox proves nothing until it is retried.
fn verdict_of(job: &Job, facts: &Facts) -> Verdict {
    let mut verdict = judge(facts);
    if job.phase == Phase::Failed && !facts.dns_cutover {
        verdict.gate = Gate::Blocked;
        verdict.reason =
            "Blocked: The last runs of the job failed for every mailbox; look at their errors, then retry.".into();
    }
    verdict
}

fn phase_allows_approval(phase: Phase) -> bool {
    phase == Phase::CutoverReady || phase::allowed(phase, Phase::CutoverReady, None)
}

/// The checks that stand against an approval.
pub(crate) fn failing(verdict: &Verdict) -> Vec<Check> {
    verdict
        .checks
        .iter()
        .filter(|c| c.status == CheckStatus::Fail && c.check_id != CheckId::ManualApproval)
        .cloned()
        .collect()
}
