//! Who runs a domain's mail hosts, told by the hosts' names.
//!
//! One table, one row per operator, most specific patterns first. It names the operator for people and for the
//! three products, and says which operators accept every recipient. How an operator *speaks* is the reply rules' affair.

mod domains;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A row of [`OPERATORS`].
#[derive(Debug)]
pub struct Row {
    /// Stable id, which is also the provider's name in the Relentless facade.
    pub id: &'static str,
    /// Display name.
    pub name: &'static str,
    /// `server_type` of the tasks facade.
    pub server_type: &'static str,
    /// Accepts every recipient at RCPT and refuses, if at all, after DATA.
    pub accepts_all: bool,
    /// Host names, or parents of host names, of its MX hosts.
    pub hosts: &'static [&'static str],
}

/// An operator of mail hosts. Compares by row, serialises as its id.
#[derive(Debug, Clone, Copy)]
pub struct Operator(&'static Row);

impl Operator {
    /// The operator of a mail host (lower case, no final dot), or `None` when nobody known runs it.
    pub fn of_host(host: &str) -> Option<Self> {
        OPERATORS.iter().find(|row| row.hosts.iter().any(|parent| is_within(host, parent))).map(Self)
    }

    /// The operator of a mailbox provider's own domain (lower case), such as gmail.com, as far as that is known without
    /// asking DNS: for planning alone.
    pub fn of_domain(domain: &str) -> Option<Self> {
        let position = domains::DOMAINS.binary_search_by(|(name, _)| (*name).cmp(domain)).ok()?;
        Self::by_id(domains::DOMAINS[position].1)
    }

    /// The operator with this id.
    pub fn by_id(id: &str) -> Option<Self> {
        OPERATORS.iter().find(|row| row.id == id).map(Self)
    }

    /// The row behind it.
    pub fn row(self) -> &'static Row {
        self.0
    }

    /// Stable id.
    pub fn id(self) -> &'static str {
        self.0.id
    }
}

/// Whether `host` is `parent` or a name below it.
fn is_within(host: &str, parent: &str) -> bool {
    host.strip_suffix(parent).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

impl PartialEq for Operator {
    fn eq(&self, other: &Self) -> bool {
        self.0.id == other.0.id
    }
}

impl Eq for Operator {}

impl Serialize for Operator {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0.id)
    }
}

impl<'de> Deserialize<'de> for Operator {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let id = std::borrow::Cow::<str>::deserialize(deserializer)?;
        Self::by_id(&id).ok_or_else(|| serde::de::Error::custom(format!("unknown operator `{id}`")))
    }
}

const fn row(id: &'static str, name: &'static str, hosts: &'static [&'static str]) -> Row {
    Row { id, name, server_type: name, accepts_all: false, hosts }
}

/// An operator whose name in the tasks facade differs from its display name.
const fn typed(
    id: &'static str,
    name: &'static str,
    server_type: &'static str,
    hosts: &'static [&'static str],
) -> Row {
    Row { server_type, ..row(id, name, hosts) }
}

const fn accepting(mut row: Row) -> Row {
    row.accepts_all = true;
    row
}

