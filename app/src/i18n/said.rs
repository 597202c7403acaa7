//! What core says, in the language of the request.
//!
//! Core's sentences are English, for programs read them too. They stand as patterns in `locales/*.json` under `said`;
//! a sentence that is not among them stays as it is, and the page says that it is English.

use super::{Locale, locale};
use crate::phrases::{Phrases, Piece};
use leptos::prelude::*;
use std::{collections::BTreeMap, sync::LazyLock};

/// The sentences by name, in English and in Portuguese.
static SENTENCES: LazyLock<BTreeMap<String, (String, String)>> = LazyLock::new(|| {
    let mut here = said_of(include_str!("../../locales/pt-BR.json"));
    let english = said_of(include_str!("../../locales/en.json"));
    english.into_iter().filter_map(|(key, text)| here.remove(&key).map(|here| (key, (text, here)))).collect()
});

static PORTUGUESE: LazyLock<Phrases> = LazyLock::new(|| Phrases::new(SENTENCES.values().cloned()));

static NONE: LazyLock<Phrases> = LazyLock::new(Phrases::default);

/// The sentences of a file. The build has read it too, so that it is known to be well formed.
fn said_of(file: &str) -> BTreeMap<String, String> {
    let all: BTreeMap<String, serde_json::Value> = serde_json::from_str(file).unwrap_or_default();
    all.get("said").and_then(|said| serde_json::from_value(said.clone()).ok()).unwrap_or_default()
}

/// What there is for the language of the request.
fn phrases() -> &'static Phrases {
    match locale() {
        Locale::en => &NONE,
        Locale::pt_BR => &PORTUGUESE,
    }
}

/// A sentence of core's in the language of the request.
pub fn said(text: &str) -> String {
    phrases().say(text)
}

/// The sentences for what speaks in the browser later: those whose names begin so.
pub fn phrases_of(names: &[&str]) -> Phrases {
    if locale() == Locale::en {
        return Phrases::default();
    }
    let wanted = |key: &str| names.iter().any(|name| key.starts_with(name));
    Phrases::new(SENTENCES.iter().filter(|(key, _)| wanted(key)).map(|(_, pair)| pair.clone()))
}

/// Sentences of core's in the language of the request. What stays English is marked as such, for screen readers and for
/// whoever translates the page.
#[component]
pub fn Said(
    /// The sentences.
    #[prop(into)]
    text: String,
) -> AnyView {
    let piece = |Piece { text, known }| match known {
        true => view! { {text} }.into_any(),
        false => view! { <span lang="en">{text}</span> }.into_any(),
    };
    let mut pieces = phrases().pieces(&text);
    match pieces.pop() {
        Some(last) if pieces.is_empty() => piece(last),
        Some(last) => {
            let first = pieces.into_iter().map(|one| view! { {piece(one)}" " }).collect_view();
            view! { <span>{first}{piece(last)}</span> }.into_any()
        }
        None => ().into_any(),
    }
}

#[cfg(test)]
mod tests {
    use super::{PORTUGUESE, said, said_of};
    use crate::i18n::Locale;
    use gatepost_contract::{FieldError, Problem};
    use leptos::prelude::{Owner, provide_context};
    use std::{fs, path::Path};

    const HOLES: [char; 3] = ['…', '#', '§'];

    #[test]
    fn what_core_says_every_day_is_said_in_portuguese_and_the_rest_stays() {
        let owner = Owner::new();
        owner.with(|| {
            provide_context(Locale::pt_BR);
            let two = ["a", "b"].map(|field| FieldError { field: field.to_owned(), message: "x".to_owned() });
            for text in
                [Problem::not_found("job").detail, Problem::invalid(two.to_vec()).detail, Problem::internal().detail]
            {
                assert_ne!(said(&text), text);
            }
            assert_eq!(said("must be between 1 and 65535"), "deve ficar entre 1 e 65535");
            assert_eq!(said("An unheard sentence."), "An unheard sentence.");
        });
        let owner = Owner::new();
        owner.with(|| {
            provide_context(Locale::en);
            assert_eq!(said("must not be empty"), "must not be empty");
        });
    }

