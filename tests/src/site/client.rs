//! The least there is of an HTTP client: what it writes is what a test says, and what it reads is kept as it came.

use std::{
    collections::BTreeMap,
    io::{self, BufRead as _, BufReader, Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

use serde_json::Value;

/// No answer takes longer.
const ANSWER_MAX: Duration = Duration::from_secs(50);

/// A connection.
#[derive(Debug)]
pub struct Connection(BufReader<TcpStream>);

/// An answer.
#[derive(Debug)]
pub struct Answer {
    /// Its status.
    pub status: u16,
    /// By their names in lower case.
    pub headers: BTreeMap<String, String>,
    /// All of it.
    pub body: String,
}

impl Connection {
    /// Connects.
    pub fn to(address: SocketAddr) -> Self {
        Self::try_to(address).unwrap()
    }

    /// Connects, if there is somebody.
    pub fn try_to(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(ANSWER_MAX))?;
        stream.set_write_timeout(Some(ANSWER_MAX))?;
        Ok(Self(BufReader::new(stream)))
    }

    /// Writes as much as the other side takes: it may have heard enough.
    pub fn write(&mut self, octets: &[u8]) -> bool {
        self.0.get_mut().write_all(octets).is_ok()
    }

    /// The next answer; none where the connection ends.
    pub fn answer(&mut self) -> Option<Answer> {
        let mut answer = self.answer_to_head()?;
        let body = if answer.headers.get("transfer-encoding").is_some_and(|coding| coding == "chunked") {
            self.chunks()?
        } else {
            self.octets(answer.headers.get("content-length").map_or(0, |length| length.parse().unwrap()))?
        };
        answer.body = String::from_utf8(body).unwrap();
        Some(answer)
    }

    /// The next answer, which is to `HEAD`: whatever its headers say, it has no body.
    pub fn answer_to_head(&mut self) -> Option<Answer> {
        let first = self.line()?;
        let status = first.split(' ').nth(1)?.parse().ok()?;
        let mut headers = BTreeMap::new();
        loop {
            let line = self.line()?;
            let Some((name, value)) = line.split_once(':') else { break };
            headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
        }
        Some(Answer { status, headers, body: String::new() })
    }

    /// A body whose length nobody knew before (RFC 9112, section 7.1); none where it is cut off.
    fn chunks(&mut self) -> Option<Vec<u8>> {
        let mut body = Vec::new();
        loop {
            let length = usize::from_str_radix(&self.line()?, 16).ok()?;
            body.extend(self.octets(length)?);
            self.line()?;
            if length == 0 {
                return Some(body);
            }
        }
    }

    fn octets(&mut self, length: usize) -> Option<Vec<u8>> {
        let mut octets = vec![0; length];
        self.0.read_exact(&mut octets).ok()?;
        Some(octets)
    }

    fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        (self.0.read_line(&mut line).ok()? > 0).then(|| line.trim_end().to_owned())
    }
}

impl Answer {
    /// Its body.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The code of an error of Email Verifier.
    pub fn code(&self) -> String {
        self.json()["detail"]["code"].as_str().unwrap_or_default().to_owned()
    }

    /// Empty where there is none.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }

    /// It is as it should be.
    pub fn is(&self, status: u16, code: &str) {
        assert_eq!((self.status, &*self.code()), (status, code), "{self:?}");
    }

    /// It tells of fields that are wrong, the first of them so.
    pub fn is_invalid(&self, loc: &Value, kind: &str) {
        assert_eq!(self.status, 422, "{self:?}");
        let first = &self.json()["detail"][0];
        assert_eq!((&first["loc"], &first["type"]), (loc, &Value::from(kind)), "{self:?}");
    }

    /// It is said that nothing was done, and when to come again.
    pub fn is_unavailable(&self) {
        self.is(503, "SERVICE_UNAVAILABLE");
        assert!(self.header("retry-after").parse::<u64>().is_ok_and(|seconds| seconds > 0), "{self:?}");
    }
}

/// What octets are answered with, on a connection of their own; none where it ends before.
pub fn ask(address: SocketAddr, octets: impl AsRef<[u8]>) -> Option<Answer> {
    let mut connection = Connection::try_to(address).ok()?;
    connection.write(octets.as_ref());
    connection.answer()
}

/// A request with a key and a JSON body. Each line of `headers` ends with `\r\n`.
pub fn post(path: &str, key: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    let mut octets = head(path, key, headers, body.len()).into_bytes();
    octets.extend_from_slice(body);
    octets
}

/// Its head.
pub fn head(path: &str, key: &str, headers: &str, length: usize) -> String {
    let has_type = headers.to_ascii_lowercase().contains("content-type:");
    let media_type = if has_type { "" } else { "Content-Type: application/json\r\n" };
    format!(
        "POST {path} HTTP/1.1\r\nHost: x\r\nApi-Key: {key}\r\n{media_type}{headers}Content-Length: {length}\r\n\r\n"
    )
}

/// A form with a table in it, as browsers send it.
pub fn upload(key: &str, headers: &str, table: &[u8]) -> Vec<u8> {
    form(key, headers, &[(TABLE, table)])
}

/// How the part of a form says that it is a table.
pub const TABLE: &str = "name=\"file\"; filename=\"people.csv\"";

/// What stands between the parts of a form, and in none of them.
pub const BOUNDARY: &str = "a-line-that-no-table-has";

/// A form of these parts: what each is called, and what it holds.
pub fn form(key: &str, headers: &str, parts: &[(&str, &[u8])]) -> Vec<u8> {
    let mut body = Vec::new();
    for (name, content) in parts {
        body.extend(format!("--{BOUNDARY}\r\nContent-Disposition: form-data; {name}\r\n\r\n").bytes());
        body.extend_from_slice(content);
        body.extend(b"\r\n");
    }
    body.extend(format!("--{BOUNDARY}--\r\n").bytes());
    let headers = format!("Content-Type: multipart/form-data; boundary={BOUNDARY}\r\n{headers}");
    post("/api/v1/verify/csv", key, &headers, &body)
}

/// A request with a key.
pub fn get(path: &str, key: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: x\r\nApi-Key: {key}\r\nConnection: close\r\n\r\n")
}
