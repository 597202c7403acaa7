//! Files on their way in, over real HTTP: tus 1.0, forms, files of the server, bad lines and bad ends.

mod common;

use common::{
    kit::{Reply, Server, directory, run},
    wait_for,
};
use gatepost_testkit::{Proxy, proxy::Direction};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::{
    io::{Read, Write},
    net::{Shutdown, TcpStream},
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

const BYTES: (&str, &str) = ("content-type", "application/offset+octet-stream");
const TUS: (&str, &str) = ("tus-resumable", "1.0.0");

/// A server with a mailbox that takes files.
struct Scene {
    server: Server,
    token: String,
    job: i64,
    mailbox: i64,
}

fn base64(bytes: impl AsRef<[u8]>) -> String {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    STANDARD.encode(bytes)
}

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn checksum(bytes: &[u8]) -> String {
    format!("sha256 {}", base64(Sha256::digest(bytes)))
}

/// Bytes that repeat nowhere.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_u32;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state.to_le_bytes()[0]
    };
    (0..length).map(|_| next()).collect()
}

impl Scene {
    fn set(settings: &[(&str, &str)]) -> Self {
        let server = Server::start_with(settings);
        let token = server.token("technician");
        let job = server.job(&token, "files.example");
        let new = json!({"email": "archive@files.example", "source_type": "mbox", "dest_secret": {"password": "dest secret"}});
        let mailbox = server.call(&token, "POST", &format!("/migration/jobs/{job}/mailboxes"), &new).expect(201).json();
        let mailbox = mailbox["id"].as_i64().expect("an id");
        Self { server, token, job, mailbox }
    }

    fn metadata(&self) -> String {
        format!("mailbox_id {},filename {}", base64(self.mailbox.to_string()), base64("caixa de entrada.mbox"))
    }

    #[track_caller]
    fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Reply {
        let bearer = format!("Bearer {}", self.token);
        let headers = [headers, &[("authorization", bearer.as_str())]].concat();
        self.server.send(method, path, &headers, body)
    }

    #[track_caller]
    fn begin(&self, length: usize, more: &[(&str, &str)], body: &[u8]) -> Reply {
        let (length, metadata) = (length.to_string(), self.metadata());
        let usual = [TUS, ("upload-length", length.as_str()), ("upload-metadata", metadata.as_str())];
        self.send("POST", "/api/v1/uploads", &[&usual, more].concat(), body)
    }

    #[track_caller]
    fn append(&self, location: &str, offset: usize, more: &[(&str, &str)], body: &[u8]) -> Reply {
        let offset = offset.to_string();
        self.send("PATCH", location, &[&[TUS, BYTES, ("upload-offset", offset.as_str())], more].concat(), body)
    }

    #[track_caller]
    fn offset(&self, location: &str) -> usize {
        let reply = self.send("HEAD", location, &[TUS], b"").expect(200);
        reply.header("upload-offset").parse().expect("a number")
    }

    #[track_caller]
    fn get(&self, location: &str) -> Value {
        self.send("GET", location, &[], b"").expect(200).json()
    }

    /// The file once all of it was checked.
    #[track_caller]
    fn checked(&self, location: &str) -> Value {
        wait_for("the check of a file", || Some(self.get(location)).filter(|upload| upload["sha256"].is_string()))
    }

    /// Nothing of a file is left below uploads/.
    fn on_disk(&self) -> usize {
        std::fs::read_dir(self.server.dir.path().join("data/uploads")).expect("the folder").count()
    }

    /// A request of which only this much is sent, through a port.
    fn begin_raw(&self, port: u16, location: &str, offset: usize, length: usize) -> TcpStream {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("somebody listens");
        let head = format!(
            "PATCH {location} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {}\r\nTus-Resumable: 1.0.0\r\n\
             Content-Type: {}\r\nUpload-Offset: {offset}\r\nContent-Length: {length}\r\n\r\n",
            self.token, BYTES.1
        );
        stream.write_all(head.as_bytes()).expect("it is sent");
        stream
    }

