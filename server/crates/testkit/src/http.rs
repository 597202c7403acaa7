//! A small web server for tests, one thread for each connection, and a small client. Knows HTTP/1.1 as far as tests
//! need it: no chunks, no pipelining, one request for each connection.

use std::fmt;
use std::io::{self, BufRead, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::error::{Error, Result, Tried as _};

/// The longest body that is read.
const MOST: usize = 8 << 20;
/// How long a client may take for its request.
const PATIENCE: Duration = Duration::from_secs(60);

/// A request.
#[derive(Debug, Clone, Default)]
pub struct HttpRequest {
    /// `GET`, `POST`, …
    pub method: String,
    /// The path without its query.
    pub path: String,
    /// The parameters of the query, in order, decoded.
    pub query: Vec<(String, String)>,
    /// Header fields; names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl HttpRequest {
    /// A header's value.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// A parameter of the query.
    #[must_use]
    pub fn parameter(&self, name: &str) -> Option<&str> {
        value(&self.query, name)
    }

    /// The fields of a form that was sent as the body.
    #[must_use]
    pub fn form(&self) -> Vec<(String, String)> {
        pairs(&String::from_utf8_lossy(&self.body))
    }
}

/// The first value with a name.
#[must_use]
pub fn value<'a>(pairs: &'a [(String, String)], name: &str) -> Option<&'a str> {
    pairs.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
}

/// An answer.
#[derive(Debug, Clone)]
pub struct HttpResponse {
    /// The status.
    pub status: u16,
    /// Header fields beside Content-Length and Connection.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl HttpResponse {
    /// An answer of some type.
    #[must_use]
    pub fn new(status: u16, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        Self { status, headers: vec![("Content-Type".to_owned(), content_type.to_owned())], body: body.into() }
    }

    /// A page.
    #[must_use]
    pub fn html(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self::new(status, "text/html; charset=utf-8", body)
    }

    /// A JSON text.
    #[must_use]
    pub fn json(status: u16, value: &serde_json::Value) -> Self {
        Self::new(status, "application/json", value.to_string())
    }

    /// Sends the client on by a GET.
    #[must_use]
    pub fn see_other(location: &str) -> Self {
        Self::new(302, "text/plain", "").with("Location", location)
    }

    /// The same with a header more.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }
}

/// A running web server on a free loopback port. Dropping it ends it.
pub struct HttpServer {
    address: SocketAddr,
    ending: Arc<AtomicBool>,
}

impl fmt::Debug for HttpServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpServer").field("address", &self.address).finish_non_exhaustive()
    }
}

impl HttpServer {
    /// Starts one that answers by a function.
    pub fn start(answer: impl Fn(&HttpRequest) -> HttpResponse + Send + Sync + 'static) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).tried(|| "opening a port".to_owned())?;
        let address = listener.local_addr().tried(|| "finding a port".to_owned())?;
        let ending = Arc::new(AtomicBool::new(false));
        let (ended, answer) = (Arc::clone(&ending), Arc::new(answer));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                if ended.load(Ordering::SeqCst) {
                    return;
                }
                let (Ok(stream), answer) = (stream, Arc::clone(&answer)) else { continue };
                // A client that breaks off is its own affair.
                std::thread::spawn(move || drop(serve(stream, &*answer)));
            }
        });
        Ok(Self { address, ending })
    }

    /// Its port on 127.0.0.1.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// `http://127.0.0.1:PORT`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

impl Drop for HttpServer {
    fn drop(&mut self) {
        self.ending.store(true, Ordering::SeqCst);
        // Wakes the listener, which then sees that it ends.
        drop(TcpStream::connect(self.address));
    }
}

fn serve(stream: TcpStream, answer: &(dyn Fn(&HttpRequest) -> HttpResponse + Send + Sync)) -> io::Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut reader = BufReader::new(stream);
    let Some(request) = read_request(&mut reader)? else { return Ok(()) };
    let response = answer(&request);
    let mut stream = reader.into_inner();
    let mut head = format!("HTTP/1.1 {} test\r\nConnection: close\r\n", response.status);
    for (name, value) in &response.headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str(&format!("Content-Length: {}\r\n\r\n", response.body.len()));
    stream.write_all(head.as_bytes())?;
    if request.method != "HEAD" {
        stream.write_all(&response.body)?;
    }
    stream.flush()
}

