//! Single IMAP commands, for what people do to mailboxes while they move.

use gatepost_testkit::Account;
use std::{
    io::{BufRead, BufReader, Write},
    net::TcpStream,
};

/// A logged-in connection.
pub struct Raw(BufReader<TcpStream>);

impl Raw {
    /// Logs in.
    #[track_caller]
    pub fn log_in(account: &Account) -> Self {
        let stream = TcpStream::connect(("127.0.0.1", account.port)).expect("the server listens");
        let mut raw = Self(BufReader::new(stream));
        raw.line();
        raw.command(&format!("LOGIN \"{}\" \"{}\"", account.user, account.password));
        raw
    }

    /// Opens a folder and does something in it.
    #[track_caller]
    pub fn within(account: &Account, folder: &str, commands: &[&str]) -> String {
        let mut raw = Self::log_in(account);
        let mut answers = raw.command(&format!("SELECT \"{folder}\""));
        for command in commands {
            answers.push_str(&raw.command(command));
        }
        raw.command("LOGOUT");
        answers
    }

    /// A command, which has to succeed; the untagged answers.
    #[track_caller]
    pub fn command(&mut self, command: &str) -> String {
        self.0.get_mut().write_all(format!("x {command}\r\n").as_bytes()).expect("the server listens");
        let mut answers = String::new();
        loop {
            let line = self.line();
            if let Some(status) = line.strip_prefix("x ") {
                assert!(status.starts_with("OK"), "{command}: {status}");
                return answers;
            }
            answers.push_str(&line);
        }
    }

    #[track_caller]
    fn line(&mut self) -> String {
        let mut line = Vec::new();
        self.0.read_until(b'\n', &mut line).expect("the server answers");
        assert!(!line.is_empty(), "the server closed the connection");
        String::from_utf8_lossy(&line).into_owned()
    }
}
