//! The audit log: every change of a phase, a gate, a waiver, an approval, and of the Desk's own nouns.

use crate::{Actor, Error, Gatepost, Result, clock, users::checked_page, validate::Checker};
use gatepost_contract::{AuditEntry, AuditFilter, AuditId, AuditProof, BrokenAudit, JobId, Page, PageQuery};
use gatepost_store::{Conn, audit};
use serde::Serialize;
use time::macros::format_description;

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

    /// Names somebody who is no actor of the Desk.
    pub fn by(mut self, label: &str) -> Self {
        self.actor = label.to_owned();
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
        may_read(actor)?;
        let filter = in_time(filter)?;
        Ok(audit::list(&mut *self.store().reader().await?, &filter, &checked_page(page)?).await?)
    }

    /// The rows that follow a row, oldest first and at most [`EXPORT_ROWS`] of them, for reading all of the log. An empty
    /// answer is its end.
    pub async fn audit_following(&self, actor: &Actor, filter: AuditFilter, after: AuditId) -> Result<Vec<AuditEntry>> {
        may_read(actor)?;
        let filter = in_time(filter)?;
        Ok(audit::following(&mut *self.store().reader().await?, &filter, after, EXPORT_ROWS).await?)
    }

    /// The newest rows about one job, for its page.
    pub async fn job_audit(&self, actor: &Actor, job: JobId, count: u32) -> Result<Vec<AuditEntry>> {
        actor.staff()?;
        let filter = AuditFilter { job_id: Some(job), ..AuditFilter::default() };
        let page = PageQuery { per_page: count.clamp(1, 200), ..PageQuery::default() };
        Ok(audit::list(&mut *self.store().reader().await?, &filter, &page).await?.items)
    }

    /// Follows the chain from its first row to its last. `kept` is a head `ID:HASH` that was written down elsewhere: the
    /// row of that number must still have that hash.
    pub async fn verify_audit(&self, actor: &Actor, kept: Option<&str>) -> Result<AuditProof> {
        may_read(actor)?;
        let kept = kept.map(str::parse::<audit::Head>).transpose().map_err(|()| {
            Error::field(
                "head",
                "is no head of the log; it is written as ID:HASH, as `gatepost audit verify` prints it",
            )
        })?;
        let report = audit::verify(&mut *self.store().reader().await?, kept.as_ref()).await?;
        Ok(AuditProof {
            rows: report.rows,
            head: report.head,
            broken: report.first_bad.map(|(id, reason)| BrokenAudit { id, reason }),
        })
    }
}

/// How many rows [`Gatepost::audit_following`] answers at most.
pub const EXPORT_ROWS: u32 = 1000;

fn may_read(actor: &Actor) -> Result<()> {
    if matches!(actor, Actor::Cli) { Ok(()) } else { actor.approve() }
}

/// The filter with its times as the log writes them. A day alone begins with its first millisecond, as `since`, and ends
/// with its last, as `until`.
fn in_time(mut filter: AuditFilter) -> Result<AuditFilter> {
    let mut checker = Checker::new();
    for (name, time, last) in [("since", &mut filter.since, false), ("until", &mut filter.until, true)] {
        let Some(text) = time.as_deref().map(str::trim) else { continue };
        if text.is_empty() {
            *time = None;
            continue;
        }
        let day = time::Date::parse(text, format_description!("[year]-[month]-[day]")).ok();
        let day = day.and_then(|day| if last { day.next_day() } else { Some(day) });
        match day.map(|day| day.midnight().assume_utc()).or_else(|| clock::parse(text)) {
            Some(at) => *time = Some(clock::text(at)),
            None => checker.error(name, "must be a day such as 2026-11-21 or an RFC 3339 time"),
        }
    }
    checker.finish()?;
    Ok(filter)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_means_all_of_it_and_what_is_no_time_is_refused() {
        let of = |since: &str, until: &str| {
            let filter = AuditFilter { since: Some(since.into()), until: Some(until.into()), ..AuditFilter::default() };
            in_time(filter).map(|filter| (filter.since, filter.until))
        };
        let text = |text: &str| Some(text.to_owned());
        assert_eq!(
            of("2026-11-21", " 2026-12-31 ").unwrap(),
            (text("2026-11-21T00:00:00.000Z"), text("2027-01-01T00:00:00.000Z"))
        );
        assert_eq!(
            of("2026-11-21T03:00:00-03:00", "2026-11-21T04:12:00.5Z").unwrap(),
            (text("2026-11-21T06:00:00.000Z"), text("2026-11-21T04:12:00.500Z"))
        );
        assert_eq!(of("", "  ").unwrap(), (None, None));
        for wrong in ["yesterday", "2026-02-30", "21.11.2026", "'; DROP TABLE audit_log; --"] {
            let Err(Error::Invalid(errors)) = of(wrong, wrong) else { panic!("{wrong} was accepted") };
            assert_eq!(errors.iter().map(|e| e.field.as_str()).collect::<Vec<_>>(), ["since", "until"]);
        }
    }
}
