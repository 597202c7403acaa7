//! Every item of the sample files, made into what it is and read again by a parser that is not ours.

use gatepost_mapi::{Kind, Message, facts, item, tags};
use mail_parser::{MessageParser, MimeHeaders};
use std::path::{Path, PathBuf};

/// The sample files, or `None` where they are not: then a test has nothing to say, but on CI it must have.
fn samples() -> Option<Vec<PathBuf>> {
    let root = std::env::var_os("GATEPOST_SAMPLES")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../../shared/samples"), PathBuf::from);
    let Ok(entries) = std::fs::read_dir(root.join("pst")) else {
        assert!(std::env::var_os("CI").is_none(), "no samples in {}", root.display());
        println!("left out: no samples");
        return None;
    };
    let mut found: Vec<PathBuf> = entries
        .filter_map(|entry| entry.ok().map(|e| e.path()))
        .filter(|path| path.extension().is_some_and(|e| e == "pst" || e == "ost"))
        .collect();
    found.sort();
    Some(found)
}

/// Goes through all items of all samples.
fn each(mut look: impl FnMut(&str, &dyn Message)) {
    for path in samples().unwrap_or_default() {
        let Ok(pst) = gatepost_pst::Pst::open_path(&path) else { continue };
        for folder in pst.folders().expect("the folders of a sample") {
            for (number, reference) in pst.items(folder.nid).expect("the items of a sample").enumerate() {
                let message = pst.message(reference.nid).expect("an item of a sample");
                let name = path.file_name().unwrap_or_default().to_string_lossy();
                look(&format!("{name} {:?} {}", folder.path, number + 1), &message);
            }
        }
    }
}

fn written(name: &str, message: &dyn Message) -> Vec<u8> {
    let mut out = Vec::new();
    let notes = item::write(message, &mut out).expect("memory takes everything");
    assert!(notes.is_empty(), "{name}: {notes:?}");
    out
}

#[test]
fn every_item_becomes_clean_text_and_the_same_bytes_each_time() {
    each(|name, message| {
        let out = written(name, message);
        assert_eq!(out, written(name, message), "{name}");
        let kind = facts(message).kind;
        let text = String::from_utf8(out).unwrap();
        assert!(!text.contains('\0'), "{name}");
        assert!(!text.replace("\r\n", "").contains(['\r', '\n']), "{name}: a line ends otherwise than with CRLF");
        assert!(text.ends_with("\r\n"), "{name}");
        if kind == Kind::Mail {
            assert!(text.is_ascii() && text.split("\r\n").all(|line| line.len() <= 998), "{name}");
        } else if kind != Kind::Note && kind != Kind::Other {
            assert!(text.split("\r\n").all(|line| line.len() <= 75), "{name}");
        }
    });
}

#[test]
fn every_mail_keeps_its_subject_its_bodies_and_its_attachments() {
    let mut mails = 0;
    each(|name, message| {
        let known = facts(message);
        if known.kind != Kind::Mail {
            return;
        }
        mails += 1;
        let out = written(name, message);
        let parsed = MessageParser::default().parse(&out).unwrap();
        let squeezed = |text: &str| text.split_whitespace().collect::<String>();
        let subject = known.subject.unwrap_or_default();
        assert_eq!(squeezed(parsed.subject().unwrap_or_default()), squeezed(&subject), "{name}");
        assert!(known.received.is_some() && parsed.date().is_some(), "{name}: no date");
        assert!(parsed.from().is_some(), "{name}: nobody sent it");
        // A calendar beside the bodies, and a report's status, are no attachments of the item.
        let class = known.class.to_uppercase();
        if !class.contains("MEETING") && !class.starts_with("REPORT") {
            let parts = parsed
                .parts
                .iter()
                .filter(|p| p.content_disposition().is_some())
                // Pictures that lie in the RTF itself are none either.
                .filter(|p| !p.content_id().is_some_and(|id| id.ends_with("@body.rtf")))
                .count();
            assert_eq!(parts, message.attachments(), "{name}");
        }
        if let Some(text) = message.properties().text(tags::BODY) {
            let written = squeezed(&parsed.body_text(0).unwrap_or_default());
            assert_eq!(written, squeezed(text), "{name}");
        }
    });
    assert!(samples().is_none() || mails >= 210, "{mails}");
}
