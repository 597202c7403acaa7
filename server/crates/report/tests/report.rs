//! The document, its schema, its signature and its paper.

#[path = "../examples/paper/sample.rs"]
mod sample;

use gatepost_report::*;
use lopdf::{Document, Object};
use serde_json::Value;

fn sealed(report: &Report) -> (Vec<u8>, SignatureFile) {
    let document = canonical(report).expect("it has bytes");
    let signature = Signet::from_seed(&[7; 32]).sign(&document);
    (document, signature)
}

fn printed(report: &Report, lang: Lang) -> Vec<u8> {
    let (document, signature) = sealed(report);
    pdf(&Paper { report, document: &document, signature: &signature }, lang).expect("a file")
}

/// The text of a file, page by page, as a reader gets it.
fn text(file: &[u8]) -> Vec<String> {
    let document = Document::load_mem(file).expect("a PDF");
    document.get_pages().into_keys().map(|page| document.extract_text(&[page]).expect("its text")).collect()
}

/// Everything that makes trouble on paper, in every text of a report.
fn troubled(mut report: Report, text: &str) -> Report {
    let text = || text.to_owned();
    report.job.domain = text();
    report.job.tenant = text();
    report.job.source_label = text();
    report.gate.reason = text();
    report.gate.checks.iter_mut().for_each(|check| check.message = text());
    report.gate.history.iter_mut().for_each(|change| change.reason = text());
    for mailbox in &mut report.mailboxes {
        mailbox.email = text();
        mailbox.last_error = Some(text());
        for folder in &mut mailbox.folders {
            folder.source_path = text();
            folder.note = Some(text());
        }
    }
    for item in &mut report.residue.items {
        item.mailbox = text();
        item.folder = text();
        item.subject = Some(text());
        item.from = Some(text());
        item.cause = Some(text());
    }
    report.waivers.iter_mut().for_each(|waiver| waiver.reason = text());
    report.timeline.iter_mut().for_each(|entry| entry.reason = Some(text()));
    report.dns.iter_mut().flat_map(|part| &mut part.records).for_each(|record| record.values = vec![text()]);
    report.audit.entries.iter_mut().for_each(|row| row.reason = Some(text()));
    report
}

#[test]
fn every_report_fits_the_published_schema() {
    let schema = schema();
    let check = jsonschema::draft202012::new(&schema).unwrap();
    for report in [
        sample::rich(0, 0),
        sample::rich(3, 0),
        sample::rich(3, 20),
        sample::rich(3, 20).for_customer(),
        troubled(sample::rich(1, 4), "\u{202e}\0 漢"),
    ] {
        let document: Value = serde_json::from_slice(&canonical(&report).unwrap()).unwrap();
        let faults: Vec<String> = check.iter_errors(&document).map(|e| format!("{}: {e}", e.instance_path())).collect();
        assert!(faults.is_empty(), "{faults:#?}");
    }
    // It refuses what is none: another version, a state that does not exist, a figure that is a text, a gap.
    let good: Value = serde_json::from_slice(&canonical(&sample::rich(1, 3)).unwrap()).unwrap();
    for (pointer, value) in [
        ("/schema_version", Value::from(2)),
        ("/gate/gate", Value::from("open")),
        ("/summary/tally/source", Value::from("many")),
        ("/residue/items/0/cause_kind", Value::from("bad_luck")),
        ("/job", Value::Null),
    ] {
        let mut bad = good.clone();
        *bad.pointer_mut(pointer).unwrap() = value;
        assert!(!check.is_valid(&bad), "{pointer} should not be valid");
    }
}

#[test]
fn the_bytes_depend_on_the_content_alone_and_read_back_to_it() {
    let report = sample::rich(2, 9);
    let document = canonical(&report).unwrap();
    assert_eq!(serde_json::from_slice::<Report>(&document).unwrap(), report);
    assert_eq!(canonical(&serde_json::from_slice(&document).unwrap()).unwrap(), document);
    assert!(document.starts_with(b"{\"audit\":{\"entries\":"), "names are sorted");
}

