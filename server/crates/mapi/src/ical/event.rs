//! An appointment or a meeting (MS-OXOCAL, MS-OXCICAL), with its recurrence and the instances that differ.

use super::{
    alarm, attach, common, history, integer, people,
    recurrence::{self, Exception, Recurrence},
    rule, stamp, text, time, uid,
    zone::{self, Zone},
};
use crate::{Key, Message, Notes, Properties, Value, clock::Moment, lines::Lines, mime, sets, tags};
use std::collections::BTreeSet;

/// What the calendar is made for.
pub(super) enum Purpose {
    /// It is the person's own entry.
    Own,
    /// It travels in a message.
    Meeting { method: &'static str, answer: Option<&'static str> },
}

/// When it begins.
pub(super) fn start(p: &Properties) -> Option<Moment> {
    time(p, sets::APPOINTMENT, 0x820D)
        .or_else(|| time(p, sets::COMMON, 0x8516))
        .or_else(|| p.time(tags::START_DATE).and_then(Moment::from_filetime))
}

fn end(p: &Properties) -> Option<Moment> {
    time(p, sets::APPOINTMENT, 0x820E)
        .or_else(|| time(p, sets::COMMON, 0x8517))
        .or_else(|| p.time(tags::END_DATE).and_then(Moment::from_filetime))
}

/// How times of the wall's clock are written.
struct Clock {
    zone: Option<Zone>,
    /// Where no zone is known: seconds from the wall's clock to UTC, as they are at the first instance.
    shift: i64,
    all_day: bool,
}

impl Clock {
    fn utc(&self, local: Moment) -> Moment {
        match &self.zone {
            Some(zone) => zone.utc(local),
            None => Moment { seconds: local.seconds + self.shift },
        }
    }

    /// A property with a time of the wall's clock.
    fn property(&self, name: &str, local: Moment, lines: &mut Lines) {
        lines.raw(&match &self.zone {
            _ if self.all_day => format!("{name};VALUE=DATE:{}", local.basic_date()),
            Some(zone) => format!("{name};{}:{}", zone.parameter(), local.basic()),
            None => format!("{name}:{}Z", self.utc(local).basic()),
        });
    }
}

pub(super) fn write(message: &dyn Message, purpose: &Purpose, lines: &mut Lines, notes: &mut Notes) {
    let p = message.properties();
    let recurrence = match p.get(&Key::Lid(sets::APPOINTMENT, 0x8216)) {
        Some(Value::Bytes(blob)) if integer(p, sets::APPOINTMENT, 0x8223) != Some(0) => {
            let found = recurrence::read(blob, false);
            if found.is_none() {
                notes.add("its recurrence cannot be read; only its first time is kept".to_owned());
            }
            found
        }
        Some(Value::Large { .. }) => {
            notes.add("its recurrence is too long to be read; only its first time is kept".to_owned());
            None
        }
        _ => None,
    };
    let answers = matches!(purpose, Purpose::Meeting { answer: Some(_), .. });
    let all_day = integer(p, sets::APPOINTMENT, 0x8215) == Some(1);
    let recurrence = recurrence.filter(|_| !answers);
    let clock = recurrence.as_ref().map(|r| {
        let zone = zone::of(p);
        let first = Moment::from_minutes(r.start_day.saturating_add(r.start_offset));
        let shift = start(p).map_or(0, |utc| (utc.seconds - first.seconds).clamp(-86_400, 86_400));
        Clock { zone, shift, all_day }
    });
    if let Some(zone) = clock.as_ref().filter(|c| !c.all_day).and_then(|c| c.zone.as_ref()) {
        zone.write(lines);
    }
    lines.raw("BEGIN:VEVENT");
    lines.raw(&format!("UID:{}", uid(p)));
    lines.raw(&format!("DTSTAMP:{}Z", stamp(p).basic()));
    match (&recurrence, &clock) {
        (Some(recurrence), Some(clock)) => recurring(recurrence, clock, lines, notes),
        _ => single(p, all_day, lines),
    }
    if matches!(purpose, Purpose::Own) {
        history(p, lines);
    }
    common(message, lines, notes);
    lines.text("LOCATION", text(p, sets::APPOINTMENT, 0x8208));
    state(p, purpose, integer(p, sets::APPOINTMENT, 0x8205), lines);
    match purpose {
        Purpose::Meeting { answer: Some(answer), .. } => {
            people::addressed(message, lines);
            people::answering(message, answer, lines);
        }
        Purpose::Meeting { .. } => {
            people::organizer(message, lines);
            people::attendees(message, lines);
        }
        // Bit 0: it is a meeting.
        Purpose::Own if integer(p, sets::APPOINTMENT, 0x8217).unwrap_or(0) & 1 != 0 => {
            people::organizer(message, lines);
            people::attendees(message, lines);
        }
        Purpose::Own => {}
    }
    if !answers {
        alarm(p, lines);
    }
    if matches!(purpose, Purpose::Own) {
        attach::write(message, "ATTACH", &[], lines, notes);
    }
    lines.raw("END:VEVENT");
    if let (Some(recurrence), Some(clock)) = (&recurrence, &clock) {
        for exception in &recurrence.exceptions {
            changed(message, exception, clock, purpose, lines);
        }
    }
}

fn single(p: &Properties, all_day: bool, lines: &mut Lines) {
    for (name, moment) in [("DTSTART", start(p)), ("DTEND", end(p))] {
        match moment {
            // A day is kept as midnights of some zone: the nearest midnight of UTC is the same day.
            Some(moment) if all_day => {
                lines.raw(&format!("{name};VALUE=DATE:{}", Moment { seconds: moment.seconds + 43_200 }.basic_date()));
            }
            Some(moment) => lines.raw(&format!("{name}:{}Z", moment.basic())),
            None => {}
        }
    }
}

