//! The small page for a frame in another system: the gate of one job with its checks by name. It renews itself every
//! minute and holds no link, no form and no script.

use super::{Look, Refused, verdict};
use crate::{
    components::{Icon, Shape, Tone},
    i18n::names,
    numbers::minute,
};
use gatepost_contract::{CheckStatus, Gate, SharedGate};
use leptos::prelude::*;

/// The page's style. The policy allows it by its digest, so it is a constant.
pub const STYLE: &str = include_str!("frame.css");

/// The gate.
#[must_use]
pub fn gate(shared: &SharedGate, look: Look) -> String {
    look.write(|| {
        let (tone, shape, word) = verdict(shared);
        let means = match shared.gate {
            _ if shared.closed => t!(shared.means_closed),
            _ if shared.dns_cutover_at.is_some() => t!(shared.means_changed),
            Gate::Blocked => t!(shared.means_blocked),
            Gate::Warning => t!(shared.means_warning),
            Gate::ReadyForDns => t!(shared.means_ready),
        };
        let overridden = shared.override_reason.as_ref().map(|reason| {
            let text = t!(shared.override_reason, reason = reason.as_str()).to_string();
            view! { <p class="override"><Icon shape=Shape::Warn/><span>{text}</span></p> }
        });
        let checks = (!shared.checks.is_empty() && !shared.closed).then(|| {
            let items = shared.checks.iter().map(|(check, status)| {
                let (class, shape) = match status {
                    CheckStatus::Pass => ("good", Shape::Check),
                    CheckStatus::Warn => ("warn", Shape::Warn),
                    CheckStatus::Fail => ("bad", Shape::Cross),
                };
                let status = names::check_status(*status);
                view! { <li class=class><Icon shape/><span>{names::check(*check)}</span><span class="hidden">{format!(": {status}")}</span></li> }
            });
            view! { <ul aria-label=t!(shared.checks)>{items.collect_view()}</ul> }
        });
        let proof = shared.evidence_at.as_deref().map_or_else(
            || t!(shared.no_evidence).to_owned(),
            |at| t!(shared.evidence_at, at = minute(at)).to_string(),
        );
        let approved = shared.approved_at.as_deref().map(|at| t!(shared.approved_at, at = minute(at)).to_string());
        let changed = shared.dns_cutover_at.as_deref().map(|at| t!(shared.cutover_at, at = minute(at)).to_string());
        let times = [Some(proof), approved, changed].into_iter().flatten().map(|text| view! { <li>{text}</li> });
        let content = view! {
            <h1>{shared.domain.clone()}</h1>
            <p class=format!("gate {}", class(tone))><Icon shape/><span class="hidden">{format!("{}: ", t!(shared.gate))}</span>{word}</p>
            <p class="means">{means}</p>
            {overridden}
            {checks}
            <ul class="times">{times.collect_view()}</ul>
            <p class="hidden">{t!(shared.refreshed)}</p>
        };
        let title = t!(shared.title, domain = shared.domain.as_str()).to_string();
        document(look, title, true, content.into_any())
    })
}

/// What is shown instead: it says nothing about any job.
#[must_use]
pub fn refused(why: Refused, look: Look) -> String {
    look.write(|| {
        let heading = why.heading();
        let content = view! { <h1>{heading}</h1><p class="means">{why.sentence()}</p> };
        document(look, heading.to_owned(), false, content.into_any())
    })
}

const fn class(tone: Tone) -> &'static str {
    match tone {
        Tone::Good => "good",
        Tone::Warn => "warn",
        Tone::Bad => "bad",
        Tone::Busy | Tone::Quiet => "quiet",
    }
}

fn document(look: Look, title: String, renewed: bool, content: AnyView) -> String {
    view! {
        <!DOCTYPE html>
        <html lang=look.language() data-theme=look.theme.as_str()>
            <head>
                <meta charset="utf-8"/>
                <meta name="viewport" content="width=device-width, initial-scale=1"/>
                <meta name="color-scheme" content="light dark"/>
                <meta name="robots" content="noindex"/>
                {renewed.then(|| view! { <meta http-equiv="refresh" content="60"/> })}
                <title>{title}</title>
                <style inner_html=STYLE></style>
            </head>
            <body><main>{content}</main></body>
        </html>
    }
    .to_html()
}

#[cfg(test)]
mod tests {
    use super::*;
    use gatepost_contract::CheckId;

    fn shared() -> SharedGate {
        SharedGate {
            domain: "example.org".into(),
            gate: Gate::Warning,
            closed: false,
            checks: vec![(CheckId::CountRatio, CheckStatus::Pass), (CheckId::ManualApproval, CheckStatus::Fail)],
            evidence_at: Some("2026-11-21T04:12:09.000Z".into()),
            approved_at: None,
            override_reason: Some("<script>alert(1)</script>".into()),
            dns_cutover_at: None,
        }
    }

    #[test]
    fn the_page_says_the_gate_in_both_languages_and_escapes_what_people_wrote() {
        for (language, word) in [("en", "Warning"), ("pt-BR", "Alerta")] {
            let page = gate(&shared(), Look::of(Some(language), None, Some("dark")));
            assert!(page.starts_with("<!DOCTYPE html><html"), "{page}");
            for part in [word, "example.org", "data-theme=\"dark\"", "http-equiv=\"refresh\"", "&lt;script&gt;"] {
                assert!(page.contains(part), "{part}: {page}");
            }
            for part in ["<script", "<form", "<a ", "href", " style=", "<img", "leptos"] {
                assert!(!page.contains(part), "{part}: {page}");
            }
            assert!(page.contains(&format!("<style>{STYLE}</style>")), "the policy names the digest of the style");
        }
    }

    #[test]
    fn a_refused_page_names_no_job_and_does_not_ask_again() {
        let page = refused(Refused::Invalid, Look::of(Some("pt"), None, None));
        assert!(page.contains("Link inválido") && !page.contains("refresh"), "{page}");
    }
}
