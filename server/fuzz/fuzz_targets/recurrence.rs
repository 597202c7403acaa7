//! No blob makes the reader of recurrences panic or take more than it brings. The input is the blob
//! (PidLidAppointmentRecur, PidLidTaskRecurrence).
#![no_main]

use gatepost_mapi::ical::read_recurrence;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    for task in [false, true] {
        let one = read_recurrence(bytes, task);
        assert_eq!(format!("{one:?}"), format!("{:?}", read_recurrence(bytes, task)));
    }
});
