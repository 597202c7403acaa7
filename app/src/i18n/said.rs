//! What core says, in the language of the request.
//!
//! Core's sentences are English, for programs read them too. Those that a person meets every day stand in
//! `locales/*.json` under `said`, with `…` for what is filled in; a sentence that is not among them stays as it is.

use super::{Locale, locale};

/// What stands for a part that is filled in.
const HOLE: char = '…';

macro_rules! sentences {
    ($($key:ident),+ $(,)?) => { [$((leptos_i18n::td_string!(Locale::en, said.$key), t!(said.$key))),+] };
}

/// A sentence of core's in the language of the request.
pub fn said(text: &str) -> String {
    if locale() == Locale::en {
        return text.to_owned();
    }
    let known = sentences![
        not_found,
        closed,
        exists,
        running_mailbox,
        running_job,
        running_already,
        ended_already,
        too_many,
        internal,
        staff_only,
        approvers_only,
        admin_only,
        fields,
        empty,
        shortest,
        longest,
        password_short,
        password_long,
        control,
        no_address,
        no_host,
        no_domain,
        port,
        between,
        at_least,
        name_host,
        name_old,
        again_secret,
        no_ticket,
        no_tenant,
        no_mailbox,
        wave_empty,
        wave_name,
        wave_quarantine,
        wave_failed,
        schedule_never,
        schedule_fields,
        schedule_unread,
        schedule_zone,
        schedule_window,
        schedule_leaves,
        schedule_often,
        schedule_jitter,
        idle_first,
        idle_cutover,
        idle_done,
        idle_failed,
        idle_off,
        run_failed,
    ];
    known
        .into_iter()
        .find_map(|(english, here)| Some(fill(here, &holes(english, text)?)))
        .unwrap_or_else(|| text.to_owned())
}

/// What stands in a sentence where its pattern has holes; none where it is another sentence.
fn holes<'a>(pattern: &str, text: &'a str) -> Option<Vec<&'a str>> {
    let mut parts = pattern.split(HOLE);
    let mut rest = text.strip_prefix(parts.next()?)?;
    let mut found = Vec::new();
    let mut parts = parts.peekable();
    while let Some(part) = parts.next() {
        let at = if parts.peek().is_none() {
            rest.ends_with(part).then(|| rest.len() - part.len())?
        } else {
            rest.find(part)?
        };
        found.push(&rest[..at]);
        rest = &rest[at + part.len()..];
    }
    rest.is_empty().then_some(found)
}

/// A pattern with its holes filled; one that has fewer takes the first ones.
fn fill(pattern: &str, found: &[&str]) -> String {
    let mut found = found.iter();
    pattern.split(HOLE).enumerate().fold(String::new(), |mut filled, (place, part)| {
        if place > 0 {
            filled.push_str(found.next().copied().unwrap_or_default());
        }
        filled.push_str(part);
        filled
    })
}

#[cfg(test)]
mod tests {
    use super::{fill, holes, said};
    use crate::i18n::Locale;
    use gatepost_contract::{FieldError, Problem};
    use leptos::prelude::{Owner, provide_context};

    #[test]
    fn the_holes_of_a_sentence_are_found_and_filled() {
        for (pattern, text, found) in [
            ("must not be empty", "must not be empty", Some(vec![])),
            ("must not be empty", "must not be empty!", None),
            ("at most … characters; it has …", "at most 10 characters; it has 300", Some(vec!["10", "300"])),
            ("There is no such ….", "There is no such job.", Some(vec!["job"])),
            ("There is no such ….", "There is no such job", None),
            ("… fields need attention.", "2 fields need attention.", Some(vec!["2"])),
            ("…", "", Some(vec![""])),
            ("ab…b", "ab", None),
        ] {
            assert_eq!(holes(pattern, text), found, "{pattern}");
        }
        assert_eq!(fill("de … a …", &["1", "2"]), "de 1 a 2");
        assert_eq!(fill("nada", &["1"]), "nada");
    }

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
}
