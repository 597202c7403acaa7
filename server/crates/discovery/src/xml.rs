//! XML of strangers as a small tree: bounded in size, depth and number, without document types, so that no entity is
//! ever expanded but the five of XML itself. Names are compared without their prefix and in lower case.

use quick_xml::{Reader, events::Event};

/// The most bytes of a document.
const MOST_BYTES: usize = 256 << 10;
/// The most elements.
const MOST_ELEMENTS: usize = 4_000;
/// How deep they may lie.
const MOST_DEPTH: usize = 24;
/// The longest text of one element that is kept, in bytes.
const MOST_TEXT: usize = 2_000;

/// Why a document is not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// It is longer than anything of the kind.
    #[error("it is too long")]
    TooLong,
    /// It is no UTF-8.
    #[error("it is no UTF-8")]
    Encoding,
    /// It has too many elements, or they lie too deep.
    #[error("it has too many parts")]
    TooMany,
    /// It brings a document type of its own.
    #[error("it has a document type, which nothing of the kind needs")]
    DocumentType,
    /// It is no XML.
    #[error("it is no XML")]
    Malformed,
}

/// An element.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Element {
    /// Its name.
    pub name: String,
    /// Its `type`, the one attribute that anybody here asks for.
    pub kind: String,
    /// Its text, trimmed.
    pub text: String,
    /// What lies in it.
    pub children: Vec<Element>,
}

impl Element {
    /// The children of a name.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Self> {
        self.children.iter().filter(move |child| child.name == name)
    }

    /// The first child of a name.
    pub fn first(&self, name: &str) -> Option<&Self> {
        self.children.iter().find(|child| child.name == name)
    }

    /// The first child at the end of a path.
    pub fn at(&self, path: &[&str]) -> Option<&Self> {
        path.iter().try_fold(self, |element, name| element.first(name))
    }

    /// The text of the first child of a name; empty where there is none.
    pub fn value(&self, name: &str) -> &str {
        self.first(name).map_or("", |child| child.text.as_str())
    }
}

/// Reads a document: its outermost element.
pub fn read(bytes: &[u8]) -> Result<Element, Unreadable> {
    if bytes.len() > MOST_BYTES {
        return Err(Unreadable::TooLong);
    }
    let text = std::str::from_utf8(bytes).map_err(|_| Unreadable::Encoding)?;
    let mut reader = Reader::from_str(text.trim_start_matches('\u{feff}'));
    // The elements that are open, the outermost first; below all of them one that holds the document.
    let mut open = vec![Element::default()];
    let mut elements = 0;
    loop {
        match reader.read_event().map_err(|_| Unreadable::Malformed)? {
            Event::Start(start) => {
                elements += 1;
                if elements > MOST_ELEMENTS || open.len() > MOST_DEPTH {
                    return Err(Unreadable::TooMany);
                }
                open.push(named(&start));
            }
            Event::Empty(start) => {
                elements += 1;
                if elements > MOST_ELEMENTS {
                    return Err(Unreadable::TooMany);
                }
                let element = named(&start);
                open.last_mut().ok_or(Unreadable::Malformed)?.children.push(element);
            }
            Event::End(_) => {
                let mut element = open.pop().ok_or(Unreadable::Malformed)?;
                element.text = element.text.trim().to_owned();
                open.last_mut().ok_or(Unreadable::Malformed)?.children.push(element);
            }
            Event::Text(text) => add(&mut open, &text.xml10_content()),
            Event::CData(text) => add(&mut open, &text.xml10_content()),
            Event::GeneralRef(reference) => {
                let known = match reference.resolve_char_ref().map_err(|_| Unreadable::Malformed)? {
                    Some(c) => c,
                    None => match &*reference.xml10_content() {
                        "amp" => '&',
                        "lt" => '<',
                        "gt" => '>',
                        "quot" => '"',
                        "apos" => '\'',
                        _ => return Err(Unreadable::Malformed),
                    },
                };
                add(&mut open, known.encode_utf8(&mut [0; 4]));
            }
            Event::DocType(_) => return Err(Unreadable::DocumentType),
            Event::Decl(_) | Event::PI(_) | Event::Comment(_) => {}
            Event::Eof => break,
        }
    }
    let document = open.pop().filter(|_| open.is_empty()).ok_or(Unreadable::Malformed)?;
    document.children.into_iter().next().ok_or(Unreadable::Malformed)
}

fn named(start: &quick_xml::events::BytesStart<'_>) -> Element {
    let kind = start
        .attributes()
        .flatten()
        .find(|attribute| attribute.key.local_name().as_ref().eq_ignore_ascii_case("type"))
        .map(|attribute| attribute.value.chars().take(40).collect::<String>().to_lowercase());
    let name = start.local_name().as_ref().chars().take(60).collect::<String>().to_lowercase();
    Element { name, kind: kind.unwrap_or_default(), ..Element::default() }
}

fn add(open: &mut [Element], text: &str) {
    if let Some(element) = open.last_mut()
        && element.text.len() + text.len() <= MOST_TEXT
    {
        element.text.push_str(text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_is_a_tree_of_names_texts_and_types() {
        let text = "\u{feff}<?xml version=\"1.0\"?><!-- a --><c:Config xmlns:c='x'><incomingServer type=\"IMAP\">\n \
                    <hostname>mail.<![CDATA[moved]]>.example</hostname><note>a &amp; b &#x41;</note><empty/>\
                    </incomingServer></c:Config>";
        let document = read(text.as_bytes()).expect("it is XML");
        assert_eq!(document.name, "config");
        let server = document.first("incomingserver").expect("it is there");
        assert_eq!((server.kind.as_str(), server.value("hostname")), ("imap", "mail.moved.example"));
        assert_eq!((server.value("note"), server.value("empty"), server.value("none")), ("a & b A", "", ""));
    }

    #[test]
    fn what_would_eat_memory_or_is_no_xml_is_refused() {
        let deep = "<a>".repeat(2_000);
        let wide = format!("<a>{}</a>", "<b/>".repeat(5_000));
        let laughs = "<!DOCTYPE l [<!ENTITY a \"ha\"><!ENTITY b \"&a;&a;&a;\">]><l>&b;</l>";
        let long = format!("<a>{}</a>", "x".repeat(300 << 10));
        for (document, why) in [
            (laughs, Unreadable::DocumentType),
            ("<!DOCTYPE x SYSTEM 'file:///etc/passwd'><x/>", Unreadable::DocumentType),
            ("<a>&other;</a>", Unreadable::Malformed),
            ("<a><b></a>", Unreadable::Malformed),
            ("<a>", Unreadable::Malformed),
            ("", Unreadable::Malformed),
            ("no XML at all", Unreadable::Malformed),
            (deep.as_str(), Unreadable::TooMany),
            (wide.as_str(), Unreadable::TooMany),
            (long.as_str(), Unreadable::TooLong),
        ] {
            assert_eq!(read(document.as_bytes()), Err(why), "{}", &document[..document.len().min(60)]);
        }
        assert_eq!(read(b"<a>\xff</a>"), Err(Unreadable::Encoding));
    }
}
