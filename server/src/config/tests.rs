use super::*;

fn with(pairs: &[(&str, &str)]) -> Result<Config, Unusable> {
    read(Settings::new(pairs.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())), None))
}

#[test]
fn nothing_set_gives_the_documented_defaults() {
    let config = with(&[]).expect("defaults are valid");
    assert_eq!(config.core.data_path, PathBuf::from("./data"));
    assert_eq!(config.core.database_url, "sqlite://./data/gatepost.db?mode=rwc");
    assert_eq!(config.core.override_roles, [Role::SuperAdmin]);
    assert!((config.core.gate_min_ratio - 0.99).abs() < 1e-9);
    assert_eq!((config.core.evidence_max_age_hours, config.core.delta_max_age_hours), (72, 24));
    assert!(config.core.enabled);
    assert_eq!(config.core.dest_imap_security, Security::Tls);
    assert_eq!(config.listen.to_string(), "127.0.0.1:8080");
    assert_eq!(config.worker_listen, None, "a worker listens where it is told to, and nowhere else");
}

#[test]
fn a_wrong_value_is_named_with_what_it_may_be() {
    for (name, value, says) in [
        ("GATEPOST_LISTEN", "8080", "ADDRESS:PORT"),
        ("GATEPOST_WORKER_LISTEN", "8081", "ADDRESS:PORT"),
        ("GATEPOST_LOG_FORMAT", "xml", "text or json"),
        ("GATEPOST_WORKERS", "0", "from 1 to 64"),
        ("GATEPOST_EVIDENCE_MAX_AGE_HOURS", "0", "from 1 to 8760"),
        ("GATEPOST_DELTA_MAX_AGE_HOURS", "8761", "from 1 to 8760"),
        ("GATEPOST_DELTA_SCHEDULE", "0 0 31 2 *", "never comes"),
        ("GATEPOST_DELTA_SCHEDULE", "every six hours", "five fields"),
        ("GATEPOST_TIME_ZONE", "Lisbon", "Europe/Lisbon"),
        ("GATEPOST_PUBLIC_URL", "desk.example", "http or https"),
        ("GATEPOST_PUBLIC_URL", "https://desk.example/path", "without path"),
        ("GATEPOST_DATABASE_URL", "mysql://x", "sqlite://PATH"),
        ("GATEPOST_TRUSTED_PROXIES", "10.0.0.0/40", "networks"),
        ("GATEPOST_JWT_KEY", "short", "at least 32"),
        ("GATEPOST_EMBED_ANCESTORS", "tickets.example", "origins"),
        ("GATEPOST_EMBED_ANCESTORS", "https://a.example; script-src *", "origins"),
        ("GATEPOST_EMBED_ANCESTORS", "https://a.example/path", "origins"),
        ("GATEPOST_EMBED_ANCESTORS", "javascript://x", "origins"),
        ("MIGRATION_ENABLED", "maybe", "true or false"),
        ("MIGRATION_GATE_MIN_RATIO", "99", "at most 1"),
        ("MIGRATION_GATE_MIN_RATIO", "NaN", "at most 1"),
        ("MIGRATION_GATE_OVERRIDE_ROLES", "root", "super_admin"),
        ("MIGRATION_CREDENTIALS_KEY", "abc", "Fernet"),
        ("MIGRATION_DEST_IMAP_PORT", "99999", "1 to 65535"),
        ("MIGRATION_DEST_IMAP_SSL", "ssl3", "STARTTLS"),
        ("MIGRATION_DEST_IMAP_HOST", "a b", "host name"),
        ("MIGRATION_ALLOWED_HOSTS", "a b", "host names"),
        ("GATEPOST_WEBHOOK_ALLOWED_HOSTS", "10.0.0.0/8", "host names"),
        ("GATEPOST_CA_FILE", "/nonexistent/ca.pem", "cannot be read"),
        ("GATEPOST_IMPORT_PATH", "/nonexistent/import", "cannot be read"),
        ("GATEPOST_IMPORT_PATH", "/dev/null", "is no folder"),
        ("GATEPOST_UPLOAD_EXPIRY_HOURS", "0", "from 1 to 8760"),
        ("GATEPOST_UPLOAD_RETENTION_DAYS", "-1", "from 0 to 3650"),
        ("GATEPOST_LOG_RETENTION_DAYS", "4000", "from 0 to 3650"),
        ("GATEPOST_UPLOAD_RESERVE_MB", "15", "or auto"),
    ] {
        let error = with(&[(name, value)]).expect_err(name);
        assert_eq!(error.0.len(), 1, "{name}: {error}");
        assert_eq!(error.0[0].name, name);
        assert!(error.0[0].message.contains(says), "{name}: {error}");
    }
}

