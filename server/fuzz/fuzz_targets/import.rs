//! Whatever file is given as a list of mailboxes, it is read without a panic, within its bounds, and every error names the
//! file or a line of it. What is judged of a mailbox afterwards is not looked at here. The input is the file.
#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../../crates/core/src/import/file.rs"]
#[allow(dead_code, reason = "the service uses the rest")]
mod file;
#[path = "../../crates/core/src/import/template.rs"]
#[allow(dead_code, reason = "the service uses the rest")]
mod template;
#[path = "../../crates/core/src/validate.rs"]
#[allow(dead_code, reason = "the service uses the rest")]
mod validate;

/// What the reader needs of the service's refusals; the service itself would bring the database with it.
#[derive(Debug)]
pub enum Error {
    Invalid(Vec<gatepost_contract::FieldError>),
}
pub type Result<T> = std::result::Result<T, Error>;

mod mailboxes {
    pub fn check_new(new: &gatepost_contract::NewMailbox, checker: &mut crate::validate::Checker) {
        checker.email("email", &new.email);
        if let Some(host) = &new.source_host {
            checker.host("source_host", host);
        }
    }
}

fuzz_target!(|bytes: &[u8]| {
    let (mut one, two) = (file::parse(bytes), file::parse(bytes));
    assert_eq!(one.errors, two.errors);
    assert!(one.lines.len() <= bytes.len() && one.lines.windows(2).all(|pair| pair[0].number < pair[1].number));
    assert!(!one.lines.is_empty() || !one.errors.is_empty(), "nothing is said of a file with nothing");
    assert!(one.lines.iter().all(|line| line.wave.as_deref() != Some("")));
    one.sort();
    assert!(one.errors.len() <= 1_000);
    for error in &one.errors {
        let of_line = error.field.strip_prefix("line ").and_then(|rest| rest.split(':').next());
        let placed = error.field == "file" || of_line.is_some_and(|number| number.parse::<u64>().is_ok());
        assert!(placed && !error.message.is_empty(), "{error:?}");
    }
});
