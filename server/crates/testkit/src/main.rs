//! `gatepost-testkit`: the kit for shell scripts. Starts test servers, fills them, compares them, delays connections.

use std::collections::HashMap;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use clap::{Args, Parser, Subcommand, ValueEnum};
use gatepost_testkit::fill::{FillReport, bare, reflag};
use gatepost_testkit::{
    Account, AuthServer, DnsServer, Dovecot, Profile, Proxy, Snapshot, Storage, compare, fill, pst,
};
use serde_json::json;

/// Real mail servers, generated mail and an independent comparison, for tests and demonstrations.
#[derive(Parser)]
#[command(version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Start a Dovecot, print its ports as one line of JSON, and serve until SIGTERM or SIGINT.
    ServeDovecot(ServeDovecot),
    /// Put generated mail into an account.
    Fill(Fill),
    /// Turn \Flagged round on some messages of each folder of an account.
    Reflag(Reflag),
    /// Write ready-made mail to an account as fast as its server takes it: the time that a copy cannot beat.
    BareAppend(BareAppend),
    /// Read two accounts completely and compare them. Exits 1 on any difference.
    Compare(Compare),
    /// Forward a free port to another with a round-trip time added, until SIGTERM or SIGINT.
    Proxy(ProxyOptions),
    /// Answer DNS questions on a free loopback port from a file of records, until SIGTERM or SIGINT.
    ServeDns(ServeDns),
    /// Start an OAuth 2 authorization server, print its URL as one line of JSON, and serve until SIGTERM or SIGINT.
    ServeOauth(ServeOauth),
    /// Write a PST: one with something of everything, or one as large as is wanted.
    WritePst(WritePst),
}

#[derive(Clone, Copy, ValueEnum)]
enum SpecialUse {
    Portuguese,
    English,
    None,
}

impl From<SpecialUse> for gatepost_testkit::SpecialUse {
    fn from(value: SpecialUse) -> Self {
        match value {
            SpecialUse::Portuguese => Self::Portuguese,
            SpecialUse::English => Self::English,
            SpecialUse::None => Self::None,
        }
    }
}

#[derive(Clone, Copy, ValueEnum)]
enum StorageName {
    Sdbox,
    Mdbox,
    Maildir,
}

#[derive(Clone, Copy, ValueEnum)]
enum Layout {
    Ansi,
    Unicode,
    FourK,
}

#[derive(Clone, Copy, ValueEnum)]
enum Encoding {
    None,
    Permute,
    Cyclic,
}

#[derive(Args)]
struct WritePst {
    /// The file to write.
    out: PathBuf,
    /// How wide its ids are and how large its pages.
    #[arg(long, value_enum, default_value = "unicode")]
    layout: Layout,
    /// How its data is encoded.
    #[arg(long, value_enum, default_value = "permute")]
    encoding: Encoding,
    /// Begin the folders as an OST does.
    #[arg(long)]
    offline: bool,
    /// Little of everything, and no allocation maps: a seed for fuzzing.
    #[arg(long)]
    small: bool,
    /// With a post in a folder of its own: mail that some programs leave out.
    #[arg(long)]
    post: bool,
    /// So many messages of generated mail. Without this: something of everything.
    #[arg(long)]
    messages: Option<usize>,
    /// Their mean size in bytes.
    #[arg(long, default_value_t = 22_000)]
    average_bytes: usize,
    /// How many folders they lie in.
    #[arg(long, default_value_t = 20)]
    folders: usize,
}

#[derive(Args)]
struct ServeDns {
    /// Records, one a line: NAME TTL TYPE DATA. The file is read again whenever it changes.
    #[arg(long)]
    zone: PathBuf,
}

#[derive(Args)]
struct ServeOauth {
    /// A file with a user EMAIL:PASSWORD on each line.
    #[arg(long)]
    users_file: PathBuf,
    /// A file with an application ID:SECRET on each line; without a secret it is a public one.
    #[arg(long)]
    clients_file: PathBuf,
}

