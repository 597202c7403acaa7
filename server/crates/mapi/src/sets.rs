//! Property sets of named properties (MS-OXPROPS section 1.3.2), and the numbers in them that are used here.

use crate::Guid;

/// PS_PUBLIC_STRINGS.
pub const PUBLIC_STRINGS: Guid = Guid::office(0x0002_0329);
/// PS_INTERNET_HEADERS.
pub const INTERNET_HEADERS: Guid = Guid::office(0x0002_0386);
/// PSETID_Appointment.
pub const APPOINTMENT: Guid = Guid::office(0x0006_2002);
/// PSETID_Task.
pub const TASK: Guid = Guid::office(0x0006_2003);
/// PSETID_Address.
pub const ADDRESS: Guid = Guid::office(0x0006_2004);
/// PSETID_Common.
pub const COMMON: Guid = Guid::office(0x0006_2008);
/// PSETID_Log.
pub const LOG: Guid = Guid::office(0x0006_200A);
/// PSETID_Note.
pub const NOTE: Guid = Guid::office(0x0006_200E);
/// PSETID_Meeting.
pub const MEETING: Guid =
    Guid([0x90, 0xDA, 0xD8, 0x6E, 0x0B, 0x45, 0x1B, 0x10, 0x98, 0xDA, 0x00, 0xAA, 0x00, 0x3F, 0x13, 0x05]);
