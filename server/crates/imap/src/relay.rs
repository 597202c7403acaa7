//! An address on this machine behind which an account is logged in already, for programs that speak IMAP but verify no
//! certificate, know no OAuth, or must not be given a password.
//!
//! The program connects without TLS and logs in with a word that was made for it; the account's own secret never leaves
//! this process. Each of its connections becomes one connection of ours, with the certificate verified and the address
//! judged as everywhere else. What it may say there is judged as well: through a relay that only reads, nothing can be
//! changed, and through one that writes, nothing can be deleted ([`guard`]).

mod guard;
mod told;

use crate::{
    account::Account,
    login::{self, Purpose},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use gatepost_contract::Secret;
use gatepost_transfer::{Fault, FaultKind, Throttle, UidSet};
use guard::{Guard, Rights, Unfit};
use std::{
    collections::HashMap,
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::{
    io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader, split},
    net::{TcpListener, TcpStream},
    sync::{Notify, Semaphore},
    task::{AbortHandle, JoinSet},
    time::timeout,
};

/// The longest line before the log-in.
const LONGEST_LINE: u64 = 4096;
/// How many commands may come before the log-in, and how long they may take together.
const COMMANDS: usize = 10;
const PATIENCE: Duration = Duration::from_secs(10);
/// How many connections may be logged in at once.
const CONNECTIONS: usize = 4;
/// How many more may be there that have not logged in: whoever is on this machine can open them.
const WAITING: usize = 32;

/// The address; it is gone, with all its connections, when this is dropped.
pub struct Relay {
    address: SocketAddr,
    word: Secret,
    fault: Arc<Mutex<Option<Fault>>>,
    listening: AbortHandle,
}

impl Relay {
    /// Opens an address to write to an account: folders can be made, messages appended and flags set; nothing can be
    /// deleted. Nothing is connected to the account's server until somebody logs in.
    ///
    /// # Errors
    /// Where no port can be opened on this machine, or there is no randomness.
    pub async fn open(account: Account) -> Result<Self, Fault> {
        Self::with(account, Rights::Write, None).await
    }

    /// Opens an address to read from an account, through which nothing can be changed. With a view, searches by UID
    /// find only the messages in it, by their folder's name as the server writes it.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub async fn read_only(account: Account, view: Option<HashMap<String, UidSet>>) -> Result<Self, Fault> {
        Self::with(account, Rights::Read(view.map(Arc::new)), None).await
    }

    /// The same, and what is read passes no faster than this lets it.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub async fn paced(
        account: Account,
        view: Option<HashMap<String, UidSet>>,
        throttle: Arc<Throttle>,
    ) -> Result<Self, Fault> {
        Self::with(account, Rights::Read(view.map(Arc::new)), Some(throttle)).await
    }

    async fn with(account: Account, rights: Rights, throttle: Option<Arc<Throttle>>) -> Result<Self, Fault> {
        let internal = |what| {
            move |cause: std::io::Error| Fault::new(FaultKind::Internal, format!("A relay {what}.")).because(cause)
        };
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.map_err(internal("could not open a port"))?;
        let address = listener.local_addr().map_err(internal("has no address"))?;
        let mut random = [0; 24];
        std::fs::File::open("/dev/urandom")
            .and_then(|mut source| std::io::Read::read_exact(&mut source, &mut random))
            .map_err(internal("has no randomness"))?;
        let word = URL_SAFE_NO_PAD.encode(random);
        let fault = Arc::<Mutex<Option<Fault>>>::default();
        let shared = Arc::new(Shared {
            account,
            rights,
            word: word.clone(),
            fault: fault.clone(),
            throttle,
            waiting: Semaphore::new(WAITING),
            logged_in: Semaphore::new(CONNECTIONS),
        });
        let listening = tokio::spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                let Ok((client, _)) = listener.accept().await else { return };
                // An answer is often the end of a message: it does not wait for what came before it to be acknowledged.
                let _ = client.set_nodelay(true);
                while connections.try_join_next().is_some() {}
                if connections.len() < CONNECTIONS + WAITING {
                    connections.spawn(serve(shared.clone(), client));
                }
            }
        });
        Ok(Self { address, word: Secret(word), fault, listening: listening.abort_handle() })
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// The password that it takes, for any user.
    #[must_use]
    pub const fn word(&self) -> &Secret {
        &self.word
    }

    /// Why the account's server could not be reached, where it could not: the program itself was only told "no".
    #[must_use]
    pub fn fault(&self) -> Option<Fault> {
        self.fault.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

impl std::fmt::Debug for Relay {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Relay").field("address", &self.address).finish_non_exhaustive()
    }
}

