//! Evidence and residue: what verification found, message by message, and what is given up on purpose.

use crate::{Actor, Error, Gatepost, Result, audit::Entry, clock, jobs::found, users::checked_page, validate::Checker};
use gatepost_contract::{
    JobEvidence, JobId, MessageId, MessageState, Page, PageQuery, Residue, ResidueFilter, Scope, Tally, WaiveRequest,
};
use gatepost_store::{evidence, jobs, messages, runs, waivers};

impl Gatepost {
    /// The latest evidence of a job.
    pub async fn evidence(&self, actor: &Actor, job: JobId) -> Result<JobEvidence> {
        actor.read(Scope::JobsRead)?;
        let mut conn = self.store().reader().await?;
        found(jobs::get(&mut conn, job).await?)?;
        Ok(evidence::for_job(&mut conn, job).await?)
    }

    /// The messages of a job that have not arrived as they should.
    pub async fn residue(
        &self,
        actor: &Actor,
        job: JobId,
        filter: ResidueFilter,
        page: PageQuery,
    ) -> Result<Page<Residue>> {
        actor.staff()?;
        let mut conn = self.store().reader().await?;
        found(jobs::get(&mut conn, job).await?)?;
        Ok(messages::residue(&mut conn, job, &filter, &checked_page(page)?).await?)
    }

    /// Gives a message up on purpose. It stays in the sum as *waived*, with who and why.
    pub async fn waive(&self, actor: &Actor, id: MessageId, request: WaiveRequest) -> Result<()> {
        actor.approve()?;
        let mut checker = Checker::new();
        let reason = checker.text("reason", &request.reason, 10..=2000, true);
        checker.finish()?;
        let now = clock::now();
        let mut tx = self.store().begin().await?;
        let message = messages::get(&mut tx, id).await?.ok_or(Error::NotFound("message"))?;
        let (state, mailbox) = (message.residue.state, message.residue.mailbox_id);
        if runs::active_for_job(&mut tx, message.job_id).await?.iter().any(|r| r.mailbox_id == Some(mailbox)) {
            return Err(Error::conflict(
                "already_running",
                "A run is at work on this mailbox. Wait for it, then waive.",
            ));
        }
        if !messages::set_waived(&mut tx, id).await? {
            return Err(Error::conflict(
                "not_missing",
                format!("Only missing, refused or changed messages can be waived; this one is {state}."),
            ));
        }
        waivers::add(&mut tx, mailbox, id, &actor.label(), &reason, &now).await?;
        // Evidence is never changed: a waiver makes new evidence that replaces the old.
        if let Some((old, read)) = evidence::latest(&mut tx, mailbox).await? {
            let mut folders = read.folders;
            if let Some(folder) = folders.iter_mut().find(|f| f.folder_id == Some(message.folder_id)) {
                let from = match state {
                    MessageState::Pending => &mut folder.tally.pending,
                    MessageState::Quarantined => &mut folder.tally.quarantined,
                    _ => &mut folder.tally.arrived,
                };
                if *from > 0 {
                    *from -= 1;
                    folder.tally.waived += 1;
                    folder.changed -= i64::from(state == MessageState::Arrived && folder.changed > 0);
                }
            }
            let mut tally = Tally::default();
            for folder in &folders {
                tally += folder.tally;
            }
            let row = evidence::NewEvidence {
                job_id: message.job_id,
                mailbox_id: mailbox,
                run_id: read.run_id.ok_or(Error::NotFound("run"))?,
                replaces: Some(old),
                depth: read.depth.unwrap_or(gatepost_contract::Depth::Standard),
                read_at: read.read_at.unwrap_or(now),
                tally,
                folders,
            };
            evidence::add(&mut tx, &row).await?;
        }
        Entry::new(actor, "message.waive", format!("message/{id}"))
            .job(message.job_id)
            .before(&state)
            .after(&MessageState::Waived)
            .reason(reason)
            .write(&mut tx)
            .await?;
        self.judge_job(&mut tx, actor, message.job_id).await?;
        tx.commit().await?;
        Ok(())
    }
}
