//! Findings by short names, so that the tables read like the contract.

use std::{borrow::Cow, sync::Arc};

use mailsonde_engine::{
    Authority, CatchAll, CatchAllSource, Category, DialogueStage, Fault, FaultCause, Finding, HistoryFact,
    HistorySource, LookupFailure, MailHost, MailRoute, Opinion, ProbeFailure, RandomPattern, Reading, Reason,
    ReplyClass, Signal, SignalName, Strength, SyntaxError, SyntaxReason,
};

pub(crate) fn syntax(reason: SyntaxReason) -> Finding {
    Finding::SyntaxError(SyntaxError { reason, message: Cow::Borrowed("It is no address.") })
}

pub(crate) fn route(route: MailRoute) -> Finding {
    Finding::Route(Arc::new(route))
}

pub(crate) fn mx() -> Finding {
    let host = MailHost { preference: 10, name: "mx.example.org".into() };
    route(MailRoute::Mx { hosts: vec![host], beside_null: false })
}

pub(crate) fn unanswered_dns() -> Finding {
    route(MailRoute::Unanswered { failure: LookupFailure::ServerFailure })
}

pub(crate) fn reply_with(class: ReplyClass, strength: Strength, agreed: bool) -> Finding {
    Finding::Reply(Box::new(Reading {
        class,
        strength,
        rule: "test".into(),
        stage: DialogueStage::Rcpt,
        code: 550,
        enhanced: Some([5, 1, 1]),
        text: "<rcpt> as the server put it".into(),
        host: "mx.example.org".into(),
        agreed,
    }))
}

pub(crate) fn reply(class: ReplyClass) -> Finding {
    reply_with(class, Strength::Code, false)
}

pub(crate) fn accepted() -> Finding {
    reply(ReplyClass::Accepted)
}

pub(crate) fn random_refused(source: CatchAllSource) -> Finding {
    Finding::CatchAll(CatchAll::No { source })
}

pub(crate) fn random_accepted(source: CatchAllSource) -> Finding {
    Finding::CatchAll(CatchAll::Yes { source })
}

pub(crate) fn random_unanswered(reason: Reason) -> Finding {
    Finding::CatchAll(CatchAll::Unknown { reason })
}

pub(crate) fn failed(failure: ProbeFailure) -> Finding {
    Finding::ProbeFailed(failure)
}

pub(crate) fn fault(cause: FaultCause, lost: &str) -> Finding {
    Finding::Fault(Fault { cause, message: "it broke".into(), lost: Arc::from([Box::from(lost)]) })
}

pub(crate) fn bounced(age_days: u32) -> Finding {
    Finding::History(HistoryFact::HardBounce { age_days, source: HistorySource::Bounce })
}

pub(crate) fn random_local_part() -> Finding {
    let signal = Signal { signal: SignalName::ImprobableNgrams, value: 6.5, threshold: 4.0, weight: 1.5 };
    Finding::RandomPattern(RandomPattern {
        confidence: 0.9712,
        entropy: 3.1,
        is_random: true,
        signals: vec![signal],
    })
}

pub(crate) fn opinion(category: Category, score: f64, authority: Authority) -> Finding {
    Finding::Opinion(Opinion { category, reason: "as_told".into(), score, authority })
}

pub(crate) fn decides(category: Category, score: f64) -> Finding {
    opinion(category, score, Authority::Decide)
}