/// Every known operator. The first row with a matching host wins, so a part of an operator stands before the whole.
#[rustfmt::skip]
pub static OPERATORS: &[Row] = &[
    // Mailbox providers
    typed("gmail", "Gmail", "Google", &["gmail-smtp-in.l.google.com", "gmr-smtp-in.l.google.com"]),
    typed("google", "Google Workspace", "Google", &["l.google.com", "smtp.google.com", "googlemail.com", "psmtp.com"]),
    typed("outlook", "Outlook.com", "Outlook", &["olc.protection.outlook.com", "hotmail.com"]),
    typed("microsoft365", "Microsoft 365", "Microsoft365", &["mail.protection.outlook.com", "mx.microsoft", "mail.protection.partner.outlook.cn", "mail.protection.office365.us"]),
    accepting(row("yahoo", "Yahoo", &["yahoodns.net", "mx.aol.com", "mx-biz.mail.am0.yahoodns.net"])),
    row("yahoo_japan", "Yahoo! Japan", &["yahoo.co.jp", "mail.yahoo.co.jp"]),
    row("icloud", "iCloud", &["mail.icloud.com", "icloud.com", "mail.me.com"]),
    accepting(row("mailru", "Mail.ru", &["mxs.mail.ru", "emx.mail.ru", "mail.ru"])),
    row("yandex", "Yandex", &["mx.yandex.ru", "mx.yandex.net", "yandex.ru", "yandex.net"]),
    row("gmx", "GMX", &["gmx.net", "gmx.com", "mail.gmx.net"]),
    row("webde", "WEB.DE", &["web.de"]),
    row("mailcom", "mail.com", &["mail.com"]),
    row("ionos", "IONOS", &["kundenserver.de", "ionos.com", "ionos.de", "ionos.co.uk", "ionos.fr", "ionos.es", "1and1.com", "perfora.net", "schlund.de"]),
    row("tonline", "Telekom", &["t-online.de", "mx.t-online.de", "telekom.de"]),
    row("proton", "Proton Mail", &["protonmail.ch", "proton.ch"]),
    row("tuta", "Tuta", &["tutanota.de", "tutao.de"]),
    row("fastmail", "Fastmail", &["messagingengine.com"]),
    row("zoho", "Zoho Mail", &["zoho.com", "zoho.eu", "zoho.in", "zoho.com.au", "zoho.com.cn", "zohomail.com"]),
    row("mailbox_org", "mailbox.org", &["mailbox.org"]),
    row("posteo", "Posteo", &["posteo.de"]),
    row("runbox", "Runbox", &["runbox.com"]),
    row("hey", "HEY", &["hey.com"]),
    row("migadu", "Migadu", &["migadu.com"]),
    row("infomaniak", "Infomaniak", &["infomaniak.ch", "infomaniak.com"]),
    row("ovh", "OVHcloud", &["ovh.net", "ovh.ca", "ovh.com", "mail.ovh.net"]),
    row("gandi", "Gandi", &["gandi.net"]),
    row("orange", "Orange", &["orange.fr", "smtp-in.orange.fr", "wanadoo.fr"]),
    row("free_fr", "Free", &["free.fr", "proxad.net"]),
    row("sfr", "SFR", &["sfr.fr", "sfr-mail.com"]),
    row("laposte", "La Poste", &["laposte.net"]),
    row("libero", "Libero", &["libero.it", "iol.it", "italiaonline.it"]),
    row("aruba", "Aruba", &["aruba.it", "arubabusiness.it"]),
    row("register_it", "Register.it", &["register.it"]),
    row("telecom_italia", "TIM", &["tim.it", "alice.it", "virgilio.it"]),
    row("seznam", "Seznam", &["seznam.cz"]),
    row("wp_pl", "Wirtualna Polska", &["wp.pl"]),
    row("onet", "Onet", &["onet.pl", "poczta.onet.pl"]),
    row("interia", "Interia", &["interia.pl"]),
    row("home_pl", "home.pl", &["home.pl"]),
    row("rambler", "Rambler", &["rambler.ru"]),
    row("naver", "Naver", &["naver.com"]),
    row("daum", "Daum", &["hanmail.net", "daum.net"]),
    row("tencent", "Tencent Exmail", &["mxbiz1.qq.com", "mxbiz2.qq.com", "exmail.qq.com"]),
    row("qq", "QQ Mail", &["qq.com"]),
    row("netease", "NetEase", &["netease.com", "163mx.com", "ym.163.com", "qiye.163.com", "mxmail.netease.com"]),
    row("aliyun", "Alibaba Mail", &["aliyun.com", "hichina.com", "mxhichina.com", "mxw.hichina.com"]),
    row("rediff", "Rediffmail", &["rediffmail.com", "rediff.com"]),
    row("uol", "UOL", &["uol.com.br", "bol.com.br"]),
    row("terra", "Terra", &["terra.com", "terra.com.br"]),
    row("locaweb", "Locaweb", &["locaweb.com.br", "email.locaweb.com.br"]),
    row("comcast", "Comcast", &["comcast.net"]),
    row("charter", "Spectrum", &["charter.net", "rr.com", "spectrum.com"]),
    row("cox", "Cox", &["cox.net"]),
    row("att", "AT&T", &["att.net", "prodigy.net", "sbcglobal.net"]),
    row("centurylink", "CenturyLink", &["centurylink.net", "synacor.com"]),
    row("telstra", "Telstra", &["bigpond.com", "telstra.net"]),
    row("bt", "BT", &["btinternet.com", "bt.com"]),
    row("sky", "Sky", &["sky.com"]),
    row("virgin_media", "Virgin Media", &["virginmedia.com", "ntlworld.com"]),
    row("ziggo", "Ziggo", &["ziggo.nl", "upcmail.net"]),
    row("kpn", "KPN", &["kpnmail.nl", "kpn.com"]),
    row("bluewin", "Bluewin", &["bluewin.ch"]),
    row("ukr_net", "UKR.NET", &["ukr.net"]),
    row("abv", "ABV", &["abv.bg"]),
    // Gateways in front of the mailbox
    row("proofpoint", "Proofpoint", &["pphosted.com", "ppe-hosted.com", "ppops.net", "proofpoint.com"]),
    row("mimecast", "Mimecast", &["mimecast.com", "mimecast.co.za", "mimecast-offshore.com"]),
    row("barracuda", "Barracuda", &["barracudanetworks.com", "ess.barracuda.com", "cudamail.com"]),
    row("cisco", "Cisco Secure Email", &["iphmx.com", "c3s2.iphmx.com"]),
    row("messagelabs", "Symantec Email Security", &["messagelabs.com"]),
    row("trendmicro", "Trend Micro", &["trendmicro.com", "trendmicro.eu", "tmes.trendmicro.com", "in.hes.trendmicro.com"]),
    row("sophos", "Sophos", &["sophos.com", "reflexion.net", "hydra.sophos.com"]),
    row("fortinet", "FortiMail Cloud", &["fortimailcloud.com", "fortimail.com"]),
    row("forcepoint", "Forcepoint", &["mailcontrol.com"]),
    row("trellix", "Trellix", &["fireeyecloud.com", "fireeyegov.com", "trellix.com", "mxlogic.net"]),
    row("cloudflare", "Cloudflare Email", &["mx.cloudflare.net", "mxrecord.io", "mxrecord.mx", "area1security.com"]),
    row("hornetsecurity", "Hornetsecurity", &["hornetsecurity.com", "antispameurope.com", "spamstopshere.com"]),
    row("spamexperts", "SpamExperts", &["spamexperts.com", "spamexperts.net", "spamexperts.eu", "antispamcloud.com"]),
    row("mailspamprotection", "SiteGround", &["mailspamprotection.com"]),
    row("spamhero", "SpamHero", &["spamhero.com"]),
    row("mxguarddog", "MX Guarddog", &["mxguarddog.com"]),
    row("retarus", "Retarus", &["retarus.com", "retarus.de"]),
    row("nospamproxy", "NoSpamProxy", &["cloud.nospamproxy.com"]),
    row("vade", "Vade", &["vadesecure.com", "vade-retro.com"]),
    row("mailinblack", "Mailinblack", &["mailinblack.com"]),
    row("mailguard", "MailGuard", &["mailguard.com.au"]),
    row("edgewave", "EdgeWave", &["edgepilot.com", "redcondor.net"]),
    row("appriver", "AppRiver", &["arsmtp.com"]),
    row("zix", "Zix", &["zixmail.net", "zixcorp.com"]),
    row("heluna", "Heluna", &["heluna.com"]),
    row("mailroute", "MailRoute", &["mailroute.net"]),
    // Hosting companies
    row("godaddy", "GoDaddy", &["secureserver.net"]),
    row("namecheap", "Namecheap", &["privateemail.com", "registrar-servers.com", "web-hosting.com"]),
    row("rackspace", "Rackspace", &["emailsrvr.com"]),
    row("amazon", "Amazon WorkMail", &["inbound-smtp.us-east-1.amazonaws.com", "inbound-smtp.us-west-2.amazonaws.com", "inbound-smtp.eu-west-1.amazonaws.com", "awsapps.com"]),
    row("hostinger", "Hostinger", &["hostinger.com", "hostinger.in", "titan.email"]),
    row("bluehost", "Bluehost", &["bluehost.com", "unifiedlayer.com"]),
    row("hostgator", "HostGator", &["hostgator.com", "websitewelcome.com"]),
    row("dreamhost", "DreamHost", &["dreamhost.com"]),
    row("strato", "STRATO", &["rzone.de", "strato.de"]),
    row("hetzner", "Hetzner", &["your-server.de"]),
    row("one_com", "one.com", &["one.com"]),
    row("loopia", "Loopia", &["loopia.se"]),
    row("simply", "Simply.com", &["simply.com", "unoeuro.com"]),
    row("transip", "TransIP", &["transip.email", "transip.nl"]),
    row("combell", "Combell", &["combell.com", "combell.net", "mailprotect.be"]),
    row("sakura", "Sakura Internet", &["sakura.ne.jp"]),
    row("xserver", "Xserver", &["xserver.jp"]),
    row("lolipop", "Lolipop", &["lolipop.jp"]),
    row("wix", "Wix", &["wixdns.net"]),
    row("squarespace", "Squarespace", &["squarespace-mail.com"]),
    // Forwarders and application mail
    row("improvmx", "ImprovMX", &["improvmx.com"]),
    row("forwardemail", "Forward Email", &["forwardemail.net"]),
    row("simplelogin", "SimpleLogin", &["simplelogin.co"]),
    row("mailgun", "Mailgun", &["mailgun.org", "eu.mailgun.org"]),
    row("sendgrid", "SendGrid", &["sendgrid.net"]),
    row("postmark", "Postmark", &["inbound.postmarkapp.com", "mtasv.net"]),
    row("mandrill", "Mandrill", &["mandrillapp.com"]),
    row("sparkpost", "SparkPost", &["sparkpostmail.com", "smtp.sparkpostmail.com"]),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_hosts() {
        for (host, id) in [
            ("aspmx.l.google.com", "google"),
            ("alt1.gmail-smtp-in.l.google.com", "gmail"),
            ("contoso-com.mail.protection.outlook.com", "microsoft365"),
            ("contoso-com.k-v1.mx.microsoft", "microsoft365"),
            ("outlook-com.olc.protection.outlook.com", "outlook"),
            ("mta5.am0.yahoodns.net", "yahoo"),
            ("mx1-us1.ppe-hosted.com", "proofpoint"),
        ] {
            assert_eq!(Operator::of_host(host).map(Operator::id), Some(id), "{host}");
        }
        assert_eq!(Operator::of_host("mx.example.org"), None);
        assert_eq!(Operator::of_host("notgoogle.com"), None);
    }

    #[test]
    fn ids_are_unique() {
        for (i, row) in OPERATORS.iter().enumerate() {
            assert!(OPERATORS[..i].iter().all(|other| other.id != row.id), "{} stands twice", row.id);
        }
    }

    #[test]
    fn no_pattern_hides_a_later_one() {
        let patterns: Vec<_> =
            OPERATORS.iter().flat_map(|r| r.hosts.iter().map(move |h| (r.id, *h))).collect();
        for (i, (id, host)) in patterns.iter().enumerate() {
            let first = patterns[..i].iter().find(|(_, parent)| is_within(host, parent));
            assert!(first.is_none_or(|(other, _)| other == id), "{host} of {id} is hidden by {first:?}");
        }
    }
}
