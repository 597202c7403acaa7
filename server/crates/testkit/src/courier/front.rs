//! The part of `couriertcpd` and `imaplogin`: takes connections, up to a number, and leads each to LOGIN; then `imapd`
//! has it. The words are Courier's. It knows nothing of mail.

use std::io::{self, BufReader, Read, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::process::{Child, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::{CAPABILITY, Service, Users};
use crate::dovecot::process;
use crate::error::{Result, Tried as _};
use crate::wire::{Value, parse_values, read_line};

/// What `imaplogin` announces beside the configured capabilities.
const ADDED: &str = "ACL ACL2=UNION ENABLE UTF8=ACCEPT";
/// How often a log-in that waits for its client looks whether the server is being stopped.
const LOOK: Duration = Duration::from_millis(50);
/// `imaplogin` ends a connection that does not log in.
const LOGIN_PATIENCE: Duration = Duration::from_secs(60);

/// The open door. Closed with [`Front::close`].
#[derive(Debug)]
pub(super) struct Front {
    shared: Arc<Shared>,
    address: std::net::SocketAddr,
    door: JoinHandle<()>,
}

#[derive(Debug)]
struct Shared {
    service: Service,
    users: Users,
    stopping: AtomicBool,
    sessions: Mutex<Sessions>,
}

#[derive(Debug, Default)]
struct Sessions {
    logging_in: Vec<JoinHandle<()>>,
    logged_in: Vec<Child>,
}

impl Sessions {
    /// Forgets those that have ended, and counts the others.
    fn alive(&mut self) -> usize {
        self.logging_in.retain(|thread| !thread.is_finished());
        self.logged_in.retain_mut(|child| matches!(child.try_wait(), Ok(None)));
        self.logging_in.len() + self.logged_in.len()
    }
}

impl Front {
    pub(super) fn open(listener: TcpListener, service: Service, users: Users) -> Result<Front> {
        let address = listener.local_addr().tried(|| "finding the port".to_owned())?;
        let shared = Arc::new(Shared { service, users, stopping: AtomicBool::new(false), sessions: Mutex::default() });
        let door = {
            let shared = Arc::clone(&shared);
            std::thread::spawn(move || shared.take_connections(&listener))
        };
        Ok(Front { shared, address, door })
    }

    pub(super) fn pids(&self) -> Vec<u32> {
        let mut sessions = self.shared.sessions();
        sessions.alive();
        sessions.logged_in.iter().map(Child::id).collect()
    }

    /// Ends the listening, the log-ins and the sessions.
    pub(super) fn close(self, patience: Duration) {
        self.shared.stopping.store(true, Ordering::SeqCst);
        // Wakes the door, which then sees that it is over.
        let _ = TcpStream::connect(self.address);
        let _ = self.door.join();
        let logging_in = std::mem::take(&mut self.shared.sessions().logging_in);
        for thread in logging_in {
            let _ = thread.join();
        }
        let mut logged_in = std::mem::take(&mut self.shared.sessions().logged_in);
        for child in &mut logged_in {
            process::end(child, patience);
        }
    }
}

impl Shared {
    fn sessions(&self) -> MutexGuard<'_, Sessions> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take_connections(self: &Arc<Self>, listener: &TcpListener) {
        while let Ok((stream, client)) = listener.accept() {
            if self.stopping.load(Ordering::SeqCst) {
                return;
            }
            let mut sessions = self.sessions();
            if sessions.alive() >= self.service.connections {
                // As couriertcpd: without a word.
                let _ = stream.shutdown(Shutdown::Both);
                continue;
            }
            let shared = Arc::clone(self);
            sessions.logging_in.push(std::thread::spawn(move || {
                // What went wrong, the client sees as the end of its connection.
                let _ = shared.lead_in(stream, client);
            }));
        }
    }

    /// Talks until a log-in succeeds, then starts `imapd` on the connection.
    fn lead_in(&self, mut stream: TcpStream, client: std::net::SocketAddr) -> Result<()> {
        let broken = || "talking before log-in".to_owned();
        stream.set_read_timeout(Some(LOOK)).and_then(|()| stream.set_nodelay(true)).tried(broken)?;
        let input = Patient { stream: stream.try_clone().tried(broken)?, shared: self, since: Instant::now() };
        // One byte at a time: what follows the log-in is for `imapd`.
        let mut input = BufReader::with_capacity(1, input);
        let greeting = format!(
            "* OK [CAPABILITY {CAPABILITY} {ADDED}] Courier-IMAP ready. Copyright 1998-2018 Double Precision, Inc.  See \
             COPYING for distribution information.\r\n"
        );
        stream.write_all(greeting.as_bytes()).tried(broken)?;
        loop {
            let mut output = &stream;
            let line = read_line(&mut input, || output.write_all(b"+ OK\r\n")).tried(broken)?;
            let Some(values) = line.map(parse_values) else { return Ok(()) };
            let values = values.unwrap_or_default();
            let word = |at: usize| values.get(at).map(Value::text).unwrap_or_default();
            let tag = word(0);
            let answer = match word(1).to_ascii_uppercase().as_str() {
                "LOGIN" if self.users.allow(&word(2), &word(3)) => {
                    return self.hand_over(stream, &word(2), &tag, client);
                }
                "LOGIN" => format!("{tag} NO Login failed.\r\n"),
                "CAPABILITY" => {
                    format!("* CAPABILITY {CAPABILITY} {ADDED}\r\n{tag} OK CAPABILITY completed\r\n")
                }
                "NOOP" => format!("{tag} OK NOOP completed\r\n"),
                "LOGOUT" => {
                    "* BYE Courier-IMAP server shutting down\r\n".to_owned() + &tag + " OK LOGOUT completed\r\n"
                }
                _ => format!("{tag} NO Error in IMAP command received by server.\r\n"),
            };
            stream.write_all(answer.as_bytes()).tried(broken)?;
            if answer.starts_with("* BYE") {
                return Ok(());
            }
        }
    }

    fn hand_over(&self, stream: TcpStream, user: &str, tag: &str, client: std::net::SocketAddr) -> Result<()> {
        let broken = || "handing the connection to imapd".to_owned();
        // The time-out belongs to the connection, not to this end of it.
        stream.set_read_timeout(None).tried(broken)?;
        let input = OwnedFd::from(stream.try_clone().tried(broken)?);
        let mut command = self.service.session(user, tag, client)?;
        command.stdin(Stdio::from(input)).stdout(Stdio::from(OwnedFd::from(stream)));
        // In one step, so that a connection is never counted twice, and is known before its log-in is answered.
        let mut sessions = self.sessions();
        let child = command.spawn().tried(|| "starting imapd".to_owned())?;
        sessions.logging_in.retain(|thread| thread.thread().id() != std::thread::current().id());
        sessions.logged_in.push(child);
        Ok(())
    }
}

/// Reads without end of patience for the client's next byte, but not beyond the server's end.
struct Patient<'a> {
    stream: TcpStream,
    shared: &'a Shared,
    since: Instant,
}

impl Read for Patient<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.stream.read(buffer) {
                Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {
                    if self.shared.stopping.load(Ordering::SeqCst) || self.since.elapsed() > LOGIN_PATIENCE {
                        return Err(error);
                    }
                }
                other => return other,
            }
        }
    }
}
