//! Rich text as HTML and as text: what is written plainly, its look where mail commonly has one, tables and links.

use super::fonts::Fonts;

/// How text looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Look {
    pub bold: bool,
    pub italic: bool,
    pub underline: bool,
    pub strike: bool,
    pub hidden: bool,
    /// -1 below, 1 above the line.
    pub shift: i8,
    /// Half points; 0 where none is said.
    pub size: u16,
    /// Index into the colour table; 0 is the reader's own.
    pub color: u16,
    pub background: u16,
    pub font: i32,
}

impl Look {
    pub const PLAIN: Self = Self {
        bold: false,
        italic: false,
        underline: false,
        strike: false,
        hidden: false,
        shift: 0,
        size: 0,
        color: 0,
        background: 0,
        font: -1,
    };
}

/// How a paragraph lies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Paragraph {
    pub align: Option<&'static str>,
    /// Left indent in twips.
    pub indent: i32,
    pub in_table: bool,
}

/// Builds both.
#[derive(Default)]
pub(super) struct Rich {
    pub html: String,
    pub text: String,
    /// Red, green, blue.
    pub colors: Vec<Option<[u8; 3]>>,
    look: Option<Look>,
    closing: String,
    paragraph_open: bool,
    table: bool,
    row: bool,
    cell: bool,
    link: Option<(String, usize)>,
    /// Whether the row that is being described has lines around its cells.
    pub bordered: bool,
    /// How many attachments stand within the text.
    pub objects: usize,
}

impl Rich {
    pub fn write(&mut self, text: &str, look: Look, paragraph: Paragraph, fonts: &Fonts) {
        if look.hidden || text.is_empty() {
            return;
        }
        self.begin(paragraph);
        if self.look != Some(look) {
            self.close_look();
            self.open_look(look, fonts);
        }
        for c in text.chars() {
            match c {
                '<' => self.html.push_str("&lt;"),
                '>' => self.html.push_str("&gt;"),
                '&' => self.html.push_str("&amp;"),
                '\u{A0}' => self.html.push_str("&nbsp;"),
                // Runs of blanks count in rich text.
                ' ' if self.html.ends_with(' ') => self.html.push_str("&nbsp;"),
                '\t' => self.html.push_str("&nbsp;&nbsp;&nbsp; "),
                other => self.html.push(other),
            }
        }
        self.text.push_str(text);
    }

    fn begin(&mut self, paragraph: Paragraph) {
        if paragraph.in_table && !self.cell {
            if !self.table {
                let border = u8::from(self.bordered);
                self.html.push_str(&format!("<table border=\"{border}\" cellspacing=\"0\" cellpadding=\"4\">\r\n"));
                self.table = true;
            }
            if !self.row {
                self.html.push_str("<tr>");
                self.row = true;
            }
            self.html.push_str("<td valign=\"top\">");
            self.cell = true;
        } else if !paragraph.in_table {
            self.end_table();
        }
        if !self.paragraph_open {
            self.paragraph_open = true;
            self.html.push_str("<div");
            if let Some(align) = paragraph.align {
                self.html.push_str(&format!(" align=\"{align}\""));
            }
            if (20..20_000).contains(&paragraph.indent) {
                self.html.push_str(&format!(" style=\"margin-left:{}pt\"", paragraph.indent / 20));
            }
            self.html.push('>');
        }
    }

