//! External programs on this machine: where they lie, how they are called, what is made of their words.

mod doveadm;
mod imapsync;
mod ssh;
mod zmmailbox;

use crate::{config::Tools, drivers::account, loopback::is_loopback};
use async_trait::async_trait;
use gatepost_contract::{Level, Security, Tool};
use gatepost_core::{Access, EngineJob, EngineSaid, ExternalTools, MboxUpload, MboxUploaded, ToolRun};
use gatepost_imap::Relay;
use gatepost_tools::{Ended, Line, Program, Stop, Stream, ToolError, find, imap_upload, readpst};
use gatepost_transfer::{Fault, FaultKind};
use std::path::{Path, PathBuf};

/// How many complaints of a program get a line each in the run's log; its own log has all of them.
const COMPLAINTS_NOTED: u64 = 200;

impl Tools {
    /// Where readpst is.
    #[must_use]
    pub fn find_readpst(&self) -> Option<PathBuf> {
        find(self.readpst.as_deref(), self.path.as_deref(), &["readpst"])
    }

    /// Where imap_upload.py is.
    #[must_use]
    pub fn find_imap_upload(&self) -> Option<PathBuf> {
        find(self.imap_upload.as_deref(), self.path.as_deref(), &["imap_upload.py"])
    }

    /// Whether a job reads its new server in a way that proves it to be the one of the settings: at the IMAP port of the
    /// settings, or the usual one, by a verified TLS connection or on this machine. What arrives is looked at there; at a
    /// port or behind a certificate that anybody may hold, something else could say that all is well.
    fn trusts(&self, dest: &Access) -> bool {
        let port = self.carbonio_port.unwrap_or(dest.security.default_port());
        let verified = dest.security != Security::Plain && !dest.insecure_tls;
        dest.port == port && (verified || is_loopback(&dest.host))
    }
}

#[async_trait]
impl ExternalTools for Tools {
    async fn end_leftovers(&self, below: &Path) -> Result<u32, Fault> {
        let below = below.to_owned();
        let looked = tokio::task::spawn_blocking(move || gatepost_tools::end_leftovers(&below)).await;
        looked.map_err(std::io::Error::other).flatten().map_err(|error| {
            let sentence = "What an interrupted run may have left running could not be looked for; the server's log has the \
                            cause.";
            Fault::new(FaultKind::Internal, sentence).because(error)
        })
    }

    async fn engine(&self, job: EngineJob<'_>, run: ToolRun<'_>) -> Result<EngineSaid, Fault> {
        match job.tool {
            Tool::Imapsync => imapsync::sync(self, job, run).await,
            Tool::Doveadm => doveadm::sync(self, job, run).await,
            Tool::Zmmailbox => zmmailbox::transfer(self, job, run).await,
            other => Err(no_engine(other)),
        }
    }

    async fn try_engine(&self, job: EngineJob<'_>, run: ToolRun<'_>) -> Result<EngineSaid, Fault> {
        match job.tool {
            Tool::Imapsync => imapsync::check(self, job, run).await,
            Tool::Doveadm => doveadm::check(self, job, run).await,
            Tool::Zmmailbox => zmmailbox::check(self, job, run).await,
            other => Err(no_engine(other)),
        }
    }

    async fn readpst(&self, pst: &Path, into: &Path, run: ToolRun<'_>) -> Result<(), Fault> {
        let program = self.find_readpst().ok_or_else(|| {
            missing("readpst", "MIGRATION_READPST_BIN", "install it (Debian and Ubuntu: apt-get install pst-utils)")
        })?;
        let mut report = readpst::Report::default();
        let mut told = 0;
        let program = Program { log: Some(run.log.to_owned()), ..readpst::extract(&program, pst, into, run.work) };
        let ended = start(program, run, &mut |line| {
            report.take(&line);
            if report.complained > told {
                told = report.complained;
                if told <= COMPLAINTS_NOTED {
                    (run.note)(Level::Warn, format!("readpst: {}", line.text.trim()));
                }
            }
        })
        .await?;
        if let Some(sentence) = readpst::failure(&ended, &report) {
            return Err(Fault::new(FaultKind::Damaged, sentence));
        }
        let done: u64 = report.folders.iter().map(|folder| folder.done).sum();
        let (skipped, folders) =
            (report.folders.iter().map(|folder| folder.skipped).sum::<u64>(), report.folders.len());
        let sentence = format!("readpst says: {done} items done and {skipped} skipped in {folders} folders.");
        (run.note)(Level::Info, sentence);
        Ok(())
    }

    async fn imap_upload(
        &self,
        access: Access,
        uploads: &[MboxUpload<'_>],
        run: ToolRun<'_>,
    ) -> Result<Vec<MboxUploaded>, Fault> {
        let script = self.find_imap_upload().ok_or_else(|| {
            missing("imap_upload.py", "MIGRATION_IMAP_UPLOAD", "fetch it from github.com/rgladwell/imap-upload")
        })?;
        let user = access.user.clone();
        let relay = Relay::open(account(access)).await?;
        let mut all = Vec::with_capacity(uploads.len());
        for (number, upload) in uploads.iter().enumerate() {
            let call = imap_upload::Upload {
                script: &script,
                server: relay.address(),
                user: &user,
                folder: upload.folder,
                mbox: upload.mbox,
                errors: upload.errors,
            };
            let log = run.log.with_extension(format!("{number}.gz"));
            let program = Program { log: Some(log), ..call.program(&relay.word().0, run.work) };
            let mut report = imap_upload::Report::default();
            let ended = start(program, run, &mut |line| {
                report.take(&line);
                if line.stream == Stream::Err {
                    (run.note)(Level::Debug, format!("imap_upload.py: {}", line.text.trim()));
                }
            })
            .await?;
            if let Some(fault) = relay.fault() {
                return Err(fault);
            }
            let failure = report.figures.is_none().then(|| imap_upload::failure(&ended, &report)).flatten();
            let ended_early = failure.is_some();
            all.push(MboxUploaded {
                stored: report.figures.map_or(0, |figures| figures.ok),
                refused: report.refusals,
                failure,
            });
            if ended_early {
                break;
            }
        }
        Ok(all)
    }
}

/// Runs a program; a person's wish to stop is a fault of its own.
async fn start(program: Program, run: ToolRun<'_>, on_line: &mut (dyn FnMut(Line) + Send)) -> Result<Ended, Fault> {
    let ended = gatepost_tools::run(program, on_line, run.cancel).await.map_err(|error| match error {
        error @ ToolError::Missing { .. } => Fault::new(FaultKind::Internal, error.to_string()),
        error @ ToolError::Failed { .. } => {
            Fault::new(FaultKind::Internal, "An external program could not be run; the server's log has the cause.")
                .because(error)
        }
    })?;
    if ended.left_running > 0 {
        let sentence = format!("{} processes that the program had left running were ended.", ended.left_running);
        (run.note)(Level::Warn, sentence);
    }
    if ended.stopped == Some(Stop::Cancelled) {
        return Err(Fault::cancelled());
    }
    Ok(ended)
}

fn no_engine(tool: Tool) -> Fault {
    Fault::new(FaultKind::Internal, format!("{tool} does not move whole accounts."))
}

fn missing(program: &str, variable: &str, advice: &str) -> Fault {
    let sentence = format!(
        "{program} is not installed on this server. Either {advice} and name its place in {variable}, or choose the tool \
         native, which needs no other program."
    );
    Fault::new(FaultKind::Internal, sentence)
}