    fn port(&self) -> u16 {
        self.server.address.rsplit_once(':').expect("a port").1.parse().expect("a port")
    }
}

#[test]
fn the_protocol_is_tus_1_0() {
    let scene = Scene::set(&[]);
    let found = scene.server.send("OPTIONS", "/api/v1/uploads", &[], "").expect(204);
    assert_eq!(found.header("tus-version"), "1.0.0");
    assert_eq!(found.header("tus-extension"), "creation,creation-with-upload,termination,checksum,expiration");
    assert_eq!(found.header("tus-checksum-algorithm"), "sha256,sha1");
    assert_eq!(found.header("tus-max-size"), (50_u64 << 30).to_string());
    assert_eq!(found.header("tus-resumable"), "1.0.0");

    scene.server.send("POST", "/api/v1/uploads", &[TUS], "").problem(401, "unauthorized");
    for version in [&[][..], &[("tus-resumable", "0.2.2")]] {
        let refused = scene.send("POST", "/api/v1/uploads", version, b"");
        assert_eq!((refused.header("tus-version"), refused.header("tus-resumable")), ("1.0.0", "1.0.0"));
        refused.problem(412, "tus_version");
    }
    let metadata = scene.metadata();
    for (headers, status, code) in [
        (vec![], 400, "bad_length"),
        (vec![("upload-length", "-1")], 400, "bad_length"),
        (vec![("upload-defer-length", "1")], 400, "bad_length"),
        (vec![("upload-length", "3"), ("upload-metadata", "filename a.pst")], 400, "bad_metadata"),
        (vec![("upload-length", "3"), ("upload-metadata", "filename YQ==")], 422, "invalid"),
        (vec![("upload-length", "0"), ("upload-metadata", &metadata)], 422, "invalid"),
        (vec![("upload-length", "53687091201"), ("upload-metadata", &metadata)], 413, "too_large"),
    ] {
        scene.send("POST", "/api/v1/uploads", &[&[TUS][..], &headers].concat(), b"").problem(status, code);
    }

    let begun = scene.begin(11, &[], b"").expect(201);
    let location = begun.header("location").to_owned();
    assert!(location.starts_with("/api/v1/uploads/") && begun.header("upload-expires").ends_with(" GMT"), "{begun:?}");
    assert_eq!((begun.header("upload-offset"), begun.header("tus-resumable")), ("0", "1.0.0"));
    let head = scene.send("HEAD", &location, &[TUS], b"").expect(200);
    assert_eq!((head.header("upload-offset"), head.header("upload-length")), ("0", "11"));
    assert_eq!((head.header("upload-metadata"), head.header("cache-control")), (metadata.as_str(), "no-store"));
    assert_eq!(scene.send("HEAD", &location, &[], b"").status, 412);

    let plain = [TUS, ("content-type", "text/plain"), ("upload-offset", "0")];
    scene.send("PATCH", &location, &plain, b"x").problem(415, "unsupported_media_type");
    scene.send("PATCH", &location, &[TUS, BYTES], b"x").problem(400, "bad_offset");
    let wrong = scene.append(&location, 4, &[], b"x");
    assert_eq!((wrong.header("upload-offset"), wrong.header("tus-resumable")), ("0", "1.0.0"));
    wrong.problem(409, "wrong_offset");
    scene.append(&location, 0, &[("upload-checksum", "md5 AAAA")], b"hello").problem(400, "checksum_algorithm");
    let lie = checksum(b"hullo");
    scene.append(&location, 0, &[("upload-checksum", lie.as_str())], b"hello").problem(460, "checksum_mismatch");
    assert_eq!(scene.offset(&location), 0);
    let truth = checksum(b"hello");
    let added = scene.append(&location, 0, &[("upload-checksum", truth.as_str())], b"hello").expect(204);
    assert_eq!(added.header("upload-offset"), "5");
    scene.append(&location, 5, &[], b" world, and more").problem(413, "too_large");
    let override_patch = [TUS, BYTES, ("upload-offset", "5"), ("x-http-method-override", "PATCH")];
    scene.send("POST", &location, &override_patch, b" world").expect(204);
    let upload = scene.checked(&location);
    assert_eq!((upload["sha256"].as_str(), upload["received"].as_i64()), (Some(&*sha256(b"hello world")), Some(11)));
    assert_eq!(upload["name"], "caixa de entrada.mbox");

    let second = scene.begin(3, &[BYTES], b"abc").expect(201);
    assert_eq!(second.header("upload-offset"), "3");
    let third = scene.begin(9, &[BYTES], b"abc").expect(201).header("location").to_owned();
    assert_eq!(scene.offset(&third), 3);
    scene.begin(9, &[BYTES, ("upload-checksum", lie.as_str())], b"abc").problem(460, "checksum_mismatch");
    let gone = scene.send("DELETE", &third, &[TUS], b"").expect(204);
    assert_eq!(gone.header("tus-resumable"), "1.0.0");
    assert_eq!(scene.send("HEAD", &third, &[TUS], b"").status, 404);
    scene.append(&third, 3, &[], b"def").problem(404, "not_found");
    let listed = scene.server.get(&scene.token, &format!("/migration/mailboxes/{}/uploads", scene.mailbox));
    assert_eq!(listed.expect(200).json().as_array().expect("a list").len(), 2);
    let removed = wait_for("the end of its run", || {
        Some(scene.send("DELETE", &location, &[TUS], b"")).filter(|reply| reply.status != 409)
    });
    removed.expect(204);
    assert_eq!(scene.send("HEAD", &location, &[TUS], b"").status, 410);
    assert_eq!(scene.get(&location)["state"], "deleted");
}

