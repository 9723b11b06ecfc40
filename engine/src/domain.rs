//! What the `domain-trust` stage says about a domain, in the shape that clients see.

use serde::{Deserialize, Serialize};

/// A domain's standing by DNS alone. A field is `None` when its look-up got no answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DomainTrust {
    /// 0 to 1, 2 decimals.
    pub score: f64,
    /// An SPF record (RFC 7208) exists.
    pub has_spf: Option<bool>,
    /// A DMARC record (RFC 7489) exists at the domain or its organisational domain.
    pub has_dmarc: Option<bool>,
    /// What the DMARC record asks receivers to do.
    pub dmarc_policy: Option<DmarcPolicy>,
    /// An MTA-STS record (RFC 8461) exists.
    pub has_mta_sts: Option<bool>,
    /// A TLS reporting record (RFC 8460) exists.
    pub has_tls_rpt: Option<bool>,
    /// The parent zone holds a DS record: the domain is signed.
    pub has_dnssec: Option<bool>,
    /// A CAA record (RFC 8659) exists.
    pub has_caa: Option<bool>,
    /// The name servers belong to a parking service.
    pub is_parked: Option<bool>,
    /// How often domains under this top-level domain are used for phishing.
    pub tld_risk: TldRisk,
    /// The operator's DNS blocklist zones that list the domain.
    pub blocklists: Vec<Box<str>>,
    /// What moved the score, in words.
    pub reasons: Vec<Box<str>>,
}

/// The `p=` tag of a DMARC record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs)] // RFC 7489 §6.3 defines the words
pub enum DmarcPolicy {
    None,
    Quarantine,
    Reject,
}

/// Phishing domains per 10,000 names of the top-level domain: high ≥ 300, medium ≥ 50, else low.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs)]
pub enum TldRisk {
    Low,
    Medium,
    High,
}
