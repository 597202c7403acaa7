//! zmmailbox of Zimbra and Carbonio: exports a mailbox to its standard output and imports one from its standard input.
//!
//! It runs on the mail server as the unix user of Zimbra, with an administrator's rights (`-z`), and is reached by
//! [`ssh`](crate::ssh). Its exit code is 0 where the server answered 200, whatever became of single items.

use crate::{
    Ended, Program, Stop,
    ssh::{Destination, Said, Ssh, Unquotable},
};
use std::{path::Path, time::Duration};

/// What is exported: everything, as gzipped tar.
pub const EXPORT: &str = "/?fmt=tgz";
/// What is imported: everything that is not there yet; nothing is replaced or deleted.
pub const IMPORT: &str = "/?fmt=tgz&resolve=skip";

/// What follows an archive that came whole. zmmailbox does not get to see it.
pub const WHOLE: &str = "gatepost: this archive is whole";

/// Where zmmailbox lies when it is in no usual place. As the user of Zimbra, whose home is not the one that was logged in
/// to; in `/`, because that user may not enter the directory that the session began in.
const INNER: &str = "PATH=\"$PATH:/opt/zextras/bin:/opt/zimbra/bin\"; HOME=$(getent passwd \"$(id -u)\" | cut -d: -f6); \
                     export PATH HOME; cd /; ";
/// Becomes the user of Zimbra: root by itself, others by a rule of sudo that asks for no password. Where none is named root
/// becomes the one that there is, and others stay who they are.
const BECOME: &str = "u=$1; shift; \
                      if [ -z \"$u\" ] && [ \"$(id -u)\" = 0 ]; then \
                      for c in zextras zimbra; do if id \"$c\" >/dev/null 2>&1; then u=$c; break; fi; done; fi; \
                      if [ -z \"$u\" ] || [ \"$(id -un)\" = \"$u\" ]; then exec \"$@\"; fi; cd /; \
                      if [ \"$(id -u)\" = 0 ]; then exec runuser -u \"$u\" -- \"$@\"; fi; exec sudo -n -u \"$u\" -- \"$@\"";

/// What is asked of zmmailbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Prints how large the mailbox is: tries everything and changes nothing.
    Look,
    /// Prints the mailbox.
    Export,
    /// Reads a mailbox and adds it.
    Import,
}

/// A call of zmmailbox.
#[derive(Clone, Copy, Debug)]
pub struct Call<'a> {
    /// How machines are reached.
    pub ssh: &'a Ssh,
    /// Where it is.
    pub to: &'a Destination,
    /// The unix user that it is run as; where none is named the one that logs in, or for root zextras or zimbra.
    pub user: Option<&'a str>,
    /// The account.
    pub mailbox: &'a str,
    /// What it is to do.
    pub action: Action,
}

impl Call<'_> {
    /// The program.
    ///
    /// # Errors
    /// [`Unquotable`] where the account's name cannot be handed over.
    pub fn program(&self, work: &Path) -> Result<Program, Unquotable> {
        // No time limit of its own for an answer: a large mailbox takes hours.
        let script = match self.action {
            Action::Look => "exec zmmailbox -z \"$@\" getMailboxSize",
            Action::Export => "exec zmmailbox -z -t 0 \"$@\" getRestURL '/?fmt=tgz'",
            Action::Import => &import(),
        };
        let script = format!("{INNER}{script}");
        // An account whose name begins with a dash would be read as an option.
        let joined = format!("--mailbox={}", self.mailbox);
        let named: &[&str] = if self.mailbox.starts_with('-') { &[&joined] } else { &["-m", self.mailbox] };
        let own = ["sh", "-c", &script, "sh"].into_iter().chain(named.iter().copied());
        let become_user = ["sh", "-c", BECOME, "sh", self.user.unwrap_or_default()];
        let mut program = self.ssh.command(self.to, become_user.into_iter().chain(own), work)?;
        if self.action == Action::Look {
            program.limits.time = Duration::from_secs(120);
        }
        Ok(program)
    }
}

