//! Clients of the service that do not give up: whatever gets no answer is sent again, with its idempotency key, to the
//! other server.

use std::{
    net::SocketAddr,
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    },
    thread::sleep,
    time::{Duration, Instant},
};

use mailsonde_tests::site::{
    LIMIT, MARK, Site,
    client::{Answer, ask, post},
    receiver::Receiver,
    served::Served,
};
use serde_json::{Value, json};

/// A moment between one thing and the next, and for whoever is told to come again.
const PAUSE: Duration = Duration::from_millis(50);

/// Where servers listen now, and whether it is time to stop ordering.
pub(crate) struct Market {
    pub(crate) servers: Mutex<[SocketAddr; 2]>,
    pub(crate) is_closed: AtomicBool,
    /// Where batches are told of.
    receiver: String,
}

impl Market {
    pub(crate) fn of(servers: &[Served; 2], receiver: &Receiver) -> Self {
        let servers = Mutex::new(servers.each_ref().map(|served| served.address));
        Self { servers, is_closed: AtomicBool::new(false), receiver: receiver.url() }
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.is_closed.load(Relaxed)
    }
}

/// What becomes true with the end of the value: also when a test fails, or those who look at it would go on for ever.
pub(crate) struct Closing<'a>(pub(crate) &'a AtomicBool);

impl Drop for Closing<'_> {
    fn drop(&mut self) {
        self.0.store(true, Relaxed);
    }
}

/// Somebody who orders, one thing at a time. `name` is that of a client of its own.
pub(crate) struct Customer<'a> {
    pub(crate) site: &'a Site,
    pub(crate) market: &'a Market,
    pub(crate) name: &'a str,
    pub(crate) key: String,
    /// Mail servers are asked about some of those that are ordered singly.
    pub(crate) asks: bool,
    /// Requests that got no answer.
    pub(crate) unanswered: AtomicUsize,
    next: AtomicUsize,
}

/// A batch that was answered.
pub(crate) struct Order {
    pub(crate) job: String,
    pub(crate) emails: Vec<String>,
}

impl<'a> Customer<'a> {
    pub(crate) fn new(site: &'a Site, market: &'a Market, name: &'a str, terms: &[&str]) -> Self {
        site.print(&[&["client", "create", name], terms].concat());
        let key = site.key_of(name);
        Self {
            site,
            market,
            name,
            key,
            asks: false,
            unanswered: AtomicUsize::new(0),
            next: AtomicUsize::new(0),
        }
    }

    /// Orders batches until the market closes.
    pub(crate) fn order_batches(&self) -> Vec<Order> {
        let mut orders = Vec::new();
        while !self.market.is_closed() {
            let number = orders.len();
            let emails = emails(self.name, number);
            let body = json!({
                "emails": emails,
                "webhook_url": self.market.receiver,
                // Every fourth asks mail servers.
                "options": { "check_smtp": number % 4 == 0 },
            });
            let answer = self.insist("/api/v1/verify/batch", number, &body);
            assert_eq!(answer.status, 202, "{answer:?}");
            orders.push(Order { job: answer.json()["job_id"].as_str().unwrap().to_owned(), emails });
            sleep(PAUSE);
        }
        orders
    }

    /// Has single addresses verified until the market closes. Returns how many were to be paid for, of how many.
    pub(crate) fn order_singly(&self) -> (usize, usize) {
        let (mut paid, mut all) = (0, 0);
        while !self.market.is_closed() {
            let asks = self.asks && all % 8 == 0;
            let domain = if asks { "slow.test" } else { "mailinator.com" };
            let body = json!({ "email": format!("{MARK}{}{all}@{domain}", self.name), "options": { "check_smtp": asks } });
            let answer = self.insist("/api/v1/verify", all, &body);
            assert_eq!(answer.status, 200, "{answer:?}");
            paid += usize::from(answer.json()["category"] != "unknown");
            all += 1;
            sleep(PAUSE);
        }
        (paid, all)
    }

    /// The answer to a request, which is repeated until there is one.
    fn insist(&self, path: &str, number: usize, body: &Value) -> Answer {
        let header = format!("Idempotency-Key: {}-{number}\r\n", self.name);
        let octets = post(path, &self.key, &header, body.to_string().as_bytes());
        let began = Instant::now();
        loop {
            let server = self.next.fetch_add(1, Relaxed) % 2;
            let address = self.market.servers.lock().unwrap()[server];
            match ask(address, &octets) {
                None => {
                    self.unanswered.fetch_add(1, Relaxed);
                    sleep(PAUSE);
                }
                Some(answer) if answer.status == 503 => sleep(PAUSE),
                // Nobody is at it: we ask one thing at a time. After a while it is free again, and this is that while.
                Some(answer) if answer.status == 409 => self.let_time_pass(),
                Some(answer) => return answer,
            }
            assert!(began.elapsed() < LIMIT, "{path} is never answered: {}", self.site.said());
        }
    }

    fn let_time_pass(&self) {
        sleep(PAUSE);
        self.site.query(&format!(
            "update idempotency set until = now() - interval '1 second' from client \
             where client.id = idempotency.client and client.name = '{}' and status is null",
            self.name
        ));
    }
}

/// Some that cost a credit each, one twice, one of which nobody knows where mail servers are not asked, one that is no
/// address, and one that is empty.
fn emails(name: &str, number: usize) -> Vec<String> {
    let domain = if number.is_multiple_of(4) { "slow.test" } else { "mailinator.com" };
    let mut emails: Vec<String> = (0..12).map(|row| format!("{MARK}{name}{number}x{row}@{domain}")).collect();
    emails.extend([
        emails[0].clone(),
        format!("{MARK}{name}@slow.test"),
        format!("{MARK}{name} is no address"),
        String::new(),
    ]);
    emails
}