#[derive(Args)]
struct ServeDovecot {
    /// A user, as EMAIL:PASSWORD; may be given several times. For made-up passwords only: others see the command line.
    #[arg(long = "user", value_name = "EMAIL:PASSWORD")]
    users: Vec<String>,
    /// A file with a user EMAIL:PASSWORD on each line.
    #[arg(long)]
    users_file: Option<PathBuf>,
    /// Names of the special-use folders.
    #[arg(long, value_enum, default_value = "none")]
    special_use: SpecialUse,
    /// Hierarchy separator, `/` or `.`.
    #[arg(long, default_value = "/", value_parser = ["/", "."])]
    separator: String,
    /// Put all folders below INBOX.
    #[arg(long)]
    inbox_prefix: bool,
    /// How mail is stored.
    #[arg(long, value_enum, default_value = "sdbox")]
    storage: StorageName,
    /// Quota in bytes for each user.
    #[arg(long)]
    quota_bytes: Option<u64>,
    /// Refuse larger messages; announced as APPENDLIMIT.
    #[arg(long)]
    max_message_bytes: Option<u64>,
    /// An extension that is not announced, such as LITERAL+; may be given several times.
    #[arg(long = "without", value_name = "EXTENSION")]
    without: Vec<String>,
    /// Let users log in with tokens of the authorization server at this URL, too.
    #[arg(long, value_name = "URL")]
    oauth2: Option<String>,
    /// Force mail onto the disk as Dovecot does by default. Without this nothing is forced, which is faster.
    #[arg(long)]
    fsync: bool,
    /// Keep mail, configuration and log here. Default: a temporary directory, deleted at the end.
    #[arg(long)]
    dir: Option<PathBuf>,
    /// Also end when standard input closes.
    #[arg(long)]
    until_stdin_closes: bool,
}

#[derive(Args)]
struct Fill {
    /// Port of plain IMAP on 127.0.0.1.
    #[arg(long)]
    port: u16,
    /// Log-in name.
    #[arg(long)]
    user: String,
    /// File with the password on its first line.
    #[arg(long)]
    password_file: PathBuf,
    /// How many messages.
    #[arg(long, default_value_t = 300)]
    messages: usize,
    /// The same seed gives the same mail.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Mean size of a message in bytes.
    #[arg(long, default_value_t = 19_000)]
    average_bytes: usize,
    /// One message of this size in MB.
    #[arg(long)]
    large_mb: Option<usize>,
    /// Names of the special-use folders on that server.
    #[arg(long, value_enum, default_value = "portuguese")]
    special_use: SpecialUse,
    /// Put everything into the INBOX.
    #[arg(long)]
    inbox_only: bool,
    /// Make so many folders more.
    #[arg(long, default_value_t = 0)]
    more_folders: usize,
}

#[derive(Args)]
struct Reflag {
    /// Port of plain IMAP on 127.0.0.1.
    #[arg(long)]
    port: u16,
    /// Log-in name.
    #[arg(long)]
    user: String,
    /// File with the password on its first line.
    #[arg(long)]
    password_file: PathBuf,
    /// Every so manyth message is changed.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..))]
    step: u32,
}

#[derive(Args)]
struct BareAppend {
    #[command(flatten)]
    fill: Fill,
    /// How many connections write at once.
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..=64))]
    connections: u16,
    /// How many messages a command carries at most.
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u16).range(1..))]
    batch: u16,
}

