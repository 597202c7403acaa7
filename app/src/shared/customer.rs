//! The customer's page: how far the move of one domain has come, in plain words. It names no person, no server and no
//! mailbox; mailboxes are counted.

use super::{Look, Refused};
use crate::{
    components::{At, Fact, Icon, Shape, Share, count, size},
    numbers::minute,
};
use gatepost_contract::{Phase, SharedProgress, SharedProof};
use leptos::prelude::*;

/// What surrounds the page.
#[derive(Clone, Copy, Debug)]
pub struct Surroundings<'a> {
    /// The Desk's style sheet.
    pub style_sheet: &'a str,
    /// The page's own address, without a query.
    pub address: &'a str,
}

/// The page.
#[must_use]
pub fn progress(shared: &SharedProgress, look: Look, around: Surroundings<'_>) -> String {
    look.write(|| {
        let title = t!(customer.title, domain = shared.domain.as_str()).to_string();
        let (now, next) = if shared.failed {
            (t!(customer.failed), t!(customer.next_failed))
        } else {
            (now(shared.phase), next(shared.phase))
        };
        let class = match shared.phase {
            _ if shared.failed => "notice bad",
            Phase::CutoverReady | Phase::Verified | Phase::Closed => "notice good",
            _ => "notice",
        };
        let overridden = shared.overridden.then(|| {
            view! { <p class="notice warn"><Icon shape=Shape::Warn/>{t!(customer.overridden)}</p> }
        });
        let switched = shared.dns_cutover_at.clone().map(|at| {
            view! { <Fact name=t!(customer.switched)><At at/></Fact> }
        });
        let share = t!(customer.share);
        let messages = of(count(shared.messages_dest), count(shared.messages_source));
        let volume = of(size(shared.bytes_dest), size(shared.bytes_source));
        let mailboxes = of(count(shared.mailboxes_complete), count(shared.mailboxes));
        let as_of = shared.updated_at.clone();
        let working = shared.at_work.then(|| {
            view! { <span class="badge tone-busy"><Icon shape=Shape::Move/>{t!(customer.at_work)}</span> }
        });
        let footer = t!(customer.footer, domain = shared.domain.as_str(), at = minute(&shared.expires_at)).to_string();
        let content = view! {
            <header>
                <h1>{title.clone()}</h1>
                <p class="lead">{t!(customer.lead)}</p>
            </header>
            <section aria-labelledby="where">
                <h2 id="where" class="hidden">{t!(customer.where_now)}</h2>
                {steps(shared)}
                <p class=class>{now}</p>
                {overridden}
            </section>
            <section class="sheet" aria-labelledby="arrived">
                <h2 id="arrived">{t!(customer.arrived)}</h2>
                {arrived(shared.proof.as_ref())}
            </section>
            <section class="sheet" aria-labelledby="progress">
                <div class="line"><h2 id="progress">{t!(customer.progress)}</h2>{working}</div>
                <Share value=shared.percent label=share.to_owned()/>
                <dl class="facts wide">
                    <Fact name=share>{messages}</Fact>
                    <Fact name=t!(customer.volume)>{volume}</Fact>
                    <Fact name=t!(customer.mailboxes)>{mailboxes}</Fact>
                    {switched}
                    <Fact name=t!(customer.as_of)><At at=as_of/></Fact>
                </dl>
            </section>
            <section class="sheet" aria-labelledby="next">
                <h2 id="next">{t!(customer.next)}</h2>
                <p>{next}</p>
            </section>
            <section class="sheet" aria-labelledby="report">
                <h2 id="report">{t!(customer.report)}</h2>
                <p>{t!(customer.report_lead)}</p>
                <p class="downloads">
                    <a class="button primary" href=format!("{}/report.pdf?lang={}", around.address, look.language())>{t!(customer.report_pdf)}</a>
                    <a class="button" href=format!("{}/report.json", around.address)>{t!(customer.report_json)}</a>
                    <a class="button quiet" href=format!("{}/report.json.sig", around.address)>{t!(customer.report_sig)}</a>
                </p>
            </section>
            <footer><p class="note">{footer}</p></footer>
        };
        document(look, title, around, content.into_any())
    })
}

/// What is shown instead: it says nothing about any job.
#[must_use]
pub fn refused(why: Refused, look: Look, around: Surroundings<'_>) -> String {
    look.write(|| {
        let heading = why.heading();
        let content = view! { <section class="refused"><h1>{heading}</h1><p>{why.sentence()}</p></section> };
        document(look, heading.to_owned(), around, content.into_any())
    })
}

/// The steps as a customer sees them.
const STEPS: usize = 5;

