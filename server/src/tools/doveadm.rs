//! How accounts are moved by doveadm: the new server's Dovecot, which runs on this machine, pulls the mail in.
//!
//! The old server is reached by imapc through a relay, as its user; its secret never leaves this process. Folders that
//! are empty at the new server come by dsync, which keeps their UIDs: by SSH where the mailbox names a machine for that,
//! else by imapc. What is pending in all others is copied message by message.

mod folder;

use crate::{config::Tools, drivers::account};
use gatepost_contract::Level;
use gatepost_core::{Access, EngineJob, EngineRefusal, EngineSaid, ToolRun};
use gatepost_imap::{ImapDriver, Relay};
use gatepost_tools::{
    Program,
    doveadm::{self, Doveadm, End, From, Imapc, Report},
    find,
    ssh::{Destination, Said, Ssh, line},
};
use gatepost_transfer::{Driver, Fault, FaultKind};
use serde_json::{Map, Value, json};
use std::{
    fs::OpenOptions,
    io::Write,
    path::{Path, PathBuf},
};

/// The configuration of a Dovecot that was installed as a package.
const USUAL: &str = "/etc/dovecot/dovecot.conf";

impl Tools {
    /// Where doveadm is.
    #[must_use]
    pub fn find_doveadm(&self) -> Option<PathBuf> {
        find(self.doveadm.as_deref(), self.path.as_deref(), &["doveadm"])
    }

    /// The configuration of the Dovecot that doveadm works for.
    #[must_use]
    pub fn doveadm_config(&self) -> PathBuf {
        self.doveadm_config.clone().unwrap_or_else(|| USUAL.into())
    }
}

/// Moves an account.
pub(super) async fn sync(tools: &Tools, job: EngineJob<'_>, run: ToolRun<'_>) -> Result<EngineSaid, Fault> {
    let mut call = Call::open(tools, job, run).await?;
    call.is_the_mailbox().await?;
    if let Some(remote) = &call.remote {
        call.reaches(remote).await?;
    }
    let mut outcome = Outcome::default();
    for folder in job.folders {
        if run.cancel.is_cancelled() {
            return Err(Fault::cancelled());
        }
        let go_on = call.folder(folder, &mut outcome).await?;
        if let Some(fault) = call.relay.fault() {
            return Err(fault);
        }
        if !go_on {
            break;
        }
    }
    Ok(outcome.said())
}

/// Tries both ends, without changing anything.
pub(super) async fn check(tools: &Tools, job: EngineJob<'_>, run: ToolRun<'_>) -> Result<EngineSaid, Fault> {
    let mut call = Call::open(tools, job, run).await?;
    call.is_the_mailbox().await?;
    let mut lines = Map::new();
    let inbox = call.inbox()?;
    let (end, status) = call.status(&inbox).await?;
    let Some((messages, ..)) = status else {
        let fault = call.relay.fault().map(|fault| fault.sentence);
        let words = fault.unwrap_or_else(|| sentence(end, "doveadm says nothing of the old server's INBOX."));
        return Ok(EngineSaid { failure: Some(words), ..EngineSaid::default() });
    };
    lines.insert("inbox_source".to_owned(), messages.into());
    let words = format!("doveadm reads the old server by imapc and finds {messages} messages in its INBOX.");
    (run.note)(Level::Info, words);
    if let Some(remote) = &call.remote {
        call.reaches(remote).await?;
        (run.note)(Level::Info, format!("doveadm of {} answers by SSH.", remote.to));
    }
    Ok(EngineSaid { stats: lines, ..EngineSaid::default() })
}

/// doveadm writes into any mailbox of this machine's Dovecot. So it is used only for jobs whose new server is the one that
/// the settings name, and is proved to be: whoever chooses another one, or can answer in its place, could have mail
/// written into somebody's mailbox here.
fn is_for_doveadm(tools: &Tools, dest: &Access) -> Result<(), Fault> {
    let named = tools.carbonio_host.as_deref().is_some_and(|host| host.eq_ignore_ascii_case(&dest.host));
    if named && tools.trusts(dest) {
        return Ok(());
    }
    let sentence = format!(
        "doveadm writes to the Dovecot of this machine, and nothing says that {}, port {}, is that Dovecot. It is used only \
         where the job's new server is the one of MIGRATION_DEST_IMAP_HOST, at the port of MIGRATION_DEST_IMAP_PORT or the \
         usual one, by a verified TLS connection. Correct the job's new server, or choose the tool native.",
        dest.host, dest.port
    );
    Err(Fault::new(FaultKind::WrongService, sentence))
}

