//! Colours, shapes and marks: what is drawn beside text. Nothing is told by colour alone; every state has a shape.

use super::sheet::Sheet;

/// A colour, each part 0 to 255.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ink(pub u8, pub u8, pub u8);

/// Text.
pub const BLACK: Ink = Ink(0x17, 0x20, 0x2c);
/// What matters less.
pub const GREY: Ink = Ink(0x59, 0x65, 0x75);
/// Lines.
pub const HAIR: Ink = Ink(0xd3, 0xd9, 0xe0);
/// Fields behind text.
pub const MIST: Ink = Ink(0xf3, 0xf5, 0xf7);
/// Ours.
pub const DEEP: Ink = Ink(0x12, 0x4a, 0x62);
/// Ours, paler.
pub const PALE: Ink = Ink(0x8f, 0xb8, 0xc7);
/// In order.
pub const GOOD: Ink = Ink(0x1c, 0x70, 0x4a);
/// Look at it.
pub const CARE: Ink = Ink(0x9a, 0x5b, 0x00);
/// Wrong.
pub const BAD: Ink = Ink(0xa8, 0x24, 0x1c);
/// Paper.
pub const WHITE: Ink = Ink(0xff, 0xff, 0xff);

/// The fields behind the verdict.
pub const GOOD_FIELD: Ink = Ink(0xe9, 0xf3, 0xed);
/// Of what wants care.
pub const CARE_FIELD: Ink = Ink(0xfb, 0xf1, 0xe0);
/// Of what is wrong.
pub const BAD_FIELD: Ink = Ink(0xf9, 0xe9, 0xe7);

/// How something stands: a colour and a shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// A disc with a tick.
    Good,
    /// A triangle.
    Care,
    /// A square with a cross.
    Bad,
    /// A ring.
    Open,
}

impl Mark {
    /// Its colour.
    pub const fn ink(self) -> Ink {
        match self {
            Self::Good => GOOD,
            Self::Care => CARE,
            Self::Bad => BAD,
            Self::Open => GREY,
        }
    }

    /// The colour of a field behind it.
    pub const fn field(self) -> Ink {
        match self {
            Self::Good => GOOD_FIELD,
            Self::Care => CARE_FIELD,
            Self::Bad => BAD_FIELD,
            Self::Open => MIST,
        }
    }

    /// Draws it within a square whose upper left corner is at `x`, `y`.
    pub fn draw(self, sheet: &mut Sheet, x: f32, y: f32, size: f32) {
        let (cx, cy, r) = (x + size / 2.0, y + size / 2.0, size / 2.0);
        let at = |dx: f32, dy: f32| (x + dx * size, y + dy * size);
        match self {
            Self::Good => {
                sheet.disc(cx, cy, r, GOOD);
                sheet.stroke(&[at(0.27, 0.52), at(0.44, 0.69), at(0.74, 0.35)], size * 0.115, WHITE);
            }
            Self::Care => {
                sheet.polygon(&[at(0.5, 0.02), at(1.0, 0.93), at(0.0, 0.93)], CARE);
                sheet.stroke(&[at(0.5, 0.36), at(0.5, 0.64)], size * 0.105, WHITE);
                sheet.disc(cx, y + size * 0.79, size * 0.062, WHITE);
            }
            Self::Bad => {
                sheet.field(x + size * 0.04, y + size * 0.04, size * 0.92, size * 0.92, size * 0.16, BAD);
                sheet.stroke(&[at(0.31, 0.31), at(0.69, 0.69)], size * 0.115, WHITE);
                sheet.stroke(&[at(0.69, 0.31), at(0.31, 0.69)], size * 0.115, WHITE);
            }
            Self::Open => {
                sheet.disc(cx, cy, r * 0.92, GREY);
                sheet.disc(cx, cy, r * 0.66, WHITE);
            }
        }
    }
}