struct Shared {
    account: Account,
    rights: Rights,
    word: String,
    fault: Arc<Mutex<Option<Fault>>>,
    throttle: Option<Arc<Throttle>>,
    waiting: Semaphore,
    logged_in: Semaphore,
}

async fn serve(shared: Arc<Shared>, client: TcpStream) {
    let mut client = BufReader::new(client);
    let Ok(waiting) = shared.waiting.try_acquire() else { return };
    let Ok(Ok(Some(tag))) = timeout(PATIENCE, knock(&shared.word, &mut client)).await else { return };
    drop(waiting);
    let Ok(_logged_in) = shared.logged_in.try_acquire() else {
        let told = format!("{tag} NO [LIMIT] too many connections\r\n");
        let _ = client.write_all(told.as_bytes()).await;
        return;
    };
    if let Err(fault) = carry(&shared, client, &tag).await {
        *shared.fault.lock().unwrap_or_else(PoisonError::into_inner) = Some(fault);
    }
}

/// Speaks with a program until it has logged in; gives the tag of its LOGIN, `None` where it does not know the word.
async fn knock(word: &str, client: &mut BufReader<TcpStream>) -> std::io::Result<Option<String>> {
    client.write_all(b"* OK [CAPABILITY IMAP4rev1] ready\r\n").await?;
    for _ in 0..COMMANDS {
        let mut line = Vec::new();
        (&mut *client).take(LONGEST_LINE).read_until(b'\n', &mut line).await?;
        if !line.ends_with(b"\n") {
            return Ok(None);
        }
        let line = String::from_utf8_lossy(&line);
        let mut words = line.trim_end().splitn(3, ' ');
        let (tag, command) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let fine = (1..=64).contains(&tag.len()) && tag.bytes().all(|b| b.is_ascii_alphanumeric());
        if !fine {
            return Ok(None);
        }
        let answer = match command.to_ascii_uppercase().as_str() {
            "CAPABILITY" => format!("* CAPABILITY IMAP4rev1\r\n{tag} OK done\r\n"),
            "NOOP" => format!("{tag} OK done\r\n"),
            "LOGOUT" => {
                client.write_all(format!("* BYE goodbye\r\n{tag} OK done\r\n").as_bytes()).await?;
                return Ok(None);
            }
            "LOGIN" => {
                let given = words.next().and_then(|arguments| arguments.rsplit_once(' ')).map(|(_, last)| last);
                let given = given.map(|last| last.trim_matches('"')).unwrap_or_default();
                if same(given.as_bytes(), word.as_bytes()) {
                    return Ok(Some(tag.to_owned()));
                }
                format!("{tag} NO [AUTHENTICATIONFAILED] not the word of this relay\r\n")
            }
            _ => format!("{tag} BAD log in first\r\n"),
        };
        client.write_all(answer.as_bytes()).await?;
    }
    Ok(None)
}

/// Compares without telling by its time where two words differ.
fn same(given: &[u8], word: &[u8]) -> bool {
    given.len() == word.len() && given.iter().zip(word).fold(0, |differ, (a, b)| differ | (a ^ b)) == 0
}

/// Logs in at the account's server and carries bytes both ways until one side ends.
async fn carry(shared: &Shared, mut client: BufReader<TcpStream>, tag: &str) -> Result<(), Fault> {
    let lost = |cause: std::io::Error| Fault::new(FaultKind::Lost, "A relayed connection was lost.").because(cause);
    let session = match login::open(&shared.account, Purpose::Write, false).await {
        Ok(session) => session,
        Err(fault) => {
            let told: String = fault.sentence.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
            client.write_all(format!("{tag} NO {told}\r\n").as_bytes()).await.map_err(lost)?;
            return Err(fault);
        }
    };
    let Some((server, read)) = session.connection.into_stream() else {
        return Err(Fault::new(FaultKind::Lost, "The server closed a relayed connection at once."));
    };
    client.write_all(format!("{tag} OK logged in\r\n").as_bytes()).await.map_err(lost)?;
    let mut guard = Guard::new(shared.rights.clone());
    // However it ends, the program has its own words for it.
    let begun = guard.told(&read).and_then(|()| guard.said(client.buffer()));
    if begun.is_ok() {
        let throttle = shared.throttle.as_deref();
        let shared = Line { guard: Mutex::new(guard), for_program: Notify::new(), for_server: Notify::new() };
        shared.for_program.notify_one();
        shared.for_server.notify_one();
        let (from_program, to_program) = split(client.into_inner());
        let (from_server, to_server) = split(server);
        tokio::select! {
            () = shared.program_to_server(from_program, to_server) => {}
            () = shared.server_to_program(from_server, to_program, throttle) => {}
        }
    }
    Ok(())
}

/// How much is read at once.
const PIECE: usize = 32 << 10;

