//! tar as GNU writes it, with names of any bytes and any length.

/// A tar archive in memory.
#[derive(Default)]
pub struct Tar {
    out: Vec<u8>,
}

/// What an entry of a tar is (its type flag).
pub mod kind {
    /// A file.
    pub const FILE: u8 = b'0';
    /// Another name of a file before it.
    pub const HARD_LINK: u8 = b'1';
    /// A symbolic link.
    pub const SYMBOLIC_LINK: u8 = b'2';
    /// A character device.
    pub const DEVICE: u8 = b'3';
    /// A folder.
    pub const FOLDER: u8 = b'5';
    /// A named pipe.
    pub const PIPE: u8 = b'6';
}

impl Tar {
    /// With nothing in it.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A file, changed at 2024-02-29T12:00:00Z.
    #[must_use]
    pub fn file(self, name: impl AsRef<[u8]>, data: &[u8]) -> Self {
        self.entry(name, data, "", 1_709_208_000)
    }

    /// A file of a group, changed at a second since 1970.
    #[must_use]
    pub fn entry(mut self, name: impl AsRef<[u8]>, data: &[u8], group: &str, changed: u64) -> Self {
        self.head(name.as_ref(), data.len() as u64, kind::FILE, "", group, changed);
        self.data(data);
        self
    }

    /// An entry that is no file: see [`kind`].
    #[must_use]
    pub fn special(mut self, name: impl AsRef<[u8]>, kind: u8, target: &str) -> Self {
        self.head(name.as_ref(), 0, kind, target, "", 1_709_208_000);
        self
    }

    /// A file that is said to be larger than what follows.
    #[must_use]
    pub fn lying(mut self, name: impl AsRef<[u8]>, said: u64, data: &[u8]) -> Self {
        self.head(name.as_ref(), said, kind::FILE, "", "", 1_709_208_000);
        self.data(data);
        self
    }

    fn data(&mut self, data: &[u8]) {
        self.out.extend_from_slice(data);
        self.out.resize(self.out.len().next_multiple_of(512), 0);
    }

    fn head(&mut self, name: &[u8], size: u64, kind: u8, target: &str, group: &str, changed: u64) {
        if name.len() > 100 {
            let long = [name, b"\0"].concat();
            self.block(b"././@LongLink", long.len() as u64, b'L', "", "", 0);
            self.data(&long);
        }
        self.block(&name[..name.len().min(100)], size, kind, target, group, changed);
    }

    fn block(&mut self, name: &[u8], size: u64, kind: u8, target: &str, group: &str, changed: u64) {
        let mut head = [0_u8; 512];
        let mut put = |at: usize, bytes: &[u8]| head[at..at + bytes.len()].copy_from_slice(bytes);
        put(0, name);
        put(100, b"0000644\0");
        put(108, b"0000000\0");
        put(116, b"0000000\0");
        if size < 1 << 33 {
            put(124, format!("{size:011o}\0").as_bytes());
        } else {
            put(124, &[0x80, 0, 0, 0]);
            put(128, &size.to_be_bytes());
        }
        put(136, format!("{changed:011o}\0").as_bytes());
        put(148, b"        ");
        put(156, &[kind]);
        put(157, &target.as_bytes()[..target.len().min(100)]);
        put(257, b"ustar  \0");
        put(297, &group.as_bytes()[..group.len().min(31)]);
        let sum: u32 = head.iter().map(|byte| u32::from(*byte)).sum();
        head[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        self.out.extend_from_slice(&head);
    }

    /// Its bytes, with the end that a tar has.
    #[must_use]
    pub fn finish(mut self) -> Vec<u8> {
        self.out.extend_from_slice(&[0; 1024]);
        self.out.resize(self.out.len().next_multiple_of(10_240), 0);
        self.out
    }

    /// Its bytes, compressed as gzip.
    #[must_use]
    pub fn finish_gz(self) -> Vec<u8> {
        super::gzip(&self.finish())
    }
}