fn read_request(reader: &mut BufReader<TcpStream>) -> io::Result<Option<HttpRequest>> {
    let Some(first) = read_line(reader)? else { return Ok(None) };
    let mut words = first.split(' ');
    let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let headers = read_headers(reader)?;
    let length = length(&headers).unwrap_or(0);
    if length > MOST {
        return Ok(None);
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    Ok(Some(HttpRequest { method: method.to_owned(), path: decode(path), query: pairs(query), headers, body }))
}

fn read_line(reader: &mut impl BufRead) -> io::Result<Option<String>> {
    let mut line = Vec::new();
    reader.take(64 << 10).read_until(b'\n', &mut line)?;
    let line = String::from_utf8_lossy(&line).trim_end().to_owned();
    Ok((!line.is_empty()).then_some(line))
}

fn read_headers(reader: &mut impl BufRead) -> io::Result<Vec<(String, String)>> {
    let mut headers = Vec::new();
    while let Some(line) = read_line(reader)? {
        if let Some((name, value)) = line.split_once(':') {
            headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
    }
    Ok(headers)
}

fn length(headers: &[(String, String)]) -> Option<usize> {
    value(headers, "content-length")?.parse().ok()
}

/// Reads `a=b&c=d` (application/x-www-form-urlencoded).
#[must_use]
pub fn pairs(text: &str) -> Vec<(String, String)> {
    let parts = text.split('&').filter(|part| !part.is_empty());
    parts
        .map(|part| part.split_once('=').unwrap_or((part, "")))
        .map(|(name, value)| (decode(name), decode(value)))
        .collect()
}

/// Writes `a=b&c=d`.
#[must_use]
pub fn written(pairs: &[(&str, &str)]) -> String {
    let parts: Vec<String> = pairs.iter().map(|(name, value)| format!("{}={}", encode(name), encode(value))).collect();
    parts.join("&")
}

fn decode(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let escaped = (byte == b'%').then(|| text.get(at + 1..at + 3)).flatten();
        match escaped.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(decoded) => {
                out.push(decoded);
                at += 3;
            }
            None => {
                out.push(if byte == b'+' { b' ' } else { byte });
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

fn encode(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => out.push(char::from(byte)),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

/// Sends a form to a server of this machine, and reads the whole answer.
pub fn send(method: &str, url: &str, form: &[(&str, &str)]) -> Result<HttpResponse> {
    ask(method, url, &[("Content-Type", "application/x-www-form-urlencoded")], &written(form))
}

/// Sends a request to a server of this machine (`http://127.0.0.1:PORT/…`) and reads the whole answer, whose header names
/// are in lower case. Redirects are answers like any other.
pub fn ask(method: &str, url: &str, headers: &[(&str, &str)], body: &str) -> Result<HttpResponse> {
    let rest = url.strip_prefix("http://").ok_or_else(|| Error::Protocol(format!("{url} is not plain http")))?;
    let (authority, target) = rest.split_once('/').unwrap_or((rest, ""));
    let tried = || format!("asking {authority}");
    let mut stream = TcpStream::connect(authority).tried(tried)?;
    stream.set_read_timeout(Some(PATIENCE * 2)).tried(tried)?;
    let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let request = format!(
        "{method} /{target} HTTP/1.1\r\nHost: {authority}\r\nConnection: close\r\n{headers}Content-Length: {}\r\n\r\n\
         {body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).tried(tried)?;
    let mut reader = BufReader::new(stream);
    let first = read_line(&mut reader).tried(tried)?.unwrap_or_default();
    let status = first.split(' ').nth(1).and_then(|status| status.parse().ok());
    let status = status.ok_or_else(|| Error::Protocol(format!("{authority} did not answer in HTTP")))?;
    let headers = read_headers(&mut reader).tried(tried)?;
    let mut body = Vec::new();
    match length(&headers) {
        Some(length) => {
            body.resize(length.min(MOST), 0);
            reader.read_exact(&mut body).tried(tried)?;
        }
        None => drop(reader.read_to_end(&mut body).tried(tried)?),
    }
    Ok(HttpResponse { status, headers, body })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    #[test]
    fn a_form_arrives_as_it_was_sent() {
        let server = HttpServer::start(|request| {
            let form = request.form();
            let shown = format!("{} {} {:?} {}", request.method, request.path, request.parameter("q"), form.len());
            HttpResponse::new(418, "text/plain", format!("{shown} {}", value(&form, "a b").unwrap_or_default()))
        })
        .unwrap();
        let url = format!("{}/x%20y?q=1%2B1", server.url());
        let answer = send("POST", &url, &[("a b", "c&d=ä"), ("e", "")]).unwrap();
        assert_eq!(answer.status, 418);
        assert_eq!(String::from_utf8(answer.body).unwrap(), r#"POST /x y Some("1+1") 2 c&d=ä"#);
    }
}
