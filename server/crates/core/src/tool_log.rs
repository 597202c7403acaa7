//! The whole log of the external program of a run, as it was kept: compressed, and in pieces where the program was
//! called several times.

use crate::{Actor, Error, Gatepost, Result, logs};
use gatepost_contract::RunId;
use gatepost_store::runs;
use std::{fs::File, io, path::PathBuf};

/// A program's log: gzip members, which follow each other in one file as well as in several.
#[derive(Debug)]
pub struct ToolLog {
    /// The pieces, in their order.
    pub pieces: Vec<File>,
    /// What a download of it is called.
    pub name: String,
}

impl Gatepost {
    /// The log of a run's external program. Subjects and addresses may stand in it: it is for staff.
    pub async fn tool_log(&self, actor: &Actor, id: RunId) -> Result<ToolLog> {
        actor.manage()?;
        let run = runs::get(&mut *self.store().reader().await?, id).await?.ok_or(Error::NotFound("run"))?;
        logs::still_there(&run)?;
        let paths = self.tool_log_paths(id).map_err(Error::internal)?;
        if paths.is_empty() {
            return Err(Error::NotFound("log of an external program"));
        }
        let pieces = paths.iter().map(File::open).collect::<io::Result<_>>().map_err(Error::internal)?;
        Ok(ToolLog { pieces, name: format!("run-{id}-{}.log.gz", run.tool) })
    }

    /// Whether an external program has left a log of a run.
    pub async fn has_tool_log(&self, actor: &Actor, id: RunId) -> Result<bool> {
        if actor.manage().is_err() {
            return Ok(false);
        }
        Ok(!self.tool_log_paths(id).map_err(Error::internal)?.is_empty())
    }

    /// `run-7-imapsync.gz`, then `run-7-imapsync.1.gz`, …
    fn tool_log_paths(&self, id: RunId) -> io::Result<Vec<PathBuf>> {
        let beginning = format!("run-{id}-");
        let entries = match self.config().data_path.join("logs").read_dir() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            other => other?,
        };
        let mut pieces: Vec<(String, u64, PathBuf)> = Vec::new();
        for entry in entries {
            let path = entry?.path();
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            let Some(stem) = name.strip_prefix(&beginning).and_then(|rest| rest.strip_suffix(".gz")) else { continue };
            let numbered =
                stem.rsplit_once('.').and_then(|(tool, number)| Some((tool.to_owned(), number.parse().ok()?)));
            let (tool, number) = numbered.unwrap_or_else(|| (stem.to_owned(), 0));
            pieces.push((tool, number, path));
        }
        pieces.sort();
        Ok(pieces.into_iter().map(|(.., path)| path).collect())
    }
}
