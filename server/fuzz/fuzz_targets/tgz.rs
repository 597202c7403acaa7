//! Whatever streams past as an export, the watcher's verdict does not depend on how it was cut, and what it calls whole is
//! a gzip that unpacks to its end. The first byte says whether the rest is the gzip or what is to be packed.
#![no_main]

use flate2::{Compression, read::MultiGzDecoder, write::GzEncoder};
use gatepost_tools::tgz::{Broken, Contents, Watcher};
use libfuzzer_sys::fuzz_target;
use std::io::{Read as _, Write as _};

fn watch(bytes: &[u8], step: usize) -> Result<Contents, Broken> {
    let mut watcher = Watcher::default();
    bytes.chunks(step.max(1)).for_each(|piece| watcher.take(piece));
    assert_eq!(watcher.bytes(), bytes.len() as u64);
    watcher.finish()
}

fuzz_target!(|input: &[u8]| {
    let Some((first, bytes)) = input.split_first() else { return };
    let bytes = if first % 2 == 0 {
        bytes.to_vec()
    } else {
        let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
        gzip.write_all(bytes).and_then(|()| gzip.finish()).expect("memory takes what is written")
    };
    let whole = watch(&bytes, bytes.len());
    let cut = watch(&bytes, usize::from(first / 2) + 1);
    assert_eq!(whole.is_ok(), cut.is_ok(), "{whole:?}, then {cut:?}");
    if let (Ok(whole), Ok(cut)) = (whole, cut) {
        assert_eq!(whole, cut);
        let mut unpacked = Vec::new();
        MultiGzDecoder::new(&*bytes).read_to_end(&mut unpacked).expect("what is whole unpacks");
        assert_eq!(unpacked.len() as u64, whole.unpacked);
        assert!(whole.entries * 512 <= whole.unpacked);
        let kinds = [whole.messages, whole.contacts, whole.calendar, whole.folders, whole.unreadable];
        assert!(kinds.iter().sum::<u64>() <= whole.entries);
    }
});
