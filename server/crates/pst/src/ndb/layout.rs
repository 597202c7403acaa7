//! What differs between the three layouts: sizes of ids, pages and trailers. Knows no content.

use std::fmt;

/// How a file is laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// wVer 14 and 15: 32-bit offsets, text in a code page; Outlook 97 to 2002.
    Ansi,
    /// wVer 23: 64-bit offsets; Outlook 2003 and later.
    Unicode,
    /// wVer 36: pages of 4096 bytes, blocks that may be deflated; OST files of Outlook 2013 and later.
    Unicode4k,
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ansi => "ANSI",
            Self::Unicode => "Unicode",
            Self::Unicode4k => "Unicode, 4K pages",
        })
    }
}

impl Format {
    /// Whether offsets and block ids take 8 bytes.
    pub(crate) fn wide(self) -> bool {
        self != Self::Ansi
    }

    pub(crate) fn page_size(self) -> usize {
        if self == Self::Unicode4k { 4096 } else { 512 }
    }

    /// Bytes of a page before its trailer: what its checksum covers.
    pub(crate) fn page_body(self) -> usize {
        match self {
            Self::Ansi => 500,
            Self::Unicode => 496,
            Self::Unicode4k => 4072,
        }
    }

    /// Bytes of a B-tree page that hold entries.
    pub(crate) fn page_entries(self) -> usize {
        match self {
            Self::Ansi => 496,
            Self::Unicode => 488,
            Self::Unicode4k => 4056,
        }
    }

    pub(crate) fn block_trailer(self) -> usize {
        match self {
            Self::Ansi => 12,
            Self::Unicode => 16,
            Self::Unicode4k => 24,
        }
    }

    pub(crate) fn block_align(self) -> usize {
        if self == Self::Unicode4k { 512 } else { 64 }
    }

    pub(crate) fn block_max(self) -> usize {
        if self == Self::Unicode4k { 65_536 } else { 8192 }
    }

    /// How much of the file one block's data takes, with padding and trailer.
    pub(crate) fn block_extent(self, data: usize) -> usize {
        (data + self.block_trailer()).next_multiple_of(self.block_align())
    }

    /// Bits of a heap id that number the item in its block; above its five type bits.
    pub(crate) fn heap_index_bits(self) -> u32 {
        if self == Self::Unicode4k { 14 } else { 11 }
    }
}
