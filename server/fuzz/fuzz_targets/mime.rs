//! Comparing two messages never panics, a message is always like itself, whatever a server may do to it in transport or
//! put in front of it leaves it equivalent, and a cut is never taken for the whole. The input is two messages, parted by
//! the first byte 0xff; where there is none, the second is a variation of the first.
#![no_main]

use gatepost_transfer::{
    Mender,
    verify::mime::{Difference, Likeness, compare},
};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Some(at) = bytes.iter().position(|byte| *byte == 0xff) {
        let (source, copy) = (&bytes[..at], &bytes[at + 1..]);
        let (there, back) = (compare(source, copy), compare(copy, source));
        // What is added to a message is no trace when it is missing from it; everything else is the same both ways.
        if there == Likeness::Rewritten {
            assert!(!matches!(
                back,
                Likeness::Changed(Difference::Text | Difference::Attachment(_) | Difference::Empty)
            ));
        }
        return;
    }
    assert_eq!(compare(bytes, bytes), Likeness::Equivalent);
    let mut mender = Mender::default();
    let mut mended = mender.mend(bytes);
    mended.extend(mender.end());
    assert_eq!(compare(bytes, &mended), Likeness::Equivalent);
    // A line that begins with white space would continue the field in front of it.
    if !mended.first().is_some_and(|byte| matches!(byte, b' ' | b'\t')) {
        let stamped = [b"Return-Path: <a@example.org>\r\n".as_slice(), &mended].concat();
        assert_eq!(compare(&mended, &stamped), Likeness::Equivalent);
    }
    let whole = mended.trim_ascii_end();
    if whole.len() > 1 {
        let cut = &whole[..whole.len() / 2];
        let likeness = compare(&mended, cut);
        assert!(
            matches!(likeness, Likeness::Changed(Difference::Empty | Difference::Truncated)),
            "{likeness:?} of {:?}",
            String::from_utf8_lossy(cut)
        );
    }
});