/// One connection with its guard. What one direction reads may give the other something to say, so it wakes it; one that
/// was only woken wakes nobody, or both would go on for ever.
struct Line {
    guard: Mutex<Guard>,
    for_program: Notify,
    for_server: Notify,
}

impl Line {
    fn guard(&self) -> std::sync::MutexGuard<'_, Guard> {
        self.guard.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn program_to_server(&self, mut program: impl AsyncRead + Unpin, mut server: impl AsyncWrite + Unpin) {
        let mut piece = vec![0; PIECE];
        loop {
            let full = self.guard().is_full();
            let taken: Result<(), Unfit> = tokio::select! {
                read = program.read(&mut piece), if !full => match read {
                    Ok(0) | Err(_) => return,
                    Ok(n) => {
                        let taken = self.guard().said(&piece[..n]);
                        self.for_program.notify_one();
                        taken
                    }
                },
                () = self.for_server.notified() => Ok(()),
            };
            let out = self.guard().for_server();
            if taken.is_err() || server.write_all(&out).await.is_err() || server.flush().await.is_err() {
                return;
            }
        }
    }

    async fn server_to_program(
        &self,
        mut server: impl AsyncRead + Unpin,
        mut program: impl AsyncWrite + Unpin,
        throttle: Option<&Throttle>,
    ) {
        let mut piece = vec![0; PIECE];
        loop {
            let (taken, over): (Result<(), Unfit>, bool) = tokio::select! {
                read = server.read(&mut piece) => match read {
                    Ok(0) | Err(_) => (Ok(()), true),
                    Ok(n) => {
                        let taken = self.guard().told(&piece[..n]);
                        self.for_server.notify_one();
                        (taken, false)
                    }
                },
                () = self.for_program.notified() => (Ok(()), false),
            };
            let out = self.guard().for_program();
            if let Some(throttle) = throttle.filter(|_| !out.is_empty()) {
                throttle.pass(out.len() as u64).await;
            }
            if taken.is_err() || program.write_all(&out).await.is_err() || program.flush().await.is_err() || over {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{
        pin::pin,
        sync::atomic::{AtomicBool, Ordering},
        task::{Context, Wake, Waker},
    };
    use tokio::io::duplex;

    struct Woken(AtomicBool);

    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.store(true, Ordering::SeqCst);
        }
    }

    /// What can be done at once.
    fn now<T>(future: impl Future<Output = std::io::Result<T>>) -> Option<T> {
        match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
            std::task::Poll::Ready(done) => Some(done.expect("it does not fail")),
            std::task::Poll::Pending => None,
        }
    }

    #[test]
    fn a_line_on_which_nothing_more_is_said_comes_to_rest() {
        let line = Line {
            guard: Mutex::new(Guard::new(Rights::Write)),
            for_program: Notify::new(),
            for_server: Notify::new(),
        };
        let (mut program, of_program) = duplex(4096);
        let (mut server, of_server) = duplex(4096);
        let (from_program, to_program) = split(of_program);
        let (from_server, to_server) = split(of_server);
        let mut both = pin!(async {
            tokio::join!(
                line.program_to_server(from_program, to_server),
                line.server_to_program(from_server, to_program, None)
            )
        });
        let woken = Arc::new(Woken(true.into()));
        let waker = Waker::from(woken.clone());
        let mut settle = || {
            for _ in 0..100 {
                if !woken.0.swap(false, Ordering::SeqCst) {
                    return;
                }
                assert!(both.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
            }
            panic!("the two directions wake each other for ever");
        };
        let mut buffer = [0; 4096];
        settle();
        // Refused here, passed on, and asked for by the server.
        for (said, passed, told) in [
            ("a1 EXPUNGE\r\n", "", ""),
            ("a2 NOOP\r\n", "a2 NOOP\r\n", "a2 OK done\r\n"),
            ("a3 APPEND x {5}\r\n", "a3 APPEND x {5}\r\n", "+ go on\r\n"),
            ("hello\r\n", "hello\r\n", "a3 OK done\r\n"),
        ] {
            now(program.write_all(said.as_bytes())).expect("there is room");
            settle();
            let n = now(server.read(&mut buffer)).unwrap_or_default();
            assert_eq!(String::from_utf8_lossy(&buffer[..n]), passed, "{said}");
            now(server.write_all(told.as_bytes())).expect("there is room");
            settle();
            let n = now(program.read(&mut buffer)).unwrap_or_default();
            let heard = String::from_utf8_lossy(&buffer[..n]).into_owned();
            assert_eq!(heard.contains("a1 NO [CANNOT]"), said.contains("EXPUNGE"), "{heard}");
            assert!(heard.ends_with(told), "{heard}");
        }
    }
}