#[derive(Args)]
struct Compare {
    /// Port of plain IMAP on 127.0.0.1.
    #[arg(long)]
    source_port: u16,
    /// Log-in name at the source.
    #[arg(long)]
    source_user: String,
    /// File with the password on its first line.
    #[arg(long)]
    source_password_file: PathBuf,
    /// Port of plain IMAP on 127.0.0.1.
    #[arg(long)]
    dest_port: u16,
    /// Log-in name at the destination.
    #[arg(long)]
    dest_user: String,
    /// File with the password on its first line.
    #[arg(long)]
    dest_password_file: PathBuf,
    /// Where a source folder should be: `Enviados=Sent`, and for what lies below `Arquivo Morto/*=Archive/*`. Other
    /// folders keep their path. May be given several times.
    #[arg(long = "map", value_name = "SOURCE=DEST")]
    map: Vec<String>,
    /// Compare as if no destination message had this header field, which some tools add to what they copy.
    #[arg(long, value_name = "FIELD")]
    leave_out: Option<String>,
    /// Print the result as JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
struct ProxyOptions {
    /// The port to forward to, on 127.0.0.1.
    #[arg(long)]
    to: u16,
    /// Round-trip time to add, in milliseconds.
    #[arg(long, default_value_t = 0)]
    rtt_ms: u64,
}

fn main() -> anyhow::Result<ExitCode> {
    match Cli::parse().command {
        Command::ServeDovecot(options) => serve_dovecot(options),
        Command::Fill(options) => fill_account(&options),
        Command::Reflag(options) => reflag_account(&options),
        Command::BareAppend(options) => bare_append(&options),
        Command::Compare(options) => compare_accounts(&options),
        Command::Proxy(options) => serve_proxy(&options),
        Command::ServeDns(options) => serve_dns(options),
        Command::ServeOauth(options) => serve_oauth(options),
        Command::WritePst(options) => write_pst(&options),
    }
}

fn write_pst(options: &WritePst) -> anyhow::Result<ExitCode> {
    let how = pst::Options {
        layout: match options.layout {
            Layout::Ansi => pst::Layout::Ansi,
            Layout::Unicode => pst::Layout::Unicode,
            Layout::FourK => pst::Layout::FourK,
        },
        encoding: match options.encoding {
            Encoding::None => pst::Encoding::None,
            Encoding::Permute => pst::Encoding::Permute,
            Encoding::Cyclic => pst::Encoding::Cyclic,
        },
        tree: if options.offline { pst::Tree::Offline } else { pst::Tree::Store },
        maps: !options.small,
        ..pst::Options::default()
    };
    let mut file =
        pst::Pst::create(&options.out, how).with_context(|| format!("creating {}", options.out.display()))?;
    match options.messages {
        Some(messages) => pst::load(&mut file, messages, options.average_bytes, options.folders)?,
        None if options.small => pst::small(&mut file)?,
        None => pst::everything(&mut file)?,
    }
    if options.post {
        let board = file.folder(file.top(), "Mural");
        let post = pst::Item::of_class("IPM.Post").subject("Aviso").text("Leiam.").date(1_700_000_000);
        file.item(board, &post)?;
    }
    file.finish()?;
    print_line(&json!({ "file": options.out, "bytes": std::fs::metadata(&options.out)?.len() }))?;
    Ok(ExitCode::SUCCESS)
}

fn serve_dovecot(options: ServeDovecot) -> anyhow::Result<ExitCode> {
    let mut users = options.users;
    if let Some(file) = &options.users_file {
        let text = std::fs::read_to_string(file).with_context(|| format!("reading {}", file.display()))?;
        users.extend(text.lines().filter(|line| !line.is_empty()).map(str::to_owned));
    }
    if users.is_empty() {
        bail!("no user: give --user EMAIL:PASSWORD or --users-file FILE");
    }
    let without: Vec<&str> = options.without.iter().map(String::as_str).collect();
    let mut builder = Dovecot::builder()
        .special_use(options.special_use.into())
        .separator(if options.separator == "." { '.' } else { '/' })
        .storage(match options.storage {
            StorageName::Sdbox => Storage::Sdbox,
            StorageName::Mdbox => Storage::Mdbox,
            StorageName::Maildir => Storage::Maildir,
        })
        .without(&without);
    for user in users {
        let (name, password) = user.split_once(':').context("a user is given as EMAIL:PASSWORD")?;
        builder = builder.user(name, password);
    }
    if options.inbox_prefix {
        builder = builder.inbox_prefix();
    }
    if let Some(bytes) = options.quota_bytes {
        builder = builder.quota_bytes(bytes);
    }
    if let Some(bytes) = options.max_message_bytes {
        builder = builder.max_message_bytes(bytes);
    }
    if let Some(url) = options.oauth2 {
        builder = builder.oauth2(url);
    }
    if options.fsync {
        builder = builder.fsync();
    }
    if let Some(dir) = options.dir {
        builder = builder.dir(dir);
    }
    until_told_to_end(options.until_stdin_closes, || {
        let server = builder.start()?;
        print_line(&json!({
            "imap_port": server.imap_port(),
            "imaps_port": server.imaps_port(),
            "ca_file": server.ca_file(),
            "dir": server.dir(),
            "pid": std::process::id(),
            "dovecot_pid": server.pid(),
        }))?;
        Ok(server)
    })
}

fn serve_oauth(options: ServeOauth) -> anyhow::Result<ExitCode> {
    let read = |file: &Path| std::fs::read_to_string(file).with_context(|| format!("reading {}", file.display()));
    let mut builder = AuthServer::builder();
    for line in read(&options.users_file)?.lines().filter(|line| !line.is_empty()) {
        let (name, password) = line.split_once(':').context("a user is given as EMAIL:PASSWORD")?;
        builder = builder.user(name, password);
    }
    for line in read(&options.clients_file)?.lines().filter(|line| !line.is_empty()) {
        builder = match line.split_once(':') {
            Some((id, secret)) if !secret.is_empty() => builder.client(id, secret),
            other => builder.public_client(other.map_or(line, |(id, _)| id)),
        };
    }
    until_told_to_end(false, || {
        let server = builder.start()?;
        print_line(&json!({
            "url": server.url(),
            "service_account": server.service_account_json(),
            "pid": std::process::id(),
        }))?;
        Ok(server)
    })
}

fn serve_dns(options: ServeDns) -> anyhow::Result<ExitCode> {
    let read = move || {
        let file = &options.zone;
        std::fs::read_to_string(file).with_context(|| format!("reading {}", file.display()))
    };
    until_told_to_end(false, || {
        let server = std::sync::Arc::new(DnsServer::start()?);
        let mut known = read()?;
        server.zone(&known);
        print_line(&json!({ "address": server.address().to_string(), "pid": std::process::id() }))?;
        let watched = std::sync::Arc::clone(&server);
        std::thread::spawn(move || {
            loop {
                std::thread::sleep(Duration::from_millis(200));
                match read() {
                    Ok(now) if now != known => {
                        watched.replace(&now);
                        known = now;
                    }
                    _ => {}
                }
            }
        });
        Ok(server)
    })
}

fn serve_proxy(options: &ProxyOptions) -> anyhow::Result<ExitCode> {
    until_told_to_end(false, || {
        let proxy = Proxy::start(options.to)?;
        proxy.delay(Duration::from_millis(options.rtt_ms));
        print_line(&json!({ "port": proxy.port(), "pid": std::process::id() }))?;
        Ok(proxy)
    })
}

/// Starts something and keeps it until SIGTERM, SIGINT or, if wanted, the end of standard input.
fn until_told_to_end<T>(stdin_too: bool, start: impl FnOnce() -> anyhow::Result<T>) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let kept = runtime.block_on(async {
        // Listen first: a signal right after the line of JSON must already end what was started.
        let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
        let mut interrupt = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::interrupt())?;
        let kept = start()?;
        let (closed, stdin_closed) = tokio::sync::oneshot::channel();
        if stdin_too {
            // A thread of its own: the runtime would wait for a blocking task that still reads.
            std::thread::spawn(move || {
                let mut ignored = [0; 256];
                while matches!(std::io::stdin().read(&mut ignored), Ok(count) if count > 0) {}
                // Nobody waits any more when a signal came first.
                let _ = closed.send(());
            });
        } else {
            // Kept open for ever, so that waiting for it never ends.
            std::mem::forget(closed);
        }
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
            _ = stdin_closed => {}
        }
        anyhow::Ok(kept)
    })?;
    drop(kept);
    Ok(ExitCode::SUCCESS)
}

