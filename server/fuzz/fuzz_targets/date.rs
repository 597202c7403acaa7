//! No text makes the readers of dates panic; what was read is written so that it reads the same; every instant in a
//! zone comes back. The input is the text, and its first bytes are an instant and a zone too.
#![no_main]

use gatepost_imap::wire::date::{format, parse};
use gatepost_transfer::InternalDate;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &[u8]| {
    if let Some(date) = parse(text)
        && let Some(written) = format(date)
    {
        assert_eq!(parse(written.as_bytes()), Some(date), "{written}");
    }
    if let Ok(text) = std::str::from_utf8(text)
        && let Ok(date) = text.parse::<InternalDate>()
    {
        in_the_ledger(date);
    }
    if let Some((seconds, rest)) = text.split_first_chunk::<8>()
        && let Some(zone) = rest.first_chunk::<2>()
    {
        let date =
            InternalDate { seconds: i64::from_le_bytes(*seconds), zone_minutes: i16::from_le_bytes(*zone) % 1440 };
        if let Some(written) = format(date) {
            assert_eq!(parse(written.as_bytes()), Some(date), "{written}");
            in_the_ledger(date);
        }
    }
});

/// The ledger stores a date as text.
fn in_the_ledger(date: InternalDate) {
    let text = date.to_string();
    if (0..=253_402_207_200).contains(&date.seconds) {
        assert_eq!(text.parse(), Ok(date), "{text}");
    }
}
