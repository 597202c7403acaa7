//! `gatepost admin`: users and service tokens, on the database itself.

use super::{Exit, Outcome, open::open, password, print_json, print_line, table::Table};
use crate::config::Config;
use clap::{Args, Subcommand};
use gatepost_contract::{MAX_PER_PAGE, NewServiceToken, NewUser, Page, PageQuery, Role, Scope, TokenId, UserPatch};
use gatepost_core::{Actor, Gatepost};
use std::path::PathBuf;

/// Users and service tokens
#[derive(Debug, Subcommand)]
pub enum Admin {
    /// People who work at the Desk
    #[command(subcommand)]
    User(User),
    /// Tokens for programs
    #[command(subcommand)]
    Token(Token),
}

/// People who work at the Desk
#[derive(Debug, Subcommand)]
pub enum User {
    /// Make a user
    Add(AddUser),
    /// List users
    List {
        /// Print them as one JSON array
        #[arg(long)]
        json: bool,
    },
    /// Log a user out everywhere and let them in no more
    Disable {
        /// Their address
        #[arg(long)]
        email: String,
    },
    /// Let a disabled user in again
    Enable {
        /// Their address
        #[arg(long)]
        email: String,
    },
}

/// Make a user
#[derive(Debug, Args)]
#[command(
    after_help = "Example: gatepost admin user add --email ana@example.net --role ops_lead --password-file pw.txt"
)]
pub struct AddUser {
    /// The address they log in with
    #[arg(long)]
    email: String,
    /// technician, ops_lead or super_admin
    #[arg(long, value_name = "ROLE")]
    role: Role,
    /// Their name; the address where left out
    #[arg(long)]
    name: Option<String>,
    /// A file whose first line is the password, 12 to 200 characters; asked for on the terminal where left out
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
}

/// Tokens for programs
#[derive(Debug, Subcommand)]
pub enum Token {
    /// Make a token and print its secret, this once
    Add {
        /// gate:read, dns:write, jobs:read or metrics:read; may be given several times
        #[arg(long, required = true, value_name = "SCOPE")]
        scope: Vec<Scope>,
        /// What it is for
        #[arg(long, default_value = "command line")]
        name: String,
        /// Days until it is refused; never, where left out
        #[arg(long, value_name = "DAYS")]
        expires_in_days: Option<u32>,
        /// Print the token as one JSON object
        #[arg(long)]
        json: bool,
    },
    /// List tokens, without their secrets
    List {
        /// Print them as one JSON array
        #[arg(long)]
        json: bool,
    },
    /// Refuse a token from now on
    Revoke {
        /// Its id, as `token list` shows it
        #[arg(long)]
        id: i64,
    },
}

/// Carries it out.
pub async fn run(admin: Admin, config: Config) -> Outcome {
    match admin {
        Admin::User(user) => of_users(user, config).await,
        Admin::Token(token) => of_tokens(token, config).await,
    }
}

async fn of_users(user: User, config: Config) -> Outcome {
    match user {
        User::Add(add) => {
            let prompt = format!("Password for {}", add.email);
            let password =
                password::read(add.password_file.as_deref(), "GATEPOST_PASSWORD", "--password-file", &prompt)?;
            let new = NewUser { email: add.email, name: add.name.unwrap_or_default(), role: add.role, password };
            let user = open(&config).await?.create_user(&Actor::Cli, new).await?;
            print_line(format_args!("user {} {} ({})", user.id, user.email, user.role))?;
        }
        User::List { json } => {
            let core = open(&config).await?;
            let users = all(async |page| core.list_users(&Actor::Cli, page).await).await?;
            if json {
                print_json(&users)?;
            } else {
                let mut table = Table::new(&["id", "email", "name", "role", "state", "last log-in"]);
                for u in users {
                    let state = if u.disabled { "disabled" } else { "active" };
                    let seen = u.last_login_at.unwrap_or_else(|| "never".to_owned());
                    table.row([u.id.to_string(), u.email, u.name, u.role.to_string(), state.to_owned(), seen]);
                }
                print_line(table)?;
            }
        }
        User::Disable { email } => set_disabled(&open(&config).await?, &email, true).await?,
        User::Enable { email } => set_disabled(&open(&config).await?, &email, false).await?,
    }
    Ok(Exit::Done)
}

async fn set_disabled(core: &Gatepost, email: &str, disabled: bool) -> anyhow::Result<()> {
    let user = core.user_by_email(&Actor::Cli, email).await?;
    let patch = UserPatch { disabled: Some(disabled), ..UserPatch::default() };
    let user = core.update_user(&Actor::Cli, user.id, patch).await?;
    print_line(format_args!("user {} {} is {}", user.id, user.email, if disabled { "disabled" } else { "active" }))
}

async fn of_tokens(token: Token, config: Config) -> Outcome {
    let core = open(&config).await?;
    match token {
        Token::Add { scope, name, expires_in_days, json } => {
            let issued =
                core.create_token(&Actor::Cli, NewServiceToken { name, scopes: scope, expires_in_days }).await?;
            if json {
                print_json(&issued)?;
            } else {
                eprintln!("token {} {:?}; the secret is shown this once:", issued.token.id, issued.token.name);
                print_line(&issued.secret.0)?;
            }
        }
        Token::List { json } => {
            let tokens = all(async |page| core.list_tokens(&Actor::Cli, page).await).await?;
            if json {
                print_json(&tokens)?;
            } else {
                let mut table = Table::new(&["id", "name", "scopes", "state", "last used"]);
                for t in tokens {
                    let scopes: Vec<&str> = t.scopes.iter().map(|s| s.as_str()).collect();
                    let state = if t.revoked_at.is_some() { "revoked" } else { "active" };
                    let used = t.last_used_at.unwrap_or_else(|| "never".to_owned());
                    table.row([t.id.to_string(), t.name, scopes.join(" "), state.to_owned(), used]);
                }
                print_line(table)?;
            }
        }
        Token::Revoke { id } => {
            core.revoke_token(&Actor::Cli, TokenId(id)).await?;
            print_line(format_args!("token {id} is revoked"))?;
        }
    }
    Ok(Exit::Done)
}

/// Every page of a list.
async fn all<T>(list: impl AsyncFn(PageQuery) -> gatepost_core::Result<Page<T>>) -> gatepost_core::Result<Vec<T>> {
    let mut items = Vec::new();
    for page in 1.. {
        let mut part = list(PageQuery { page, per_page: MAX_PER_PAGE, sort: None }).await?;
        let done = part.items.is_empty() || i64::from(page) >= part.pages();
        items.append(&mut part.items);
        if done {
            break;
        }
    }
    Ok(items)
}