#[test]
fn a_signature_holds_for_the_bytes_and_the_key_it_was_made_for_and_for_nothing_else() {
    let signet = Signet::from_seed(&[7; 32]);
    let key = signet.public();
    let (document, signature) = sealed(&sample::rich(1, 2));
    let file = serde_json::to_vec(&signature).unwrap();
    for good in [&key.public_key, &key.pem, &key.public_key.to_uppercase()] {
        let trusted = check(&document, &file, good).unwrap();
        assert_eq!((trusted.key_id, trusted.report.job.domain.as_str()), (key.key_id.clone(), "example.org"));
    }

    let mut changed = document.clone();
    let at = changed.windows(9).position(|w| w == b"\"waived\":").unwrap() + 9;
    changed[at] = if changed[at] == b'9' { b'8' } else { b'9' };
    assert!(matches!(check(&changed, &file, &key.public_key), Err(Distrust::Changed { .. })));

    // A forger puts the digest of their own document into the file, or signs it with a key of their own.
    let forged = SignatureFile { digest: digest(&changed), ..signature.clone() };
    let forged = serde_json::to_vec(&forged).unwrap();
    assert!(matches!(check(&changed, &forged, &key.public_key), Err(Distrust::Forged(_))));
    let other = Signet::from_seed(&[8; 32]);
    let resigned = serde_json::to_vec(&other.sign(&changed)).unwrap();
    assert!(matches!(check(&changed, &resigned, &key.public_key), Err(Distrust::OtherKey { .. })));
    let lying = SignatureFile { public_key: key.public_key.clone(), ..other.sign(&changed) };
    let lying = serde_json::to_vec(&lying).unwrap();
    assert!(matches!(check(&changed, &lying, &key.public_key), Err(Distrust::Forged(_))));

    for (signature, key) in [
        (&b"{}"[..], key.public_key.as_str()),
        (b"no JSON", &key.public_key),
        (&file, "abc"),
        (&file, ""),
        (&file, "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----"),
    ] {
        assert!(matches!(check(&document, signature, key), Err(Distrust::NoSignature(_) | Distrust::NoKey(_))));
    }
    let noise = b"not a report\n";
    let signed = serde_json::to_vec(&signet.sign(noise)).unwrap();
    assert!(matches!(check(noise, &signed, &key.public_key), Err(Distrust::NoReport(_))));
    assert_eq!(format!("{signet:?}"), format!("Signet({})", key.key_id), "a key does not print itself");
}

#[test]
fn the_paper_carries_the_document_its_signature_a_title_a_language_and_bookmarks() {
    for (lang, title, tag) in [
        (Lang::English, "Migration report: example.org", "en"),
        (Lang::Portuguese, "Relatório de migração: example.org", "pt-BR"),
    ] {
        let report = sample::rich(4, 12);
        let (document, signature) = sealed(&report);
        let file = pdf(&Paper { report: &report, document: &document, signature: &signature }, lang).unwrap();
        let (enclosed_document, enclosed_signature) = enclosed(&file).unwrap();
        assert_eq!(enclosed_document, document);
        let key = Signet::from_seed(&[7; 32]).public().public_key;
        check(&enclosed_document, &enclosed_signature, &key).unwrap();

        let pdf = Document::load_mem(&file).unwrap();
        let catalog = pdf.catalog().unwrap();
        let said = |object: &Object| lopdf::decode_text_string(object).unwrap();
        assert_eq!(said(catalog.get(b"Lang").unwrap()), tag);
        let viewer = catalog.get(b"ViewerPreferences").and_then(Object::as_dict).unwrap();
        assert!(viewer.get(b"DisplayDocTitle").and_then(Object::as_bool).unwrap());
        let info = pdf.trailer.get(b"Info").and_then(Object::as_reference).unwrap();
        let info = pdf.get_object(info).and_then(Object::as_dict).unwrap();
        assert_eq!(said(info.get(b"Title").unwrap()), title);
        let outlines = catalog.get(b"Outlines").and_then(Object::as_reference).unwrap();
        let outlines = pdf.get_object(outlines).and_then(Object::as_dict).unwrap();
        assert_eq!(outlines.get(b"Count").and_then(Object::as_i64).unwrap(), 12);
        // Every font is embedded: nothing depends on what the reader's machine has.
        let descriptors: Vec<_> = pdf
            .objects
            .values()
            .filter_map(|o| o.as_dict().ok())
            .filter(|d| d.get(b"Type").and_then(Object::as_name).is_ok_and(|n| n == b"FontDescriptor"))
            .collect();
        assert_eq!(descriptors.len(), 4);
        assert!(descriptors.iter().all(|d| d.has(b"FontFile2")));
    }
    assert_eq!(enclosed(b"%PDF-1.7 no more than that"), None);
}

