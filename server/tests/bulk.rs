//! Many mailboxes at once, through the REST API of a real `gatepost`: a list that is looked at before it is stored, the
//! check of all log-ins against real servers, settings that are found from a domain.

mod common;

use common::{
    DOMAIN, Journey, NEW_PASSWORD, OLD_PASSWORD, USER, id, kit, mailbox, new_server, number, old_server, wait_for,
};
use gatepost_testkit::{DnsServer, Dovecot, Proxy};
use kit::{Reply, Server};
use serde_json::{Value, json};

fn send_csv(journey: &Journey, token: &str, path: &str, csv: &str) -> Reply {
    let bearer = format!("Bearer {token}");
    let headers = [("authorization", bearer.as_str()), ("content-type", "text/csv")];
    journey.server.send("POST", &format!("/api/v1{}", journey.path(path)), &headers, csv)
}

/// The log-ins once none is open any more.
fn checked(journey: &Journey) -> Value {
    wait_for("the end of the check", || {
        let counts = journey.get(&journey.path("/logins/counts"));
        (number(&counts["open"]) == 0).then(|| journey.get(&journey.path("/logins")))
    })
}

fn of<'a>(report: &'a Value, email: &str) -> &'a Value {
    let all = report["mailboxes"].as_array().expect("a list");
    all.iter().find(|one| one["email"] == email).unwrap_or_else(|| panic!("{email} is not in {report:#}"))
}

#[test]
fn the_template_is_a_list_whose_examples_are_refused_by_name() {
    let journey = Journey::with(&[], 1143, &[]);
    let reply = journey.server.get(&journey.technician, "/migration/mailboxes/template.csv").expect(200);
    assert!(reply.header("content-type").starts_with("text/csv"));
    assert!(reply.header("content-disposition").contains("attachment"));
    let template = reply.text;
    let preview = send_csv(&journey, &journey.technician, "/mailboxes/preview", &template).expect(200).json();
    let errors = preview["errors"].as_array().expect("a list");
    assert_eq!(errors.len(), 4, "{preview:#}");
    assert!(errors.iter().all(|e| e["message"].as_str().is_some_and(|m| m.contains("example of the template"))));
}

#[test]
fn a_list_is_looked_at_before_it_is_stored_and_stored_once() {
    let journey = Journey::with(&[], 1143, &[mailbox(USER, 1143)]);
    let wave = journey.post("/migration/waves", &json!({"name": "First"})).expect(201).json();
    let header = "email,source_host,source_port,source_password,dest_password,folder_map,wave\n";
    let bad = format!(
        "{header}rui@{DOMAIN},old.example,993,p-one,p-two,,First\nno address,old.example,993,p-three,p-four,,\n\
         {USER},old.example,993,p-five,p-six,,\nlia@{DOMAIN},old.example,x,p-seven,p-eight,,Second\n"
    );
    let preview = send_csv(&journey, &journey.technician, "/mailboxes/preview", &bad).expect(200);
    assert!(!preview.text.contains("p-"), "no secret is shown");
    let preview = preview.json();
    let fields: Vec<&str> =
        preview["errors"].as_array().expect("a list").iter().filter_map(|e| e["field"].as_str()).collect();
    assert_eq!(fields, ["line 3: email", "line 4: email", "line 5: source_port", "line 5: wave"], "{preview:#}");
    assert_eq!((number(&preview["lines"]), preview["mailboxes"].as_array().map(Vec::len)), (4, Some(1)));
    let path = format!("/mailboxes/preview/{}", preview["id"].as_str().expect("an id"));
    let errors = journey.server.get(&journey.technician, &journey.path(&format!("{path}/errors.csv"))).expect(200);
    let errors = errors.text;
    assert!(errors.starts_with("\"line\",\"column\",\"message\"\r\n\"3\",\"email\","), "{errors}");
    assert_eq!(errors.lines().count(), 5, "{errors}");
    journey.post(&journey.path(&path), &Value::Null).problem(422, "invalid");
    assert_eq!(journey.mailboxes().len(), 1, "nothing was stored");

    let good = format!(
        "{header}rui@{DOMAIN},old.example,,p-one,p-two,Enviados = Sent | A/B = C,First\nlia@other.example,old.example,,,,,\n"
    );
    let preview = send_csv(&journey, &journey.technician, "/mailboxes/preview", &good).expect(200).json();
    assert_eq!(preview["errors"], json!([]), "{preview:#}");
    let warnings = preview["warnings"].to_string();
    assert!(warnings.contains("not in the domain") && warnings.contains("lia@other.example"), "{warnings}");
    let path = journey.path(&format!("/mailboxes/preview/{}", preview["id"].as_str().expect("an id")));
    // Whoever did not send it does not know of it.
    journey.server.get(&journey.lead, &path).problem(404, "not_found");
    let stored = journey.post(&path, &Value::Null).expect(201).json();
    assert_eq!(stored["mailbox_ids"].as_array().map(Vec::len), Some(2));
    journey.post(&path, &Value::Null).problem(404, "not_found");
    let all = journey.mailboxes();
    let rui = all.iter().find(|one| one["email"] == format!("rui@{DOMAIN}")).expect("it is there");
    assert_eq!(rui["folder_map"], json!({"A/B": "C", "Enviados": "Sent"}));
    assert_eq!((&rui["source_port"], &rui["has_source_secret"]), (&json!(993), &json!(true)));
    let wave = journey.get(&format!("/migration/waves/{}", id(&wave)));
    assert!(
        wave.to_string().contains(&format!("rui@{DOMAIN}")) || wave["mailboxes"] == 1 || wave["wave"]["mailboxes"] == 1,
        "{wave:#}"
    );
}

