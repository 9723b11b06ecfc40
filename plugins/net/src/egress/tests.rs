//! Pools without a network: no dialer of theirs is ever used, but for one.

use std::{
    collections::HashMap,
    io::ErrorKind::{self, ConnectionRefused, HostUnreachable, NetworkUnreachable, TimedOut},
};

use super::{health::TRIAL_EVERY, *};

fn general() -> Identity {
    Identity { hello: "probe.example.net".into(), sender: "probe@example.net".into() }
}

fn tables(toml: &str) -> BTreeMap<String, EgressConfig> {
    toml::from_str(toml).unwrap()
}

fn pool(toml: &str) -> EgressPool {
    EgressPool::new(general(), &tables(toml), 25, EgressConfig::dialer).unwrap()
}

/// As many tables as names, all alike.
fn named(names: &[&str]) -> EgressPool {
    let tables = names.iter().map(|name| ((*name).to_owned(), EgressConfig::default())).collect();
    EgressPool::new(general(), &tables, 25, EgressConfig::dialer).unwrap()
}

fn hosts() -> impl Iterator<Item = String> {
    (0..500).map(|n| format!("mx{n}.example.org"))
}

fn name(pool: &EgressPool, id: Option<EgressId>) -> Option<&str> {
    id.map(|id| &*pool.get(id).name)
}

fn id(pool: &EgressPool, name: &str) -> EgressId {
    pool.egresses.iter().find(|egress| &*egress.name == name).unwrap().id
}

fn error(kind: ErrorKind) -> io::Error {
    kind.into()
}

const OPERATORS: [&str; 5] = ["google", "gmail", "yahoo", "gmx", "webde"];

fn silence(pool: &EgressPool, id: EgressId) {
    for operator in OPERATORS {
        pool.timed_out(id, &BudgetKey::Operator(operator), Instant::now());
    }
}

#[test]
fn without_a_table_there_is_the_general_identity() {
    let pool = pool("");
    let id = pool.choose("mx", None).unwrap();
    assert_eq!(id, EgressId::default());
    assert_eq!((&*pool.get(id).name, &*pool.get(id).identity), ("general", &general()));
}

#[test]
fn what_a_table_leaves_out_is_the_general_one() {
    let pool = pool("[a]\nhello_name = 'a.example.net'\n[b]\nmail_from = 'b@example.net'");
    let identity = |name| pool.get(id(&pool, name)).identity.clone();
    assert_eq!(*identity("a"), Identity { hello: "a.example.net".into(), ..general() });
    assert_eq!(*identity("b"), Identity { sender: "b@example.net".into(), ..general() });
    assert_eq!(pool.egresses.len(), 2);
}

#[test]
fn each_table_has_its_own_way_out() {
    let tables =
        tables("[a]\nbind = '192.0.2.7'\n[b]\nproxy = 'socks5://ada:hush@10.0.0.1:1080'\n[c]\nproxy = ''");
    let made = Mutex::new(Vec::new());
    let pool = EgressPool::new(general(), &tables, 25, |table| {
        made.lock().unwrap().push(table.clone());
        table.dialer()
    });
    assert_eq!(pool.unwrap().egresses.len(), 3);
    assert_eq!(*made.lock().unwrap(), tables.values().cloned().collect::<Vec<_>>());
    assert_eq!((tables["a"].bind, tables["c"].proxy.as_ref()), (Some("192.0.2.7".parse().unwrap()), None));
    for shown in [format!("{tables:?}"), toml::to_string(&tables).unwrap()] {
        assert!(shown.contains("socks5://ada:***@10.0.0.1:1080") && !shown.contains("hush"), "{shown}");
    }
}

#[test]
fn tables_say_what_is_wrong_with_them() {
    let tables = tables("[a]\noperators = ['google', 'googel']");
    let error = EgressPool::new(general(), &tables, 25, EgressConfig::dialer).unwrap_err();
    assert_eq!(error.to_string(), "egress.a.operators.1: no operator has this id");
    for toml in [
        "[a]\nprxy = ''",
        "[a]\nbind = 'mx'",
        "[a]\nproxy = 'http://10.0.0.1:1'",
        "[a]\nproxy = 'socks5://x'",
    ] {
        assert!(toml::from_str::<BTreeMap<String, EgressConfig>>(toml).is_err(), "{toml}");
    }
}

#[test]
fn the_same_hosts_see_the_same_identity_and_all_take_part() {
    let (pool, again) = (named(&["a", "b", "c"]), named(&["c", "b", "a"]));
    let mut shares = HashMap::new();
    for hosts in hosts() {
        let chosen = pool.choose(&hosts, None);
        assert_eq!(chosen, again.choose(&hosts, None));
        *shares.entry(chosen).or_insert(0) += 1;
    }
    assert!(shares.len() == 3 && shares.values().all(|share| *share > 100), "{shares:?}");
}

#[test]
fn a_further_identity_takes_its_share_and_moves_nothing_else() {
    let (before, after) = (named(&["a", "b"]), named(&["a", "b", "c"]));
    for hosts in hosts() {
        let (old, new) = (before.choose(&hosts, None), after.choose(&hosts, None));
        assert!(name(&after, new) == Some("c") || new == old);
    }
}

