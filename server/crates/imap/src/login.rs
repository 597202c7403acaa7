//! From a greeting to a session that is logged in: capabilities, log-in, ID, NAMESPACE.
//!
//! UTF8=ACCEPT (RFC 6855) is enabled where we read only: a server may hide or down-convert messages with UTF-8
//! headers from clients that did not enable it (RFC 6857). Where we write it is left alone: once enabled, such
//! messages would have to be sent as `UTF8 (…)` literals, which cannot be told before their headers were seen,
//! while servers take their bytes as they are without it.

use crate::{
    account::{Account, Word},
    connection::Connection,
    faults::{self, Done},
    folders::Namespace,
    net,
    sasl::{self, Mechanism},
    session::{Heard, Session, Tag},
    wire::{Command, Response, Value, printable, response::Status},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use gatepost_transfer::{Fault, FaultKind};
use std::collections::BTreeSet;

/// What the session will be used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// Reading only.
    Read,
    /// Writing too.
    Write,
}

/// Why a connection did not come to be.
enum Failed {
    /// The server refused a token that another may take the place of.
    Token(Fault),
    /// For any other reason.
    Otherwise(Fault),
}

impl From<Fault> for Failed {
    fn from(fault: Fault) -> Self {
        Self::Otherwise(fault)
    }
}

/// Connects and logs in; where a token is refused, once more with another one.
pub(crate) async fn open(account: &Account, purpose: Purpose, compress: bool) -> Result<Session, Fault> {
    let word = account.secret.word().await?;
    let mut session = match begin(account, &word, purpose).await {
        Ok(session) => session,
        Err(Failed::Otherwise(fault)) => return Err(fault),
        Err(Failed::Token(fault)) => {
            let Some(another) = account.secret.another(&word).await? else { return Err(fault) };
            tracing::info!(server = %account.server(), "a token was refused; logging in with a new one");
            begin(account, &another, purpose).await.map_err(|failed| match failed {
                Failed::Token(fault) | Failed::Otherwise(fault) => fault,
            })?
        }
    };
    if compress && session.offers("COMPRESS=DEFLATE") {
        let done = session.run(&Command::new("COMPRESS DEFLATE"), |_| {}).await?;
        if done.is_ok() {
            session.connection.compress();
        } else {
            tracing::info!(server = %session.server(), "COMPRESS was refused: {}", done.words());
        }
    }
    set_up(&mut session, purpose).await?;
    Ok(session)
}

async fn begin(account: &Account, word: &Word, purpose: Purpose) -> Result<Session, Failed> {
    let net::Greeted { stream, greeting } = net::connect(account, purpose == Purpose::Write).await?;
    let mut session = Session::new(Connection::new(stream, account.server()));
    let mut logged_in = false;
    if let Some(line) = greeting {
        let mut decoder = crate::wire::Decoder::new();
        decoder.buffer().extend_from_slice(&line);
        if !line.ends_with(b"\n") {
            decoder.buffer().extend_from_slice(b"\r\n");
        }
        let event = decoder.decode().map_err(|e| faults::wire(&account.server(), e))?;
        if let Some(event) = event {
            logged_in =
                matches!(&event, crate::wire::Event::Response(Response::Status { status: Status::Preauth, .. }));
            session.sort(event)?;
        }
    }
    if session.capabilities.is_empty() {
        session.run_ok(&Command::new("CAPABILITY"), |_| {}).await?;
    }
    if logged_in {
        tracing::warn!(server = %account.server(), "the server logged the connection in by itself");
    } else {
        log_in(&mut session, account, word).await?;
    }
    Ok(session)
}

async fn log_in(session: &mut Session, account: &Account, word: &Word) -> Result<(), Failed> {
    // Capabilities may change with the log-in; the server may tell them with its OK.
    let before = std::mem::take(&mut session.capabilities);
    let has = |name: &str| before.contains(name);
    let authenticate = |mechanism: &str| before.contains(&format!("AUTH={mechanism}"));
    let at_once = has("SASL-IR");
    session.capabilities.extend(before.iter().filter(|c| c.starts_with("LITERAL")).cloned());
    let literals = session.capabilities.clone();
    let done = match word {
        Word::Token(token) => {
            let mechanism = if authenticate("OAUTHBEARER") { Mechanism::OauthBearer } else { Mechanism::Xoauth2 };
            let response = mechanism.response(account, token)?;
            let (name, farewell) = (mechanism.name(), mechanism.farewell());
            let (done, challenge) = sasl(session, name, response.0.as_bytes(), at_once, farewell).await?;
            if !done.is_ok() {
                let offered = authenticate(name);
                let fault = refused(account, &done);
                return Err(match fault.kind {
                    FaultKind::Login if offered => {
                        Failed::Token(sasl::refused(account, &done.words(), challenge.as_deref(), true))
                    }
                    FaultKind::Login => sasl::refused(account, &done.words(), challenge.as_deref(), false).into(),
                    _ => fault.into(),
                });
            }
            done
        }
        Word::Password(password) => {
            let plain = format!("{}\0{}\0{}", account.authz.as_deref().unwrap_or(""), account.user, password.0);
            if password.0.contains('\0') || account.user.contains('\0') {
                return Err(Fault::new(FaultKind::Login, "A user name or password cannot hold a NUL character.").into());
            }
            if authenticate("PLAIN") || (account.authz.is_some() && !has("LOGINDISABLED")) {
                sasl(session, "PLAIN", plain.as_bytes(), at_once, "").await?.0
            } else if has("LOGINDISABLED") {
                return Err(login_disabled(session, account).into());
            } else {
                let command = Command::new("LOGIN").string(account.user.as_bytes()).secret(password.0.as_bytes());
                session.run(&command, |_| {}).await?
            }
        }
    };
    if !done.is_ok() {
        return Err(refused(account, &done).into());
    }
    if session.capabilities == literals {
        session.run_ok(&Command::new("CAPABILITY"), |_| {}).await?;
    }
    Ok(())
}