#[test]
fn the_log_ins_of_all_are_checked_and_what_failed_is_checked_again() {
    let people = ["rui@move.example", "lia@move.example", "eva@move.example"];
    let (mut old, mut new) = (old_server(), new_server());
    for person in people {
        old = old.user(person, OLD_PASSWORD);
        new = new.user(person, NEW_PASSWORD);
    }
    let (old, new): (Dovecot, Dovecot) = (old.start().expect("a server"), new.start().expect("a server"));
    let line = Proxy::start(old.imap_port()).expect("a proxy");
    let with = |email: &str, change: &dyn Fn(&mut Value)| {
        let mut one = mailbox(email, line.port());
        change(&mut one);
        one
    };
    let journey = Journey::with(
        &[],
        new.imap_port(),
        &[
            with(USER, &|_| {}),
            with(people[0], &|one| one["source_secret"]["password"] = json!("hunter2-is-wrong")),
            with(people[1], &|one| {
                one.as_object_mut().expect("an object").remove("dest_secret");
            }),
            with(people[2], &|one| one["source_port"] = json!(1)),
            json!({"email": "files@move.example", "source_type": "mbox", "dest_secret": {"password": NEW_PASSWORD}}),
        ],
    );
    let before = journey.get(&journey.path("/logins"));
    assert_eq!((number(&before["counts"]["total"]), number(&before["counts"]["unchecked"])), (9, 9));
    line.stall(true);
    let began = journey.post(&journey.path("/check-logins"), &json!({})).expect(202).json();
    assert!(number(&began["counts"]["open"]) > 0, "it does not wait for the end: {began:#}");
    line.stall(false);
    let report = checked(&journey);
    let counts = &report["counts"];
    assert_eq!((number(&counts["good"]), number(&counts["bad"]), number(&counts["held"])), (5, 4, 0), "{report:#}");
    let ana = of(&report, USER);
    assert_eq!((&ana["source"]["state"], &ana["dest"]["state"]), (&json!("good"), &json!("good")));
    assert!(number(&ana["source"]["folders"]) >= 1 && ana["source"]["unprotected"] == true, "{ana:#}");
    let wrong = &of(&report, people[0])["source"];
    assert_eq!((&wrong["state"], &wrong["kind"]), (&json!("bad"), &json!("login")));
    assert!(wrong["sentence"].as_str().is_some_and(|s| s.contains(people[0])), "{wrong:#}");
    assert_eq!(of(&report, people[1])["dest"]["kind"], "settings");
    assert_eq!(of(&report, people[2])["source"]["kind"], "unreachable");
    assert_eq!(of(&report, "files@move.example")["source"]["state"], "none");
    assert!(!report.to_string().contains("hunter2"), "no secret is told");
    assert_eq!(journey.get(&journey.path("/runs"))["total"], 0, "no run was made");

    // What is put right forgets what was found; only what failed is tried again.
    let ruis = id(journey.mailboxes().iter().find(|one| one["email"] == people[0]).expect("it is there"));
    let patch = json!({"source_secret": {"password": OLD_PASSWORD}});
    journey.server.call(&journey.technician, "PATCH", &format!("/migration/mailboxes/{ruis}"), &patch).expect(200);
    assert!(of(&journey.get(&journey.path("/logins")), people[0])["source"].is_null());
    let old_check = of(&report, USER)["source"]["checked_at"].clone();
    journey.post(&journey.path("/check-logins"), &json!({"only": "failed"})).expect(202);
    let report = checked(&journey);
    assert_eq!(of(&report, people[0])["source"]["state"], "good", "{report:#}");
    assert_eq!(of(&report, USER)["source"]["checked_at"], old_check, "what was good was not tried again");
    assert_eq!((number(&report["counts"]["good"]), number(&report["counts"]["bad"])), (6, 3), "{report:#}");
}