/// The old server's machine, where doveadm is run by SSH.
struct Remote {
    ssh: Ssh,
    to: Destination,
    user: String,
}

/// Everything that calls of doveadm need.
struct Call<'a> {
    job: EngineJob<'a>,
    run: ToolRun<'a>,
    program: PathBuf,
    user: String,
    /// Settings with the old server as a namespace, and without.
    copying: PathBuf,
    filling: PathBuf,
    separator: char,
    relay: Relay,
    remote: Option<Remote>,
}

impl<'a> Call<'a> {
    async fn open(tools: &Tools, job: EngineJob<'a>, run: ToolRun<'a>) -> Result<Self, Fault> {
        is_for_doveadm(tools, job.dest)?;
        let program = tools.find_doveadm().ok_or_else(|| {
            super::missing(
                "doveadm",
                "MIGRATION_DOVEADM_BIN",
                "install it (Debian and Ubuntu: apt-get install dovecot-core)",
            )
        })?;
        let config = tools.doveadm_config();
        if !config.exists() {
            let sentence = format!(
                "{} is not there. doveadm works where the new server's Dovecot runs: name its configuration in \
                 MIGRATION_DOVEADM_CONFIG, or choose the tool native.",
                config.display()
            );
            return Err(Fault::new(FaultKind::WrongService, sentence));
        }
        let user = unsayable(doveadm::user(job.dest.owner()))?.to_owned();
        let remote = match &job.source.ssh {
            Some(to) => Some(Remote {
                ssh: tools.ssh().map_err(|sentence| Fault::new(FaultKind::WrongService, sentence))?,
                to: to.parse().map_err(|error| {
                    Fault::new(FaultKind::WrongService, format!("The machine for SSH, {to:?}, {error}."))
                })?,
                user: unsayable(doveadm::user(job.source.owner()))?.to_owned(),
            }),
            None => None,
        };
        if let Some(remote) = &remote {
            remote.ssh.ready(&remote.to).map_err(|trouble| Fault::new(FaultKind::WrongService, trouble.to_string()))?;
        }
        let relay = Relay::paced(account(job.source.clone()), None, job.throttle.clone()).await?;
        let names = job.folders.iter().map(|f| (f.source.native.as_str(), f.source.path.levels()));
        let separator = doveadm::separator(names);
        let imapc = Imapc { server: relay.address(), word: &relay.word().0, separator };
        let (copying, filling) = (run.work.join("copy.conf"), run.work.join("fill.conf"));
        for (path, namespace) in [(&copying, true), (&filling, false)] {
            write_private(path, &imapc.settings(&config, namespace)).map_err(|error| {
                Fault::new(FaultKind::Internal, "The settings for doveadm could not be written.").because(error)
            })?;
        }
        Ok(Self { job, run, program, user, copying, filling, separator, relay, remote })
    }

    fn doveadm<'s>(&'s self, settings: &'s Path) -> Doveadm<'s> {
        Doveadm { program: &self.program, settings, user: &self.user, work: self.run.work }
    }

    fn name_at_source(&self, folder: &str) -> String {
        Imapc { server: self.relay.address(), word: "", separator: self.separator }.name(folder)
    }

    fn inbox(&self) -> Result<String, Fault> {
        let inbox = self.job.folders.iter().find(|folder| folder.source.path.is_inbox());
        Ok(self.name_at_source(inbox.map_or("INBOX", |folder| &folder.source.native)))
    }

    /// Runs doveadm; its errors get lines in the run's log.
    async fn run(&self, program: Program) -> Result<(End, Report), Fault> {
        self.run_into(program, Some(self.run.log.to_owned())).await
    }

    async fn run_into(&self, program: Program, log: Option<PathBuf>) -> Result<(End, Report), Fault> {
        let mut report = Report::default();
        let program = Program { log, ..program };
        let ended = super::start(program, self.run, &mut |line| {
            if let Some(words) = report.take(&line) {
                (self.run.note)(Level::Debug, format!("doveadm: {words}"));
            }
        })
        .await?;
        Ok((End::of(&ended, &report), report))
    }

    /// Messages, next UID and UIDVALIDITY of a folder, as doveadm knows it.
    async fn status(&self, folder: &str) -> Result<(End, Option<(u64, u64, u64)>), Fault> {
        let (end, report) = self.run(self.doveadm(&self.copying).status(folder)).await?;
        let status = if end == End::Fine { doveadm::status(&report.answers, folder) } else { None };
        Ok((end, status))
    }

