//! The witness's log-in, by async-imap.

use super::{ask, words::fault};
use crate::{
    account::{Account, Word},
    net::{self, Stream},
    sasl::{self, Mechanism},
    wire::{Response, Value},
};
use async_imap::{Authenticator, Client, Session};
use gatepost_transfer::{Fault, FaultKind};

/// One SASL response, and the mechanism's farewell after it: errors of tokens come as a challenge.
struct OneResponse(Option<String>, &'static str);

impl Authenticator for OneResponse {
    type Response = String;
    fn process(&mut self, _: &[u8]) -> String {
        self.0.take().unwrap_or_else(|| self.1.to_owned())
    }
}

/// Connects and logs in.
pub(super) async fn log_in(account: &Account, word: &Word) -> Result<Session<Stream>, Fault> {
    let net::Greeted { mut stream, greeting } = net::connect(account, false).await?;
    let server = account.server();
    let timeouts = account.policy.timeouts;
    let greeting = greeting.unwrap_or_default().to_ascii_uppercase();
    let greets = |words: &str| memchr::memmem::find(&greeting, words.as_bytes()).is_some();
    let prefers_plain = greets("AUTH=PLAIN") || greets("LOGINDISABLED");
    let mut bearer = greets("AUTH=OAUTHBEARER");
    if matches!(word, Word::Token(_)) && !greets("CAPABILITY") {
        ask(&mut stream, &server, timeouts, "CAPABILITY", |response| {
            if let Response::Data { name, values, .. } = response
                && name == "CAPABILITY"
            {
                bearer |= values.iter().filter_map(Value::text).any(|one| one.eq_ignore_ascii_case("AUTH=OAUTHBEARER"));
            }
        })
        .await?;
    }
    let client = Client::new(stream);
    let result = match word {
        Word::Token(token) => {
            let mechanism = if bearer { Mechanism::OauthBearer } else { Mechanism::Xoauth2 };
            let response = mechanism.response(account, token)?;
            let farewell = if bearer { "\x01" } else { "" };
            client.authenticate(mechanism.name(), OneResponse(Some(response.0), farewell)).await
        }
        Word::Password(password)
            if prefers_plain || account.authz.is_some() || !password.0.is_ascii() || !account.user.is_ascii() =>
        {
            let authz = account.authz.as_deref().unwrap_or("");
            let response = format!("{authz}\0{}\0{}", account.user, password.0);
            client.authenticate("PLAIN", OneResponse(Some(response), "")).await
        }
        Word::Password(password) => client.login(&account.user, &password.0).await,
    };
    result.map_err(|(error, _)| {
        let fault = fault(&server, timeouts, "the log-in", error);
        match word {
            _ if fault.kind != FaultKind::Refused => fault,
            Word::Token(_) => sasl::refused(account, &fault.sentence, None, true),
            Word::Password(_) => {
                let sentence = format!(
                    "The witness's log-in of {} was refused. {} Check the user name and the password.",
                    account.user, fault.sentence
                );
                Fault { kind: FaultKind::Login, sentence, ..fault }
            }
        }
    })
}
