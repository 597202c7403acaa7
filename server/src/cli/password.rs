//! Where passwords come from: a file, a variable or the terminal; never the command line, which others can read.

use super::Usage;
use anyhow::Context;
use gatepost_contract::Secret;
use std::{io::IsTerminal, path::Path};

/// Reads a password: of a file, else of a variable, else asked for on the terminal.
pub fn read(file: Option<&Path>, variable: &str, option: &str, prompt: &str) -> anyhow::Result<Secret> {
    let text = if let Some(path) = file {
        from_file(path)?
    } else if let Ok(text) = std::env::var(variable) {
        text
    } else if std::io::stdin().is_terminal() {
        rpassword::prompt_password(format!("{prompt}: ")).context("the password could not be read")?
    } else {
        return Err(Usage(format!("no password: use {option} FILE or the variable {variable}")).into());
    };
    if text.is_empty() {
        return Err(Usage(format!("the password is empty ({option}, {variable})")).into());
    }
    Ok(Secret(text))
}

/// Reads an OAuth token: of a file, else of a variable; none where neither is given.
pub fn token(file: Option<&Path>, variable: &str, option: &str) -> anyhow::Result<Option<Secret>> {
    let text = match file {
        Some(path) => from_file(path)?,
        None => match std::env::var(variable) {
            Ok(text) => text,
            Err(_) => return Ok(None),
        },
    };
    let text = text.trim();
    if text.is_empty() {
        return Err(Usage(format!("the token is empty ({option}, {variable})")).into());
    }
    Ok(Some(Secret(text.to_owned())))
}

/// The first line of a file, without its end. Trailing blanks belong to the password.
pub fn from_file(path: &Path) -> anyhow::Result<String> {
    let text = std::fs::read_to_string(path).with_context(|| format!("{} cannot be read", path.display()))?;
    Ok(text.lines().next().unwrap_or_default().to_owned())
}
