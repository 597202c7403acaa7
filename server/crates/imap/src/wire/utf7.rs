//! Modified UTF-7, in which folder names are written (RFC 3501 section 5.1.3).

use base64::{
    Engine,
    alphabet::Alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use std::sync::LazyLock;

static BASE64: LazyLock<GeneralPurpose> = LazyLock::new(|| {
    let alphabet = Alphabet::new("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+,")
        .expect("64 different printable characters");
    let config = GeneralPurposeConfig::new()
        .with_encode_padding(false)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true);
    GeneralPurpose::new(&alphabet, config)
});

/// Writes a name in modified UTF-7.
#[must_use]
pub fn encode(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    let mut shifted: Vec<u8> = Vec::new();
    let flush = |shifted: &mut Vec<u8>, out: &mut String| {
        if !shifted.is_empty() {
            out.push('&');
            BASE64.encode_string(&shifted, out);
            out.push('-');
            shifted.clear();
        }
    };
    for c in name.chars() {
        if matches!(c, ' '..='~') {
            flush(&mut shifted, &mut out);
            out.push(c);
            if c == '&' {
                out.push('-');
            }
        } else {
            let mut units = [0; 2];
            shifted.extend(c.encode_utf16(&mut units).iter().flat_map(|unit| unit.to_be_bytes()));
        }
    }
    flush(&mut shifted, &mut out);
    out
}

/// Reads a name from modified UTF-7. What is none (a bare `&`, unknown characters, half a surrogate pair, plain
/// UTF-8) is kept as it stands, so that a name is shown in any case.
#[must_use]
pub fn decode(name: &[u8]) -> String {
    let text = String::from_utf8_lossy(name);
    let mut out = String::with_capacity(text.len());
    let mut rest: &str = &text;
    while let Some(at) = rest.find('&') {
        out.push_str(&rest[..at]);
        let after = &rest[at + 1..];
        match after.find('-') {
            Some(0) => {
                out.push('&');
                rest = &after[1..];
            }
            Some(end) => match shifted(&after[..end]) {
                Some(decoded) => {
                    out.push_str(&decoded);
                    rest = &after[end + 1..];
                }
                None => {
                    out.push('&');
                    rest = after;
                }
            },
            None => {
                out.push('&');
                rest = after;
            }
        }
    }
    out.push_str(rest);
    out
}

fn shifted(code: &str) -> Option<String> {
    let bytes = BASE64.decode(code).ok()?;
    // Six spare bits can look like a zero byte at the end.
    let units: Vec<u16> = bytes.chunks_exact(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]])).collect();
    if units.is_empty() || (bytes.len() % 2 == 1 && bytes.last() != Some(&0)) {
        return None;
    }
    String::from_utf16(&units).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn known_names_are_written_as_servers_write_them() {
        let cases = [
            ("INBOX", "INBOX"),
            ("Q&A", "Q&-A"),
            ("Itens Excluídos", "Itens Exclu&AO0-dos"),
            ("Lixeira/Não", "Lixeira/N&AOM-o"),
            ("~peter/mail/台北/日本語", "~peter/mail/&U,BTFw-/&ZeVnLIqe-"),
            ("😀", "&2D3eAA-"),
            ("&&", "&-&-"),
            ("a\u{7f}b", "a&AH8-b"),
            ("", ""),
        ];
        for (name, wire) in cases {
            assert_eq!(encode(name), wire);
            assert_eq!(decode(wire.as_bytes()), name);
        }
    }

    #[test]
    fn what_is_no_modified_utf7_is_kept() {
        for (wire, shown) in
            [("A&B", "A&B"), ("A&B-C", "A&B-C"), ("&", "&"), ("&!!-x", "&!!-x"), ("&2D0-", "&2D0-"), ("Não", "Não")]
        {
            assert_eq!(decode(wire.as_bytes()), shown);
        }
    }

    proptest! {
        #[test]
        fn every_name_comes_back(name in any::<String>()) {
            let wire = encode(&name);
            prop_assert!(wire.bytes().all(|b| (0x20..0x7f).contains(&b)));
            prop_assert_eq!(decode(wire.as_bytes()), name);
        }

        #[test]
        fn no_bytes_make_the_decoder_panic(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            let _ = decode(&bytes);
        }
    }
}
