//! Lines of CSV for spreadsheets (RFC 4180), with text of strangers in them that no spreadsheet takes for a formula.

/// One line. Every field is quoted, so that what separates fields elsewhere (a semicolon, a tab) parts none here.
pub fn line<T: AsRef<str>>(fields: &[T]) -> String {
    let mut out = String::new();
    for (n, field) in fields.iter().enumerate() {
        out.push_str(if n == 0 { "\"" } else { ",\"" });
        push(&mut out, field.as_ref());
        out.push('"');
    }
    out.push_str("\r\n");
    out
}

/// A spreadsheet runs what begins with one of these characters. Where it takes semicolons or tabs for the separators, a
/// cell begins behind each of them too, quoted or not: an apostrophe makes text of each such beginning.
fn push(out: &mut String, field: &str) {
    if field.starts_with(['\t', '\r', '\n']) {
        out.push('\'');
    }
    let mut begins = true;
    for c in field.chars() {
        if begins && matches!(c, '=' | '+' | '-' | '@') {
            out.push('\'');
        }
        if c == '"' {
            out.push('"');
        }
        out.push(c);
        // Quotes and blanks before a cell's text are taken away from it.
        begins = matches!(c, ';' | ',' | '\t' | '\r' | '\n') || (begins && matches!(c, '"' | ' '));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_field_holds_a_formula_wherever_a_spreadsheet_parts_it() {
        for (given, written) in [
            ("", ""),
            ("plain", "plain"),
            ("a=b - c+d@e", "a=b - c+d@e"),
            ("two words; and, more", "two words; and, more"),
            ("say \"hi\"", "say \"\"hi\"\""),
            ("=1", "'=1"),
            ("+1", "'+1"),
            ("-x", "'-x"),
            ("@a", "'@a"),
            (" =1", " '=1"),
            ("\"=1", "\"\"'=1"),
            ("\t=1", "'\t'=1"),
            ("\rx", "'\rx"),
            ("a;=1;+2", "a;'=1;'+2"),
            ("a,-1", "a,'-1"),
            ("a\t@b", "a\t'@b"),
            ("a\r\n=1", "a\r\n'=1"),
            ("a;\"=cmd|' /C calc'!A1\"", "a;\"\"'=cmd|' /C calc'!A1\"\""),
            ("==", "'=="),
        ] {
            assert_eq!(line(&[given]), format!("\"{written}\"\r\n"), "{given:?}");
        }
    }

    #[test]
    fn every_field_of_a_line_is_quoted() {
        assert_eq!(line(&["1", "", "a;b"]), "\"1\",\"\",\"a;b\"\r\n");
    }
}
