//! No values, whether alone or in FETCH, LIST, STATUS and other responses, make the parser panic; what is read can be
//! asked for its text, its number and its members. The input is what follows the response's name.
#![no_main]

use gatepost_imap::wire::{Decoder, Event, Response, Value, value};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &[u8]| {
    if let Ok(values) = value::parse(text) {
        values.iter().for_each(look);
    }
    for head in ["* 7 FETCH (", "* LIST ", "* STATUS ", "* NAMESPACE ", "* ESEARCH ", "* VANISHED ", "* QUOTA ", "* "] {
        let tail = if head.ends_with('(') { ")\r\n" } else { "\r\n" };
        let mut decoder = Decoder::new();
        decoder.buffer().extend_from_slice(&[head.as_bytes(), text, tail.as_bytes()].concat());
        while let Ok(Some(event)) = decoder.decode() {
            if let Event::Response(Response::Data { values, .. }) = event {
                values.iter().for_each(look);
            }
        }
    }
});

fn look(value: &Value) {
    let (text, number) = (value.text(), value.number());
    if let (Some(text), Some(number)) = (text, number) {
        assert!(text.trim().parse() == Ok(number), "{text:?} is not {number}");
    }
    if let Some(members) = value.list() {
        members.iter().for_each(look);
    }
}
