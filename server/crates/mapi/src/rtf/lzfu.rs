//! Compressed RTF (MS-OXRTFCP), as a stream: it needs the window of 4,096 bytes and nothing more.

use std::io::{self, Read};

/// What the window holds at first (MS-OXRTFCP section 2.1.2.1).
const START: &[u8; 207] =
    b"{\\rtf1\\ansi\\mac\\deff0\\deftab720{\\fonttbl;}{\\f0\\fnil \\froman \\fswiss \\fmodern \\fscript \
\\fdecor MS Sans SerifSymbolArialTimes New RomanCourier{\\colortbl\\red0\\green0\\blue0\r\n\\par \
\\pard\\plain\\f0\\fs20\\b\\i\\u\\tab\\tx";
const WINDOW: usize = 4096;
/// `LZFu` and `MELA`.
const COMPRESSED: u32 = 0x7546_5A4C;
const UNCOMPRESSED: u32 = 0x414C_454D;

static CRC: [u32; 256] = crc_table();

const fn crc_table() -> [u32; 256] {
    let mut table = [0; 256];
    let mut n = 0;
    while n < 256 {
        let mut value = n as u32;
        let mut bit = 0;
        while bit < 8 {
            value = if value & 1 == 1 { 0xEDB8_8320 ^ (value >> 1) } else { value >> 1 };
            bit += 1;
        }
        table[n] = value;
        n += 1;
    }
    table
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Header,
    Compressed,
    Plain,
    Ended,
}

/// Reads compressed RTF as RTF. What is damaged ends it early and is told by [`Decompressor::note`]; only a source that
/// fails is an error.
pub struct Decompressor<R> {
    source: R,
    input: Box<[u8; 4096]>,
    at: usize,
    end: usize,
    /// Bytes of the stream that its header still promises.
    promised: u64,
    /// Bytes of RTF that its header still promises.
    raw: u64,
    state: State,
    window: Box<[u8; WINDOW]>,
    write: usize,
    /// A reference that is being copied: from where, and how much is left.
    from: usize,
    left: usize,
    control: u8,
    bits: u8,
    crc: u32,
    expected: u32,
    note: Option<&'static str>,
}

impl<R: Read> Decompressor<R> {
    /// Takes a stream that begins with the header of compressed RTF.
    pub fn new(source: R) -> Self {
        let mut window = Box::new([0; WINDOW]);
        window[..START.len()].copy_from_slice(START);
        Self {
            source,
            input: Box::new([0; 4096]),
            at: 0,
            end: 0,
            promised: u64::MAX,
            raw: 0,
            state: State::Header,
            window,
            write: START.len(),
            from: 0,
            left: 0,
            control: 0,
            bits: 0,
            crc: 0,
            expected: 0,
            note: None,
        }
    }

    /// What was wrong with it, once it has been read to its end.
    pub fn note(&self) -> Option<&'static str> {
        self.note
    }

    fn byte(&mut self) -> io::Result<Option<u8>> {
        if self.promised == 0 {
            return Ok(None);
        }
        if self.at == self.end {
            self.at = 0;
            self.end = loop {
                match self.source.read(&mut self.input[..]) {
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    other => break other?,
                }
            };
            if self.end == 0 {
                self.promised = 0;
                return Ok(None);
            }
        }
        let byte = self.input[self.at];
        self.at += 1;
        self.promised -= 1;
        self.crc = CRC[usize::from((self.crc as u8) ^ byte)] ^ (self.crc >> 8);
        Ok(Some(byte))
    }

    fn number(&mut self) -> io::Result<Option<u32>> {
        let mut bytes = [0; 4];
        for byte in &mut bytes {
            match self.byte()? {
                Some(read) => *byte = read,
                None => return Ok(None),
            }
        }
        Ok(Some(u32::from_le_bytes(bytes)))
    }

    fn header(&mut self) -> io::Result<State> {
        let mut fields = [0; 4];
        for field in &mut fields {
            let Some(number) = self.number()? else {
                self.note = Some("it is too short to be compressed RTF");
                return Ok(State::Ended);
            };
            *field = number;
        }
        let [size, raw, kind, crc] = fields;
        self.raw = u64::from(raw);
        self.expected = crc;
        self.crc = 0;
        match kind {
            // The size counts the header's last twelve bytes.
            COMPRESSED => {
                self.promised = u64::from(size.saturating_sub(12));
                Ok(State::Compressed)
            }
            UNCOMPRESSED => {
                self.promised = self.raw;
                Ok(State::Plain)
            }
            _ => {
                self.note = Some("it is no compressed RTF");
                Ok(State::Ended)
            }
        }
    }

    fn put(&mut self, byte: u8) {
        self.window[self.write] = byte;
        self.write = (self.write + 1) % WINDOW;
    }

    /// The next byte of RTF.
    fn next(&mut self) -> io::Result<Option<u8>> {
        loop {
            if self.left > 0 {
                self.left -= 1;
                let byte = self.window[self.from];
                self.from = (self.from + 1) % WINDOW;
                self.put(byte);
                return Ok(Some(byte));
            }
            match self.state {
                State::Ended => return Ok(None),
                State::Header => self.state = self.header()?,
                State::Plain => {
                    let byte = self.byte()?;
                    if byte.is_none() {
                        self.state = State::Ended;
                    }
                    return Ok(byte);
                }
                State::Compressed => {
                    if self.bits == 0 {
                        let Some(control) = self.byte()? else { return self.cut() };
                        self.control = control;
                        self.bits = 8;
                    }
                    let reference = self.control & 1 == 1;
                    self.control >>= 1;
                    self.bits -= 1;
                    let Some(first) = self.byte()? else { return self.cut() };
                    if !reference {
                        self.put(first);
                        return Ok(Some(first));
                    }
                    let Some(second) = self.byte()? else { return self.cut() };
                    let token = u16::from_be_bytes([first, second]);
                    let from = usize::from(token >> 4);
                    if from == self.write {
                        self.finish()?;
                        return Ok(None);
                    }
                    self.from = from;
                    self.left = usize::from(token & 0xF) + 2;
                }
            }
        }
    }

    /// The stream ended without its mark, as those of some writers do.
    fn cut(&mut self) -> io::Result<Option<u8>> {
        self.finish()?;
        if self.raw > 0 && self.note.is_none() {
            self.note = Some("it ends before its end");
        }
        Ok(None)
    }

    fn finish(&mut self) -> io::Result<()> {
        // The checksum covers what follows the mark too.
        while self.byte()?.is_some() {}
        self.state = State::Ended;
        if self.expected != 0 && self.crc != self.expected {
            self.note = Some("its checksum does not fit");
        }
        Ok(())
    }
}