/// AUTHENTICATE with one response, and the mechanism's farewell after an error that comes as a challenge; the server's
/// last challenge comes along.
async fn sasl(
    session: &mut Session,
    mechanism: &str,
    response: &[u8],
    at_once: bool,
    farewell: &str,
) -> Result<(Done, Option<Vec<u8>>), Fault> {
    let encoded = STANDARD.encode(response);
    let command = format!("AUTHENTICATE {mechanism}");
    // Sent by hand: an initial response is no string but bare base64 (RFC 4959).
    let tag = session.new_tag();
    tracing::debug!(server = %session.server(), %tag, "{command} [secret]");
    let mut sent = at_once;
    let line = if at_once { format!("{tag} {command} {encoded}\r\n") } else { format!("{tag} {command}\r\n") };
    session.connection.send(line.as_bytes());
    let mut last = None;
    loop {
        match session.hear().await? {
            Heard::Done(done_tag, done) if done_tag == tag => return Ok((done, last)),
            Heard::Continue(_) if !sent => {
                session.connection.send(encoded.as_bytes());
                session.connection.send(b"\r\n");
                sent = true;
            }
            Heard::Continue(challenge) => {
                last = STANDARD.decode(challenge.trim()).ok();
                session.connection.send(format!("{farewell}\r\n").as_bytes());
            }
            Heard::Done(..) | Heard::Other(_) => {}
        }
    }
}

pub(crate) fn login_disabled(session: &Session, account: &Account) -> Fault {
    let server = account.server();
    if session.connection.is_protected() {
        Fault::new(
            FaultKind::Login,
            format!("{server} allows no log-in by password (LOGINDISABLED). Use an OAuth token."),
        )
    } else {
        Fault::new(
            FaultKind::Login,
            format!("{server} allows no log-in without encryption (LOGINDISABLED). Use TLS or STARTTLS."),
        )
    }
}

/// A refused log-in, with the user and the host, without the secret.
pub(crate) fn refused(account: &Account, done: &Done) -> Fault {
    let server = account.server();
    let fault = faults::refused(&server, "the log-in", done);
    if matches!(fault.kind, FaultKind::Throttled) {
        return fault;
    }
    let user = match &account.authz {
        Some(owner) => format!("{} for the mailbox of {owner}", account.user),
        None => account.user.clone(),
    };
    let advice = if done.has_code(&["PRIVACYREQUIRED"]) {
        "Use TLS or STARTTLS."
    } else if done.has_code(&["EXPIRED"]) {
        "The password has expired."
    } else {
        "Check the user name and the password; some providers want an app password, or IMAP switched on."
    };
    Fault::new(FaultKind::Login, format!("{server} refused the log-in of {user}: {:?}. {advice}", done.words()))
}

/// What is worth knowing before the first folder, asked in one round trip.
async fn set_up(session: &mut Session, purpose: Purpose) -> Result<(), Fault> {
    let mut waiting: Vec<(Tag, &str)> = Vec::new();
    let utf8 = session.offers("UTF8=ACCEPT") || session.offers("UTF8=ONLY");
    let utf8 = (utf8 && (purpose == Purpose::Read || session.offers("UTF8=ONLY"))).then_some("UTF8=ACCEPT");
    // Without it a server does not tell which UIDs have gone (RFC 7162 section 3.2.3).
    let qresync = session.offers("QRESYNC").then_some("QRESYNC");
    let wanted: Vec<&str> = qresync.into_iter().chain(utf8).collect();
    if session.offers("ENABLE") && !wanted.is_empty() {
        waiting.push((session.start(&Command::new(format!("ENABLE {}", wanted.join(" ")))), "ENABLE"));
    }
    if session.offers("NAMESPACE") {
        waiting.push((session.start(&Command::new("NAMESPACE")), "NAMESPACE"));
    }
    if session.offers("ID") {
        waiting.push((session.start(&Command::new("ID (\"name\" \"Gatepost\")")), "ID"));
    }
    let (mut namespace, mut server_name, mut enabled) = (None, None, BTreeSet::new());
    for (tag, command) in waiting {
        let done = session
            .finish(tag, |response| match response {
                Response::Data { name, values, .. } if name == "NAMESPACE" => namespace = Some(Namespace::read(values)),
                Response::Data { name, values, .. } if name == "ID" => server_name = values.first().and_then(identity),
                Response::Data { name, values, .. } if name == "ENABLED" => {
                    enabled.extend(values.iter().filter_map(Value::text).map(|name| name.to_ascii_uppercase()));
                }
                _ => {}
            })
            .await?;
        if !done.is_ok() {
            tracing::debug!(server = %session.server(), "{command} was refused: {}", done.words());
        }
    }
    session.namespace = namespace;
    session.server_name = server_name;
    session.utf8 = enabled.contains("UTF8=ACCEPT");
    session.qresync = enabled.contains("QRESYNC");
    Ok(())
}

/// The name and version within an ID response (RFC 2971).
fn identity(value: &Value) -> Option<String> {
    let pairs = value.list()?;
    let find = |key: &str| {
        pairs.chunks_exact(2).find_map(|pair| {
            let found = pair[0].text().is_some_and(|k| k.eq_ignore_ascii_case(key));
            found.then(|| pair[1].bytes()).flatten().map(|b| printable(b, 80))
        })
    };
    let name = find("name")?;
    Some(match find("version") {
        Some(version) => format!("{name} {version}"),
        None => name,
    })
}
