//! The pages of one job, side by side.

use gatepost_contract::JobId;
use leptos::prelude::*;

/// A page of a job.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum JobTab {
    /// Where it stands.
    Overview,
    /// What verification read.
    Evidence,
    /// What is missing.
    Residue,
    /// What was refused.
    Quarantine,
    /// The domain's DNS, before and after.
    Cutover,
    /// The report and the links to it.
    Report,
    /// What it does by itself.
    Schedule,
    /// Who consented to what.
    Consents,
    /// What happened, in order.
    Timeline,
}

impl JobTab {
    const ALL: [Self; 9] = [
        Self::Overview,
        Self::Evidence,
        Self::Residue,
        Self::Quarantine,
        Self::Schedule,
        Self::Consents,
        Self::Cutover,
        Self::Report,
        Self::Timeline,
    ];

    fn below(self) -> &'static str {
        match self {
            Self::Overview => "",
            Self::Evidence => "/evidence",
            Self::Residue => "/residue",
            Self::Quarantine => "/quarantine",
            Self::Cutover => "/cutover",
            Self::Report => "/report",
            Self::Schedule => "/schedule",
            Self::Consents => "/consents",
            Self::Timeline => "/timeline",
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Overview => t!(tabs.overview),
            Self::Evidence => t!(tabs.evidence),
            Self::Residue => t!(tabs.residue),
            Self::Quarantine => t!(tabs.quarantine),
            Self::Cutover => t!(tabs.cutover),
            Self::Report => t!(tabs.report),
            Self::Schedule => t!(tabs.schedule),
            Self::Consents => t!(consent.tab),
            Self::Timeline => t!(tabs.timeline),
        }
    }
}

/// Links to a job's pages, the present one marked.
#[component]
pub fn JobTabs(id: JobId, current: JobTab) -> AnyView {
    let tabs = JobTab::ALL.map(|tab| {
        let here = (tab == current).then_some("page");
        view! { <li><a href=format!("/jobs/{id}{}", tab.below()) aria-current=here>{tab.name()}</a></li> }
    });
    view! { <nav class="tabs" aria-label=t!(tabs.label)><ul>{tabs.collect_view()}</ul></nav> }.into_any()
}
