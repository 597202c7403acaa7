//! External programs: where they are, which version they are, and what to do about those that are missing.

use super::Finding;
use crate::config::{Config, Tools};
use gatepost_tools::{
    find,
    imapsync::{is_known, missing_module},
    version,
};
use std::path::{Path, PathBuf};

/// Where the package puts the script that finds or installs them.
const INSTALLER: &str = "/usr/share/gatepost/install-migration-tools.sh";

/// How a program tells its version, and what to do where it is missing.
struct Wanted {
    check: &'static str,
    found: Option<PathBuf>,
    /// Whether a variable says where it is.
    told: bool,
    /// The program that knows the version, where it is another one, and its argument.
    version_of: Option<PathBuf>,
    argument: &'static str,
    advice: &'static str,
}

/// Looks for all of them. None is needed: the built-in engine does without.
pub async fn examine(config: &Config) -> Vec<Finding> {
    let work = config.core.data_path.join("work").join(format!("doctor-{}", std::process::id()));
    let mut findings = Vec::new();
    let mut missing = false;
    for wanted in wanted(&config.tools) {
        missing |= wanted.found.is_none();
        findings.push(finding(wanted, &work).await);
    }
    let _ = std::fs::remove_dir_all(&work);
    if missing {
        let script = if Path::new(INSTALLER).exists() { INSTALLER } else { "scripts/install-migration-tools.sh" };
        let message = format!("{script} installs what Debian and Ubuntu have, and names what must be fetched by hand");
        findings.push(Finding::ok("external programs", message));
    }
    findings.extend(doveadm_config(&config.tools));
    findings.extend(zmmailbox(&config.tools));
    findings
}

fn wanted(tools: &Tools) -> [Wanted; 5] {
    let doveadm = tools.find_doveadm();
    [
        Wanted {
            check: "imapsync",
            found: tools.find_imapsync(),
            told: tools.imapsync.is_some(),
            version_of: None,
            argument: "--version",
            advice: "no package has it: fetch it from imapsync.lamiral.info, with the Perl modules that it names, and set \
                     MIGRATION_IMAPSYNC_BIN",
        },
        Wanted {
            check: "readpst",
            found: tools.find_readpst(),
            told: tools.readpst.is_some(),
            version_of: None,
            argument: "-V",
            advice: "apt-get install pst-utils",
        },
        Wanted {
            check: "imap-upload",
            found: tools.find_imap_upload(),
            told: tools.imap_upload.is_some(),
            version_of: None,
            argument: "--version",
            advice: "no package has it: clone rgladwell/imap-upload and set MIGRATION_IMAP_UPLOAD",
        },
        Wanted {
            check: "doveadm",
            // It does not tell its version; the server that it comes with does.
            version_of: find(None, None, &["dovecot"]).or_else(|| Some("/usr/sbin/dovecot".into())),
            found: doveadm,
            told: tools.doveadm.is_some(),
            argument: "--version",
            advice: "apt-get install dovecot-core; needed only where the new server's Dovecot runs on this machine",
        },
        Wanted {
            check: "ssh",
            found: find(None, None, &["ssh"]),
            told: false,
            version_of: None,
            argument: "-V",
            advice: "apt-get install openssh-client; needed for zmmailbox and for dsync over SSH",
        },
    ]
}

async fn finding(wanted: Wanted, work: &Path) -> Finding {
    let Some(path) = wanted.found else {
        return if wanted.told {
            Finding::warn(wanted.check, "is not where its variable says", "correct the variable, or remove it")
        } else {
            Finding::warn(wanted.check, "not found; the built-in engine does without", wanted.advice)
        };
    };
    let asked = wanted.version_of.unwrap_or_else(|| path.clone());
    let script = asked.extension().is_some_and(|e| e == "py");
    let told = if script { None } else { version(&asked, wanted.argument, work).await };
    let place = path.display();
    match told {
        Some(told) => {
            let short: String = told.chars().take(100).collect();
            imapsync(wanted.check, &place.to_string(), &told)
                .unwrap_or_else(|| Finding::ok(wanted.check, format!("{place} ({short})")))
        }
        None if script => Finding::ok(wanted.check, place.to_string()),
        None => Finding::warn(
            wanted.check,
            format!("{place} does not tell its version"),
            format!("start it by hand: {place} {}", wanted.argument),
        ),
    }
}

/// What is wrong with an imapsync by what it says of itself. Perl names one missing module at a time.
fn imapsync(check: &'static str, place: &str, told: &str) -> Option<Finding> {
    if check != "imapsync" || is_known(told) {
        return None;
    }
    if let Some(module) = missing_module(told) {
        let package = format!("lib{}-perl", module.replace("::", "-").to_ascii_lowercase());
        let advice =
            format!("apt-get install {package}, or cpan {module}; then look again, for it names one at a time");
        return Some(Finding::warn(check, format!("{place} does not start without the Perl module {module}"), advice));
    }
    let told: String = told.chars().take(100).collect();
    Some(Finding::warn(
        check,
        format!("{place} calls itself {told:?}; Gatepost knows the words of 2.229 to 2.314"),
        "fetch one of these from imapsync.lamiral.info; what another says may be misunderstood, though no proof rests on it",
    ))
}

fn doveadm_config(tools: &Tools) -> Option<Finding> {
    tools.find_doveadm()?;
    let config = tools.doveadm_config();
    Some(if config.exists() {
        Finding::ok("doveadm settings", format!("would be those of {}", config.display()))
    } else {
        let advice = "set MIGRATION_DOVEADM_CONFIG where the new server's Dovecot runs on this machine";
        Finding::ok("doveadm settings", format!("{} is not there; {advice}", config.display()))
    })
}

fn zmmailbox(tools: &Tools) -> Option<Finding> {
    let to = tools.carbonio_ssh.as_ref()?;
    let user = tools.zmmailbox_user.as_deref().or(to.user.as_deref()).unwrap_or("the user who logs in");
    Some(match tools.ssh().and_then(|ssh| ssh.ready(to).map_err(|trouble| trouble.to_string())) {
        Ok(()) => {
            Finding::ok("zmmailbox", format!("would be run as {user} by ssh on {to}, whose host key was confirmed"))
        }
        Err(sentence) => Finding::warn("zmmailbox", sentence, "mailboxes can be moved natively or by HTTPS meanwhile"),
    })
}
