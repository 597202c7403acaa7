//! Every folder name comes back from modified UTF-7 as it was, in printable ASCII on the way; nothing that a server
//! calls a name makes the decoder panic, and what it shows can be written and read again. The input is a name.
#![no_main]

use gatepost_imap::wire::utf7::{decode, encode};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|name: &[u8]| {
    let shown = decode(name);
    comes_back(&shown);
    if let Ok(text) = std::str::from_utf8(name) {
        comes_back(text);
    }
});

fn comes_back(name: &str) {
    let wire = encode(name);
    assert!(wire.bytes().all(|byte| (0x20..0x7f).contains(&byte)), "{wire:?}");
    assert_eq!(decode(wire.as_bytes()), name);
}
