//! Evidence: what verification read on both sides.

use crate::{Actor, Gatepost, Result, jobs::found};
use gatepost_contract::{JobEvidence, JobId, Scope};
use gatepost_store::{evidence, jobs};

impl Gatepost {
    /// The latest evidence of a job.
    pub async fn evidence(&self, actor: &Actor, job: JobId) -> Result<JobEvidence> {
        actor.read(Scope::JobsRead)?;
        let mut conn = self.store().reader().await?;
        found(jobs::get(&mut conn, job).await?)?;
        Ok(evidence::for_job(&mut conn, job).await?)
    }
}
