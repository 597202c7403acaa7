//! Words for a POSIX shell.

/// What no quoting makes safe.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} cannot be handed to a program on another machine: it holds a line break, a NUL or another control character."
)]
pub struct Unquotable(pub String);

/// A word that a POSIX shell takes for exactly this text: in single quotes, between which nothing has a meaning (POSIX
/// Shell Command Language, section 2.2.2).
///
/// # Errors
/// [`Unquotable`] for control characters: shells and programs differ in what they make of them.
pub fn quote(word: &str) -> Result<String, Unquotable> {
    if word.chars().any(char::is_control) {
        return Err(Unquotable(word.chars().take(200).collect()));
    }
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-_./:@=,+".contains(&b);
    // A first `=` is expanded by zsh.
    if !word.is_empty() && word.bytes().all(plain) && !word.starts_with('=') {
        return Ok(word.to_owned());
    }
    Ok(format!("'{}'", word.replace('\'', r"'\''")))
}

/// A command line of several words.
///
/// # Errors
/// [`Unquotable`] where one of them cannot be quoted.
pub fn line<'a>(words: impl IntoIterator<Item = &'a str>) -> Result<String, Unquotable> {
    let words: Vec<String> = words.into_iter().map(quote).collect::<Result<_, _>>()?;
    Ok(words.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    const ODD: [&str; 14] = [
        "",
        "ana@example.com",
        "-rf",
        "d'or@example.com",
        "'",
        "''\\''",
        "$(touch /tmp/x)@example.com",
        "`id`",
        "a b  c",
        "a;b&c|d>e<f",
        "!history",
        "*?[a]~{b,c}#",
        "José da Ação \u{1f4ec}",
        "\\\\\"%s",
    ];

    #[test]
    fn a_shell_gives_every_word_back_as_it_was() {
        for shell in ["sh", "bash", "dash"] {
            if Command::new(shell).args(["-c", "true"]).status().is_err() {
                continue;
            }
            let script = line(["printf", "%s\\0"].into_iter().chain(ODD)).expect("they can be quoted");
            let said = Command::new(shell).args(["-c", &script]).output().expect("a shell");
            let words: Vec<_> = said.stdout.split(|b| *b == 0).map(String::from_utf8_lossy).collect();
            assert_eq!(words[..ODD.len()], ODD, "{shell}: {script}");
        }
    }

    #[test]
    fn quoting_twice_survives_two_shells() {
        let inner = line(["printf", "%s\\0"].into_iter().chain(ODD)).expect("quoted");
        let outer = line(["sh", "-c", &inner]).expect("quoted");
        let said = Command::new("sh").args(["-c", &outer]).output().expect("a shell");
        let words: Vec<_> = said.stdout.split(|b| *b == 0).map(String::from_utf8_lossy).collect();
        assert_eq!(words[..ODD.len()], ODD);
    }

    #[test]
    fn line_breaks_and_control_characters_are_refused() {
        for word in ["a\nb", "a\0b", "a\rb", "\u{1b}[2J", "a\u{85}b"] {
            assert!(quote(word).is_err(), "{word:?}");
        }
    }
}
