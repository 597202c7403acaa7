//! The configuration of a test server as text, and its users' file. For Dovecot 2.3; 2.4 has another syntax.

use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::{Builder, Ports, Storage};
use crate::error::{Error, Result, Tried as _};

/// What Dovecot 2.3 announces after log-in, less what plugins add.
const CAPABILITY: &str = "IMAP4rev1 SASL-IR LOGIN-REFERRALS ID ENABLE IDLE SORT SORT=DISPLAY THREAD=REFERENCES \
    THREAD=REFS THREAD=ORDEREDSUBJECT MULTIAPPEND URL-PARTIAL CATENATE UNSELECT CHILDREN NAMESPACE UIDPLUS \
    LIST-EXTENDED I18NLEVEL=1 CONDSTORE QRESYNC ESEARCH ESORT SEARCHRES WITHIN CONTEXT=SEARCH LIST-STATUS BINARY MOVE \
    SNIPPET=FUZZY PREVIEW=FUZZY PREVIEW STATUS=SIZE SAVEDATE LITERAL+ NOTIFY SPECIAL-USE";

/// Who the server's processes run as.
#[derive(Debug, Clone)]
pub(crate) struct Identity {
    /// `false`: everything runs as the user of this process.
    pub(crate) root: bool,
    pub(crate) user: String,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    pub(crate) group: String,
}

impl Identity {
    pub(crate) fn of_this_process() -> Result<Identity> {
        let uid = rustix::process::geteuid();
        let root = uid.is_root();
        let passwd = fs::read_to_string("/etc/passwd").tried(|| "reading /etc/passwd".to_owned())?;
        let wanted = uid.as_raw().to_string();
        let groups = fs::read_to_string("/etc/group").tried(|| "reading /etc/group".to_owned())?;
        let group_name = |gid: &str| {
            let mut fields = groups.lines().map(|line| line.split(':').collect::<Vec<_>>());
            fields.find(|fields| fields.len() > 2 && fields[2] == gid).map(|fields| fields[0].to_owned())
        };
        passwd
            .lines()
            .map(|line| line.split(':').collect::<Vec<_>>())
            .find(|fields| fields.len() > 3 && if root { fields[0] == "mail" } else { fields[2] == wanted })
            .and_then(|fields| {
                let (user, group) = (fields[0].to_owned(), group_name(fields[3])?);
                Some(Identity { root, user, uid: fields[2].parse().ok()?, gid: fields[3].parse().ok()?, group })
            })
            .ok_or_else(|| Error::DovecotStart {
                reason: "no user for the mail files: as root the user `mail` is needed, else the own user".to_owned(),
                log: String::new(),
            })
    }
}

/// The processes do not run as root: the directories must let them in, and the mail must be theirs.
pub(super) fn open_to_processes(dir: &Path, run_dir: &Path, identity: &Identity) -> Result<()> {
    if identity.root {
        for path in [dir, run_dir] {
            fs::set_permissions(path, fs::Permissions::from_mode(0o755))
                .tried(|| format!("opening {} to Dovecot's users", path.display()))?;
        }
    }
    Ok(())
}

/// Writes the users' file and makes the directory of the homes.
pub(super) fn write_users(builder: &Builder, dir: &Path, identity: &Identity) -> Result<()> {
    let homes = dir.join("home");
    fs::create_dir_all(&homes).tried(|| format!("making {}", homes.display()))?;
    if identity.root {
        chown(&homes, Some(identity.uid), Some(identity.gid)).tried(|| format!("giving {} away", homes.display()))?;
    }
    let mut users = String::new();
    for user in &builder.users {
        // In base64, so that a password may hold the file's own separators.
        let password = STANDARD.encode(&user.password);
        let quota = user.quota_bytes.or(builder.quota_bytes);
        let extra = quota.map_or_else(String::new, |bytes| format!("userdb_quota_rule=*:bytes={bytes}"));
        // user:password:uid:gid:(gecos):home:(shell):extra
        let (uid, gid, home) = (identity.uid, identity.gid, homes.display());
        let _ = writeln!(users, "{}:{{PLAIN.b64}}{password}:{uid}:{gid}::{home}/{}::{extra}", user.name, user.name);
    }
    write_private(&dir.join("users"), &users, identity)?;
    if let Some((name, password)) = &builder.master {
        let line = format!("{name}:{{PLAIN.b64}}{}\n", STANDARD.encode(password));
        write_private(&dir.join("masters"), &line, identity)?;
    }
    Ok(())
}

const USER_TOKENS: &str = "user-tokens.conf";
const APP_TOKENS: &str = "app-tokens.conf";

/// Writes where Dovecot asks about tokens: once for those of users, once for those that open every mailbox.
pub(super) fn write_oauth(builder: &Builder, dir: &Path, identity: &Identity) -> Result<()> {
    let Some(url) = &builder.oauth else { return Ok(()) };
    // With a constant for the format, Dovecot compares that constant with itself and not the token's user with the
    // mailbox's.
    for (file, path, format) in [(USER_TOKENS, "introspect", "%u"), (APP_TOKENS, "introspect/app", "application")] {
        let text = format!(
            "introspection_mode = post\nintrospection_url = {url}/{path}\nusername_attribute = username\n\
             username_format = {format}\nactive_attribute = active\nactive_value = true\n\
             openid_configuration_url = {url}/.well-known/openid-configuration\ntimeout_msecs = 60000\n"
        );
        write_private(&dir.join(file), &text, identity)?;
    }
    Ok(())
}

/// The auth process runs as `dovecot` under root, so the file is readable for it; it holds test passwords only.
fn write_private(file: &Path, text: &str, identity: &Identity) -> Result<()> {
    fs::write(file, text).tried(|| format!("writing {}", file.display()))?;
    let mode = if identity.root { 0o644 } else { 0o600 };
    fs::set_permissions(file, fs::Permissions::from_mode(mode)).tried(|| format!("protecting {}", file.display()))
}

