//! A small raw IMAP client over plain TCP, for filling and reading test servers. Blocking, so that it works alike in
//! sync and async tests. It knows no TLS (test servers listen on loopback) and shares no code with gatepost-imap.

use std::fmt;
use std::io::{BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use crate::error::{Error, Result, Tried as _};
use crate::wire::{self, Value, mutf7_decode, mutf7_encode, parse_values, quote, read_line};

/// How long a test server may be silent before the client gives up.
const PATIENCE: Duration = Duration::from_secs(120);

/// Where an account is and how to log in to it.
#[derive(Clone)]
pub struct Account {
    /// Port of plain IMAP on 127.0.0.1.
    pub port: u16,
    /// Log-in name.
    pub user: String,
    /// Password. Not shown by `Debug`.
    pub password: String,
}

impl Account {
    /// An account on a server of this machine.
    #[must_use]
    pub fn new(port: u16, user: impl Into<String>, password: impl Into<String>) -> Account {
        Account { port, user: user.into(), password: password.into() }
    }
}

impl fmt::Debug for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Account").field("port", &self.port).field("user", &self.user).finish_non_exhaustive()
    }
}

/// A folder as LIST shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// The name on the server, decoded from modified UTF-7, with the server's prefix and separator.
    pub name: String,
    /// The name as the server wrote it, for use in commands.
    pub encoded: String,
    /// `\NoSelect`, `\Sent`, … as the server wrote them.
    pub attributes: Vec<String>,
    /// The path that does not depend on the server: without the personal namespace's prefix, levels joined by `/`.
    pub path: String,
}

impl Listed {
    /// Whether the folder can hold messages.
    #[must_use]
    pub fn selectable(&self) -> bool {
        !self.attributes.iter().any(|attribute| {
            attribute.eq_ignore_ascii_case("\\NoSelect") || attribute.eq_ignore_ascii_case("\\NonExistent")
        })
    }
}

/// A logged-in connection.
#[derive(Debug)]
pub struct RawClient {
    reader: BufReader<TcpStream>,
    writer: TcpStream,
    capabilities: Vec<String>,
    prefix: String,
    separator: Option<char>,
    last_tag: u32,
}

impl RawClient {
    /// Connects, logs in, and reads the capabilities and the personal namespace.
    pub fn log_in(account: &Account) -> Result<RawClient> {
        let port = account.port;
        let writer = TcpStream::connect(("127.0.0.1", port)).tried(|| format!("connecting to port {port}"))?;
        writer.set_nodelay(true).tried(|| "setting TCP_NODELAY".to_owned())?;
        writer.set_read_timeout(Some(PATIENCE)).tried(|| "setting a read timeout".to_owned())?;
        writer.set_write_timeout(Some(PATIENCE)).tried(|| "setting a write timeout".to_owned())?;
        let reader =
            BufReader::with_capacity(256 * 1024, writer.try_clone().tried(|| "sharing the connection".to_owned())?);
        let mut client =
            RawClient { reader, writer, capabilities: Vec::new(), prefix: String::new(), separator: None, last_tag: 0 };
        let greeting = client.read_values()?;
        if !greeting.get(1).is_some_and(|status| status.bytes().eq_ignore_ascii_case(b"OK")) {
            return Err(Error::Protocol(format!("greeting {greeting:?}")));
        }
        let login = format!("LOGIN {} {}", quote(&account.user), quote(&account.password));
        client.command_named(&format!("LOGIN {}", account.user), &login)?;
        for line in client.command("CAPABILITY")? {
            if line.get(1).is_some_and(|word| word.bytes().eq_ignore_ascii_case(b"CAPABILITY")) {
                client.capabilities = line[2..].iter().map(|word| word.text().to_ascii_uppercase()).collect();
            }
        }
        client.read_namespace()?;
        Ok(client)
    }

    /// Whether the server announces an extension.
    #[must_use]
    pub fn has(&self, capability: &str) -> bool {
        self.capabilities.iter().any(|known| known.eq_ignore_ascii_case(capability))
    }

    /// The hierarchy separator of the personal namespace; `None` on a flat server.
    #[must_use]
    pub fn separator(&self) -> Option<char> {
        self.separator
    }

    /// The name, in modified UTF-7 and without quotes, of the folder at a path with `/` between the levels.
    #[must_use]
    pub fn encoded_name(&self, path: &str) -> String {
        if path.eq_ignore_ascii_case("INBOX") {
            return "INBOX".to_owned();
        }
        let local = match self.separator {
            Some(separator) if separator != '/' => path.replace('/', &separator.to_string()),
            _ => path.to_owned(),
        };
        mutf7_encode(&format!("{}{local}", self.prefix))
    }

    fn read_namespace(&mut self) -> Result<()> {
        let lines = if self.has("NAMESPACE") { self.command("NAMESPACE")? } else { Vec::new() };
        let personal = lines
            .iter()
            .find(|line| line.get(1).is_some_and(|word| word.bytes().eq_ignore_ascii_case(b"NAMESPACE")))
            .and_then(|line| line.get(2)?.list().first().cloned());
        if let Some(personal) = personal {
            let [prefix, separator, ..] = personal.list() else {
                return Err(Error::Protocol(format!("namespace {personal:?}")));
            };
            self.prefix = mutf7_decode(&prefix.text()).unwrap_or_else(|| prefix.text());
            self.separator = (!separator.is_nil()).then(|| separator.text().chars().next()).flatten();
        } else {
            // LIST with an empty pattern answers the separator alone (RFC 9051 section 6.3.9).
            let lines = self.command("LIST \"\" \"\"")?;
            let root = lines.iter().find(|line| line.len() >= 5);
            self.separator = root.filter(|line| !line[3].is_nil()).and_then(|line| line[3].text().chars().next());
        }
        Ok(())
    }

