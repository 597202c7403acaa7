//! What stands where: a page for one glance, the contents, then the grounds in the order in which one asks for them.

mod checks;
mod contents;
mod cover;
mod dns;
mod engines;
mod folders;
mod history;
mod mailboxes;
mod proof;
mod residue;

use super::{Paper, charts, flow::Flow};
use crate::model::Edition;

/// Fills the pages.
pub fn all(flow: &mut Flow, paper: &Paper<'_>) {
    let report = paper.report;
    let full = report.edition == Edition::Full;
    cover::page(flow, paper);
    flow.turn();
    let contents = flow.pages();
    flow.turn();
    checks::section(flow, report);
    mailboxes::section(flow, report);
    if full {
        folders::section(flow, report);
    }
    charts::section(flow, report);
    if full {
        residue::section(flow, report);
        residue::quarantine(flow, report);
    }
    residue::waivers(flow, report);
    dns::section(flow, report);
    engines::section(flow, report);
    history::timeline(flow, report);
    if full {
        history::audit(flow, report);
    }
    proof::section(flow, paper);
    contents::page(flow, contents);
}
