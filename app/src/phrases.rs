//! Sentences of one language in another: patterns with holes, by which a sentence is recognised and said again.
//!
//! A pattern holds `…` for a part of a sentence, `#` for a number and `§` for sentences, which may be somebody else's
//! words. What fills a hole is looked up too, so that sentences are put together from parts; a name and a colon may stand
//! before a sentence. Knows neither the patterns nor the languages.

use serde::{Deserialize, Serialize};

/// What stands for a part of a sentence.
const PART: char = '…';

/// What stands for a number.
const NUMBER: char = '#';

/// What stands for sentences.
const SENTENCES: char = '§';

/// Between two sentences.
const STOP: &str = ". ";

/// Between a name, such as a folder's or a file's, and what is said of it.
const NAMED: &str = ": ";

/// Between the parts of a list.
const LISTED: [&str; 2] = ["; ", ", "];

/// A text of more bytes than this is nobody's sentence.
const LONGEST: usize = 1_200;

/// Neither is one of more sentences than this: each is held against every pattern, and some are a server's own words.
const MOST_SENTENCES: usize = 24;

/// A pattern covers so many sentences at most.
const COVERED: usize = 4;

/// How deep parts are made of parts.
const DEPTH: usize = 3;

/// Patterns, and what they are in the other language; the one with more words of its own comes first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Phrases(Vec<(String, String)>);

/// A part of what is said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    /// Its text.
    pub text: String,
    /// Whether it is in the other language, or a name that has no language; if not, it stands as it came.
    pub known: bool,
}

/// Adds to what is said; what is alike grows together.
fn add(pieces: &mut Vec<Piece>, text: &str, known: bool) {
    match pieces.last_mut() {
        _ if text.is_empty() => {}
        Some(last) if last.known == known => last.text.push_str(text),
        _ => pieces.push(Piece { text: text.to_owned(), known }),
    }
}

impl Phrases {
    /// Of these pairs, in any order.
    pub fn new(pairs: impl IntoIterator<Item = (String, String)>) -> Self {
        let mut pairs: Vec<_> = pairs.into_iter().collect();
        pairs.sort_by_cached_key(|(pattern, _)| {
            let own = pattern.chars().filter(|c| !is_hole(*c)).count();
            (std::cmp::Reverse(own), pattern.clone())
        });
        Self(pairs)
    }

    /// A text in the other language, as far as it is known.
    pub fn say(&self, text: &str) -> String {
        self.pieces(text).into_iter().map(|piece| piece.text).collect()
    }

    /// The same, part by part: together they are the text.
    pub fn pieces(&self, text: &str) -> Vec<Piece> {
        let too_much = || text.len() > LONGEST || text.matches(STOP).count() >= MOST_SENTENCES;
        if self.0.is_empty() || text.is_empty() || too_much() {
            return vec![Piece { text: text.to_owned(), known: self.0.is_empty() }];
        }
        self.walk(text, DEPTH)
    }

    /// Sentence by sentence; a pattern may cover several.
    fn walk(&self, text: &str, depth: usize) -> Vec<Piece> {
        let mut pieces: Vec<Piece> = Vec::new();
        let mut rest = text;
        while !rest.is_empty() {
            let ends = rest.match_indices(STOP).map(|(at, _)| at + 1).chain([rest.len()]);
            let ends: Vec<usize> = ends.take(COVERED).collect();
            let first = ends.first().copied().unwrap_or(rest.len());
            // The most sentences first: only what stands for sentences can take too many.
            let whole = |from: usize| {
                ends.iter().rev().filter(move |end| **end > from).find_map(|end| {
                    let said = self.whole(rest.get(from..*end)?, depth)?;
                    Some((*end, from, said))
                })
            };
            let named = || rest[..first].find(NAMED).and_then(|at| whole(at + NAMED.len()));
            let found = whole(0).or_else(|| Some((first, 0, self.list(&rest[..first], depth)?))).or_else(named);
            let end = match found {
                Some((end, from, said)) => {
                    add(&mut pieces, &rest[..from], true);
                    said.into_iter().for_each(|piece| add(&mut pieces, &piece.text, piece.known));
                    end
                }
                None => {
                    add(&mut pieces, &rest[..first], false);
                    first
                }
            };
            rest = rest[end..].strip_prefix(' ').unwrap_or_default();
            if let (Some(last), false) = (pieces.last_mut(), rest.is_empty()) {
                last.text.push(' ');
            }
        }
        pieces
    }

    /// A text that is one pattern from end to end.
    fn whole(&self, text: &str, depth: usize) -> Option<Vec<Piece>> {
        let (pattern, here, found) =
            self.0.iter().find_map(|(pattern, here)| Some((pattern, here, holes(pattern, text)?)))?;
        let kinds = pattern.chars().filter(|c| is_hole(*c));
        let found: Vec<Vec<Piece>> = kinds.zip(found).map(|(kind, hole)| self.part(kind, hole, depth)).collect();
        Some(fill(here, &found))
    }

