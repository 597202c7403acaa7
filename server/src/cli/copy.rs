//! `gatepost copy`: one mailbox, from a server or a file, without the Desk.

mod told;

use super::{
    Exit, Outcome, Usage, password, print_json, print_line,
    progress::Watch,
    serve::ending_by_signal,
    source::{self, Source},
    url::MailboxUrl,
};
use crate::{config::Config, drivers::BuiltIn, loopback::is_loopback};
use anyhow::Context;
use clap::Args;
use gatepost_contract::{SecretInput, Security};
use gatepost_core::GmailLabels;
use gatepost_core::standalone::{CopyProgress, CopyRequest, Endpoint, FailedFolder, Origin, copy};
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
};
use told::{LACKING, Printed, exit_of, in_words, left_over, plainly, planned};

/// Copy one mailbox from a server or a file to an IMAP server, without the Desk
///
/// The source is only read. At the destination folders are made and messages appended; nothing is deleted. It may be
/// interrupted at any moment and run again: what was copied is known from --state and from the destination itself.
#[derive(Debug, Args)]
#[command(after_long_help = "Example:\n  gatepost copy --source imaps://ana%40old.example@mail.old.example \\\n    \
    --dest imaps://ana%40new.example@mail.new.example --source-password-file old.txt --dest-password-file new.txt --verify\n\n\
    A file is read twice, once before anything is sent and once more by --verify; where it lacks mail of its own, because \
    it is cut off for example, that is said and the exit code is 3:\n  gatepost copy --source archive.pst \
    --dest imaps://ana%40new.example@mail.new.example --dest-password-file new.txt --verify\n\n\
    Passwords are read from the files, from GATEPOST_SOURCE_PASSWORD and GATEPOST_DEST_PASSWORD, or asked for on the \
    terminal; OAuth tokens from their files, or from GATEPOST_SOURCE_TOKEN and GATEPOST_DEST_TOKEN.\n\n\
    An administrator copies the mailbox of somebody else with --source-admin or --dest-admin, and the administrator's \
    own password:\n  gatepost copy --source imaps://ana@mail.old.example --source-admin root --source-password-file root.txt …\n\n\
    What a host may be asked for (connections, messages a second, bytes a day, hours) stands in [[host]] of the file of \
    --config.")]
pub struct Copy {
    /// The old mailbox: imaps://USER@HOST[:993], imap+starttls://USER@HOST[:143] or imap://USER@HOST[:143]; or a file
    ///
    /// A file is a PST or OST, an mbox, a folder or zip of .eml files, a Maildir, or a Zimbra .tgz. An @ in the user is written as %40. imap:// sends everything readable and is for this machine only, unless
    /// --allow-plaintext is given.
    #[arg(long, value_name = "URL|FILE")]
    source: String,
    /// The new mailbox: a URL, written alike
    #[arg(long, value_name = "URL")]
    dest: String,
    /// A file whose first line is the old mailbox's password
    #[arg(long, value_name = "FILE")]
    source_password_file: Option<PathBuf>,
    /// A file whose first line is the new mailbox's password
    #[arg(long, value_name = "FILE")]
    dest_password_file: Option<PathBuf>,
    /// A file whose first line is an OAuth 2 access token for the old mailbox, instead of a password
    #[arg(long, value_name = "FILE", conflicts_with = "source_password_file")]
    source_token_file: Option<PathBuf>,
    /// A file whose first line is an OAuth 2 access token for the new mailbox, instead of a password
    #[arg(long, value_name = "FILE", conflicts_with = "dest_password_file")]
    dest_token_file: Option<PathBuf>,
    /// Log in to the old server as this user for the one in the URL (SASL PLAIN, RFC 4616); the password is this user's
    #[arg(long, value_name = "USER", value_parser = login_name)]
    source_admin: Option<String>,
    /// Log in to the new server as this user for the one in the URL
    #[arg(long, value_name = "USER", value_parser = login_name)]
    dest_admin: Option<String>,
    /// Where is recorded what was copied; by default a file for this pair of mailboxes in the XDG state directory
    #[arg(long, value_name = "FILE")]
    state: Option<PathBuf>,
    /// Only these folders of the source, e.g. INBOX 'Archive/*'
    #[arg(long, value_name = "GLOB", num_args = 1..)]
    folders: Vec<String>,
    /// Copy a folder to another place, e.g. --map 'Sent Items=Sent'; may be given several times
    #[arg(long, value_name = "FROM=TO", value_parser = pair)]
    map: Vec<(String, String)>,
    /// From Gmail: a message with several labels arrives in the folder of each, or once, in the first of its folders
    ///
    /// The order for once: INBOX, Sent, Drafts, then the labels by name. In either case "All Mail" brings only the mail
    /// without a label, into the archive.
    #[arg(long, value_name = "RULE", value_enum, default_value_t)]
    gmail_labels: GmailRule,
    /// Connections to each server, 1 to 16; fewer are used where there is less to do or the server grants fewer
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=16))]
    connections: Option<u32>,
    /// Copy so many messages a second at most, e.g. 20 or 0.5
    #[arg(long, value_name = "MESSAGES_PER_SECOND", value_parser = rate)]
    max_rate: Option<f64>,
    /// Show what would be copied where, and copy nothing
    #[arg(long)]
    dry_run: bool,
    /// Re-read both mailboxes afterwards and compare every message
    #[arg(long, conflicts_with = "dry_run")]
    verify: bool,
    /// With --verify: compare the bytes of every message too
    #[arg(long, requires = "verify")]
    deep: bool,
    /// Print one JSON object as the last line
    #[arg(long)]
    json: bool,
    /// Further certificate authorities, in PEM; instead of GATEPOST_CA_FILE
    #[arg(long, value_name = "FILE")]
    ca_file: Option<PathBuf>,
    /// Do not verify the old server's certificate: whoever sits in between can read everything
    #[arg(long)]
    insecure_source: bool,
    /// Do not verify the new server's certificate: whoever sits in between can read everything
    #[arg(long)]
    insecure_dest: bool,
    /// Allow imap:// to other machines: passwords and mail are readable on the way
    #[arg(long)]
    allow_plaintext: bool,
}

