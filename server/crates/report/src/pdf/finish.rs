//! Pages to a file: the fonts that were used, the title and the language for screen readers, bookmarks, and the signed
//! document with its signature as attachments.

use super::{
    Paper, PdfError,
    flow::Place,
    fonts::{Font, Fonts},
    sheet::{HEIGHT, Sheet, WIDTH},
};
use crate::texts::Lang;
use lopdf::{Dictionary, Document, Object, ObjectId, Stream, StringFormat, dictionary};
use printpdf::{FontId, Op, ParsedFont, PdfDocument, PdfFont, PdfPage, PdfSaveOptions, Pt, Rect};

/// The attachment that is the report itself.
pub const DOCUMENT: &str = "report.json";
/// The attachment that is its signature.
pub const SIGNATURE: &str = "report.json.sig";

/// Puts the file together.
pub fn file(
    sheets: Vec<Sheet>,
    fonts: &Fonts,
    places: &[Place],
    paper: &Paper<'_>,
    lang: Lang,
) -> Result<Vec<u8>, PdfError> {
    let title = format!("{}: {}", lang.report(), paper.report.job.domain);
    let mut pdf = PdfDocument::new(&title);
    for font in Font::ALL {
        let Some(bytes) = fonts.subset(font) else { continue };
        let mut parsed = ParsedFont::from_bytes(&bytes, 0, &mut Vec::new()).ok_or(PdfError::Font)?;
        parsed.font_name = Some(font.name().to_owned());
        pdf.resources.fonts.map.insert(FontId(font.resource().to_owned()), PdfFont::new(parsed));
    }
    let specimen = u32::try_from(sheets.len() + 1).unwrap_or(u32::MAX);
    pdf.pages = sheets.into_iter().map(|sheet| page(sheet.into_ops())).collect();
    pdf.pages.push(page(Sheet::specimen(fonts)));
    // Not `secure`: that would leave out what a sheet wrote by itself.
    let options = PdfSaveOptions { optimize: true, subset_fonts: false, secure: false, image_optimization: None };
    let mut document = pdf.to_lopdf_document(&options, &mut Vec::new());
    drop(pdf);
    document.delete_pages(&[specimen]);
    document.version = "1.7".to_owned();
    let written = |e: lopdf::Error| PdfError::Write(e.to_string());
    let pages: Vec<ObjectId> = document.page_iter().collect();
    let outlines = bookmarks(&mut document, &pages, places);
    let files = attachments(&mut document, paper);
    describe(&mut document, &title, paper, lang);
    let catalog = document.catalog_mut().map_err(written)?;
    catalog.set("Lang", text(lang.tag()));
    catalog.set("PageLayout", Object::Name(b"SinglePage".to_vec()));
    catalog.set("PageMode", Object::Name(b"UseOutlines".to_vec()));
    catalog.set("ViewerPreferences", dictionary! { "DisplayDocTitle" => true });
    catalog.set("MarkInfo", dictionary! { "Marked" => false });
    catalog.set("Outlines", outlines);
    catalog.set("Names", dictionary! { "EmbeddedFiles" => dictionary! { "Names" => files.clone() } });
    catalog.set("AF", files.into_iter().filter(|o| matches!(o, Object::Reference(_))).collect::<Vec<_>>());
    document.compress();
    let mut bytes = Vec::new();
    document.save_to(&mut bytes).map_err(|e| PdfError::Write(e.to_string()))?;
    Ok(bytes)
}

fn page(ops: Vec<Op>) -> PdfPage {
    let whole = Rect::from_wh(Pt(WIDTH), Pt(HEIGHT));
    PdfPage { media_box: whole.clone(), trim_box: whole.clone(), crop_box: whole, ops }
}

/// Text of a PDF outside its pages: UTF-16 with a byte order mark (ISO 32000-1 section 7.9.2.2).
fn text(text: &str) -> Object {
    let mut bytes = vec![0xfe, 0xff];
    bytes.extend(text.encode_utf16().flat_map(u16::to_be_bytes));
    Object::String(bytes, StringFormat::Hexadecimal)
}

/// `2026-11-21T04:12:09.123Z` as `D:20261121041209Z`.
fn date(at: &str) -> Object {
    let digits: String = at.chars().filter(char::is_ascii_digit).take(14).collect();
    Object::string_literal(format!("D:{digits}Z"))
}

fn describe(document: &mut Document, title: &str, paper: &Paper<'_>, lang: Lang) {
    let info = document.add_object(dictionary! {
        "Title" => text(title),
        "Subject" => text(&format!("{} {}", lang.mail_of(), paper.report.job.domain)),
        "Author" => text("Gatepost"),
        "Creator" => text(&format!("Gatepost {}", paper.report.generator.version)),
        "Producer" => text("printpdf"),
        "CreationDate" => date(&paper.report.generated_at),
        "ModDate" => date(&paper.report.generated_at),
        "Keywords" => text(&format!("sha256:{} key:{}", paper.signature.digest, paper.signature.key_id)),
    });
    document.trailer.set("Info", info);
    // The same report gives the same file.
    let digest = paper.signature.digest.bytes().take(32).collect();
    let id = Object::String(digest, StringFormat::Literal);
    document.trailer.set("ID", vec![id.clone(), id]);
}

fn bookmarks(document: &mut Document, pages: &[ObjectId], places: &[Place]) -> Object {
    let root = document.new_object_id();
    let ids: Vec<ObjectId> = places.iter().map(|_| document.new_object_id()).collect();
    for (n, place) in places.iter().enumerate() {
        let mut item = dictionary! { "Title" => text(&place.title), "Parent" => root };
        if let Some(page) = pages.get(place.page.saturating_sub(1)) {
            let top = Object::Real(HEIGHT - place.y + 24.0);
            item.set("Dest", vec![(*page).into(), "XYZ".into(), Object::Null, top, Object::Null]);
        }
        if n > 0 {
            item.set("Prev", ids[n - 1]);
        }
        if let Some(next) = ids.get(n + 1) {
            item.set("Next", *next);
        }
        document.set_object(ids[n], item);
    }
    let mut list = dictionary! { "Type" => "Outlines", "Count" => i64::try_from(ids.len()).unwrap_or(0) };
    if let (Some(first), Some(last)) = (ids.first(), ids.last()) {
        list.set("First", *first);
        list.set("Last", *last);
    }
    document.set_object(root, list);
    root.into()
}

/// The names and references of the attached files, sorted by name.
fn attachments(document: &mut Document, paper: &Paper<'_>) -> Vec<Object> {
    let signature = serde_json::to_vec(paper.signature).unwrap_or_default();
    let files = [
        (DOCUMENT, "application/json", paper.document.to_vec(), "Source"),
        (SIGNATURE, "application/json", signature, "Supplement"),
    ];
    let mut names = Vec::new();
    for (name, media_type, content, relation) in files {
        let size = i64::try_from(content.len()).unwrap_or(0);
        let mut head = Dictionary::new();
        head.set("Type", "EmbeddedFile");
        head.set("Subtype", Object::Name(media_type.as_bytes().to_vec()));
        head.set("Params", dictionary! { "Size" => size, "ModDate" => date(&paper.report.generated_at) });
        let stream = document.add_object(Stream::new(head, content).with_compression(true));
        let entry = document.add_object(dictionary! {
            "Type" => "Filespec",
            "F" => Object::string_literal(name),
            "UF" => text(name),
            "AFRelationship" => relation,
            "EF" => dictionary! { "F" => stream, "UF" => stream },
        });
        names.push(Object::string_literal(name));
        names.push(entry.into());
    }
    names
}
