//! What stands where in the lab: the instances of Postfix, the mailboxes and, in `lab.zone`, the domains.

mod faces;
mod stock;

use std::fmt::Write as _;
use std::time::Duration;

use super::postfix::Instance;

/// The instances of Postfix. The name of a listener is also the name in the log (`postfix/<name>/smtpd`) and the
/// placeholder in the zone and in configurations.
pub const INSTANCES: [Instance; 2] = [faces::INSTANCE, stock::INSTANCE];

/// A host where nobody listens.
pub const NOBODY: &str = "nobody";

/// Hosts where the test itself listens, to see that nobody calls.
pub const TRIPWIRES: [&str; 2] = ["tripwire-null-mx", "tripwire-private"];

/// The listener that has the IPv6 address of loopback.
pub const ON_IPV6: &str = "ipv6";

/// A Postfix that is asked through postscreen.
pub const POSTSCREEN: &str = "postscreen";

/// Where postgrey is asked, by Postfix.
pub const POSTGREY: &str = "postgrey-policy";

/// How long postgrey wants callers to stay away.
pub const GREYLISTED_FOR: Duration = Duration::from_secs(2);

/// Names under which every look-up fails.
pub const SERVFAIL: &[&str] = &["broken.test"];

/// Number of mailboxes `member1` … at each of the domains that have members.
pub const MEMBERS: usize = 100;

/// Number of domains `customer1.hosted.test` …, each with a `jane.doe`.
pub const CUSTOMERS: usize = 10;

/// The domains with members.
const WITH_MEMBERS: &[&str] = &[
    "batch.test",
    "ten-recipients.test",
    "one-error.test",
    "one-connection.test",
    "paced.test",
    "no-bounces.test",
    "no-pipelining.test",
    "stock-known.test",
    "stock-unknown.test",
    "stock-mixed.test",
];

/// The mailboxes that exist, besides the members and customers. Those with a state in [`faces`] do not get so far.
const MAILBOXES: &str = "\
probe@lab.test ok
jane.doe@known.test ok
john.smith@known.test ok
jane.doe@implicit.test ok
jane.doe@second.test ok
jane.doe@equal.test ok
jane.doe@busy-first.test ok
jane.doe@silent-first.test ok
jane.doe@null-mx-beside.test ok
jane.doe@no-pipelining.test ok
jane.doe@late.test ok
john.smith@unhurried.test ok
jane.doe@tarpit.test ok
jane.doe@ipv6.test ok
jane.doe@two-families.test ok
jane.doe@tls.test ok
jane.doe@tls-required.test ok
jane.doe@tls-broken.test ok
jane.doe@tls-required-broken.test ok
jane.doe@strict.test ok
jane.doe@dnsbl.test ok
jane.doe@dead-policy.test ok
jane.doe@postgrey.test ok
john.smith@postgrey.test ok
jane.doe@callout.test ok
jane.doe@callout-stock.test ok
jane.doe@callout-pending.test ok
john.smith@callout-pending.test ok
jane.doe@callout-sender.test ok
jane.doe@exim-callout.test ok
jane.doe@postscreen.test ok
@catch-all.test ok
";

/// The table of mailboxes for Postfix.
pub fn mailboxes() -> String {
    let mut table = MAILBOXES.to_owned();
    for number in 1..=MEMBERS {
        for domain in WITH_MEMBERS {
            let _ = writeln!(table, "member{number}@{domain} ok");
        }
    }
    for number in 1..=CUSTOMERS {
        let _ = writeln!(table, "jane.doe@customer{number}.hosted.test ok");
    }
    table
}