#[test]
fn an_upload_that_is_cut_a_hundred_times_arrives_whole() {
    let scene = Scene::set(&[]);
    let proxy = Proxy::start(scene.port()).expect("a proxy");
    let file = noise(5 << 20);
    let location = scene.begin(file.len(), &[], b"").expect(201).header("location").to_owned();
    proxy.cut_each_after(Direction::ToServer, 48 << 10);
    let mut cuts = 0;
    loop {
        let offset = scene.offset(&location);
        if offset == file.len() {
            break;
        }
        let mut stream = scene.begin_raw(proxy.port(), &location, offset, file.len() - offset);
        // The line is cut under it: what counts is how far the server got.
        let _ = stream.write_all(&file[offset..]);
        let _ = stream.read(&mut [0; 1024]);
        drop(stream);
        wait_for("the bytes of a cut request", || (scene.offset(&location) > offset).then_some(()));
        cuts += 1;
    }
    assert!(cuts >= 100, "{cuts}");
    assert_eq!(scene.checked(&location)["sha256"], sha256(&file));
    let pieces = scene.server.get(&scene.token, &format!("{}/pieces", location.trim_start_matches("/api/v1")));
    let pieces = pieces.expect(200).json();
    let mut at = 0;
    for piece in pieces.as_array().expect("pieces") {
        let (offset, bytes) = (piece["offset"].as_u64().expect("a number"), piece["bytes"].as_u64().expect("a number"));
        assert_eq!(offset, at);
        at += bytes;
        let there = &file[usize::try_from(offset).expect("small")..usize::try_from(at).expect("small")];
        assert_eq!(piece["sha256"], sha256(there));
    }
    assert_eq!(at, file.len() as u64);
}

