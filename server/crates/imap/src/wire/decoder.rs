//! From bytes to responses. Bodies that FETCH delivers are handed out piece by piece, as they come; everything else
//! is put together first, within limits.

use super::{
    MAX_CHUNK, MAX_LITERALS, MAX_TEXT, Response, WireError, response,
    value::{Literal, Values, announced_literal},
};
use bytes::{Bytes, BytesMut};

/// What the bytes amount to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A response, whole. For a FETCH with a body it follows the body's pieces, and only it tells that the
    /// literal had the announced length.
    Response(Response),
    /// A body begins within a FETCH response.
    BodyBegin {
        /// The message's sequence number.
        seq: u32,
        /// Its UID, where the server put it in front of the body.
        uid: Option<u32>,
        /// Bytes to come.
        size: u64,
    },
    /// A piece of the body.
    BodyData(Bytes),
}

enum State {
    Text,
    Keep { left: usize },
    Stream { left: u64 },
}

/// Takes bytes, gives events.
pub struct Decoder {
    buffer: BytesMut,
    /// How far the buffer was searched for a line's end.
    searched: usize,
    text: Vec<u8>,
    literals: Vec<Literal>,
    kept: usize,
    state: State,
}

impl Default for Decoder {
    fn default() -> Self {
        Self {
            buffer: BytesMut::new(),
            searched: 0,
            text: Vec::new(),
            literals: Vec::new(),
            kept: 0,
            state: State::Text,
        }
    }
}

impl Decoder {
    /// A decoder at the start of a response.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Where the bytes that were read go.
    pub fn buffer(&mut self) -> &mut BytesMut {
        &mut self.buffer
    }

    /// How many bytes wait.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.buffer.len()
    }

    /// Whether nothing at all is left over: no bytes and no response begun.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.buffer.is_empty() && self.text.is_empty() && matches!(self.state, State::Text)
    }

    /// The next event; `None` when more bytes are needed.
    ///
    /// # Errors
    /// When the bytes cannot be understood; the decoder must not be used any more then.
    pub fn decode(&mut self) -> Result<Option<Event>, WireError> {
        loop {
            match &mut self.state {
                State::Stream { left: 0 } => self.state = State::Text,
                State::Stream { left } => {
                    if self.buffer.is_empty() {
                        return Ok(None);
                    }
                    let here = usize::try_from(*left).unwrap_or(usize::MAX).min(self.buffer.len()).min(MAX_CHUNK);
                    *left -= here as u64;
                    return Ok(Some(Event::BodyData(self.buffer.split_to(here).freeze())));
                }
                State::Keep { left } => {
                    if self.buffer.len() < *left {
                        return Ok(None);
                    }
                    let bytes = self.buffer.split_to(*left).freeze();
                    self.literals.push(Literal::Kept(bytes));
                    self.state = State::Text;
                }
                State::Text => {
                    let Some(end) = memchr::memchr(b'\n', &self.buffer[self.searched..]) else {
                        self.searched = self.buffer.len();
                        if self.text.len() + self.buffer.len() > MAX_TEXT {
                            return Err(WireError::TextTooLong);
                        }
                        return Ok(None);
                    };
                    let line = self.buffer.split_to(self.searched + end + 1);
                    self.searched = 0;
                    if self.text.len() + line.len() > MAX_TEXT {
                        return Err(WireError::TextTooLong);
                    }
                    if let Some(event) = self.line(&line)? {
                        return Ok(Some(event));
                    }
                }
            }
        }
    }

    fn line(&mut self, line: &[u8]) -> Result<Option<Event>, WireError> {
        if self.text.is_empty() && matches!(line, b"\r\n" | b"\n") {
            return Ok(None);
        }
        self.text.extend_from_slice(line);
        if response::may_hold_literals(&self.text)
            && let Some((open, size)) = announced_literal(line)
        {
            let open = self.text.len() - line.len() + open;
            if let Some((seq, uid)) = body_ahead(&self.text[..open], &self.literals) {
                self.literals.push(Literal::Streamed(size));
                self.state = State::Stream { left: size };
                return Ok(Some(Event::BodyBegin { seq, uid, size }));
            }
            let room = MAX_LITERALS - self.kept;
            let Some(left) = usize::try_from(size).ok().filter(|size| *size <= room) else {
                return Err(WireError::LiteralTooLong(size));
            };
            self.kept += left;
            self.state = State::Keep { left };
            return Ok(None);
        }
        let response = response::parse(&self.text, &self.literals)?;
        self.text.clear();
        self.literals.clear();
        self.kept = 0;
        Ok(Some(Event::Response(response)))
    }
}

