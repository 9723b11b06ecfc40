//! The resolver against a real name server on loopback that answers by script.

use hickory_resolver::proto::{
    op::{Message, Query, ResponseCode},
    rr::{
        RData, Record, RecordType,
        rdata::{A, CAA, MX, NS, NULL, TXT},
    },
};

use mailsonde_engine::RecordData;

use super::{
    name_server::{Asked, NameServer, alias, name, soa},
    *,
};

const PATIENCE: Duration = Duration::from_millis(500);

fn config(servers: &[&NameServer]) -> Config {
    Config {
        servers: servers.iter().map(|server| server.address.to_string()).collect(),
        timeout: PATIENCE,
        attempts: std::num::NonZeroU8::MIN.saturating_add(1),
        ..Config::default()
    }
}

fn resolver(server: &NameServer) -> HickoryResolver {
    HickoryResolver::new(&config(&[server])).unwrap()
}

fn mx(preference: u16, exchange: &str) -> RData {
    RData::MX(MX::new(preference, name(exchange)))
}

fn found_mx(preference: u16, exchange: &str) -> RecordData {
    RecordData::Mx { preference, exchange: exchange.into() }
}

fn a(last: u8) -> RData {
    RData::A(A::new(192, 0, 2, last))
}

fn address(last: u8) -> RecordData {
    RecordData::Address([192, 0, 2, last].into())
}

fn found(records: impl IntoIterator<Item = RecordData>) -> Lookup {
    Lookup::Found(records.into_iter().collect())
}

/// Asks once for MX of `example.test` where every query gets these answers.
async fn answered(script: impl Fn(&Asked) -> Vec<Message> + Send + Sync + 'static) -> Lookup {
    let server = NameServer::start(script).await;
    resolver(&server).lookup("example.test", RecordKind::Mx).await
}

#[tokio::test]
async fn mail_exchangers_come_best_first_and_in_lower_case() {
    let lookup = answered(|asked| {
        vec![asked.finds(60, [mx(20, "B.Example.TEST."), mx(10, "z.test."), mx(10, "A.test."), mx(30, ".")])]
    });
    let expected = [(10, "a.test"), (10, "z.test"), (20, "b.example.test"), (30, "")];
    assert_eq!(lookup.await, found(expected.map(|(preference, exchange)| found_mx(preference, exchange))));
}

#[tokio::test]
async fn a_missing_name_and_a_missing_record_are_told_apart() {
    for (code, expected) in
        [(ResponseCode::NXDomain, Lookup::NoDomain), (ResponseCode::NoError, Lookup::NoData)]
    {
        let with_soa = answered(move |asked| {
            let mut response = asked.says(code);
            response.authorities.push(soa("test.", 300));
            vec![response]
        });
        assert_eq!(with_soa.await, expected);
        assert_eq!(answered(move |asked| vec![asked.says(code)]).await, expected);
    }
}

#[tokio::test]
async fn what_is_no_answer_is_told_apart_from_what_is_one() {
    for (code, failure) in [
        (ResponseCode::ServFail, LookupFailure::ServerFailure),
        (ResponseCode::Refused, LookupFailure::Refused),
        (ResponseCode::NotImp, LookupFailure::Unreachable),
        (ResponseCode::FormErr, LookupFailure::Unreachable),
    ] {
        let server = NameServer::start(move |asked| vec![asked.says(code)]).await;
        let resolver = resolver(&server);
        assert_eq!(resolver.lookup("example.test", RecordKind::Mx).await, Lookup::Failed(failure), "{code}");
        assert_eq!(server.queries().len(), 2, "{code} is tried again");
        let stats = resolver.stats();
        let by_kind = [stats.server_failures, stats.refusals, stats.timeouts, stats.unreachable];
        assert_eq!((stats.queries, by_kind.iter().sum()), (2, 1_u64), "{code}");
    }
}

