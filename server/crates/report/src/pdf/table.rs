//! Tables that run over pages: the head is repeated, never stands alone, a group's name comes again, and a sum stays
//! with the row above it.

use super::{
    flow::{BOTTOM, CELL, CELL_NOTE, CELL_STRONG, Flow, LABEL, MARGIN, MEASURE, Type},
    fonts::Font,
    ink::{GREY, HAIR, MIST, Mark},
};

/// Room above and below a row's text.
const AIR: f32 = 3.3;
/// Between columns.
const GAP: f32 = 9.0;

/// A column.
#[derive(Clone, Copy, Debug)]
pub struct Column<'a> {
    title: &'a str,
    /// Points; below 1 a share of what the fixed ones leave.
    width: f32,
    right: bool,
    font: Font,
    /// How many lines a cell may have.
    lines: usize,
}

impl<'a> Column<'a> {
    /// Text, over a share of the room.
    pub const fn text(title: &'a str, share: f32) -> Self {
        Self { title, width: share, right: false, font: Font::Regular, lines: 2 }
    }

    /// Text in so many points.
    pub const fn fixed(title: &'a str, points: f32) -> Self {
        Self { title, width: points, right: false, font: Font::Regular, lines: 2 }
    }

    /// Figures, which end below one another.
    pub const fn figure(title: &'a str, points: f32) -> Self {
        Self { title, width: points, right: true, font: Font::Regular, lines: 1 }
    }

    /// The same column with room for more lines.
    pub const fn lines(self, lines: usize) -> Self {
        Self { lines, ..self }
    }

    /// The same column in the font of digests.
    pub const fn mono(self) -> Self {
        Self { font: Font::Mono, ..self }
    }
}

/// A cell.
#[derive(Clone, Debug)]
pub enum Cell {
    /// Text or a figure.
    Text(String),
    /// What is worth more.
    Strong(String),
    /// A text and something beside it, on a line of its own.
    Double(String, String),
    /// A shape and its word.
    Mark(Mark, String),
}

impl<T: Into<String>> From<T> for Cell {
    fn from(text: T) -> Self {
        Self::Text(text.into())
    }
}

/// A row.
#[derive(Clone, Debug)]
pub enum Row {
    /// Cells, one for each column.
    Plain(Vec<Cell>),
    /// The name of what follows, and a word at the right.
    Group(String, String),
    /// Sums.
    Total(Vec<Cell>),
}

/// The lines of one cell.
struct Set {
    lines: Vec<(String, Type)>,
    mark: Option<Mark>,
}

