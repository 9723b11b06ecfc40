use proptest::prelude::*;

use super::{
    super::{format_for, formats_of},
    *,
};
use crate::names::parse;

fn guesses(name: &str, known: &Known) -> Vec<Guess> {
    rank(&parse(name).unwrap(), known, 40)
}

/// The three likeliest local parts when nothing is known of the company.
fn first_three(name: &str) -> Vec<String> {
    guesses(name, &Known::default()).into_iter().take(3).map(|guess| guess.local).collect()
}

fn seen(format: Format, people: f64) -> Known {
    Known { counts: vec![(format, people)] }
}

#[test]
fn an_ordinary_name_has_the_candidates_of_the_prior() {
    let best = guesses("Petra Kolb", &Known::default());
    let expected = [
        ("petra.kolb", Format::FirstDotLast),
        ("pkolb", Format::FLast),
        ("petra", Format::First),
        ("petrak", Format::FirstL),
        ("kolb", Format::Last),
    ];
    for (guess, (local, format)) in best.iter().zip(expected) {
        assert_eq!((guess.local.as_str(), guess.format), (local, format));
    }
    assert!((0.3..0.4).contains(&best[0].chance), "{}", best[0].chance);
}

#[test]
fn each_way_to_write_a_name_is_among_the_first() {
    for (name, local) in [
        ("Kolb, Petra L.", "petra.kolb"),
        ("Jan van den Berg", "jan.vandenberg"),
        ("Jan van den Berg", "jan.berg"),
        ("Lucia Vega Molina", "lucia.vegamolina"),
        ("Lucia Vega Molina", "lucia.vega"),
        ("Petra Kolb, Head of Sales", "petra.kolb"),
        ("Bruno da Rocha Almeida", "bruno.almeida"),
        ("Anne-Lise Roux-Fabre", "annelise.rouxfabre"),
        ("Anne-Lise Roux-Fabre", "anne-lise.roux-fabre"),
        ("Jürgen Größler", "juergen.groessler"),
        ("Jürgen Größler", "jurgen.grossler"),
        ("Liu Wei", "wei.liu"),
        ("Liu Wei", "liu.wei"),
        ("TANAKA Kenta", "kenta.tanaka"),
        ("Bob Tate", "bob.tate"),
        ("William \"Buddy\" Tate", "buddy.tate"),
        ("P. Kolb", "pkolb"),
        ("P. Kolb", "p.kolb"),
        ("林小红", "xiaohong.lin"),
        ("Madonna", "madonna"),
    ] {
        assert!(first_three(name).contains(&local.to_owned()), "{name}: {:?}", first_three(name));
    }
}

#[test]
fn colleagues_decide_the_format() {
    for format in Format::ALL {
        let best = &guesses("Petra Lisbeth Kolb", &seen(format, 3.0))[0];
        assert_eq!(best.format, format);
        assert!((0.5..0.95).contains(&best.chance), "{format:?}: {}", best.chance);
    }
    // One colleague is a hint, and a format that the name cannot fill leaves the others.
    assert_eq!(guesses("Petra Kolb", &seen(Format::FLast, 1.0))[0].local, "pkolb");
    assert_eq!(guesses("Petra Kolb", &seen(Format::FMLast, 3.0))[0].local, "petra.kolb");
    assert_eq!(guesses("Petra Kolb", &seen(Format::FLast, 0.1))[0].local, "petra.kolb");
}

#[test]
fn where_given_names_are_used_some_are_taken() {
    let best = guesses("Petra Kolb", &seen(Format::First, 20.0));
    assert_eq!(best[0].local, "petra");
    assert!(best[0].chance < 0.9);
    let of_others: f64 = best[1..].iter().map(|guess| guess.chance).sum();
    assert!(of_others > 0.08, "{of_others}");
}

#[test]
fn counts_that_are_no_numbers_of_people_do_no_harm() {
    for count in [-5.0, 0.0, f64::NAN, 1e12] {
        let best = guesses("Petra Kolb", &seen(Format::FLast, count));
        assert!(best.iter().all(|guess| (0.0..1.0).contains(&guess.chance)), "{count}");
    }
}

