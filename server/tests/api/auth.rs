//! Tokens, forged and real, and the log-in.

use crate::kit::{PASSWORD, Server};
use serde_json::json;

/// An unsigned or wrongly signed token with these parts.
fn token(header: &str, claims: &str, signature: &str) -> String {
    let base64 = |text: &str| {
        const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
        let mut out = String::new();
        for chunk in text.as_bytes().chunks(3) {
            let bits = chunk.iter().fold(0_u32, |bits, b| (bits << 8) | u32::from(*b)) << (8 * (3 - chunk.len()));
            for n in 0..=chunk.len() {
                out.push(char::from(ALPHABET[(bits >> (18 - 6 * n)) as usize & 63]));
            }
        }
        out
    };
    format!("{}.{}.{signature}", base64(header), base64(claims))
}

#[test]
fn forged_and_malformed_tokens_are_refused() {
    let server = Server::start();
    let real = server.token("super_admin");
    server.get(&real, "/users").expect(200);
    let claims = r#"{"sub":"3","role":"super_admin","iat":1,"exp":9999999999,"jti":"x","generation":0}"#;
    let (head, signature) = real.rsplit_once('.').expect("a signature");
    let flipped = format!("{head}.{}{}", if signature.starts_with('A') { 'B' } else { 'A' }, &signature[1..]);
    for forged in [
        token(r#"{"alg":"none","typ":"JWT"}"#, claims, ""),
        token(r#"{"alg":"HS256","typ":"JWT"}"#, claims, signature),
        token(r#"{"alg":"RS256","typ":"JWT"}"#, claims, signature),
        flipped,
        head.to_owned(),
        "x".repeat(5000),
        "gpt_unknown".to_owned(),
        "..".to_owned(),
        "' OR 1=1 --".to_owned(),
    ] {
        server.get(&forged, "/users").problem(401, "unauthorized");
    }
    for header in ["Basic dXNlcjpwYXNz", "Bearer", "Bearer ", "bearer", "Token x"] {
        server.send("GET", "/api/v1/users", &[("authorization", header)], "").problem(401, "unauthorized");
    }
}

#[test]
fn an_expired_token_is_refused() {
    let key = "0123456789abcdef0123456789abcdef";
    let server = Server::start_with(&[("GATEPOST_JWT_KEY", key)]);
    let sign = |exp: i64| {
        let claims = json!({"sub": "3", "role": "super_admin", "iat": exp - 60, "exp": exp, "jti": "x", "generation": 0, "gen": 0});
        let header = jsonwebtoken::Header::new(jsonwebtoken::Algorithm::HS256);
        jsonwebtoken::encode(&header, &claims, &jsonwebtoken::EncodingKey::from_secret(key.as_bytes()))
            .expect("a token")
    };
    server.get(&sign(4_000_000_000), "/users").expect(200);
    server.get(&sign(1_700_000_000), "/users").problem(401, "unauthorized");
}

#[test]
fn a_token_ends_with_the_account() {
    let server = Server::start();
    let (admin, technician) = (server.token("super_admin"), server.token("technician"));
    let users = server.get(&admin, "/users").expect(200).json();
    let user =
        users["items"].as_array().expect("users").iter().find(|u| u["role"] == "technician").expect("one").clone();
    server.get(&technician, "/tenants").expect(200);
    server.call(&admin, "PATCH", &format!("/users/{}", user["id"]), &json!({"disabled": true})).expect(200);
    server.get(&technician, "/tenants").problem(401, "unauthorized");
    let log_in = json!({"email": "technician@desk.example", "password": PASSWORD}).to_string();
    server
        .send("POST", "/api/v1/auth/token", &[("content-type", "application/json")], log_in)
        .problem(401, "unauthorized");
}

#[test]
fn guessing_passwords_is_slowed_down() {
    let server = Server::start();
    let mut statuses = Vec::new();
    // Some are given back while this goes on.
    for _ in 0..400 {
        let body = json!({"email": "ops_lead@desk.example", "password": "a wrong password"}).to_string();
        let reply = server.send("POST", "/api/v1/auth/token", &[("content-type", "application/json")], body);
        statuses.push(reply.status);
        if reply.status == 429 {
            assert!(reply.header("retry-after").parse::<u64>().expect("seconds") > 0);
            reply.problem(429, "too_many_attempts");
            break;
        }
        reply.problem(401, "unauthorized");
    }
    assert_eq!(statuses.last(), Some(&429), "{statuses:?}");
    assert!(statuses.len() > 3, "a person must be allowed to mistype: {statuses:?}");
}

#[test]
fn an_unknown_address_and_a_wrong_password_cannot_be_told_apart() {
    let server = Server::start();
    let ask = |email: &str| {
        let body = json!({"email": email, "password": "a wrong password"}).to_string();
        server
            .send("POST", "/api/v1/auth/token", &[("content-type", "application/json")], body)
            .problem(401, "unauthorized")
    };
    assert_eq!(ask("nobody@desk.example"), ask("technician@desk.example"));
}
