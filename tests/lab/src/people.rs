//! People at companies, and the addresses that their companies made of their names: whom a finder is to find. Names, formats
//! and how often each is in use are our own, and known to nobody who is tested.

use std::collections::{BTreeMap, HashSet};

use anyhow::Result;

use crate::{Host, Internet};

/// Somebody, as people write the name, and in letters of addresses as a company does.
type Name = (&'static str, &'static str);

const GIVEN: [Name; 60] = [
    ("Ada", "ada"),
    ("Aleksander", "aleksander"),
    ("Amélie", "amelie"),
    ("Anneliese", "anneliese"),
    ("Antoine", "antoine"),
    ("Astrid", "astrid"),
    ("Beatriz", "beatriz"),
    ("Benedikt", "benedikt"),
    ("Björn", "bjoern"),
    ("Bronagh", "bronagh"),
    ("Camille", "camille"),
    ("Carsten", "carsten"),
    ("Chiara", "chiara"),
    ("Cormac", "cormac"),
    ("Dagny", "dagny"),
    ("Damien", "damien"),
    ("Deepa", "deepa"),
    ("Dorothea", "dorothea"),
    ("Eamon", "eamon"),
    ("Edith", "edith"),
    ("Élodie", "elodie"),
    ("Emeka", "emeka"),
    ("Estelle", "estelle"),
    ("Fabian", "fabian"),
    ("Farah", "farah"),
    ("Fiona", "fiona"),
    ("Florian", "florian"),
    ("Gareth", "gareth"),
    ("Giulia", "giulia"),
    ("Gwendolyn", "gwendolyn"),
    ("Hamza", "hamza"),
    ("Harriet", "harriet"),
    ("Ilse", "ilse"),
    ("Imran", "imran"),
    ("Ingeborg", "ingeborg"),
    ("Isolde", "isolde"),
    ("Jarek", "jarek"),
    ("Joaquín", "joaquin"),
    ("Katarzyna", "katarzyna"),
    ("Kwame", "kwame"),
    ("Leonie", "leonie"),
    ("Lorenzo", "lorenzo"),
    ("Magnus", "magnus"),
    ("Marguerite", "marguerite"),
    ("Mireille", "mireille"),
    ("Nadia", "nadia"),
    ("Niamh", "niamh"),
    ("Oskar", "oskar"),
    ("Philippa", "philippa"),
    ("Quentin", "quentin"),
    ("Rafael", "rafael"),
    ("Roisin", "roisin"),
    ("Sigrid", "sigrid"),
    ("Tamara", "tamara"),
    ("Tobias", "tobias"),
    ("Ursula", "ursula"),
    ("Veronika", "veronika"),
    ("Wilhelm", "wilhelm"),
    ("Xenia", "xenia"),
    ("Yannick", "yannick"),
];

