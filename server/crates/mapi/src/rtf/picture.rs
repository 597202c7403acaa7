//! Pictures that lie in rich text itself, as those that Word places; others are attachments.

/// More bytes of pictures are not held.
const LARGEST: usize = 16 << 20;

/// A picture.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Picture {
    /// Its media type.
    pub mime: &'static str,
    /// The ending of its file's name.
    pub extension: &'static str,
    /// Its bytes.
    pub data: Vec<u8>,
}

/// Gathers them.
#[derive(Default)]
pub(super) struct Pictures {
    pub found: Vec<Picture>,
    /// Whether one could not be taken: too large, or of a kind that is no file of its own.
    pub lost: bool,
    sum: usize,
    open: Open,
}

/// The one that is being read.
#[derive(Default)]
struct Open {
    kind: Option<(&'static str, &'static str)>,
    data: Vec<u8>,
    /// The first digit of a byte.
    half: Option<u8>,
    too_much: bool,
    /// Twips.
    width: i32,
    height: i32,
    /// Per cent.
    scale_x: i32,
    scale_y: i32,
}

impl Pictures {
    /// A picture begins.
    pub fn begin(&mut self) {
        self.open = Open { scale_x: 100, scale_y: 100, ..Open::default() };
    }

    /// What is said of it.
    pub fn word(&mut self, name: &str, number: Option<i32>) {
        let number = number.unwrap_or(0).clamp(0, 100_000);
        match name {
            "pngblip" => self.open.kind = Some(("image/png", "png")),
            "jpegblip" => self.open.kind = Some(("image/jpeg", "jpg")),
            "emfblip" => self.open.kind = Some(("image/emf", "emf")),
            "picwgoal" => self.open.width = number,
            "pichgoal" => self.open.height = number,
            "picscalex" => self.open.scale_x = number,
            "picscaley" => self.open.scale_y = number,
            _ => {}
        }
    }

    /// A digit of its data.
    pub fn digit(&mut self, byte: u8) {
        let Some(value) = char::from(byte).to_digit(16).and_then(|d| u8::try_from(d).ok()) else { return };
        match self.open.half.take() {
            None => self.open.half = Some(value),
            Some(high) => self.bytes(&[high << 4 | value]),
        }
    }

    /// Bytes of its data.
    pub fn bytes(&mut self, bytes: &[u8]) {
        if self.sum + self.open.data.len() + bytes.len() > LARGEST {
            self.open.too_much = true;
        } else {
            self.open.data.extend_from_slice(bytes);
        }
    }

    /// It ends: the element that shows it, if it could be taken.
    pub fn end(&mut self) -> Option<String> {
        let open = std::mem::take(&mut self.open);
        if open.data.is_empty() && !open.too_much {
            return None;
        }
        let Some((mime, extension)) = open.kind.filter(|_| !open.too_much) else {
            self.lost = true;
            return None;
        };
        self.sum += open.data.len();
        self.found.push(Picture { mime, extension, data: open.data });
        // 15 twips are a pixel of CSS.
        let pixels = |twips: i32, scale: i32| i64::from(twips) * i64::from(scale) / 1_500;
        let (width, height) = (pixels(open.width, open.scale_x), pixels(open.height, open.scale_y));
        let size = if (1..5_000).contains(&width) && (1..5_000).contains(&height) {
            format!(" width=\"{width}\" height=\"{height}\"")
        } else {
            String::new()
        };
        Some(format!("<img src=\"cid:{}\"{size}>", content_id(self.found.len())))
    }
}

/// The Content-Id of a picture by its number, from 1.
pub(crate) fn content_id(number: usize) -> String {
    format!("picture{number}@body.rtf")
}