#[test]
fn a_webhook_secret_is_one_that_can_sign_and_the_samples_is_none() {
    const NAME: &str = "GATEPOST_DNS_WEBHOOK_SECRET";
    let of = |bytes: usize| format!("whsec_{}", STANDARD.encode(vec![0xff; bytes]));
    for (secret, fine) in [
        (of(24), true),
        (of(32), true),
        (of(64), true),
        (of(23), false),
        (of(65), false),
        (of(32).replace("whsec_", ""), false),
        (of(32).replace('=', ""), false),
        // Its last digit has bits that belong to no byte.
        (format!("whsec_{}/=", "A".repeat(42)), false),
        (of(32).replace('/', "_"), false),
    ] {
        let read = with(&[(NAME, &secret)]);
        assert_eq!(read.is_ok(), fine, "{secret}");
        if let Err(error) = read {
            assert!(error.0[0].name == NAME && !error.to_string().contains(&secret), "{error}");
        }
    }
    let line =
        SAMPLE.lines().find_map(|line| line.strip_prefix("#dns_webhook_secret = ")).expect("it is in the sample");
    assert!(with(&[(NAME, line.trim_matches('"'))]).is_err(), "{line} must not be used as it is");
}

#[test]
fn who_may_frame_the_gate_is_written_as_a_policy_writes_it() {
    for (given, policy) in [
        ("", "*"),
        ("*", "*"),
        ("none", "'none'"),
        ("self, https://tickets.example.net", "'self' https://tickets.example.net"),
        ("https://*.example.net:8443/,http://[::1]:80", "https://*.example.net:8443 http://[::1]:80"),
    ] {
        let config = with(&[("GATEPOST_EMBED_ANCESTORS", given)]).expect(given);
        assert_eq!(config.embed_ancestors, policy);
    }
}

#[test]
fn hosts_that_are_allowed_for_mail_are_not_allowed_for_webhooks() {
    let config = with(&[("MIGRATION_ALLOWED_HOSTS", "127.0.0.1")]).expect("valid").core;
    assert_eq!((config.allowed_hosts, config.webhook_allowed_hosts), (vec!["127.0.0.1".to_owned()], vec![]));
    let config = with(&[("GATEPOST_WEBHOOK_ALLOWED_HOSTS", "desk.local, ::1")]).expect("valid").core;
    assert_eq!((config.allowed_hosts, config.webhook_allowed_hosts), (vec![], vec!["desk.local".into(), "::1".into()]));
}

#[test]
fn every_fault_is_reported_at_once_and_no_key_is_quoted() {
    let error =
        with(&[("GATEPOST_JWT_KEY", "hunter2"), ("MIGRATION_CREDENTIALS_KEY", "hunter2"), ("GATEPOST_WORKERS", "x")])
            .expect_err("three faults");
    assert_eq!(error.0.len(), 3);
    assert!(!error.to_string().contains("hunter2"));
}

#[test]
fn the_environment_wins_over_the_file() {
    let file = "[gatepost]\nworkers = 9\nlisten = \"127.0.0.1:1\"\n[migration]\ngate_override_roles = [\"ops_lead\", \"super_admin\"]\n";
    let settings = Settings::new([("GATEPOST_WORKERS".to_owned(), "3".to_owned())], Some((Path::new("f.toml"), file)));
    let config = read(settings).expect("valid");
    assert_eq!(config.core.workers, 3);
    assert_eq!(config.listen.port(), 1);
    assert_eq!(config.core.override_roles, [Role::OpsLead, Role::SuperAdmin]);
}

#[test]
fn a_file_with_unknown_settings_or_bad_syntax_is_refused() {
    for file in ["[gatepost]\nlissten = 1", "[other]\nx = 1", "x = 1", "[gatepost", "[gatepost]\nlisten = {}"] {
        let settings = Settings::new([], Some((Path::new("f.toml"), file)));
        assert!(read(settings).is_err(), "{file}");
    }
}

#[test]
fn every_line_of_the_sample_is_a_setting_that_can_be_used() {
    let lines: String = SAMPLE
        .lines()
        .filter_map(|line| match line.strip_prefix('#') {
            Some(setting) if !setting.starts_with(' ') => Some(setting),
            Some(_) => None,
            None => Some(line),
        })
        .filter(|line| {
            !["_key =", "_secret =", "ca_file", "import_path =", "ssh_key_file"].iter().any(|own| line.contains(own))
        })
        .map(|line| format!("{line}\n"))
        .collect();
    let settings = Settings::new([], Some((Path::new("sample.toml"), &lines)));
    if let Err(error) = read(settings) {
        panic!("{error}");
    }
    for name in NAMES.iter().filter(|name| **name != "GATEPOST_CONFIG") {
        let (_, key) = name.split_once('_').expect("a prefix");
        assert!(SAMPLE.contains(&format!("#{} = ", key.to_ascii_lowercase())), "{name} is not in the sample");
    }
}