#[tokio::test]
async fn a_referral_says_nothing() {
    let lookup = answered(|asked| {
        let mut response = asked.says(ResponseCode::NoError);
        response.authorities.push(Record::from_rdata(name("test."), 60, RData::NS(NS(name("ns.test.")))));
        vec![response]
    });
    assert_eq!(lookup.await, Lookup::Failed(LookupFailure::Unreachable));
}

#[tokio::test]
async fn silence_ends_in_bounded_time() {
    let server = NameServer::start(|_| Vec::new()).await;
    let resolver = resolver(&server);
    let began = tokio::time::Instant::now();
    let lookup = resolver.lookup("example.test", RecordKind::Mx).await;
    assert_eq!(lookup, Lookup::Failed(LookupFailure::Timeout));
    assert!(began.elapsed() >= PATIENCE * 2 && began.elapsed() < PATIENCE * 8, "{:?}", began.elapsed());
    assert_eq!(resolver.stats().timeouts, 1);
}

#[tokio::test]
async fn nobody_listens() {
    let server = NameServer::start(|_| Vec::new()).await;
    let address = server.address;
    drop(server);
    let config = Config { servers: vec![address.to_string()], timeout: PATIENCE, ..Config::default() };
    let lookup = HickoryResolver::new(&config).unwrap().lookup("example.test", RecordKind::Mx).await;
    assert!(matches!(lookup, Lookup::Failed(_)), "{lookup:?}");
}

#[tokio::test]
async fn the_next_server_is_asked_and_stays_first() {
    let broken = NameServer::start(|asked| vec![asked.says(ResponseCode::ServFail)]).await;
    let sound = NameServer::start(|asked| vec![asked.finds(60, [mx(10, "mx.test.")])]).await;
    let resolver = HickoryResolver::new(&config(&[&broken, &sound])).unwrap();
    for domain in ["one.test", "two.test", "three.test"] {
        assert_eq!(resolver.lookup(domain, RecordKind::Mx).await, found([found_mx(10, "mx.test")]));
    }
    assert_eq!(broken.queries().len(), 1);
}

#[tokio::test]
async fn a_truncated_answer_is_fetched_over_tcp() {
    let server = NameServer::start(|asked| {
        let mut response = asked.finds(60, (0..200).rev().map(|i| mx(i, &format!("mx{i}.test."))));
        if !asked.is_tcp {
            response.answers.clear();
            response.metadata.truncation = true;
        }
        vec![response]
    })
    .await;
    let Lookup::Found(records) = resolver(&server).lookup("example.test", RecordKind::Mx).await else {
        panic!("no records")
    };
    assert_eq!(server.queries(), ["example.test. MX udp", "example.test. MX tcp"]);
    assert_eq!(records.len(), 64, "the number of records that are kept is bounded");
    assert_eq!(records[0], found_mx(0, "mx0.test"), "the best one is among them");
}

#[tokio::test]
async fn a_truncated_answer_without_tcp_is_none() {
    let lookup = answered(|asked| {
        let mut response = asked.says(ResponseCode::NoError);
        response.metadata.truncation = true;
        if asked.is_tcp { Vec::new() } else { vec![response] }
    });
    assert!(matches!(lookup.await, Lookup::Failed(_)));
}

#[tokio::test]
async fn forged_answers_are_ignored() {
    let lookup = answered(|asked| {
        let forged = asked.finds(60, [mx(1, "evil.test.")]);
        let mut wrong_id = forged.clone();
        wrong_id.metadata.id = !forged.id;
        let mut wrong_question = forged;
        wrong_question.queries = vec![Query::query(name("other.test."), RecordType::MX)];
        vec![wrong_id, wrong_question, asked.finds(60, [mx(10, "mx.test.")])]
    });
    assert_eq!(lookup.await, found([found_mx(10, "mx.test")]));
}

