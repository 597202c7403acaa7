//! The two configuration files of a test server as text, and its directories. For Cyrus 3.6.

use std::fs;
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};

use super::Builder;
use crate::dovecot::config::Identity;
use crate::error::{Result, Tried as _};
use crate::unpacked::make_open_dir;

/// The realm of users without a domain.
pub(super) const SERVER_NAME: &str = "cyrus.example";
/// The password file, below the server's directory. In a directory of the server's user, who writes it.
pub(super) const PASSWORDS: &str = "run/sasldb2";

/// `socket` and `proc` stand where Cyrus looks for them; it makes the others by itself.
pub(super) fn make_dirs(dir: &Path, identity: &Identity) -> Result<()> {
    for part in ["conf", "conf/socket", "conf/proc", "mail", "run"] {
        let path = dir.join(part);
        make_open_dir(&path)?;
        if identity.root {
            chown(&path, Some(identity.uid), Some(identity.gid)).tried(|| format!("giving {} away", path.display()))?;
        }
    }
    Ok(())
}

/// Writes `imapd.conf` and `cyrus.conf` and tells where they are.
pub(super) fn write(
    builder: &Builder,
    dir: &Path,
    programs: &Path,
    port: u16,
    identity: &Identity,
) -> Result<(PathBuf, PathBuf)> {
    let (imapd_file, cyrus_file) = (dir.join("imapd.conf"), dir.join("cyrus.conf"));
    fs::write(&imapd_file, imapd(builder, dir, identity)).tried(|| format!("writing {}", imapd_file.display()))?;
    let text = cyrus(programs, &imapd_file, port);
    fs::write(&cyrus_file, text).tried(|| format!("writing {}", cyrus_file.display()))?;
    Ok((imapd_file, cyrus_file))
}

fn imapd(builder: &Builder, dir: &Path, identity: &Identity) -> String {
    let switch = |on: bool| if on { "yes" } else { "no" };
    let dir = dir.display();
    let mut lines = vec![
        format!("configdirectory: {dir}/conf"),
        format!("defaultpartition: default\npartition-default: {dir}/mail"),
        format!("cyrus_user: {}", identity.user),
        format!("servername: {SERVER_NAME}"),
        format!("sasl_pwcheck_method: auxprop\nsasl_auxprop_plugin: sasldb\nsasl_sasldb_path: {dir}/{PASSWORDS}"),
        "sasl_mech_list: PLAIN LOGIN\nallowplaintext: yes\nfailedloginpause: 0".to_owned(),
        // Users are told apart by their whole name, without a look at the DNS.
        "virtdomains: userid\nreverseacls: no".to_owned(),
        // Makes the INBOX at the first log-in. 0 is no quota.
        format!("autocreate_quota: {}", builder.quota_kib.unwrap_or(0)),
        format!("altnamespace: {}", switch(builder.alt_namespace)),
        format!("unixhierarchysep: {}", switch(builder.unix_separator)),
        // No idled here: IDLE looks by itself each second.
        "imapidlepoll: 1".to_owned(),
    ];
    if let Some(bytes) = builder.max_message_bytes {
        lines.push(format!("maxmessagesize: {bytes}"));
    }
    if !builder.suppressed.is_empty() {
        lines.push(format!("suppress_capabilities: {}", builder.suppressed.join(" ")));
    }
    lines.push(String::new());
    lines.join("\n")
}

fn cyrus(programs: &Path, imapd_conf: &Path, port: u16) -> String {
    let (bin, conf) = (programs.join("bin"), imapd_conf.display());
    let bin = bin.display();
    format!(
        "START {{\n  recover cmd=\"{bin}/ctl_cyrusdb -C {conf} -r\"\n}}\n\
         SERVICES {{\n  imap cmd=\"{bin}/imapd -C {conf}\" listen=\"127.0.0.1:{port}\" prefork=1 maxchild=100\n}}\n\
         EVENTS {{\n}}\n"
    )
}