#[test]
fn a_server_that_is_killed_in_the_middle_goes_on_where_the_file_ends() {
    let scene = Scene::set(&[]);
    let file = noise(6 << 20);
    let location = scene.begin(file.len(), &[], b"").expect(201).header("location").to_owned();
    let name = location.rsplit('/').next().expect("an id").to_owned();
    let mut stream = scene.begin_raw(scene.port(), &location, 0, file.len());
    stream.write_all(&file[..3 << 20]).expect("it is sent");
    let path = scene.server.dir.path().join("data/uploads").join(name);
    let there =
        wait_for("bytes on the disk", || std::fs::metadata(&path).ok().map(|m| m.len()).filter(|&n| n > 1 << 20));
    let Scene { server, job, mailbox, .. } = scene;
    let server = Server::start_in(server.kill(), &[]);
    let token = server.token("technician");
    let scene = Scene { server, token, job, mailbox };
    let offset = scene.offset(&location);
    assert!(offset as u64 >= there, "{offset} {there}");
    assert_eq!(scene.get(&location)["received"], offset);
    scene.append(&location, offset, &[], &file[offset..]).expect(204);
    assert_eq!(scene.checked(&location)["sha256"], sha256(&file));
}

#[test]
fn a_second_writer_waits_and_a_silent_one_gives_way() {
    let scene = Scene::set(&[]);
    let file = noise(10_000);
    let location = scene.begin(file.len(), &[], b"").expect(201).header("location").to_owned();
    let mut silent = scene.begin_raw(scene.port(), &location, 0, file.len());
    silent.write_all(&file[..3]).expect("it is sent");
    let name = location.rsplit('/').next().expect("an id").to_owned();
    let path = scene.server.dir.path().join("data/uploads").join(name);
    // Somebody writes as soon as the file's lock is held.
    wait_for("the first writer", || {
        let file = std::fs::File::open(&path).expect("it is there");
        matches!(file.try_lock_shared(), Err(std::fs::TryLockError::WouldBlock)).then_some(())
    });
    // It is not silent yet: a byte comes now and then, however long the second one waits.
    let (refused, mut brought) = (AtomicBool::new(false), 3);
    std::thread::scope(|hands| {
        hands.spawn(|| {
            while !refused.load(Ordering::SeqCst) {
                silent.write_all(&file[brought..=brought]).expect("it is sent");
                brought += 1;
                std::thread::sleep(Duration::from_millis(50));
            }
        });
        let reply = scene.append(&location, 0, &[], &file[..9]);
        refused.store(true, Ordering::SeqCst);
        reply.problem(423, "locked");
    });
    let refused = scene.send("DELETE", "/api/v1/uploads/00000000-0000-0000-0000-000000000000", &[], b"");
    refused.problem(404, "not_found");
    let offset = wait_for("the silent writer to give way", || {
        let reply = scene.append(&location, 0, &[], b"");
        (reply.status != 423).then(|| scene.offset(&location))
    });
    assert_eq!(offset, brought, "what it had brought stays");
    scene.append(&location, brought, &[], &file[brought..]).expect(204);
    assert_eq!(scene.checked(&location)["sha256"], sha256(&file));
    drop(silent);
}

