//! Jobs: the list, the job itself, its evidence, its gate.

pub mod approve;
pub mod edit;
pub mod evidence;
mod gate;
pub mod history;
pub mod list;
pub mod new;
pub mod residue;
pub mod show;
mod start;

use gatepost_contract::Job;

/// The way up from a page below a job.
pub fn crumbs(job: &Job) -> Vec<(String, String)> {
    vec![("/jobs".to_owned(), t!(nav.jobs).to_owned()), (format!("/jobs/{}", job.id), job.domain.clone())]
}