const FAMILY: [Name; 80] = [
    ("Abernathy", "abernathy"),
    ("Achterberg", "achterberg"),
    ("Adeyemi", "adeyemi"),
    ("Ahlström", "ahlstrom"),
    ("Albrecht", "albrecht"),
    ("Appleyard", "appleyard"),
    ("Bachmann", "bachmann"),
    ("Bainbridge", "bainbridge"),
    ("Baumgartner", "baumgartner"),
    ("Beaumont", "beaumont"),
    ("Bellini", "bellini"),
    ("Björklund", "bjorklund"),
    ("Blackwood", "blackwood"),
    ("Bouchard", "bouchard"),
    ("Brännström", "brannstrom"),
    ("Callaghan", "callaghan"),
    ("Castellano", "castellano"),
    ("Chevalier", "chevalier"),
    ("Connolly", "connolly"),
    ("Costello", "costello"),
    ("D'Angelo", "dangelo"),
    ("Dąbrowski", "dabrowski"),
    ("de Vries", "devries"),
    ("Delacroix", "delacroix"),
    ("Dietrich", "dietrich"),
    ("Dombrowski", "dombrowski"),
    ("Donoghue", "donoghue"),
    ("Eichhorn", "eichhorn"),
    ("Ellingsen", "ellingsen"),
    ("Esposito", "esposito"),
    ("Fairweather", "fairweather"),
    ("Feldmann", "feldmann"),
    ("Fernández", "fernandez"),
    ("Fitzgerald", "fitzgerald"),
    ("Gallagher", "gallagher"),
    ("Gärtner", "gaertner"),
    ("Giordano", "giordano"),
    ("Grünwald", "gruenwald"),
    ("Hargreaves", "hargreaves"),
    ("Heffernan", "heffernan"),
    ("Hofmeister", "hofmeister"),
    ("Holmgren", "holmgren"),
    ("Iversen", "iversen"),
    ("Jankowski", "jankowski"),
    ("Kaczmarek", "kaczmarek"),
    ("Kavanagh", "kavanagh"),
    ("Kirchner", "kirchner"),
    ("Koskinen", "koskinen"),
    ("Lachance", "lachance"),
    ("Lindqvist", "lindqvist"),
    ("Lombardi", "lombardi"),
    ("MacKenzie", "mackenzie"),
    ("Marchetti", "marchetti"),
    ("McAllister", "mcallister"),
    ("Müller", "mueller"),
    ("Nakamura", "nakamura"),
    ("Nordström", "nordstrom"),
    ("Novotny", "novotny"),
    ("O'Sullivan", "osullivan"),
    ("Okonkwo", "okonkwo"),
    ("Oyelaran", "oyelaran"),
    ("Palmieri", "palmieri"),
    ("Pemberton", "pemberton"),
    ("Petrović", "petrovic"),
    ("Quintero", "quintero"),
    ("Rasmussen", "rasmussen"),
    ("Richter", "richter"),
    ("Rosenthal", "rosenthal"),
    ("Schröder", "schroeder"),
    ("Sinclair", "sinclair"),
    ("Sokolov", "sokolov"),
    ("Summerfield", "summerfield"),
    ("Thibault", "thibault"),
    ("Underhill", "underhill"),
    ("van Dijk", "vandijk"),
    ("Vasquez", "vasquez"),
    ("Wainwright", "wainwright"),
    ("Wójcik", "wojcik"),
    ("Yamamoto", "yamamoto"),
    ("Zimmermann", "zimmermann"),
];

/// How a company makes addresses: of a given name, a family name and the number of the employee.
type Format = fn(&str, &str, usize) -> String;

/// The usual ways, and in how many of a thousand companies that have one of them.
const USUAL: [(u64, Format); 12] = [
    (360, |given, family, _| format!("{given}.{family}")),
    (190, |given, family, _| format!("{}{family}", &given[..1])),
    (130, |given, _, _| given.into()),
    (70, |given, family, _| format!("{given}{family}")),
    (60, |given, family, _| format!("{}.{family}", &given[..1])),
    (50, |given, family, _| format!("{given}_{family}")),
    (40, |given, family, _| format!("{family}{}", &given[..1])),
    (30, |_, family, _| family.into()),
    (25, |given, family, _| format!("{given}{}", &family[..1])),
    (20, |given, family, _| format!("{family}.{given}")),
    (15, |given, family, _| format!("{given}-{family}")),
    (10, |given, family, _| format!("{given}.{}", &family[..1])),
];

/// Ways that nobody guesses.
const UNUSUAL: [Format; 4] = [
    |given, family, no| format!("{}{}{:03}", &family[..3], &given[..2], no * 7 + 11),
    |_, _, no| format!("e{:05}", 40_213 + no * 97),
    |given, family, _| format!("{}.{}", &given[..3], &family[..family.len().min(4)]),
    |given, family, _| format!("{}-{}", &family[..2], given),
];

