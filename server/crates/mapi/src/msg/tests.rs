//! `.msg` files made here, and the samples where they are.

use super::{properties::STREAM, *};
use crate::{LargeKind, Value, facts, mime};

/// Writes the property stream and the streams of an object.
struct Maker(CompoundFile<Cursor<Vec<u8>>>);

impl Maker {
    fn object(&mut self, path: &str, header: usize, values: &[(u32, &[u8])]) {
        let mut stream = vec![0; header];
        for (tag, bytes) in values {
            stream.extend(tag.to_le_bytes());
            stream.extend([6, 0, 0, 0]);
            let kind = tag & 0xFFFF;
            let mut raw = [0; 8];
            if matches!(kind, 0x1E | 0x1F | 0x102) {
                raw[..4].copy_from_slice(&u32::try_from(bytes.len()).unwrap().to_le_bytes());
                let mut own = self.0.create_stream(format!("{path}__substg1.0_{tag:08X}")).unwrap();
                own.write_all(bytes).unwrap();
            } else {
                raw[..bytes.len()].copy_from_slice(bytes);
            }
            stream.extend(raw);
        }
        self.0.create_stream(format!("{path}{STREAM}")).unwrap().write_all(&stream).unwrap();
    }
}

fn utf16(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

fn made() -> Vec<u8> {
    let mut maker = Maker(CompoundFile::create(Cursor::new(Vec::new())).unwrap());
    let large = vec![b'x'; 100_000];
    maker.object(
        "/",
        32,
        &[
            (0x001A_001F, &utf16("IPM.Note")),
            (0x0037_001F, &utf16("Olá")),
            (0x1000_001F, &utf16("corpo")),
            (0x0E07_0003, &1_i32.to_le_bytes()),
            (0x3FFD_0003, &1251_i32.to_le_bytes()),
            (0x0042_001E, b"\xC0\xED\xFF"),
            (0x8001_001F, &utf16("Sala")),
        ],
    );
    for storage in ["/__nameid_version1.0", "/__recip_version1.0_#00000000", "/__attach_version1.0_#00000000"] {
        maker.0.create_storage(storage).unwrap();
    }
    for (name, bytes) in [
        ("__substg1.0_00020102", crate::sets::APPOINTMENT.0.to_vec()),
        ("__substg1.0_00030102", vec![0x08, 0x82, 0, 0, 6, 0, 1, 0]),
        ("__substg1.0_00040102", Vec::new()),
    ] {
        maker.0.create_stream(format!("/__nameid_version1.0/{name}")).unwrap().write_all(&bytes).unwrap();
    }
    let recipient = [
        (0x0C15_0003, 1_i32.to_le_bytes().to_vec()),
        (0x3001_001E, b"\xC0\xED\xFF".to_vec()),
        (0x3003_001F, utf16("a@a.test")),
    ];
    let recipient: Vec<(u32, &[u8])> = recipient.iter().map(|(tag, bytes)| (*tag, bytes.as_slice())).collect();
    maker.object("/__recip_version1.0_#00000000/", 8, &recipient);
    maker.object(
        "/__attach_version1.0_#00000000/",
        8,
        &[(0x3705_0003, &1_i32.to_le_bytes()), (0x3707_001F, &utf16("a.txt")), (0x3701_0102, &large)],
    );
    maker.0.flush().unwrap();
    maker.0.into_inner().into_inner()
}

#[test]
fn an_item_is_read_with_its_recipients_its_attachments_and_its_names() {
    let item = open(Cursor::new(made())).unwrap();
    assert_eq!(item.properties().text(tags::SUBJECT), Some("Olá"));
    assert_eq!(item.properties().text(tags::REPRESENTING_NAME), Some("Аня"));
    assert_eq!(item.recipients()[0].text(tags::DISPLAY_NAME), Some("Аня"));
    assert_eq!(item.properties().get(&Key::Lid(crate::sets::APPOINTMENT, 0x8208)), Some(&Value::Text("Sala".into())));
    assert_eq!(facts(&item).flags, ["\\Seen"]);
    let attachment = item.attachment(0).unwrap();
    let large = Value::Large { bytes: 100_000, kind: LargeKind::Binary };
    assert_eq!(attachment.properties().tag(tags::ATTACH_DATA), Some(&large));
    let mut bytes = Vec::new();
    attachment.open(&Key::Tag(tags::ATTACH_DATA)).unwrap().unwrap().read_to_end(&mut bytes).unwrap();
    assert_eq!(bytes, vec![b'x'; 100_000]);
}

#[test]
fn what_is_no_msg_is_refused_with_a_sentence() {
    for (bytes, sentence) in [
        (b"From: a@a.test\r\n".repeat(100), "This is not an Outlook message"),
        (
            CompoundFile::create(Cursor::new(Vec::new())).unwrap().into_inner().into_inner(),
            "This is an OLE file, but not an Outlook message",
        ),
    ] {
        let error = open(Cursor::new(bytes)).err().unwrap().to_string();
        assert!(error.starts_with(sentence), "{error}");
    }
}

#[test]
fn damage_never_panics() {
    let good = made();
    for seed in 0..400_usize {
        let mut bytes = good.clone();
        for step in 0..4 {
            let at = (seed * 7_919 + step * 104_729) % bytes.len();
            bytes[at] ^= u8::try_from(seed % 255).unwrap() | 1;
        }
        bytes.truncate(if seed % 3 == 0 { good.len() * (seed % 100) / 100 } else { good.len() });
        if let Ok(item) = open(Cursor::new(bytes)) {
            let _ = mime::write(&item, &mut std::io::sink());
        }
    }
}

#[test]
fn the_samples_become_what_they_are() {
    let samples = std::env::var_os("GATEPOST_SAMPLES")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../../shared/samples"), PathBuf::from);
    let folder = samples.join("eml/outlook-msg");
    let Ok(entries) = std::fs::read_dir(&folder) else {
        assert!(std::env::var_os("CI").is_none(), "no samples in {}", folder.display());
        println!("left out: no samples");
        return;
    };
    let mut seen = 0;
    for entry in entries {
        let path = entry.unwrap().path();
        let item = open(std::fs::File::open(&path).unwrap()).unwrap();
        let mut out = Vec::new();
        let notes = crate::item::write(&item, &mut out).unwrap();
        assert!(notes.is_empty(), "{}: {notes:?}", path.display());
        assert!(!out.is_empty());
        seen += 1;
    }
    assert_eq!(seen, 12);
}
