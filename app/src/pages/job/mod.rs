//! Jobs: the list, the job itself, its evidence, its gate.

pub mod approve;
pub mod cutover;
pub mod discover;
mod dns_records;
pub mod edit;
pub mod evidence;
mod gate;
pub mod history;
pub mod links;
pub mod list;
pub mod logins;
pub mod message;
pub mod new;
pub mod quarantine;
pub mod report;
pub mod residue;
mod residue_form;
mod residue_rows;
pub mod schedule;
pub mod show;
mod start;
pub mod timeline;
mod waivers;

use gatepost_contract::Job;

/// The way up from a page below a job.
pub fn crumbs(job: &Job) -> Vec<(String, String)> {
    vec![("/jobs".to_owned(), t!(nav.jobs).to_owned()), (format!("/jobs/{}", job.id), job.domain.clone())]
}