    #[test]
    fn what_schedules_waves_pauses_consents_and_runs_say_is_said_in_portuguese_as_a_whole() {
        for text in [
            "Caught up 61 minutes late: Gatepost was not at work then. 2 of 5 mailboxes; left alone: 1 still at work, 2 paused.",
            "Gatepost was not at work then, and when it was again it was too late. So it was 3 times more before that.",
            "The host mail.example is paused by lia@desk.test since 2026-11-21 20:00 UTC: Energia.",
            "The wave Bakeries works on 2 mailboxes at once; this one waits for its turn.",
            "The consent for ana@x.test has expired. The consent was revoked or has lapsed. The consent must be given again. \
             Renew the consent at https://desk.test/mailboxes/6/consent, then start the run again.",
            "90 messages copied in 19 folders, 3 there before, 1 refused.",
            "Cancelled: 90 messages copied in 19 folders. The next run goes on from there.",
            "90 of 90 messages arrived; 0 missing, 0 refused, 0 waived, 0 changed. The bytes of 90 were compared: all that can be.",
            "Ready to copy: 90 messages in 19 folders, 1300000 bytes. 2 warnings; see the log.",
            "All 90 messages of 2 mailboxes have arrived.",
            "19 folders of 1 mailbox mapped and read on both sides.",
            "The last delta ended well 45 minutes ago and left nothing to be copied.",
            "Blocked: The initial sync has not ended for every mailbox; run it, then a delta; also failing: “Delta recent”, “Inbox complete”.",
            "Blocked by “Messages arrived”: Below the required 99 %: j@x.test (1 quarantined); the worst, j@x.test has 39 of 40 \
             messages at the new server (97.50 %). Run a delta, work the quarantine and verify again; also failing: \
             “Quarantine empty”.",
            "2 copied, 1 there before",
        ] {
            let pieces = PORTUGUESE.pieces(text);
            assert!(pieces.iter().all(|piece| piece.known), "{pieces:?}");
            let said = PORTUGUESE.say(text);
            for english in [" the ", " was ", " of ", " messages", " paused", "Run ", " and "] {
                assert!(!said.contains(english), "{english:?} in {said:?}");
            }
        }
    }

    #[test]
    fn both_languages_have_the_same_holes_in_the_same_order() {
        let here = said_of(include_str!("../../locales/pt-BR.json"));
        let english = said_of(include_str!("../../locales/en.json"));
        assert!(english.len() > 250, "{}", english.len());
        let holes = |text: &str| text.chars().filter(|c| HOLES.contains(c)).collect::<String>();
        for (key, pattern) in &english {
            let said = here.get(key).unwrap_or_else(|| panic!("{key} is not in Portuguese"));
            assert!(holes(pattern).starts_with(&holes(said)), "{key}: {pattern:?}, {said:?}");
            assert_ne!(holes(pattern), *pattern, "{key} would be any text");
        }
    }

    /// A sentence that core says otherwise by now would silently be English again.
    #[test]
    fn every_sentence_is_one_that_the_server_says() {
        let mut sources = String::new();
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        for root in ["../server/src", "../server/crates", "contract/src", "src/serverfns"] {
            read(&here.join(root), &mut sources);
        }
        let said = said_of(include_str!("../../locales/en.json"));
        let mut strange = Vec::new();
        for (key, pattern) in &said {
            for part in pattern.split(HOLES) {
                let part = part.trim_matches(|c: char| !c.is_alphanumeric());
                if !sources.contains(part) {
                    strange.push(format!("{key}: {part:?}"));
                }
            }
        }
        assert!(strange.is_empty(), "the server does not say: {strange:#?}");
    }

    /// All Rust below a folder, with texts that go over several lines in one piece.
    fn read(folder: &Path, all: &mut String) {
        for entry in fs::read_dir(folder).expect("a folder of the repository").flatten() {
            let path = entry.path();
            if path.is_dir() {
                read(&path, all);
            } else if path.extension().is_some_and(|kind| kind == "rs") {
                let text = fs::read_to_string(&path).expect("a source file");
                let mut continued = false;
                for line in text.lines() {
                    let line = if continued { line.trim_start() } else { line };
                    continued = line.ends_with('\\');
                    all.push_str(line.strip_suffix('\\').unwrap_or(line));
                    if !continued {
                        all.push('\n');
                    }
                }
            }
        }
    }
}