const fn step(phase: Phase) -> usize {
    match phase {
        Phase::Discovered | Phase::Preflight | Phase::Failed => 0,
        Phase::InitialSync => 1,
        Phase::DeltaSync => 2,
        Phase::CutoverReady | Phase::DnsCutover | Phase::FinalSync => 3,
        Phase::Verified | Phase::Closed => 4,
    }
}

fn steps(shared: &SharedProgress) -> AnyView {
    let here = step(shared.phase);
    let ended = matches!(shared.phase, Phase::Verified | Phase::Closed) && !shared.failed;
    let names = [
        t!(customer.step_prepare),
        t!(customer.step_copy),
        t!(customer.step_check),
        t!(customer.step_switch),
        t!(customer.step_done),
    ];
    let items = names.into_iter().enumerate().map(|(place, name)| {
        let (class, shape, word) = match place {
            place if place < here || (place == here && ended) => ("step done", Some(Shape::Check), t!(rail.done)),
            place if place == here && shared.failed => ("step failed", Some(Shape::Cross), t!(rail.failed)),
            place if place == here => ("step here", Some(Shape::Dot), t!(rail.here)),
            _ => ("step", None, t!(rail.ahead)),
        };
        view! {
            <li class=class aria-current=(place == here).then_some("step")>
                <span class="mark">{shape.map(|shape| view! { <Icon shape/> })}</span>
                <span class="name">{name}<span class="hidden">{format!(" ({word})")}</span></span>
            </li>
        }
    });
    let label = t!(customer.step_of, step = here + 1, steps = STEPS).to_string();
    view! { <ol class="rail" aria-label=label>{items.collect_view()}</ol> }.into_any()
}

fn arrived(proof: Option<&SharedProof>) -> AnyView {
    let Some(proof) = proof else {
        return view! { <p>{t!(customer.arrived_unknown)}</p> }.into_any();
    };
    let tally = proof.tally;
    let (class, shape, answer) = if !proof.is_whole() {
        let (arrived, missing) = (count(tally.arrived), count(tally.pending + tally.quarantined));
        let text =
            t!(customer.arrived_no, arrived = arrived, count = count(tally.source), missing = missing).to_string();
        ("notice warn", Shape::Warn, text)
    } else if tally.waived > 0 {
        let (arrived, waived) = (count(tally.arrived), count(tally.waived));
        let text =
            t!(customer.arrived_but, arrived = arrived, count = count(tally.source), waived = waived).to_string();
        ("notice warn", Shape::Check, text)
    } else {
        ("notice good", Shape::Check, t!(customer.arrived_yes, count = count(tally.arrived)).to_string())
    };
    let flawed = (proof.flawed > 0).then(|| {
        view! { <p>{t!(customer.arrived_flawed, count = count(proof.flawed)).to_string()}</p> }
    });
    let compared = t!(customer.compared, at = minute(&proof.read_at)).to_string();
    view! {
        <p class=class><Icon shape/><span>{answer}</span></p>
        {flawed}
        <p class="note">{compared}</p>
    }
    .into_any()
}

fn of(part: String, whole: String) -> String {
    t!(customer.of, part = part, whole = whole).to_string()
}

fn now(phase: Phase) -> &'static str {
    match phase {
        Phase::Discovered => t!(customer.now_discovered),
        Phase::Preflight => t!(customer.now_preflight),
        Phase::InitialSync => t!(customer.now_initial_sync),
        Phase::DeltaSync => t!(customer.now_delta_sync),
        Phase::CutoverReady => t!(customer.now_cutover_ready),
        Phase::DnsCutover => t!(customer.now_dns_cutover),
        Phase::FinalSync => t!(customer.now_final_sync),
        Phase::Verified => t!(customer.now_verified),
        Phase::Closed => t!(customer.now_closed),
        Phase::Failed => t!(customer.failed),
    }
}

fn next(phase: Phase) -> &'static str {
    match phase {
        Phase::Discovered => t!(customer.next_discovered),
        Phase::Preflight => t!(customer.next_preflight),
        Phase::InitialSync => t!(customer.next_initial_sync),
        Phase::DeltaSync => t!(customer.next_delta_sync),
        Phase::CutoverReady => t!(customer.next_cutover_ready),
        Phase::DnsCutover => t!(customer.next_dns_cutover),
        Phase::FinalSync => t!(customer.next_final_sync),
        Phase::Verified => t!(customer.next_verified),
        Phase::Closed => t!(customer.next_closed),
        Phase::Failed => t!(customer.next_failed),
    }
}

