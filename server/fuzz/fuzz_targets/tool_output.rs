//! Whatever doveadm, zmmailbox, ssh, imap_upload.py and readpst print, it comes as clean lines however it was cut, is read
//! without a panic, and what is kept is bounded. The first byte says how it is cut and how the program ended.
#![no_main]

use gatepost_tools::{
    Ended, Exit, Line, Stream, doveadm, imap_upload, readpst,
    ssh::{Destination, HostKey, KnownHosts, Said, Ssh},
    zmmailbox,
};
use libfuzzer_sys::fuzz_target;

#[path = "../../crates/tools/src/run/lines.rs"]
mod lines;

fn cut(bytes: &[u8], step: usize) -> Vec<String> {
    let (mut reader, mut found) = (lines::Lines::default(), Vec::new());
    let mut keep = |line: lines::Line| found.push(line.text);
    for piece in bytes.chunks(step.max(1)) {
        reader.take(lines::Stream::Out, piece, &mut keep);
    }
    reader.finish(&mut keep);
    found
}

fuzz_target!(|input: &[u8]| {
    let Some((first, bytes)) = input.split_first() else { return };
    let found = cut(bytes, bytes.len());
    assert_eq!(found, cut(bytes, usize::from(first % 32) + 1));
    for line in &found {
        assert!(!line.is_empty() && line.len() <= 3 * (16 << 10) + 3);
        assert!(!line.chars().any(|c| c.is_control() && c != '\t'), "{line:?}");
    }
    let (mut dove, mut said, mut upload, mut pst) =
        (doveadm::Report::default(), Said::default(), imap_upload::Report::default(), readpst::Report::default());
    for text in &found {
        for stream in [Stream::Out, Stream::Err] {
            let line = Line { stream, text: text.clone() };
            dove.take(&line);
            said.take(&line);
            upload.take(&line);
            pst.take(&line);
        }
        if let Some(key) = HostKey::parse(text) {
            assert!(key.fingerprint().starts_with("SHA256:"));
        }
        if let Ok(place) = text.parse::<Destination>() {
            assert!(!place.host.is_empty() && !place.host.starts_with('-') && place.port() > 0, "{text:?}");
            assert!(place.user.is_none_or(|user| !user.is_empty() && !user.starts_with('-')), "{text:?}");
        }
    }
    assert!(dove.errors.len() <= 20 && said.lines().len() <= 40);
    assert!(upload.refusals.len() <= imap_upload::Report::REFUSALS);
    assert!(pst.complaints.len() <= readpst::Report::COMPLAINTS);
    if let Some((messages, _, _)) = doveadm::status(&dove.answers, "INBOX") {
        assert!(found.iter().any(|line| line.contains(&messages.to_string()) || line.contains('+')), "{messages}");
    }
    let exit = match first / 32 {
        0 => Exit::Code(0),
        1 => Exit::Code(75),
        2 => Exit::Code(255),
        3 => Exit::Signal(9),
        code => Exit::Code(i32::from(code)),
    };
    let ended = Ended { exit, stopped: None, left_running: 0 };
    let ssh = Ssh { program: "ssh".into(), key: "k".into(), known_hosts: KnownHosts::at("/nonexistent".into()) };
    let to = "root@mail.example".parse().expect("a destination");
    let action = zmmailbox::Action::Export;
    let call = zmmailbox::Call { ssh: &ssh, to: &to, user: None, mailbox: "ana@moved.example", action };
    let sentences = [
        zmmailbox::failure(&ended, &said, &call).map(|(sentence, _)| sentence),
        imap_upload::failure(&ended, &upload),
        readpst::failure(&ended, &pst),
    ];
    assert!(sentences.iter().flatten().all(|sentence| !sentence.is_empty()));
    if exit == Exit::Code(0) {
        assert!(sentences[0].is_none() && sentences[2].is_none());
    }
    match doveadm::End::of(&ended, &dove) {
        doveadm::End::Fine => assert_eq!(exit, Exit::Code(0)),
        doveadm::End::Again(s) | doveadm::End::Full(s) | doveadm::End::Hopeless(s) | doveadm::End::Failed(s) => {
            assert!(!s.is_empty());
        }
    }
});
