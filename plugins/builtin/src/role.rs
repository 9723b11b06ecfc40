//! `role`: local parts that name a function (`sales@`, `buchhaltung@`) and not a person.
//!
//! An exact look-up of the whole local part, folded: no part of a word ever matches, so that nobody called Salesman is a
//! sales department. The words are `data/roles.txt`, in some thirty languages; given names are kept out of it.
//! RFC 2142 defines some of the English ones.

use std::{borrow::Cow, collections::HashMap};

use mailsonde_engine::{Check, Facts, Finding, Outcome, RoleType, Subject};
use serde::{
    Deserialize, Serialize,
    de::{IntoDeserializer, value::Error},
};

/// Lines of a type, a colon, and folded words. Made by `data/refresh.py`.
const WORDS: &str = include_str!("../data/roles.txt");

/// Folded local parts longer than this are no words. RFC 5321 §4.5.3.1.1 allows local parts of 64 octets; lower case
/// may need more octets than upper case outside ASCII.
const FOLDED_OCTETS_MAX: usize = 96;

const SEPARATORS: [char; 3] = ['.', '_', '-'];

/// Configuration of the stage.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Further words and their types: `extra = { hausverwaltung = "admin" }`.
    pub extra: HashMap<String, RoleType>,
    /// Words that are no roles here, whatever the table says.
    pub except: Vec<String>,
}

/// The stage.
#[derive(Debug, Clone)]
pub struct Role {
    types: HashMap<Cow<'static, str>, RoleType>,
}

impl Role {
    /// The stage with the table that came with the program, as the configuration changes it.
    pub fn new(config: &Config) -> Self {
        let mut types: HashMap<_, _> = embedded().map(|(word, kind)| (Cow::Borrowed(word), kind)).collect();
        let folded = |word: &str| Folded::whole(word).map(|folded| Cow::Owned(folded.as_str().to_owned()));
        types.extend(config.extra.iter().filter_map(|(word, kind)| Some((folded(word)?, *kind))));
        for word in config.except.iter().filter_map(|word| folded(word)) {
            types.remove(&word);
        }
        Self { types }
    }

    /// The function that a local part names.
    pub fn role_type(&self, local: &str) -> Option<RoleType> {
        let untagged = local.split_once('+').map_or(local, |(before, _tag)| before);
        self.look_up(Folded::whole(untagged)).or_else(|| self.regional(untagged))
    }

    /// `sales.de`, `support-en-us`, `info_2-fr`: a role, then nothing but countries, languages and numbers.
    fn regional(&self, untagged: &str) -> Option<RoleType> {
        let (first, rest) = untagged.split_once(SEPARATORS)?;
        let is_region = |token: &str| is_code(token) || is_number(token);
        rest.split(SEPARATORS).all(is_region).then(|| self.look_up(Folded::lower(first)))?
    }

    fn look_up(&self, word: Option<Folded>) -> Option<RoleType> {
        self.types.get(word?.as_str()).copied()
    }
}

impl Check for Role {
    fn name(&self) -> &'static str {
        "role"
    }

    fn facts(&self) -> Facts {
        Facts::new(&[], &["role.type"])
    }

    fn check(&self, subject: &Subject, outcome: &mut Outcome) {
        if let Some(kind) = subject.address().and_then(|address| self.role_type(address.local())) {
            outcome.found(Finding::Role(kind));
        }
    }
}

/// The words of the table and their types. A line of a type that the engine does not know is skipped; a test says so.
fn embedded() -> impl Iterator<Item = (&'static str, RoleType)> {
    let lines = WORDS.lines().filter_map(|line| line.split_once(": "));
    lines
        .filter_map(|(name, words)| Some((parse_type(name)?, words)))
        .flat_map(|(kind, words)| words.split_ascii_whitespace().map(move |word| (word, kind)))
}

fn parse_type(name: &str) -> Option<RoleType> {
    let name: serde::de::value::StrDeserializer<'_, Error> = name.into_deserializer();
    RoleType::deserialize(name).ok()
}

/// A word in lower case, on the stack.
struct Folded {
    octets: [u8; FOLDED_OCTETS_MAX],
    len: usize,
}

impl Folded {
    /// Without separators and without digits at the end; `None` if it is too long for a word.
    fn whole(text: &str) -> Option<Self> {
        let mut folded = Self::of(text.chars().filter(|letter| !SEPARATORS.contains(letter)))?;
        let digits =
            folded.octets[..folded.len].iter().rev().take_while(|octet| octet.is_ascii_digit()).count();
        folded.len -= digits;
        Some(folded)
    }

    fn lower(text: &str) -> Option<Self> {
        Self::of(text.chars())
    }

