//! Tasks (MS-OXOTASK) and journal entries (MS-OXOJRNL).

use super::{alarm, attach, common, history, integer, recurrence, rule, stamp, text, time, uid};
use crate::{Key, Message, Notes, Value, clock::Moment, lines::Lines, sets};

/// A task.
pub(super) fn task(message: &dyn Message, lines: &mut Lines, notes: &mut Notes) {
    let p = message.properties();
    lines.raw("BEGIN:VTODO");
    lines.raw(&format!("UID:{}", uid(p)));
    lines.raw(&format!("DTSTAMP:{}Z", stamp(p).basic()));
    // Days of tasks are midnights of no zone.
    let start = time(p, sets::TASK, 0x8104);
    if let Some(start) = start {
        lines.raw(&format!("DTSTART;VALUE=DATE:{}", start.basic_date()));
    }
    if let Some(due) = time(p, sets::TASK, 0x8105).filter(|due| start.is_none_or(|start| *due >= start)) {
        lines.raw(&format!("DUE;VALUE=DATE:{}", due.basic_date()));
    }
    if let Some(done) = time(p, sets::TASK, 0x810F) {
        lines.raw(&format!("COMPLETED:{}Z", done.basic()));
    }
    lines.raw(match integer(p, sets::TASK, 0x8101) {
        Some(1) => "STATUS:IN-PROCESS",
        Some(2) => "STATUS:COMPLETED",
        Some(4) => "STATUS:CANCELLED",
        _ => "STATUS:NEEDS-ACTION",
    });
    if let Some(Value::Float(part)) = p.get(&Key::Lid(sets::TASK, 0x8102)).filter(|v| matches!(v, Value::Float(_))) {
        let percent = (part * 100.0).clamp(0.0, 100.0).round();
        lines.raw(&format!("PERCENT-COMPLETE:{percent}"));
    }
    if let Some(Value::Bytes(blob)) = p.get(&Key::Lid(sets::TASK, 0x8116)) {
        // A rule counts from the first day, which a task may lack.
        let rule = recurrence::read(blob, true).filter(|_| start.is_some());
        match rule.and_then(|r| rule::rule(&r, &Moment::basic_date)) {
            Some(rule) => lines.raw(&format!("RRULE:{rule}")),
            None => notes.add("its recurrence cannot be written; only this task is kept".to_owned()),
        }
    }
    history(p, lines);
    common(message, lines, notes);
    lines.text("X-OWNER", text(p, sets::TASK, 0x811F));
    alarm(p, lines);
    attach::write(message, "ATTACH", &[], lines, notes);
    lines.raw("END:VTODO");
}

/// A journal entry.
pub(super) fn journal(message: &dyn Message, lines: &mut Lines, notes: &mut Notes) {
    let p = message.properties();
    lines.raw("BEGIN:VJOURNAL");
    lines.raw(&format!("UID:{}", uid(p)));
    lines.raw(&format!("DTSTAMP:{}Z", stamp(p).basic()));
    let start = time(p, sets::LOG, 0x8706).or_else(|| time(p, sets::COMMON, 0x8516));
    if let Some(start) = start {
        lines.raw(&format!("DTSTART:{}Z", start.basic()));
    }
    history(p, lines);
    common(message, lines, notes);
    let kind = match text(p, sets::LOG, 0x8700) {
        "" => text(p, sets::LOG, 0x8712),
        kind => kind,
    };
    lines.text("X-ENTRY-TYPE", kind);
    if let Some(minutes) = integer(p, sets::LOG, 0x8707).filter(|n| *n > 0) {
        lines.raw(&format!("X-DURATION:PT{minutes}M"));
    }
    attach::write(message, "ATTACH", &[], lines, notes);
    lines.raw("END:VJOURNAL");
}
