//! The text of HTML, for where only text can stand: calendars and contacts. It lays nothing out beyond lines.

/// The text of HTML.
pub(crate) fn of_html(html: &str) -> String {
    let mut out = String::with_capacity(html.len() / 2);
    let mut rest = html;
    // How many <pre> the text lies in: there its lines are its own.
    let mut kept = 0_usize;
    while let Some(at) = rest.find('<') {
        text(&rest[..at], kept > 0, &mut out);
        rest = &rest[at..];
        if let Some(comment) = rest.strip_prefix("<!--") {
            rest = comment.find("-->").map_or("", |end| &comment[end + 3..]);
            continue;
        }
        let Some(end) = rest.find('>') else { break };
        let tag = &rest[1..end];
        rest = &rest[end + 1..];
        let name: String = tag
            .trim_start_matches('/')
            .chars()
            .take_while(char::is_ascii_alphanumeric)
            .map(|c| c.to_ascii_lowercase())
            .collect();
        match name.as_str() {
            "style" | "script" | "head" | "title" if !tag.starts_with('/') => {
                let close = format!("</{name}");
                rest = find_ignoring_case(rest, &close).map_or("", |at| &rest[at..]);
            }
            "br" => out.push_str("\r\n"),
            "pre" if tag.starts_with('/') => kept = kept.saturating_sub(1),
            "pre" => kept += 1,
            "p" | "div" | "tr" | "li" | "h1" | "h2" | "h3" | "h4" | "table" | "ul" | "ol" | "blockquote"
                if !out.is_empty() && !out.ends_with('\n') =>
            {
                out.push_str("\r\n");
            }
            "td" | "th" if tag.starts_with('/') => out.push('\t'),
            _ => {}
        }
    }
    text(rest, kept > 0, &mut out);
    out.trim().to_owned()
}

fn find_ignoring_case(text: &str, what: &str) -> Option<usize> {
    text.as_bytes().windows(what.len()).position(|window| window.eq_ignore_ascii_case(what.as_bytes()))
}

/// Text between tags: white space is one blank, references become characters.
fn text(raw: &str, kept: bool, out: &mut String) {
    let mut rest = raw;
    while let Some(c) = rest.chars().next() {
        if c == '&'
            && let Some(end) = rest.bytes().take(12).position(|b| b == b';')
            && let Some(character) = reference(&rest[1..end])
        {
            out.push(character);
            rest = &rest[end + 1..];
            continue;
        }
        if c.is_ascii_whitespace() && !kept {
            if !out.is_empty() && !out.ends_with([' ', '\n', '\t']) {
                out.push(' ');
            }
        } else {
            out.push(c);
        }
        rest = &rest[c.len_utf8()..];
    }
}

fn reference(name: &str) -> Option<char> {
    if let Some(number) = name.strip_prefix('#') {
        let code = match number.strip_prefix(['x', 'X']) {
            Some(hex) => u32::from_str_radix(hex, 16).ok()?,
            None => number.parse().ok()?,
        };
        return char::from_u32(code).filter(|c| !c.is_control());
    }
    Some(match name {
        "amp" => '&',
        "lt" => '<',
        "gt" => '>',
        "quot" => '"',
        "apos" => '\'',
        "nbsp" => ' ',
        "euro" => '€',
        "ndash" => '–',
        "mdash" => '—',
        "lsquo" => '‘',
        "rsquo" => '’',
        "ldquo" => '“',
        "rdquo" => '”',
        "bull" => '•',
        "hellip" => '…',
        "copy" => '©',
        "aacute" => 'á',
        "acirc" => 'â',
        "agrave" => 'à',
        "atilde" => 'ã',
        "auml" => 'ä',
        "ccedil" => 'ç',
        "eacute" => 'é',
        "ecirc" => 'ê',
        "iacute" => 'í',
        "oacute" => 'ó',
        "ocirc" => 'ô',
        "otilde" => 'õ',
        "ouml" => 'ö',
        "uacute" => 'ú',
        "uuml" => 'ü',
        "szlig" => 'ß',
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_of_html_is_what_a_reader_sees() {
        for (html, text) in [
            ("<p>a  b<br>c</p><p>d &amp; &eacute;&#8364;</p>", "a b\r\nc\r\nd & é€"),
            ("<head><title>t</title></head><style>x{}</style><!-- c --><b>bold</b>", "bold"),
            ("1 < 2", "1 < 2"),
            ("<pre>a\n  b</pre>", "a\n  b"),
            ("& &nope; &#0;", "& &nope; &#0;"),
        ] {
            assert_eq!(of_html(html), text, "{html}");
        }
    }
}
