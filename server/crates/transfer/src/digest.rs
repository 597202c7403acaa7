//! Digests of a message's bytes: as they are, and as they would be with every line ended by CRLF.

use std::{fmt, str::FromStr};

/// A BLAKE3 digest of 256 bits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest(pub [u8; 32]);

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&blake3::Hash::from_bytes(self.0).to_hex())
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest({self})")
    }
}

impl FromStr for Digest {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        blake3::Hash::from_hex(text).map(|h| Self(*h.as_bytes())).map_err(|e| format!("{text:?} is no digest: {e}"))
    }
}

/// Both digests of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Digests {
    /// Of the bytes as they came.
    pub exact: Digest,
    /// Of the bytes with every bare CR or LF made CRLF, NULs left out and the last line ended: equal for *equivalent*
    /// messages.
    pub canonical: Digest,
    /// How many bytes came.
    pub size: u64,
}

/// A digest that some servers' silent repairs do not change: without CR, LF and NUL, and with every byte of the header
/// beyond US-ASCII written as `X`, as Cyrus does (`munge8bit`). It tells that a message is ours, not that it is whole.
#[derive(Default)]
pub struct LooseDigester {
    hasher: blake3::Hasher,
    body: bool,
    line_empty: bool,
    buffer: Vec<u8>,
}

impl LooseDigester {
    /// Starts a message.
    #[must_use]
    pub fn new() -> Self {
        Self { line_empty: true, ..Self::default() }
    }

    /// Takes the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.buffer.clear();
        for byte in bytes {
            match byte {
                b'\n' => {
                    self.body |= self.line_empty;
                    self.line_empty = true;
                }
                b'\r' | 0 => {}
                other => {
                    self.line_empty = false;
                    self.buffer.push(if self.body || other.is_ascii() { *other } else { b'X' });
                }
            }
        }
        self.hasher.update(&self.buffer);
    }

    /// Ends the message.
    #[must_use]
    pub fn finish(self) -> Digest {
        Digest(*self.hasher.finalize().as_bytes())
    }
}

/// Takes the digests as the bytes pass. Where a message has clean line endings, as nearly all have, the second
/// digest costs nothing: it is only begun at the first byte that needs mending.
#[derive(Default)]
pub struct Digester {
    exact: blake3::Hasher,
    mended: Option<blake3::Hasher>,
    after_cr: bool,
    /// The last byte that counts in the canonical form.
    last: Option<u8>,
    size: u64,
    /// Bytes that mending adds, and that it leaves out.
    added: u64,
    left_out: u64,
}

/// How far both hashers have been fed within the bytes at hand.
#[derive(Default)]
struct Fed {
    exact: usize,
    mended: usize,
}

impl Digester {
    /// Starts a message.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        let mut fed = Fed::default();
        let mut at = 0;
        loop {
            if self.after_cr && at < bytes.len() {
                if bytes[at] == b'\n' {
                    at += 1;
                } else {
                    self.mend(bytes, &mut fed, at, b"\n");
                }
                self.after_cr = false;
            }
            let Some(found) = memchr::memchr3(b'\r', b'\n', 0, &bytes[at..]) else { break };
            let i = at + found;
            match bytes[i] {
                b'\r' => self.after_cr = true,
                b'\n' => self.mend(bytes, &mut fed, i, b"\r"),
                _ => {
                    self.mend(bytes, &mut fed, i, b"");
                    fed.mended = i + 1;
                    self.left_out += 1;
                }
            }
            at = i + 1;
        }
        self.exact.update(&bytes[fed.exact..]);
        if let Some(mended) = &mut self.mended {
            mended.update(&bytes[fed.mended..]);
        }
        self.size += bytes.len() as u64;
        self.last = bytes.iter().rev().find(|b| **b != 0).copied().or(self.last);
    }

    /// How many bytes the message has once mended (see [`Mender`]); `None` where it needs no mending.
    #[must_use]
    pub fn mended_size(&self) -> Option<u64> {
        let dangling = u64::from(self.after_cr);
        (self.mended.is_some() || self.after_cr).then(|| self.size + self.added + dangling - self.left_out)
    }

    /// Ends the message.
    #[must_use]
    pub fn finish(mut self) -> Digests {
        if self.after_cr {
            self.mend(&[], &mut Fed::default(), 0, b"\n");
        }
        if !matches!(self.last, None | Some(b'\r' | b'\n')) {
            self.mend(&[], &mut Fed::default(), 0, b"\r\n");
        }
        let exact = Digest(*self.exact.finalize().as_bytes());
        let canonical = self.mended.map_or(exact, |mended| Digest(*mended.finalize().as_bytes()));
        Digests { exact, canonical, size: self.size }
    }

    /// Both digests of a whole message.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Digests {
        let mut digester = Self::new();
        digester.update(bytes);
        digester.finish()
    }

    /// Inserts `what` into the canonical form in front of `bytes[at]`.
    fn mend(&mut self, bytes: &[u8], fed: &mut Fed, at: usize, what: &[u8]) {
        let mended = match &mut self.mended {
            Some(mended) => {
                mended.update(&bytes[fed.mended..at]);
                mended
            }
            None => {
                self.exact.update(&bytes[fed.exact..at]);
                fed.exact = at;
                self.mended.insert(self.exact.clone())
            }
        };
        mended.update(what);
        self.added += what.len() as u64;
        fed.mended = at;
    }
}

