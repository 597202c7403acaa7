//! Programs that a test writes and then starts. It does not know what they do.
//!
//! A file that anybody has open for writing cannot be started ("Text file busy", execve(2)). A test that writes a program
//! itself and closes it is not enough: a process that another thread starts at that moment has a copy of every open file
//! until it becomes its own program. So the writing is left to another process, and this one never has the file open.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::error::{Error, Result, Tried as _};

/// Writes a program that everybody may start, in the place of what was there.
pub fn install(path: &Path, text: impl AsRef<[u8]>) -> Result<()> {
    let mut command = installer();
    command.arg("/dev/stdin").arg(path).stdin(Stdio::piped());
    finish(command, text.as_ref(), || format!("writing the program {}", path.display()))
}

/// Copies programs and what belongs to them into a directory.
pub(crate) fn copy(files: &[PathBuf], dir: &Path) -> Result<()> {
    if files.is_empty() {
        return Ok(());
    }
    let mut command = installer();
    command.arg("-t").arg(dir).args(files).stdin(Stdio::null());
    finish(command, b"", || format!("copying programs to {}", dir.display()))
}

fn installer() -> Command {
    let mut command = Command::new("install");
    command.args(["-m", "755"]);
    command
}

fn finish(mut command: Command, input: &[u8], what: impl Fn() -> String) -> Result<()> {
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().tried(&what)?;
    // Where it ends before it has read, it says why.
    let fed = child.stdin.take().map_or(Ok(()), |mut stdin| stdin.write_all(input));
    let output = child.wait_with_output().tried(&what)?;
    if !output.status.success() {
        return Err(Error::Protocol(format!("{}: {}", what(), String::from_utf8_lossy(&output.stderr))));
    }
    fed.tried(what)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;
    use std::thread;

    #[test]
    fn a_program_can_be_started_at_once_while_other_threads_start_others() {
        let dir = tempfile::tempdir().unwrap();
        thread::scope(|scope| {
            for worker in 0..8 {
                let path = dir.path().join(format!("tool {worker}"));
                scope.spawn(move || {
                    for round in 0..40 {
                        install(&path, format!("#!/bin/sh\necho {worker}.{round}\n")).unwrap();
                        let said = Command::new(&path).output().unwrap();
                        assert_eq!(String::from_utf8_lossy(&said.stdout), format!("{worker}.{round}\n"));
                    }
                });
            }
        });
    }

    #[test]
    fn copies_can_be_started_and_a_place_that_is_none_is_an_error() {
        let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let files = ["a", "b"].map(|name| from.path().join(name));
        files.iter().for_each(|file| fs::write(file, "#!/bin/sh\nexit 7\n").unwrap());
        copy(&files, to.path()).unwrap();
        for name in ["a", "b"] {
            let copied = to.path().join(name);
            assert_eq!(fs::metadata(&copied).unwrap().permissions().mode() & 0o777, 0o755);
            assert_eq!(Command::new(copied).status().unwrap().code(), Some(7));
        }
        copy(&[], Path::new("/nowhere")).unwrap();
        let error = install(Path::new("/nowhere/tool"), vec![b'x'; 1 << 20]).unwrap_err();
        assert!(error.to_string().contains("/nowhere/tool"), "{error}");
    }
}
