//! Whatever imapsync prints, its lines are read without a panic, each message is named once, and what is kept is bounded.
#![no_main]

use gatepost_tools::{
    Ended, Exit, Line, Stream,
    imapsync::{Report, Task, failure},
};
use libfuzzer_sys::fuzz_target;
use std::collections::BTreeSet;

fuzz_target!(|text: &str| {
    let mut report = Report::default();
    let (mut moved, mut bytes) = (0u64, 0u64);
    for line in text.lines() {
        if let Some(one) = report.take(&Line { stream: Stream::Out, text: line.to_owned() }) {
            assert!(!one.folder.is_empty());
            moved += 1;
            bytes = bytes.saturating_add(one.bytes);
        }
    }
    assert_eq!((report.moved, report.moved_bytes), (moved, bytes));
    let named: BTreeSet<(&str, u32)> = report.refused.iter().map(|r| (r.folder.as_str(), r.uid)).collect();
    assert_eq!(named.len(), report.refused.len());
    assert!(report.refused.iter().all(|r| r.words.chars().count() <= 500));
    for task in [Task::Login, Task::Sizes, Task::Copy] {
        for exit in [Exit::Code(0), Exit::Code(111), Exit::Code(-1), Exit::Signal(9)] {
            let ended = Ended { exit, stopped: None, left_running: 0 };
            if let Some(why) = failure(&ended, &report, task) {
                assert!(!why.sentence.is_empty());
            }
        }
    }
});