fn form(fields: &[(&str, Option<&str>, &[u8])]) -> Vec<u8> {
    let mut body = Vec::new();
    for (name, file, value) in fields {
        let file = file.map(|file| format!("; filename=\"{file}\"")).unwrap_or_default();
        body.extend_from_slice(
            format!("--edge\r\nContent-Disposition: form-data; name=\"{name}\"{file}\r\n\r\n").as_bytes(),
        );
        body.extend_from_slice(value);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(b"--edge--\r\n");
    body
}

const FORM: (&str, &str) = ("content-type", "multipart/form-data; boundary=edge");

#[test]
fn a_form_brings_a_file_with_its_fields_in_any_order() {
    let scene = Scene::set(&[]);
    let path = format!("/api/v1/migration/jobs/{}/upload-pst", scene.job);
    let mailbox = scene.mailbox.to_string();
    let (mailbox, big) = (mailbox.as_bytes(), noise(3 << 20));
    let sent = |fields: &[(&str, Option<&str>, &[u8])]| scene.send("POST", &path, &[FORM], &form(fields));
    let first = sent(&[("mailbox_id", None, mailbox), ("file", Some("a.mbox"), &big)]).expect(201);
    assert_eq!(first.json()["sha256"], sha256(&big));
    assert_eq!(first.header("location"), format!("/api/v1/uploads/{}", first.json()["id"].as_str().expect("an id")));
    // One that nothing can be read from may be brought again; this one holds mail.
    let letter = b"From ana@example.org Mon May 27 10:00:00 2019\nFrom: ana@example.org\nSubject: b\n\nb\n";
    sent(&[("file", Some("b.mbox"), letter), ("mailbox_id", None, mailbox)]).expect(201);
    let before = scene.on_disk();
    sent(&[("file", Some("c.mbox"), letter), ("mailbox_id", None, mailbox)]).problem(409, "already_uploaded");
    sent(&[("file", Some("c.mbox"), b"From c")]).problem(422, "invalid");
    sent(&[("mailbox_id", None, mailbox)]).problem(422, "invalid");
    sent(&[("mailbox_id", None, b"99"), ("file", Some("c"), b"From c")]).problem(422, "invalid");
    sent(&[("mailbox_id", None, mailbox), ("file", Some("c"), b"")]).problem(422, "invalid");
    sent(&[("sha256", None, &[b'0'; 64]), ("mailbox_id", None, mailbox), ("file", Some("c"), b"c")])
        .problem(422, "invalid");
    scene.send("POST", &path, &[("content-type", "text/plain")], b"x").problem(415, "unsupported_media_type");
    let whole = form(&[("mailbox_id", None, mailbox), ("file", Some("c.mbox"), b"From c")]);
    scene.send("POST", &path, &[FORM], &whole[..whole.len() - 12]).problem(400, "cut");
    assert!(scene.on_disk() <= before + 2, "nothing of what was refused is left but what reading the others made");
    assert!(
        !std::fs::read_dir(scene.server.dir.path().join("data/uploads")).expect("the folder").any(|entry| entry
            .expect("an entry")
            .file_name()
            .to_string_lossy()
            .ends_with(".part"))
    );
}

/// Sends the beginning of a form of which much more is announced, and reads how the answer begins.
fn answer_to_beginning(scene: &Scene, token: &str, beginning: &[u8]) -> String {
    let head = format!(
        "POST /api/v1/migration/jobs/{}/upload-pst HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n\
         Content-Type: {}\r\nContent-Length: 1000000000\r\n\r\n",
        scene.job, FORM.1
    );
    let mut stream = TcpStream::connect(("127.0.0.1", scene.port())).expect("it listens");
    stream.write_all(head.as_bytes()).expect("it is sent");
    // The answer may come while this is sent.
    let _ = stream.write_all(beginning);
    beginning_of(&mut stream, 1024)
}

/// So many bytes of an answer at most, which comes though the body of its question has hardly begun.
fn beginning_of(stream: &mut TcpStream, most: u64) -> String {
    let mut answer = Vec::new();
    // The connection may be reset behind the answer, for what was sent and not read.
    let _ = stream.take(most).read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

#[test]
fn a_form_holds_little_beside_its_files_and_is_read_only_for_those_who_may_bring_some() {
    let scene = Scene::set(&[]);
    let junk = vec![b'x'; 512 << 10];
    let part = |head: &str| [head.as_bytes(), &junk].concat();
    for (what, beginning) in [
        ("before the first part", junk.clone()),
        ("the head of a part", part("--edge\r\nContent-Disposition: form-data; name=\"")),
        ("a part that nobody knows", part("--edge\r\nContent-Disposition: form-data; name=\"other\"\r\n\r\n")),
        ("many parts", form(&[("other", None, &b"x"[..]); 17])),
        ("a long value", part("--edge\r\nContent-Disposition: form-data; name=\"sha256\"\r\n\r\n")),
    ] {
        let answer = answer_to_beginning(&scene, &scene.token, &beginning);
        assert!(answer.starts_with("HTTP/1.1 413") && answer.contains("too_large"), "{what}: {answer}");
    }
    let reader = json!({"scopes": ["jobs:read"], "name": "reader"});
    let reader = scene.server.call(&scene.server.token("super_admin"), "POST", "/tokens", &reader).expect(201).json();
    let answer = answer_to_beginning(&scene, reader["secret"].as_str().expect("a token"), b"");
    assert!(answer.starts_with("HTTP/1.1 403"), "{answer}");
    assert_eq!(scene.on_disk(), 0);

    // Fields before and behind a file count by themselves, however the bytes are cut.
    let path = format!("/api/v1/migration/jobs/{}/upload-pst", scene.job);
    let (mailbox, big) = (scene.mailbox.to_string(), noise(300 << 10));
    let other = vec![b'x'; 40 << 10];
    let fields: [(&str, Option<&str>, &[u8]); 5] = [
        ("other", None, &other),
        ("another", None, &other),
        ("file", Some("a.mbox"), &big),
        ("other", None, &other),
        ("mailbox_id", None, mailbox.as_bytes()),
    ];
    let taken = scene.send("POST", &path, &[FORM], &form(&fields)).expect(201).json();
    assert_eq!(taken["sha256"], sha256(&big));
}

#[test]
fn the_desk_takes_a_plain_form_and_says_on_the_page_what_it_refused() {
    let scene = Scene::set(&[]);
    let cookie = scene.server.cookie("technician");
    let path = format!("/mailboxes/{}/files/send", scene.mailbox);
    let own = [FORM, ("cookie", cookie.as_str()), ("origin", scene.server.address.as_str())];
    for file in [&b"From a file"[..], b""] {
        let reply = scene.server.send("POST", &path, &own, form(&[("file", Some("a.mbox"), file)]));
        assert_eq!((reply.status, reply.header("location")), (303, &*format!("/mailboxes/{}/files", scene.mailbox)));
    }
    let listed = scene.server.get(&scene.token, &format!("/migration/jobs/{}/uploads", scene.job)).expect(200).json();
    assert_eq!(listed.as_array().expect("a list").len(), 1);
    let strange = [FORM, ("cookie", cookie.as_str()), ("origin", "https://evil.example")];
    scene.server.send("POST", &path, &strange, form(&[("file", Some("a"), b"x")])).expect(403);
    let begun = scene.begin(3, &[], b"").expect(201).header("location").to_owned();
    let strange = [TUS, BYTES, ("upload-offset", "0"), ("cookie", cookie.as_str()), ("origin", "https://evil.example")];
    scene.server.send("PATCH", &begun, &strange, "abc").problem(403, "csrf");
    let ours = [TUS, BYTES, ("upload-offset", "0"), ("cookie", cookie.as_str()), ("sec-fetch-site", "same-origin")];
    scene.server.send("PATCH", &begun, &ours, "abc").expect(204);
}

#[test]
fn what_does_not_fit_is_refused_before_it_comes() {
    let scene = Scene::set(&[("GATEPOST_UPLOAD_RESERVE_MB", "1048576"), ("MIGRATION_MAX_PST_GB", "1024")]);
    // The most that may be asked for, beside the most that may be kept free: few disks have room for both.
    let problem = scene.begin(1 << 40, &[], b"").problem(507, "no_space");
    assert!(problem["detail"].as_str().expect("a sentence").contains("needs 1.0 TiB"), "{problem}");
    scene.begin((1 << 40) + 1, &[], b"").problem(413, "too_large");
    let path = format!("/api/v1/migration/jobs/{}/upload-pst", scene.job);
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {}\r\nContent-Type: {}\r\n\
         Content-Length: 2199023255552\r\n\r\n--edge\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a\"\r\n\r\nabc",
        scene.token, FORM.1
    );
    let mut stream = TcpStream::connect(("127.0.0.1", scene.port())).expect("it listens");
    stream.write_all(head.as_bytes()).expect("it is sent");
    let answer = beginning_of(&mut stream, 12);
    assert_eq!(answer, "HTTP/1.1 413");
    let _ = stream.shutdown(Shutdown::Both);
    assert_eq!(scene.on_disk(), 0);
}

#[test]
fn files_of_the_server_are_taken_where_they_lie() {
    let dir = directory();
    let import = dir.path().join("import");
    std::fs::create_dir(&import).expect("a folder");
    std::fs::write(import.join("inbox.mbox"), "From a file of the server").expect("a file");
    std::os::unix::fs::symlink("/etc/passwd", import.join("link.mbox")).expect("a link");
    let add = ["admin", "user", "add", "--email", "technician@desk.example", "--role", "technician"];
    let output = run(dir.path(), &[&add[..], &["--password-file", "password"]].concat());
    assert!(output.status.success(), "{output:?}");
    let allowed = import.to_str().expect("UTF-8").to_owned();
    let server = Server::start_in(dir, &[("GATEPOST_IMPORT_PATH", &allowed)]);
    let token = server.token("technician");
    let job = server.job(&token, "files.example");
    let new =
        json!({"email": "archive@files.example", "source_type": "mbox", "dest_secret": {"password": "dest secret"}});
    let mailbox = server.call(&token, "POST", &format!("/migration/jobs/{job}/mailboxes"), &new).expect(201).json();
    let path = format!("/migration/mailboxes/{}/server-files", mailbox["id"]);
    let add = |file: &str| server.call(&token, "POST", &path, &json!({"path": file}));
    for trick in ["../gatepost.db", "/etc/passwd", "link.mbox", "inbox.mbox/..", "..", "", "inbox.mbox\u{0}", "none"] {
        let problem = add(trick).problem(422, "invalid");
        assert!(!problem.to_string().contains("root:"), "{problem}");
    }
    let taken = add("inbox.mbox").expect(201).json();
    assert_eq!((taken["origin"].as_str(), taken["name"].as_str()), (Some("server"), Some("inbox.mbox")));
    assert_eq!(taken["sha256"], sha256(b"From a file of the server"));
    add("inbox.mbox").problem(409, "already_uploaded");
    let of_server = server.job(&token, "imap.example");
    let listed = server.get(&token, &format!("/migration/jobs/{of_server}/mailboxes")).expect(200).json();
    let imap = format!("/migration/mailboxes/{}/server-files", listed[0]["id"]);
    server.call(&token, "POST", &imap, &json!({"path": "inbox.mbox"})).problem(409, "not_a_file_mailbox");
    let closed = Scene::set(&[]);
    let path = format!("/migration/mailboxes/{}/server-files", closed.mailbox);
    closed.server.call(&closed.token, "POST", &path, &json!({"path": "a"})).problem(404, "server_files_off");
}

/// The most memory that the server ever had, in bytes.
fn peak(server: &Server) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.pid())).expect("it runs");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("a peak");
    line.trim().trim_end_matches(" kB").trim().parse::<u64>().expect("a number") * 1024
}

#[test]
fn memory_stays_flat_however_large_the_file() {
    const FILE: usize = 192 << 20;
    let scene = Scene::set(&[]);
    let small = noise(1 << 20);
    let location = scene.begin(small.len(), &[BYTES], &small).expect(201).header("location").to_owned();
    scene.checked(&location);
    let before = peak(&scene.server);
    let location = scene.begin(FILE, &[], b"").expect(201).header("location").to_owned();
    let mut stream = scene.begin_raw(scene.port(), &location, 0, FILE);
    for _ in 0..FILE / small.len() {
        stream.write_all(&small).expect("it is sent");
    }
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).expect("an answer");
    assert_eq!(&answer, b"HTTP/1.1 204");
    scene.checked(&location);
    let grown = peak(&scene.server).saturating_sub(before);
    assert!(grown < 32 << 20, "{grown} bytes more for one upload");
}
