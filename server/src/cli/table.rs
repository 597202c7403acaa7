//! Tables for people: aligned columns, numbers to the right.

use std::fmt;

/// A table that grows by rows.
pub struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table with these columns.
    pub fn new(columns: &[&str]) -> Self {
        Self { rows: vec![columns.iter().map(|c| (*c).to_owned()).collect()] }
    }

    /// Adds a row.
    pub fn row<const N: usize>(&mut self, cells: [String; N]) {
        // A control character in a name from a mail server must not steer the terminal.
        self.rows.push(cells.into_iter().map(|cell| cell.replace(char::is_control, "\u{fffd}")).collect());
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let columns = self.rows.first().map_or(0, Vec::len);
        let width = |c: usize| self.rows.iter().filter_map(|r| Some(r.get(c)?.chars().count())).max().unwrap_or(0);
        let is_number =
            |cell: &String| !cell.is_empty() && cell.chars().all(|c| c.is_ascii_digit() || ".%-".contains(c));
        for (n, row) in self.rows.iter().enumerate() {
            if n > 0 {
                f.write_str("\n")?;
            }
            let mut line = String::new();
            for (c, cell) in row.iter().enumerate() {
                let pad = " ".repeat(width(c) - cell.chars().count());
                let right = self.rows.iter().skip(1).filter_map(|r| r.get(c)).all(is_number) && self.rows.len() > 1;
                line.push_str(&if right { format!("{pad}{cell}") } else { format!("{cell}{pad}") });
                if c + 1 < columns {
                    line.push_str("  ");
                }
            }
            f.write_str(line.trim_end())?;
        }
        Ok(())
    }
}

/// Bytes as people read them.
pub fn bytes(n: u64) -> String {
    indicatif::HumanBytes(n).to_string()
}

#[cfg(test)]
mod tests {
    use super::Table;

    #[test]
    fn numbers_stand_to_the_right_and_control_characters_are_shown() {
        let mut table = Table::new(&["folder", "messages"]);
        table.row(["INBOX".into(), "12345".into()]);
        table.row(["a\u{1b}[2J".into(), "7".into()]);
        assert_eq!(table.to_string(), "folder  messages\nINBOX      12345\na\u{fffd}[2J          7");
    }
}