/// [`GmailLabels`] as it is written.
#[derive(Clone, Copy, Debug, Default, clap::ValueEnum)]
enum GmailRule {
    #[default]
    Each,
    Once,
}

impl From<GmailRule> for GmailLabels {
    fn from(rule: GmailRule) -> Self {
        match rule {
            GmailRule::Each => Self::Each,
            GmailRule::Once => Self::Once,
        }
    }
}

fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((from, to)) if !from.is_empty() && !to.is_empty() => Ok((from.to_owned(), to.to_owned())),
        _ => Err("must be FROM=TO".to_owned()),
    }
}

fn login_name(text: &str) -> Result<String, String> {
    if text.trim().is_empty() || text.contains(char::is_control) {
        return Err("must be a log-in name".to_owned());
    }
    Ok(text.to_owned())
}

fn rate(text: &str) -> Result<f64, String> {
    let number = text.parse().ok().filter(|rate: &f64| *rate > 0.0 && *rate <= 100_000.0);
    number.ok_or_else(|| "must be a number of messages a second above 0 and at most 100000".to_owned())
}

/// Copies, shows how far it is, and sums up.
pub async fn run(copy_args: Copy, config: Config) -> Outcome {
    let json = copy_args.json;
    let ending = ending_by_signal()?;
    let mut request = request(copy_args, &config, ending)?;
    let mut losses = Vec::new();
    if let Origin::File(access) = &mut request.source {
        let read = source::read_through(access, json, &request.cancel).await;
        let Some(found) = read.map_err(|error| plainly(error, &request.state))? else {
            eprintln!("Interrupted while the file was read; nothing was copied. Run the same command again.");
            return Ok(Exit::Interrupted);
        };
        source::warn(&found.losses, &found.damage);
        losses = found.losses;
    }
    let server = match &request.source {
        Origin::Server(end) => Some(("source", end)),
        Origin::File(_) => None,
    };
    for (side, end) in server.into_iter().chain([("destination", &request.dest)]) {
        if end.insecure_tls {
            eprintln!("Warning: the certificate of the {side} ({}) is not verified.", end.host);
        }
        if end.security == Security::Plain && !is_loopback(&end.host) {
            eprintln!("Warning: the connection to the {side} ({}) is not encrypted.", end.host);
        }
    }
    let dry_run = request.dry_run;
    let state = request.state.clone();
    let work = match &request.source {
        Origin::Server(_) => None,
        Origin::File(access) => Some(access.work.clone()),
    };
    let plan: Arc<Mutex<BTreeMap<String, (u64, u64)>>> = Arc::default();
    let watch = Watch::new(json);
    let summary = {
        let plan = Arc::clone(&plan);
        let watch = watch.clone();
        let show = move |progress| {
            if let CopyProgress::Folder { source, begun: true, total, bytes_total, .. } = &progress
                && let Ok(mut plan) = plan.lock()
            {
                plan.insert(source.clone(), (*total, *bytes_total));
            }
            watch.show(progress);
        };
        copy(request, Arc::new(BuiltIn::default()), show).await
    };
    watch.finish();
    // It is empty by now; where it is not, the next run clears it.
    work.map(std::fs::remove_dir);
    let summary = summary.map_err(|error| plainly(error.into(), &state))?;
    if json {
        print_json(&Printed { summary: &summary, losses: &losses })?;
    } else if dry_run {
        let plan = plan.lock().map(|plan| plan.clone()).unwrap_or_default();
        print_line(planned(&plan))?;
        print_line(format_args!("{} messages would be copied.", summary.residue))?;
        if !losses.is_empty() {
            print_line(LACKING)?;
        }
    } else {
        print_line(in_words(&summary, !losses.is_empty(), &state))?;
        for line in left_over(&summary) {
            print_line(line)?;
        }
    }
    for FailedFolder { folder, why } in &summary.failed_folders {
        eprintln!("{}: {}", folder.replace(char::is_control, "\u{fffd}"), why);
    }
    Ok(if dry_run && !summary.interrupted && losses.is_empty() {
        Exit::Done
    } else {
        exit_of(&summary, !losses.is_empty())
    })
}

