//! The applications that are registered at providers: their fields, their keepers, and their secrets.

use crate::{
    common::{
        kit::{self, Server},
        number, text,
    },
    scene::Scene,
};
use serde_json::{Value, json};

#[test]
fn applications_are_checked_field_by_field_and_registered_by_an_ops_lead() {
    let server = Server::start();
    let [technician, lead, admin] = kit::ROLES.map(|role| server.token(role));
    let create = |token: &str, body: &Value| server.call(token, "POST", "/oauth/apps", body);
    let microsoft = json!({"name": "M365", "provider": "microsoft", "client_id": "id", "client_secret": "value"});
    create(&technician, &microsoft).problem(403, "forbidden");
    let with = |changes: Value| {
        let mut body = microsoft.clone();
        for (name, value) in changes.as_object().expect("an object") {
            body[name] = value.clone();
        }
        body
    };
    for (body, field) in [
        (with(json!({"name": ""})), "name"),
        (with(json!({"client_id": " "})), "client_id"),
        (with(json!({"directory": "a/b"})), "directory"),
        (with(json!({"token_url": "https://login.example/token"})), "token_url"),
        (with(json!({"scopes": "mail"})), "scopes"),
        (with(json!({"mail_hosts": ["mail.example"]})), "mail_hosts"),
        (with(json!({"secret_expires_on": "soon"})), "secret_expires_on"),
        (with(json!({"certificate": "x", "private_key": "y"})), "client_secret"),
        (with(json!({"client_secret": null, "certificate": "x"})), "private_key"),
        (with(json!({"client_secret": null, "service_account": "{}"})), "service_account"),
        (json!({"name": "G", "provider": "google", "client_id": "id"}), "client_secret"),
        (json!({"name": "G", "provider": "google", "service_account": "no JSON"}), "service_account"),
        (json!({"name": "C", "provider": "custom", "client_id": "id", "mail_hosts": ["a.example"]}), "token_url"),
        (
            json!({"name": "C", "provider": "custom", "client_id": "id", "mail_hosts": ["a.example"],
                "token_url": "http://127.0.0.1:1/token", "client_secret": "s"}),
            "token_url",
        ),
        (
            json!({"name": "C", "provider": "custom", "client_id": "id", "token_url": "https://login.example/t",
                "client_secret": "s"}),
            "mail_hosts",
        ),
        (
            json!({"name": "C", "provider": "custom", "client_id": "id", "token_url": "https://login.example/t",
                "mail_hosts": ["a.example"]}),
            "authorize_url",
        ),
    ] {
        let problem = create(&lead, &body).problem(422, "invalid");
        let fields: Vec<String> =
            problem["errors"].as_array().expect("a list").iter().map(|error| text(&error["field"])).collect();
        assert!(fields.contains(&field.to_owned()), "{body}: {problem:#}");
    }
    let app = create(&lead, &microsoft).expect(201).json();
    assert_eq!(app["ways"], json!(["authorization_code", "device_code", "client_credentials"]));
    assert_eq!(app["redirect_url"], format!("{}/oauth/callback", server.address));
    assert_eq!(app["mail_hosts"][0], "outlook.office365.com");
    create(&admin, &microsoft).problem(422, "invalid");
    let path = format!("/oauth/apps/{}", app["id"]);
    let day = json!({"secret_expires_on": "2020-01-31"});
    let changed = server.call(&admin, "PATCH", &path, &day).expect(200).json();
    assert_eq!((changed["secret_ends_soon"].as_bool(), changed["proof"].as_str()), (Some(true), Some("secret")));
    server.call(&technician, "PATCH", &path, &json!({"name": "x"})).problem(403, "forbidden");
    assert!(!server.get(&technician, &path).expect(200).text.contains("value\""));
    server.call(&technician, "DELETE", &path, &Value::Null).problem(403, "forbidden");
    server.call(&lead, "DELETE", &path, &Value::Null).expect(204);
    server.get(&lead, &path).problem(404, "not_found");
}

#[test]
fn a_stored_secret_is_not_sent_to_an_address_that_was_changed() {
    let scene = Scene::new(1);
    let path = format!("/oauth/apps/{}", scene.app);
    let change = |body: Value| scene.server().call(&scene.journey.lead, "PATCH", &path, &body);
    for field in ["token_url", "device_url", "revoke_url"] {
        let problem = change(json!({field: "https://evil.example/"})).problem(422, "invalid");
        assert_eq!(problem["errors"][0]["field"], "client_secret", "{field}");
    }
    change(json!({"token_url": scene.auth.endpoint("token"), "name": "Another name"})).expect(200);
    let consent = scene.ask("authorization_code");
    scene.server().call(&scene.journey.lead, "DELETE", &path, &Value::Null).problem(409, "in_use");
    assert_eq!(number(&scene.journey.get(&path)["consents"]), 1);
    scene.give(consent);
    // What was given to an application is not used for more than was known then.
    let hosts = json!([format!("127.0.0.1:{}", scene.old.imap_port()), "imap.example.com"]);
    change(json!({"mail_hosts": hosts})).expect(200);
    assert_eq!(scene.consent(consent)["state"], "expired");
    assert!(scene.fails("preflight").contains("mail servers or id of its application have been changed"));
    scene.give(consent);
}
