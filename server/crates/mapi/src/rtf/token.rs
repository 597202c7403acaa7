//! RTF's tokens: braces, control words, control symbols, bytes of text.

use std::io::{self, Read};

/// The longest control word that is looked at.
const LONGEST: usize = 32;

/// A token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Token {
    Open,
    Close,
    /// A control word with its number, if it has one.
    Word(Word, Option<i32>),
    /// A control symbol: `\~`, `\*`.
    Symbol(u8),
    /// A byte of text.
    Byte(u8),
    /// So many bytes follow that are no RTF: they are to be taken by [`Tokens::binary`].
    Binary(u32),
}

/// A control word's letters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Word {
    letters: [u8; LONGEST],
    length: usize,
}

impl Word {
    pub fn name(&self) -> &str {
        std::str::from_utf8(&self.letters[..self.length]).unwrap_or_default()
    }
}

/// Reads tokens.
pub(super) struct Tokens<'a> {
    source: &'a mut dyn Read,
    buffer: Box<[u8; 8192]>,
    at: usize,
    end: usize,
}

impl<'a> Tokens<'a> {
    pub fn new(source: &'a mut dyn Read) -> Self {
        Self { source, buffer: Box::new([0; 8192]), at: 0, end: 0 }
    }

    fn peek(&mut self) -> io::Result<Option<u8>> {
        if self.at == self.end {
            self.at = 0;
            self.end = self.source.read(&mut self.buffer[..])?;
        }
        Ok((self.at < self.end).then(|| self.buffer[self.at]))
    }

    fn take(&mut self) -> io::Result<Option<u8>> {
        let byte = self.peek()?;
        self.at += usize::from(byte.is_some());
        Ok(byte)
    }

    /// The next token; `None` at the end.
    pub fn next(&mut self) -> io::Result<Option<Token>> {
        loop {
            return Ok(Some(match self.take()? {
                None => return Ok(None),
                Some(b'{') => Token::Open,
                Some(b'}') => Token::Close,
                // Line ends mean nothing, NUL is padding.
                Some(b'\r' | b'\n' | 0) => continue,
                Some(b'\\') => match self.control()? {
                    Some(token) => token,
                    None => continue,
                },
                Some(byte) => Token::Byte(byte),
            }));
        }
    }

    fn control(&mut self) -> io::Result<Option<Token>> {
        let Some(first) = self.take()? else { return Ok(None) };
        if first == b'\'' {
            let mut value = 0;
            for _ in 0..2 {
                // A brace or a backslash is not eaten: it means more than a broken escape.
                let Some(digit) = self.peek()?.and_then(|b| char::from(b).to_digit(16)) else { return Ok(None) };
                self.at += 1;
                value = value * 16 + digit;
            }
            return Ok(u8::try_from(value).ok().map(Token::Byte));
        }
        if !first.is_ascii_alphabetic() {
            return Ok(Some(match first {
                b'{' | b'}' | b'\\' => Token::Byte(first),
                // A backslash at the end of a line is \par.
                b'\r' | b'\n' => Token::Symbol(b'\n'),
                other => Token::Symbol(other),
            }));
        }
        let mut word = Word { letters: [0; LONGEST], length: 1 };
        word.letters[0] = first;
        while let Some(byte) = self.peek()?.filter(u8::is_ascii_alphabetic) {
            self.at += 1;
            if word.length < LONGEST {
                word.letters[word.length] = byte;
                word.length += 1;
            }
        }
        let negative = self.peek()? == Some(b'-');
        if negative {
            self.at += 1;
        }
        let mut number: Option<i64> = None;
        while let Some(digit) = self.peek()?.filter(u8::is_ascii_digit) {
            self.at += 1;
            number = Some((number.unwrap_or(0) * 10 + i64::from(digit - b'0')).min(i64::from(i32::MAX)));
        }
        if self.peek()? == Some(b' ') {
            self.at += 1;
        }
        let number = number.map(|n| if negative { -n } else { n }).and_then(|n| i32::try_from(n).ok());
        if word.name() == "bin" {
            return Ok(number.and_then(|n| u32::try_from(n).ok()).map(Token::Binary));
        }
        Ok(Some(Token::Word(word, number)))
    }

    /// Takes bytes that are no RTF, to be looked at piece by piece.
    pub fn binary(&mut self, length: u32, mut look: impl FnMut(&[u8])) -> io::Result<()> {
        let mut left = usize::try_from(length).unwrap_or(usize::MAX);
        while left > 0 && self.peek()?.is_some() {
            let piece = left.min(self.end - self.at);
            look(&self.buffer[self.at..self.at + piece]);
            self.at += piece;
            left -= piece;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_told_apart() {
        let mut source = &b"{\\b1 x\\'e9\\~\\bin3 }}}\\u-10\\par}"[..];
        let mut tokens = Tokens::new(&mut source);
        let mut shown = Vec::new();
        while let Some(token) = tokens.next().unwrap() {
            shown.push(match token {
                Token::Open => "{".to_owned(),
                Token::Close => "}".to_owned(),
                Token::Word(word, number) => format!("{}={number:?}", word.name()),
                Token::Symbol(symbol) => format!("symbol {}", char::from(symbol)),
                Token::Byte(byte) => format!("{byte:02x}"),
                Token::Binary(length) => {
                    let mut bytes: Vec<u8> = Vec::new();
                    tokens.binary(length, |piece| bytes.extend(piece)).unwrap();
                    format!("{bytes:02x?}")
                }
            });
        }
        assert_eq!(shown, ["{", "b=Some(1)", "78", "e9", "symbol ~", "[7d, 7d, 7d]", "u=Some(-10)", "par=None", "}"]);
    }
}
