//! The CSV file that a technician fills in.

use super::file::COLUMNS;
use gatepost_contract::{LoginName, Proposal};

/// The addresses of the lines that show how the columns are meant. They are refused by name, so that a template that was
/// sent back as it is moves nobody.
pub const EXAMPLES: [&str; 4] = [
    "ana.template@example.org",
    "rui.template@example.org",
    "lia.template@example.org",
    "archive.template@example.org",
];

/// The file: the names of the columns, and a line for each usual case.
pub fn template(proposal: Option<&Proposal>) -> String {
    let host = proposal.map_or("imap.old.example", |p| p.host.as_str());
    let (port, security, kind) = match proposal {
        Some(p) => (p.port.to_string(), p.security.as_str(), p.source_type.as_str()),
        None => ("993".to_owned(), "tls", "imap"),
    };
    let local = proposal.is_some_and(|p| p.login == LoginName::Local);
    let user = |name: &'static str| if local { name } else { "" };
    let server = |more: &[(&'static str, &'static str)]| -> Vec<(&str, &str)> {
        let all = [
            ("source_type", kind),
            ("tool", "native"),
            ("source_host", host),
            ("source_port", port.as_str()),
            ("source_security", security),
        ];
        all.into_iter().chain(more.iter().copied()).collect()
    };
    let lines: [Vec<(&str, &str)>; 4] = [
        // A mailbox with passwords of its own.
        server(&[
            ("source_user", user("ana")),
            ("source_password", "password-at-the-old-server"),
            ("dest_password", "password-at-the-new-server"),
        ]),
        // Administrators log in for the user, folders go where they are told.
        server(&[
            ("source_user", user("rui")),
            ("source_admin", "administrator"),
            ("source_password", "password-of-the-administrator"),
            ("dest_user", "rui@example.org"),
            ("dest_admin", "administrator"),
            ("dest_password", "password-of-the-administrator"),
            ("folder_map", "Enviados = Sent | Projetos/2020 = Archive/2020"),
        ]),
        // No password: a consent of the owner or of the whole domain.
        vec![
            ("source_type", "imap_oauth"),
            ("tool", "native"),
            ("source_host", if kind == "imap_oauth" { host } else { "outlook.office365.com" }),
            ("source_port", "993"),
            ("source_security", "tls"),
            ("dest_password", "password-at-the-new-server"),
        ],
        // From a file that is uploaded afterwards.
        vec![("source_type", "pst"), ("tool", "native"), ("dest_password", "password-at-the-new-server")],
    ];
    let mut out = COLUMNS.join(",");
    out.push_str("\r\n");
    for (email, cells) in EXAMPLES.iter().zip(lines) {
        let cell = |column: &&str| match *column {
            "email" => *email,
            name => cells.iter().find(|(of, _)| *of == name).map_or("", |(_, value)| *value),
        };
        // No cell here holds a comma, a quote or a line break.
        out.push_str(&COLUMNS.iter().map(cell).collect::<Vec<_>>().join(","));
        out.push_str("\r\n");
    }
    out
}