#[test]
fn pages_are_numbered_and_every_section_says_its_figures() {
    let report = sample::rich(3, 10);
    let pages = text(&printed(&report, Lang::English));
    let total = pages.len();
    for (n, page) in pages.iter().enumerate() {
        assert!(page.contains(&format!("{} of {total}", n + 1)), "page {} has no number: {page}", n + 1);
    }
    let whole = pages.join("\n");
    for expected in [
        "Not all messages have arrived.",
        "Nobody has approved this gate.",
        "maria.silva@example.org",
        "Archive/2019",
        "Volume by folder",
        "Progress over time",
        "Residue by cause",
        "Quarantine",
        "10 mail.old-provider.example",
        "10 mx1.new-provider.example",
        "gatepost report verify",
    ] {
        assert!(whole.contains(expected), "{expected:?} is nowhere");
    }
    let portuguese = text(&printed(&report, Lang::Portuguese)).join("\n");
    for expected in [
        "Nem todas as mensagens chegaram.",
        "Ninguém aprovou este portão.",
        "joão.conceição@example.org",
        "Resíduo por causa",
    ] {
        assert!(portuguese.contains(expected), "{expected:?} is nowhere");
    }
}

#[test]
fn a_report_without_mailboxes_or_without_anything_missing_is_a_report_too() {
    let none = text(&printed(&sample::rich(0, 0), Lang::English)).join("\n");
    assert!(none.contains("This job has no mailboxes."));
    let clean = text(&printed(&sample::rich(2, 0), Lang::English)).join("\n");
    assert!(clean.contains("All messages have arrived."));
    assert!(clean.contains("Nothing is missing, and nothing has changed on the way."));
    assert!(clean.contains("olga.ops@desk.example"));
}

#[test]
fn the_customers_paper_names_no_staff_no_server_and_no_single_message() {
    let mut full = sample::rich(3, 10);
    full.job.source_label = "the old box in the cellar".into();
    full.waivers[0].reason = "their lawyer was rude".into();
    for (n, reading) in full.dns.iter_mut().enumerate() {
        let planted = |name: &str, value: &str, resolver: &str| DnsRecordPart {
            name: name.into(),
            record_type: "A".into(),
            values: vec![value.into()],
            ttl: Some(60),
            resolvers: vec![resolver.into()],
        };
        reading.records.extend([
            planted("imap.new-provider.example", "203.0.113.7", "10.9.8.7:53"),
            planted("old.badexample.org", "203.0.113.8", "192.0.2.53"),
            planted("badexample.org.", "203.0.113.8", "192.0.2.53"),
            planted("WWW.Example.org.", &format!("198.18.0.{}", n + 1), "10.9.8.7:53"),
        ]);
    }
    let report = full.for_customer();
    let document = String::from_utf8(canonical(&report).unwrap()).unwrap();
    let paper = text(&printed(&report, Lang::English)).join("\n");
    for secret in [
        "olga",
        "tomas",
        "new-provider.example:",
        "imap.new-provider",
        "maria.silva",
        "Fornecedor",
        "Invoice",
        "Archive/2019",
        "host",
        "cellar",
        "lawyer",
        "203.0.113",
        "badexample",
        "192.0.2.53",
        "198.51.100.53",
        "10.9.8.7",
    ] {
        let served = document.replace("\"source_host\":null", "").replace("\"dest_host\":\"\"", "");
        assert!(!served.contains(secret), "the document says {secret:?}");
        assert!(!paper.contains(secret), "the paper says {secret:?}");
    }
    for kept in ["ma…@example.org", "198.18.0.2", "_dmarc.example.org"] {
        assert!(paper.contains(kept), "{kept:?} is gone");
    }
    let of = |n: usize| report.dns[n].records.iter().map(|r| r.resolvers.clone()).collect::<Vec<_>>();
    assert_eq!((of(0)[0].join(" "), of(0)[4].join(" ")), ("2 3".into(), "1".into()), "resolvers are numbers");
    assert_eq!(of(0), of(1), "the same in every reading");
}

