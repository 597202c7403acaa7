//! imapsync: copies the mail of one account to another (imapsync.lamiral.info, versions 2.229 to 2.314).
//!
//! It is called so that it loses as little as it can: by UID, for it skips messages without a Message-Id and further
//! copies of a message otherwise; without its cache, whose loss would double everything; with every folder named and
//! mapped, for its own guesses depend on both servers. Which messages it is to copy is decided by what it is shown: its
//! caller gives it addresses on this machine behind which only those are found. It verifies no certificate by itself and
//! is given no password but a word for such an address.
//!
//! An exit code of 0 means less than it says: it loses a folder loop with a lost connection, and reads nothing again.

mod codes;
mod map;
mod report;
mod version;

pub use codes::{Failure, failure};
pub use report::{Complaint, Moved, Report, Sizes, Statistics, Trouble};
pub use version::{is_known, missing_module};

use crate::{Limits, Program};
use std::{
    ffi::OsString,
    fs::{self, OpenOptions},
    io::{self, Write as _},
    net::SocketAddr,
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    time::Duration,
};

/// After how many messages that fail it gives up.
const ERRORS: u32 = 100;
/// A message is in its memory several times.
const MEMORY: u64 = 4 << 30;
const PIDFILE: &str = "imapsync.pid";

/// An account as imapsync reaches it.
#[derive(Clone, Copy, Debug)]
pub struct Side<'a> {
    /// Where it connects, without TLS.
    pub server: SocketAddr,
    /// Who logs in.
    pub user: &'a str,
}

/// What imapsync is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Task {
    /// Log in on both sides.
    Login,
    /// Log in and tell how large the folders are.
    Sizes,
    /// Copy.
    Copy,
}

/// A call of imapsync.
#[derive(Clone, Copy, Debug)]
pub struct Call<'a> {
    /// Where it is.
    pub imapsync: &'a Path,
    /// What it is to do.
    pub task: Task,
    /// The account that is read.
    pub source: Side<'a>,
    /// The account that is written to.
    pub dest: Side<'a>,
    /// Each folder and where it goes, as the servers write their names.
    pub folders: &'a [(String, String)],
    /// Messages in a second, on the average of the run.
    pub messages_per_second: Option<f64>,
}

impl Call<'_> {
    /// The program, with what it needs written into its directory: the words are in files that only this user can read.
    ///
    /// # Errors
    /// When they cannot be written.
    pub fn program(&self, words: [&str; 2], work: &Path) -> io::Result<Program> {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(work)?;
        // What an earlier call left there: the cache of a killed run must not be believed.
        let temporary = work.join("imapsync");
        match fs::remove_dir_all(&temporary) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => fs::DirBuilder::new().mode(0o700).create(&temporary)?,
        }
        // Whoever works here has the directory for itself. An imapsync that was killed leaves the number of its process,
        // which is another's by now, after a restart above all, and would keep this one from its work.
        forget_process(work)?;
        let files = ["source.word", "dest.word"].map(|name| work.join(name));
        for (file, word) in files.iter().zip(words) {
            write_private(file, word)?;
        }
        let mut arguments: Vec<OsString> = Vec::new();
        for (n, side, file) in [(1, self.source, &files[0]), (2, self.dest, &files[1])] {
            for (option, value) in [
                ("host", side.server.ip().to_string().into()),
                ("port", side.server.port().to_string().into()),
                ("user", OsString::from(side.user)),
                ("passfile", file.into()),
            ] {
                arguments.extend([format!("--{option}{n}").into(), value]);
            }
            // The address is on this machine, and TLS begins behind it.
            arguments.extend([format!("--nossl{n}").into(), format!("--notls{n}").into()]);
        }
        let mut option = |option: &str, value: OsString| arguments.extend([option.into(), value]);
        option("--tmpdir", temporary.into());
        option("--pidfile", work.join(PIDFILE).into());
        option("--errorsmax", ERRORS.to_string().into());
        // An APPEND that was said once more after a reconnection could store a message twice.
        option("--reconnectretry2", "0".into());
        if let Some(messages) = self.messages_per_second {
            option("--maxmessagespersecond", format!("{messages:.3}").into());
        }
        arguments.extend(map::options(self.folders));
        arguments.extend(
            [
                "--pidfilelocking",
                "--nolog",
                "--noreleasecheck",
                "--nomodulesversion",
                "--nodockercontext",
                "--noid",
                "--noautomap",
                "--nosubscribe",
                // A search finds fewer messages than the folder has: what has arrived is not shown. Without this it would
                // take the search for broken and copy everything once more.
                "--nochecknoabletosearch",
                "--syncinternaldates",
                // By UID, so that no message is too much like another one, or has too few headers, to be copied.
                "--useuid",
                // Flags of what has arrived before are brought up to date by us.
                "--noresyncflags",
            ]
            .map(OsString::from),
        );
        match self.task {
            Task::Login => arguments.push("--justlogin".into()),
            Task::Sizes => arguments.push("--justfoldersizes".into()),
            Task::Copy => arguments.extend(["--nofoldersizes".into(), "--nofoldersizesatend".into()]),
        }
        let (time, silence) = match self.task {
            Task::Login | Task::Sizes => (Duration::from_secs(15 * 60), Duration::from_secs(5 * 60)),
            Task::Copy => (Duration::from_secs(24 * 60 * 60), Duration::from_secs(60 * 60)),
        };
        Ok(Program {
            environment: vec![("LC_ALL".to_owned(), "C".into())],
            limits: Limits {
                time,
                silence: Some(silence),
                output: 4 << 30,
                memory: Some(MEMORY),
                file: Some(MEMORY),
                log: 64 << 20,
            },
            ..Program::new(self.imapsync, arguments, work)
        })
    }
}

