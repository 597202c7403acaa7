//! Whatever a PST holds, its items become messages or files without a panic. The input is the PST.
#![no_main]

use gatepost_mapi::{facts, item, mime};
use gatepost_pst::{Bytes, Pst};
use libfuzzer_sys::fuzz_target;
use std::io::{self, Write};

struct Whole(Vec<u8>);

impl Bytes for Whole {
    fn len(&self) -> u64 {
        self.0.len() as u64
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let rest = usize::try_from(offset).ok().and_then(|at| self.0.get(at..)).unwrap_or_default();
        let count = rest.len().min(buffer.len());
        buffer[..count].copy_from_slice(&rest[..count]);
        Ok(count)
    }
}

/// Ends what would go on: a small file may refer to one block many times.
struct Bounded(u64);

impl Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len() as u64;
        if self.0 > 1 << 20 { Err(io::ErrorKind::StorageFull.into()) } else { Ok(bytes.len()) }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fuzz_target!(|bytes: &[u8]| {
    let Ok(pst) = Pst::open(Whole(bytes.to_vec())) else { return };
    let mut out = Bounded(0);
    let mut items = 0;
    for folder in pst.folders().expect("memory can be read") {
        for found in pst.items(folder.nid).expect("memory can be read") {
            items += 1;
            if items > 200 {
                return;
            }
            let Ok(message) = pst.message(found.nid) else { continue };
            let _ = facts(&message);
            let _ = mime::write(&message, &mut out);
            let _ = item::write(&message, &mut out);
        }
    }
});
