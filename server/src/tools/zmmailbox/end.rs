//! One end of a move: a server that exports or imports a mailbox, by zmmailbox over SSH or by HTTPS.

use super::web::Web;
use crate::config::Tools;
use gatepost_contract::Level;
use gatepost_core::{Access, ToolRun};
use gatepost_tools::{
    Exit, Line, Piped, ToolError, run_piped,
    ssh::{Destination, Said, Ssh, Unquotable},
    zmmailbox::{Action, Call, WHOLE, failure},
};
use gatepost_transfer::{Fault, FaultKind};
use std::time::Duration;
use tokio::io::{DuplexStream, sink};

/// How many lines of a program get into the run's log; its own log has all of them.
const NOTED: usize = 100;
/// How long trying an end may take.
const LOOK: Duration = Duration::from_secs(120);

/// How it went.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    /// The program's exit code, where there was a program.
    pub exit: Option<i32>,
    /// What went wrong, and whether another try may go better.
    pub failure: Option<(String, bool)>,
    /// The mailbox holds nothing that could be exported.
    pub nothing: bool,
}

impl Outcome {
    pub fn failed(sentence: String, again: bool) -> Self {
        Self { failure: Some((sentence, again)), ..Self::default() }
    }
}

/// One end.
pub(super) struct End<'a> {
    access: &'a Access,
    way: Way<'a>,
}

enum Way<'a> {
    Ssh { ssh: Ssh, to: Destination, user: Option<&'a str> },
    Web(Web),
}

impl<'a> End<'a> {
    /// The old server, by the way that its mailbox names.
    pub fn of_source(tools: &Tools, access: &'a Access) -> Result<Self, Fault> {
        match &access.ssh {
            Some(to) => {
                let to = to.parse::<Destination>();
                let to = to.map_err(|error| setting(format!("The old server's SSH address {error}.")))?;
                // The setting names the user of the new server; the old one may be of the other kind.
                Ok(Self { access, way: Way::Ssh { ssh: tools.ssh().map_err(setting)?, to, user: None } })
            }
            None => Ok(Self { access, way: Way::Web(Web::of_source(access)?) }),
        }
    }

    /// The new server, by the way that the settings name for it. They are not for any other that a job may have.
    pub fn of_dest(tools: &'a Tools, access: &'a Access) -> Result<Self, Fault> {
        let is = |host: Option<&str>| host.is_some_and(|host| host.eq_ignore_ascii_case(&access.host));
        let named = is(tools.carbonio_host.as_deref()) || is(tools.carbonio_ssh.as_ref().map(|to| to.host.as_str()));
        if !named || (tools.carbonio_ssh.is_none() && tools.carbonio_url.is_none()) {
            return Ok(Self { access, way: Way::Web(Web::of_dest(access, None)?) });
        }
        is_proved(tools, access)?;
        let way = match &tools.carbonio_ssh {
            Some(to) => {
                let (ssh, user) = (tools.ssh().map_err(setting)?, tools.zmmailbox_user.as_deref());
                Way::Ssh { ssh, to: to.clone(), user }
            }
            None => Way::Web(Web::of_dest(access, tools.carbonio_url.as_deref())?),
        };
        Ok(Self { access, way })
    }

    /// Whose mailbox.
    pub fn mailbox(&self) -> &str {
        self.access.owner()
    }

    /// What people call it.
    pub fn label(&self) -> String {
        match &self.way {
            Way::Ssh { to, .. } => format!("zmmailbox on {to}"),
            Way::Web(web) => web.label(),
        }
    }