#[test]
fn ids_come_from_names() {
    let many: Vec<String> = (0..EGRESSES_MAX).map(|n| format!("e{n}")).collect();
    let ids = ids(many.iter());
    let distinct: BTreeSet<u16> = ids.iter().map(|id| id.0).collect();
    assert!(distinct.len() == EGRESSES_MAX && !distinct.contains(&0));
    let alone = many.iter().map(|name| super::ids(std::iter::once(name))[0]);
    let moved = alone.zip(&ids).filter(|(alone, id)| alone != *id).count();
    assert!(moved < 20, "{moved} of a thousand met another");
    // A change here would send every retry that is under way to another identity.
    assert_eq!(super::ids([&"a".into(), &"b".into()].into_iter()), [EgressId(7_769), EgressId(45_651)]);
}

#[test]
fn too_many_tables_are_refused() {
    let tables = (0..=EGRESSES_MAX).map(|n| (format!("e{n}"), EgressConfig::default())).collect();
    assert!(EgressPool::new(general(), &tables, 25, EgressConfig::dialer).is_err());
}

#[test]
fn who_names_operators_serves_them_alone_and_alone_serves_them() {
    let pool = pool("[a]\n[b]\n[g]\noperators = ['google', 'gmail']\n[h]\noperators = ['google']");
    let seen = |operator: Option<&str>| {
        let operator = operator.and_then(Operator::by_id);
        let names = hosts().map(|hosts| name(&pool, pool.choose(hosts, operator)).unwrap());
        names.collect::<BTreeSet<_>>().into_iter().collect::<String>()
    };
    assert_eq!((seen(Some("google")), seen(Some("gmail"))), ("gh".into(), "g".into()));
    assert_eq!((seen(Some("yahoo")), seen(None)), ("ab".into(), "ab".into()));
}

#[test]
fn who_is_served_by_no_table_sees_the_general_identity() {
    let pool = pool("[g]\noperators = ['google']");
    assert_eq!(name(&pool, pool.choose("mx", None)), Some("general"));
    assert_eq!(name(&pool, pool.choose("mx", Operator::by_id("google"))), Some("g"));
}

#[tokio::test(start_paused = true)]
async fn another_takes_over_while_one_is_down() {
    let pool = named(&["a", "b", "c"]);
    let a = id(&pool, "a");
    let before: Vec<_> = hosts().map(|hosts| pool.choose(hosts, None)).collect();
    silence(&pool, a);
    assert!(pool.is_down(a) && pool.outage().is_none());
    assert_eq!((pool.retry(a), pool.may_try(a)), (None, false));
    for (hosts, before) in hosts().zip(&before) {
        let now = pool.choose(hosts, None);
        assert!(now.is_some() && now != Some(a) && (now == *before || *before == Some(a)));
    }

    tokio::time::advance(TRIAL_EVERY).await;
    let tries = hosts().filter(|hosts| pool.choose(hosts, None) == Some(a)).count();
    assert_eq!(tries, 1, "one is to try it, the others go elsewhere meanwhile");
    assert!(pool.may_try(a));
    pool.connected(a);
    assert!(!pool.is_down(a) && pool.may_try(a) && pool.may_try(a));
    assert!(hosts().map(|hosts| pool.choose(hosts, None)).eq(before));
}

#[tokio::test(start_paused = true)]
async fn when_all_are_down_that_is_an_outage() {
    let pool = named(&["a", "b"]);
    silence(&pool, id(&pool, "a"));
    assert_eq!(pool.outage(), None);
    silence(&pool, id(&pool, "b"));
    assert_eq!(pool.choose("mx", None), None);
    let line = pool.outage().unwrap().to_string();
    assert!(line.contains("outbound port 25 seems to be blocked"), "{line}");
    tokio::time::advance(TRIAL_EVERY).await;
    assert!(pool.choose("mx", None).is_some() && pool.outage().is_some());
    pool.connected(id(&pool, "b"));
    assert_eq!(pool.outage(), None);
}

#[tokio::test(start_paused = true)]
async fn errors_tell_who_is_out_of_order() {
    let id = EgressId::default();
    let key = BudgetKey::Operator("zoho");
    let down_after = |kinds: &[ErrorKind]| {
        let pool = pool("");
        for (operator, kind) in OPERATORS.iter().zip(kinds) {
            pool.failed(id, &BudgetKey::Operator(operator), Instant::now(), &error(*kind));
        }
        pool.is_down(id)
    };
    assert!(down_after(&[TimedOut, HostUnreachable, TimedOut, HostUnreachable, ErrorKind::PermissionDenied]));
    assert!(!down_after(&[TimedOut, TimedOut, ConnectionRefused, TimedOut, TimedOut]), "packets get out");
    assert!(!down_after(&[NetworkUnreachable; 5]), "no IPv6 here");

    let pool = pool("");
    pool.failed(id, &key, Instant::now(), &EgressFault::ProxyLogin.into());
    assert_eq!(
        pool.outage().unwrap().to_string(),
        "no mail server can be reached: the proxy refuses the login"
    );
}

#[test]
fn an_id_from_another_configuration_does_no_harm() {
    let pool = pool("");
    let stranger = EgressId(7);
    assert_eq!(pool.retry(stranger), None);
    assert!(!pool.may_try(stranger) && !pool.is_down(stranger));
    pool.connected(stranger);
    silence(&pool, stranger);
    assert_eq!((&*pool.get(stranger).name, pool.outage()), ("general", None));
}

#[tokio::test]
async fn a_way_out_dials() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let pool = pool("[a]\nbind = '127.0.0.9'");
    let dialer = pool.get(pool.choose("mx", None).unwrap()).dialer.clone();
    let (dialled, accepted) = tokio::join!(dialer.dial(listener.local_addr().unwrap()), listener.accept());
    assert!(dialled.is_ok());
    assert_eq!(accepted.unwrap().1.ip().to_string(), "127.0.0.9");
}
