//! How large a message may become: a file may name the same bytes as often as it likes, and its reader cannot tell.

use std::{
    cell::Cell,
    io::{self, Read, Write},
};

/// Why something was left out.
pub(super) const TOO_LARGE: &str = "the message would become too large";

/// Counts what is written against what there is room for. It never refuses: parts look at the room before they begin.
pub(super) struct Counted<'o> {
    pub out: &'o mut dyn Write,
    pub left: &'o Cell<u64>,
}

impl Write for Counted<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.out.write(bytes)?;
        self.left.set(self.left.get().saturating_sub(written as u64));
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// Bytes whose base64, in lines of 76 characters, takes so many.
pub(super) fn before_base64(room: u64) -> u64 {
    room / 78 * 57
}

/// A stream that may give so many bytes; what has more ends with an error.
pub(super) struct Within<R> {
    source: R,
    left: u64,
}

impl<R> Within<R> {
    pub fn new(source: R, left: u64) -> Self {
        Self { source, left }
    }
}

impl<R: Read> Read for Within<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.left == 0 && !buffer.is_empty() {
            return match self.source.read(&mut [0])? {
                0 => Ok(0),
                _ => Err(io::Error::other(TOO_LARGE)),
            };
        }
        let most = usize::try_from(self.left).map_or(buffer.len(), |left| left.min(buffer.len()));
        let count = self.source.read(&mut buffer[..most])?;
        self.left -= count as u64;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_that_just_fits_ends_well_and_a_longer_one_is_cut() {
        for (length, fits) in [(0, true), (9, true), (10, true), (11, false)] {
            let mut read = Vec::new();
            let result = Within::new(&[7; 11][..length], 10).read_to_end(&mut read);
            assert_eq!((result.is_ok(), read.len()), (fits, length.min(10)), "{length}");
        }
    }
}