#[test]
fn a_paper_whose_pages_were_drawn_anew_is_not_believed_for_what_it_encloses() {
    let report = sample::rich(2, 6);
    let key = Signet::from_seed(&[7; 32]).public().public_key;
    let good = printed(&report, Lang::English);
    for lang in [Lang::English, Lang::Portuguese] {
        assert_eq!(check_pdf(&printed(&report, lang), &key).unwrap().report, report);
    }
    let other = Signet::from_seed(&[8; 32]).public().public_key;
    assert!(matches!(check_pdf(&good, &other), Err(Distrust::OtherKey { .. })));
    assert_eq!(check_pdf(b"%PDF-1.7 no more than that", &key), Err(Distrust::NothingEnclosed));

    // The pages of a better report around the document of this one.
    let mut forged = Document::load_mem(&printed(&sample::rich(2, 0), Lang::English)).unwrap();
    let (document, signature) = enclosed(&good).unwrap();
    for (name, content) in [("report.json", document), ("report.json.sig", signature)] {
        let entry = forged.objects.values().find_map(|o| {
            let entry = o.as_dict().ok()?;
            (entry.get(b"F").and_then(Object::as_str).ok()? == name.as_bytes()).then_some(entry)
        });
        let files = entry.unwrap().get(b"EF").and_then(Object::as_dict).unwrap();
        let id = files.get(b"F").and_then(Object::as_reference).unwrap();
        forged.get_object_mut(id).and_then(Object::as_stream_mut).unwrap().set_plain_content(content);
    }
    let mut redrawn = Vec::new();
    forged.save_to(&mut redrawn).unwrap();
    assert!(text(&redrawn).join("\n").contains("All messages have arrived."));
    let appended = [&good[..], b"\n% more\n"].concat();
    for file in [redrawn, appended] {
        assert_eq!(enclosed(&file), enclosed(&good), "the document is whole");
        let said = check_pdf(&file, &key).unwrap_err();
        assert!(matches!(said, Distrust::Pages { .. }), "{said:?}");
        assert!(said.to_string().contains("pages are not proved"), "{said}");
    }
}

#[test]
fn no_text_is_too_long_or_too_strange_for_the_paper() {
    let long = "a".repeat(10_000);
    let words = "word ".repeat(2_000);
    for strange in [
        "",
        " ",
        long.as_str(),
        words.as_str(),
        "\u{0}\u{1}\t\n\r\u{7f}\u{85}",
        "\u{202e}\u{2066}\u{200f}\u{feff}",
        "שלום עולם, 123 (test)",
        "العربية والعبرية mixed עברית 2026",
        "e\u{301}\u{301}\u{301}\u{301}\u{301}\u{327}",
        "\u{301}",
        "👩‍👩‍👧‍👦🏳️‍🌈 漢字かな交じり文 ไทย हिन्दी",
        "\u{10ffff}\u{e000}\u{fffd}",
        "(\\)<>[]{}/%#",
    ] {
        let report = troubled(sample::rich(1, 6), strange);
        let file = printed(&report, Lang::Portuguese);
        let pages = Document::load_mem(&file).unwrap().get_pages().len();
        assert!((3..60).contains(&pages), "{pages} pages for {:?}…", strange.chars().take(20).collect::<String>());
    }
    // What is cut on paper is whole in the document.
    let report = troubled(sample::rich(1, 1), &long);
    assert_eq!(enclosed(&printed(&report, Lang::English)).unwrap().0, canonical(&report).unwrap());
    assert!(canonical(&report).unwrap().windows(10_000).any(|w| w == long.as_bytes()));
}

#[test]
fn the_same_report_gives_the_same_file() {
    let report = sample::rich(2, 5);
    assert_eq!(printed(&report, Lang::English), printed(&report, Lang::English));
}