/// The first instance, the rule, and the days that are left out.
fn recurring(r: &Recurrence, clock: &Clock, lines: &mut Lines, notes: &mut Notes) {
    let at = |day: u32, offset: u32| Moment::from_minutes(day.saturating_add(offset));
    clock.property("DTSTART", at(r.start_day, r.start_offset), lines);
    clock.property("DTEND", at(r.start_day, r.end_offset.max(r.start_offset)), lines);
    let until = |last: Moment| if clock.all_day { last.basic_date() } else { format!("{}Z", clock.utc(last).basic()) };
    match rule::rule(r, &until) {
        Some(rule) => lines.raw(&format!("RRULE:{rule}")),
        None => notes.add("its recurrence has no rule in iCalendar; only its first time is kept".to_owned()),
    }
    let modified: BTreeSet<u32> = r.modified.iter().copied().collect();
    for day in r.deleted.iter().filter(|day| !modified.contains(day)) {
        clock.property("EXDATE", at(*day, r.start_offset), lines);
    }
}

/// An instance that was changed: what it says itself, else what the others say.
fn changed(message: &dyn Message, exception: &Exception, clock: &Clock, purpose: &Purpose, lines: &mut Lines) {
    let p = message.properties();
    lines.raw("BEGIN:VEVENT");
    lines.raw(&format!("UID:{}", uid(p)));
    lines.raw(&format!("DTSTAMP:{}Z", stamp(p).basic()));
    clock.property("RECURRENCE-ID", Moment::from_minutes(exception.original), lines);
    let own = Clock { zone: clock.zone.clone(), all_day: exception.all_day.unwrap_or(clock.all_day), ..*clock };
    own.property("DTSTART", Moment::from_minutes(exception.start), lines);
    own.property("DTEND", Moment::from_minutes(exception.end.max(exception.start)), lines);
    let subject = p.text(tags::SUBJECT).map(mime::strip_prefix_mark).unwrap_or_default();
    lines.text("SUMMARY", exception.subject.as_deref().unwrap_or(subject));
    lines.text("LOCATION", exception.location.as_deref().unwrap_or(text(p, sets::APPOINTMENT, 0x8208)));
    let busy = exception.busy.map(i64::from).or_else(|| integer(p, sets::APPOINTMENT, 0x8205));
    state(p, purpose, busy, lines);
    lines.raw("END:VEVENT");
}

/// How the time is taken up, and whether the meeting still is.
fn state(p: &Properties, purpose: &Purpose, busy: Option<i64>, lines: &mut Lines) {
    // Bit 2: it was cancelled.
    let cancelled = matches!(purpose, Purpose::Meeting { method: "CANCEL", .. })
        || integer(p, sets::APPOINTMENT, 0x8217).unwrap_or(0) & 4 != 0;
    if cancelled {
        lines.raw("STATUS:CANCELLED");
    } else if busy == Some(1) && matches!(purpose, Purpose::Own) {
        lines.raw("STATUS:TENTATIVE");
    } else {
        lines.raw("STATUS:CONFIRMED");
    }
    lines.raw(if busy == Some(0) { "TRANSP:TRANSPARENT" } else { "TRANSP:OPAQUE" });
    let shown = match busy {
        Some(0) => "FREE",
        Some(1) => "TENTATIVE",
        Some(3) => "OOF",
        Some(4) => "WORKINGELSEWHERE",
        _ => "BUSY",
    };
    lines.raw(&format!("X-MICROSOFT-CDO-BUSYSTATUS:{shown}"));
    if let Some(sequence) = integer(p, sets::APPOINTMENT, 0x8201).filter(|n| *n >= 0) {
        lines.raw(&format!("SEQUENCE:{sequence}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::Item;

    #[test]
    fn a_recurring_appointment_says_its_rule_its_zone_and_its_exceptions() {
        let mut item = Item::new("IPM.Appointment");
        let lid = |number| Key::Lid(sets::APPOINTMENT, number);
        item.text(tags::SUBJECT, "Simples");
        item.named(lid(0x8216), Value::Bytes(recurrence::tests::weekly()));
        item.named(lid(0x8233), Value::Bytes(zone::tests::pacific()));
        item.named(lid(0x8234), Value::Text("(UTC-08:00) Pacific".into()));
        item.attach("ata.txt", "text/plain", b"abc");
        let mut out = Vec::new();
        assert!(crate::item::write(&item, &mut out).unwrap().is_empty());
        let text = String::from_utf8(out).unwrap().replace("\r\n ", "");
        for line in [
            "TZID:(UTC-08:00) Pacific\r\n",
            "DTSTART;TZID=\"(UTC-08:00) Pacific\":20141229T100000\r\n",
            "RRULE:FREQ=WEEKLY;BYDAY=MO,TH,FR;COUNT=12\r\n",
            "RECURRENCE-ID;TZID=\"(UTC-08:00) Pacific\":20150101T100000\r\n",
            "DTSTART;TZID=\"(UTC-08:00) Pacific\":20150101T110000\r\n",
            "SUMMARY:Símple?\r\nLOCATION:34/4141\r\n",
            "ATTACH;VALUE=BINARY;ENCODING=BASE64;FMTTYPE=text/plain;X-FILENAME=\"ata.txt\":YWJj\r\n",
        ] {
            assert!(text.contains(line), "{line} in {text}");
        }
        assert!(!text.contains("EXDATE"), "a changed instance is not a deleted one");
    }
}
