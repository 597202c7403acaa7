//! Numbers, sizes and times as the paper writes them.

use super::Lang;

/// A blank that is no place to break a line, and as wide as text wants it.
const BLANK: char = '\u{a0}';

impl Lang {
    /// A whole number in groups of three digits.
    pub(crate) fn count(self, number: i64) -> String {
        let digits = number.unsigned_abs().to_string();
        let mut text = String::with_capacity(digits.len() * 4 / 3 + 1);
        if number < 0 {
            text.push('−');
        }
        for (place, digit) in digits.chars().enumerate() {
            if place > 0 && (digits.len() - place).is_multiple_of(3) {
                text.push(if self == Self::English { ',' } else { '.' });
            }
            text.push(digit);
        }
        text
    }

    /// A count in a table: nothing is a dash, so that what is there stands out.
    pub(crate) fn tally(self, number: i64) -> String {
        if number == 0 { "–".to_owned() } else { self.count(number) }
    }

    /// So many messages.
    pub(crate) fn so_many(self, messages: i64) -> String {
        let word = if messages == 1 { self.pick("message", "mensagem") } else { self.pick("messages", "mensagens") };
        format!("{} {word}", self.count(messages))
    }

    /// Bytes in SI units, one digit after the sign.
    pub(crate) fn size(self, bytes: i64) -> String {
        let units = [("TB", 1_000_000_000_000), ("GB", 1_000_000_000), ("MB", 1_000_000), ("kB", 1_000)];
        match units.iter().find(|(_, scale)| bytes.abs() >= *scale) {
            Some((unit, scale)) => {
                let tenths = bytes / (scale / 10);
                format!("{}{}{}{BLANK}{unit}", self.count(tenths / 10), self.point(), (tenths % 10).abs())
            }
            None => format!("{bytes}{BLANK}B"),
        }
    }

    /// A share of 0 to 1, rounded down: only the whole is shown as 100 %.
    pub(crate) fn percent(self, share: f64) -> String {
        let thousandths = (share.clamp(0.0, 1.0) * 100_000.0 + 1e-6).floor() as i64;
        let (whole, rest) = (thousandths / 1000, thousandths % 1000);
        if rest == 0 {
            return format!("{whole}{BLANK}%");
        }
        let digits = format!("{rest:03}");
        format!("{whole}{}{}{BLANK}%", self.point(), digits.trim_end_matches('0'))
    }

    const fn point(self) -> char {
        match self {
            Self::English => '.',
            Self::Portuguese => ',',
        }
    }

    /// `2026-11-21T04:12:09.123Z` as `2026-11-21 04:12`. What is no such text comes back as it is.
    pub(crate) fn minute(self, at: &str) -> String {
        match (at.get(..10), at.get(11..16)) {
            (Some(day), Some(time)) if at.ends_with('Z') || at.ends_with("+00:00") => format!("{day} {time}"),
            _ => at.chars().take(25).collect(),
        }
    }

    /// The same in words: `21 November 2026, 04:12 UTC`.
    pub(crate) fn moment(self, at: &str) -> String {
        const ENGLISH: [&str; 12] = [
            "January",
            "February",
            "March",
            "April",
            "May",
            "June",
            "July",
            "August",
            "September",
            "October",
            "November",
            "December",
        ];
        const PORTUGUESE: [&str; 12] = [
            "janeiro",
            "fevereiro",
            "março",
            "abril",
            "maio",
            "junho",
            "julho",
            "agosto",
            "setembro",
            "outubro",
            "novembro",
            "dezembro",
        ];
        let number = |range: std::ops::Range<usize>| at.get(range).and_then(|t| t.parse::<usize>().ok());
        let (Some(month @ 1..=12), Some(day), Some(year), Some(time)) =
            (number(5..7), number(8..10), at.get(..4), at.get(11..16))
        else {
            return self.minute(at);
        };
        match self {
            Self::English => format!("{day} {} {year}, {time} UTC", ENGLISH[month - 1]),
            Self::Portuguese => format!("{day} de {} de {year}, {time} UTC", PORTUGUESE[month - 1]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_written_as_the_language_writes_them() {
        assert_eq!(Lang::English.count(1_234_567), "1,234,567");
        assert_eq!(Lang::Portuguese.count(-1_234), "−1.234");
        assert_eq!(Lang::English.tally(0), "–");
        assert_eq!(Lang::Portuguese.size(83_450_000_000), "83,4\u{a0}GB");
        assert_eq!(Lang::English.size(999), "999\u{a0}B");
        assert_eq!(Lang::English.moment("2026-11-21T04:12:09.123Z"), "21 November 2026, 04:12 UTC");
        assert_eq!(Lang::Portuguese.moment("2026-03-01T04:12:09.123Z"), "1 de março de 2026, 04:12 UTC");
        assert_eq!(Lang::English.moment("yesterday"), "yesterday");
    }

    #[test]
    fn a_share_is_never_rounded_up_to_the_whole() {
        for (share, text) in [
            (1.0, "100\u{a0}%"),
            (0.999_999_9, "99.999\u{a0}%"),
            (0.5, "50\u{a0}%"),
            (0.9901, "99.01\u{a0}%"),
            (0.0, "0\u{a0}%"),
            (7.0, "100\u{a0}%"),
            (f64::NAN, "0\u{a0}%"),
        ] {
            assert_eq!(Lang::English.percent(share), text);
        }
    }
}
