//! What a judgement means, as one sentence for a person.

use mailsonde_engine::{Category, Judgement, Reason, Weight};

/// A plugin may decide only where no answer about the mailbox says otherwise.
const BY_PLUGIN: &str = "A plugin decided so, and nothing that was observed speaks against it.";

/// The sentence for a judgement.
pub(super) fn meaning(judgement: &Judgement) -> &'static str {
    match &judgement.reason {
        Some(reason) => cause(reason),
        None if judgement.opinions.contains(&Weight::Decided) => BY_PLUGIN,
        None if judgement.category == Category::Deliverable && judgement.flags.is_catch_all => {
            "The domain accepts every recipient, but this mailbox is proven by other means."
        }
        None => "The server accepts this recipient and refuses one that cannot exist.",
    }
}

fn cause(reason: &Reason) -> &'static str {
    match reason {
        Reason::NoMxRecord => "The domain has no server that takes mail.",
        Reason::NullMx => "The domain says that it accepts no mail.",
        Reason::DomainNotFound => "The domain does not exist.",
        Reason::MailboxNotFound => "The server says that there is no such mailbox.",
        Reason::MailboxDisabled => "The mailbox is there, but switched off.",
        Reason::DomainNotAcceptingMail => "The server accepts no mail for the domain.",
        Reason::NonAsciiUnsupported => "The server cannot carry an address with non-ASCII letters.",
        Reason::MailboxFull => "The mailbox is there, but full.",
        Reason::RoleBased => "It reaches a function, not a person.",
        Reason::ParkedDomain => "The domain is parked for sale.",
        Reason::TypoDomain => "The domain lives on the slips of people who mean another one.",
        Reason::DisposableSuspected => "A broad list calls the domain disposable; such lists have errors.",
        Reason::KnownBounceBefore => "It is accepted now, but was refused before.",
        Reason::Timeout => "No answer came in time, so nothing is known of the mailbox.",
        Reason::Greylisted => "The server wants to be asked again later, so nothing is known yet.",
        Reason::ConnectionRefused => "No server of the domain could be reached, so nothing is known.",
        Reason::TlsRequired => "The server wants encryption first, so nothing is known.",
        Reason::DnsFailure => "DNS gave no answer, so nothing is known of the domain.",
        Reason::BlockedByServer => "The server refuses us, which says nothing of the mailbox.",
        Reason::RateLimitedByServer => "The server asks for patience, so nothing is known.",
        Reason::ProtocolError => "The server answered with something that is not SMTP.",
        Reason::InconsistentAnswers => "The server contradicts itself, so nothing is known.",
        Reason::MxNotAllowed => "Its servers have addresses that may not be probed.",
        Reason::DeadlinePassed => "The time for the whole request was up.",
        Reason::Canceled => "The request was canceled.",
        Reason::StageFault => "A stage failed, which says nothing of the mailbox.",
        Reason::NoSmtpCheck => "No server was asked, so nothing is known of the mailbox.",
        Reason::CatchAll => "The server accepts every recipient, so an acceptance proves nothing.",
        Reason::OperatorAcceptsAll => {
            "This operator accepts every recipient, so an acceptance proves nothing."
        }
        Reason::DisposableDomain => "The domain gives out throw-away addresses.",
        Reason::DisposableMx => "The domain's servers serve throw-away addresses.",
        Reason::KnownHardBounce => "It was refused for good before, and nothing newer is known.",
        Reason::SpamTrap => "It is on your list of spam traps.",
        Reason::ComplaintSource => "It is on your list of people who complained.",
        Reason::DuplicateOfRow => "An earlier row holds the same mailbox.",
        Reason::Syntax(_) => "It is no address.",
        Reason::Signal(_) => "The local part looks random, and nothing proves the mailbox.",
        Reason::Plugin(_) => BY_PLUGIN,
    }
}
