//! What happened to a job, in the order in which it happened: phases, verdicts, approvals, waivers, runs, DNS, reports.

use crate::{Actor, Gatepost, Result, jobs::found, users::checked_page};
use gatepost_contract::{JobId, Page, PageQuery, TimelineEntry, TimelineFilter};
use gatepost_store::{jobs, timeline};

impl Gatepost {
    /// A job's timeline, newest first unless asked otherwise. For staff: it tells the reasons that people gave.
    pub async fn timeline(
        &self,
        actor: &Actor,
        id: JobId,
        filter: TimelineFilter,
        page: PageQuery,
    ) -> Result<Page<TimelineEntry>> {
        actor.staff()?;
        let mut conn = self.store().reader().await?;
        found(jobs::get(&mut conn, id).await?)?;
        Ok(timeline::list(&mut conn, id, &filter, &checked_page(page)?).await?)
    }
}