impl Flow {
    /// Sets a table.
    pub fn table(&mut self, columns: &[Column<'_>], rows: impl IntoIterator<Item = Row>) {
        let widths = widths(columns);
        let mut rows = rows.into_iter().peekable();
        if rows.peek().is_none() {
            return;
        }
        // The head, and at least two rows below it.
        self.need(64.0);
        self.head(columns, &widths);
        let mut group: Option<(String, String)> = None;
        while let Some(row) = rows.next() {
            match row {
                Row::Group(name, beside) => {
                    // A group's name never stands alone at the end of a page.
                    let first = match rows.peek() {
                        Some(Row::Plain(cells)) => height(&self.set(columns, &widths, cells, false)),
                        _ => CELL.leading,
                    };
                    if self.need(CELL.leading + 2.0 * AIR + 1.0 + first) {
                        self.head(columns, &widths);
                    }
                    self.group(&name, &beside);
                    group = Some((name, beside));
                }
                Row::Plain(cells) => {
                    let sets = self.set(columns, &widths, &cells, false);
                    let height = height(&sets);
                    let below = if matches!(rows.peek(), Some(Row::Total(_))) { 22.0 } else { 0.0 };
                    if self.need(height + below) {
                        self.head(columns, &widths);
                        if let Some((name, _)) = &group {
                            let continued = format!("({})", self.lang.continued());
                            let name = name.clone();
                            self.group(&name, &continued);
                        }
                    }
                    self.draw(columns, &widths, &sets, height);
                    let y = self.y;
                    self.sheet().rule(MARGIN, y, MEASURE, 0.4, HAIR);
                }
                Row::Total(cells) => {
                    let sets = self.set(columns, &widths, &cells, true);
                    let height = height(&sets);
                    self.need(height);
                    let y = self.y;
                    self.sheet().rule(MARGIN, y, MEASURE, 0.9, GREY);
                    self.draw(columns, &widths, &sets, height);
                }
            }
        }
        self.y += 8.0;
    }

    fn head(&mut self, columns: &[Column<'_>], widths: &[f32]) {
        let mut titles = Vec::new();
        for (column, width) in columns.iter().zip(widths) {
            titles.push(self.wrap(column.title, LABEL, *width, 2));
        }
        let lines = titles.iter().map(Vec::len).max().unwrap_or(1);
        let bottom = self.y + lines as f32 * LABEL.leading + 4.0;
        let mut x = MARGIN;
        for ((column, width), title) in columns.iter().zip(widths).zip(&titles) {
            for (n, line) in title.iter().enumerate() {
                let y = bottom - 5.5 - (title.len() - 1 - n) as f32 * LABEL.leading;
                if column.right {
                    self.put_right(line, x + width, y, LABEL);
                } else {
                    self.put(line, x, y, LABEL);
                }
            }
            x += width + GAP;
        }
        self.sheet().rule(MARGIN, bottom, MEASURE, 0.9, GREY);
        self.y = bottom;
    }

    fn group(&mut self, name: &str, beside: &str) {
        let height = CELL.leading + 2.0 * AIR + 1.0;
        let (top, y) = (self.y, self.y + AIR + CELL.size + 0.8);
        self.sheet().field(MARGIN, top, MEASURE, height, 0.0, MIST);
        let taken = self.fonts.width(beside, CELL_NOTE.font, CELL_NOTE.size);
        let name = self.fit(name, CELL_STRONG, MEASURE - taken - 24.0);
        self.put(&name, MARGIN + 6.0, y, CELL_STRONG);
        self.put_right(beside, MARGIN + MEASURE - 6.0, y, CELL_NOTE);
        self.y += height;
    }

    fn set(&mut self, columns: &[Column<'_>], widths: &[f32], cells: &[Cell], total: bool) -> Vec<Set> {
        let mut sets = Vec::with_capacity(cells.len());
        for ((column, width), cell) in columns.iter().zip(widths).zip(cells) {
            let plain = if total { CELL_STRONG } else { Type { font: column.font, ..CELL } };
            // The mono font is wide for its size.
            let plain = if column.font == Font::Mono { Type { size: 6.6, ..plain } } else { plain };
            let (text, kind, beside, mark) = match cell {
                Cell::Text(text) => (text, plain, None, None),
                Cell::Strong(text) => (text, CELL_STRONG, None, None),
                Cell::Double(text, beside) => (text, plain, Some(beside), None),
                Cell::Mark(mark, text) => (text, CELL_STRONG.in_ink(mark.ink()), None, Some(*mark)),
            };
            let room = if mark.is_some() { width - 12.0 } else { *width };
            // What is said beside has at least one of the lines.
            let most = if beside.is_some() { (column.lines / 2).max(1) } else { column.lines };
            let wrapped = if most == 1 { vec![self.fit(text, kind, room)] } else { self.wrap(text, kind, room, most) };
            let mut lines: Vec<(String, Type)> = wrapped.into_iter().map(|line| (line, kind)).collect();
            if let Some(beside) = beside.filter(|b| !b.is_empty()) {
                let more = self.wrap(beside, CELL_NOTE, *width, (column.lines - lines.len().min(column.lines)).max(1));
                lines.extend(more.into_iter().map(|line| (line, CELL_NOTE)));
            }
            sets.push(Set { lines, mark });
        }
        sets
    }

    fn draw(&mut self, columns: &[Column<'_>], widths: &[f32], sets: &[Set], height: f32) {
        let (mut x, top) = (MARGIN, self.y);
        for ((column, width), set) in columns.iter().zip(widths).zip(sets) {
            let mut y = top + AIR + CELL.size;
            let mut left = x;
            if let Some(mark) = set.mark {
                mark.draw(self.sheet(), x, top + AIR + 0.6, 8.0);
                left += 12.0;
            }
            for (line, kind) in &set.lines {
                if column.right {
                    self.put_right(line, x + width, y, *kind);
                } else {
                    self.put(line, left, y, *kind);
                }
                y += kind.leading;
            }
            x += width + GAP;
        }
        self.y = (top + height).min(BOTTOM + 20.0);
    }
}

fn height(sets: &[Set]) -> f32 {
    let tallest =
        sets.iter().map(|set| set.lines.iter().map(|(_, kind)| kind.leading).sum()).fold(CELL.leading, f32::max);
    tallest + 2.0 * AIR
}

fn widths(columns: &[Column<'_>]) -> Vec<f32> {
    let gaps = GAP * columns.len().saturating_sub(1) as f32;
    let fixed: f32 = columns.iter().map(|c| c.width).filter(|w| *w >= 1.0).sum();
    let shares: f32 = columns.iter().map(|c| c.width).filter(|w| *w < 1.0).sum();
    let left = (MEASURE - gaps - fixed).max(0.0);
    columns.iter().map(|c| if c.width >= 1.0 { c.width } else { left * c.width / shares.max(f32::EPSILON) }).collect()
}