    /// Whether the mailbox that doveadm writes to is the one that the new server shows: another Dovecot on this machine may
    /// know a user of the same name.
    async fn is_the_mailbox(&mut self) -> Result<(), Fault> {
        let mut shown = ImapDriver::new(account(self.job.dest.clone())).destination().await?;
        let inbox = async {
            let folders = shown.folders().await?;
            let inbox = folders.into_iter().find(|folder| folder.path.is_inbox());
            let inbox = inbox.ok_or_else(|| Fault::new(FaultKind::WrongService, "The new mailbox has no INBOX."))?;
            Ok::<_, Fault>((shown.open(&inbox).await?.uid_validity, inbox))
        }
        .await;
        shown.close().await;
        let (uid_validity, inbox) = inbox?;
        // What it says is kept nowhere: whoever knew it could have another server show the same.
        let (end, report) = self.run_into(self.doveadm(&self.copying).status(&inbox.native), None).await?;
        let own = if end == End::Fine { doveadm::status(&report.answers, &inbox.native) } else { None };
        match (end, own) {
            (_, Some((_, _, own))) if own == u64::from(uid_validity) => Ok(()),
            (end @ (End::Again(_) | End::Full(_) | End::Hopeless(_) | End::Failed(_)), _) => {
                Err(Fault::new(FaultKind::WrongService, sentence(end, "")))
            }
            _ => {
                let sentence = format!(
                    "doveadm on this machine does not work on the mailbox that {} shows: {} has another UIDVALIDITY there. \
                     Nothing was copied. MIGRATION_DOVEADM_CONFIG must be the configuration of {}; where its Dovecot runs \
                     on another machine, choose the tool native.",
                    self.job.dest.host, inbox.native, self.job.dest.host
                );
                Err(Fault::new(FaultKind::WrongService, sentence))
            }
        }
    }

    /// Whether doveadm answers at the old server by SSH, and knows the user.
    async fn reaches(&self, remote: &Remote) -> Result<(), Fault> {
        match self.remote_status(remote, "INBOX").await? {
            (End::Fine, _) => Ok(()),
            (other, _) => {
                let words = sentence(other, "");
                let sentence = format!("doveadm on {} cannot be used by SSH. {words}", remote.to);
                Err(Fault::new(FaultKind::WrongService, sentence))
            }
        }
    }

    /// Messages, next UID and UIDVALIDITY of a folder, as doveadm knows it at the old server by SSH.
    async fn remote_status(&self, remote: &Remote, folder: &str) -> Result<(End, Option<(u64, u64, u64)>), Fault> {
        let what = "messages uidnext uidvalidity";
        let words = ["doveadm", "-f", "tab", "mailbox", "status", "-u", &remote.user, what, "--", folder];
        let program = remote
            .ssh
            .command(&remote.to, words, self.run.work)
            .map_err(|error| Fault::new(FaultKind::WrongService, error.to_string()))?;
        let (mut said, mut report) = (Said::default(), Report::default());
        let program = Program { log: Some(self.run.log.to_owned()), ..program };
        let ended = super::start(program, self.run, &mut |line| {
            said.take(&line);
            report.take(&line);
        })
        .await?;
        if let Some(trouble) = said.trouble(&ended, &remote.to, &remote.ssh.known_hosts) {
            let kind = if trouble.passes() { FaultKind::Unreachable } else { FaultKind::WrongService };
            return Err(Fault::new(kind, trouble.to_string()));
        }
        let end = End::of(&ended, &report);
        let status = if end == End::Fine { doveadm::status(&report.answers, folder) } else { None };
        Ok((end, status))
    }

    /// What `doveadm sync` is to take a folder from, which is this by IMAP: its messages and its UIDVALIDITY. By SSH only
    /// where doveadm sees the same there, for it may have a user of the same name that is somebody else; and not where bytes
    /// are to pass slowly, for dsync does not wait for anybody.
    async fn from(&self, folder: &str, by_imap: (u64, u64)) -> Result<From, Fault> {
        let Some(remote) = &self.remote else { return Ok(From::Imapc) };
        if self.job.throttle.rate().is_some() {
            return Ok(From::Imapc);
        }
        let (_, by_ssh) = self.remote_status(remote, folder).await?;
        if by_ssh.map(|(messages, _, uid_validity)| (messages, uid_validity)) != Some(by_imap) {
            let sentence = format!(
                "{folder}: doveadm on {} does not show the folder that {} shows by IMAP. It is taken by IMAP.",
                remote.to, self.job.source.host
            );
            (self.run.note)(Level::Warn, sentence);
            return Ok(From::Imapc);
        }
        let mut arguments = remote.ssh.arguments(&remote.to);
        let command = line(["doveadm", "dsync-server", "-u", &remote.user])
            .map_err(|error| Fault::new(FaultKind::WrongService, error.to_string()))?;
        arguments.push(command.into());
        Ok(From::Command(remote.ssh.program.clone(), arguments))
    }
}

