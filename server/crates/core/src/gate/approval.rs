//! The approval: a person's word on one evidence, with the figures that it signs. Of several that are given at once
//! one is taken.

use super::{facts::under, failing, phase_allows_approval};
use crate::{Actor, Error, Gatepost, Result, audit::Entry, clock, jobs::found, validate};
use gatepost_contract::{ApproveGate, CheckStatus, EvidenceId, GateView, Job, JobId, Role};
use gatepost_gate::{Facts, Verdict, figures, judge};
use gatepost_store::{Conn, evidence, jobs, users};
use serde_json::json;
use std::collections::BTreeMap;

impl Gatepost {
    /// Approves the gate, on the newest evidence. With `override`, in spite of failing checks.
    ///
    /// # Errors
    /// `already_approved` where that evidence carries an approval, `evidence_replaced` where it is not the newest any
    /// more, `gate_checks_failed` while a check fails and is not overridden.
    pub async fn approve_gate(&self, actor: &Actor, id: JobId, request: ApproveGate) -> Result<GateView> {
        actor.approve()?;
        let Actor::User { id: user, .. } = actor else {
            return Err(Error::Forbidden("Only a person can approve a gate.".into()));
        };
        if request.override_checks {
            self.may_override(actor)?;
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
        // An approval that no longer stands is taken away first, so that it does not pass for one that does.
        self.judge_job(&mut tx, &Actor::Worker, id).await?;
        let job = found(jobs::get(&mut tx, id).await?)?;
        // Judged as if nobody had approved yet: on evidence read after the last copy.
        let facts = self.facts(&mut tx, &Job { approved_at: None, ..job.clone() }).await?;
        let verdict = judge(&Facts { approval: None, ..facts.clone() });
        let former = jobs::approval(&mut tx, id).await?;
        if former.as_ref().is_some_and(|former| former.evidence_id == facts.current_evidence) {
            return Err(already(&mut tx, id).await?);
        }
        if request.override_checks && facts.current_evidence.is_none() {
            return Err(Error::conflict(
                "no_evidence",
                "An override is bound to evidence. Verify every mailbox first; the result may be as bad as it is.",
            ));
        }
        if !phase_allows_approval(job.phase) {
            return Err(Error::Conflict {
                code: "gate_checks_failed",
                detail: format!("A job in phase {} cannot be approved yet. {}", job.phase, verdict.reason),
                checks: failing(&verdict),
            });
        }
        if let Some(seen) = request.evidence_id
            && facts.current_evidence != Some(seen)
        {
            return Err(replaced(&mut tx, id, &facts, seen).await?);
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
            signed: Some(facts.figures()),
            note: note.clone(),
            override_reason: overridden.clone(),
        };
        let former = former.map(|former| former.approved_at);
        if !jobs::approve(&mut tx, id, &row, former.as_deref(), &now).await? {
            return Err(already(&mut tx, id).await?);
        }
        let action = if overridden.is_some() { "gate.override" } else { "gate.approve" };
        Entry::new(actor, action, format!("job/{id}"))
            .job(id)
            .before(&json!({"gate": job.migration_gate, "checks": statuses(&verdict)}))
            .after(&json!({"evidence_id": facts.current_evidence, "signed": row.signed}))
            .reason(overridden.or(note).unwrap_or_else(|| "approved".into()))
            .write(&mut tx)
            .await?;
        self.judge_job(&mut tx, actor, id).await?;
        tx.commit().await?;
        self.gate_view(actor, id).await
    }

    fn may_override(&self, actor: &Actor) -> Result<()> {
        if actor.role().is_some_and(|role| self.config().override_roles.contains(&role)) {
            return Ok(());
        }
        let roles: Vec<&str> = self.config().override_roles.iter().map(|r| Role::as_str(*r)).collect();
        Err(Error::Forbidden(format!("Only these roles may override a gate: {}.", roles.join(", "))))
    }
}

/// The refusal of a second approval, which names the first.
async fn already(tx: &mut Conn, id: JobId) -> Result<Error> {
    let Some(approval) = jobs::approval(tx, id).await? else {
        return Ok(Error::conflict("already_approved", "Somebody else has approved meanwhile. Look again."));
    };
    let by = users::get(tx, approval.approved_by).await?.map_or_else(|| approval.approved_by.to_string(), |u| u.email);
    let on = approval.evidence_id.map(|id| format!(" on evidence {id}")).unwrap_or_default();
    let at = approval.approved_at;
    Ok(Error::conflict("already_approved", format!("{by} has approved this gate already, at {at}{on}.")))
}

/// The refusal of an approval on evidence that is not the newest, with what has changed since.
async fn replaced(tx: &mut Conn, id: JobId, facts: &Facts, seen: EvidenceId) -> Result<Error> {
    let former = evidence::as_of(tx, id, seen).await?;
    let Some(newest) = facts.current_evidence else {
        let detail = format!("Evidence {seen} is no longer whole: a mailbox has not been verified yet. Verify again.");
        return Ok(Error::Replaced { detail, changes: Vec::new() });
    };
    let newest_at = clock::to_the_minute(facts.evidence_at.as_deref().unwrap_or_default());
    if former.evidence_id != Some(seen) {
        let detail = format!("This job has no evidence {seen}; the newest is {newest}, read at {newest_at}. Read it.");
        return Ok(Error::Replaced { detail, changes: Vec::new() });
    }
    let changes = figures::changes(&under(facts, former).figures(), &facts.figures());
    let what = match figures::in_words(&changes) {
        none if none.is_empty() => "no figure has changed".to_owned(),
        some => format!("since then {some}"),
    };
    let detail = format!(
        "Evidence {seen} was replaced by evidence {newest}, read at {newest_at}: {what}. Read it, then approve again."
    );
    Ok(Error::Replaced { detail, changes })
}

/// What an approval signs, in short: each check with how it came out.
fn statuses(verdict: &Verdict) -> BTreeMap<&'static str, CheckStatus> {
    verdict.checks.iter().map(|c| (c.check_id.as_str(), c.status)).collect()
}