/// Of a thousand companies, those with an unusual way.
const UNUSUAL_IN_1000: u64 = 200;

/// Somebody who is to be found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// As people write it.
    pub full_name: String,
    /// The company's.
    pub domain: String,
    /// None of who does not work there.
    pub address: Option<String>,
    /// The company makes addresses in a usual way.
    pub is_usual: bool,
}

/// People at companies `c0.test` …, so many at each, and one more in ten who does not work there, and shares neither name
/// with those who do. The same seed gives the same people.
pub fn people(seed: u64, companies: usize, at_each: usize) -> Vec<Person> {
    let mut dice = Dice(seed);
    (0..companies).flat_map(|no| company(&mut dice, &format!("c{no}.test"), at_each)).collect()
}

/// Mail servers for their companies, each of which knows its people and nobody else.
///
/// # Errors
/// None that is not a fault of ours.
pub fn internet_of(people: &[Person]) -> Result<Internet> {
    let mut hosts: BTreeMap<String, Host> = BTreeMap::new();
    for Person { domain, address, .. } in people {
        hosts.entry(format!("mx.{domain}")).or_default().accepts.extend(address.clone());
    }
    let zone: Vec<String> =
        hosts.keys().filter_map(|host| Some(format!("{} MX 10 {host}", host.strip_prefix("mx.")?))).collect();
    Internet::new(&zone.join("\n"), hosts)
}

fn company(dice: &mut Dice, domain: &str, at_each: usize) -> Vec<Person> {
    let is_usual = dice.below(1_000) >= UNUSUAL_IN_1000;
    let format = if is_usual { usual(dice) } else { UNUSUAL[dice.index(UNUSUAL.len())] };
    let (mut taken, mut given_names, mut families) = (HashSet::new(), HashSet::new(), HashSet::new());
    let mut people = Vec::new();
    // Who would have the address of a colleague is not hired.
    while people.len() < at_each {
        let (given, family) = (GIVEN[dice.index(GIVEN.len())], FAMILY[dice.index(FAMILY.len())]);
        let local = format(given.1, family.1, people.len());
        if taken.insert(local.clone()) {
            given_names.insert(given);
            families.insert(family);
            let (full_name, address) =
                (format!("{} {}", given.0, family.0), Some(format!("{local}@{domain}")));
            people.push(Person { full_name, domain: domain.into(), address, is_usual });
        }
    }
    let strangers = at_each.div_ceil(10);
    let given = GIVEN.iter().filter(|name| !given_names.contains(*name));
    let family = FAMILY.iter().filter(|name| !families.contains(*name));
    let stranger = |(given, family): (&Name, &Name)| Person {
        full_name: format!("{} {}", given.0, family.0),
        domain: domain.into(),
        address: None,
        is_usual,
    };
    people.extend(given.zip(family).map(stranger).take(strangers));
    people
}

fn usual(dice: &mut Dice) -> Format {
    let mut drawn = dice.below(USUAL.iter().map(|(share, _)| share).sum());
    for (share, format) in USUAL {
        if drawn < share {
            return format;
        }
        drawn -= share;
    }
    USUAL[0].1
}

/// `SplitMix64` (Steele, Lea and Flood, 2014).
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % end
    }

    fn index(&mut self, len: usize) -> usize {
        usize::try_from(self.below(len as u64)).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_have_addresses_of_their_own_and_strangers_none() {
        let all = people(7, 100, 10);
        assert_eq!(all, people(7, 100, 10));
        assert_eq!(all.len(), 1_100);
        let addresses: HashSet<&String> = all.iter().filter_map(|person| person.address.as_ref()).collect();
        assert_eq!(addresses.len(), 1_000);
        assert!(addresses.iter().all(|address| address.is_ascii() && !address.contains([' ', '\''])));
        let unusual = all.iter().filter(|person| !person.is_usual).count();
        assert!((100..350).contains(&unusual), "{unusual}");
    }
}
