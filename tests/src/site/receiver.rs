//! A receiver of webhooks over plain HTTP, that notes what comes and answers as it is told. It checks no signature: the
//! library of the specification does that elsewhere.

use std::{
    collections::BTreeMap,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    thread,
    time::{Duration, Instant},
};

use serde_json::Value;

/// What came.
#[derive(Debug, Clone)]
pub struct Told {
    /// By their names in lower case.
    pub headers: BTreeMap<String, String>,
    /// As it came.
    pub body: String,
    /// When.
    pub at: Instant,
}

impl Told {
    /// The message's id, the same at each try.
    pub fn id(&self) -> &str {
        self.headers.get("webhook-id").map_or("", String::as_str)
    }

    /// The id of the job that it tells of; empty, where it tells of none.
    pub fn job(&self) -> String {
        let body: Value = serde_json::from_str(&self.body).unwrap();
        body["data"]["job"]["job_id"].as_str().unwrap_or_default().to_owned()
    }
}

/// A running one.
#[derive(Debug)]
pub struct Receiver {
    address: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    told: Mutex<Vec<Told>>,
    /// Milliseconds until it answers.
    delay: AtomicU64,
    has_ended: AtomicBool,
}

impl Receiver {
    /// Starts one at this address of loopback, that answers 204 after a while.
    pub fn start(ip: &str, delay: Duration) -> Self {
        let listener = TcpListener::bind((ip, 0)).unwrap();
        let (address, shared) = (listener.local_addr().unwrap(), Arc::new(Shared::default()));
        let receiver = Self { address, shared: shared.clone() };
        receiver.answers_after(delay);
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                if shared.has_ended.load(Relaxed) {
                    return;
                }
                let shared = shared.clone();
                // Whoever asked may be gone.
                thread::spawn(move || shared.answer(&stream).ok());
            }
        });
        receiver
    }

    /// Where it takes them.
    pub fn url(&self) -> String {
        format!("http://{}/hooks/mailsonde", self.address)
    }

    /// From now on it answers after this time.
    pub fn answers_after(&self, delay: Duration) {
        self.shared.delay.store(delay.as_millis().try_into().unwrap(), Relaxed);
    }

    /// All that came so far.
    pub fn told(&self) -> Vec<Told> {
        self.shared.told.lock().unwrap().clone()
    }
}

impl Shared {
    fn answer(&self, stream: &TcpStream) -> std::io::Result<()> {
        let mut reader = BufReader::new(stream);
        let mut headers = BTreeMap::new();
        loop {
            let mut line = String::new();
            reader.read_line(&mut line)?;
            if line.trim_end().is_empty() {
                break;
            }
            if let Some((name, value)) = line.split_once(": ") {
                headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
            }
        }
        let length = headers.get("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
        let mut body = vec![0; length];
        reader.read_exact(&mut body)?;
        let body = String::from_utf8(body).unwrap();
        self.told.lock().unwrap().push(Told { headers, body, at: Instant::now() });
        thread::sleep(Duration::from_millis(self.delay.load(Relaxed)));
        let mut stream = stream;
        stream.write_all(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.shared.has_ended.store(true, Relaxed);
        // It looks when somebody comes.
        let _ = TcpStream::connect(self.address);
    }
}
