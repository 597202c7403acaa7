//! No file makes the reader of .msg files panic or hang; what it reads becomes a message. The input is the file.
#![no_main]

use gatepost_mapi::{mime, msg};
use libfuzzer_sys::fuzz_target;
use std::io::{self, Cursor, Write};

/// Counts, and ends what would go on: a small file may refer to one stream many times.
struct Bounded(u64);

impl Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len() as u64;
        if self.0 > 8 << 20 { Err(io::ErrorKind::StorageFull.into()) } else { Ok(bytes.len()) }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fuzz_target!(|bytes: &[u8]| {
    let Ok(item) = msg::open(Cursor::new(bytes)) else { return };
    let mut out = Bounded(0);
    let _ = mime::write(&item, &mut out);
});