/// People of made-up companies: given, middle and family name.
const PEOPLE: [(&str, &str, &str); 24] = [
    ("Petra", "Lisbeth", "Kolb"),
    ("Owen", "James", "Tate"),
    ("Lucia", "Maria", "Vega"),
    ("Naoki", "Ken", "Takahashi"),
    ("Margaret", "Ann", "Lund"),
    ("Bruno", "Luis", "Almeida"),
    ("Ciara", "Rose", "O'Leary"),
    ("Jan", "Pieter", "Visser"),
    ("Andrey", "Ivan", "Sokolov"),
    ("Grace", "Jin", "Kim"),
    ("Samir", "Omar", "Haddad"),
    ("Helen", "Mary", "Walker"),
    ("Thomas", "Paul", "Martin"),
    ("Eszter", "Anna", "Molnar"),
    ("Rajesh", "Kumar", "Iyer"),
    ("Fatima", "Noor", "Siddiqui"),
    ("Lars", "Erik", "Holmgren"),
    ("Chiara", "Elena", "Ricci"),
    ("Daniel", "Scott", "Brooks"),
    ("Amara", "Ife", "Okafor"),
    ("Pierre", "Louis", "Marchand"),
    ("Hannah", "Sophie", "Weber"),
    ("Diego", "Jose", "Paredes"),
    ("Emily", "Jane", "Clarke"),
];

/// Formats by which a company makes its addresses, as common as the prior says.
fn companies() -> impl Iterator<Item = Format> {
    Format::ALL.into_iter().flat_map(|format| {
        let companies = (format.prior() * 200.0).ceil();
        std::iter::repeat_n(format, (1..100).take_while(|count| f64::from(*count) <= companies).count())
    })
}

/// Share of people whose address is the first guess, when three colleagues' addresses are known.
fn share_found(counts_of: impl Fn(&str, &str) -> Vec<(Format, f64)>) -> f64 {
    let (mut asked, mut found) = (0_u32, 0_u32);
    for (company, format) in companies().enumerate() {
        let person = |at: usize| PEOPLE[(company * 7 + at * 5) % PEOPLE.len()];
        let full = |(given, middle, surname): (&str, &str, &str)| format!("{given} {middle} {surname}");
        let address = |(given, middle, surname): (&str, &str, &str)| {
            let letters = |name: &str| name.to_lowercase().replace('\'', "");
            format.local(&letters(given), Some(&letters(middle)), &letters(surname)).unwrap()
        };
        let counts = (1..=3).flat_map(|at| counts_of(&full(person(at)), &address(person(at)))).collect();
        let best = &guesses(&full(person(0)), &Known { counts })[0];
        asked += 1;
        found += u32::from(best.local == address(person(0)));
    }
    f64::from(found) / f64::from(asked)
}

#[test]
fn three_colleagues_tell_a_company_of_one_format() {
    let by_name = share_found(|name, local| {
        let format = format_for(&parse(name).unwrap(), local);
        format.map(|format| (format, 1.0)).into_iter().collect()
    });
    assert!(by_name > 0.97, "known by name: {by_name}");
    let by_local = share_found(|_, local| formats_of(local));
    assert!(by_local >= 0.9, "known by address: {by_local}");
    let by_nothing = share_found(|_, _| Vec::new());
    assert!(by_nothing < 0.6, "the prior alone: {by_nothing}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn guesses_are_local_parts(
        text in prop_oneof!["\\PC{1,60}", "([A-Za-zäößéøЖщ김田,.'\"()-]{1,8} ){1,6}", "[a-z]{80} [a-z-]{90}"],
        format in 0..Format::ALL.len(),
        people in 0.0..5.0,
    ) {
        let Ok(name) = parse(&text) else { return Ok(()) };
        let guesses = rank(&name, &seen(Format::ALL[format], people), 50);
        prop_assert!(guesses.len() <= 50);
        prop_assert!(guesses.is_sorted_by(|a, b| a.chance >= b.chance));
        prop_assert!(guesses.iter().map(|guess| guess.chance).sum::<f64>() < 1.0);
        for (place, guess) in guesses.iter().enumerate() {
            let local = guess.local.as_str();
            prop_assert!((1..=64).contains(&local.len()));
            prop_assert!(local.bytes().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || b"._-".contains(&c)));
            prop_assert!(!local.starts_with(['.', '-', '_']) && !local.ends_with(['.', '-', '_']), "{}", local);
            prop_assert!(!local.contains(".."));
            prop_assert!(guess.chance > 0.0);
            prop_assert!(guesses[..place].iter().all(|other| other.local != guess.local));
        }
    }

    #[test]
    fn any_local_part_can_be_asked_about(local in "\\PC{0,70}|[a-z]{1,70}|[a-z._-]{1,20}") {
        let formats = formats_of(&local);
        prop_assert!(formats.iter().map(|(_, weight)| weight).sum::<f64>() <= 1.0 + 1e-9);
        prop_assert!(formats.iter().all(|(_, weight)| (0.0..=1.0).contains(weight)));
    }
}