    fn of(letters: impl Iterator<Item = char>) -> Option<Self> {
        let mut folded = Self { octets: [0; FOLDED_OCTETS_MAX], len: 0 };
        for letter in letters {
            if letter.is_ascii() {
                folded.push(&[letter.to_ascii_lowercase() as u8])?;
            } else {
                letter
                    .to_lowercase()
                    .try_for_each(|lower| folded.push(lower.encode_utf8(&mut [0; 4]).as_bytes()))?;
            }
        }
        Some(folded)
    }

    fn push(&mut self, octets: &[u8]) -> Option<()> {
        self.octets.get_mut(self.len..self.len + octets.len())?.copy_from_slice(octets);
        self.len += octets.len();
        Some(())
    }

    fn as_str(&self) -> &str {
        str::from_utf8(&self.octets[..self.len]).unwrap_or_default()
    }
}

fn is_number(token: &str) -> bool {
    !token.is_empty() && token.bytes().all(|octet| octet.is_ascii_digit())
}

/// Whether the token is the code of a country or a language: two letters, or the two of three letters that people use.
fn is_code(token: &str) -> bool {
    match token.as_bytes() {
        &[first, second] => letter(first).zip(letter(second)).is_some_and(|(a, b)| CODES[a] & 1 << b != 0),
        _ => token.eq_ignore_ascii_case("usa") || token.eq_ignore_ascii_case("uae"),
    }
}

/// The letter's place in the alphabet, from 0.
const fn letter(octet: u8) -> Option<usize> {
    let lower = octet.to_ascii_lowercase();
    if lower.is_ascii_lowercase() { Some((lower - b'a') as usize) } else { None }
}

/// The codes as bits: a word per first letter, a bit per second letter.
const CODES: [u32; 26] = code_bits(&[COUNTRIES, LANGUAGES]);

/// ISO 3166-1 alpha-2, and what people write for the United Kingdom and the European Union.
const COUNTRIES: &str = "\
    ad ae af ag ai al am ao aq ar as at au aw ax az ba bb bd be bf bg bh bi bj bl bm bn bo bq br bs bt bv bw by bz \
    ca cc cd cf cg ch ci ck cl cm cn co cr cu cv cw cx cy cz de dj dk dm do dz ec ee eg eh er es et fi fj fk fm fo fr \
    ga gb gd ge gf gg gh gi gl gm gn gp gq gr gs gt gu gw gy hk hm hn hr ht hu id ie il im in io iq ir is it je jm jo jp \
    ke kg kh ki km kn kp kr kw ky kz la lb lc li lk lr ls lt lu lv ly ma mc md me mf mg mh mk ml mm mn mo mp mq mr ms mt \
    mu mv mw mx my mz na nc ne nf ng ni nl no np nr nu nz om pa pe pf pg ph pk pl pm pn pr ps pt pw py qa re ro rs ru rw \
    sa sb sc sd se sg sh si sj sk sl sm sn so sr ss st sv sx sy sz tc td tf tg th tj tk tl tm tn to tr tt tv tw tz \
    ua ug um us uy uz va vc ve vg vi vn vu wf ws ye yt za zm zw eu uk";

/// ISO 639-1.
const LANGUAGES: &str = "\
    aa ab ae af ak am an ar as av ay az ba be bg bh bi bm bn bo br bs ca ce ch co cr cs cu cv cy da de dv dz ee el en eo \
    es et eu fa ff fi fj fo fr fy ga gd gl gn gu gv ha he hi ho hr ht hu hy hz ia id ie ig ii ik io is it iu ja jv ka kg \
    ki kj kk kl km kn ko kr ks ku kv kw ky la lb lg li ln lo lt lu lv mg mh mi mk ml mn mr ms mt my na nb nd ne ng nl nn \
    no nr nv ny oc oj om or os pa pi pl ps pt qu rm rn ro ru rw sa sc sd se sg si sk sl sm sn so sq sr ss st su sv sw ta \
    te tg th ti tk tl tn to tr ts tt tw ty ug uk ur uz ve vi vo wa wo xh yi yo za zh zu";