    /// What fills a hole: sentences, a list, or something that has no other name.
    fn part(&self, kind: char, text: &str, depth: usize) -> Vec<Piece> {
        let as_it_is = || vec![Piece { text: text.to_owned(), known: kind != SENTENCES }];
        let Some(depth) = depth.checked_sub(1) else { return as_it_is() };
        if let Some(known) = self.whole(text, depth) {
            return known;
        }
        let stopped = text.ends_with('.');
        // A sentence that has lost its stop within another one.
        if !stopped && let Some(known) = self.whole(&format!("{text}."), depth) {
            return without_stop(known);
        }
        if text.contains(STOP) {
            return if stopped { self.walk(text, depth) } else { without_stop(self.walk(&format!("{text}."), depth)) };
        }
        self.list(text, depth).unwrap_or_else(as_it_is)
    }

    /// A list, where something in it is known.
    fn list(&self, text: &str, depth: usize) -> Option<Vec<Piece>> {
        LISTED.iter().find_map(|between| {
            let parts: Vec<(&str, Option<Vec<Piece>>)> =
                text.split(between).map(|one| (one, self.whole(one, depth))).collect();
            parts.iter().any(|(_, known)| known.is_some()).then(|| {
                let mut said = Vec::new();
                for (place, (one, known)) in parts.into_iter().enumerate() {
                    add(&mut said, if place > 0 { between } else { "" }, true);
                    match known {
                        Some(known) => known.into_iter().for_each(|piece| add(&mut said, &piece.text, piece.known)),
                        None => add(&mut said, one, true),
                    }
                }
                said
            })
        })
    }
}

fn without_stop(mut pieces: Vec<Piece>) -> Vec<Piece> {
    if let Some(last) = pieces.last_mut()
        && last.text.ends_with('.')
    {
        last.text.pop();
    }
    pieces
}

const fn is_hole(c: char) -> bool {
    matches!(c, PART | NUMBER | SENTENCES)
}

/// What stands in a text where its pattern has holes; none where it is another text.
fn holes<'a>(pattern: &str, text: &'a str) -> Option<Vec<&'a str>> {
    // Most patterns are told apart by where they begin and by how they end.
    if !pattern.starts_with(is_hole) && pattern.as_bytes().first() != text.as_bytes().first() {
        return None;
    }
    if !text.ends_with(pattern.rsplit(is_hole).next()?) {
        return None;
    }
    let mut kinds = pattern.chars().filter(|c| is_hole(*c));
    let mut parts = pattern.split(is_hole);
    let mut rest = text.strip_prefix(parts.next()?)?;
    let mut found = Vec::new();
    let mut parts = parts.peekable();
    while let Some(part) = parts.next() {
        let at = if parts.peek().is_none() {
            rest.ends_with(part).then(|| rest.len() - part.len())?
        } else {
            rest.find(part)?
        };
        let hole = &rest[..at];
        let fits = match kinds.next() {
            Some(NUMBER) => is_number(hole),
            Some(PART) => !hole.contains(STOP),
            _ => true,
        };
        if !fits {
            return None;
        }
        found.push(hole);
        rest = &rest[at + part.len()..];
    }
    rest.is_empty().then_some(found)
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'.' | b','))
}

/// A pattern with its holes filled; one that has fewer takes the first ones.
fn fill(pattern: &str, found: &[Vec<Piece>]) -> Vec<Piece> {
    let mut found = found.iter();
    let mut filled = Vec::new();
    for (place, part) in pattern.split(is_hole).enumerate() {
        if place > 0 {
            found.next().into_iter().flatten().for_each(|piece| add(&mut filled, &piece.text, piece.known));
        }
        add(&mut filled, part, true);
    }
    filled
}

#[cfg(test)]
mod tests {
    use super::{LONGEST, MOST_SENTENCES, Phrases, Piece, fill, holes};

    #[test]
    fn the_holes_of_a_sentence_are_found_and_filled() {
        for (pattern, text, found) in [
            ("must not be empty", "must not be empty", Some(vec![])),
            ("must not be empty", "must not be empty!", None),
            ("at most … characters; it has …", "at most 10 characters; it has 300", Some(vec!["10", "300"])),
            ("There is no such ….", "There is no such job.", Some(vec!["job"])),
            ("There is no such ….", "There is no such job", None),
            ("# fields need attention.", "2 fields need attention.", Some(vec!["2"])),
            ("# fields need attention.", "No fields need attention.", None),
            ("# copied", " copied", None),
            ("It says: ….", "It says: No. Never.", None),
            ("It says: §.", "It says: No. Never.", Some(vec!["No. Never"])),
            ("…", "", Some(vec![""])),
            ("ab…b", "ab", None),
        ] {
            assert_eq!(holes(pattern, text), found, "{pattern}");
        }
        let found = [vec![piece("1", true)], vec![piece("two words", false)]];
        assert_eq!(fill("de … a §.", &found), [piece("de 1 a ", true), piece("two words", false), piece(".", true)]);
        assert_eq!(fill("nada", &found), [piece("nada", true)]);
    }

