use proptest::prelude::*;

use super::*;

/// The likeliest reading in its likeliest spelling: given name, middle name if any, surname, with bars between.
fn read(name: &str) -> String {
    let name = parse(name).unwrap();
    let reading = &name.readings()[0];
    let text =
        |spellings: &[Spelling]| spellings.first().map_or_else(String::new, |spelling| spelling.text.clone());
    let middle = reading.middle.as_ref().map_or_else(String::new, |middle| format!("{middle}|"));
    format!("{}|{middle}{}", text(&reading.given), text(&reading.surname))
}

#[track_caller]
fn reads(expected: &[(&str, &str)]) {
    for (name, reading) in expected {
        assert_eq!(read(name), *reading, "{name}: {:#?}", parse(name).unwrap());
    }
}

/// Whether some reading spells the name so.
fn may_be(name: &str, given: &str, surname: &str) -> bool {
    let spells = |spellings: &[Spelling], text: &str| spellings.iter().any(|spelling| spelling.text == text);
    let name = parse(name).unwrap();
    name.readings().iter().any(|reading| spells(&reading.given, given) && spells(&reading.surname, surname))
}

#[test]
fn names_in_the_usual_order() {
    reads(&[
        ("Petra Kolb", "petra|kolb"),
        ("petra kolb", "petra|kolb"),
        ("PETRA KOLB", "petra|kolb"),
        ("  Petra   Kolb ", "petra|kolb"),
        ("Petra L. Kolb", "petra|l|kolb"),
        ("Petra Lisbeth Kolb", "petra|lisbeth|kolb"),
        ("Sir Owen Tate, KBE", "owen|tate"),
        ("Prof. Dr.-Ing. Petra Kolb, MBA", "petra|kolb"),
        ("The Rt. Hon. Owen Tate MP", "owen|tate"),
        ("Deputy Secretary of State Owen Tate", "owen|tate"),
        ("Marshall Owen Tate", "marshall|owen|tate"),
        ("Owen Tate CRNP", "owen|tate"),
        ("Owen Tate & Sons", "owen|tate"),
    ]);
}

#[test]
fn names_turned_around() {
    reads(&[
        ("Kolb, Petra", "petra|kolb"),
        ("Kolb, Petra L.", "petra|l|kolb"),
        ("Kolb, Dr. Petra", "petra|kolb"),
        ("Tate, Owen, Jr.", "owen|tate"),
        ("KOLB Petra", "petra|kolb"),
        ("Petra KOLB", "petra|kolb"),
        ("Jan van den BERG", "jan|vandenberg"),
        ("Smith John", "john|smith"),
        ("Kolb P", "p|kolb"),
    ]);
}

#[test]
fn particles_belong_to_the_surname_and_may_be_left_out() {
    reads(&[
        ("Jan van den Berg", "jan|vandenberg"),
        ("Ursula von der Heide", "ursula|vonderheide"),
        ("Ciara O'Leary", "ciara|oleary"),
        ("Ian St. Clair", "ian|stclair"),
        ("Ruth Mc Tavish", "ruth|mctavish"),
        ("Samir bin Yusuf", "samir|binyusuf"),
        ("Carla D'Angelo", "carla|dangelo"),
        ("Luca de la Torre", "luca|delatorre"),
        ("van den Berg", "|vandenberg"),
    ]);
    assert!(may_be("Jan van den Berg", "jan", "berg") && may_be("Jan van den Berg", "jan", "van.den.berg"));
    assert!(may_be("Samir al-Hadid", "samir", "alhadid") && may_be("Samir al-Hadid", "samir", "hadid"));
    assert_eq!(read("Van Dyke"), "van|dyke", "a capital begins a given name");
}

#[test]
fn two_surnames_are_used_both_or_one() {
    for surname in ["vega", "molina", "vegamolina"] {
        assert!(may_be("Lucia Vega Molina", "lucia", surname), "{surname}");
        assert!(may_be("Vega Molina, Lucia", "lucia", surname), "{surname}");
    }
    for surname in ["almeida", "darochaalmeida", "darocha", "rocha"] {
        assert!(may_be("Bruno da Rocha Almeida", "bruno", surname), "{surname}");
    }
    assert!(
        may_be("José Robles y Vega", "jose", "roblesyvega") && may_be("José Robles y Vega", "jose", "robles")
    );
    assert_eq!(read("María del Pilar Vega"), "maria|pilar|vega");
    reads(&[("Owen Carter Tate", "owen|carter|tate"), ("Bruno da Rocha Almeida", "bruno|almeida")]);
}

#[test]
fn hyphens_are_kept_or_dropped_in_the_whole_name() {
    let name = "Anne-Lise Roux-Fabre";
    assert!(may_be(name, "anne-lise", "roux-fabre") && may_be(name, "annelise", "rouxfabre"));
    assert!(may_be(name, "anne", "roux") && may_be(name, "anne", "fabre"));
    assert!(!may_be(name, "anne-lise", "rouxfabre") && !may_be(name, "annelise", "roux-fabre"));
    assert!(may_be("Jean Claude Roux", "jean", "roux") && may_be("Jean Claude Roux", "jean-claude", "roux"));
}