fn fill_account(options: &Fill) -> anyhow::Result<ExitCode> {
    let account = Account::new(options.port, &options.user, password(&options.password_file)?);
    print_report(&fill(&account, &profile(options))?)
}

fn profile(options: &Fill) -> Profile {
    Profile {
        seed: options.seed,
        messages: options.messages,
        average_bytes: options.average_bytes,
        large_bytes: options.large_mb.map(|megabytes| megabytes * 1_000_000),
        special_use: options.special_use.into(),
        inbox_only: options.inbox_only,
        more_folders: options.more_folders,
        ..Profile::default()
    }
}

fn print_report(report: &FillReport) -> anyhow::Result<ExitCode> {
    print_line(&json!({
        "messages": report.messages,
        "bytes": report.bytes,
        "folders": report.profile.folders().len(),
        "seconds": seconds(report.elapsed),
    }))?;
    Ok(ExitCode::SUCCESS)
}

fn reflag_account(options: &Reflag) -> anyhow::Result<ExitCode> {
    let account = Account::new(options.port, &options.user, password(&options.password_file)?);
    print_line(&json!({ "changed": reflag(&account, options.step)? }))?;
    Ok(ExitCode::SUCCESS)
}

fn bare_append(options: &BareAppend) -> anyhow::Result<ExitCode> {
    let account = Account::new(options.fill.port, &options.fill.user, password(&options.fill.password_file)?);
    let (connections, batch) = (usize::from(options.connections), usize::from(options.batch));
    print_report(&bare::append(&account, &profile(&options.fill), connections, batch)?)
}

