//! doveadm: Dovecot's own tool, which pulls mail into the Dovecot whose configuration it is given.
//!
//! What its commands do was measured on two Dovecots of version 2.3.19, by imapc and by dsync over SSH:
//!
//! | command | keeps UIDs | what it takes away at the destination |
//! |---|---|---|
//! | `backup -R` | yes | everything that the source does not have |
//! | `sync -1 -R` | yes | messages that were deleted at the source, and over SSH whole folders that were deleted there |
//! | `copy` | no | nothing |
//!
//! At the destination nothing may ever be deleted. So `sync -1` is only used for single folders that are empty there, and
//! only while nobody delivers there yet: then it can take nothing away and keeps what clients remember, UIDs and
//! UIDVALIDITY. Everything else is done by `copy`, which is told the UIDs that have not arrived, for it does not look for
//! what is there already.
//!
//! Nothing here knows how the source is reached, or which messages are pending.

mod said;

pub use said::{End, Report, status};

use crate::{Limits, Program};
use std::{
    ffi::OsString,
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

/// How much memory it may have. It maps Dovecot's indexes, and holds one message at a time.
const MEMORY: u64 = 4 << 30;
/// The namespace in which the source is seen while `copy` works.
const SOURCE: &str = "gatepost-source";

/// The source as an IMAP server on this machine.
#[derive(Clone, Copy)]
pub struct Imapc<'a> {
    /// Where it listens, without TLS.
    pub server: SocketAddr,
    /// The password that it takes from anybody.
    pub word: &'a str,
    /// What stands between the levels of a folder's name there.
    pub separator: char,
}

impl Imapc<'_> {
    /// Settings beside those of the destination's Dovecot, which are included. The file is to be readable by its owner
    /// alone. With a namespace for [`Doveadm::copy`], without one for [`Doveadm::fill`], which would take it for a part
    /// of the mailbox.
    #[must_use]
    pub fn settings(&self, include: &Path, namespace: bool) -> String {
        let (server, word, separator) = (self.server, self.word, self.separator);
        let mut text = format!(
            "!include {}\n\
             imapc_host = {}\nimapc_port = {}\nimapc_ssl = no\nimapc_user = gatepost\nimapc_password = {word}\n\
             imapc_features = rfc822.size fetch-headers\nmail_prefetch_count = 20\n",
            include.display(),
            server.ip(),
            server.port(),
        );
        if namespace {
            text.push_str(&format!(
                "namespace {SOURCE} {{\n  prefix = {SOURCE}{separator}\n  separator = {separator}\n  type = private\n  \
                 location = imapc:\n  inbox = no\n  list = no\n  hidden = yes\n  subscriptions = no\n}}\n"
            ));
        }
        text
    }

    /// How a folder of the source is called in that namespace.
    #[must_use]
    pub fn name(&self, folder: &str) -> String {
        format!("{SOURCE}{}{folder}", self.separator)
    }
}

/// What stands between the levels of folders' names, from their names and their levels: what stands in those of nested
/// folders, else what stands in none.
#[must_use]
pub fn separator<'a>(folders: impl IntoIterator<Item = (&'a str, &'a [String])> + Clone) -> char {
    const KNOWN: [char; 6] = ['/', '.', '\\', '^', '|', ':'];
    let nested = folders.clone().into_iter().find_map(|(native, levels)| match levels {
        [.., above, last] => KNOWN.into_iter().find(|sep| native.ends_with(&format!("{above}{sep}{last}"))),
        _ => None,
    });
    nested
        .or_else(|| KNOWN.into_iter().find(|sep| folders.clone().into_iter().all(|(native, _)| !native.contains(*sep))))
        .unwrap_or('/')
}