/// Whether a literal that follows this text is a message's body: its sequence number and its UID, if that was told.
fn body_ahead(text: &[u8], literals: &[Literal]) -> Option<(u32, Option<u32>)> {
    let rest = text.strip_prefix(b"* ")?;
    let digits = rest.iter().position(|b| !b.is_ascii_digit()).unwrap_or(rest.len());
    let seq = std::str::from_utf8(&rest[..digits]).ok()?.parse().ok()?;
    let rest = rest[digits..].strip_prefix(b" ")?;
    if rest.len() < 5 || !rest[..5].eq_ignore_ascii_case(b"FETCH") {
        return None;
    }
    let mut items = Values::new(&rest[5..], literals);
    if !items.enter() {
        return None;
    }
    let mut uid = None;
    // A literal within a list, such as a label of Gmail, leaves that list without an end here: it is no body.
    while let Some(key) = items.next(1).ok()? {
        let key = key.text()?;
        match items.next(1).ok()? {
            Some(value) if key.eq_ignore_ascii_case("UID") => {
                uid = value.number().and_then(|n| u32::try_from(n).ok());
            }
            Some(_) => {}
            None => return is_body(&key).then_some((seq, uid)),
        }
    }
    None
}

/// Whether this FETCH item is a message's whole body, or a part of it from some byte on.
#[must_use]
pub fn is_body(key: &str) -> bool {
    let key = key.split('<').next().unwrap_or(key);
    ["BODY[]", "RFC822", "BINARY[]"].iter().any(|name| key.eq_ignore_ascii_case(name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Value;
    use proptest::prelude::*;

    fn decode(pieces: &[&[u8]]) -> Result<Vec<Event>, WireError> {
        let mut decoder = Decoder::new();
        let mut events: Vec<Event> = Vec::new();
        for piece in pieces {
            decoder.buffer().extend_from_slice(piece);
            while let Some(event) = decoder.decode()? {
                match (events.last_mut(), event) {
                    (Some(Event::BodyData(so_far)), Event::BodyData(more)) => {
                        *so_far = [so_far.as_ref(), more.as_ref()].concat().into();
                    }
                    (_, event) => events.push(event),
                }
            }
        }
        Ok(events)
    }

    const TALK: &[u8] = b"* OK hello {5}\r\n\
        * LIST () \"/\" {5}\r\na\"b\rc\r\n\
        * 3 FETCH (UID 7 FLAGS (\\Seen) BODY[] {10}\r\nHi: x\r\n\r\nb)\r\n\
        * 4 FETCH (BODY[] ~{0}\r\n UID 8)\r\n\
        * 5 FETCH (UID 9 BODY[HEADER] {2}\r\nab)\r\n\
        \r\n\
        a1 OK done\n";

    #[test]
    fn bodies_are_streamed_and_other_literals_are_kept() {
        let events = decode(&[TALK]).unwrap();
        assert!(matches!(&events[0], Event::Response(Response::Status { text, .. }) if text == "hello {5}"));
        let Event::Response(Response::Data { values, .. }) = &events[1] else { panic!("{:?}", events[1]) };
        assert_eq!(values[2], Value::String(Bytes::from_static(b"a\"b\rc")));
        assert_eq!(events[2], Event::BodyBegin { seq: 3, uid: Some(7), size: 10 });
        assert_eq!(events[3], Event::BodyData(Bytes::from_static(b"Hi: x\r\n\r\nb")));
        assert!(matches!(events.last(), Some(Event::Response(Response::Status { tag: Some(tag), .. })) if tag == "a1"));
    }

    #[test]
    fn a_uid_behind_the_body_is_told_with_the_response() {
        let events = decode(&[b"* 4 FETCH (BODY[] {1}\r\nx UID 8)\r\n"]).unwrap();
        assert_eq!(events[0], Event::BodyBegin { seq: 4, uid: None, size: 1 });
        let Event::Response(Response::Data { values, .. }) = &events[2] else { panic!("{events:?}") };
        let items = values[0].list().unwrap();
        assert_eq!(items[1], Value::Streamed(1));
        assert_eq!(items[3].number(), Some(8));
    }

    #[test]
    fn a_literal_within_a_list_is_no_body() {
        let events = decode(&[b"* 1 FETCH (X-GM-LABELS (\"\\\\Inbox\" {3}\r\na\"b x) UID 7)\r\n"]).unwrap();
        let [Event::Response(Response::Data { values, .. })] = events.as_slice() else { panic!("{events:?}") };
        let labels = values[0].list().unwrap()[1].list().unwrap();
        assert_eq!(labels.iter().filter_map(Value::text).collect::<Vec<_>>(), ["\\Inbox", "a\"b", "x"]);
    }

    #[test]
    fn a_literal_of_another_length_than_announced_is_an_error() {
        let shorter = b"* 1 FETCH (UID 1 BODY[] {20}\r\nabc)\r\n* 2 FETCH (UID 2 BODY[] {3}\r\nabc)\r\na1 OK\r\n";
        let longer = b"* 1 FETCH (UID 1 BODY[] {2}\r\nabcdef\r\nghi)\r\na1 OK\r\n";
        assert!(decode(&[shorter]).is_err());
        assert!(decode(&[longer]).is_err());
    }

    #[test]
    fn limits_hold() {
        assert_eq!(decode(&[&vec![b'a'; MAX_TEXT + 1]]), Err(WireError::TextTooLong));
        let literal = format!("* LIST () NIL {{{}}}\r\n", MAX_LITERALS + 1);
        assert_eq!(decode(&[literal.as_bytes()]), Err(WireError::LiteralTooLong(MAX_LITERALS as u64 + 1)));
        let huge = decode(&[b"* 1 FETCH (UID 1 BODY[] {99999999999}\r\nab"]).unwrap();
        assert_eq!(huge[0], Event::BodyBegin { seq: 1, uid: Some(1), size: 99_999_999_999 });
    }

    #[test]
    fn pieces_of_a_body_are_small() {
        let mut decoder = Decoder::new();
        decoder.buffer().extend_from_slice(b"* 1 FETCH (UID 1 BODY[] {200000}\r\n");
        decoder.buffer().extend_from_slice(&vec![b'x'; 200_000]);
        let mut sum = 0;
        while let Some(event) = decoder.decode().unwrap() {
            if let Event::BodyData(data) = event {
                assert!(data.len() <= MAX_CHUNK);
                sum += data.len();
            }
        }
        assert_eq!(sum, 200_000);
    }

    proptest! {
        #[test]
        fn events_do_not_depend_on_how_the_bytes_are_cut(
            cuts in proptest::collection::vec(0..TALK.len(), 0..12),
        ) {
            let mut cuts = cuts;
            cuts.sort_unstable();
            cuts.push(TALK.len());
            let mut from = 0;
            let pieces: Vec<&[u8]> = cuts.iter().map(|cut| { let piece = &TALK[from..*cut]; from = *cut; piece }).collect();
            prop_assert_eq!(decode(&pieces), decode(&[TALK]));
        }

        #[test]
        fn no_bytes_make_the_decoder_panic(
            pieces in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..60), 0..6),
        ) {
            let pieces: Vec<&[u8]> = pieces.iter().map(Vec::as_slice).collect();
            let _ = decode(&pieces);
        }

        #[test]
        fn a_talk_with_wrong_bytes_does_not_make_the_decoder_panic(at in 0..TALK.len(), with in any::<u8>()) {
            let mut talk = TALK.to_vec();
            talk[at] = with;
            let _ = decode(&[&talk]);
        }
    }
}
