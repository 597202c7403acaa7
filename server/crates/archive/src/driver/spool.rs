//! A message on its way out: in memory where it is small, else in a file that nobody else sees.

use bytes::Bytes;
use gatepost_transfer::{Digester, Digests};
use std::{
    fs::File,
    io::{self, Read, Seek, Write},
    path::{Path, PathBuf},
};
use tokio_util::sync::CancellationToken;

/// Up to here a message is held in memory.
const SMALL: usize = 1 << 20;
/// How much of it is handed on at once.
pub(super) const PIECE: usize = 64 << 10;

/// Takes a message and its digests, and gives it again.
pub(super) struct Spool {
    small: Vec<u8>,
    large: Option<File>,
    work: PathBuf,
    digester: Option<Box<Digester>>,
    digests: Option<Digests>,
    cancel: CancellationToken,
}

impl Spool {
    /// For about so many bytes.
    pub fn new(work: &Path, size: u64, cancel: &CancellationToken) -> Self {
        let room = usize::try_from(size).unwrap_or(SMALL).min(SMALL);
        Self {
            small: Vec::with_capacity(room),
            large: None,
            work: work.to_owned(),
            digester: Some(Box::default()),
            digests: None,
            cancel: cancel.clone(),
        }
    }

    /// The digests of what came; nothing more may come.
    pub fn digests(&mut self) -> Digests {
        let digester = &mut self.digester;
        *self.digests.get_or_insert_with(|| (*digester.take().unwrap_or_default()).finish())
    }

    /// Gives it in pieces until `take` answers false; says whether all was taken.
    pub fn give(self, mut take: impl FnMut(Bytes) -> bool) -> io::Result<bool> {
        if let Some(mut file) = self.large {
            file.rewind()?;
            loop {
                let mut piece = Vec::with_capacity(PIECE);
                (&mut file).take(PIECE as u64).read_to_end(&mut piece)?;
                if piece.is_empty() {
                    return Ok(true);
                }
                if !take(piece.into()) {
                    return Ok(false);
                }
            }
        }
        let mut rest = Bytes::from(self.small);
        while !rest.is_empty() {
            let piece = rest.split_to(rest.len().min(PIECE));
            if !take(piece) {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

impl Write for Spool {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.cancel.is_cancelled() {
            return Err(io::Error::other("the reading was stopped"));
        }
        if let Some(digester) = &mut self.digester {
            digester.update(bytes);
        }
        if self.large.is_none() && self.small.len() + bytes.len() > SMALL {
            let mut file = tempfile::tempfile_in(&self.work)?;
            file.write_all(&self.small)?;
            self.small = Vec::new();
            self.large = Some(file);
        }
        match &mut self.large {
            Some(file) => file.write_all(bytes)?,
            None => self.small.extend_from_slice(bytes),
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
