//! The header of a message as it passes: its Message-Id, and where asked for the lines by which people know it.

/// How much of one field is kept, and of all that are wanted.
const LONGEST_FIELD: usize = 64 << 10;
const LONGEST_HEAD: usize = 8 << 10;
/// The fields by which people know a message.
const WANTED: [&[u8]; 4] = [b"message-id", b"from", b"subject", b"date"];

/// Takes a message's bytes and keeps what is wanted of its header.
#[derive(Debug, Default)]
pub(crate) struct HeadLines {
    /// The line that has begun, as far as it is kept.
    line: Vec<u8>,
    /// What the last line belonged to.
    field: Field,
    message_id: Option<Vec<u8>>,
    head: Option<Vec<u8>>,
    through: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Field {
    #[default]
    Unwanted,
    MessageId,
    Wanted,
}

impl HeadLines {
    /// Keeps the Message-Id; with `head` the other fields as well.
    pub fn new(head: bool) -> Self {
        Self { head: head.then(Vec::new), ..Self::default() }
    }

    /// Whether the header is through.
    pub const fn is_through(&self) -> bool {
        self.through
    }

    /// Takes the next bytes.
    pub fn update(&mut self, mut bytes: &[u8]) {
        while !self.through && !bytes.is_empty() {
            let end = memchr::memchr(b'\n', bytes);
            let (part, rest) = bytes.split_at(end.map_or(bytes.len(), |at| at + 1));
            let room = LONGEST_FIELD.saturating_sub(self.line.len());
            self.line.extend_from_slice(&part[..part.len().min(room)]);
            if end.is_some() {
                self.line_ended();
            }
            bytes = rest;
        }
    }

    fn line_ended(&mut self) {
        let mut line = std::mem::take(&mut self.line);
        if matches!(line.as_slice(), b"\n" | b"\r\n") {
            self.through = true;
            return;
        }
        if !line.starts_with(b" ") && !line.starts_with(b"\t") {
            self.field = self.field_of(&line);
        }
        match self.field {
            Field::Unwanted => {}
            Field::MessageId | Field::Wanted => {
                if self.field == Field::MessageId {
                    let id = self.message_id.get_or_insert_default();
                    let room = LONGEST_FIELD.saturating_sub(id.len());
                    id.extend_from_slice(&line[..line.len().min(room)]);
                }
                if let Some(head) = &mut self.head {
                    let room = LONGEST_HEAD.saturating_sub(head.len());
                    head.extend_from_slice(&line[..line.len().min(room)]);
                }
            }
        }
        line.clear();
        self.line = line;
    }

    fn field_of(&self, line: &[u8]) -> Field {
        let Some(colon) = memchr::memchr(b':', line) else { return Field::Unwanted };
        let name = line[..colon].trim_ascii_end();
        let Some(at) = WANTED.iter().position(|wanted| wanted.eq_ignore_ascii_case(name)) else {
            return Field::Unwanted;
        };
        match at {
            // The first one counts.
            0 if self.message_id.is_none() => Field::MessageId,
            _ => Field::Wanted,
        }
    }

    /// The Message-Id header's value, unfolded and trimmed, and the wanted lines with an empty one behind them.
    pub fn finish(mut self) -> (Option<String>, Vec<u8>) {
        if !self.through && !self.line.is_empty() {
            // A message without a body, whose last line has no end.
            self.line_ended();
        }
        let id = self.message_id.and_then(|line| {
            let text = String::from_utf8_lossy(&line);
            let (_, value) = text.split_once(':')?;
            let unfolded: String = value.split(['\r', '\n']).collect();
            let value = unfolded.trim();
            (!value.is_empty()).then(|| value.to_owned())
        });
        let mut head = self.head.unwrap_or_default();
        if !head.is_empty() {
            head.extend_from_slice(b"\r\n");
        }
        (id, head)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8], step: usize) -> (Option<String>, String) {
        let mut lines = HeadLines::new(true);
        bytes.chunks(step).for_each(|chunk| lines.update(chunk));
        let (id, head) = lines.finish();
        (id, String::from_utf8_lossy(&head).into_owned())
    }

    #[test]
    fn the_first_message_id_counts_however_the_bytes_are_cut() {
        let cases: [(&[u8], Option<&str>); 8] = [
            (b"Message-ID: <a@b>\r\nMessage-Id: <c@d>\r\n\r\nx", Some("<a@b>")),
            (b"MESSAGE-ID :\r\n <a@b>\r\nSubject: y\r\n\r\n", Some("<a@b>")),
            (b"Subject: y\nMessage-Id:  <a@b> \n\nMessage-Id: <body>\n", Some("<a@b>")),
            (b"Message-Id: \r\n\r\n", None),
            (b"Subject: y\r\n\r\nMessage-Id: <body>\r\n", None),
            (b"Message-Id: <a@b>", Some("<a@b>")),
            (b"X: y\r\n Message-Id: <folded>\r\n\r\n", None),
            (b"", None),
        ];
        for (bytes, id) in cases {
            for step in [1, 2, 7, 1_000] {
                assert_eq!(read(bytes, step).0.as_deref(), id, "{:?}", String::from_utf8_lossy(bytes));
            }
        }
    }

    #[test]
    fn the_head_holds_the_fields_by_which_people_know_a_message() {
        let message = b"Received: x\r\n y\r\nFrom: Ana\r\n <a@b>\r\nTo: c@d\r\nSubject: z\r\n\r\nFrom: body\r\n";
        assert_eq!(read(message, 3).1, "From: Ana\r\n <a@b>\r\nSubject: z\r\n\r\n");
        let long = [b"Subject: ".as_slice(), &[b'x'; 200_000], b"\r\nDate: now\r\n\r\n"].concat();
        assert!(read(&long, 4_096).1.len() <= LONGEST_HEAD + 2);
    }
}
