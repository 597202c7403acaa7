//! Looking at a server without logging in: who answers, and what it can do.

use crate::{account::Account, connection::Connection, net, session::Session, wire::Command, wire::printable};
use gatepost_transfer::Fault;

/// The longest greeting that is kept, in characters.
const GREETING: usize = 300;
/// The most capabilities that are kept.
const MOST: usize = 100;

/// What a server says before anybody logs in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Look {
    /// Its greeting; none behind STARTTLS, where what was said before does not count.
    pub greeting: Option<String>,
    /// Its capabilities, upper case.
    pub capabilities: Vec<String>,
}

/// Connects, reads the greeting, asks for the capabilities and says goodbye. Neither user nor secret of the account are
/// used.
///
/// # Errors
/// Those of connecting, each with a sentence of its own; what answers is no IMAP server.
pub async fn look(account: &Account) -> Result<Look, Fault> {
    let net::Greeted { stream, greeting } = net::connect(account, false).await?;
    let mut session = Session::new(Connection::new(stream, account.server()));
    session.run_ok(&Command::new("CAPABILITY"), |_| {}).await?;
    let capabilities = session.capabilities.iter().take(MOST).cloned().collect();
    session.log_out().await;
    Ok(Look { greeting: greeting.map(|line| printable(&line, GREETING).trim_end().to_owned()), capabilities })
}
