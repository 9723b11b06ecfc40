//! The least there is of an HTTP client: what it writes is what a test says, and what it reads is kept as it came.

use std::{
    collections::BTreeMap,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

use serde_json::Value;

/// No answer takes longer.
const ANSWER_MAX: Duration = Duration::from_secs(50);

/// A connection.
pub(crate) struct Connection(BufReader<TcpStream>);

/// An answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// By their names in lower case.
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: String,
}

impl Connection {
    pub(crate) fn to(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(ANSWER_MAX)).unwrap();
        stream.set_write_timeout(Some(ANSWER_MAX)).unwrap();
        Self(BufReader::new(stream))
    }

    /// Writes as much as the other side takes: it may have heard enough.
    pub(crate) fn write(&mut self, octets: &[u8]) -> bool {
        self.0.get_mut().write_all(octets).is_ok()
    }

    /// The next answer; none where the connection ends.
    pub(crate) fn answer(&mut self) -> Option<Answer> {
        let first = self.line()?;
        let status = first.split(' ').nth(1)?.parse().ok()?;
        let mut headers = BTreeMap::new();
        loop {
            let line = self.line()?;
            let Some((name, value)) = line.split_once(':') else { break };
            headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
        }
        let length = headers.get("content-length").map_or(0, |length| length.parse().unwrap());
        let mut body = vec![0; length];
        self.0.read_exact(&mut body).ok()?;
        Some(Answer { status, headers, body: String::from_utf8(body).unwrap() })
    }

    fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        (self.0.read_line(&mut line).ok()? > 0).then(|| line.trim_end().to_owned())
    }
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The code of an error of Email Verifier.
    pub(crate) fn code(&self) -> String {
        self.json()["detail"]["code"].as_str().unwrap_or_default().to_owned()
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }

    /// It is as it should be.
    pub(crate) fn is(&self, status: u16, code: &str) {
        assert_eq!((self.status, &*self.code()), (status, code), "{self:?}");
    }

    /// It tells of fields that are wrong, the first of them so.
    pub(crate) fn is_invalid(&self, loc: &Value, kind: &str) {
        assert_eq!(self.status, 422, "{self:?}");
        let first = &self.json()["detail"][0];
        assert_eq!((&first["loc"], &first["type"]), (loc, &Value::from(kind)), "{self:?}");
    }
}
