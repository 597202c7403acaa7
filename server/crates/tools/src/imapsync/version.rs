//! Which imapsync it is, and what it says where it cannot start.

use std::ops::RangeInclusive;

/// The versions whose words are known.
const KNOWN: RangeInclusive<(u32, u32)> = (2, 229)..=(2, 314);

/// Whether a version, as imapsync tells it, is one of those whose words are known: 2.229 to 2.314.
#[must_use]
pub fn is_known(version: &str) -> bool {
    let numbers = version.trim().split_once('.').and_then(|(major, minor)| {
        let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse().ok()).flatten();
        Some((digits(major)?, digits(minor)?))
    });
    numbers.is_some_and(|numbers| KNOWN.contains(&numbers))
}

/// The Perl module without which imapsync does not start, from Perl's words: `Can't locate Mail/IMAPClient.pm in @INC (…)`.
#[must_use]
pub fn missing_module(words: &str) -> Option<String> {
    let (_, rest) = words.split_once("Can't locate ")?;
    let (file, _) = rest.split_once(" in @INC")?;
    let path = file.strip_suffix(".pm")?;
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"_/".contains(&b);
    (!path.is_empty() && path.bytes().all(plain)).then(|| path.replace('/', "::"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_versions_whose_words_were_read_are_known() {
        for (version, known) in [
            ("2.229", true),
            (" 2.264\n", true),
            ("2.314", true),
            ("2.228", false),
            ("2.315", false),
            ("1.300", false),
            ("3.0", false),
            ("2", false),
            ("2.", false),
            ("2.+300", false),
            ("2.300 or so", false),
            ("env: 'perl': No such file or directory", false),
            ("", false),
        ] {
            assert_eq!(is_known(version), known, "{version:?}");
        }
    }

    #[test]
    fn a_missing_perl_module_is_named_as_it_is_installed() {
        let told = "Can't locate Mail/IMAPClient.pm in @INC (you may need to install the Mail::IMAPClient module) (@INC \
                    contains: /etc/perl) at /usr/bin/imapsync line 80.";
        assert_eq!(missing_module(told).as_deref(), Some("Mail::IMAPClient"));
        let short = "Can't locate Unicode.pm in @INC (@INC contains: .)";
        assert_eq!(missing_module(short).as_deref(), Some("Unicode"));
        for other in ["2.229", "Can't locate x", "Can't locate $(id).pm in @INC", "Can't locate .pm in @INC ("] {
            assert_eq!(missing_module(other), None, "{other}");
        }
    }
}
