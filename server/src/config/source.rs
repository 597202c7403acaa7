//! Where settings come from: the environment over a TOML file. Knows names and text, no meaning.
//!
//! `MIGRATION_DATA_PATH` is `data_path` in the table `[migration]`, `GATEPOST_LISTEN` is `listen` in `[gatepost]`. The
//! tables `[[host]]` have no variables; they are handed on as they are.
//! An empty variable counts as not set.

use std::{cell::RefCell, collections::BTreeMap, fmt::Display, path::Path};

/// A setting that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The variable's name.
    pub name: String,
    /// What is wrong and what it may be. Never quotes a secret.
    pub message: String,
}

/// Settings as text, and the faults found while they are read.
pub struct Settings {
    environment: BTreeMap<String, String>,
    file: BTreeMap<String, String>,
    hosts: Vec<toml::Table>,
    faults: RefCell<Vec<Fault>>,
}

impl Settings {
    /// Takes the variables of one environment and the text of a TOML file.
    pub fn new(environment: impl IntoIterator<Item = (String, String)>, file: Option<(&Path, &str)>) -> Self {
        let settings = Self {
            environment: environment
                .into_iter()
                .filter(|(name, value)| {
                    (name.starts_with("GATEPOST_") || name.starts_with("MIGRATION_")) && !value.trim().is_empty()
                })
                .collect(),
            file: BTreeMap::new(),
            hosts: Vec::new(),
            faults: RefCell::default(),
        };
        match file {
            Some((path, text)) => settings.with_file(path, text),
            None => settings,
        }
    }

    fn with_file(mut self, path: &Path, text: &str) -> Self {
        let table = match text.parse::<toml::Table>() {
            Ok(table) => table,
            Err(error) => {
                self.fault("GATEPOST_CONFIG", format!("{} is not valid TOML: {}", path.display(), error.message()));
                return self;
            }
        };
        for (section, entries) in &table {
            if section == "host" {
                match tables(entries) {
                    Some(hosts) => self.hosts = hosts,
                    None => self.fault("GATEPOST_CONFIG", "each mail host is a table of its own, headed [[host]]"),
                }
                continue;
            }
            let toml::Value::Table(entries) = entries else {
                self.fault(
                    "GATEPOST_CONFIG",
                    format!("{section:?} stands outside of [gatepost], [migration] and [[host]]"),
                );
                continue;
            };
            if section != "gatepost" && section != "migration" {
                self.fault(
                    "GATEPOST_CONFIG",
                    format!("[{section}] is no section; there are [gatepost], [migration] and [[host]]"),
                );
                continue;
            }
            for (key, value) in entries {
                let name = format!("{section}_{key}").to_ascii_uppercase();
                if !super::NAMES.contains(&name.as_str()) {
                    self.fault("GATEPOST_CONFIG", format!("[{section}] has no setting {key:?}"));
                } else if let Some(text) = as_text(value) {
                    self.file.insert(name, text);
                } else {
                    self.fault(&name, "must be a text, a number, true or false, or a list of texts");
                }
            }
        }
        self
    }

    /// The tables of mail hosts.
    pub fn hosts(&self) -> &[toml::Table] {
        &self.hosts
    }

    /// The text of a setting.
    pub fn text(&self, name: &str) -> Option<String> {
        debug_assert!(super::NAMES.contains(&name), "{name} is not listed");
        let value = self.environment.get(name).or_else(|| self.file.get(name))?;
        Some(value.trim().to_owned()).filter(|v| !v.is_empty())
    }

    /// A setting that `read` understands, or `default`. `may_be` completes the sentence "may be …".
    pub fn parsed<T, E>(&self, name: &str, default: T, may_be: &str, read: impl Fn(&str) -> Result<T, E>) -> T {
        match self.text(name) {
            None => default,
            Some(text) => read(&text).unwrap_or_else(|_| {
                self.fault(name, format!("{} cannot be used; it may be {may_be}", quoted(&text)));
                default
            }),
        }
    }

    /// A whole number in a range.
    pub fn number(&self, name: &str, default: u64, least: u64, most: u64, what: &str) -> u64 {
        self.parsed(name, default, &format!("{what} from {least} to {most}"), |text| {
            text.parse().ok().filter(|n| (least..=most).contains(n)).ok_or(())
        })
    }

    /// A truth value.
    pub fn truth(&self, name: &str, default: bool) -> bool {
        self.parsed(name, default, "true or false", |text| match text.to_ascii_lowercase().as_str() {
            "true" | "1" | "yes" | "on" => Ok(true),
            "false" | "0" | "no" | "off" => Ok(false),
            _ => Err(()),
        })
    }

    /// A comma-separated list of things that `read` understands.
    pub fn list<T, E>(&self, name: &str, may_be: &str, read: impl Fn(&str) -> Result<T, E>) -> Option<Vec<T>> {
        self.parsed(name, None, may_be, |text| {
            text.split(',').map(str::trim).filter(|t| !t.is_empty()).map(&read).collect::<Result<Vec<_>, E>>().map(Some)
        })
    }

    /// Records that a setting cannot be used.
    pub fn fault(&self, name: &str, message: impl Display) {
        self.faults.borrow_mut().push(Fault { name: name.to_owned(), message: message.to_string() });
    }

    /// Every fault in the order found.
    pub fn into_faults(self) -> Vec<Fault> {
        self.faults.into_inner()
    }
}

fn tables(value: &toml::Value) -> Option<Vec<toml::Table>> {
    value.as_array()?.iter().map(|item| item.as_table().cloned()).collect()
}

fn quoted(text: &str) -> String {
    format!("{:?}", text.chars().take(80).collect::<String>())
}

fn as_text(value: &toml::Value) -> Option<String> {
    match value {
        toml::Value::String(text) => Some(text.clone()),
        toml::Value::Integer(number) => Some(number.to_string()),
        toml::Value::Float(number) => Some(number.to_string()),
        toml::Value::Boolean(truth) => Some(truth.to_string()),
        toml::Value::Array(items) => {
            items.iter().map(|item| item.as_str().map(str::to_owned)).collect::<Option<Vec<_>>>().map(|v| v.join(","))
        }
        _ => None,
    }
}