#[tokio::test]
async fn records_of_other_names_and_kinds_do_not_count() {
    let server = NameServer::start(|asked| {
        let mut response = asked.finds(60, [a(1)]);
        response.answers.push(Record::from_rdata(name("other.test."), 60, mx(1, "evil.test.")));
        response.additionals.push(Record::from_rdata(name("victim.test."), 60, a(66)));
        if asked.name == "nodata.test." {
            response.authorities.push(soa("test.", 300));
        }
        vec![response]
    })
    .await;
    let resolver = resolver(&server);
    assert_eq!(resolver.lookup("example.test", RecordKind::A).await, found([address(1)]));
    assert_eq!(
        resolver.lookup("victim.test", RecordKind::A).await,
        found([address(1)]),
        "nothing else was kept"
    );
    assert_eq!(resolver.lookup("nodata.test", RecordKind::Mx).await, Lookup::NoData);
    // No record of the kind, and nothing that says so: no ground to call a domain dead.
    let beside_the_point = resolver.lookup("example.test", RecordKind::Mx).await;
    assert_eq!(beside_the_point, Lookup::Failed(LookupFailure::Unreachable));
}

#[tokio::test]
async fn aliases_are_followed_in_one_response_and_across_several() {
    let lookup = |name, kind| async move {
        let server = NameServer::start(|asked| {
            let mut response = asked.says(ResponseCode::NoError);
            match &*asked.name {
                "whole.test." => {
                    response.answers = vec![alias("whole.test.", "Target.test.")];
                    response.answers.push(Record::from_rdata(name_server::name("target.test."), 60, a(7)));
                }
                "half.test." => response.answers = vec![alias("half.test.", "target.test.")],
                "target.test." => return vec![asked.finds(60, [a(7)])],
                "dangling.test." => {
                    response.metadata.response_code = ResponseCode::NXDomain;
                    response.answers = vec![alias("dangling.test.", "gone.test.")];
                }
                _ => {
                    response.answers = vec![alias(&asked.name, "target.test.")];
                    response.authorities = vec![soa("target.test.", 300)];
                }
            }
            vec![response]
        })
        .await;
        let lookup = resolver(&server).lookup(name, kind).await;
        (lookup, server.queries().len())
    };
    assert_eq!(lookup("whole.test", RecordKind::A).await, (found([address(7), RecordData::Alias]), 1));
    assert_eq!(lookup("half.test", RecordKind::A).await, (found([address(7), RecordData::Alias]), 2));
    assert_eq!(lookup("dangling.test", RecordKind::A).await, (Lookup::NoDomain, 1));
    assert_eq!(lookup("without.test", RecordKind::Mx).await, (Lookup::NoData, 1));
}

#[tokio::test]
async fn alias_chains_end() {
    // hop1 -> hop2 -> … each in a response of its own, until the last one has an address.
    let chain = |length: usize| {
        NameServer::start(move |asked| {
            let hop: usize = asked.name.trim_start_matches("hop").trim_end_matches(".test.").parse().unwrap();
            let mut response = asked.finds(60, [a(1)]);
            if hop < length {
                response.answers = vec![alias(&asked.name, &format!("hop{}.test.", hop + 1))];
            }
            vec![response]
        })
    };
    let eight = chain(8).await;
    assert_eq!(
        resolver(&eight).lookup("hop0.test", RecordKind::A).await,
        found([address(1), RecordData::Alias])
    );
    let twenty = chain(20).await;
    let lookup = resolver(&twenty).lookup("hop0.test", RecordKind::A).await;
    assert_eq!(lookup, Lookup::Failed(LookupFailure::Unreachable));
    assert!(twenty.queries().len() <= 9, "{:?}", twenty.queries());
}

