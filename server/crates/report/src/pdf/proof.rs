//! A PDF from elsewhere: what it carries, and whether its pages are those that belong to it. Its signature covers the
//! attached document alone, so the pages are drawn again from that and compared.

use super::{
    Paper,
    finish::{DOCUMENT, SIGNATURE},
    pdf,
};
use crate::{
    seal::{Distrust, Trusted, check},
    texts::Lang,
};
use lopdf::{Document, LoadOptions, Object};

/// Bytes that an attachment may have when it is unpacked; a report of 50,000 messages has a tenth of that.
const MOST_ATTACHED: usize = 256 << 20;
/// Bytes that any other stream may have which is unpacked to read the file; those that are made here have none.
const MOST_STRUCTURE: usize = 4 << 20;

/// The report and the signature that are attached to a PDF where a viewer shows attachments; none where it has none.
#[must_use]
pub fn enclosed(pdf: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
    within(pdf, MOST_ATTACHED)
}

fn within(pdf: &[u8], most: usize) -> Option<(Vec<u8>, Vec<u8>)> {
    let options = LoadOptions::with_max_decompressed_size(MOST_STRUCTURE);
    let document = Document::load_mem_with_options(pdf, options).ok()?;
    Some((attached(&document, DOCUMENT, most)?, attached(&document, SIGNATURE, most)?))
}

/// Through the catalog's name tree (ISO 32000-1 section 7.11.4), which is one leaf in files that are made here.
fn attached(document: &Document, wanted: &str, most: usize) -> Option<Vec<u8>> {
    let mut names = document.catalog().ok()?;
    for name in [&b"Names"[..], b"EmbeddedFiles"] {
        names = followed(document, names.get(name).ok()?)?.as_dict().ok()?;
    }
    let names = followed(document, names.get(b"Names").ok()?)?.as_array().ok()?;
    let named = |pair: &&[Object]| pair[0].as_str().is_ok_and(|name| name == wanted.as_bytes());
    let entry = followed(document, names.chunks_exact(2).find(named)?.last()?)?.as_dict().ok()?;
    let files = followed(document, entry.get(b"EF").ok()?)?.as_dict().ok()?;
    let stream = followed(document, files.get(b"F").ok()?)?.as_stream().ok()?;
    stream.get_plain_content_with_limit(most).ok()
}

fn followed<'a>(document: &'a Document, object: &'a Object) -> Option<&'a Object> {
    document.dereference(object).ok().map(|(_, object)| object)
}

/// Checks a PDF against a public key: the attached document against its signature, and the file against the one that is
/// made from both, byte for byte. Takes twice as long as to make it.
///
/// # Errors
/// Says what is wrong. [`Distrust::Pages`] where the document is genuine and the rest of the file is not proved.
pub fn check_pdf(file: &[u8], key: &str) -> Result<Trusted, Distrust> {
    let (document, signature) = enclosed(file).ok_or(Distrust::NothingEnclosed)?;
    let trusted = check(&document, &signature, key)?;
    let signature = serde_json::from_slice(&signature).map_err(|e| Distrust::NoSignature(e.to_string()))?;
    let paper = Paper { report: &trusted.report, document: &document, signature: &signature };
    let drawn = |lang| pdf(&paper, lang).is_ok_and(|drawn| drawn == file);
    if [Lang::English, Lang::Portuguese].into_iter().any(drawn) {
        return Ok(trusted);
    }
    Err(Distrust::Pages { made: trusted.report.generator.version, here: env!("CARGO_PKG_VERSION").to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use lopdf::{Stream, dictionary};

    /// A file with two attachments of so many bytes, named in the catalog or lying about.
    fn file(bytes: usize, shown: bool) -> Vec<u8> {
        let mut document = Document::with_version("1.7");
        let mut names = Vec::new();
        for name in [DOCUMENT, SIGNATURE] {
            let stream = Stream::new(dictionary! { "Type" => "EmbeddedFile" }, vec![b'0'; bytes]);
            let stream = document.add_object(stream);
            let entry = document.add_object(dictionary! {
                "Type" => "Filespec", "F" => Object::string_literal(name), "EF" => dictionary! { "F" => stream },
            });
            names.extend([Object::string_literal(name), entry.into()]);
        }
        let pages =
            document.add_object(dictionary! { "Type" => "Pages", "Kids" => Vec::<Object>::new(), "Count" => 0 });
        let mut catalog = dictionary! { "Type" => "Catalog", "Pages" => pages };
        if shown {
            catalog.set("Names", dictionary! { "EmbeddedFiles" => dictionary! { "Names" => names } });
        }
        let catalog = document.add_object(catalog);
        document.trailer.set("Root", catalog);
        document.compress();
        let mut written = Vec::new();
        document.save_to(&mut written).unwrap();
        written
    }

    #[test]
    fn attachments_count_where_a_viewer_shows_them_and_are_unpacked_up_to_a_limit() {
        let content = vec![b'0'; 100_000];
        assert!(file(100_000, true).len() < 5_000, "it is packed");
        assert_eq!(within(&file(100_000, true), 100_000), Some((content.clone(), content)));
        assert_eq!(within(&file(100_000, true), 99_999), None, "too large");
        assert_eq!(within(&file(100_000, false), 100_000), None, "no viewer shows it");
    }
}