/// Why doveadm cannot be asked for something by its command line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unsayable {
    /// doveadm takes `*` and `?` in a user's name for any characters: it would work on several mailboxes.
    #[error("doveadm would take the user {0:?} for a pattern that means several mailboxes. Choose the tool native.")]
    User(String),
    /// The same with a folder's name, where it looks for messages.
    #[error("doveadm takes the name of the folder {0:?} for a pattern. Choose the tool native for this mailbox.")]
    Folder(String),
}

/// A user's name as doveadm takes it.
///
/// # Errors
/// [`Unsayable::User`].
pub fn user(name: &str) -> Result<&str, Unsayable> {
    let odd = name.is_empty() || name.starts_with('-') || name.contains(['*', '?']) || name.contains(char::is_control);
    if odd { Err(Unsayable::User(name.to_owned())) } else { Ok(name) }
}

/// Whether messages can be looked for in a folder of this name, and only there.
///
/// # Errors
/// [`Unsayable::Folder`].
pub fn folder(name: &str) -> Result<&str, Unsayable> {
    if name.contains(['*', '%', '?']) { Err(Unsayable::Folder(name.to_owned())) } else { Ok(name) }
}

/// doveadm for one user of the destination.
#[derive(Clone, Copy, Debug)]
pub struct Doveadm<'a> {
    /// The program.
    pub program: &'a Path,
    /// The file of settings: see [`Imapc::settings`].
    pub settings: &'a Path,
    /// Whose mail: see [`user`].
    pub user: &'a str,
    /// The working directory.
    pub work: &'a Path,
}

/// Where `sync` takes mail from.
#[derive(Clone, Debug)]
pub enum From {
    /// The IMAP server of the settings.
    Imapc,
    /// A command that runs `doveadm dsync-server` at the source: ssh with its arguments.
    Command(PathBuf, Vec<OsString>),
}

