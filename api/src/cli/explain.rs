//! `--explain`: how a verdict came about, slot by slot, in words for a person.

mod opinion;

use std::io::{self, Write};

use mailsonde_engine::{
    AliasType, CatchAll, CatchAllSource, DialogueStage, DomainTrust, FaultCause, Finding, Guess, HistoryFact,
    HistorySource, LookupFailure, MailRoute, PluginFact, ProbeFailure, RandomPattern, Reading, ReplyClass,
    RiskSource, SlotReport, Strength, Tier, Verdict,
};

use self::opinion::opinion_phrases;
use super::{
    human::{FAINT, escaped},
    meaning::meaning,
};

/// Columns before a finding: stage and time.
const INDENT: usize = 32;

/// Characters of a plugin's value that are shown; the JSON has the rest.
const VALUE_CHARS_MAX: usize = 120;

/// Writes one line for each stage that found something, then the others in one, then what the verdict means.
pub(super) fn write_trace(out: &mut impl Write, verdict: &Verdict, reports: &[SlotReport]) -> io::Result<()> {
    let mut silent: Vec<&str> = Vec::new();
    let mut opinions = opinion_phrases(verdict);
    let phrases: Vec<(&str, String)> = verdict
        .evidence
        .findings
        .iter()
        .map(|recorded| match &recorded.finding {
            Finding::Opinion(_) => (&*recorded.stage, opinions.next().unwrap_or_default()),
            finding => (&*recorded.stage, phrase(finding)),
        })
        .collect();
    for report in reports.iter().filter(|report| Some(report.position) <= verdict.last_slot) {
        let of_stage = |(stage, _): &&(&str, _)| **stage == *report.stage;
        let found: Vec<&str> = phrases.iter().filter(of_stage).map(|(_, phrase)| &**phrase).collect();
        if found.is_empty() {
            silent.push(&report.stage);
            continue;
        }
        let elapsed = format!("{:.1} ms", report.elapsed.as_secs_f64() * 1000.0);
        let found = found.join("\n").replace('\n', &format!("\n{}", " ".repeat(INDENT)));
        writeln!(out, "    {FAINT}{:<16}{elapsed:>10}{FAINT:#}  {found}", report.stage)?;
    }
    if !silent.is_empty() {
        writeln!(out, "    {FAINT}{:<26}  {}{FAINT:#}", "nothing found by", silent.join(", "))?;
    }
    let score = verdict.judgement.confidence.as_f64();
    let meaning = meaning(&verdict.judgement);
    writeln!(out, "    {:<26}  {meaning}", format!("{} {score:.2}", verdict.judgement.category.word()))
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
        Finding::Role(role) => format!("a role address ({})", format!("{role:?}").to_lowercase()),
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
        Finding::CatchAll(catch_all) => catch_all_phrase(catch_all),
        Finding::ProbeFailed(failure) => failure_phrase(*failure).into(),
        Finding::History(HistoryFact::HardBounce { age_days, source }) => {
            let what = match source {
                HistorySource::Bounce => "a message came back",
                HistorySource::Probe => "a probe was refused",
            };
            format!("{what} {}", ago(*age_days))
        }
        Finding::History(HistoryFact::Confirmed) => "proven earlier by other means".into(),
        Finding::RiskList(RiskSource::SpamTrap) => "on your list of spam traps".into(),
        Finding::RiskList(RiskSource::ComplaintSource) => "on your list of people who complained".into(),
        Finding::Candidate(guess) => {
            let Guess { format, rank, of, chance } = guess;
            format!("{format}: {rank} of {of} guesses, {chance:.2} before anybody was asked")
        }
        Finding::DuplicateOf(row) => format!("the same mailbox as row {row}"),
        Finding::Fault(fault) => format!("{}: {}", fault_phrase(fault.cause), escaped(&fault.message)),
        Finding::Plugin(fact) => fact_phrase(fact),
        other => other.key().to_owned(),
    }
}

fn ago(days: u32) -> String {
    match days {
        0 => "today".into(),
        1 => "yesterday".into(),
        days => format!("{days} days ago"),
    }
}

/// A plugin's fact, which may hold anything: `blocklist.rule = "*.example.net"`.
fn fact_phrase(fact: &PluginFact) -> String {
    let mut value = fact.value.to_string();
    if let Some((end, _)) = value.char_indices().nth(VALUE_CHARS_MAX) {
        value.truncate(end);
        value.push('…');
    }
    format!("{} = {}", escaped(&fact.key), escaped(&value))
}

