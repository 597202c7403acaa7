//! What may be said of a mailbox.

use crate::{validate::Checker, ways::Ways};
use gatepost_contract::{MailboxPatch, NewMailbox, SecretInput, Security, SourceType, Tool};
use std::collections::BTreeMap;

/// Checks a mailbox that is to be stored.
pub(crate) fn check_new(new: &NewMailbox, checker: &mut Checker) {
    checker.email("email", &new.email);
    if new.source_type.is_file() {
        check_no_server(&ServerFields::of_new(new), checker);
    } else {
        match &new.source_host {
            Some(host) if !host.trim().is_empty() => {
                checker.host("source_host", host);
            }
            _ => checker.error("source_host", "must name the old server"),
        }
    }
    check_tool(new.tool, new.source_type, checker);
    Ways::of(new.source_ssh.as_ref(), new.source_web.as_ref()).check(new.source_type, checker);
    checker.port("source_port", new.source_port);
    for (field, user) in [
        ("source_user", &new.source_user),
        ("source_admin", &new.source_admin),
        ("dest_user", &new.dest_user),
        ("dest_admin", &new.dest_admin),
    ] {
        if let Some(user) = user {
            checker.text(field, user, 0..=320, false);
        }
    }
    if new.source_insecure_tls && new.source_security == Some(Security::Plain) {
        checker.error("source_insecure_tls", "makes no sense without TLS");
    }
    check_secret("source_secret", new.source_secret.as_ref(), checker);
    check_secret("dest_secret", new.dest_secret.as_ref(), checker);
    if new.source_type == SourceType::ImapOauth && new.source_secret.as_ref().is_some_and(|s| s.password.is_some()) {
        checker.error("source_secret", "must be an oauth_token for imap_oauth");
    }
    check_folder_map(&new.folder_map, checker);
}

/// The engines that can be chosen. readpst opens Outlook's files only, imap_upload.py sends what readpst has written;
/// imapsync reads any server, doveadm a Dovecot, zmmailbox a Zimbra or Carbonio.
pub(super) fn check_tool(tool: Option<Tool>, source_type: SourceType, checker: &mut Checker) {
    let Some(tool) = tool else { return };
    if tool.reads(source_type) {
        return;
    }
    let sentence = match tool {
        Tool::Readpst | Tool::ImapUpload => format!("{tool} reads PST files only; choose native for {source_type}"),
        Tool::Imapsync => format!("imapsync copies from a server; choose native for {source_type}"),
        Tool::Doveadm => format!("doveadm copies from one Dovecot to another; choose native for {source_type}"),
        Tool::Zmmailbox => format!("zmmailbox copies from Zimbra or Carbonio; choose native for {source_type}"),
        Tool::Native | Tool::Verify => "may be native, imapsync, doveadm, zmmailbox, readpst or imap-upload".to_owned(),
    };
    checker.error("tool", sentence);
}

/// What tells how to reach an old server.
pub(super) struct ServerFields<'a> {
    host: Option<&'a str>,
    user: Option<&'a str>,
    admin: Option<&'a str>,
    secret: bool,
    /// Port, security or certificate were said.
    line: bool,
}

impl<'a> ServerFields<'a> {
    fn of_new(new: &'a NewMailbox) -> Self {
        Self {
            host: new.source_host.as_deref(),
            user: new.source_user.as_deref(),
            admin: new.source_admin.as_deref(),
            secret: new.source_secret.is_some(),
            line: new.source_insecure_tls,
        }
    }

    pub fn of_patch(patch: &'a MailboxPatch) -> Self {
        Self {
            host: patch.source_host.as_deref(),
            user: patch.source_user.as_deref(),
            admin: patch.source_admin.as_deref(),
            secret: patch.source_secret.is_some(),
            line: patch.source_insecure_tls == Some(true),
        }
    }
}

/// A mailbox whose mail comes from files has no old server. Ports and kinds of security are let pass: forms send those
/// that are chosen by themselves.
pub(super) fn check_no_server(fields: &ServerFields<'_>, checker: &mut Checker) {
    let said = |text: Option<&str>| text.is_some_and(|t| !t.trim().is_empty());
    for (field, said) in [
        ("source_host", said(fields.host)),
        ("source_user", said(fields.user)),
        ("source_admin", said(fields.admin)),
        ("source_secret", fields.secret),
        ("source_insecure_tls", fields.line),
    ] {
        if said {
            checker.error(field, "means nothing for a file, which no server is asked for; leave it out");
        }
    }
}

pub(super) fn check_secret(field: &str, secret: Option<&SecretInput>, checker: &mut Checker) {
    let Some(secret) = secret else { return };
    match (&secret.password, &secret.oauth_token) {
        (Some(one), None) | (None, Some(one)) => checker.secret(field, one),
        (None, None) => checker.error(field, "must hold a password or an oauth_token"),
        (Some(_), Some(_)) => checker.error(field, "must hold a password or an oauth_token, not both"),
    }
}

pub(super) fn check_folder_map(map: &BTreeMap<String, String>, checker: &mut Checker) {
    if map.len() > 2000 {
        checker.error("folder_map", "must have at most 2,000 entries");
    }
    for (from, to) in map {
        let fine = |path: &str| {
            !path.is_empty()
                && path.chars().count() <= 1000
                && !path.chars().any(char::is_control)
                && path.split('/').all(|level| !level.is_empty())
        };
        if !fine(from) || !fine(to) {
            let shown: String = from.chars().take(80).collect();
            checker.error("folder_map", format!("{shown:?}: both paths need 1 to 1,000 characters and no empty level"));
        }
    }
}
