//! Content lines, as vCard (RFC 6350 section 3.2) and iCalendar (RFC 5545 section 3.1) have them in common.

/// Builds content lines, folded at 75 octets.
#[derive(Default)]
pub(crate) struct Lines {
    pub text: String,
    line: String,
}

impl Lines {
    /// A whole line, already escaped.
    pub fn raw(&mut self, line: &str) {
        let mut rest = line;
        let mut room = 75;
        while rest.len() > room {
            let (head, tail) = rest.split_at(rest.floor_char_boundary(room));
            self.text.push_str(head);
            self.text.push_str("\r\n ");
            rest = tail;
            room = 74;
        }
        self.text.push_str(rest);
        self.text.push_str("\r\n");
    }

    /// A property with a text; nothing where the text is empty.
    pub fn text(&mut self, name: &str, value: &str) {
        if !value.trim().is_empty() {
            let mut line = std::mem::take(&mut self.line);
            line.clear();
            line.push_str(name);
            line.push(':');
            escape(value, &mut line);
            self.raw(&line);
            self.line = line;
        }
    }

    /// A property of several fields, parted by semicolons; nothing where all are empty.
    pub fn structured(&mut self, name: &str, fields: &[&str]) {
        if fields.iter().any(|field| !field.trim().is_empty()) {
            let mut line = format!("{name}:");
            for (number, field) in fields.iter().enumerate() {
                if number > 0 {
                    line.push(';');
                }
                escape(field.trim(), &mut line);
            }
            self.raw(&line);
        }
    }

    /// A property of a list, parted by commas; nothing where it is empty.
    pub fn list(&mut self, name: &str, values: &[&str]) {
        if !values.is_empty() {
            let mut line = format!("{name}:");
            for (number, value) in values.iter().enumerate() {
                if number > 0 {
                    line.push(',');
                }
                escape(value.trim(), &mut line);
            }
            self.raw(&line);
        }
    }
}

/// Escapes a text value.
fn escape(value: &str, out: &mut String) {
    let mut chars = value.trim_end_matches('\0').chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\\' | ';' | ',' => {
                out.push('\\');
                out.push(c);
            }
            '\r' => {
                chars.next_if_eq(&'\n');
                out.push_str("\\n");
            }
            '\n' => out.push_str("\\n"),
            '\t' => out.push('\t'),
            c if c.is_control() => {}
            c => out.push(c),
        }
    }
}

/// A parameter's value: quoted, without what cannot stand in quotes (RFC 6868 for what can be said otherwise).
pub(crate) fn parameter(value: &str) -> String {
    let mut out = String::with_capacity(value.len() + 2);
    out.push('"');
    for c in value.chars() {
        match c {
            '"' => out.push_str("^'"),
            '^' => out.push_str("^^"),
            '\n' => out.push_str("^n"),
            c if c.is_control() => {}
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_lines_are_folded_between_characters() {
        let mut lines = Lines::default();
        let text = "ação; reunião, \\ fim\r\nsegunda\n".repeat(12);
        lines.text("DESCRIPTION", &text);
        assert!(lines.text.lines().all(|line| line.len() <= 75));
        let unfolded = lines.text.replace("\r\n ", "");
        assert_eq!(unfolded, format!("DESCRIPTION:{}\r\n", "ação\\; reunião\\, \\\\ fim\\nsegunda\\n".repeat(12)));
    }
}