#[tokio::test]
async fn alias_loops_are_no_answer() {
    let apart = answered(|asked| {
        let target = if asked.name == "example.test." { "other.test." } else { "example.test." };
        let mut response = asked.says(ResponseCode::NoError);
        response.answers = vec![alias(&asked.name, target)];
        vec![response]
    });
    assert_eq!(apart.await, Lookup::Failed(LookupFailure::Unreachable));
    let within = answered(|asked| {
        let mut response = asked.says(ResponseCode::NoError);
        response.answers = vec![alias("example.test.", "other.test."), alias("other.test.", "example.test.")];
        vec![response]
    });
    assert_eq!(within.await, Lookup::Failed(LookupFailure::Unreachable));
}

#[tokio::test]
async fn a_hundred_equal_questions_are_one_query() {
    let server = NameServer::start(|asked| vec![asked.finds(60, [mx(10, "mx.test.")])]).await;
    let resolver = resolver(&server);
    let asks = (0..100).map(|i| {
        let name = if i % 2 == 0 { "example.test" } else { "Example.TEST." };
        resolver.lookup(name, RecordKind::Mx)
    });
    for lookup in futures_util::future::join_all(asks).await {
        assert_eq!(lookup, found([found_mx(10, "mx.test")]));
    }
    assert_eq!(server.queries().len(), 1);
    assert_eq!((resolver.stats().queries, resolver.stats().hits), (1, 99));
}

#[tokio::test]
async fn an_asker_who_leaves_does_not_take_the_answer_along() {
    let server = NameServer::start(|asked| vec![asked.finds(60, [mx(10, "mx.test.")])]).await;
    let resolver = resolver(&server);
    let mut leaver = resolver.lookup("example.test", RecordKind::Mx);
    // Begun, so that the other one waits for it; then dropped.
    assert!(futures_util::poll!(&mut leaver).is_pending());
    let waiter = resolver.lookup("example.test", RecordKind::Mx);
    let (lookup, ()) = tokio::join!(waiter, async { drop(leaver) });
    assert_eq!(lookup, found([found_mx(10, "mx.test")]));
}

#[tokio::test]
async fn a_thousand_questions_at_once_are_all_answered() {
    let server = NameServer::start(|asked| vec![asked.finds(60, [a(9)])]).await;
    let config = Config { timeout: Duration::from_secs(10), ..config(&[&server]) };
    let resolver = HickoryResolver::new(&config).unwrap();
    let names: Vec<String> = (0..1000).map(|i| format!("host{i}.test")).collect();
    let asks = names.iter().map(|name| resolver.lookup(name, RecordKind::A));
    for lookup in futures_util::future::join_all(asks).await {
        assert_eq!(lookup, found([address(9)]));
    }
}

#[tokio::test]
async fn answers_are_kept_for_their_time() {
    let server = NameServer::start(|asked| vec![asked.finds(0, [a(1)])]).await;
    let kept = Duration::from_secs(2);
    let config = Config { ttl_min: kept, ttl_max: kept, ..config(&[&server]) };
    let resolver = HickoryResolver::new(&config).unwrap();
    let ask = || resolver.lookup("example.test", RecordKind::A);
    assert_eq!((ask().await, ask().await), (found([address(1)]), found([address(1)])));
    assert_eq!(server.queries().len(), 1, "a TTL of 0 is kept for ttl_min");
    tokio::time::sleep(kept * 2).await;
    assert_eq!(ask().await, found([address(1)]));
    assert_eq!(server.queries().len(), 2);
}

#[tokio::test]
async fn strings_of_a_text_record_are_joined_and_bounded() {
    let server = NameServer::start(|asked| {
        let long = "x".repeat(200);
        let texts =
            if asked.name == "long.test." { vec![long; 40] } else { vec!["v=spf1 ".into(), "-all".into()] };
        let response = asked.finds(60, [RData::TXT(TXT::new(texts))]);
        let mut truncated = asked.says(ResponseCode::NoError);
        truncated.metadata.truncation = true;
        vec![if response.to_vec().unwrap().len() > 1232 && !asked.is_tcp { truncated } else { response }]
    })
    .await;
    let resolver = resolver(&server);
    let text = |text: &str| found([RecordData::Txt(text.into())]);
    assert_eq!(resolver.lookup("example.test", RecordKind::Txt).await, text("v=spf1 -all"));
    assert_eq!(resolver.lookup("long.test", RecordKind::Txt).await, text(&"x".repeat(4096)));
}

