//! Log-ins with tokens at a real Dovecot, which asks a real authorization server about each; tokens that end and
//! consents that are revoked in the middle of a copy.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;
#[allow(dead_code, reason = "the simulation uses more of it")]
#[path = "../../../tests/simulation/ledger.rs"]
mod ledger;
#[allow(dead_code, reason = "the tests of the flows use more of it")]
#[path = "../../oauth/tests/common/mod.rs"]
mod web;

use async_trait::async_trait;
use common::{PASSWORD, USER, account, fault};
use gatepost_contract::{Level, Secret};
use gatepost_imap::{Account, Credential, ImapDriver, Relay};
use gatepost_oauth::{App, OauthError, Proof, client_credentials, device_begin, device_poll, refresh};
use gatepost_testkit::{
    AuthServer, Dovecot, Profile, Proxy, ScriptedImap, Snapshot, SpecialUse, compare, fill, proxy::Direction,
};
use gatepost_transfer::{
    AccessTokens, Budget, Driver, Fault, FaultKind, Watch,
    copy::{Copy, CopyOptions, CopyOutcome, CopyState},
};
use ledger::MemoryLedger;
use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};
use tokio_util::sync::CancellationToken;

const OTHER: &str = "rui@example.test";

/// What somebody consented to, kept as the Desk keeps it: the token that holds, and what gets the next one.
struct Consent {
    app: App,
    tokens: tokio::sync::Mutex<(Secret, Secret)>,
    asked: AtomicUsize,
    renewed: AtomicUsize,
}

impl Consent {
    async fn given(server: &AuthServer) -> Arc<Self> {
        let app = app(server);
        let device = device_begin(&web::Plain, &app).await.unwrap();
        server.enter_code(&device.user_code, USER, PASSWORD, "allow").unwrap();
        let tokens = device_poll(&web::Plain, &app, &device.device).await.unwrap();
        Arc::new(Self {
            app,
            tokens: tokio::sync::Mutex::new((tokens.access, tokens.refresh.unwrap())),
            asked: AtomicUsize::new(0),
            renewed: AtomicUsize::new(0),
        })
    }
}

#[async_trait]
impl AccessTokens for Consent {
    async fn token(&self) -> Result<Secret, Fault> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        Ok(self.tokens.lock().await.0.clone())
    }

    async fn renew(&self, refused: &Secret) -> Result<Option<Secret>, Fault> {
        let mut tokens = self.tokens.lock().await;
        if tokens.0 == *refused {
            let new = refresh(&web::Plain, &self.app, &tokens.1).await.map_err(|error| {
                assert!(matches!(error, OauthError::ConsentGone { .. }), "{error:?}");
                Fault::new(FaultKind::Login, error.to_string())
            })?;
            self.renewed.fetch_add(1, Ordering::SeqCst);
            *tokens = (new.access, new.refresh.unwrap());
        }
        Ok(Some(tokens.0.clone()))
    }
}

fn authorities() -> AuthServer {
    AuthServer::builder().user(USER, PASSWORD).user(OTHER, PASSWORD).client("desk", "s3cret & more").start().unwrap()
}

fn app(server: &AuthServer) -> App {
    web::app_as(server, "desk", Proof::Secret(Secret("s3cret & more".into())))
}

fn by_token(port: u16, user: &str, token: &str) -> Account {
    Account { secret: Credential::token(Secret(token.into())), ..account(port, user, "") }
}