/// Imports what it reads, if [`WHOLE`] follows it.
///
/// A connection that breaks looks from there like the end of the archive: without that word the import, and everything
/// that this session runs, is killed before it learns of the end. It must not go on beside the next attempt. Where zmmailbox
/// ended by itself, `tee` dies of SIGPIPE (141) and there is nothing to kill.
///
/// zmmailbox wants a file. What ssh gives a program to read may be a socket, which cannot be opened by a name, and belongs
/// to the user who logged in: so it gets a pipe of its own.
fn import() -> String {
    let length = WHOLE.len();
    format!(
        "{{ end=$({{ tee /dev/fd/3; [ $? -ne 141 ] || printf %s '{WHOLE}'; }} | tail -c {length}); \
         [ \"$end\" = '{WHOLE}' ] || kill -KILL 0; }} 3>&1 | head -c -{length} | \
         zmmailbox -z -t 0 \"$@\" postRestURL '/?fmt=tgz&resolve=skip' /dev/stdin"
    )
}

/// Why a call did not come to a good end, where it did not: a sentence, and whether it may end well another time.
#[must_use]
pub fn failure(ended: &Ended, said: &Said, call: &Call<'_>) -> Option<(String, bool)> {
    let place = call.to;
    if let Some(trouble) = said.trouble(ended, place, &call.ssh.known_hosts) {
        return Some((trouble.to_string(), trouble.passes()));
    }
    match ended.stopped {
        Some(Stop::Cancelled) => return Some((format!("zmmailbox on {place} was stopped."), true)),
        Some(_) => return Some((format!("zmmailbox on {place} went on for too long and was stopped."), true)),
        None if ended.is_success() => return None,
        None => {}
    }
    let last =
        said.last().map_or_else(|| "it said nothing.".to_owned(), |last| format!("{}.", last.trim_end_matches('.')));
    let has = |text: &str| said.lines().iter().any(|line| line.contains(text));
    let user = call.user.unwrap_or("the user who logs in");
    let mailbox = call.mailbox;
    let sentence = if has("NO_SUCH_ACCOUNT") || has("no such account") {
        format!("{place} has no account {mailbox}. Correct the mailbox's log-in name there.")
    } else if has("zmmailbox: not found") || has("zmmailbox: command not found") {
        format!("There is no zmmailbox on {place}, neither on the PATH nor in /opt/zextras/bin or /opt/zimbra/bin.")
    } else if has("a password is required") || has("sudo:") {
        format!(
            "The user who logs in at {place} may not become {user}: {last} Log in as {user}: put Gatepost's public key \
             into the authorized_keys of that user. No rule of sudo is needed then."
        )
    } else if has("runuser:") {
        format!(
            "There is no unix user {user} on {place}. Set MIGRATION_ZMMAILBOX_USER to zextras (Carbonio) or zimbra."
        )
    } else if has("QUOTA_EXCEEDED") {
        format!("The mailbox {mailbox} on {place} is full (quota). Raise its quota, then start the run again.")
    } else if has("PERM_DENIED") || has("AUTH_FAILED") {
        format!("zmmailbox on {place} may not open {mailbox}: {last}")
    } else {
        format!("zmmailbox on {place} ended with {}: {last}", ended.exit)
    };
    let passes = has("UNKNOWN_HOST") || has("IO_ERROR") || has("PROXY_ERROR") || has("Connection refused");
    Some((sentence, passes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Exit, Line, Stream, ssh::KnownHosts};

    fn ssh() -> Ssh {
        Ssh { program: "ssh".into(), key: "/k".into(), known_hosts: KnownHosts::at("/nowhere".into()) }
    }

    /// What a shell on the other machine makes of a call, with stand-ins for the programs.
    fn told(user: Option<&str>, mailbox: &str, action: Action) -> String {
        told_of(user, mailbox, action, &format!("the archive{WHOLE}"))
    }

    /// The same with what is sent to it.
    fn told_of(user: Option<&str>, mailbox: &str, action: Action, sent: &str) -> String {
        let folder = tempfile::tempdir().expect("a folder");
        let script = |name: &str, text: &str| {
            let path = folder.path().join(name);
            gatepost_testkit::executable::install(&path, format!("#!/bin/sh\n{text}\n")).expect("written");
        };
        let told =
            r#"printf '<%s>' "$@"; for last; do :; done; [ "$last" != /dev/stdin ] || { cat "$last"; printf '|'; }"#;
        script("zmmailbox", told);
        script("runuser", r#"printf 'runuser %s: ' "$2"; shift 3; exec "$@""#);
        script("sudo", r#"printf 'sudo %s: ' "$3"; shift 4; exec "$@""#);
        // A machine without a user of Zimbra.
        script("id", r#"[ "$1" != zextras ] && [ "$1" != zimbra ] && exec /usr/bin/id "$@""#);
        let to: Destination = "root@mail.example".parse().expect("a destination");
        let call = Call { ssh: &ssh(), to: &to, user, mailbox, action };
        let program = call.program(Path::new("/w")).expect("it can be quoted");
        let command = program.arguments.last().expect("a command").clone();
        let path = format!("{}:/usr/bin:/bin", folder.path().display());
        let mut shell = std::process::Command::new("sh");
        shell
            .arg("-c")
            .arg(command)
            .env("PATH", path)
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped());
        // As sshd does: a session of its own.
        std::os::unix::process::CommandExt::process_group(&mut shell, 0);
        let mut child = shell.spawn().expect("a shell");
        // An export does not read.
        let _ = std::io::Write::write_all(&mut child.stdin.take().expect("a pipe"), sent.as_bytes());
        String::from_utf8(child.wait_with_output().expect("it ends").stdout).expect("text")
    }

    #[test]
    fn every_account_name_reaches_zmmailbox_as_it_is() {
        for name in ["ana@example.com", "d'or $(id) `id`; x@example.com", "José \"Zé\" @é", "a b", "$HOME", "\\'"] {
            assert_eq!(told(None, name, Action::Export), format!("<-z><-t><0><-m><{name}><getRestURL><{EXPORT}>"));
        }
        assert_eq!(told(None, "-f", Action::Look), "<-z><--mailbox=-f><getMailboxSize>");
        let to: Destination = "mail.example".parse().expect("a destination");
        let call = Call { ssh: &ssh(), to: &to, user: None, mailbox: "a\nb", action: Action::Export };
        assert!(call.program(Path::new("/w")).is_err());
    }

    #[test]
    fn an_import_reads_what_is_piped_to_it_also_as_another_user() {
        let import = format!("<-z><-t><0><-m><a@b>< postRestURL><{IMPORT}></dev/stdin>the archive|").replace("< ", "<");
        assert_eq!(told(None, "a@b", Action::Import), import);
        let root = std::process::Command::new("id").arg("-u").output().expect("id").stdout == b"0\n";
        let by = if root { "runuser" } else { "sudo" };
        assert_eq!(told(Some("zextras"), "a@b", Action::Import), format!("{by} zextras: {import}"));
    }

    #[test]
    fn an_import_whose_stream_breaks_is_killed_before_it_learns_of_the_end() {
        // Also where the word itself is cut, or something follows it.
        // Less than what a pipe holds: nobody reads the answer meanwhile.
        let large = "x".repeat(40_000);
        for sent in
            ["", "the archive", &format!("the archive{}", &WHOLE[..WHOLE.len() - 1]), &format!("{WHOLE}x"), &large]
        {
            let told = told_of(None, "a@b", Action::Import, sent);
            assert!(!told.ends_with('|'), "{sent:.40}: {told:.200}");
        }
        let whole = told_of(None, "a@b", Action::Import, &format!("{large}{WHOLE}"));
        assert!(whole.ends_with("x|") && whole.contains(&format!(">{large}|")), "{whole:.200}");
    }

    #[test]
    fn a_failure_says_what_to_do() {
        let to: Destination = "mail.example".parse().expect("a destination");
        let call = Call { ssh: &ssh(), to: &to, user: Some("zimbra"), mailbox: "ana@b", action: Action::Export };
        for (exit, words, told) in [
            (2, "ERROR: account.NO_SUCH_ACCOUNT (no such account: ana@b)", "no account ana@b"),
            (127, "sh: 1: exec: zmmailbox: not found", "no zmmailbox"),
            (1, "sudo: a password is required", "authorized_keys of that user"),
            (1, "runuser: user zimbra does not exist", "MIGRATION_ZMMAILBOX_USER"),
            (2, "ERROR: mail.QUOTA_EXCEEDED (mailbox exceeded quota)", "quota"),
            (2, "ERROR: something new", "exit code 2: ERROR: something new"),
            (255, "root@mail.example: Permission denied (publickey).", "authorized_keys"),
        ] {
            let mut said = Said::default();
            said.take(&Line { stream: Stream::Err, text: words.to_owned() });
            let ended = Ended { exit: Exit::Code(exit), stopped: None, left_running: 0 };
            let (sentence, _) = failure(&ended, &said, &call).expect("a failure");
            assert!(sentence.contains(told), "{words}: {sentence}");
        }
        let fine = Ended { exit: Exit::Code(0), stopped: None, left_running: 0 };
        assert_eq!(failure(&fine, &Said::default(), &call), None);
    }
}