impl Doveadm<'_> {
    /// How many messages a folder holds, and its next UID: see [`status`].
    #[must_use]
    pub fn status(&self, folder: &str) -> Program {
        self.program(["-f", "tab", "mailbox", "status", "-u", self.user, "messages uidnext uidvalidity", "--", folder])
    }

    /// Appends some messages of the source's folder to a folder of the user, with their flags and dates.
    #[must_use]
    pub fn copy(&self, source: &str, uids: &[(u32, u32)], dest: &str) -> Program {
        let set: Vec<String> =
            uids.iter().map(|(a, b)| if a == b { a.to_string() } else { format!("{a}:{b}") }).collect();
        self.program(["copy", "-u", self.user, "--", dest, "mailbox", source, "uid", &set.join(",")])
    }

    /// Fills a folder that is empty with the source's folder of the same name, with its UIDs.
    #[must_use]
    pub fn fill(&self, folder: &str, from: &From) -> Program {
        let silence = Self::SILENCE.as_secs().to_string();
        let mut program = self.program(["sync", "-1", "-R", "-T", &silence, "-u", self.user, "-m", folder, "--"]);
        match from {
            From::Imapc => program.arguments.push("imapc:".into()),
            From::Command(command, arguments) => {
                program.arguments.push(command.into());
                program.arguments.extend(arguments.iter().cloned());
            }
        }
        program
    }

    /// How long doveadm may wait for the other side.
    pub const SILENCE: Duration = Duration::from_secs(10 * 60);

    fn program<'s>(&self, arguments: impl IntoIterator<Item = &'s str>) -> Program {
        let all =
            [OsString::from("-c"), self.settings.into()].into_iter().chain(arguments.into_iter().map(OsString::from));
        Program {
            limits: Limits {
                // It says nothing while it works; a folder of several hundred gigabytes takes its time.
                silence: None,
                output: 64 << 20,
                memory: Some(MEMORY),
                log: 16 << 20,
                ..Limits::default()
            },
            ..Program::new(self.program, all, self.work)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arguments(program: &Program) -> Vec<String> {
        program.arguments.iter().map(|a| a.to_string_lossy().into_owned()).collect()
    }

    fn doveadm() -> Doveadm<'static> {
        Doveadm {
            program: Path::new("/usr/bin/doveadm"),
            settings: Path::new("/w/copy.conf"),
            user: "ana@example.com",
            work: Path::new("/w"),
        }
    }

    #[test]
    fn the_password_is_in_the_settings_and_on_no_command_line() {
        let imapc = Imapc { server: ([127, 0, 0, 1], 4143).into(), word: "open-sesame", separator: '.' };
        let settings = imapc.settings(Path::new("/etc/dovecot/dovecot.conf"), true);
        assert!(settings.starts_with("!include /etc/dovecot/dovecot.conf\n"), "{settings}");
        assert!(
            settings.contains("imapc_password = open-sesame\n") && settings.contains("separator = ."),
            "{settings}"
        );
        assert!(!imapc.settings(Path::new("/x"), false).contains("namespace"));
        for program in [doveadm().copy("gatepost-source.Sent", &[(1, 2)], "Sent"), doveadm().fill("Sent", &From::Imapc)]
        {
            assert!(arguments(&program).iter().all(|a| !a.contains("sesame")), "{program:?}");
        }
    }

    #[test]
    fn folders_whose_names_look_like_options_stand_behind_the_options() {
        let copy = arguments(&doveadm().copy("gatepost-source/-x", &[(1, 3), (7, 7)], "-x"));
        assert_eq!(
            copy[2..],
            ["copy", "-u", "ana@example.com", "--", "-x", "mailbox", "gatepost-source/-x", "uid", "1:3,7"]
        );
        assert_eq!(arguments(&doveadm().status("-x")).last().map(String::as_str), Some("-x"));
    }

    #[test]
    fn every_call_has_bounds_in_memory_output_and_time() {
        let calls =
            [doveadm().status("INBOX"), doveadm().copy("x", &[(1, 2)], "y"), doveadm().fill("Sent", &From::Imapc)];
        for call in calls {
            assert_eq!((call.limits.memory, call.limits.output), (Some(MEMORY), 64 << 20), "{call:?}");
            assert_eq!(call.limits.time, Duration::from_secs(24 * 60 * 60), "{call:?}");
        }
    }

    #[test]
    fn a_remote_dsync_is_handed_over_as_it_is() {
        let ssh = From::Command("/usr/bin/ssh".into(), vec!["-p".into(), "2222".into(), "doveadm dsync-server".into()]);
        let fill = arguments(&doveadm().fill("Sent", &ssh));
        assert_eq!(fill[fill.len() - 5..], ["--", "/usr/bin/ssh", "-p", "2222", "doveadm dsync-server"]);
    }

    #[test]
    fn names_that_doveadm_takes_for_patterns_are_refused() {
        for name in ["*@example.com", "ana?@example.com", "-A", "", "a\nb"] {
            assert!(user(name).is_err(), "{name:?}");
        }
        assert!(user("d'or+x@example.com").is_ok());
        for name in ["100%", "*", "what?"] {
            assert!(folder(name).is_err(), "{name:?}");
        }
        assert!(folder("Olá & (x) \"y\"").is_ok());
    }

    #[test]
    fn the_separator_is_read_from_nested_folders_or_stands_in_no_name() {
        let of = |folders: &[(&str, &[&str])]| {
            let owned: Vec<(String, Vec<String>)> =
                folders.iter().map(|(n, l)| ((*n).to_owned(), l.iter().map(|l| (*l).to_owned()).collect())).collect();
            separator(owned.iter().map(|(n, l)| (n.as_str(), l.as_slice())).collect::<Vec<_>>())
        };
        assert_eq!(of(&[("INBOX", &["INBOX"]), ("INBOX.Work.2024", &["Work", "2024"])]), '.');
        assert_eq!(of(&[("a.b/c", &["a.b", "c"])]), '/');
        assert_eq!(of(&[("a/b", &["a/b"]), ("c", &["c"])]), '.');
        assert_eq!(of(&[]), '/');
    }
}
