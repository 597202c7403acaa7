//! Settings of an old server that were found from a domain: the form that asks, the proposals, what was asked.

use crate::{
    components::{Badge, Empty, Fact, Icon, Shape, Table, Tone, field_id, head, head_actions},
    context::{Desk, encode},
    i18n::{Said, names},
};
use gatepost_contract::{
    Confidence, Discovery, DiscoveryQuery, LoginName, Problem, Proposal, ProposalOrigin, SearchOutcome, Searched,
};
use leptos::prelude::*;

/// What was asked for, as the query of a page has it.
pub struct Finding {
    /// An address or a domain; empty where nobody asked.
    pub find: String,
    /// The proposal that was chosen, by its key; empty where none was.
    pub take: String,
}

impl Finding {
    /// From the page's query.
    pub fn asked() -> Self {
        Self { find: crate::components::query("find"), take: crate::components::query("take") }
    }

    fn query(&self) -> DiscoveryQuery {
        let text = Some(self.find.clone());
        match self.find.contains('@') {
            true => DiscoveryQuery { email: text, domain: None },
            false => DiscoveryQuery { domain: text, email: None },
        }
    }

    /// The address, where one was asked for.
    pub fn address(&self) -> String {
        if self.find.contains('@') { self.find.clone() } else { String::new() }
    }

    /// What was found; nothing where nobody asked.
    pub async fn found(&self, desk: &Desk) -> Option<Result<Discovery, Problem>> {
        if self.find.is_empty() {
            return None;
        }
        Some(desk.gatepost.discover(&desk.actor, &self.query()).await.map_err(Problem::from))
    }

    /// The proposal that was chosen, if it is one of those that were found.
    pub fn taken(&self, found: Option<&Result<Discovery, Problem>>) -> Option<Proposal> {
        let found = found?.as_ref().ok()?;
        found.proposals.iter().find(|one| one.key() == self.take).cloned()
    }
}

/// The field that asks. A GET, so that what was found has an address of its own.
#[component]
pub fn FindForm(
    /// The page.
    action: String,
    /// What is in the field.
    value: String,
) -> AnyView {
    let id = field_id("find");
    view! {
        <form method="get" action=action class="form" role="search">
            <div class="field">
                <label for=id.clone()>{t!(discover.find_label)}</label>
                <p class="hint" id=format!("{id}-hint")>{t!(discover.find_hint)}</p>
                <input id=id.clone() name="find" type="text" value=value required=true maxlength="320" autocomplete="off" spellcheck="false" aria-describedby=format!("{id}-hint")/>
            </div>
            <div class="submit"><button type="submit" class="button">{t!(discover.find)}</button></div>
        </form>
    }
    .into_any()
}

/// What was found, with a link for each proposal, or why nothing could be looked for.
pub fn findings(found: Result<Discovery, Problem>, links: impl Fn(&Proposal) -> AnyView) -> AnyView {
    let found = match found {
        Ok(found) => found,
        Err(problem) => return view! { <p class="notice bad" role="alert"><Said text=problem.detail/></p> }.into_any(),
    };
    let notes = (!found.notes.is_empty()).then(|| {
        let notes = found.notes.iter().map(|note| {
            view! { <li><Icon shape=Shape::Warn/><span><Said text=note.clone()/></span></li> }
        });
        view! { <ul class="warnings" aria-label=t!(warning.label)>{notes.collect_view()}</ul> }
    });
    let proposals = if found.proposals.is_empty() {
        view! { <Empty text=t!(discover.none)/> }.into_any()
    } else {
        proposal_table(&found, links)
    };
    view! {
        <section aria-labelledby="proposals">
            <h2 id="proposals">{t!(discover.for_, domain = found.domain.clone())}</h2>
            <p class="lead">{t!(discover.lead)}</p>
            {notes}
            <dl class="facts wide">
                <Fact name=t!(discover.mx)>{if found.mx.is_empty() { "–".to_owned() } else { found.mx.join(", ") }}</Fact>
                {found.provider.clone().map(|name| view! { <Fact name=t!(discover.provider)>{name}</Fact> })}
            </dl>
            {proposals}
            <details>
                <summary>{t!(discover.searched)}</summary>
                {searched_table(found.searched)}
            </details>
        </section>
    }
    .into_any()
}

