//! Ids of properties that are used here and by readers (MS-OXPROPS).

/// PidTagImportance: 0 low, 1 normal, 2 high.
pub const IMPORTANCE: u16 = 0x0017;
/// PidTagMessageClass.
pub const MESSAGE_CLASS: u16 = 0x001A;
/// PidTagOriginatorDeliveryReportRequested.
pub const DELIVERY_RECEIPT: u16 = 0x0023;
/// PidTagReadReceiptRequested.
pub const READ_RECEIPT: u16 = 0x0029;
/// PidTagReplyTime.
pub const REPLY_TIME: u16 = 0x0030;
/// PidTagSensitivity: 0 normal, 1 personal, 2 private, 3 company confidential.
pub const SENSITIVITY: u16 = 0x0036;
/// PidTagSubject.
pub const SUBJECT: u16 = 0x0037;
/// PidTagClientSubmitTime.
pub const CLIENT_SUBMIT_TIME: u16 = 0x0039;
/// PidTagSentRepresentingEntryId.
pub const REPRESENTING_ENTRY: u16 = 0x0041;
/// PidTagSentRepresentingName.
pub const REPRESENTING_NAME: u16 = 0x0042;
/// PidTagOriginalSubject.
pub const ORIGINAL_SUBJECT: u16 = 0x0049;
/// PidTagOriginalSubmitTime.
pub const ORIGINAL_SUBMIT_TIME: u16 = 0x004E;
/// PidTagReplyRecipientEntries.
pub const REPLY_ENTRIES: u16 = 0x004F;
/// PidTagReplyRecipientNames.
pub const REPLY_NAMES: u16 = 0x0050;
/// PidTagStartDate.
pub const START_DATE: u16 = 0x0060;
/// PidTagEndDate.
pub const END_DATE: u16 = 0x0061;
/// PidTagSentRepresentingAddressType.
pub const REPRESENTING_TYPE: u16 = 0x0064;
/// PidTagSentRepresentingEmailAddress.
pub const REPRESENTING_ADDRESS: u16 = 0x0065;
/// PidTagConversationTopic.
pub const CONVERSATION_TOPIC: u16 = 0x0070;
/// PidTagConversationIndex.
pub const CONVERSATION_INDEX: u16 = 0x0071;
/// PidTagTransportMessageHeaders.
pub const TRANSPORT_HEADERS: u16 = 0x007D;
/// PidTagRecipientType: 1 To, 2 Cc, 3 Bcc.
pub const RECIPIENT_TYPE: u16 = 0x0C15;
/// PidTagSenderEntryId.
pub const SENDER_ENTRY: u16 = 0x0C19;
/// PidTagSenderName.
pub const SENDER_NAME: u16 = 0x0C1A;
/// PidTagSupplementaryInfo.
pub const SUPPLEMENTARY_INFO: u16 = 0x0C1B;
/// PidTagSenderAddressType.
pub const SENDER_TYPE: u16 = 0x0C1E;
/// PidTagSenderEmailAddress.
pub const SENDER_ADDRESS: u16 = 0x0C1F;
/// PidTagNonDeliveryReportStatusCode.
pub const NDR_STATUS: u16 = 0x0C20;
/// PidTagRemoteMessageTransferAgent.
pub const REMOTE_MTA: u16 = 0x0C21;
/// PidTagDisplayCc.
pub const DISPLAY_CC: u16 = 0x0E03;
/// PidTagDisplayTo.
pub const DISPLAY_TO: u16 = 0x0E04;
/// PidTagMessageDeliveryTime.
pub const DELIVERY_TIME: u16 = 0x0E06;
/// PidTagMessageFlags.
pub const MESSAGE_FLAGS: u16 = 0x0E07;
/// PidTagNormalizedSubject.
pub const NORMALIZED_SUBJECT: u16 = 0x0E1D;
/// PidTagRtfInSync.
pub const RTF_IN_SYNC: u16 = 0x0E1F;
/// PidTagEntryId.
pub const ENTRY_ID: u16 = 0x0FFF;
/// PidTagBody.
pub const BODY: u16 = 0x1000;
/// PidTagReportText.
pub const REPORT_TEXT: u16 = 0x1001;
/// PidTagRtfCompressed.
pub const RTF: u16 = 0x1009;
/// PidTagHtml.
pub const HTML: u16 = 0x1013;
/// PidTagNativeBody: 1 text, 2 RTF, 3 HTML, 4 clear-signed.
pub const NATIVE_BODY: u16 = 0x1016;
/// PidTagInternetMessageId.
pub const MESSAGE_ID: u16 = 0x1035;
/// PidTagOriginalMessageId.
pub const ORIGINAL_MESSAGE_ID: u16 = 0x1046;
/// PidTagInternetReferences.
pub const REFERENCES: u16 = 0x1039;
/// PidTagInReplyToId.
pub const IN_REPLY_TO: u16 = 0x1042;
/// PidTagIconIndex: 0x105 answered, 0x106 forwarded.
pub const ICON_INDEX: u16 = 0x1080;
/// PidTagLastVerbExecuted.
pub const LAST_VERB: u16 = 0x1081;
/// PidTagFlagStatus.
pub const FLAG_STATUS: u16 = 0x1090;
/// PidTagDisplayName.
pub const DISPLAY_NAME: u16 = 0x3001;
/// PidTagAddressType.
pub const ADDRESS_TYPE: u16 = 0x3002;
/// PidTagEmailAddress.
pub const EMAIL_ADDRESS: u16 = 0x3003;
/// PidTagCreationTime.
pub const CREATION_TIME: u16 = 0x3007;
/// PidTagLastModificationTime.
pub const LAST_MODIFICATION_TIME: u16 = 0x3008;
/// PidTagAttachDataBinary, or the embedded object.
pub const ATTACH_DATA: u16 = 0x3701;
/// PidTagAttachExtension.
pub const ATTACH_EXTENSION: u16 = 0x3703;
/// PidTagAttachFilename.
pub const ATTACH_FILENAME: u16 = 0x3704;
/// PidTagAttachMethod.
pub const ATTACH_METHOD: u16 = 0x3705;
/// PidTagAttachLongFilename.
pub const ATTACH_LONG_FILENAME: u16 = 0x3707;
/// PidTagAttachPathname.
pub const ATTACH_PATHNAME: u16 = 0x3708;
/// PidTagRenderingPosition: where in the text the attachment stands; -1 where nowhere.
pub const RENDERING_POSITION: u16 = 0x370B;
/// PidTagAttachLongPathname.
pub const ATTACH_LONG_PATHNAME: u16 = 0x370D;
/// PidTagAttachMimeTag.
pub const ATTACH_MIME_TAG: u16 = 0x370E;
/// PidTagAttachContentId.
pub const ATTACH_CONTENT_ID: u16 = 0x3712;
/// PidTagAttachContentLocation.
pub const ATTACH_CONTENT_LOCATION: u16 = 0x3713;
/// PidTagAttachFlags.
pub const ATTACH_FLAGS: u16 = 0x3714;
/// PidTagSmtpAddress.
pub const SMTP_ADDRESS: u16 = 0x39FE;
/// PidTagGeneration.
pub const GENERATION: u16 = 0x3A05;
/// PidTagGivenName.
pub const GIVEN_NAME: u16 = 0x3A06;
/// PidTagBusinessTelephoneNumber.
pub const BUSINESS_PHONE: u16 = 0x3A08;
/// PidTagHomeTelephoneNumber.
pub const HOME_PHONE: u16 = 0x3A09;
/// PidTagInitials.
pub const INITIALS: u16 = 0x3A0A;
/// PidTagSurname.
pub const SURNAME: u16 = 0x3A11;
/// PidTagPostalAddress.
pub const POSTAL_ADDRESS: u16 = 0x3A15;
/// PidTagCompanyName.
pub const COMPANY_NAME: u16 = 0x3A16;
/// PidTagTitle.
pub const TITLE: u16 = 0x3A17;
/// PidTagDepartmentName.
pub const DEPARTMENT_NAME: u16 = 0x3A18;
/// PidTagOfficeLocation.
pub const OFFICE_LOCATION: u16 = 0x3A19;
/// PidTagPrimaryTelephoneNumber.
pub const PRIMARY_PHONE: u16 = 0x3A1A;
/// PidTagBusiness2TelephoneNumber.
pub const BUSINESS2_PHONE: u16 = 0x3A1B;
/// PidTagMobileTelephoneNumber.
pub const MOBILE_PHONE: u16 = 0x3A1C;
/// PidTagRadioTelephoneNumber.
pub const RADIO_PHONE: u16 = 0x3A1D;
/// PidTagCarTelephoneNumber.
pub const CAR_PHONE: u16 = 0x3A1E;
/// PidTagOtherTelephoneNumber.
pub const OTHER_PHONE: u16 = 0x3A1F;
/// PidTagPagerTelephoneNumber.
pub const PAGER: u16 = 0x3A21;
/// PidTagPrimaryFaxNumber.
pub const PRIMARY_FAX: u16 = 0x3A23;
/// PidTagBusinessFaxNumber.
pub const BUSINESS_FAX: u16 = 0x3A24;
/// PidTagHomeFaxNumber.
pub const HOME_FAX: u16 = 0x3A25;
/// PidTagCountry.
pub const COUNTRY: u16 = 0x3A26;
/// PidTagLocality.
pub const LOCALITY: u16 = 0x3A27;
/// PidTagStateOrProvince.
pub const STATE: u16 = 0x3A28;
/// PidTagStreetAddress.
pub const STREET: u16 = 0x3A29;
/// PidTagPostalCode.
pub const POSTAL_CODE: u16 = 0x3A2A;
/// PidTagPostOfficeBox.
pub const POST_OFFICE_BOX: u16 = 0x3A2B;
/// PidTagHome2TelephoneNumber.
pub const HOME2_PHONE: u16 = 0x3A2F;
/// PidTagAssistant.
pub const ASSISTANT: u16 = 0x3A30;
/// PidTagWeddingAnniversary.
pub const ANNIVERSARY: u16 = 0x3A41;
/// PidTagBirthday.
pub const BIRTHDAY: u16 = 0x3A42;
/// PidTagMiddleName.
pub const MIDDLE_NAME: u16 = 0x3A44;
/// PidTagDisplayNamePrefix.
pub const NAME_PREFIX: u16 = 0x3A45;
/// PidTagProfession.
pub const PROFESSION: u16 = 0x3A46;
/// PidTagSpouseName.
pub const SPOUSE: u16 = 0x3A48;
/// PidTagManagerName.
pub const MANAGER: u16 = 0x3A4E;
/// PidTagNickname.
pub const NICKNAME: u16 = 0x3A4F;
/// PidTagPersonalHomePage.
pub const PERSONAL_PAGE: u16 = 0x3A50;
/// PidTagBusinessHomePage.
pub const BUSINESS_PAGE: u16 = 0x3A51;
/// PidTagCompanyMainTelephoneNumber.
pub const COMPANY_PHONE: u16 = 0x3A57;
/// PidTagHomeAddressCity.
pub const HOME_LOCALITY: u16 = 0x3A59;
/// PidTagHomeAddressCountry.
pub const HOME_COUNTRY: u16 = 0x3A5A;
/// PidTagHomeAddressPostalCode.
pub const HOME_POSTAL_CODE: u16 = 0x3A5B;
/// PidTagHomeAddressStateOrProvince.
pub const HOME_STATE: u16 = 0x3A5C;
/// PidTagHomeAddressStreet.
pub const HOME_STREET: u16 = 0x3A5D;
/// PidTagHomeAddressPostOfficeBox.
pub const HOME_POST_OFFICE_BOX: u16 = 0x3A5E;
/// PidTagOtherAddressCity.
pub const OTHER_LOCALITY: u16 = 0x3A5F;
/// PidTagOtherAddressCountry.
pub const OTHER_COUNTRY: u16 = 0x3A60;
/// PidTagOtherAddressPostalCode.
pub const OTHER_POSTAL_CODE: u16 = 0x3A61;
/// PidTagOtherAddressStateOrProvince.
pub const OTHER_STATE: u16 = 0x3A62;
/// PidTagOtherAddressStreet.
pub const OTHER_STREET: u16 = 0x3A63;
/// PidTagOtherAddressPostOfficeBox.
pub const OTHER_POST_OFFICE_BOX: u16 = 0x3A64;
/// PidTagInternetCodepage.
pub const INTERNET_CODEPAGE: u16 = 0x3FDE;
/// PidTagMessageCodepage.
pub const MESSAGE_CODEPAGE: u16 = 0x3FFD;
/// PidTagSenderSmtpAddress.
pub const SENDER_SMTP: u16 = 0x5D01;
/// PidTagSentRepresentingSmtpAddress.
pub const REPRESENTING_SMTP: u16 = 0x5D02;
/// PidTagCreatorSmtpAddress, which the sender's client wrote.
pub const CREATOR_SMTP: u16 = 0x5D0A;
/// PidTagRecipientDisplayName.
pub const RECIPIENT_DISPLAY_NAME: u16 = 0x5FF6;
/// PidTagRecipientEntryId.
pub const RECIPIENT_ENTRY: u16 = 0x5FF7;
/// PidTagRecipientTrackStatus: 0 none, 2 tentative, 3 accepted, 4 declined.
pub const RECIPIENT_TRACK_STATUS: u16 = 0x5FFF;
/// PidTagReportingMessageTransferAgent.
pub const REPORTING_MTA: u16 = 0x6820;
/// PidTagAttachmentHidden.
pub const ATTACHMENT_HIDDEN: u16 = 0x7FFE;
/// PidTagAttachmentContactPhoto.
pub const ATTACHMENT_CONTACT_PHOTO: u16 = 0x7FFF;
/// PidTagCallbackTelephoneNumber.
pub const CALLBACK_PHONE: u16 = 0x3A02;
/// PidTagAssistantTelephoneNumber.
pub const ASSISTANT_PHONE: u16 = 0x3A2E;
/// PidTagTelecommunicationsDeviceForDeafTelephoneNumber.
pub const TTY_PHONE: u16 = 0x3A4B;
/// PidTagRecipientFlags: 2 is the organizer of a meeting.
pub const RECIPIENT_FLAGS: u16 = 0x5FFD;
