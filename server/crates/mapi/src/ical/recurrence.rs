//! The recurrence of appointments and tasks as MAPI keeps it: a blob (MS-OXOCAL section 2.2.1.44).

/// How deep damage may go: more exceptions than this are not believed.
const MOST: u32 = 50_000;

/// On which days an item recurs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pattern {
    /// Every so many minutes, a multiple of days.
    Daily,
    /// On these days of the week, bit 0 being Sunday.
    Weekly(u32),
    /// On a day of the month; one beyond its end is its last.
    Monthly(u32),
    /// On the nth of these days of the week, 5 being the last.
    MonthlyNth {
        /// Days of the week, bit 0 being Sunday.
        days: u32,
        /// Which of them.
        nth: u32,
    },
}

/// When a recurrence ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ends {
    /// It does not.
    Never,
    /// After so many.
    After(u32),
    /// With the last that begins on or before this day, in minutes since 1601.
    By(u32),
}

/// An instance that was changed. Times are minutes since 1601 on the wall's clock.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Exception {
    /// When it begins now.
    pub start: u32,
    /// When it ends now.
    pub end: u32,
    /// When it would have begun.
    pub original: u32,
    /// Its own subject.
    pub subject: Option<String>,
    /// Its own place.
    pub location: Option<String>,
    /// Its own state: free, tentative, busy, away.
    pub busy: Option<u32>,
    /// Whether it takes whole days, where that differs.
    pub all_day: Option<bool>,
}

/// A recurrence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recurrence {
    /// 0x200A daily, 0x200B weekly, 0x200C monthly, 0x200D yearly.
    pub frequency: u16,
    /// The days.
    pub pattern: Pattern,
    /// How many days (as minutes), weeks or months lie between.
    pub period: u32,
    /// The end.
    pub ends: Ends,
    /// The day on which weeks begin, 0 being Sunday.
    pub first_day: u32,
    /// Midnights of instances that do not take place as planned: deleted and changed ones.
    pub deleted: Vec<u32>,
    /// Midnights of those that were changed.
    pub modified: Vec<u32>,
    /// The midnight of the first instance.
    pub start_day: u32,
    /// Minutes from midnight to the beginning.
    pub start_offset: u32,
    /// Minutes from midnight to the end.
    pub end_offset: u32,
    /// The changed instances.
    pub exceptions: Vec<Exception>,
    /// Whether it counts by a calendar that is not the Gregorian one.
    pub foreign_calendar: bool,
}

/// Reads little-endian numbers; what is not there ends it.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    fn u16(&mut self) -> Option<u16> {
        let (bytes, rest) = self.0.split_first_chunk::<2>()?;
        self.0 = rest;
        Some(u16::from_le_bytes(*bytes))
    }

    fn u32(&mut self) -> Option<u32> {
        let (bytes, rest) = self.0.split_first_chunk::<4>()?;
        self.0 = rest;
        Some(u32::from_le_bytes(*bytes))
    }

    fn days(&mut self) -> Option<Vec<u32>> {
        let count = self.u32().filter(|count| *count <= MOST)?;
        (0..count).map(|_| self.u32()).collect()
    }

    /// A block that says its own length.
    fn block(&mut self) -> Option<&'a [u8]> {
        let length = usize::try_from(self.u32()?).ok()?;
        self.take(length)
    }

    /// Text in the writer's code page: twice its length, with and without an end.
    fn narrow(&mut self) -> Option<String> {
        self.u16()?;
        let length = usize::from(self.u16()?);
        Some(crate::codepage::decode(self.take(length)?, crate::codepage::WESTERN).into_owned())
    }

    fn wide(&mut self) -> Option<String> {
        let length = usize::from(self.u16()?) * 2;
        Some(crate::codepage::decode(self.take(length)?, 1200).into_owned())
    }
}

/// Reads the recurrence of an appointment, or with `task` that of a task; `None` where it is damaged before its end
/// can be told. Damage in its exceptions leaves those out.
#[must_use]
pub fn read(blob: &[u8], task: bool) -> Option<Recurrence> {
    let mut r = Reader(blob);
    r.take(4)?;
    let frequency = r.u16()?;
    let kind = r.u16()?;
    let calendar = r.u16()?;
    r.u32()?;
    let period = r.u32()?;
    r.u32()?;
    let pattern = match kind {
        0 => Pattern::Daily,
        1 => Pattern::Weekly(r.u32()?),
        2 | 4 | 0xA | 0xC => Pattern::Monthly(r.u32()?),
        3 | 0xB => {
            let days = r.u32()?;
            Pattern::MonthlyNth { days, nth: r.u32()? }
        }
        _ => return None,
    };
    let end_kind = r.u32()?;
    let count = r.u32()?;
    let first_day = r.u32()?;
    let deleted = r.days()?;
    let modified = r.days()?;
    let start_day = r.u32()?;
    let end_day = r.u32()?;
    let ends = match end_kind {
        0x2021 => Ends::By(end_day),
        0x2022 => Ends::After(count),
        _ => Ends::Never,
    };
    let mut found = Recurrence {
        frequency,
        pattern,
        period,
        ends,
        first_day,
        deleted,
        modified,
        start_day,
        start_offset: 0,
        end_offset: 0,
        exceptions: Vec::new(),
        foreign_calendar: kind >= 0xA || !matches!(calendar, 0 | 1),
    };
    if !task {
        r.u32()?;
        let writer = r.u32()?;
        found.start_offset = r.u32()?;
        found.end_offset = r.u32()?;
        if let Some(exceptions) = exceptions(&mut r, writer) {
            found.exceptions = exceptions;
        }
    }
    Some(found)
}

