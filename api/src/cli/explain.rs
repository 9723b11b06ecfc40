//! `--explain`: how a verdict came about, slot by slot, in words for a person.

use std::io::{self, Write};

use mailsonde_engine::{
    AliasType, CatchAll, CatchAllSource, DialogueStage, DomainTrust, Finding, HistoryFact, MailRoute,
    ProbeFailure, RandomPattern, Reading, SlotReport, Strength, Tier, Verdict,
};

use super::human::{FAINT, escaped};

/// Writes one line for each slot that ran, with what it found, and what the judge rested on.
pub(super) fn write_trace(out: &mut impl Write, verdict: &Verdict, reports: &[SlotReport]) -> io::Result<()> {
    for report in reports {
        let of_slot = |recorded: &&mailsonde_engine::Recorded| recorded.stage == report.stage;
        let mut found =
            verdict.evidence.findings.iter().filter(of_slot).map(|r| phrase(&r.finding)).peekable();
        let elapsed = format!("{:.1} ms", report.elapsed.as_secs_f64() * 1000.0);
        write!(out, "    {FAINT}{:<16}{elapsed:>10}{FAINT:#}  ", report.stage)?;
        if found.peek().is_none() {
            let nothing =
                if is_first_and_fine(report, verdict) { "a valid address" } else { "nothing to report" };
            writeln!(out, "{FAINT}{nothing}{FAINT:#}")?;
            continue;
        }
        let indent = " ".repeat(32);
        writeln!(out, "{}", found.collect::<Vec<_>>().join(&format!("\n{indent}")))?;
    }
    let policy = verdict.evidence.policy;
    writeln!(
        out,
        "    {FAINT}judge v{}: role = {:?}, random = {:?}; {}{FAINT:#}",
        verdict.evidence.judge,
        policy.role,
        policy.random,
        super::human::words(verdict),
    )
}

fn is_first_and_fine(report: &SlotReport, verdict: &Verdict) -> bool {
    &*report.stage == "syntax" && verdict.address.is_some()
}

/// A finding as a sentence without its full stop.
fn phrase(finding: &Finding) -> String {
    match finding {
        Finding::SyntaxError(error) => error.message.to_string(),
        Finding::TypoSuggestion(domain) => format!("may be a slip for {domain}"),
        Finding::TypoTrap => "a known look-alike of a mail provider".into(),
        Finding::Disposable(Tier::Curated) => "on the curated list of disposable domains".into(),
        Finding::Disposable(Tier::Broad) => {
            "on the broad list of disposable domains, which has errors".into()
        }
        Finding::FreeProvider => "a free mail provider".into(),
        Finding::Role(role) => format!("a role address ({role:?})").to_lowercase(),
        Finding::Alias(alias) => match alias {
            AliasType::PlusTag => "a tagged variant of another address".into(),
            AliasType::DotVariant => "a dotted variant of another address".into(),
            AliasType::Subdomain => "a subdomain alias".into(),
            AliasType::ProviderAlias => "a relay service's alias".into(),
        },
        Finding::RandomPattern(random) => random_phrase(random),
        Finding::Route(route) => route_phrase(route),
        Finding::Operator(operator) => format!("run by {}", operator.row().name),
        Finding::DisposableMx => "its mail hosts serve disposable addresses".into(),
        Finding::Parked => "its mail hosts belong to a parking service".into(),
        Finding::DomainTrust(trust) => trust_phrase(trust),
        Finding::Reply(reading) => reply_phrase(reading),
        Finding::CatchAll(catch_all) => catch_all_phrase(*catch_all),
        Finding::ProbeFailed(failure) => failure_phrase(*failure).into(),
        Finding::History(HistoryFact::HardBounce { age_days }) => {
            format!("refused for good {age_days} days ago")
        }
        Finding::History(HistoryFact::Confirmed) => "proven earlier by other means".into(),
        Finding::RiskList(source) => format!("on an imported risk list ({source:?})"),
        Finding::DuplicateOf(row) => format!("the same mailbox as row {row}"),
        Finding::Fault(fault) => format!("fault ({:?}): {}", fault.cause, fault.message),
        other => other.key().to_owned(),
    }
}