#[tokio::test]
async fn of_some_records_only_the_existence_matters() {
    let server = NameServer::start(|asked| {
        let data = match asked.query.queries[0].query_type() {
            RecordType::DS => {
                RData::Unknown { code: RecordType::DS, rdata: NULL::with(vec![0, 1, 8, 2, 0xab]) }
            }
            RecordType::CAA => RData::CAA(CAA::new_issue(false, None, Vec::new())),
            kind => RData::Update0(kind),
        };
        vec![asked.finds(60, [data])]
    })
    .await;
    let resolver = resolver(&server);
    for kind in [RecordKind::Ds, RecordKind::Caa] {
        assert_eq!(resolver.lookup("example.test", kind).await, found([RecordData::Present]), "{kind:?}");
    }
    let without_content = resolver.lookup("example.test", RecordKind::Mx).await;
    assert_eq!(without_content, Lookup::Failed(LookupFailure::Unreachable));
}

#[tokio::test]
async fn what_is_no_name_is_not_asked() {
    let server = NameServer::start(|asked| vec![asked.finds(60, [a(1)])]).await;
    let resolver = resolver(&server);
    let label = "x".repeat(64);
    let long = ["x".repeat(60).as_str(); 5].join(".");
    for name in ["[192.0.2.1]", "192.0.2.1", "2001:db8::1", "", ".", "a..test", &label, &long] {
        assert_eq!(resolver.lookup(name, RecordKind::A).await, Lookup::NoDomain, "{name}");
    }
    for name in ["b\u{fc}cher.test", "a\\032b.test"] {
        assert!(matches!(resolver.lookup(name, RecordKind::A).await, Lookup::Failed(_)), "{name}");
    }
    assert_eq!(server.queries(), [""; 0]);
    for name in ["_dmarc.example.test", "localhost", "a_b.test", "-x.test"] {
        assert_eq!(resolver.lookup(name, RecordKind::A).await, found([address(1)]), "{name}");
    }
}

#[test]
fn servers_are_addresses_with_or_without_a_port() {
    let parsed =
        |text: &str| name_server(text).map(|s| SocketAddr::new(s.ip, s.connections[1].port).to_string());
    for (text, expected) in [
        ("9.9.9.9", "9.9.9.9:53"),
        ("127.0.0.1:5300", "127.0.0.1:5300"),
        ("::1", "[::1]:53"),
        ("[::1]", "[::1]:53"),
        ("[::1]:5300", "[::1]:5300"),
    ] {
        assert_eq!(parsed(text).as_deref(), Some(expected));
    }
    for text in ["", "dns.example", "9.9.9.9:", "9.9.9.9:65536", "[9.9.9.9", "::1]:53"] {
        assert_eq!(parsed(text), None, "{text}");
    }
    let config = Config { servers: vec!["dns.example".into()], ..Config::default() };
    assert!(matches!(HickoryResolver::new(&config), Err(ResolverError::Server(_))));
}

#[test]
fn the_configuration_refuses_what_it_does_not_know() {
    let parse = |text| toml::from_str::<Config>(text);
    assert_eq!(parse("").unwrap(), Config::default());
    let config = parse("servers = ['127.0.0.1:5300']\ntimeout = '500ms'\nttl_max = '1h'").unwrap();
    assert_eq!((config.timeout, config.ttl_max), (Duration::from_millis(500), Duration::from_hours(1)));
    assert!(parse("server = []").is_err());
    let inverted =
        Config { ttl_min: Duration::from_secs(9), ttl_max: Duration::from_secs(1), ..Config::default() };
    assert!(matches!(HickoryResolver::new(&inverted), Err(ResolverError::TtlRange)));
}