/// Mends a message that a server will not take as it is: every bare CR or LF becomes CRLF, NULs are left out.
/// What comes out digests to the canonical digest of what went in.
#[derive(Debug, Default)]
pub struct Mender {
    after_cr: bool,
}

impl Mender {
    /// Mends the next bytes.
    #[must_use]
    pub fn mend(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(bytes.len() + bytes.len() / 16);
        for byte in bytes {
            match byte {
                b'\n' if self.after_cr => out.push(b'\n'),
                _ => {
                    if self.after_cr {
                        out.push(b'\n');
                    }
                    match byte {
                        b'\n' => out.extend_from_slice(b"\r\n"),
                        0 => {}
                        other => out.push(*other),
                    }
                }
            }
            self.after_cr = *byte == b'\r';
        }
        out
    }

    /// What belongs behind the last bytes.
    #[must_use]
    pub fn end(self) -> &'static [u8] {
        if self.after_cr { b"\n" } else { b"" }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn canonical(bytes: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        let mut rest = bytes.iter().copied().filter(|b| *b != 0).peekable();
        // A NUL between CR and LF parts them, as it does for a reader of the raw bytes.
        let split = bytes.windows(3).any(|w| w[0] == b'\r' && w[1] == 0);
        assert!(!split, "the model below does not know this case");
        while let Some(b) = rest.next() {
            match b {
                b'\r' => {
                    out.extend(b"\r\n");
                    rest.next_if_eq(&b'\n');
                }
                b'\n' => out.extend(b"\r\n"),
                b => out.push(b),
            }
        }
        if !out.is_empty() && !out.ends_with(b"\r\n") {
            out.extend(b"\r\n");
        }
        out
    }

    proptest! {
        #[test]
        fn digests_do_not_depend_on_how_the_bytes_are_cut(
            bytes in proptest::collection::vec(prop_oneof![Just(b'\r'), Just(b'\n'), Just(0u8), any::<u8>()], 0..200),
            cuts in proptest::collection::vec(0usize..200, 0..6),
        ) {
            let mut cuts: Vec<usize> = cuts.into_iter().map(|c| c.min(bytes.len())).collect();
            cuts.sort_unstable();
            let mut digester = Digester::new();
            let mut from = 0;
            for cut in cuts {
                digester.update(&bytes[from..cut]);
                from = cut;
            }
            digester.update(&bytes[from..]);
            prop_assert_eq!(digester.finish(), Digester::of(&bytes));
        }

        #[test]
        fn the_canonical_digest_is_that_of_the_mended_bytes(
            bytes in proptest::collection::vec(prop_oneof![Just(b'\r'), Just(b'\n'), Just(b'a')], 0..200),
        ) {
            let mended = canonical(&bytes);
            prop_assert_eq!(Digester::of(&bytes).canonical, Digester::of(&mended).exact);
            prop_assert_eq!(Digester::of(&bytes).exact, Digest(*blake3::hash(&bytes).as_bytes()));
        }
    }

    proptest! {
        #[test]
        fn what_was_mended_has_the_canonical_digest_and_the_size_that_was_told(
            bytes in proptest::collection::vec(prop_oneof![Just(b'\r'), Just(b'\n'), Just(0u8), Just(b'a')], 0..200),
            cut in 0usize..200,
        ) {
            let (first, second) = bytes.split_at(cut.min(bytes.len()));
            let mut digester = Digester::new();
            digester.update(&bytes);
            let told = digester.mended_size().unwrap_or(bytes.len() as u64);
            let mut mender = Mender::default();
            let mut mended = mender.mend(first);
            mended.extend(mender.mend(second));
            mended.extend(mender.end());
            prop_assert_eq!(mended.len() as u64, told);
            prop_assert_eq!(Digester::of(&mended).canonical, digester.finish().canonical);
        }
    }

    #[test]
    fn a_last_line_without_an_end_does_not_count_in_the_canonical_digest() {
        assert_eq!(Digester::of(b"a: b\r\n\r\nc").canonical, Digester::of(b"a: b\r\n\r\nc\r\n").canonical);
        assert_ne!(Digester::of(b"c").canonical, Digester::of(b"c\r\n\r\n").canonical);
        assert_eq!(Digester::of(b"").canonical, Digester::of(b"").exact);
    }

    #[test]
    fn nuls_do_not_count_in_the_canonical_digest() {
        assert_eq!(Digester::of(b"a\0b\r\n").canonical, Digester::of(b"ab\n").canonical);
        assert_ne!(Digester::of(b"a\0b\r\n").exact, Digester::of(b"ab\r\n").exact);
    }
}
