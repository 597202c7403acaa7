//! What an item is, by its message class (MS-OXCMSG section 2.2.1.3). Classes are compared without regard to case.

/// What an item is to be made into.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// A message of RFC 5322.
    Mail,
    /// A vCard.
    Contact,
    /// A list of contacts: a vCard of kind group.
    ContactList,
    /// An iCalendar event.
    Appointment,
    /// An iCalendar to-do.
    Task,
    /// A text.
    Note,
    /// An iCalendar journal entry.
    Journal,
    /// Anything else: its properties as text.
    Other,
}

impl Kind {
    /// The kind of a class. Whatever is not known to be something else is mail.
    #[must_use]
    pub fn of(class: &str) -> Self {
        const KINDS: [(&str, Kind); 10] = [
            ("IPM.Contact", Kind::Contact),
            ("IPM.AbchPerson", Kind::Contact),
            ("IPM.DistList", Kind::ContactList),
            ("IPM.Appointment", Kind::Appointment),
            ("IPM.OLE.CLASS.{00061055-0000-0000-C000-000000000046}", Kind::Appointment),
            ("IPM.Task", Kind::Task),
            ("IPM.StickyNote", Kind::Note),
            ("IPM.Activity", Kind::Journal),
            // What Outlook keeps for itself: settings, free and busy times.
            ("IPM.Configuration", Kind::Other),
            ("IPM.Microsoft", Kind::Other),
        ];
        KINDS.iter().find(|(name, _)| is(class, name)).map_or(Self::Mail, |(_, kind)| *kind)
    }

    /// The ending of the name that an item of this kind is saved under.
    #[must_use]
    pub fn extension(self) -> &'static str {
        match self {
            Self::Mail => "eml",
            Self::Contact | Self::ContactList => "vcf",
            Self::Appointment | Self::Task | Self::Journal => "ics",
            Self::Note | Self::Other => "txt",
        }
    }
}

/// Whether a class is this one or a class derived from it.
pub(crate) fn is(class: &str, base: &str) -> bool {
    class.get(..base.len()).is_some_and(|start| start.eq_ignore_ascii_case(base))
        && matches!(class.as_bytes().get(base.len()), None | Some(b'.'))
}

/// Whether it tells of the fate of another message.
pub(crate) fn is_report(class: &str) -> bool {
    is(class, "REPORT")
}

/// Whether it is a request, an answer or a cancellation of a meeting.
pub(crate) fn is_meeting(class: &str) -> bool {
    is(class, "IPM.Schedule.Meeting")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_class_tells_what_an_item_is() {
        for (class, kind) in [
            ("IPM.Note", Kind::Mail),
            ("IPM.Note.SMIME.MultipartSigned", Kind::Mail),
            ("REPORT.IPM.Note.NDR", Kind::Mail),
            ("IPM.Schedule.Meeting.Request", Kind::Mail),
            ("IPM.Post", Kind::Mail),
            ("IPM.TaskRequest.Accept", Kind::Mail),
            ("IPM.Something.New", Kind::Mail),
            ("", Kind::Mail),
            ("IPM.Contact", Kind::Contact),
            ("ipm.contact.custom", Kind::Contact),
            ("IPM.ContactX", Kind::Mail),
            ("IPM.DistList", Kind::ContactList),
            ("IPM.Appointment.Live Meeting", Kind::Appointment),
            ("IPM.Task", Kind::Task),
            ("IPM.StickyNote", Kind::Note),
            ("IPM.Activity", Kind::Journal),
            ("IPM.Microsoft.ScheduleData.FreeBusy", Kind::Other),
        ] {
            assert_eq!(Kind::of(class), kind, "{class}");
        }
    }
}
