//! Which hosts are this machine itself: nobody else can answer for them.

use std::net::IpAddr;

/// Whether a host is this machine, by its address or its usual name.
pub fn is_loopback(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost") || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    #[test]
    fn this_machine_is_recognised() {
        for (host, is_loopback) in [
            ("localhost", true),
            ("LocalHost", true),
            ("127.8.9.1", true),
            ("::1", true),
            ("localhost.example.net", false),
            ("10.0.0.1", false),
            ("", false),
        ] {
            assert_eq!(super::is_loopback(host), is_loopback, "{host}");
        }
    }
}