fn request(args: Copy, config: &Config, cancel: tokio_util::sync::CancellationToken) -> anyhow::Result<CopyRequest> {
    let source = Source::parse(&args.source)?;
    let dest = MailboxUrl::parse(&args.dest, "--dest")?;
    let allow_plaintext = args.allow_plaintext || config.core.allow_plaintext;
    let server = match &source {
        Source::Server(url) => Some(("--source", url)),
        Source::File(_) => None,
    };
    for (side, url) in server.into_iter().chain([("--dest", &dest)]) {
        if url.security == Security::Plain && !is_loopback(&url.host) && !allow_plaintext {
            let what = "imap:// to another machine sends the password readable; use imaps:// or imap+starttls://";
            return Err(Usage(format!("{side}: {what}, or add --allow-plaintext")).into());
        }
    }
    if matches!(&source, Source::Server(url) if *url == dest) {
        return Err(Usage("--source and --dest are the same mailbox".to_owned()).into());
    }
    let state = match args.state {
        Some(path) => path,
        None => usual_state(&source, &dest)?,
    };
    if let Some(parent) = state.parent().filter(|p| !p.as_os_str().is_empty()) {
        make_private_directory(parent)?;
    }
    let ca_file = args.ca_file.or_else(|| config.core.ca_file.clone());
    if let Some(path) = &ca_file {
        std::fs::File::open(path).map_err(|error| Usage(format!("--ca-file: {}: {error}", path.display())))?;
    }
    let end = |url: MailboxUrl, admin, secret, insecure_tls| Endpoint {
        host: url.host,
        port: url.port,
        security: url.security,
        user: url.user,
        admin,
        secret,
        insecure_tls,
    };
    let source = match source {
        Source::Server(url) => {
            let names = SecretNames {
                token: "GATEPOST_SOURCE_TOKEN",
                token_file: "--source-token-file",
                password: "GATEPOST_SOURCE_PASSWORD",
                password_file: "--source-password-file",
            };
            let (token_file, password_file) = (args.source_token_file, args.source_password_file);
            let admin = args.source_admin.as_deref();
            let secret = secret(&url, admin, token_file.as_deref(), password_file.as_deref(), &names)?;
            Origin::Server(end(url, args.source_admin, secret, args.insecure_source))
        }
        Source::File(path) => {
            let of_servers = [
                ("--source-password-file", args.source_password_file.is_some()),
                ("--source-token-file", args.source_token_file.is_some()),
                ("--source-admin", args.source_admin.is_some()),
                ("--insecure-source", args.insecure_source),
            ];
            if let Some((option, _)) = of_servers.iter().find(|(_, given)| *given) {
                return Err(Usage(format!("{option} is for a server, and --source is a file")).into());
            }
            Origin::File(source::access(&path, &state, config.core.max_pst_gb)?)
        }
    };
    let dest_secret = secret(
        &dest,
        args.dest_admin.as_deref(),
        args.dest_token_file.as_deref(),
        args.dest_password_file.as_deref(),
        &SecretNames {
            token: "GATEPOST_DEST_TOKEN",
            token_file: "--dest-token-file",
            password: "GATEPOST_DEST_PASSWORD",
            password_file: "--dest-password-file",
        },
    )?;
    Ok(CopyRequest {
        source,
        dest: end(dest, args.dest_admin, dest_secret, args.insecure_dest),
        state,
        folders: args.folders,
        folder_map: args.map.into_iter().collect::<BTreeMap<_, _>>(),
        gmail_labels: args.gmail_labels.into(),
        dry_run: args.dry_run,
        verify: args.verify,
        deep: args.deep,
        connections: args.connections,
        max_rate: args.max_rate,
        hosts: config.core.hosts.clone(),
        ca_file,
        allow_plaintext,
        cancel,
    })
}