/// The configuration file.
pub(super) fn text(builder: &Builder, dir: &Path, run_dir: &Path, ports: Ports, identity: &Identity) -> String {
    let quota = builder.quota_bytes.is_some() || builder.users.iter().any(|user| user.quota_bytes.is_some());
    let limit = builder.max_message_bytes;
    let mut conf = String::new();
    let mut line = |text: String| {
        conf.push_str(&text);
        conf.push('\n');
    };
    let (dir, run) = (dir.display(), run_dir.display());
    line(format!("base_dir = {run}/base\nstate_dir = {run}/state\nlog_path = {dir}/dovecot.log"));
    line("protocols = imap\nlisten = 127.0.0.1\nssl = yes\nssl_min_protocol = TLSv1.2".to_owned());
    line(format!("ssl_cert = <{dir}/server.pem\nssl_key = <{dir}/server.key"));
    let bearer = if builder.oauth.is_some() { builder.bearer } else { "" };
    line(format!("disable_plaintext_auth = no\nauth_mechanisms = plain login {bearer}\nauth_failure_delay = 0"));
    // Without it Dovecot lets an address wait for longer after each refused log-in.
    line("service anvil {\n  unix_listener anvil-auth-penalty {\n    mode = 0\n  }\n}".to_owned());
    line("mail_max_userip_connections = 100\nfirst_valid_uid = 1\nfirst_valid_gid = 1".to_owned());
    line(format!("mail_fsync = {}", if builder.fsync { "optimized" } else { "never" }));
    line("default_process_limit = 200\ndefault_client_limit = 1000\nlogin_greeting = ready".to_owned());
    line(format!("mail_location = {}", mail_location(builder)));
    line(format!("imap_capability = {}", capability(builder, quota)));
    let user = &identity.user;
    if !identity.root {
        line(format!(
            "default_internal_user = {user}\ndefault_internal_group = {}\ndefault_login_user = {user}",
            identity.group
        ));
        line("service anvil {\n  chroot =\n}\nservice stats {\n  chroot =\n}".to_owned());
    }
    // One process for all log-ins and a few for mail: starting a process for each connection would be most of a test.
    let chroot = if identity.root { "" } else { "\n  chroot =" };
    line(format!(
        "service imap-login {{{chroot}\n  service_count = 0\n  process_min_avail = 1\n  client_limit = 500\n  \
         inet_listener imap {{\n    port = {}\n  }}\n  inet_listener imaps {{\n    port = {}\n    ssl = yes\n  }}\n}}",
        ports.imap, ports.imaps
    ));
    line("service imap {\n  service_count = 200\n  process_limit = 200\n}".to_owned());
    if let Some((_, _)) = builder.master {
        line("auth_master_user_separator = *".to_owned());
        line(format!(
            "passdb {{\n  driver = passwd-file\n  master = yes\n  args = username_format=%u {dir}/masters\n}}"
        ));
    }
    if builder.oauth.is_some() {
        for file in [USER_TOKENS, APP_TOKENS] {
            line(format!("passdb {{\n  driver = oauth2\n  mechanisms = {bearer}\n  args = {dir}/{file}\n}}"));
        }
    }
    line(format!("passdb {{\n  driver = passwd-file\n  args = username_format=%u {dir}/users\n}}"));
    line(format!("userdb {{\n  driver = passwd-file\n  args = username_format=%u {dir}/users\n}}"));
    if quota || limit.is_some() {
        line("mail_plugins = quota\nprotocol imap {\n  mail_plugins = quota imap_quota\n}".to_owned());
        let size = limit.map_or_else(String::new, |bytes| format!("  quota_max_mail_size = {bytes}\n"));
        line(format!("plugin {{\n  quota = count:User quota\n  quota_vsizes = yes\n  quota_grace = 0\n{size}}}"));
    }
    line(namespace(builder));
    conf
}

fn mail_location(builder: &Builder) -> &'static str {
    match (builder.storage, builder.separator) {
        (Storage::Sdbox, _) => "sdbox:~/mail",
        (Storage::Mdbox, _) => "mdbox:~/mail",
        (Storage::Maildir, '.') => "maildir:~/mail",
        // Maildir++ cannot hold a dot in a name.
        (Storage::Maildir, _) => "maildir:~/mail:LAYOUT=fs",
    }
}

fn capability(builder: &Builder, quota: bool) -> String {
    if let Some(capability) = &builder.capability {
        return capability.clone();
    }
    let limit = builder.max_message_bytes.map(|bytes| format!("APPENDLIMIT={bytes}"));
    if builder.without.is_empty() {
        return limit.map_or_else(String::new, |limit| format!("+{limit}"));
    }
    let quota = (quota || limit.is_some()).then(|| "QUOTA".to_owned());
    CAPABILITY
        .split_ascii_whitespace()
        .map(str::to_owned)
        .chain(quota)
        .chain(limit)
        .filter(|name| !builder.without.iter().any(|without| without.eq_ignore_ascii_case(name)))
        .collect::<Vec<_>>()
        .join(" ")
}

fn namespace(builder: &Builder) -> String {
    let separator = builder.separator;
    let prefix = if builder.inbox_prefix { format!("INBOX{separator}") } else { String::new() };
    let mut text = format!(
        "namespace inbox {{\n  inbox = yes\n  type = private\n  separator = {separator}\n  prefix = {prefix}\n"
    );
    for (attribute, name) in builder.special_use.folders() {
        let _ = writeln!(text, "  mailbox \"{name}\" {{\n    special_use = {attribute}\n    auto = subscribe\n  }}");
    }
    text.push('}');
    text
}
