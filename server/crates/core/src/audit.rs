//! The audit log: every change of a phase, a gate, a waiver, an approval, and of the Desk's own nouns.

use crate::{Actor, Gatepost, Result, clock, users::checked_page};
use gatepost_contract::{AuditEntry, AuditFilter, AuditId, JobId, Page, PageQuery};
use gatepost_store::{Conn, audit};
use serde::Serialize;

/// What a check of the chain found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AuditProof {
    /// Rows that were checked.
    pub rows: i64,
    /// The hash of the last good row: written down elsewhere, it proves that nothing was cut off later.
    pub head: String,
    /// The first row that is not as it was written.
    pub broken: Option<BrokenAudit>,
}

/// A row that was changed, removed or moved.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct BrokenAudit {
    /// Which.
    pub id: AuditId,
    /// How it shows.
    pub reason: String,
}

/// A row to be written, within the transaction that it tells of.
pub(crate) struct Entry {
    actor: String,
    action: &'static str,
    job: Option<JobId>,
    subject: String,
    before: Option<String>,
    after: Option<String>,
    reason: Option<String>,
}

impl Entry {
    pub fn new(actor: &Actor, action: &'static str, subject: String) -> Self {
        Self { actor: actor.label(), action, job: None, subject, before: None, after: None, reason: None }
    }

    pub fn job(mut self, job: JobId) -> Self {
        self.job = Some(job);
        self
    }

    pub fn before(mut self, value: &impl Serialize) -> Self {
        self.before = serde_json::to_string(value).ok();
        self
    }

    pub fn after(mut self, value: &impl Serialize) -> Self {
        self.after = serde_json::to_string(value).ok();
        self
    }

    pub fn reason(mut self, reason: impl Into<String>) -> Self {
        self.reason = Some(reason.into());
        self
    }

    pub async fn write(self, tx: &mut Conn) -> Result<AuditId> {
        let at = clock::now();
        let row = audit::NewAudit {
            at: &at,
            actor: &self.actor,
            action: self.action,
            job_id: self.job,
            subject: &self.subject,
            before: self.before.as_deref(),
            after: self.after.as_deref(),
            reason: self.reason.as_deref(),
        };
        Ok(audit::append(tx, &row).await?)
    }
}

impl Gatepost {
    /// Lists the log, newest first.
    pub async fn audit(&self, actor: &Actor, filter: AuditFilter, page: PageQuery) -> Result<Page<AuditEntry>> {
        if !matches!(actor, Actor::Cli) {
            actor.approve()?;
        }
        Ok(audit::list(&mut *self.store().reader().await?, &filter, &checked_page(page)?).await?)
    }

    /// The newest rows about one job, for its page.
    pub async fn job_audit(&self, actor: &Actor, job: JobId, count: u32) -> Result<Vec<AuditEntry>> {
        actor.staff()?;
        let filter = AuditFilter { job_id: Some(job), ..AuditFilter::default() };
        let page = PageQuery { per_page: count.clamp(1, 200), ..PageQuery::default() };
        Ok(audit::list(&mut *self.store().reader().await?, &filter, &page).await?.items)
    }

    /// Follows the chain from its first row to its last.
    pub async fn verify_audit(&self, actor: &Actor) -> Result<AuditProof> {
        if !matches!(actor, Actor::Cli) {
            actor.approve()?;
        }
        let report = audit::verify(&mut *self.store().reader().await?).await?;
        Ok(AuditProof {
            rows: report.rows,
            head: report.head,
            broken: report.first_bad.map(|(id, reason)| BrokenAudit { id, reason }),
        })
    }
}