fn exceptions(r: &mut Reader<'_>, writer: u32) -> Option<Vec<Exception>> {
    const SUBJECT: u16 = 0x1;
    const LOCATION: u16 = 0x10;
    let count = r.u16()?;
    let mut found = Vec::new();
    let mut overridden = Vec::new();
    for _ in 0..count {
        let mut one = Exception { start: r.u32()?, end: r.u32()?, original: r.u32()?, ..Exception::default() };
        let flags = r.u16()?;
        if flags & SUBJECT != 0 {
            one.subject = Some(r.narrow()?);
        }
        // Meeting type, reminder's time, reminder.
        for bit in [0x2, 0x4, 0x8] {
            if flags & bit != 0 {
                r.u32()?;
            }
        }
        if flags & LOCATION != 0 {
            one.location = Some(r.narrow()?);
        }
        if flags & 0x20 != 0 {
            one.busy = Some(r.u32()?);
        }
        // Attachment.
        if flags & 0x40 != 0 {
            r.u32()?;
        }
        if flags & 0x80 != 0 {
            one.all_day = Some(r.u32()? != 0);
        }
        // Colour.
        if flags & 0x100 != 0 {
            r.u32()?;
        }
        found.push(one);
        overridden.push(flags);
    }
    // Unicode texts follow for all of them; where they are damaged, the narrow ones stay.
    let _ = wide_texts(r, writer, &mut found, &overridden);
    Some(found)
}

fn wide_texts(r: &mut Reader<'_>, writer: u32, found: &mut [Exception], overridden: &[u16]) -> Option<()> {
    r.block()?;
    for (one, flags) in found.iter_mut().zip(overridden) {
        if writer >= 0x3009 {
            r.block()?;
        }
        r.block()?;
        if flags & 0x11 != 0 {
            r.take(12)?;
            if flags & 0x1 != 0 {
                one.subject = Some(r.wide()?);
            }
            if flags & 0x10 != 0 {
                one.location = Some(r.wide()?);
            }
            r.block()?;
        }
    }
    Some(())
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// The blob of MS-OXOCAL section 4.1.1.2, made by its fields: each Monday, Thursday and Friday, twelve times, with
    /// one instance moved, renamed and placed elsewhere.
    pub(in crate::ical) fn weekly() -> Vec<u8> {
        let mut blob = vec![0x04, 0x30, 0x04, 0x30, 0x0B, 0x20, 0x01, 0x00, 0x00, 0x00];
        let mut put = |numbers: &[u32]| numbers.iter().for_each(|n| blob.extend(n.to_le_bytes()));
        put(&[0xC0, 1, 0, 0x32, 0x2022, 12, 0]);
        put(&[1, 217_742_400, 1, 217_742_400, 217_738_080, 217_774_080]);
        put(&[0x3006, 0x3009, 600, 630]);
        blob.extend([1, 0]);
        let mut put = |numbers: &[u32]| numbers.iter().for_each(|n| blob.extend(n.to_le_bytes()));
        put(&[217_743_060, 217_743_090, 217_743_000]);
        blob.extend([0x11, 0]);
        for text in ["Simple?", "34/4141"] {
            blob.extend([8, 0, 7, 0]);
            blob.extend(text.as_bytes());
        }
        blob.extend([0; 4]);
        blob.extend([4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        for n in [217_743_060_u32, 217_743_090, 217_743_000] {
            blob.extend(n.to_le_bytes());
        }
        for text in ["Símple?", "34/4141"] {
            blob.extend([7, 0]);
            blob.extend(text.encode_utf16().flat_map(u16::to_le_bytes));
        }
        blob.extend([0; 4]);
        blob
    }

    #[test]
    fn a_weekly_recurrence_with_an_exception_is_read() {
        let found = read(&weekly(), false).unwrap();
        assert_eq!(found.pattern, Pattern::Weekly(0x32));
        assert_eq!((found.ends, found.period, found.start_offset, found.end_offset), (Ends::After(12), 1, 600, 630));
        let one = &found.exceptions[0];
        assert_eq!((one.subject.as_deref(), one.location.as_deref()), (Some("Símple?"), Some("34/4141")));
        assert_eq!((one.start, one.original), (217_743_060, 217_743_000));
    }

    #[test]
    fn a_blob_that_is_cut_never_panics() {
        let blob = weekly();
        for cut in 0..blob.len() {
            let found = read(&blob[..cut], false);
            assert_eq!(found.is_some(), cut >= 78, "{cut}");
        }
        let mut huge = blob;
        huge[38..42].fill(0xFF);
        assert_eq!(read(&huge, false), None);
    }
}