    /// All folders of the account, in the server's order.
    pub fn list(&mut self) -> Result<Vec<Listed>> {
        let special_use = self.has("SPECIAL-USE") && self.has("LIST-EXTENDED");
        let command = if special_use { "LIST \"\" \"*\" RETURN (SPECIAL-USE)" } else { "LIST \"\" \"*\"" };
        let mut folders = Vec::new();
        for line in self.command(command)? {
            if line.len() < 5 || !line[1].bytes().eq_ignore_ascii_case(b"LIST") {
                continue;
            }
            let encoded = line[4].text();
            let name = mutf7_decode(&encoded).unwrap_or_else(|| encoded.clone());
            let separator = if line[3].is_nil() { None } else { line[3].text().chars().next() };
            folders.push(Listed {
                path: self.path_of(&name, separator),
                name,
                encoded,
                attributes: line[2].list().iter().map(Value::text).collect(),
            });
        }
        Ok(folders)
    }

    fn path_of(&self, name: &str, separator: Option<char>) -> String {
        if name.eq_ignore_ascii_case("INBOX") {
            return "INBOX".to_owned();
        }
        let local = name.strip_prefix(self.prefix.as_str()).unwrap_or(name);
        match separator {
            Some(separator) if separator != '/' => local.replace(separator, "/"),
            _ => local.to_owned(),
        }
    }

    /// Sends a command and collects the untagged answers. NO, BAD and BYE are errors.
    pub(crate) fn command(&mut self, command: &str) -> Result<Vec<Vec<Value>>> {
        self.command_named(command, command)
    }

    fn command_named(&mut self, name: &str, command: &str) -> Result<Vec<Vec<Value>>> {
        let mut lines = Vec::new();
        self.command_each(name, command, |line| {
            lines.push(line);
            Ok(())
        })?;
        Ok(lines)
    }

    /// Sends a command and hands each untagged answer on as it comes.
    pub(crate) fn command_each(
        &mut self,
        name: &str,
        command: &str,
        each: impl FnMut(Vec<Value>) -> Result<()>,
    ) -> Result<()> {
        let tag = self.next_tag();
        self.write(format!("{tag} {command}\r\n").as_bytes())?;
        self.finish(&tag, name, each)
    }

    pub(crate) fn next_tag(&mut self) -> String {
        self.last_tag += 1;
        format!("t{}", self.last_tag)
    }

    pub(crate) fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.writer.write_all(bytes).tried(|| "writing to the server".to_owned())
    }

    /// Waits for `+`; the server's refusal is an error.
    pub(crate) fn wait_for_go_ahead(&mut self, name: &str) -> Result<()> {
        loop {
            let line = self.read_values()?;
            match line.first().map(Value::bytes) {
                Some(b"+") => return Ok(()),
                Some(b"*") => {}
                _ => return Err(refused(name, &line)),
            }
        }
    }

    /// Reads up to the tagged answer.
    pub(crate) fn finish(
        &mut self,
        tag: &str,
        name: &str,
        mut each: impl FnMut(Vec<Value>) -> Result<()>,
    ) -> Result<()> {
        loop {
            let line = self.read_values()?;
            let first = line.first().map(Value::bytes).unwrap_or_default();
            if first == b"*" {
                if line.get(1).is_some_and(|word| word.bytes().eq_ignore_ascii_case(b"BYE")) && name != "LOGOUT" {
                    return Err(refused(name, &line));
                }
                each(line)?;
            } else if first == tag.as_bytes() {
                return match line.get(1) {
                    Some(status) if status.bytes().eq_ignore_ascii_case(b"OK") => Ok(()),
                    _ => Err(refused(name, &line)),
                };
            }
        }
    }

    fn read_values(&mut self) -> Result<Vec<Value>> {
        let segments = read_line(&mut self.reader, || Ok(()))
            .tried(|| "reading from the server".to_owned())?
            .ok_or_else(|| Error::Protocol("the connection ended".to_owned()))?;
        // The text of a status answer is free and need not be well-formed: take its words.
        if let [wire::Segment::Text(text)] = segments.as_slice() {
            let words: Vec<&[u8]> = text.splitn(3, |&byte| byte == b' ').collect();
            let is_status = words.first() == Some(&b"+".as_slice())
                || words.get(1).is_some_and(|word| {
                    [b"OK".as_slice(), b"NO", b"BAD", b"BYE", b"PREAUTH"]
                        .iter()
                        .any(|status| word.eq_ignore_ascii_case(status))
                });
            if is_status {
                return Ok(words.into_iter().map(|word| Value::Atom(word.to_vec())).collect());
            }
        }
        let shown = format!("{:?}", segments.first()).chars().take(200).collect::<String>();
        parse_values(segments).ok_or(Error::Protocol(shown))
    }

    /// Says good-bye and waits until the server has closed, so that its process is done with the mailbox.
    pub fn log_out(mut self) -> Result<()> {
        let tag = self.next_tag();
        self.write(format!("{tag} LOGOUT\r\n").as_bytes())?;
        self.finish(&tag, "LOGOUT", |_| Ok(()))?;
        let mut rest = Vec::new();
        // The answer is complete; how the connection ends does not matter any more.
        let _ = self.reader.read_to_end(&mut rest);
        Ok(())
    }
}

fn refused(command: &str, line: &[Value]) -> Error {
    let reply = line.iter().skip(1).map(Value::text).collect::<Vec<_>>().join(" ");
    Error::Refused { command: command.to_owned(), reply }
}