/// Where a secret may come from, by name.
struct SecretNames {
    token: &'static str,
    token_file: &'static str,
    password: &'static str,
    password_file: &'static str,
}

/// The token where there is one, else the password. A password's file is a choice that a variable does not undo.
fn secret(
    url: &MailboxUrl,
    admin: Option<&str>,
    token_file: Option<&Path>,
    password_file: Option<&Path>,
    names: &SecretNames,
) -> anyhow::Result<SecretInput> {
    if password_file.is_none()
        && let Some(token) = password::token(token_file, names.token, names.token_file)?
    {
        return Ok(SecretInput { password: None, oauth_token: Some(token) });
    }
    let prompt = format!("Password of {} at {}", admin.unwrap_or(&url.user), url.host);
    let password = password::read(password_file, names.password, names.password_file, &prompt)?;
    Ok(SecretInput { password: Some(password), oauth_token: None })
}

/// A file of its own for each pair of mailboxes, so that the same command goes on where it stopped.
fn usual_state(source: &Source, dest: &MailboxUrl) -> anyhow::Result<PathBuf> {
    let set = |name| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let base = set("XDG_STATE_HOME")
        .or_else(|| set("HOME").map(|home| home.join(".local/state")))
        .ok_or_else(|| Usage("neither XDG_STATE_HOME nor HOME is set: name a file with --state".to_owned()))?;
    Ok(base.join("gatepost").join(state_name(source, dest)))
}

fn state_name(source: &Source, dest: &MailboxUrl) -> String {
    let name = |url: &MailboxUrl| format!("{}@{}", url.user, url.host);
    let (short, exact) = match source {
        Source::Server(url) => (name(url), format!("{}:{}", name(url), url.port)),
        Source::File(path) => {
            (path.file_name().unwrap_or_default().to_string_lossy().into_owned(), path.display().to_string())
        }
    };
    let readable: String = format!("{short}_to_{}", name(dest))
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() || ".@_-".contains(c) { c } else { '-' })
        .take(100)
        .collect();
    let exact = format!("{exact}\n{}:{}", name(dest), dest.port);
    format!("{}-{}.db", readable.trim_start_matches('.'), &blake3::hash(exact.as_bytes()).to_hex()[..12])
}

fn make_private_directory(path: &Path) -> anyhow::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .with_context(|| format!("the directory {} cannot be made", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_state_file_is_the_same_for_the_same_pair_and_another_for_any_other() {
        let url = |text| MailboxUrl::parse(text, "x").expect("a url");
        let (a, b) = (url("imaps://a%2Fb@old.example"), url("imaps://a@new.example"));
        let server = |url: &MailboxUrl| Source::Server(url.clone());
        let name = state_name(&server(&a), &b);
        assert_eq!(name, state_name(&server(&a), &b));
        assert_ne!(name, state_name(&server(&b), &a));
        let file = |path: &str| state_name(&Source::File(path.into()), &b);
        assert_ne!(file("/one/a.pst"), file("/two/a.pst"));
        assert!(file("/one/a b.pst").starts_with("a-b.pst_to_a@new.example-"), "{}", file("/one/a b.pst"));
        assert!(name.starts_with("a-b@old.example_to_a@new.example-") && !name.contains('/'), "{name}");
    }
}
