//! No bytes make the readers of compressed RTF and of RTF panic, hang or grow beyond their input's worth; what is
//! rendered holds no NUL. The input is taken as a compressed body and as RTF itself.
#![no_main]

use gatepost_mapi::rtf::{Decompressor, convert};
use libfuzzer_sys::fuzz_target;
use std::io::Read;

fuzz_target!(|bytes: &[u8]| {
    let mut plain = Vec::new();
    let mut reader = Decompressor::new(bytes).take(1 << 20);
    // Only a source that fails is an error, and memory does not.
    reader.read_to_end(&mut plain).expect("memory can be read");
    // A reference of two bytes gives at most 17, and a bit of the control byte in front.
    assert!(plain.len() <= bytes.len() * 17, "{} of {}", plain.len(), bytes.len());
    for rtf in [plain.as_slice(), bytes] {
        let one = convert(&mut &rtf[..], 1252).expect("memory can be read");
        let two = convert(&mut &rtf[..], 1252).expect("memory can be read");
        assert_eq!(format!("{one:?}"), format!("{two:?}"));
    }
});