fn mailboxes(server: &AuthServer) -> Dovecot {
    let builder = Dovecot::builder().user(USER, PASSWORD).user(OTHER, PASSWORD);
    builder.special_use(SpecialUse::Portuguese).oauth2(server.url()).start().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_opens_its_users_mailbox_by_the_mechanism_that_the_server_offers() {
    let authority = authorities();
    let builder = || Dovecot::builder().user(USER, PASSWORD).user(OTHER, PASSWORD);
    for (server, mechanism) in [
        (builder().oauth2(authority.url()).start().unwrap(), "OAUTHBEARER"),
        (builder().xoauth2(authority.url()).start().unwrap(), "XOAUTH2"),
    ] {
        let token = authority.token_of(USER);
        let driver = ImapDriver::new(by_token(server.imap_port(), USER, &token));
        driver.source().await.unwrap().close().await;
        driver.destination().await.unwrap().close().await;
        driver.reader().await.unwrap().close().await;
        let log_ins = || server.log().matches(&format!("method={mechanism}")).count();
        // The log is written by a process of its own.
        let deadline = Instant::now() + Duration::from_secs(120);
        while log_ins() < 3 && Instant::now() < deadline {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        assert_eq!(log_ins(), 3, "{}", server.log());
        let other = ImapDriver::new(by_token(server.imap_port(), OTHER, &token));
        for refused in [fault(other.source().await), fault(other.reader().await)] {
            assert_eq!(refused.kind, FaultKind::Login, "{refused}");
            assert!(refused.sentence.contains("refused the OAuth token of rui@example.test"), "{refused}");
            assert!(!format!("{refused:?}").contains(&token), "{refused:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_token_of_an_application_opens_every_mailbox_while_the_consent_lasts() {
    let authority = authorities();
    let server = mailboxes(&authority);
    authority.tenant_consent("desk", true);
    let token = client_credentials(&web::Plain, &app(&authority)).await.unwrap().access;
    for user in [USER, OTHER] {
        ImapDriver::new(by_token(server.imap_port(), user, &token.0)).source().await.unwrap();
    }
    authority.tenant_consent("desk", false);
    let refused = fault(ImapDriver::new(by_token(server.imap_port(), USER, &token.0)).source().await);
    assert_eq!(refused.kind, FaultKind::Login, "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_token_is_renewed_once_and_a_token_that_was_typed_in_is_not() {
    let authority = authorities();
    let server = mailboxes(&authority);
    let consent = Consent::given(&authority).await;
    let account = Account { secret: Credential::Oauth(consent.clone()), ..account(server.imap_port(), USER, "") };
    let driver = ImapDriver::new(account.clone());
    driver.source().await.unwrap().close().await;
    assert_eq!((consent.asked.load(Ordering::SeqCst), consent.renewed.load(Ordering::SeqCst)), (1, 0));
    authority.expire_now();
    driver.source().await.unwrap().close().await;
    authority.expire_now();
    driver.reader().await.unwrap().close().await;
    assert_eq!((consent.asked.load(Ordering::SeqCst), consent.renewed.load(Ordering::SeqCst)), (3, 2));
    authority.revoke_consent(USER);
    for gone in [fault(driver.source().await), fault(driver.reader().await)] {
        assert!(gone.kind == FaultKind::Login && gone.sentence.contains("consent must be given again"), "{gone}");
    }
    let typed = ImapDriver::new(by_token(server.imap_port(), USER, "0ld"));
    let refused = fault(typed.source().await);
    assert!(refused.sentence.contains("refused the OAuth token") && !refused.is_transient(), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_token_that_is_refused_too_ends_it() {
    // A server that refuses whatever comes: asked twice and not more, each time on a connection of its own.
    let authority = authorities();
    let capability = "IMAP4rev1 AUTH=OAUTHBEARER SASL-IR";
    let server = ScriptedImap::builder().token(USER, "none of these").capability(capability).start().unwrap();
    let consent = Consent::given(&authority).await;
    let account = Account { secret: Credential::Oauth(consent.clone()), ..account(server.port(), USER, "") };
    let refused = fault(ImapDriver::new(account.clone()).source().await);
    assert_eq!((refused.kind, consent.renewed.load(Ordering::SeqCst)), (FaultKind::Login, 1), "{refused}");
    assert_eq!(server.commands_matching("AUTHENTICATE OAUTHBEARER").len(), 2);
    let refused = fault(ImapDriver::new(account).reader().await);
    assert_eq!((refused.kind, consent.renewed.load(Ordering::SeqCst)), (FaultKind::Login, 2), "{refused}");
}

#[tokio::test]
async fn a_server_that_knows_no_tokens_is_not_asked_for_new_ones() {
    let server = ScriptedImap::builder().user(USER, "x").capability("IMAP4rev1 AUTH=PLAIN").start().unwrap();
    let never = Arc::new(Never(AtomicUsize::new(0)));
    let account = Account { secret: Credential::Oauth(never.clone()), ..account(server.port(), USER, "") };
    let refused = fault(ImapDriver::new(account).source().await);
    assert!(refused.sentence.contains("offers neither OAUTHBEARER nor XOAUTH2"), "{refused}");
    assert_eq!(never.0.load(Ordering::SeqCst), 0);
}

struct Never(AtomicUsize);

#[async_trait]
impl AccessTokens for Never {
    async fn token(&self) -> Result<Secret, Fault> {
        Ok(Secret("t".into()))
    }

    async fn renew(&self, _: &Secret) -> Result<Option<Secret>, Fault> {
        self.0.fetch_add(1, Ordering::SeqCst);
        Ok(None)
    }
}

/// Does something once, when so many messages have been copied.
struct AfterSome {
    done: AtomicU64,
    at: u64,
    then: Mutex<Option<Box<dyn FnOnce() + Send>>>,
}

impl AfterSome {
    fn new(at: u64, then: impl FnOnce() + Send + 'static) -> Self {
        Self { done: AtomicU64::new(0), at, then: Mutex::new(Some(Box::new(then))) }
    }
}

impl Watch for AfterSome {
    fn steps(&self, _: &[String]) {}
    fn expect(&self, _: usize, _: u64) {}
    fn begin(&self, _: usize, _: u64, _: u64) {}

    fn done(&self, _: usize, messages: u64, _: u64) {
        if self.done.fetch_add(messages, Ordering::SeqCst) + messages >= self.at
            && let Some(then) = self.then.lock().unwrap().take()
        {
            then();
        }
    }

    fn end(&self, _: usize, _: Result<Option<String>, String>) {}
    fn note(&self, _: Level, _: &str, _: String) {}
}

/// An old server that is reached by tokens through a line that can be cut, and a new one by a password.
struct Move {
    authority: Arc<AuthServer>,
    source: Dovecot,
    line: Arc<Proxy>,
    dest: Dovecot,
    ledger: MemoryLedger,
}

const MESSAGES: usize = 400;

impl Move {
    fn new() -> Self {
        let authority = Arc::new(authorities());
        let source = mailboxes(&authority);
        fill(&source.account(USER), &Profile { messages: MESSAGES, average_bytes: 6_000, ..Profile::default() })
            .unwrap();
        let line = Arc::new(Proxy::start(source.imap_port()).unwrap());
        line.delay(Duration::from_millis(4));
        let dest = Dovecot::builder().user(USER, PASSWORD).special_use(SpecialUse::Portuguese).start().unwrap();
        Self { authority, source, line, dest, ledger: MemoryLedger::default() }
    }

    async fn run(&self, consent: &Arc<Consent>, watch: &dyn Watch) -> Result<CopyOutcome, Fault> {
        let source = Account { secret: Credential::Oauth(consent.clone()), ..account(self.line.port(), USER, "") };
        let (source, dest) = (ImapDriver::new(source), common::driver(&self.dest));
        let copy = Copy {
            source: &source,
            dest: &dest,
            ledger: &self.ledger,
            watch,
            options: CopyOptions {
                pause: Duration::from_millis(1),
                settle: Duration::from_millis(2),
                ..Default::default()
            },
            source_budget: Budget::unlimited(),
            dest_budget: Budget::unlimited(),
            cancel: CancellationToken::new(),
            progress: CopyState::default(),
        };
        tokio::time::timeout(Duration::from_secs(180), copy.run()).await.expect("the copy ends")
    }

    fn assert_moved(&self) {
        let (from, to) = (&self.source.account(USER), &self.dest.account(USER));
        let (from, to) = (Snapshot::read(from).unwrap(), Snapshot::read(to).unwrap());
        let differences = compare(&from, &to, &HashMap::new());
        assert!(differences.is_empty(), "{differences:#?}");
        assert_eq!(to.messages.len(), MESSAGES);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_that_end_in_the_middle_of_a_copy_are_renewed_and_nothing_is_lost_or_doubled() {
    let scene = Move::new();
    let consent = Consent::given(&scene.authority).await;
    let (authority, line) = (Arc::clone(&scene.authority), Arc::clone(&scene.line));
    line.cut_each_after(Direction::ToClient, 150_000);
    let watch = AfterSome::new(1, move || {
        authority.expire_now();
        line.cut_now();
        line.never_cut();
    });
    let outcome = scene.run(&consent, &watch).await.unwrap();
    assert!(outcome.failed_folders.is_empty() && outcome.pending == 0, "{outcome:?}");
    assert!(consent.renewed.load(Ordering::SeqCst) >= 1, "the token had ended");
    scene.assert_moved();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_consent_that_is_revoked_in_the_middle_of_a_copy_ends_it_and_a_new_one_goes_on_from_there() {
    let scene = Move::new();
    let consent = Consent::given(&scene.authority).await;
    let (authority, line) = (Arc::clone(&scene.authority), Arc::clone(&scene.line));
    // No connection carries everything, however far ahead the source is read.
    line.cut_each_after(Direction::ToClient, 150_000);
    let watch = AfterSome::new(1, move || {
        authority.revoke_consent(USER);
        line.cut_now();
    });
    let said = match scene.run(&consent, &watch).await {
        Err(fault) => {
            assert_eq!(fault.kind, FaultKind::Login, "{fault}");
            fault.sentence
        }
        Ok(outcome) => panic!("the copy ended well: {outcome:?}"),
    };
    assert!(said.contains("The consent must be given again"), "{said}");
    let there = Snapshot::read(&scene.dest.account(USER)).unwrap().messages.len();
    assert!((1..MESSAGES).contains(&there), "{there} of {MESSAGES} have been copied");
    scene.line.never_cut();
    let consent = Consent::given(&scene.authority).await;
    let outcome = scene.run(&consent, &AfterSome::new(u64::MAX, || {})).await.unwrap();
    assert_eq!((outcome.transferred, outcome.pending), ((MESSAGES - there) as u64, 0), "{outcome:?}");
    scene.assert_moved();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_behind_a_relay_gets_a_new_token_at_each_connection_and_sees_none() {
    let authority = authorities();
    let server = mailboxes(&authority);
    let consent = Consent::given(&authority).await;
    let source = Account { secret: Credential::Oauth(consent.clone()), ..account(server.imap_port(), USER, "") };
    let relay = Relay::open(source).await.unwrap();
    for renewed in 0..3 {
        let program = gatepost_testkit::Account::new(relay.address().port(), "anybody", &relay.word().0);
        let heard = tokio::task::spawn_blocking(move || Snapshot::read(&program));
        assert!(heard.await.unwrap().unwrap().messages.is_empty());
        assert_eq!(consent.renewed.load(Ordering::SeqCst), renewed);
        authority.expire_now();
    }
    assert!(!format!("{relay:?}").contains(&consent.tokens.lock().await.0.0));
}
