//! A folder's path is read back from its text, whatever is in the names of its levels. The input is a text; its lines
//! are a path's levels too.
#![no_main]

use gatepost_transfer::FolderPath;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let read = FolderPath::from(text);
    assert_eq!(FolderPath::from(read.to_string()), read, "{text:?}");
    let built = FolderPath::new(text.split('\n'));
    let shown = built.to_string();
    assert_eq!(FolderPath::from(shown.as_str()), built, "{shown:?}");
    assert_eq!(built.levels().len(), text.split('\n').count());
    assert_eq!(built.child("x/\\").name(), "x/\\");
});
