//! Which folders the user wants: patterns with `*` (anything, also `/`) and `?` (one character). `!` before a
//! pattern leaves out what it matches. Compared without regard to case and composition.

use super::fold::fold;
use crate::FolderPath;

/// The user's patterns.
pub(super) struct Globs {
    wanted: Vec<(String, Vec<char>)>,
    unwanted: Vec<(String, Vec<char>)>,
}

impl Globs {
    pub(super) fn new(patterns: &[String]) -> Self {
        let (unwanted, wanted): (Vec<_>, Vec<_>) =
            patterns.iter().map(|p| p.trim()).filter(|p| !p.is_empty()).partition(|p| p.starts_with('!'));
        let compile = |text: &str| (text.to_owned(), fold(text.trim_start_matches('!')).chars().collect());
        Self {
            wanted: wanted.into_iter().map(compile).collect(),
            unwanted: unwanted.into_iter().map(compile).collect(),
        }
    }

    /// Why a folder is not wanted; `None` where it is.
    pub(super) fn refuses(&self, path: &FolderPath) -> Option<String> {
        let text: Vec<char> = fold(&path.to_string()).chars().collect();
        if let Some((pattern, _)) = self.unwanted.iter().find(|(_, p)| matches(p, &text)) {
            return Some(format!("the pattern {pattern} leaves it out"));
        }
        if !self.wanted.is_empty() && !self.wanted.iter().any(|(_, p)| matches(p, &text)) {
            return Some("no pattern of the wanted folders matches it".to_owned());
        }
        None
    }
}

/// Linear in practice: on a mismatch only the last `*` is tried again, one character further on.
fn matches(pattern: &[char], text: &[char]) -> bool {
    let (mut p, mut t) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        match pattern.get(p) {
            Some('*') => {
                star = Some((p, t));
                p += 1;
            }
            Some(c) if *c == '?' || *c == text[t] => {
                p += 1;
                t += 1;
            }
            _ => {
                let Some((at, from)) = star else { return false };
                star = Some((at, from + 1));
                p = at + 1;
                t = from + 1;
            }
        }
    }
    pattern[p..].iter().all(|c| *c == '*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_as_a_shell_user_expects() {
        for (pattern, text, expect) in [
            ("*", "", true),
            ("*", "a/b", true),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("projetos/*", "Projetos/2019/x", true),
            ("projetos/*", "Projetos", false),
            ("*2019", "a/2019/b/2019", true),
            ("*2019", "a/2019/b", false),
            ("a*b*c", "axxbyybzzc", true),
            ("a*b*c", "axxbyybzz", false),
            ("são*", "SA\u{303}O Paulo", true),
            ("", "a", false),
        ] {
            let (p, t): (Vec<char>, Vec<char>) = (fold(pattern).chars().collect(), fold(text).chars().collect());
            assert_eq!(matches(&p, &t), expect, "{pattern} on {text}");
        }
    }

    #[test]
    fn an_exclusion_beats_a_wish_and_no_wish_means_all() {
        let path = FolderPath::from("Projetos/2019");
        let refuses = |globs: &[&str]| {
            Globs::new(&globs.iter().map(|g| (*g).to_owned()).collect::<Vec<_>>()).refuses(&path).is_some()
        };
        assert!(!refuses(&[]));
        assert!(!refuses(&["Projetos*"]));
        assert!(refuses(&["INBOX"]));
        assert!(refuses(&["!*2019"]));
        assert!(refuses(&["*", "!*2019"]));
        assert!(!refuses(&["!INBOX", "  "]));
    }
}