fn random_phrase(random: &RandomPattern) -> String {
    let signals: Vec<_> = random.signals.iter().map(|signal| signal.signal.word()).collect();
    let verdict = if random.is_random { "looks random" } else { "looks like a name" };
    let by = if signals.is_empty() { "" } else { ": " };
    format!("{verdict} (P(random) = {:.4}){by}{}", random.confidence, signals.join(", "))
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
        MailRoute::Unanswered { failure } => {
            format!("no answer ({}): nothing is known", lookup_phrase(*failure))
        }
    }
}

fn lookup_phrase(failure: LookupFailure) -> &'static str {
    match failure {
        LookupFailure::ServerFailure => "SERVFAIL",
        LookupFailure::Refused => "REFUSED",
        LookupFailure::Timeout => "time-out",
        LookupFailure::Unreachable => "no usable name server",
    }
}

fn fault_phrase(cause: FaultCause) -> &'static str {
    match cause {
        FaultCause::Deadline | FaultCause::RequestDeadline => "out of time",
        FaultCause::Canceled => "canceled",
        FaultCause::Error | FaultCause::Panic | FaultCause::Unsettled => "a fault of ours",
    }
}

fn trust_phrase(trust: &DomainTrust) -> String {
    let reasons: Vec<&str> = trust.reasons.iter().map(|reason| &**reason).collect();
    let reasons =
        if reasons.is_empty() { "nothing for or against it".to_owned() } else { reasons.join(", ") };
    format!("score {:.2}: {reasons}", trust.score)
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
    let text = reading.text.strip_prefix(enhanced.trim_start()).unwrap_or(&reading.text).trim_start();
    let agreed = if reading.agreed { ", and again when asked twice" } else { "" };
    format!(
        "{stage} {}{enhanced} \"{}\" from {}{agreed}\n{FAINT}read as \"{}\" by {rests_on} (rule {}){FAINT:#}",
        reading.code,
        escaped(text),
        reading.host,
        class_phrase(reading.class),
        reading.rule,
    )
}

fn class_phrase(class: ReplyClass) -> &'static str {
    match class {
        ReplyClass::Accepted => "accepted",
        ReplyClass::NoSuchMailbox => "no such mailbox",
        ReplyClass::NoSuchDomain => "no such domain",
        ReplyClass::Disabled => "the mailbox is disabled",
        ReplyClass::Full => "the mailbox is full",
        ReplyClass::NotAcceptingMail => "the domain accepts no mail",
        ReplyClass::NonAsciiUnsupported => "no non-ASCII addresses",
        ReplyClass::Greylisted => "come back later",
        ReplyClass::Rate => "too many, too fast",
        ReplyClass::Policy => "a rule about us or our message",
        ReplyClass::Blocked => "we are blocked",
        ReplyClass::TlsRequired => "TLS first",
        ReplyClass::Temporary => "the server has trouble of its own",
        ReplyClass::ProtocolError => "not SMTP",
        ReplyClass::Unclear => "a refusal without a cause",
    }
}

fn catch_all_phrase(catch_all: &CatchAll) -> String {
    let how = |source| match source {
        CatchAllSource::Session => "asked in the same session",
        CatchAllSource::Cache => "asked earlier",
        CatchAllSource::Operator => "known of the operator",
    };
    match catch_all {
        CatchAll::Yes { source } => {
            format!("a recipient that cannot exist is accepted too ({})", how(*source))
        }
        CatchAll::No { source } => format!("a recipient that cannot exist is refused ({})", how(*source)),
        CatchAll::Unknown { reason } => {
            format!("no clear answer for a recipient that cannot exist ({})", reason.word())
        }
    }
}

fn failure_phrase(failure: ProbeFailure) -> &'static str {
    match failure {
        ProbeFailure::Timeout => "no mail host answered in time",
        ProbeFailure::NotItsTurn => "not asked in time: others came first",
        ProbeFailure::ConnectionRefused => "no mail host could be reached",
        ProbeFailure::Disconnected => "the connection broke before the answer",
        ProbeFailure::TlsFailed => "TLS was wanted and did not come about",
        ProbeFailure::EgressDown => "not asked: no connection gets out from here",
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

#[cfg(test)]
mod tests;