#[test]
fn nicknames_stand_beside_the_given_name() {
    for (name, given) in [
        ("Robert Tate", "bob"),
        ("Bob Tate", "robert"),
        ("Sasha Lund", "alexander"),
        ("Margaret (Peg) Lund", "peg"),
        ("Margaret \"Peg\" Lund", "margaret"),
        ("Wilhelmina 'Minnie' Lund", "minnie"),
    ] {
        assert!(may_be(name, given, name.rsplit(' ').next().unwrap().to_lowercase().as_str()), "{name}");
    }
    assert!(!may_be("Robert Lund (he/him)", "hehim", "lund"));
}

#[test]
fn family_names_come_first_where_that_is_the_custom() {
    reads(&[
        ("Liu Jianhua", "jianhua|liu"),
        ("Jianhua Liu", "jianhua|liu"),
        ("Huang Xiao Ling", "xiaoling|huang"),
        ("Park Min-jun", "minjun|park"),
        ("Min Jun Park", "minjun|park"),
        ("Pham Thi Hoa", "hoa|thi|pham"),
        ("Takahashi Naoki", "naoki|takahashi"),
        ("Naoki Takahashi", "naoki|takahashi"),
        ("Molnár Eszter", "eszter|molnar"),
        ("Lee Anderson", "lee|anderson"),
        ("Grace Kim", "grace|kim"),
    ]);
    assert!(may_be("Liu Wei", "wei", "liu") && may_be("Liu Wei", "liu", "wei"), "nobody can tell");
}

#[test]
fn other_scripts_are_written_in_latin_letters() {
    reads(&[
        ("Соколов Андрей Викторович", "andrey|viktorovich|sokolov"),
        ("Андрей Соколов", "andrey|sokolov"),
        ("Νίκος Λάμπρου", "nikos|lamprou"),
        ("林小红", "xiaohong|lin"),
        ("최민준", "minjun|choi"),
        ("田中健太", "kenta|tanaka"),
        ("Łukasz Żak", "lukasz|zak"),
        ("Gülşen Yıldız", "gulsen|yildiz"),
    ]);
    assert!(
        may_be("Jürgen Größler", "juergen", "groessler") && may_be("Jürgen Größler", "jurgen", "grossler")
    );
    assert!(may_be("Bjørn Ås", "bjoern", "aas") && may_be("Bjørn Ås", "bjorn", "as"));
}

#[test]
fn one_word_and_initials() {
    reads(&[
        ("Suharto", "suharto|"),
        ("Anderson", "|anderson"),
        ("P. Kolb", "p|kolb"),
        ("P.L. Kolb", "p|l|kolb"),
        ("P. Lisbeth Kolb", "lisbeth|p|kolb"),
    ]);
    assert!(may_be("P.L. Kolb", "pl", "kolb"));
}

#[test]
fn what_is_no_name_is_refused() {
    for (text, error) in [
        ("", NameError::Empty),
        (" \t ", NameError::Empty),
        ("123 --", NameError::NoLetter),
        ("Petra\nKolb", NameError::ControlCharacter),
        ("Petra\0", NameError::ControlCharacter),
    ] {
        assert_eq!(parse(text), Err(error), "{text:?}");
    }
    assert!(parse(&"ä".repeat(NAME_CHARACTERS_MAX)).is_ok());
    assert_eq!(parse(&"ä".repeat(NAME_CHARACTERS_MAX + 1)), Err(NameError::TooLong));
    assert!(parse(" Petra Kolb\n").is_ok(), "what is around a name is trimmed");
}

proptest! {
    #[test]
    fn readings_are_sound(text in prop_oneof!["\\PC{1,60}", "([A-Za-zäößéøЖщ김田,.'\"()-]{1,8} ){1,8}", "(?s).{0,40}"]) {
        let Ok(name) = parse(&text) else { return Ok(()) };
        let readings = name.readings();
        prop_assert!(readings.len() <= READINGS_MAX);
        prop_assert!(readings.is_empty() || (readings.iter().map(|r| r.weight).sum::<f64>() - 1.0).abs() < 1e-9);
        prop_assert!(readings.is_sorted_by(|a, b| a.weight >= b.weight));
        for spellings in readings.iter().flat_map(|reading| [&reading.given, &reading.surname]) {
            prop_assert!(spellings.is_empty() || (spellings.iter().map(|s| s.weight).sum::<f64>() - 1.0).abs() < 1e-9);
            for spelling in spellings {
                prop_assert!(!spelling.text.is_empty());
                let is_sound = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '.';
                prop_assert!(spelling.text.chars().all(is_sound), "{}", spelling.text);
            }
        }
    }
}