const fn code_bits(lists: &[&str]) -> [u32; 26] {
    let mut bits = [0; 26];
    let mut list = 0;
    while list < lists.len() {
        let text = lists[list].as_bytes();
        let mut place = 0;
        while place + 1 < text.len() {
            if let (Some(first), Some(second)) = (letter(text[place]), letter(text[place + 1])) {
                bits[first] |= 1 << second;
                place += 1;
            }
            place += 1;
        }
        list += 1;
    }
    bits
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use mailsonde_engine::RoleType::{
        Abuse, Admin, Billing, Hr, Info, Noreply, Other, Postmaster, Sales, Security, Support,
    };

    use super::*;

    fn role_type(local: &str) -> Option<RoleType> {
        Role::new(&Config::default()).role_type(local)
    }

    #[test]
    fn every_type_has_its_words() {
        for (local, kind) in [
            ("abuse", Abuse),
            ("administrator", Admin),
            ("accounts-payable", Billing),
            ("careers", Hr),
            ("info", Info),
            ("no-reply", Noreply),
            ("newsletter", Other),
            ("mailer-daemon", Postmaster),
            ("sales", Sales),
            ("security", Security),
            ("helpdesk", Support),
        ] {
            assert_eq!(role_type(local), Some(kind), "{local}");
        }
    }

    #[test]
    fn case_separators_tags_and_final_digits_do_not_matter() {
        for local in [
            "Sales",
            "SALES",
            "sales+trade-fair",
            "sales2",
            "sa.les",
            "sales_2024",
            "Sales-Team",
            "sales.team1",
        ] {
            assert_eq!(role_type(local), Some(Sales), "{local}");
        }
    }

    #[test]
    fn many_languages_are_known() {
        for (local, kind) in [
            ("vertrieb", Sales),
            ("Büro", Info),
            ("buero", Info),
            ("facturation", Billing),
            ("ne-pas-repondre", Noreply),
            ("soporte", Support),
            ("rrhh", Hr),
            ("ufficio.stampa", Other),
            ("vendas", Sales),
            ("boekhouding", Billing),
            ("sprzedaz", Sales),
            ("kundtjänst", Support),
            ("bogholderi", Billing),
            ("postmottak", Info),
            ("asiakaspalvelu", Support),
            ("objednavky", Sales),
            ("muhasebe", Billing),
            ("buhgalteria", Billing),
            ("Отдел-Кадров", Hr),
            ("eigyou", Sales),
            ("客服", Support),
        ] {
            assert_eq!(role_type(local), Some(kind), "{local}");
        }
    }

    #[test]
    fn a_region_may_follow_a_role() {
        for local in ["support.de", "support-en-us", "support_2-fr", "Support.UK", "support-usa"] {
            assert_eq!(role_type(local), Some(Support), "{local}");
        }
        for local in
            ["support.jane", "jane.support", "de.support.jane", "support..zz", "support-xx", "support2.jane"]
        {
            assert_eq!(role_type(local), None, "{local}");
        }
    }

    #[test]
    fn parts_of_words_do_not_match() {
        for local in
            ["salesman", "informer", "billy", "presales.jane", "x", "", "+sales", "2024", "...", "\"sales\""]
        {
            assert_eq!(role_type(local), None, "{local}");
        }
    }

    #[test]
    fn given_names_are_no_roles() {
        let names = "alexa alla anna art bill carol charity chance christian dean dev devis dolores faith grace guy hope \
            india jasmine job joy june lon maire mark may mercedes miles neil pat paris paul penny per pilar rob rose sam \
            sem sunny sydney thea tiffany victor viola will wolf jing.li zi.xun";
        for name in names.split_ascii_whitespace() {
            assert_eq!(role_type(name), None, "{name}");
        }
    }

    #[test]
    fn long_and_strange_local_parts_are_no_roles() {
        assert_eq!(role_type(&"a".repeat(1_000)), None);
        assert_eq!(role_type(&"İ".repeat(64)), None);
        assert_eq!(role_type(&format!("info{}", "0".repeat(60))), Some(Info));
    }

    #[test]
    fn the_configuration_adds_and_takes_away() {
        let config =
            Config { extra: [("Haus-Verwaltung".to_owned(), Admin)].into(), except: vec!["Info".to_owned()] };
        let role = Role::new(&config);
        assert_eq!(role.role_type("hausverwaltung"), Some(Admin));
        assert_eq!(role.role_type("info"), None);
        assert_eq!(role.role_type("sales"), Some(Sales));
    }

    #[test]
    fn the_table_is_folded_and_says_one_thing_of_each_word() {
        let mut words = BTreeSet::new();
        let mut types = BTreeSet::new();
        for (word, kind) in embedded() {
            assert_eq!(Folded::whole(word).unwrap().as_str(), word);
            assert!(words.insert(word), "{word} twice");
            types.insert(format!("{kind:?}"));
        }
        let lines = WORDS.lines().filter(|line| !line.starts_with('#')).count();
        assert_eq!((types.len(), lines), (11, 11), "a type that the engine does not know");
        assert!(words.len() > 2_000);
    }

    #[test]
    fn codes_are_countries_and_languages() {
        assert!(["de", "EN", "uk", "eu", "zh", "zw"].into_iter().all(is_code));
        assert!(!["xx", "d", "deu", "d3", "ß", "qq", "zz"].into_iter().any(is_code));
    }
}
