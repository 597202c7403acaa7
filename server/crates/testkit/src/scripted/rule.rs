//! Rules: which command gets another answer than the default.

/// What happens instead of, or around, the default answer.
#[derive(Debug, Clone)]
pub(super) enum Action {
    /// These bytes; `{tag}` stands for the command's tag.
    Reply(Vec<u8>),
    /// These bytes first, then the default answer.
    Before(Vec<u8>),
    /// The command is carried out, the answer is lost and the connection closes.
    PerformThenClose,
    Close,
    /// These bytes, then the connection closes.
    ReplyThenClose(Vec<u8>),
    /// Nothing more on this connection; it closes when the rules are cleared.
    Stall,
}

/// A change of one answer; made by [`on`].
#[derive(Debug, Clone)]
pub struct Rule {
    prefix: String,
    skip: usize,
    times: Option<usize>,
    pub(super) action: Action,
}

impl Rule {
    /// Whether the rule decides about this command; counts.
    pub(super) fn fires(&mut self, command: &str) -> bool {
        if self.times == Some(0) || !begins_with(command, &self.prefix) {
            return false;
        }
        if self.skip > 0 {
            self.skip -= 1;
            return false;
        }
        if let Some(times) = &mut self.times {
            *times -= 1;
        }
        true
    }
}

/// Whether a command begins with the words of `prefix`; the last word may be cut short (`UID FETCH`, `SELECT Arch`).
pub(super) fn begins_with(command: &str, prefix: &str) -> bool {
    command.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix))
}

/// The first half of a rule.
#[derive(Debug, Clone)]
pub struct On {
    prefix: String,
    skip: usize,
    times: Option<usize>,
}

/// A rule for commands that begin with `prefix`, letter case ignored: `SELECT INBOX`, `UID FETCH`, `APPEND Sent`.
/// Strings are compared without quotes, mailbox names in modified UTF-7 as the client sent them.
#[must_use]
pub fn on(prefix: impl Into<String>) -> On {
    On { prefix: prefix.into(), skip: 0, times: None }
}

impl On {
    /// Only for the first command that matches.
    #[must_use]
    pub fn once(self) -> On {
        self.times(1)
    }

    /// Only for so many commands that match.
    #[must_use]
    pub fn times(mut self, times: usize) -> On {
        self.times = Some(times);
        self
    }

    /// Lets so many matching commands pass first.
    #[must_use]
    pub fn after(mut self, commands: usize) -> On {
        self.skip = commands;
        self
    }

    /// Answers these bytes and nothing else; `{tag}` stands for the command's tag.
    #[must_use]
    pub fn reply(self, bytes: impl Into<Vec<u8>>) -> Rule {
        self.rule(Action::Reply(bytes.into()))
    }

    /// Answers NO with this text, which may begin with a response code in brackets.
    #[must_use]
    pub fn no(self, text: &str) -> Rule {
        self.reply(format!("{{tag}} NO {text}\r\n"))
    }

    /// Answers BAD.
    #[must_use]
    pub fn bad(self, text: &str) -> Rule {
        self.reply(format!("{{tag}} BAD {text}\r\n"))
    }

    /// Says BYE and closes.
    #[must_use]
    pub fn bye(self, text: &str) -> Rule {
        self.rule(Action::ReplyThenClose(format!("* BYE {text}\r\n").into_bytes()))
    }

    /// Sends these bytes before the default answer: unsolicited EXPUNGE, ALERT, …
    #[must_use]
    pub fn before(self, bytes: impl Into<Vec<u8>>) -> Rule {
        self.rule(Action::Before(bytes.into()))
    }

    /// Closes without an answer; the command is not carried out.
    #[must_use]
    pub fn close(self) -> Rule {
        self.rule(Action::Close)
    }

    /// Carries the command out and closes without an answer: the client cannot know whether it was.
    #[must_use]
    pub fn perform_then_close(self) -> Rule {
        self.rule(Action::PerformThenClose)
    }

    /// Sends bytes that are no IMAP, then closes.
    #[must_use]
    pub fn garbage(self, bytes: impl Into<Vec<u8>>) -> Rule {
        self.rule(Action::ReplyThenClose(bytes.into()))
    }

    /// Answers nothing and keeps the connection open.
    #[must_use]
    pub fn stall(self) -> Rule {
        self.rule(Action::Stall)
    }

    fn rule(self, action: Action) -> Rule {
        Rule { prefix: self.prefix, skip: self.skip, times: self.times, action }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_fires_after_its_skips_and_as_often_as_told() {
        let mut rule = on("APPEND Sent").after(1).times(2).close();
        let fired: Vec<bool> =
            ["append Sent {3}", "NOOP", "APPEND Sent {4}", "APPEND Other", "APPEND Sent", "APPEND Sent"]
                .iter()
                .map(|command| rule.fires(command))
                .collect();
        assert_eq!(fired, [false, false, true, false, true, false]);
    }
}
