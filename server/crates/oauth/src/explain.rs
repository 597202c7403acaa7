//! What the errors of token end points mean, and what to do about them.
//!
//! Microsoft's numbers are from learn.microsoft.com/entra/identity-platform/reference-error-codes.

use crate::OauthError;

/// What was asked: the same error means different things.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asking {
    /// A code from the authorization page for a token.
    Code,
    /// A new token for one that somebody consented to.
    Refresh,
    /// A code for a device.
    DeviceCode,
    /// The token of a device.
    Device,
    /// A token for the application itself.
    Machine,
    /// A token for a service account in somebody's name.
    Service,
    /// A token to be given back.
    Revoke,
}

/// An error of the authorization page or of an end point.
pub(crate) fn refusal(host: &str, asking: Asking, error: &str, codes: &[u64], said: &str) -> OauthError {
    let says = if said.is_empty() { format!("{host} answers {error:?}.") } else { format!("{host} says: {said}") };
    let refused = |advice: &str| OauthError::Refused {
        code: error.to_owned(),
        description: format!("{} {says}", advice.trim_end()).trim_start().to_owned(),
    };
    let denied =
        || OauthError::Denied { description: (!said.is_empty()).then(|| said.trim_end_matches('.').to_owned()) };
    match error {
        "authorization_pending" => return OauthError::Pending,
        "slow_down" => return OauthError::SlowDown,
        "expired_token" | "code_expired" => return OauthError::Expired,
        "access_denied" | "authorization_declined" => return denied(),
        _ => {}
    }
    if let Some((number, what)) = microsoft_number(codes, said) {
        return match what {
            Meaning::Gone(sentence) => OauthError::ConsentGone { description: format!("{sentence} (AADSTS{number}).") },
            Meaning::Denied => denied(),
            Meaning::Expired => OauthError::Expired,
            Meaning::Mend(sentence) => {
                OauthError::Refused { code: format!("AADSTS{number}"), description: format!("{sentence} {says}") }
            }
        };
    }
    match (error, asking) {
        ("invalid_grant", Asking::Refresh) => {
            OauthError::ConsentGone { description: format!("The consent was revoked or has lapsed. {says}") }
        }
        ("interaction_required" | "login_required" | "consent_required", Asking::Refresh | Asking::Code) => {
            OauthError::ConsentGone {
                description: format!("The provider wants the owner at its log-in page again. {says}"),
            }
        }
        ("invalid_grant", Asking::Device) => OauthError::Expired,
        ("invalid_grant", Asking::Code) => {
            refused("The code of the log-in page was used already, or has expired. Start the consent again.")
        }
        ("invalid_grant", Asking::Service) => refused(
            "The service account's key was deleted, there is no such user in the domain, or this machine's clock is wrong.",
        ),
        ("unauthorized_client", Asking::Service) => refused(
            "The service account may not act for the domain's users. In Google's Admin console, under Security, API \
             controls, Domain-wide delegation, add its client id with the scope https://mail.google.com/ and wait some \
             minutes.",
        ),
        ("invalid_client", _) => refused(
            "The provider does not accept the application's id or secret. Correct them in the OAuth application.",
        ),
        ("unauthorized_client" | "unsupported_grant_type" | "unsupported_response_type", _) => {
            refused("The application is not allowed to sign in this way. Change its registration at the provider.")
        }
        ("invalid_scope", _) => refused(
            "The provider does not know what was asked for, or does not give it to this application. Check the scopes.",
        ),
        ("redirect_uri_mismatch", _) => {
            refused("The application is registered with another redirect address. Add ours at the provider.")
        }
        ("admin_policy_enforced", _) => refused(
            "The domain's administrator does not let this application in. Allow it in the provider's admin console.",
        ),
        ("org_internal", _) => refused("The application is only for users of its own organisation."),
        ("", _) => refused("The request was refused."),
        _ => refused(""),
    }
}

