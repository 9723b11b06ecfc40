//! Domains of which everybody knows who runs their mail hosts: mailbox providers under their own names.
//!
//! Only for planning, before anybody asks DNS: a wrong entry makes a job less even, and no verdict wrong.

/// Domain and operator's id, in the order of domains.
#[rustfmt::skip]
pub(super) const DOMAINS: &[(&str, &str)] = &[
    ("126.com", "netease"), ("163.com", "netease"), ("abv.bg", "abv"), ("aim.com", "yahoo"),
    ("alice.it", "telecom_italia"), ("aliyun.com", "aliyun"), ("aol.com", "yahoo"), ("att.net", "att"),
    ("bellsouth.net", "att"), ("bigpond.com", "telstra"), ("bk.ru", "mailru"), ("bluewin.ch", "bluewin"),
    ("bol.com.br", "uol"), ("btinternet.com", "bt"), ("charter.net", "charter"), ("comcast.net", "comcast"),
    ("cox.net", "cox"), ("daum.net", "daum"), ("email.com", "mailcom"), ("email.cz", "seznam"),
    ("fastmail.com", "fastmail"), ("fastmail.fm", "fastmail"), ("foxmail.com", "qq"), ("free.fr", "free_fr"),
    ("gmail.com", "gmail"), ("gmx.at", "gmx"), ("gmx.ch", "gmx"), ("gmx.com", "gmx"), ("gmx.de", "gmx"),
    ("gmx.net", "gmx"), ("googlemail.com", "gmail"), ("hanmail.net", "daum"), ("hey.com", "hey"),
    ("hotmail.ca", "outlook"), ("hotmail.co.uk", "outlook"), ("hotmail.com", "outlook"),
    ("hotmail.de", "outlook"), ("hotmail.es", "outlook"), ("hotmail.fr", "outlook"),
    ("hotmail.it", "outlook"), ("icloud.com", "icloud"), ("inbox.ru", "mailru"), ("interia.pl", "interia"),
    ("internet.ru", "mailru"), ("iol.it", "libero"), ("keemail.me", "tuta"), ("laposte.net", "laposte"),
    ("libero.it", "libero"), ("list.ru", "mailru"), ("live.ca", "outlook"), ("live.co.uk", "outlook"),
    ("live.com", "outlook"), ("live.com.au", "outlook"), ("live.de", "outlook"), ("live.fr", "outlook"),
    ("live.it", "outlook"), ("live.nl", "outlook"), ("mac.com", "icloud"), ("magenta.de", "tonline"),
    ("mail.com", "mailcom"), ("mail.ru", "mailru"), ("mailbox.org", "mailbox_org"), ("me.com", "icloud"),
    ("msn.com", "outlook"), ("myyahoo.com", "yahoo"), ("naver.com", "naver"), ("neuf.fr", "sfr"),
    ("ntlworld.com", "virgin_media"), ("o2.pl", "wp_pl"), ("onet.pl", "onet"), ("op.pl", "onet"),
    ("orange.fr", "orange"), ("outlook.com", "outlook"), ("outlook.com.br", "outlook"),
    ("outlook.de", "outlook"), ("outlook.es", "outlook"), ("outlook.fr", "outlook"),
    ("outlook.it", "outlook"), ("passport.com", "outlook"), ("pm.me", "proton"), ("posteo.de", "posteo"),
    ("posteo.net", "posteo"), ("proton.me", "proton"), ("protonmail.ch", "proton"),
    ("protonmail.com", "proton"), ("qq.com", "qq"), ("rambler.ru", "rambler"), ("rediffmail.com", "rediff"),
    ("rocketmail.com", "yahoo"), ("sbcglobal.net", "att"), ("seznam.cz", "seznam"), ("sfr.fr", "sfr"),
    ("sky.com", "sky"), ("t-online.de", "tonline"), ("terra.com.br", "terra"), ("tim.it", "telecom_italia"),
    ("tuta.com", "tuta"), ("tuta.io", "tuta"), ("tutanota.com", "tuta"), ("tutanota.de", "tuta"),
    ("ukr.net", "ukr_net"), ("uol.com.br", "uol"), ("usa.com", "mailcom"), ("verizon.net", "yahoo"),
    ("virgilio.it", "telecom_italia"), ("virginmedia.com", "virgin_media"), ("wanadoo.fr", "orange"),
    ("web.de", "webde"), ("windowslive.com", "outlook"), ("wp.pl", "wp_pl"), ("ya.ru", "yandex"),
    ("yahoo.ca", "yahoo"), ("yahoo.co.in", "yahoo"), ("yahoo.co.jp", "yahoo_japan"), ("yahoo.co.uk", "yahoo"),
    ("yahoo.com", "yahoo"), ("yahoo.com.ar", "yahoo"), ("yahoo.com.au", "yahoo"), ("yahoo.com.br", "yahoo"),
    ("yahoo.com.mx", "yahoo"), ("yahoo.de", "yahoo"), ("yahoo.es", "yahoo"), ("yahoo.fr", "yahoo"),
    ("yahoo.in", "yahoo"), ("yahoo.it", "yahoo"), ("yandex.by", "yandex"), ("yandex.com", "yandex"),
    ("yandex.kz", "yandex"), ("yandex.ru", "yandex"), ("yeah.net", "netease"), ("ymail.com", "yahoo"),
    ("ziggo.nl", "ziggo"), ("zohomail.com", "zoho"), ("zohomail.eu", "zoho"),
];

#[cfg(test)]
mod tests {
    use super::DOMAINS;
    use crate::Operator;

    #[test]
    fn every_domain_is_found_and_has_an_operator() {
        assert!(DOMAINS.is_sorted_by(|a, b| a.0 < b.0));
        for (domain, id) in DOMAINS {
            assert_eq!(Operator::of_domain(domain).map(Operator::id), Some(*id), "{domain}");
        }
        assert_eq!(Operator::of_domain("example.org"), None);
    }
}