pub(super) fn document(look: Look, title: String, around: Surroundings<'_>, content: AnyView) -> String {
    let languages = [("en", "English"), ("pt-BR", "Português")].map(|(code, name)| {
        let here = (code == look.language()).then_some("true");
        view! { <li><a href=format!("{}?lang={code}", around.address) lang=code hreflang=code aria-current=here>{name}</a></li> }
    });
    view! {
        <!DOCTYPE html>
        <html lang=look.language() data-theme="auto">
            <head>
                <meta charset="utf-8"/>
                <meta name="viewport" content="width=device-width, initial-scale=1"/>
                <meta name="color-scheme" content="light dark"/>
                <meta name="robots" content="noindex"/>
                <title>{title}</title>
                <link rel="stylesheet" href=around.style_sheet.to_owned()/>
                <link rel="icon" href="/favicon.svg" type="image/svg+xml"/>
            </head>
            <body class="customer">
                <nav class="languages" aria-label=t!(customer.language)><ul>{languages.collect_view()}</ul></nav>
                <main id="main">{content}</main>
            </body>
        </html>
    }
    .to_html()
}

#[cfg(test)]
mod tests {
    use super::*;
    use gatepost_contract::Tally;

    const AROUND: Surroundings<'static> = Surroundings { style_sheet: "/pkg/x/gatepost.css", address: "/c/1.n.s" };

    fn shared(phase: Phase, proof: Option<SharedProof>) -> SharedProgress {
        SharedProgress {
            domain: "example.org".into(),
            phase,
            failed: false,
            at_work: true,
            mailboxes: 4,
            mailboxes_complete: 3,
            messages_source: 12_000,
            messages_dest: 11_990,
            bytes_source: 5_000_000_000,
            bytes_dest: 4_200_000_000,
            percent: 99.9,
            proof,
            overridden: false,
            dns_cutover_at: None,
            updated_at: "2026-11-21T05:00:00.000Z".into(),
            expires_at: "2027-02-19T04:12:00.000Z".into(),
        }
    }

    fn proof(arrived: i64, pending: i64, waived: i64, flawed: i64) -> SharedProof {
        let tally = Tally { source: arrived + pending + waived, arrived, pending, quarantined: 0, waived };
        SharedProof { read_at: "2026-11-21T04:12:09.000Z".into(), tally, flawed }
    }

    #[test]
    fn whether_all_arrived_is_answered_from_proof_alone() {
        for (proof, says, not) in [
            (None, "That is checked as soon as", "Yes."),
            (Some(proof(12_000, 0, 0, 0)), "Yes. All messages are at the new server: 12,000.", "Not yet"),
            (Some(proof(11_990, 0, 10, 0)), "left out on purpose: 10.", "Yes."),
            (Some(proof(11_990, 10, 0, 0)), "Not yet. 11,990 of 12,000", "Yes."),
            (Some(proof(12_000, 0, 0, 3)), "not exactly as they were, and being looked at: 3.", "Yes."),
        ] {
            let page = progress(&shared(Phase::DeltaSync, proof), Look::of(None, None, None), AROUND);
            assert!(page.contains(says), "{says}: {page}");
            assert!(!page.contains(not), "{not}: {page}");
        }
    }

    #[test]
    fn every_phase_says_what_is_done_and_what_comes_next_in_both_languages() {
        let mut seen = std::collections::BTreeSet::new();
        for language in ["en", "pt-BR"] {
            let look = Look::of(Some(language), None, None);
            for phase in Phase::ALL.iter().filter(|phase| **phase != Phase::Failed) {
                let page = progress(&shared(*phase, None), look, AROUND);
                let (now, next) = look.write(|| (now(*phase), next(*phase)));
                assert!(page.contains(now) && page.contains(next), "{phase}: {page}");
                assert!(seen.insert(now), "{phase} says what another phase says");
                assert_eq!(page.matches("aria-current=\"step\"").count(), 1, "{phase}");
            }
        }
        let failed = SharedProgress { failed: true, ..shared(Phase::InitialSync, None) };
        let page = progress(&failed, Look::of(None, None, None), AROUND);
        assert!(page.contains("Something has stopped the move.") && page.contains("step failed"), "{page}");
    }

    #[test]
    fn the_page_has_no_script_no_form_and_leads_nowhere_else() {
        let page =
            progress(&shared(Phase::Verified, Some(proof(5, 0, 0, 0))), Look::of(Some("pt"), None, None), AROUND);
        assert!(page.starts_with("<!DOCTYPE html><html lang=\"pt-BR\""), "{page}");
        for part in ["<script", "<form", " style=", "leptos", "http-equiv"] {
            assert!(!page.contains(part), "{part}: {page}");
        }
        for address in page.split("href=\"").skip(1).map(|rest| rest.split('"').next().expect("an address")) {
            let own = address.starts_with("/c/1.n.s") || ["/pkg/x/gatepost.css", "/favicon.svg"].contains(&address);
            assert!(own, "{address}");
        }
        assert!(page.contains("12.000") && page.contains("4,2 GB"), "{page}");
    }
}
