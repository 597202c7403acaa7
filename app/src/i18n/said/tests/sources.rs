//! The server's sources: their text, and the sentences in it.

use std::{fs, path::Path};

/// What stands for a part of a sentence.
pub const WORD: &str = "Words";

/// A file's tests begin so; what they say is said to nobody.
const TESTS: &str = "#[cfg(test)]\nmod ";

/// A sentence.
pub struct Sentence {
    /// As it stands in the source.
    pub text: String,
    /// How it may come out, each of its parts being a number or a word.
    pub ways: Vec<String>,
}

/// All Rust at a place, file by file.
pub fn read(place: &Path, each: &mut dyn FnMut(&Path, &str)) {
    if place.is_dir() {
        let mut paths: Vec<_> = fs::read_dir(place).expect("a folder").flatten().map(|entry| entry.path()).collect();
        paths.sort();
        paths.iter().for_each(|path| read(path, each));
    } else if place.extension().is_some_and(|kind| kind == "rs") {
        each(place, &fs::read_to_string(place).expect("a source file"));
    }
}

/// Texts that go over several lines in one piece.
fn joined(text: &str) -> String {
    let mut all = String::new();
    let mut continued = false;
    for line in text.lines() {
        let line = if continued { line.trim_start() } else { line };
        continued = line.ends_with('\\');
        all.push_str(line.strip_suffix('\\').unwrap_or(line));
        if !continued {
            all.push('\n');
        }
    }
    all
}

/// A file as it speaks: texts in one piece and without escapes, and what is said of a side said of both.
pub fn spoken(text: &str) -> String {
    let all = joined(text);
    let of_a_side = all.lines().filter(|line| line.contains("{side}"));
    let sides = of_a_side.flat_map(|line| ["source", "destination"].map(|side| line.replace("{side}", side) + "\n"));
    let sides: String = sides.collect();
    (all + &sides).replace("\\\"", "\"")
}

/// The sentences of a file: texts that begin with a capital letter or with a part, end with a full stop and have words of
/// their own.
pub fn sentences(text: &str) -> Vec<Sentence> {
    let text = text.find(TESTS).map_or(text, |tests| &text[..tests]);
    let begins = |text: &str| text.starts_with(|c: char| c.is_uppercase() || c == '{');
    let own = |text: &str| text.split(' ').filter(|word| word.starts_with(char::is_alphabetic)).count();
    let is_sentence = |text: &String| begins(text) && text.ends_with('.') && own(text) >= 3;
    let found: Vec<String> = joined(text).lines().flat_map(texts).filter(is_sentence).collect();
    found.into_iter().map(|text| Sentence { ways: ways(&text), text }).collect()
}

/// What stands between quotes in a line.
fn texts(line: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut text: Option<String> = None;
    let line = line.replace("'\"'", "' '");
    let mut signs = line.chars().peekable();
    while let Some(sign) = signs.next() {
        match (sign, &mut text) {
            ('"', None) => text = Some(String::new()),
            ('"', Some(_)) => found.extend(text.take()),
            ('\\', Some(text)) => text.extend(signs.next()),
            (sign, Some(text)) => text.push(sign),
            ('/', None) if signs.peek() == Some(&'/') => break,
            _ => {}
        }
    }
    found
}

/// A text with its parts filled in every way.
fn ways(text: &str) -> Vec<String> {
    let quoted = format!("\"{WORD}\"");
    let mut ways = vec![String::new()];
    let mut rest = text;
    while let Some((before, (part, after))) =
        rest.split_once('{').and_then(|(before, from)| Some((before, from.split_once('}')?)))
    {
        let fillings = if part.ends_with(":?") { vec![quoted.as_str()] } else { vec![WORD, "7"] };
        let filled = |way: &String| fillings.iter().map(|one| format!("{way}{before}{one}")).collect::<Vec<_>>();
        ways = ways.iter().flat_map(filled).collect();
        rest = after;
    }
    ways.iter().map(|way| format!("{way}{rest}")).collect()
}

#[test]
fn the_sentences_of_a_source_are_found_with_their_parts_filled() {
    let source = "let a = \"One {x} of {} went \\\n    away.\"; // \"Not this one here.\"\nlet b = 'c';\nf(\"no sentence\", \
                  '\"', \"It said {words:?} and \\\"twice\\\".\");\n#[cfg(test)]\nmod tests { \"Nor is this one.\" }";
    let found = sentences(source);
    let texts: Vec<&str> = found.iter().map(|one| one.text.as_str()).collect();
    assert_eq!(texts, ["One {x} of {} went away.", "It said {words:?} and \"twice\"."]);
    assert_eq!(
        found[0].ways,
        [
            "One Words of Words went away.",
            "One Words of 7 went away.",
            "One 7 of Words went away.",
            "One 7 of 7 went away."
        ]
    );
    assert_eq!(found[1].ways, ["It said \"Words\" and \"twice\"."]);
}
