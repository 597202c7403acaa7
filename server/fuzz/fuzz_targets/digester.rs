//! A message's digests do not depend on how its bytes were cut; the exact one is BLAKE3 of the bytes, the canonical one
//! is that of the bytes with bare CR and LF made CRLF and NULs left out, and mending makes just those. The input is a
//! message; its first byte says how it is cut.
#![no_main]

use gatepost_transfer::{Digest, Digester, Mender};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Some((step, message)) = bytes.split_first() else { return };
    let whole = Digester::of(message);
    let (mut digester, mut mender, mut mended) = (Digester::new(), Mender::default(), Vec::new());
    for piece in message.chunks(usize::from(*step).max(1)) {
        for piece in [piece, &[]] {
            digester.update(piece);
            mended.extend(mender.mend(piece));
        }
    }
    mended.extend(mender.end());
    assert_eq!(digester.mended_size(), (mended != message).then_some(mended.len() as u64));
    assert_eq!(mended, canonical(message));
    assert_eq!(digester.finish(), whole);
    assert_eq!(whole.size, message.len() as u64);
    assert_eq!(whole.exact, Digest(*blake3::hash(message).as_bytes()));
    assert_eq!(whole.canonical, Digest(*blake3::hash(&canonical(message)).as_bytes()));
    assert_eq!(Digester::of(&canonical(message)).canonical, whole.canonical, "mending twice changes nothing");
});

/// Byte by byte: a CR is followed by a LF in the message itself, or gets one.
fn canonical(message: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(message.len() + 16);
    for (at, byte) in message.iter().enumerate() {
        match byte {
            0 => {}
            b'\r' if message.get(at + 1) != Some(&b'\n') => out.extend_from_slice(b"\r\n"),
            b'\n' if at == 0 || message[at - 1] != b'\r' => out.extend_from_slice(b"\r\n"),
            byte => out.push(*byte),
        }
    }
    out
}