fn compare_accounts(options: &Compare) -> anyhow::Result<ExitCode> {
    let map: HashMap<String, String> = options
        .map
        .iter()
        .map(|entry| {
            let (source, dest) = entry.split_once('=').context("a folder map entry is given as SOURCE=DEST")?;
            anyhow::Ok((source.to_owned(), dest.to_owned()))
        })
        .collect::<Result<_, _>>()?;
    let source = Account::new(options.source_port, &options.source_user, password(&options.source_password_file)?);
    let dest = Account::new(options.dest_port, &options.dest_user, password(&options.dest_password_file)?);
    let started = Instant::now();
    let source = Snapshot::read(&source).context("reading the source")?;
    let dest = Snapshot::read_without(&dest, options.leave_out.as_deref()).context("reading the destination")?;
    let found = compare(&source, &dest, &map);
    if options.json {
        print_line(&json!({
            "source_messages": source.messages.len(),
            "dest_messages": dest.messages.len(),
            "same": found.same,
            "missing": found.missing.len(),
            "extra": found.extra.len(),
            "date_differs": found.date_differs.len(),
            "flags_differ": found.flags_differ.len(),
            "folders_missing": found.folders_missing,
            "zones_differ": found.zones_differ,
            "details": found.details().take(20).collect::<Vec<_>>(),
            "seconds": seconds(started.elapsed()),
        }))?;
    } else {
        print!("{found}");
    }
    Ok(if found.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn password(file: &Path) -> anyhow::Result<String> {
    let text = std::fs::read_to_string(file).with_context(|| format!("reading {}", file.display()))?;
    Ok(text.lines().next().unwrap_or_default().to_owned())
}

fn seconds(elapsed: Duration) -> f64 {
    (elapsed.as_secs_f64() * 1000.0).round() / 1000.0
}

/// Standard output may be a pipe that a script reads at once.
fn print_line(value: &serde_json::Value) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{value}")?;
    out.flush()?;
    Ok(())
}
