//! Where imapsync puts each folder, as options. It takes `FOLDER1=FOLDER2` and cuts at the first sign; and where `FOLDER2`
//! is `0`, which is nothing to Perl, it chooses a folder by itself. Such folders go by rules, which are pieces of Perl that
//! it evaluates on a folder's name: so no character of a name stands in a rule as itself unless it is a letter or a digit.
//! (Into `0` it copies nothing even so. That is pending then, and not in another folder.)

use std::ffi::OsString;

/// The options that name folders and say where each goes.
pub(super) fn options(folders: &[(String, String)]) -> Vec<OsString> {
    let (mut options, mut rules) = (Vec::new(), Vec::new());
    for (source, dest) in folders {
        options.extend(["--folder".to_owned(), source.clone()]);
        if source.contains('=') || dest == "0" {
            // What a rule has written begins with a character that no name has, so that no later rule fits it.
            rules.push(format!(r"s/\A{}\z/\x{{0}}{}/", quoted(source), quoted(dest)));
        } else {
            options.extend(["--f1f2".to_owned(), format!("{source}={dest}")]);
        }
    }
    if !rules.is_empty() {
        // Names come to the rules as the source writes them, and leave as the rules have written them.
        for (option, value) in [("--sep1", "/"), ("--sep2", "/"), ("--prefix1", ""), ("--prefix2", "")] {
            options.extend([option.to_owned(), value.to_owned()]);
        }
        rules.push(r"s/\A\x{0}//".to_owned());
        options.extend(rules.into_iter().flat_map(|rule| ["--regextrans2".to_owned(), rule]));
    }
    options.into_iter().map(OsString::from).collect()
}

/// A name in either half of `s/…/…/`.
fn quoted(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    for c in name.chars() {
        if c.is_ascii_alphanumeric() {
            out.push(c);
        } else {
            out.push_str(&format!(r"\x{{{:x}}}", u32::from(c)));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(folders: &[(&str, &str)]) -> Vec<String> {
        let folders: Vec<_> = folders.iter().map(|(from, to)| ((*from).to_owned(), (*to).to_owned())).collect();
        options(&folders).into_iter().map(|option| option.into_string().expect("text")).collect()
    }

    #[test]
    fn a_folder_is_named_and_mapped_and_nothing_is_said_of_separators() {
        assert_eq!(
            told(&[("Notas ", "Notas "), ("x", "y=z")]),
            ["--folder", "Notas ", "--f1f2", "Notas =Notas ", "--folder", "x", "--f1f2", "x=y=z"]
        );
        assert!(told(&[]).is_empty());
    }

    #[test]
    fn a_name_with_the_sign_goes_by_a_rule_that_no_other_rule_undoes() {
        let expected = [
            "--folder",
            "a=b",
            "--folder",
            "c=d",
            "--folder",
            "0",
            "--folder",
            "x",
            "--f1f2",
            "x=y",
            "--sep1",
            "/",
            "--sep2",
            "/",
            "--prefix1",
            "",
            "--prefix2",
            "",
            "--regextrans2",
            r"s/\Aa\x{3d}b\z/\x{0}c\x{3d}d/",
            "--regextrans2",
            r"s/\Ac\x{3d}d\z/\x{0}INBOX\x{2e}e/",
            "--regextrans2",
            r"s/\A0\z/\x{0}0/",
            "--regextrans2",
            r"s/\A\x{0}//",
        ];
        assert_eq!(told(&[("a=b", "c=d"), ("c=d", "INBOX.e"), ("0", "0"), ("x", "y")]), expected);
    }

    #[test]
    fn no_name_becomes_a_piece_of_a_program() {
        let evil = "=/e;system(qq{x});$a@{[die]}\\z(.*)[a]|\"'`\n";
        let options = told(&[(evil, evil)]);
        let rule = options.iter().find(|option| option.starts_with("s/") && option.contains("system")).expect("a rule");
        let body = rule.replace(r"\A", "").replace(r"\z", "");
        let mut rest = body.strip_prefix("s/").and_then(|body| body.strip_suffix('/')).expect("s/…/…/").to_owned();
        while let Some(at) = rest.find(r"\x{") {
            let end = at + rest[at..].find('}').expect("it ends");
            assert!(rest[at + 3..end].bytes().all(|b| b.is_ascii_hexdigit()), "{rule}");
            rest.replace_range(at..=end, "");
        }
        assert_eq!(rest.matches('/').count(), 1, "{rule}");
        assert!(rest.bytes().all(|b| b == b'/' || b.is_ascii_alphanumeric()), "{rule}");
    }
}