/// What came of all folders.
#[derive(Default)]
struct Outcome {
    filled: u64,
    copied: u64,
    stored: u64,
    troubles: Vec<String>,
    again: bool,
    refused: Vec<EngineRefusal>,
}

impl Outcome {
    /// A folder did not come through.
    fn trouble(&mut self, folder: &str, words: &str, again: bool) {
        self.troubles.push(format!("{folder}: {words}"));
        self.again |= again;
    }

    fn said(mut self) -> EngineSaid {
        if self.stored == 0 && self.filled == 0 {
            // A program that fails at everything says nothing against the messages.
            let words = self.refused.drain(..).map(|refusal| format!("{}: {}", refusal.folder, refusal.cause));
            self.troubles.extend(words);
        }
        let stats = [
            ("folders_by_dsync", self.filled),
            ("folders_by_copy", self.copied),
            ("messages", self.stored),
            ("folders_in_trouble", self.troubles.len() as u64),
        ];
        let failure = match self.troubles.as_slice() {
            [] => None,
            [one] => Some(one.clone()),
            [first, rest @ ..] => {
                Some(format!("{first} {} more folders met trouble; the run's log has each.", rest.len()))
            }
        };
        EngineSaid {
            exit_code: None,
            stats: stats
                .into_iter()
                .map(|(name, value)| (name.to_owned(), json!(value)))
                .collect::<Map<String, Value>>(),
            refused: self.refused,
            failure,
            again: self.again,
        }
    }
}

fn sentence(end: End, otherwise: &str) -> String {
    match end {
        End::Fine => otherwise.to_owned(),
        End::Again(words) | End::Full(words) | End::Hopeless(words) | End::Failed(words) => words,
    }
}

fn unsayable<T>(result: Result<T, doveadm::Unsayable>) -> Result<T, Fault> {
    result.map_err(|error| Fault::new(FaultKind::WrongService, error.to_string()))
}

fn write_private(path: &Path, text: &str) -> std::io::Result<()> {
    use std::os::unix::fs::OpenOptionsExt;
    // A file of an earlier attempt may have other rights.
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?.write_all(text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use gatepost_contract::{Secret, Security};
    use gatepost_core::Credential;

    #[test]
    fn doveadm_serves_only_the_new_server_of_the_settings_at_its_own_port_by_verified_tls() {
        let right = Access {
            host: "mail.example.net".to_owned(),
            port: 993,
            security: Security::Tls,
            insecure_tls: false,
            user: "ana".to_owned(),
            authz: None,
            credential: Credential::Password(Secret(String::new())),
            ssh: None,
            web: None,
            gmail_labels: None,
            ca_file: None,
            allow_plaintext: false,
            allowed_hosts: Vec::new(),
        };
        let tools = Tools { carbonio_host: Some(right.host.to_uppercase()), ..Tools::default() };
        let local = Access { host: "127.0.0.1".to_owned(), port: 1143, security: Security::Plain, ..right.clone() };
        let of_local = Tools { carbonio_host: Some(local.host.clone()), carbonio_port: Some(1143), ..tools.clone() };
        for (tools, dest, serves) in [
            (&tools, right.clone(), true),
            (&Tools::default(), right.clone(), false),
            (&tools, Access { security: Security::Starttls, port: 143, ..right.clone() }, true),
            (&tools, Access { port: 9993, ..right.clone() }, false),
            (&tools, Access { insecure_tls: true, ..right.clone() }, false),
            (&tools, Access { security: Security::Plain, port: 143, ..right.clone() }, false),
            (&tools, Access { host: "other.example".to_owned(), ..right }, false),
            (&of_local, local.clone(), true),
            (&of_local, Access { port: 1144, ..local.clone() }, false),
            (&tools, local, false),
        ] {
            assert_eq!(is_for_doveadm(tools, &dest).is_ok(), serves, "{dest:?}");
        }
    }
}