/// Asks a running imapsync to end between two messages, as `--abortbyfile` would; it prints its figures then. False where
/// it does not run, or not yet.
pub fn ask_to_end(work: &Path) -> bool {
    let pidfile = work.join(PIDFILE);
    let Ok(text) = fs::read_to_string(&pidfile) else { return false };
    let pid = text.lines().next().map(str::trim).filter(|pid| pid.parse::<u32>().is_ok());
    pid.is_some_and(|pid| write_private(&PathBuf::from(format!("{}abort{pid}", pidfile.display())), "").is_ok())
}

/// Removes the file with the process's number, and those that ask processes to end.
fn forget_process(work: &Path) -> io::Result<()> {
    for entry in fs::read_dir(work)? {
        let entry = entry?;
        if entry.file_name().to_str().and_then(|name| name.strip_prefix(PIDFILE)).is_some_and(is_of_process) {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

fn is_of_process(rest: &str) -> bool {
    rest.is_empty() || rest.starts_with("abort")
}

fn write_private(path: &Path, word: &str) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    writeln!(file, "{word}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    fn call<'a>(folders: &'a [(String, String)]) -> Call<'a> {
        let side = |port, user| Side { server: ([127, 0, 0, 1], port).into(), user };
        Call {
            imapsync: Path::new("/opt/imapsync"),
            task: Task::Copy,
            source: side(4143, "ana@old.example"),
            dest: side(4144, "ana@new.example"),
            folders,
            messages_per_second: Some(2.5),
        }
    }

    #[test]
    fn no_word_is_on_its_command_line_and_its_files_are_private() {
        let work = tempfile::tempdir().expect("a folder");
        let program = call(&[]).program(["open sesame", "close sesame"], work.path()).expect("written");
        assert!(program.arguments.iter().all(|a| !a.to_string_lossy().contains("sesame")), "{program:?}");
        for (name, word) in [("source.word", "open sesame\n"), ("dest.word", "close sesame\n")] {
            let path = work.path().join(name);
            assert_eq!(fs::read_to_string(&path).expect("text"), word);
            assert_eq!(fs::metadata(&path).expect("there").permissions().mode() & 0o777, 0o600);
        }
    }

    #[test]
    fn every_folder_is_named_and_mapped_and_nothing_is_left_to_its_guesses() {
        let folders = [("Enviados", "Sent"), ("a=b", "a=b"), ("Notas ", "Notas "), ("x", "y=z")]
            .map(|(from, to)| (from.to_owned(), to.to_owned()));
        let work = tempfile::tempdir().expect("a folder");
        let program = call(&folders).program(["", ""], work.path()).expect("written");
        let arguments: Vec<String> = program.arguments.iter().map(|a| a.to_string_lossy().into_owned()).collect();
        let of = |option: &str| -> Vec<&str> {
            let values = arguments.windows(2).filter(|pair| pair[0] == option);
            values.map(|pair| pair[1].as_str()).collect()
        };
        assert_eq!(of("--folder"), ["Enviados", "a=b", "Notas ", "x"]);
        assert_eq!((of("--f1f2").len(), of("--regextrans2").len()), (3, 2), "a rule, and one that ends the rules");
        assert_eq!((of("--reconnectretry2"), of("--maxmessagespersecond")), (vec!["0"], vec!["2.500"]));
        assert!(!arguments.iter().any(|a| a == "--automap" || a.starts_with("--delete")), "{arguments:?}");
    }

    #[test]
    fn what_an_earlier_call_left_in_its_cache_is_gone() {
        let work = tempfile::tempdir().expect("a folder");
        let cache = work.path().join("imapsync/imapsync_cache/127.0.0.1");
        fs::create_dir_all(&cache).expect("made");
        call(&[]).program(["", ""], work.path()).expect("written");
        assert!(!cache.exists());
    }

    #[test]
    fn the_number_of_a_process_that_was_killed_keeps_no_other_from_its_work() {
        let work = tempfile::tempdir().expect("a folder");
        let left = ["imapsync.pid", "imapsync.pidabort4711"].map(|name| work.path().join(name));
        for path in &left {
            fs::write(path, "1\n").expect("written");
        }
        call(&[]).program(["", ""], work.path()).expect("written");
        assert!(left.iter().all(|path| !path.exists()));
    }

    #[test]
    fn it_is_asked_to_end_by_a_file_named_after_its_process() {
        let work = tempfile::tempdir().expect("a folder");
        assert!(!ask_to_end(work.path()));
        fs::write(work.path().join(PIDFILE), "../../x\n").expect("written");
        assert!(!ask_to_end(work.path()), "that is no process");
        fs::write(work.path().join(PIDFILE), "4711\nlogfile\n").expect("written");
        assert!(ask_to_end(work.path()));
        assert!(work.path().join("imapsync.pidabort4711").exists());
    }
}