impl<R: Read> Read for Decompressor<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let mut filled = 0;
        for slot in out.iter_mut() {
            let Some(byte) = self.next()? else { break };
            *slot = byte;
            self.raw = self.raw.saturating_sub(1);
            filled += 1;
        }
        Ok(filled)
    }
}

/// Compresses nothing: RTF within the header of uncompressed RTF, or as literals only. For tests.
#[cfg(any(test, feature = "fixtures"))]
pub mod write {
    /// `MELA`: RTF as it is.
    #[must_use]
    pub fn stored(rtf: &[u8]) -> Vec<u8> {
        let size = u32::try_from(rtf.len()).unwrap_or(u32::MAX);
        let mut out = Vec::with_capacity(rtf.len() + 16);
        for field in [size.saturating_add(12), size, super::UNCOMPRESSED, 0] {
            out.extend(field.to_le_bytes());
        }
        out.extend(rtf);
        out
    }

    /// `LZFu` of nothing but literals, with its mark and its checksum.
    #[must_use]
    pub fn literal(rtf: &[u8]) -> Vec<u8> {
        let mut body = Vec::with_capacity(rtf.len() * 9 / 8 + 16);
        let mut write = super::START.len();
        let mut chunks = rtf.chunks_exact(8);
        for chunk in &mut chunks {
            body.push(0);
            body.extend(chunk);
            write = (write + 8) % super::WINDOW;
        }
        let rest = chunks.remainder();
        body.push(1 << rest.len());
        body.extend(rest);
        write = (write + rest.len()) % super::WINDOW;
        body.extend((u16::try_from(write).unwrap_or(0) << 4).to_be_bytes());
        let crc = body.iter().fold(0, |crc: u32, byte| super::CRC[usize::from((crc as u8) ^ byte)] ^ (crc >> 8));
        let size = |n: usize| u32::try_from(n).unwrap_or(u32::MAX).to_le_bytes();
        let mut out = Vec::with_capacity(body.len() + 16);
        out.extend(size(body.len() + 12));
        out.extend(size(rtf.len()));
        out.extend(super::COMPRESSED.to_le_bytes());
        out.extend(crc.to_le_bytes());
        out.extend(body);
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8]) -> (Vec<u8>, Option<&'static str>) {
        let mut source = Decompressor::new(bytes);
        let mut out = Vec::new();
        source.read_to_end(&mut out).unwrap();
        (out, source.note())
    }

    #[test]
    fn the_examples_of_the_specification_come_out() {
        // MS-OXRTFCP sections 3.1.1.1 and 3.1.2.1.
        let simple = [
            0x2D, 0, 0, 0, 0x2B, 0, 0, 0, 0x4C, 0x5A, 0x46, 0x75, 0xF1, 0xC5, 0xC7, 0xA7, 0x03, 0x00, 0x0A, 0x00, 0x72,
            0x63, 0x70, 0x67, 0x31, 0x32, 0x35, 0x42, 0x32, 0x0A, 0xF3, 0x20, 0x68, 0x65, 0x6C, 0x09, 0x00, 0x20, 0x62,
            0x77, 0x05, 0xB0, 0x6C, 0x64, 0x7D, 0x0A, 0x80, 0x0F, 0xA0,
        ];
        assert_eq!(read(&simple), (b"{\\rtf1\\ansi\\ansicpg1252\\pard hello world}\r\n".to_vec(), None));
        let crossing = [
            0x1A, 0, 0, 0, 0x1C, 0, 0, 0, 0x4C, 0x5A, 0x46, 0x75, 0xE2, 0xD4, 0x4B, 0x51, 0x41, 0x00, 0x04, 0x20, 0x57,
            0x58, 0x59, 0x5A, 0x0D, 0x6E, 0x7D, 0x01, 0x0E, 0xB0,
        ];
        assert_eq!(read(&crossing), (b"{\\rtf1 WXYZWXYZWXYZWXYZWXYZ}".to_vec(), None));
    }

    #[test]
    fn what_was_written_is_read_again() {
        let rtf = b"{\\rtf1 some text}".repeat(1_000);
        assert_eq!(read(&write::stored(&rtf)), (rtf.clone(), None));
        assert_eq!(read(&write::literal(&rtf)), (rtf, None));
    }

    #[test]
    fn damage_is_told_and_never_more() {
        let rtf = b"{\\rtf1 some text}".repeat(100);
        let good = write::literal(&rtf);
        let mut flipped = good.clone();
        flipped[20] ^= 1;
        assert_eq!(read(&flipped).1, Some("its checksum does not fit"));
        for cut in 0..good.len() {
            let (out, note) = read(&good[..cut]);
            assert!(out.len() <= rtf.len() && note.is_some(), "{cut}");
        }
        assert_eq!(read(b"no RTF at all, and long enough").1, Some("it is no compressed RTF"));
    }
}