fn proposal_table(found: &Discovery, links: impl Fn(&Proposal) -> AnyView) -> AnyView {
    let heads = vec![
        head(t!(discover.server)),
        head(t!(discover.confidence)),
        head(t!(discover.login)),
        head(t!(discover.why)),
        head_actions(),
    ];
    let rows = found.proposals.iter().map(|one| {
        let login = match one.login {
            LoginName::Address => t!(discover.login_address),
            LoginName::Local => t!(discover.login_local),
            LoginName::Other => t!(discover.login_other),
        };
        let origins: Vec<&str> = one.origins.iter().map(|origin| way(*origin)).collect();
        view! {
            <tr>
                <th scope="row" data-label=t!(discover.server)>
                    <span>
                        {format!("{}:{}", one.host, one.port)}
                        <small>{format!("{} · {}", names::security(one.security), names::source_type(one.source_type))}</small>
                    </span>
                </th>
                <td data-label=t!(discover.confidence)><ConfidenceBadge confidence=one.confidence/></td>
                <td data-label=t!(discover.login)>{login}</td>
                <td data-label=t!(discover.why)>
                    <span>
                        <small>{origins.join(", ")}</small>
                        <Said text=one.why.clone()/>
                        {one.advice.clone().map(|advice| view! { <p class="note"><Said text=advice/></p> })}
                    </span>
                </td>
                <td>{links(one)}</td>
            </tr>
        }
    });
    let rows = rows.collect_view().into_any();
    view! { <Table caption=t!(discover.for_, domain = found.domain.clone()) heads rows/> }.into_any()
}

fn searched_table(all: Vec<Searched>) -> AnyView {
    let heads = vec![head(t!(discover.way)), head(t!(discover.outcome)), head(t!(discover.details))];
    let rows = all.into_iter().map(|one| {
        let outcome = match one.outcome {
            SearchOutcome::Found => t!(discover.found),
            SearchOutcome::Nothing => t!(discover.nothing),
            SearchOutcome::Failed => t!(discover.failed),
            SearchOutcome::Skipped => t!(discover.skipped),
        };
        view! {
            <tr>
                <th scope="row" data-label=t!(discover.way)>{way(one.way)}</th>
                <td data-label=t!(discover.outcome)>{outcome}</td>
                <td data-label=t!(discover.details)><Said text=one.sentence/></td>
            </tr>
        }
    });
    let rows = rows.collect_view().into_any();
    view! { <Table caption=t!(discover.searched).to_owned() heads rows/> }.into_any()
}

fn way(origin: ProposalOrigin) -> &'static str {
    match origin {
        ProposalOrigin::Srv => t!(discover.way_srv),
        ProposalOrigin::Autoconfig => t!(discover.way_autoconfig),
        ProposalOrigin::Ispdb => t!(discover.way_ispdb),
        ProposalOrigin::Autodiscover => t!(discover.way_autodiscover),
        ProposalOrigin::Provider => t!(discover.way_provider),
        ProposalOrigin::Guess => t!(discover.way_guess),
    }
}

/// How sure a proposal is.
#[component]
fn ConfidenceBadge(confidence: Confidence) -> AnyView {
    let (tone, shape, text) = match confidence {
        Confidence::Sure => (Tone::Good, Shape::Check, t!(discover.sure)),
        Confidence::Likely => (Tone::Busy, Shape::Dot, t!(discover.likely)),
        Confidence::Possible => (Tone::Warn, Shape::Warn, t!(discover.possible)),
    };
    view! { <Badge tone shape text/> }.into_any()
}

/// A link that takes a proposal into a page's form.
pub fn take_link(path: &str, finding: &str, one: &Proposal, text: &'static str) -> AnyView {
    let href = format!("{path}?find={}&take={}", encode(finding), encode(&one.key()));
    let of = format!(" {}:{}", one.host, one.port);
    view! { <a class="button small" href=href>{text}<span class="hidden">{of}</span></a> }.into_any()
}

/// What says that the form is filled from a proposal.
#[component]
pub fn Taken(proposal: Proposal) -> AnyView {
    let server = format!("{}:{}", proposal.host, proposal.port);
    view! {
        <div class="notice good" role="status">
            <p>{t!(discover.taken, server = server)}</p>
            {proposal.advice.map(|advice| view! { <p><Said text=advice/></p> })}
        </div>
    }
    .into_any()
}