fn random_phrase(random: &RandomPattern) -> String {
    let signals: Vec<_> = random.signals.iter().map(|signal| signal.signal.word()).collect();
    let verdict = if random.is_random { "looks random" } else { "a little unusual" };
    format!("{verdict} (P = {:.2}) {}", random.confidence, signals.join(", "))
}

fn route_phrase(route: &MailRoute) -> String {
    match route {
        MailRoute::Mx { hosts, beside_null } => {
            let first = &hosts[0];
            let others = match hosts.len() - 1 {
                0 => String::new(),
                more => format!(" and {more} more"),
            };
            let null = if *beside_null { ", with a null MX beside" } else { "" };
            format!("MX {} (preference {}){others}{null}", first.name, first.preference)
        }
        MailRoute::Implicit => "no MX: the domain's own address takes mail (implicit MX)".into(),
        MailRoute::NullMx => "null MX: the domain accepts no mail".into(),
        MailRoute::NoMail => "neither MX nor address: no mail host".into(),
        MailRoute::NoDomain => "no such domain (NXDOMAIN)".into(),
        MailRoute::Unanswered { failure } => format!("DNS gave no answer ({failure:?}): nothing is known"),
    }
}

fn trust_phrase(trust: &DomainTrust) -> String {
    let reasons: Vec<&str> = trust.reasons.iter().map(|reason| &**reason).collect();
    format!("score {:.2}: {}", trust.score, reasons.join(", "))
}

fn reply_phrase(reading: &Reading) -> String {
    let stage = match reading.stage {
        DialogueStage::Connect => "banner",
        DialogueStage::Hello => "EHLO",
        DialogueStage::StartTls => "STARTTLS",
        DialogueStage::Mail => "MAIL",
        DialogueStage::Rcpt => "RCPT",
    };
    let enhanced = reading.enhanced.map(|[a, b, c]| format!(" {a}.{b}.{c}")).unwrap_or_default();
    let rests_on = match reading.strength {
        Strength::Operator => "the operator's own wording",
        Strength::Code => "its code",
        Strength::Text => "its text",
        Strength::Bare => "three digits alone",
    };
    let agreed = if reading.agreed { ", and again when asked twice" } else { "" };
    format!(
        "{stage} {}{enhanced} \"{}\" from {}{agreed}\n{}{FAINT}read as {:?} by {rests_on}, rule {}{FAINT:#}",
        reading.code,
        escaped(&reading.text),
        reading.host,
        " ".repeat(32),
        reading.class,
        reading.rule,
    )
}

fn catch_all_phrase(catch_all: CatchAll) -> String {
    let how = |source| match source {
        CatchAllSource::Session => "asked in the same session",
        CatchAllSource::Cache => "asked earlier",
        CatchAllSource::Operator => "known of the operator",
    };
    match catch_all {
        CatchAll::Yes { source } => {
            format!("a recipient that cannot exist is accepted too ({})", how(source))
        }
        CatchAll::No { source } => format!("a recipient that cannot exist is refused ({})", how(source)),
        CatchAll::Unknown { reason } => {
            format!("no clear answer for a recipient that cannot exist ({})", reason.word())
        }
    }
}

fn failure_phrase(failure: ProbeFailure) -> &'static str {
    match failure {
        ProbeFailure::Timeout => "no mail host answered in time",
        ProbeFailure::ConnectionRefused => "no mail host could be reached",
        ProbeFailure::Disconnected => "the connection broke before the answer",
        ProbeFailure::MxNotAllowed => {
            "not asked: the mail hosts have private, loopback or reserved addresses"
        }
        ProbeFailure::MxWithoutAddress => "the mail hosts' names have no address",
        ProbeFailure::DnsFailure => "not asked: DNS gave no answer",
        ProbeFailure::ProtocolError => "the host spoke something that is not SMTP",
        ProbeFailure::Inconsistent => "the same recipient got contradictory answers",
        ProbeFailure::NotProbed => "not asked, as configured",
    }
}
