//! Compressed RTF (MS-OXRTFCP): stored as it is, and compressed against the dictionary that every reader knows.

use super::encode::checksum;

/// What the dictionary holds before the first byte (MS-OXRTFCP 2.1.2.1).
const DICTIONARY: &[u8] = b"{\\rtf1\\ansi\\mac\\deff0\\deftab720{\\fonttbl;}{\\f0\\fnil \\froman \\fswiss \\fmodern \
\\fscript \\fdecor MS Sans SerifSymbolArialTimes New RomanCourier{\\colortbl\\red0\\green0\\blue0\r\n\\par \
\\pard\\plain\\f0\\fs20\\b\\i\\u\\tab\\tx";
const WINDOW: usize = 4096;
const LONGEST: usize = 17;

fn header(kind: &[u8; 4], contents: &[u8], plain: usize, check: u32) -> Vec<u8> {
    let mut out = ((contents.len() + 12) as u32).to_le_bytes().to_vec();
    out.extend_from_slice(&(plain as u32).to_le_bytes());
    out.extend_from_slice(kind);
    out.extend_from_slice(&check.to_le_bytes());
    out.extend_from_slice(contents);
    out
}

/// As it is, behind a header ("MELA").
#[must_use]
pub fn rtf_uncompressed(rtf: &[u8]) -> Vec<u8> {
    header(b"MELA", rtf, rtf.len(), 0)
}

/// Eight tokens behind a byte that says which of them are references.
#[derive(Default)]
struct Tokens {
    out: Vec<u8>,
    run: Vec<u8>,
    control: u8,
    count: u8,
}

impl Tokens {
    fn push(&mut self, bytes: &[u8], reference: bool) {
        self.control |= u8::from(reference) << self.count;
        self.run.extend_from_slice(bytes);
        self.count += 1;
        if self.count == 8 {
            self.flush();
        }
    }

    fn flush(&mut self) {
        self.out.push(self.control);
        self.out.append(&mut self.run);
        (self.control, self.count) = (0, 0);
    }

    fn finish(mut self) -> Vec<u8> {
        if self.count > 0 {
            self.flush();
        }
        self.out
    }
}

/// Compressed ("LZFu").
#[must_use]
pub fn rtf_compressed(rtf: &[u8]) -> Vec<u8> {
    let mut window = [b' '; WINDOW];
    window[..DICTIONARY.len()].copy_from_slice(DICTIONARY);
    let (mut end, mut filled) = (DICTIONARY.len(), DICTIONARY.len());
    let mut tokens = Tokens::default();
    let mut at = 0;
    while at < rtf.len() {
        // Matches do not reach over what is written next, which keeps the search simple.
        let longest = LONGEST.min(rtf.len() - at);
        let mut best = (0, 0);
        for start in 0..filled.min(WINDOW) {
            if start == end {
                continue;
            }
            let most = if start < end { end - start } else { WINDOW - start };
            let same = (0..longest.min(most)).take_while(|n| window[start + n] == rtf[at + n]).count();
            if same > best.1 {
                best = (start, same);
            }
        }
        let taken = if best.1 >= 2 {
            let reference = ((best.0 << 4) | (best.1 - 2)) as u16;
            tokens.push(&reference.to_be_bytes(), true);
            best.1
        } else {
            tokens.push(&rtf[at..=at], false);
            1
        };
        for byte in &rtf[at..at + taken] {
            window[end] = *byte;
            end = (end + 1) % WINDOW;
            filled = (filled + 1).min(WINDOW);
        }
        at += taken;
    }
    // A reference to where the next byte would go ends it.
    tokens.push(&((end << 4) as u16).to_be_bytes(), true);
    let contents = tokens.finish();
    let check = checksum(&contents);
    header(b"LZFu", &contents, rtf.len(), check)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_the_specification_is_reproduced() {
        // MS-OXRTFCP 4.1.1, the first of its examples.
        let rtf = b"{\\rtf1\\ansi\\ansicpg1252\\pard hello world}\r\n";
        let known = [
            0x2d, 0x00, 0x00, 0x00, 0x2b, 0x00, 0x00, 0x00, 0x4c, 0x5a, 0x46, 0x75, 0xf1, 0xc5, 0xc7, 0xa7, 0x03, 0x00,
            0x0a, 0x00, 0x72, 0x63, 0x70, 0x67, 0x31, 0x32, 0x35, 0x42, 0x32, 0x0a, 0xf3, 0x20, 0x68, 0x65, 0x6c, 0x09,
            0x00, 0x20, 0x62, 0x77, 0x05, 0xb0, 0x6c, 0x64, 0x7d, 0x0a, 0x80, 0x0f, 0xa0,
        ];
        assert_eq!(rtf_compressed(rtf), known);
    }

    #[test]
    fn the_dictionary_has_its_length() {
        assert_eq!(DICTIONARY.len(), 207);
    }
}