    /// What it must be told after an archive that came whole.
    pub const fn word(&self) -> &'static [u8] {
        match &self.way {
            Way::Ssh { .. } => WHOLE.as_bytes(),
            // The body of a request has an end of its own.
            Way::Web(_) => &[],
        }
    }

    /// Whether it may be used: its host key was confirmed.
    pub fn ready(&self) -> Result<(), Fault> {
        match &self.way {
            Way::Ssh { ssh, to, .. } => {
                ssh.ready(to).map_err(|trouble| Fault::new(FaultKind::Forbidden, trouble.to_string()))
            }
            Way::Web(_) => Ok(()),
        }
    }

    /// Exports into a stream, or imports from it.
    pub async fn transfer(&self, action: Action, stream: DuplexStream, run: ToolRun<'_>) -> Result<Outcome, Fault> {
        match &self.way {
            Way::Ssh { .. } => {
                let piped = match action {
                    Action::Import => Piped { input: Some(Box::new(stream)), output: None },
                    _ => Piped { input: None, output: Some(Box::new(stream)) },
                };
                self.call(action, piped, run).await
            }
            Way::Web(web) => {
                let asked = async {
                    match action {
                        Action::Import => web.import(stream).await,
                        _ => web.export(stream).await,
                    }
                };
                tokio::select! {
                    outcome = asked => Ok(outcome),
                    () = run.cancel.cancelled() => Ok(Outcome::failed(format!("{} was stopped.", self.label()), true)),
                }
            }
        }
    }

    /// Tries whether it would do its work, and changes nothing.
    pub async fn look(&self, run: ToolRun<'_>) -> Result<Outcome, Fault> {
        let looked = async {
            match &self.way {
                // What it prints is of no interest.
                Way::Ssh { .. } => {
                    let piped = Piped { input: None, output: Some(Box::new(sink())) };
                    self.call(Action::Look, piped, run).await
                }
                Way::Web(web) => Ok(web.look().await),
            }
        };
        tokio::select! {
            outcome = tokio::time::timeout(LOOK, looked) => outcome.unwrap_or_else(|_| {
                let sentence = format!("{} did not answer within {} seconds.", self.label(), LOOK.as_secs());
                Ok(Outcome::failed(sentence, true))
            }),
            () = run.cancel.cancelled() => Err(Fault::cancelled()),
        }
    }

    async fn call(&self, action: Action, piped: Piped, run: ToolRun<'_>) -> Result<Outcome, Fault> {
        let Way::Ssh { ssh, to, user } = &self.way else { return Err(setting("It is not reached by SSH.".to_owned())) };
        let call = Call { ssh, to, user: *user, mailbox: self.mailbox(), action };
        let mut program = call.program(run.work).map_err(|error: Unquotable| setting(error.to_string()))?;
        program.log = Some(run.log.to_owned());
        if let Some(folder) = run.log.parent() {
            std::fs::create_dir_all(folder).map_err(|error| setting(error.to_string()))?;
        }
        let (mut said, mut noted) = (Said::default(), 0);
        let mut on_line = |line: Line| {
            said.take(&line);
            noted += 1;
            if noted <= NOTED {
                (run.note)(Level::Debug, format!("{to}: {}", line.text.trim()));
            }
        };
        let ended = run_piped(program, piped, &mut on_line, run.cancel).await.map_err(|error| match error {
            error @ ToolError::Missing { .. } => Fault::new(FaultKind::Internal, error.to_string()),
            error @ ToolError::Failed { .. } => {
                Fault::new(FaultKind::Internal, "ssh could not be run; the server's log has the cause.").because(error)
            }
        })?;
        let failure = failure(&ended, &said, &call);
        let nothing = action == Action::Export
            && said.lines().iter().any(|line| line.contains("No Content") || line.contains("status=204"));
        let exit = match ended.exit {
            Exit::Code(code) => Some(code),
            Exit::Signal(_) => None,
        };
        Ok(Outcome { exit, failure: failure.filter(|_| !nothing), nothing })
    }
}

pub(super) fn setting(sentence: String) -> Fault {
    Fault::new(FaultKind::WrongService, sentence)
}

/// What the settings name for the new server is used with its own rights, so it must be the server that the job reads.
fn is_proved(tools: &Tools, access: &Access) -> Result<(), Fault> {
    if tools.trusts(access) {
        return Ok(());
    }
    Err(setting(format!(
        "zmmailbox is used at {} only where the job reads it at the IMAP port of the settings (MIGRATION_DEST_IMAP_PORT, or \
         the usual one) and by a verified TLS connection. Correct the job's new server, or choose the tool native.",
        access.host
    )))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tools::zmmailbox::web::tests::access;
    use gatepost_contract::Security;

    #[test]
    fn the_new_servers_ways_serve_only_its_own_port_by_verified_tls() {
        let tools = Tools {
            carbonio_host: Some("mail.example.net".to_owned()),
            carbonio_url: Some("https://mail.example.net:8443".to_owned()),
            ..Tools::default()
        };
        let right = access("ana", None);
        let local = Access { host: "127.0.0.1".to_owned(), port: 1143, security: Security::Plain, ..right.clone() };
        let of_local = Tools { carbonio_host: Some(local.host.clone()), carbonio_port: Some(1143), ..tools.clone() };
        for (tools, access, label) in [
            (&tools, right.clone(), Some("https://mail.example.net:8443")),
            (
                &tools,
                Access { security: Security::Starttls, port: 143, ..right.clone() },
                Some("https://mail.example.net:8443"),
            ),
            (&tools, Access { port: 9993, ..right.clone() }, None),
            (&tools, Access { insecure_tls: true, ..right.clone() }, None),
            (&tools, Access { security: Security::Plain, port: 143, ..right.clone() }, None),
            (&tools, Access { host: "other.example".to_owned(), port: 9993, ..right }, Some("https://other.example")),
            (&of_local, local.clone(), Some("https://mail.example.net:8443")),
            (&of_local, Access { port: 143, ..local }, None),
        ] {
            let end = End::of_dest(tools, &access);
            assert_eq!(end.ok().map(|end| end.label()).as_deref(), label, "{access:?}");
        }
    }
}