    fn open_look(&mut self, look: Look, fonts: &Fonts) {
        let mut style = String::new();
        if let Some(font) = fonts.get(look.font).filter(|f| !f.name.trim().is_empty()) {
            let name: String = font.name.trim().chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c)).collect();
            style.push_str(&format!("font-family:'{name}';"));
        }
        if look.size > 0 && look.size < 1_000 {
            let half = if look.size % 2 == 1 { ".5" } else { "" };
            style.push_str(&format!("font-size:{}{half}pt;", look.size / 2));
        }
        for (index, what) in [(look.color, "color"), (look.background, "background-color")] {
            if let Some(Some([r, g, b])) = self.colors.get(usize::from(index)).filter(|_| index > 0) {
                style.push_str(&format!("{what}:#{r:02x}{g:02x}{b:02x};"));
            }
        }
        if !style.is_empty() {
            style.pop();
            self.html.push_str(&format!("<span style=\"{style}\">"));
            self.closing.insert_str(0, "</span>");
        }
        for (set, open, close) in [
            (look.bold, "<b>", "</b>"),
            (look.italic, "<i>", "</i>"),
            (look.underline, "<u>", "</u>"),
            (look.strike, "<s>", "</s>"),
            (look.shift > 0, "<sup>", "</sup>"),
            (look.shift < 0, "<sub>", "</sub>"),
        ] {
            if set {
                self.html.push_str(open);
                self.closing.insert_str(0, close);
            }
        }
        self.look = Some(look);
    }

    fn close_look(&mut self) {
        self.html.push_str(&self.closing);
        self.closing.clear();
        self.look = None;
    }

    /// A picture, where it could be taken.
    pub fn image(&mut self, element: Option<&str>, paragraph: Paragraph) {
        if let Some(element) = element {
            self.begin(paragraph);
            self.html.push_str(element);
        }
    }

    /// The place of an attachment.
    pub fn object(&mut self, paragraph: Paragraph) {
        self.begin(paragraph);
        self.objects += 1;
        self.html.push_str(&super::object_mark(self.objects));
    }

    /// The end of a paragraph.
    pub fn paragraph(&mut self, paragraph: Paragraph) {
        self.begin(paragraph);
        self.close_look();
        if self.html.ends_with('>') && self.is_empty_paragraph() {
            self.html.push_str("<br>");
        }
        self.html.push_str("</div>\r\n");
        self.paragraph_open = false;
        self.text.push_str("\r\n");
    }

    fn is_empty_paragraph(&self) -> bool {
        self.html.rfind("<div").is_some_and(|at| !self.html[at..].trim_end_matches('>').contains('>'))
    }

    /// A line's end within a paragraph.
    pub fn line(&mut self, paragraph: Paragraph) {
        self.begin(paragraph);
        self.html.push_str("<br>\r\n");
        self.text.push_str("\r\n");
    }

    /// The end of a table's cell.
    pub fn end_cell(&mut self) {
        self.begin(Paragraph { in_table: true, ..Paragraph::default() });
        self.close_look();
        self.html.push_str("</div></td>");
        self.paragraph_open = false;
        self.cell = false;
        self.text.push('\t');
    }

    /// The end of a table's row.
    pub fn end_row(&mut self) {
        if self.cell {
            self.end_cell();
        }
        if self.row {
            self.html.push_str("</tr>\r\n");
            self.row = false;
        }
        while self.text.ends_with('\t') {
            self.text.pop();
        }
        self.text.push_str("\r\n");
    }

    fn end_table(&mut self) {
        if self.table {
            if self.row {
                self.end_row();
            }
            self.html.push_str("</table>\r\n");
            self.table = false;
        }
    }

    /// The start of a link's text.
    pub fn begin_link(&mut self, target: &str, paragraph: Paragraph) {
        let safe = ["http:", "https:", "mailto:", "ftp:", "tel:", "file:"]
            .iter()
            .any(|scheme| target.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme)));
        if !safe || self.link.is_some() || target.len() > 8_192 {
            return;
        }
        self.begin(paragraph);
        self.close_look();
        let mut escaped = String::with_capacity(target.len());
        for c in target.chars() {
            match c {
                '"' => escaped.push_str("%22"),
                '<' => escaped.push_str("%3C"),
                '>' => escaped.push_str("%3E"),
                '&' => escaped.push_str("&amp;"),
                c if c.is_control() => {}
                other => escaped.push(other),
            }
        }
        self.html.push_str(&format!("<a href=\"{escaped}\">"));
        self.link = Some((target.to_owned(), self.text.len()));
    }

    /// Its end.
    pub fn end_link(&mut self) {
        if let Some((target, from)) = self.link.take() {
            self.close_look();
            self.html.push_str("</a>");
            let shown = self.text.get(from..).unwrap_or_default().trim();
            if shown != target && Some(shown) != target.strip_prefix("mailto:") {
                self.text.push_str(&format!(" <{target}>"));
            }
        }
    }

    /// The end of it all.
    pub fn finish(mut self) -> (String, String) {
        self.end_link();
        self.close_look();
        if self.paragraph_open {
            self.html.push_str("</div>\r\n");
        }
        if self.cell {
            self.html.push_str("</td>");
        }
        self.cell = false;
        self.end_table();
        if !self.html.is_empty() {
            self.html = format!("<html><body>\r\n{}</body></html>\r\n", self.html);
        }
        (self.html, self.text)
    }
}