    fn piece(text: &str, known: bool) -> Piece {
        Piece { text: text.to_owned(), known }
    }

    fn phrases() -> Phrases {
        let pairs = [
            ("# copied", "# copiadas"),
            ("# refused", "# recusadas"),
            ("# messages copied in # folders.", "# mensagens copiadas em # pastas."),
            ("Cancelled: …", "Cancelada: …"),
            ("… paused by … since ….", "… em pausa por … desde …."),
            ("… paused by … since …: ….", "… em pausa por … desde …: …."),
            ("The wave … is", "A onda … está"),
            ("# of # mailboxes; left alone: ….", "# de # caixas; ficaram: …."),
            ("Blocked: §.", "Bloqueado: §."),
            ("Blocked: §; also: ….", "Bloqueado: §; também: …."),
            ("The job is closed. Open a new one.", "A migração está encerrada. Abra outra."),
            ("… answered NO to …: \"§\".", "… respondeu NO a …: \"§\"."),
            ("Trying again in # s.", "Nova tentativa em # s."),
            ("It breaks off: § Verify again.", "Interrompe-se: § Verifique de novo."),
        ];
        Phrases::new(pairs.map(|(from, to)| (from.to_owned(), to.to_owned())))
    }

    #[test]
    fn sentences_are_put_together_from_their_parts() {
        for (text, said) in [
            ("3 copied", "3 copiadas"),
            ("Folder copied", "Folder copied"),
            (
                "3 of 5 mailboxes; left alone: 1 copied, 2 refused, Sent.",
                "3 de 5 caixas; ficaram: 1 copiadas, 2 recusadas, Sent.",
            ),
            (
                "Cancelled: 3 messages copied in 2 folders. Who knows.",
                "Cancelada: 3 mensagens copiadas em 2 pastas. Who knows.",
            ),
            (
                "The wave A is paused by b@c since 2026-11-21 20:00 UTC: rest.",
                "A onda A está em pausa por b@c desde 2026-11-21 20:00 UTC: rest.",
            ),
            ("The wave A is paused by b@c since noon.", "A onda A está em pausa por b@c desde noon."),
            (
                "Who knows. The job is closed. Open a new one. Or not.",
                "Who knows. A migração está encerrada. Abra outra. Or not.",
            ),
            ("Blocked: The job is closed. Open a new one.", "Bloqueado: A migração está encerrada. Abra outra."),
            ("Blocked: Who knows. 3 copied; also: 2 refused.", "Bloqueado: Who knows. 3 copied; também: 2 recusadas."),
            ("3 copied, 2 refused", "3 copiadas, 2 recusadas"),
            ("3 copied; 2 refused", "3 copiadas; 2 recusadas"),
            (
                "INBOX/A: h:1 answered NO to CREATE \"A\": \"Not now. Later.\". Trying again in 5 s.",
                "INBOX/A: h:1 respondeu NO a CREATE \"A\": \"Not now. Later.\". Nova tentativa em 5 s.",
            ),
            (
                "It breaks off: h:1 answered NO to NOOP: \"x\". Trying again in 5 s. Verify again.",
                "Interrompe-se: h:1 respondeu NO a NOOP: \"x\". Nova tentativa em 5 s. Verifique de novo.",
            ),
            ("Who: knows.", "Who: knows."),
            ("", ""),
        ] {
            assert_eq!(phrases().say(text), said, "{text}");
        }
    }

    #[test]
    fn somebody_elses_words_within_a_sentence_are_told_apart_and_names_are_not() {
        assert_eq!(
            phrases().pieces("h:1 answered NO to NOOP: \"Not now. Later.\"."),
            [piece("h:1 respondeu NO a NOOP: \"", true), piece("Not now. Later.", false), piece("\".", true)]
        );
        assert_eq!(phrases().pieces("Blocked: 3 copied."), [piece("Bloqueado: 3 copiadas.", true)]);
        assert_eq!(phrases().pieces("The wave Old one is"), [piece("A onda Old one está", true)]);
    }

    #[test]
    fn what_is_not_known_stands_as_it_came_and_is_told_apart() {
        assert_eq!(
            phrases().pieces("Who. Knows. 3 messages copied in 2 folders."),
            [piece("Who. Knows. ", false), piece("3 mensagens copiadas em 2 pastas.", true)]
        );
        assert_eq!(Phrases::default().pieces("As it is."), [piece("As it is.", true)]);
        for long in ["a".repeat(LONGEST + 1), "3 messages copied in 2 folders. ".repeat(MOST_SENTENCES)] {
            assert_eq!(phrases().pieces(&long), [piece(&long, false)]);
        }
    }
}