enum Meaning {
    /// Somebody must consent anew.
    Gone(&'static str),
    /// Somebody said no.
    Denied,
    /// A code has run out.
    Expired,
    /// Something must be mended elsewhere.
    Mend(&'static str),
}

/// The first of Microsoft's numbers that is known, from the field for it or from the words.
fn microsoft_number(codes: &[u64], said: &str) -> Option<(u64, Meaning)> {
    let mut written = said.split("AADSTS").skip(1).filter_map(|rest| {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        rest[..digits].parse().ok()
    });
    codes.iter().copied().chain(written.by_ref()).find_map(|number| Some((number, meaning(number)?)))
}

fn meaning(number: u64) -> Option<Meaning> {
    Some(match number {
        16_000 | 50_058 | 50_072 | 50_074 | 50_076 | 50_078 | 50_079 | 50_158 => {
            Meaning::Gone("The organisation wants the owner to log in again, with a second factor")
        }
        50_133 | 50_173 => Meaning::Gone("The password was changed, or all sessions were ended"),
        65_001 => Meaning::Gone("Nobody has consented to this application"),
        70_000 | 70_002 | 70_008 | 70_043 | 70_044 | 700_082 | 700_084 => {
            Meaning::Gone("The consent has lapsed or was revoked")
        }
        53_000..=53_004 | 530_031..=530_035 => Meaning::Mend(
            "A conditional access policy of the organisation blocks this log-in. Its administrator must exclude the \
             application, or allow this machine's address.",
        ),
        65_004 | 65_005 => Meaning::Denied,
        70_016 | 70_018 => return (number == 70_018).then_some(Meaning::Mend("The code was mistyped. Start again.")),
        70_019 | 70_020 => Meaning::Expired,
        50_011 => Meaning::Mend("The application is registered with another redirect address. Add ours in Entra ID."),
        50_020 => Meaning::Mend("The account belongs to another organisation. Log in with the mailbox's own account."),
        50_034 => Meaning::Mend("There is no such account in the organisation."),
        50_055 => Meaning::Mend("The account's password has expired. Its owner must change it first."),
        50_057 => Meaning::Mend("The account is disabled. Enable it in the Microsoft 365 admin center."),
        50_105 => Meaning::Mend("The account is not assigned to the application. Assign it in Entra ID."),
        54_005 => Meaning::Mend("The code of the log-in page was used already. Start the consent again."),
        70_011 | 28_002 | 28_003 => Meaning::Mend("The scopes are not ones that this application can have."),
        90_002 | 900_021 | 900_023 => {
            Meaning::Mend("There is no such tenant. Correct the tenant in the OAuth application.")
        }
        90_094 | 90_095 => Meaning::Mend(
            "An administrator of the organisation must consent to this application. Use the consent for the whole domain.",
        ),
        500_011 => Meaning::Mend("Exchange Online is not available in this tenant, or the scope is not its."),
        501_481 => Meaning::Mend("The answer belongs to another attempt. Start the consent again."),
        700_016 => Meaning::Mend(
            "The application is not known in this tenant. Check its id, and let an administrator consent to it.",
        ),
        700_025 => {
            Meaning::Mend("The application is a public client and must not send a secret. Take the secret away.")
        }
        700_027 => Meaning::Mend("The certificate is not the one that is registered with the application."),
        7_000_215 => Meaning::Mend("The client secret is wrong. Enter the secret's value, not its id."),
        7_000_218 => Meaning::Mend(
            "The application needs a client secret, or \"Allow public client flows\" switched on in Entra ID.",
        ),
        7_000_222 => Meaning::Mend("The client secret has expired. Make a new one in Entra ID and enter it."),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_mean_what_was_asked_for() {
        let cases = [
            ("authorization_pending", Asking::Device, "", "Pending"),
            ("slow_down", Asking::Device, "", "SlowDown"),
            ("expired_token", Asking::Device, "", "Expired"),
            ("authorization_declined", Asking::Device, "no", "Denied"),
            ("access_denied", Asking::Code, "", "Denied"),
            ("invalid_grant", Asking::Refresh, "Token has been expired or revoked.", "ConsentGone"),
            ("interaction_required", Asking::Refresh, "", "ConsentGone"),
            ("invalid_grant", Asking::Code, "", "Refused"),
            ("invalid_grant", Asking::Service, "Invalid email or User ID", "Refused"),
            ("unauthorized_client", Asking::Service, "", "Refused"),
            ("invalid_client", Asking::Machine, "", "Refused"),
            ("something_new", Asking::Machine, "", "Refused"),
        ];
        for (error, asking, said, kind) in cases {
            let refusal = refusal("login.example", asking, error, &[], said);
            assert!(format!("{refusal:?}").starts_with(kind), "{error}: {refusal:?}");
            assert!(said.is_empty() || refusal.to_string().contains(said.trim_end_matches('.')), "{refusal}");
        }
        let delegation = refusal("h", Asking::Service, "unauthorized_client", &[], "").to_string();
        assert!(delegation.contains("Domain-wide delegation"), "{delegation}");
    }

    #[test]
    fn microsofts_numbers_are_told_as_sentences() {
        let cases: [(&str, &[u64], &str, &str, &str); 8] = [
            ("invalid_grant", &[50_173], "x", "ConsentGone", "password was changed"),
            (
                "invalid_grant",
                &[],
                "AADSTS700082: The refresh token has expired due to inactivity.",
                "ConsentGone",
                "lapsed",
            ),
            ("interaction_required", &[50_076], "", "ConsentGone", "second factor"),
            ("invalid_grant", &[65_001], "", "ConsentGone", "Nobody has consented"),
            ("invalid_client", &[7_000_222], "", "Refused", "has expired. Make a new one"),
            ("unauthorized_client", &[700_016], "", "Refused", "not known in this tenant"),
            ("access_denied", &[65_004], "", "Denied", "refused"),
            ("invalid_grant", &[53_003], "AADSTS53003: Access has been blocked", "Refused", "conditional access"),
        ];
        for (error, codes, said, kind, words) in cases {
            let refusal = refusal("login.example", Asking::Refresh, error, codes, said);
            assert!(format!("{refusal:?}").starts_with(kind), "{codes:?}: {refusal:?}");
            assert!(refusal.to_string().contains(words), "{codes:?}: {refusal}");
        }
    }
}
