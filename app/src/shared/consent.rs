//! What the owner of a mailbox sees who was sent a link: what is asked for, and what came of it. Nothing of the job, the
//! staff or other mailboxes is named.

use super::{
    Look, Refused,
    customer::{Surroundings, document},
};
use crate::numbers::minute;
use gatepost_contract::{MailboxSide, OauthProvider, SharedConsent};
use leptos::prelude::*;

/// The page that asks.
#[must_use]
pub fn ask(shared: &SharedConsent, look: Look, around: Surroundings<'_>) -> String {
    look.write(|| {
        let provider = provider(shared.provider);
        let email = shared.email.as_str();
        let lead = t!(consent_guest.lead, app = shared.app_name.as_str(), email = email, provider = provider);
        let does = match shared.side {
            MailboxSide::Source => t!(consent_guest.reads),
            MailboxSide::Dest => t!(consent_guest.writes),
        };
        let content = view! {
            <header>
                <h1>{t!(consent_guest.title)}</h1>
                <p class="lead">{lead.to_string()}</p>
            </header>
            <section class="sheet" aria-label=t!(consent_guest.title)>
                <ul class="points">
                    <li>{does}</li>
                    <li>{t!(consent_guest.password, provider = provider).to_string()}</li>
                    <li>{t!(consent_guest.end)}</li>
                </ul>
                <p>{t!(consent_guest.account, email = email).to_string()}</p>
                <p><a class="button primary" rel="noreferrer" href=format!("{}/start", around.address)>{t!(consent_guest.go, provider = provider).to_string()}</a></p>
            </section>
            <footer><p class="note">{t!(consent_guest.until, at = minute(&shared.expires_at)).to_string()}</p></footer>
        };
        document(look, t!(consent_guest.title).to_owned(), around, content.into_any())
    })
}

/// The page after the consent.
#[must_use]
pub fn thanks(look: Look, around: Surroundings<'_>) -> String {
    look.write(|| told(t!(consent_guest.thanks), t!(consent_guest.thanks_text), look, around))
}

/// The page after a consent that was not given.
#[must_use]
pub fn not_given(look: Look, around: Surroundings<'_>) -> String {
    look.write(|| told(t!(consent_guest.not_given), t!(consent_guest.not_given_text), look, around))
}

/// The page for a browser that comes back from nowhere.
#[must_use]
pub fn stray(look: Look, around: Surroundings<'_>) -> String {
    look.write(|| told(t!(consent_guest.stray), t!(consent_guest.stray_text), look, around))
}

/// What is shown instead: it says nothing about any mailbox.
#[must_use]
pub fn refused(why: Refused, look: Look, around: Surroundings<'_>) -> String {
    super::customer::refused(why, look, around)
}

fn told(heading: &'static str, text: &'static str, look: Look, around: Surroundings<'_>) -> String {
    let content = view! { <section class="refused"><h1>{heading}</h1><p>{text}</p></section> };
    document(look, heading.to_owned(), around, content.into_any())
}

fn provider(provider: OauthProvider) -> &'static str {
    match provider {
        OauthProvider::Microsoft => "Microsoft",
        OauthProvider::Google => "Google",
        OauthProvider::Custom => t!(consent_guest.provider_other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_names_the_mailbox_and_leads_to_the_provider_without_a_script() {
        let shared = SharedConsent {
            email: "ana@example.com".into(),
            provider: OauthProvider::Google,
            app_name: "Example <Hosting>".into(),
            side: MailboxSide::Source,
            expires_at: "2026-11-28T04:12:00.000Z".into(),
        };
        let around = Surroundings { style_sheet: "/pkg/x/gatepost.css", address: "/consent/1.n.s" };
        for (language, words) in [("en", "Nothing is changed or deleted"), ("pt-BR", "Nada é alterado ou apagado")] {
            let page = ask(&shared, Look::of(Some(language), None, None), around);
            for part in ["ana@example.com", "Example &lt;Hosting&gt;", "href=\"/consent/1.n.s/start\"", words] {
                assert!(page.contains(part), "{part}: {page}");
            }
            assert!(!page.contains("<script") && !page.contains("<form"), "{page}");
        }
        let dest = SharedConsent { side: MailboxSide::Dest, ..shared };
        assert!(ask(&dest, Look::of(None, None, None), around).contains("Copies of your mail are added"));
    }
}
