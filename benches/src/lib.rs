//! Seeded inputs for the benchmarks: the same addresses on every machine, from nothing but a number.

pub mod blocklist;
pub mod lab;

/// Domains over which the addresses are spread.
pub const DOMAINS: usize = 200_000;

/// One address in so many is malformed.
const MALFORMED_EVERY: u64 = 20;

const GIVEN: &[&str] = &[
    "anna", "bruno", "carla", "david", "elena", "farid", "giulia", "hannes", "ingrid", "jorge", "katja",
    "liam", "mehmet", "nadia", "oskar", "paula", "quentin", "rosa", "stefan", "tomoko", "ulrich", "vera",
    "wei", "yusuf",
];
const FAMILY: &[&str] = &[
    "almeida",
    "becker",
    "costa",
    "dubois",
    "eriksen",
    "fischer",
    "garcia",
    "hansen",
    "ivanov",
    "jansen",
    "kowalski",
    "lindqvist",
    "moreau",
    "novak",
    "okafor",
    "petrov",
    "rossi",
    "silva",
    "tanaka",
    "urban",
    "virtanen",
    "weber",
    "yilmaz",
    "zhang",
];
const FIRST_PART: &[&str] = &[
    "north", "blue", "alpine", "metro", "nova", "terra", "silver", "delta", "green", "bright", "urban",
    "prime", "cedar", "harbor", "summit", "quantum",
];
const SECOND_PART: &[&str] = &[
    "works",
    "systems",
    "logistics",
    "foods",
    "media",
    "energy",
    "clinic",
    "design",
    "motors",
    "labs",
    "partners",
    "print",
    "travel",
    "steel",
    "books",
    "garden",
];
const PROVIDERS: &[&str] =
    &["gmail.com", "yahoo.com", "hotmail.com", "outlook.com", "gmx.de", "gmial.com", "web.de"];
const TLDS: &[&str] = &["com", "de", "fr", "co.uk", "net", "org", "io", "it"];
const MALFORMED: &[&str] =
    &["no-at-sign.example.com", "two@@example.com", "a..b@example.com", "jane@example", "@x.com"];

/// A small generator with a good spread (`SplitMix64`); benchmarks need no more.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `n`.
    fn below(&mut self, n: usize) -> usize {
        let n = n as u64;
        usize::try_from(self.next() % n).unwrap_or(0)
    }

    fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from[self.below(from.len())]
    }
}

/// `count` addresses: people at [`DOMAINS`] companies and a few providers, one in twenty malformed.
pub fn addresses(count: usize) -> impl Iterator<Item = String> {
    let mut random = Random(20_260_101);
    (0..count).map(move |_| {
        if random.next().is_multiple_of(MALFORMED_EVERY) {
            return random.pick(MALFORMED).to_owned();
        }
        let local = local_part(&mut random);
        // A fifth of real lists is at the big providers; the rest is spread evenly, which no cache likes.
        match random.next() % 5 {
            0 => format!("{local}@{}", random.pick(PROVIDERS)),
            _ => format!("{local}@{}", domain(random.below(DOMAINS))),
        }
    })
}

fn local_part(random: &mut Random) -> String {
    let (given, family) = (random.pick(GIVEN), random.pick(FAMILY));
    match random.next() % 8 {
        0 => given.to_owned(),
        1 => format!("{}{family}", &given[..1]),
        2 => format!("{given}{family}{}", random.below(100)),
        3 => "info".to_owned(),
        4 => format!("{given}+{}", random.pick(SECOND_PART)),
        5 => format!("{:x}", random.next()),
        _ => format!("{given}.{family}"),
    }
}

/// The n-th company's domain.
fn domain(n: usize) -> String {
    let first = FIRST_PART[n % FIRST_PART.len()];
    let second = SECOND_PART[n / 16 % SECOND_PART.len()];
    let tld = TLDS[n / 256 % TLDS.len()];
    format!("{first}{second}{}.{tld}", n / 2048)
}
