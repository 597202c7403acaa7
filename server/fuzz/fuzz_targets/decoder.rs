//! Whatever a server sends, the decoder does not panic, hands out no more bytes than came, and gives the same events
//! however the bytes were cut on their way. The input is the server's side of a talk.
#![no_main]

use gatepost_imap::wire::{Decoder, Event, WireError};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|talk: &[u8]| {
    let whole = decode(talk, |_| talk.len());
    let mut state = talk.iter().fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193));
    let cut = decode(talk, |_| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as usize % 24
    });
    assert_eq!(whole, cut, "cut at random");
    if talk.len() <= 512 {
        assert_eq!(whole, decode(talk, |_| 1), "cut everywhere");
    }
});

/// The events with the pieces of a body joined, and what ended them.
fn decode(talk: &[u8], mut next: impl FnMut(usize) -> usize) -> (Vec<Event>, Option<WireError>) {
    let mut decoder = Decoder::new();
    let mut events: Vec<Event> = Vec::new();
    let (mut at, mut body) = (0, 0);
    while at < talk.len() {
        let end = (at + next(at)).min(talk.len());
        decoder.buffer().extend_from_slice(&talk[at..end]);
        at = end;
        loop {
            match decoder.decode() {
                Ok(None) => break,
                Ok(Some(Event::BodyData(more))) => {
                    assert!(!more.is_empty(), "a piece of nothing");
                    body += more.len();
                    assert!(body <= at, "more was handed out than came");
                    if let Some(Event::BodyData(so_far)) = events.last_mut() {
                        *so_far = [so_far.as_ref(), more.as_ref()].concat().into();
                    } else {
                        events.push(Event::BodyData(more));
                    }
                }
                Ok(Some(event)) => events.push(event),
                Err(error) => return (events, Some(error)),
            }
        }
        assert!(decoder.waiting() <= at, "more waits than came");
    }
    (events, None)
}
