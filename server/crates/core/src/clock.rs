//! The present, as the database writes it.

use time::{OffsetDateTime, format_description::well_known::Rfc3339};

/// Seconds since 1970.
pub(crate) fn seconds() -> i64 {
    OffsetDateTime::now_utc().unix_timestamp()
}

/// RFC 3339 in UTC with milliseconds, always of the same length, so that text sorts as time does.
pub(crate) fn now() -> String {
    text(OffsetDateTime::now_utc())
}

/// A point in time in the same form.
pub(crate) fn text(at: OffsetDateTime) -> String {
    let at = at.to_offset(time::UtcOffset::UTC);
    format!(
        "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z",
        at.year(),
        u8::from(at.month()),
        at.day(),
        at.hour(),
        at.minute(),
        at.second(),
        at.millisecond()
    )
}

/// Reads such a text.
pub(crate) fn parse(text: &str) -> Option<OffsetDateTime> {
    OffsetDateTime::parse(text, &Rfc3339).ok()
}

/// Such a text as people read it in a sentence: `2026-11-21 04:12 UTC`.
pub(crate) fn to_the_minute(text: &str) -> String {
    match (text.get(..10), text.get(11..16)) {
        (Some(day), Some(minute)) => format!("{day} {minute} UTC"),
        _ => text.to_owned(),
    }
}