#[test]
fn a_server_that_refuses_one_after_another_is_left_alone() {
    let mut old = old_server();
    let people: Vec<String> = (0..30).map(|n| format!("user{n:02}@move.example")).collect();
    for person in &people {
        old = old.user(person, OLD_PASSWORD);
    }
    let old = old.start().expect("a server");
    let mailboxes: Vec<Value> = people
        .iter()
        .map(|person| {
            let mut one = mailbox(person, old.imap_port());
            one["source_secret"]["password"] = json!("wrong for everybody");
            one
        })
        .collect();
    // The new server has none of them either, and is another host by its name.
    let journey = Journey::with(&[], old.imap_port(), &mailboxes);
    let job = json!({"dest_imap_host": "localhost"});
    journey.server.call(&journey.technician, "PATCH", &journey.path(""), &job).expect(200);
    journey.post(&journey.path("/check-logins"), &json!({})).expect(202);
    let report = checked(&journey);
    let states: Vec<&str> =
        people.iter().filter_map(|person| of(&report, person)["source"]["state"].as_str()).collect();
    let bad = states.iter().filter(|state| **state == "bad").count();
    let held = states.iter().filter(|state| **state == "held").count();
    assert_eq!(bad + held, 30, "{states:?}");
    // Four are tried at once: those under way come to their end.
    assert!((5..=9).contains(&bad), "{bad} were refused before the rest was held back");
    let one = people.iter().find(|person| of(&report, person)["source"]["state"] == "held").expect("one was held");
    let sentence = of(&report, one)["source"]["sentence"].as_str().unwrap_or_default();
    assert!(sentence.contains("in a row were refused at 127.0.0.1"), "{sentence}");
}

#[test]
fn settings_are_found_from_a_domain_and_tried_without_a_log_in() {
    let old = old_server().start().expect("a server");
    let dns = DnsServer::start().expect("a server");
    dns.zone(&format!(
        "{DOMAIN} 300 MX 10 mx.{DOMAIN}.\n_imaps._tcp.{DOMAIN} 300 SRV 0 1 {} localhost.\n\
         gsuite.example 300 MX 1 aspmx.l.google.com.",
        old.imaps_port()
    ));
    let (resolver, ca) = (dns.address().to_string(), old.ca_file().display().to_string());
    let settings = [("GATEPOST_DNS_RESOLVERS", resolver.as_str()), ("GATEPOST_CA_FILE", ca.as_str())];
    let allowed = [settings[0], settings[1], ("MIGRATION_ALLOWED_HOSTS", "localhost")];
    let journey = Journey::on(Server::start_with(&allowed), 1143, &[]);
    // What is found is kept for a while, and a server is not waited for for long: each address is looked for anew.
    let mut looked = 0;
    let found = wait_for("a greeting", || {
        looked += 1;
        let found = journey.get(&format!("/migration/discover?email=ana{looked}@{DOMAIN}"));
        found["proposals"][0]["greeting"].is_string().then_some(found)
    });
    let first = &found["proposals"][0];
    assert_eq!((&first["host"], &first["port"]), (&json!("localhost"), &json!(old.imaps_port())), "{found:#}");
    assert_eq!((&first["confidence"], &first["origins"]), (&json!("likely"), &json!(["srv"])), "{found:#}");
    assert!(first["greeting"].as_str().is_some_and(|g| g.starts_with("* OK")), "it was tried: {first:#}");
    assert!(!old.log().contains("Login"), "nobody logged in: {}", old.log());
    let take = format!("localhost:{}:tls", old.imaps_port());
    let path = format!("/migration/mailboxes/template.csv?domain={DOMAIN}&take={take}");
    let template = journey.server.get(&journey.technician, &path).expect(200);
    assert!(template.text.contains(&format!("localhost,{}", old.imaps_port())));
    let other = format!("/migration/mailboxes/template.csv?domain={DOMAIN}&take=evil.example:993:tls");
    journey.server.get(&journey.technician, &other).problem(404, "not_found");
    let known = journey.get("/migration/discover?domain=gsuite.example");
    assert_eq!(known["provider"], "Google Workspace", "{known:#}");
    for wrong in ["", "?domain=localhost", "?domain=a.example&email=b@a.example", "?email=ana"] {
        journey.server.get(&journey.technician, &format!("/migration/discover{wrong}")).problem(422, "invalid");
    }
    assert!(journey.mailboxes().is_empty(), "nothing was applied");

    // Where the settings do not name it, an address of this machine is not touched on a stranger's word.
    let strict = Journey::on(Server::start_with(&settings), 1143, &[]);
    let found = strict.get(&format!("/migration/discover?domain={DOMAIN}"));
    let first = &found["proposals"][0];
    assert!(first["greeting"].is_null(), "{found:#}");
    assert!(first["why"].as_str().is_some_and(|why| why.contains("MIGRATION_ALLOWED_HOSTS")), "{found:#}");
}
