//! Maildir: which folder a directory is, and what a file's name says. Courier's and Dovecot's `.Folder.Sub` (Maildir++),
//! and directories within each other (`LAYOUT=fs`).

use super::flags::keyword_into;
use crate::containers::names::Names;
use base64::{
    Engine as _,
    alphabet::Alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use gatepost_transfer::{Flags, FolderPath};
use std::sync::LazyLock;

/// The folder of a Maildir that lies at these levels below the account's root.
pub(super) fn folder(levels: &[String]) -> FolderPath {
    let names: Vec<String> = match levels {
        [one] if one.starts_with('.') => one.split('.').filter(|l| !l.is_empty()).map(decode).collect(),
        levels => levels.iter().map(|level| decode(level.trim_start_matches('.'))).collect(),
    };
    // What stood encoded in a name was not seen when the name of the directory was made safe.
    let mut safe = Names::default();
    let names: Vec<String> = names.iter().map(|name| safe.level(name.as_bytes())).filter(|n| !n.is_empty()).collect();
    if names.is_empty() { FolderPath::inbox() } else { FolderPath::new(names) }
}

/// What the letters behind `:2,` mean; letters from `a` stand for the keywords of the folder.
pub(super) fn flags(name: &str, keywords: &[(u8, String)]) -> Flags {
    let mut flags = Flags::default();
    // Windows allows no colon in names: `;`, `!` and `-` are used instead.
    let info = [":2,", ";2,", "!2,", "-2,", "_2,"].iter().find_map(|mark| Some(name.rsplit_once(mark)?.1));
    for letter in info.unwrap_or_default().bytes() {
        match letter {
            b'S' => flags.insert("\\Seen"),
            b'R' => flags.insert("\\Answered"),
            b'F' => flags.insert("\\Flagged"),
            b'T' => flags.insert("\\Deleted"),
            b'D' => flags.insert("\\Draft"),
            b'P' => flags.insert("$Forwarded"),
            b'a'..=b'z' => {
                if let Some((_, keyword)) = keywords.iter().find(|(n, _)| *n == letter - b'a') {
                    keyword_into(&mut flags, keyword);
                }
            }
            _ => {}
        }
    }
    flags
}

/// The keywords of a `dovecot-keywords` file: a number and a name on each line.
pub(super) fn keywords(file: &[u8]) -> Vec<(u8, String)> {
    let text = String::from_utf8_lossy(file);
    text.lines()
        .filter_map(|line| line.split_once(' '))
        .filter_map(|(n, name)| Some((n.parse().ok()?, name.to_owned())))
        .collect()
}

/// When a message was delivered, as the beginning of its name says: seconds since 1970.
pub(super) fn delivered(name: &str) -> Option<i64> {
    let seconds = name.split_once('.')?.0;
    let digits = seconds.len() == 9 || seconds.len() == 10;
    (digits && seconds.bytes().all(|b| b.is_ascii_digit())).then(|| seconds.parse().ok())?
}

/// Reads a name in modified UTF-7 (RFC 3501 section 5.1.3); what is none stays as it is.
fn decode(name: &str) -> String {
    static BASE64: LazyLock<GeneralPurpose> = LazyLock::new(|| {
        let alphabet = Alphabet::new("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+,")
            .expect("64 different printable characters");
        let config = GeneralPurposeConfig::new()
            .with_decode_padding_mode(DecodePaddingMode::Indifferent)
            .with_decode_allow_trailing_bits(true);
        GeneralPurpose::new(&alphabet, config)
    });
    let shifted = |code: &str| {
        let bytes = BASE64.decode(code).ok().filter(|bytes| bytes.len() >= 2)?;
        let units: Vec<u16> = bytes.chunks_exact(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]])).collect();
        String::from_utf16(&units).ok()
    };
    let mut parts = name.split('&');
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        match part.split_once('-') {
            Some(("", rest)) => out.extend(["&", rest]),
            Some((code, rest)) => match shifted(code) {
                Some(text) => out.extend([text.as_str(), rest]),
                None => out.extend(["&", part]),
            },
            None => out.extend(["&", part]),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_are_named_as_the_server_names_them() {
        let cases: [(&[&str], &str); 7] = [
            (&[], "INBOX"),
            (&[".Sent"], "Sent"),
            (&[".Itens Exclu&AO0-dos.Q&A-.2019"], "Itens Excluídos/Q&A-/2019"),
            (&["Sent", "2019"], "Sent/2019"),
            (&[".Q&-A"], "Q&A"),
            (&["Caf&AOk-"], "Café"),
            (&[".a..b"], "a/b"),
        ];
        for (levels, wanted) in cases {
            let levels: Vec<String> = levels.iter().map(|l| (*l).to_owned()).collect();
            assert_eq!(folder(&levels).to_string(), wanted, "{levels:?}");
        }
    }

    #[test]
    fn a_name_says_flags_and_keywords() {
        let keywords = keywords(b"0 $Forwarded\n1 Projeto X\nrubbish\n300 x\n");
        for (name, wanted) in [
            ("1600000000.M1P2.host,S=12:2,RS", "\\Answered \\Seen"),
            ("1600000000.M1P2.host:2,DFTabz", "$Forwarded Projeto_X \\Deleted \\Draft \\Flagged"),
            ("1600000000.M1P2.host;2,S", "\\Seen"),
            ("1600000000.M1P2.host", ""),
        ] {
            assert_eq!(flags(name, &keywords), Flags::from(wanted), "{name}");
        }
        assert_eq!(delivered("1600000000.M1P2.host:2,S"), Some(1_600_000_000));
        assert_eq!(delivered("17.eml"), None);
    }
}
