//! The web as these tests need it, and an application that the test kit's server knows.

use async_trait::async_trait;
use gatepost_contract::Secret;
use gatepost_oauth::{App, Endpoints, Proof};
use gatepost_testkit::{AuthServer, http};
use gatepost_web::{Method, Web, WebError, WebReply, WebRequest};

pub const USER: &str = "ana@example.com";
pub const PASSWORD: &str = "p4ss word";
pub const REDIRECT: &str = "https://desk.example/oauth/callback";

/// Asks servers of this machine.
pub struct Plain;

#[async_trait]
impl Web for Plain {
    async fn ask(&self, request: &WebRequest) -> Result<WebReply, WebError> {
        let method = if request.method == Method::Get { "GET" } else { "POST" };
        let mut headers = Vec::new();
        headers.extend(request.content_type.map(|value| ("Content-Type", value)));
        headers.extend(request.accept.map(|value| ("Accept", value)));
        headers.extend(request.authorization.as_ref().map(|value| ("Authorization", value.0.as_str())));
        let answer = http::ask(method, &request.url, &headers, &request.body.0).map_err(|e| WebError(e.to_string()))?;
        if answer.body.len() > request.most {
            return Err(WebError("127.0.0.1 sends more than its answer may have.".into()));
        }
        let header = |name: &str| http::value(&answer.headers, name).map(str::to_owned);
        Ok(WebReply {
            status: answer.status,
            content_type: header("content-type").unwrap_or_default(),
            location: header("location"),
            retry_after: header("retry-after").and_then(|value| value.parse().ok()),
            body: answer.body,
        })
    }
}

/// A server with one user and three applications: `desk` with a secret, `public` without, `signed` with a key.
pub fn server() -> AuthServer {
    AuthServer::builder()
        .user(USER, PASSWORD)
        .client("desk", "s3cret & more")
        .public_client("public")
        .certificate_client("signed")
        .start()
        .unwrap()
}

/// The application `desk`.
pub fn app(server: &AuthServer) -> App {
    app_as(server, "desk", Proof::Secret(Secret("s3cret & more".into())))
}

pub fn app_as(server: &AuthServer, id: &str, proof: Proof) -> App {
    let endpoints = Endpoints::read(
        &server.endpoint("authorize"),
        &server.endpoint("token"),
        &server.endpoint("device/code"),
        &server.endpoint("revoke"),
    );
    App { mail_scope: Some("mail".into()), ..App::custom(id, proof, endpoints.unwrap(), "mail offline_access") }
}
