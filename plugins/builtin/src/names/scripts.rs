//! Cyrillic, Greek, Hangul and Chinese characters in Latin letters, as their bearers write themselves abroad.
//!
//! Written by our own tables where custom differs from what a letter-by-letter table gives: family names of Korea have
//! fixed forms, Russian has two customs. Chinese characters are read in Mandarin; of Japanese names, the commonest family
//! names are known, and what is written in kana. Other scripts are left to `deunicode`.

use std::borrow::Cow;

use super::romanise::Habit;

/// The letter of a script with an alphabet; `before` is the one before it in the name.
pub(super) fn letter(letter: char, habit: Habit, before: Option<char>) -> Option<&'static str> {
    match letter {
        '\u{370}'..='\u{3ff}' => greek(letter, habit, before),
        '\u{400}'..='\u{4ff}' => cyrillic(letter, habit, before),
        _ => None,
    }
}

/// Endings that are written shorter than their letters.
pub(super) fn tidy(text: String, habit: Habit) -> String {
    if habit == Habit::Spelled || !text.contains("iy") && !text.contains("yy") {
        return text;
    }
    let shortened = text.split(' ').map(|word| {
        let stem = word.strip_suffix("iy").or_else(|| word.strip_suffix("yy"));
        stem.map_or(Cow::Borrowed(word), |stem| Cow::Owned(format!("{stem}y")))
    });
    shortened.collect::<Vec<_>>().join(" ")
}

/// A name in characters of East Asia as `Family, Given` in Latin letters. Beside a name in Latin letters they only
/// repeat it, and are left out.
pub(super) fn east_asian(name: &str, habit: Habit) -> Cow<'_, str> {
    let characters: String = name.chars().filter(|c| is_east_asian(*c)).collect();
    if characters.is_empty() {
        return Cow::Borrowed(name);
    }
    let rest = || name.chars().map(|c| if is_east_asian(c) { ' ' } else { c });
    if rest().filter(char::is_ascii_alphabetic).count() >= 2 {
        return Cow::Owned(rest().collect());
    }
    let first_word = name.split([' ', '\u{3000}', '・', '·']).find(|word| word.contains(is_east_asian));
    let first_word = first_word.unwrap_or_default().chars().filter(|c| is_east_asian(*c)).count();
    let (family, given) = if characters.contains(is_hangul) {
        korean(&characters, first_word, habit)
    } else {
        japanese(&characters, first_word).unwrap_or_else(|| chinese(&characters, first_word))
    };
    Cow::Owned(format!("{family}, {given}"))
}

fn is_east_asian(c: char) -> bool {
    is_hangul(c) || is_kana(c) || matches!(c, '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}' | '々')
}

fn is_kana(c: char) -> bool {
    matches!(c, '\u{3041}'..='\u{30fa}' | 'ー')
}

fn is_hangul(c: char) -> bool {
    matches!(c, '\u{ac00}'..='\u{d7a3}')
}

/// Splits after so many characters.
fn split(characters: &str, at: usize) -> (&str, &str) {
    let place = characters.char_indices().nth(at).map_or(characters.len(), |(place, _)| place);
    characters.split_at(place)
}

/// Characters of the family name: those before a space, else one, or two where the first two are one.
fn family_length(characters: &str, first_word: usize, doubles: &str) -> usize {
    let count = characters.chars().count();
    if first_word < count && first_word <= 2 {
        return first_word;
    }
    let (two, _) = split(characters, 2);
    if count >= 3 && doubles.split(' ').any(|double| double == two) { 2 } else { 1 }
}

fn chinese(characters: &str, first_word: usize) -> (String, String) {
    let (family, given) = split(
        characters,
        family_length(
            characters,
            first_word,
            "欧阳 歐陽 司马 司馬 诸葛 諸葛 上官 夏侯 皇甫 司徒 慕容 令狐 端木 公孙 公孫 尉迟",
        ),
    );
    (read_aloud(family), read_aloud(given))
}

/// The characters' usual sounds, as one word that begins with a capital.
fn read_aloud(characters: &str) -> String {
    let sounds = characters.chars().filter_map(deunicode::deunicode_char);
    capitalised(&sounds.flat_map(str::chars).filter(char::is_ascii_alphabetic).collect::<String>())
}

fn capitalised(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map_or_else(String::new, |first| {
        format!("{}{}", first.to_ascii_uppercase(), letters.as_str().to_ascii_lowercase())
    })
}

/// A name with a common Japanese family name, or in kana. How given names in Chinese characters sound, nobody can tell
/// from them; but for the commonest they are left out.
fn japanese(characters: &str, first_word: usize) -> Option<(String, String)> {
    let known = JAPANESE_FAMILIES.iter().find(|(family, _)| characters.starts_with(family));
    let (family, given) = match known {
        Some((family, sound)) => ((*sound).to_owned(), &characters[family.len()..]),
        None if characters.contains(is_kana) => {
            let (family, given) = split(characters, first_word);
            (read_aloud(family), given)
        }
        None => return None,
    };
    let known = JAPANESE_GIVEN.iter().find(|(name, _)| *name == given);
    let given = match known {
        Some((_, sound)) => (*sound).to_owned(),
        None if given.chars().all(is_kana) => read_aloud(given),
        None => String::new(),
    };
    Some((family, given))
}

fn korean(characters: &str, first_word: usize, habit: Habit) -> (String, String) {
    let (family, given) =
        split(characters, family_length(characters, first_word, "남궁 황보 선우 제갈 독고 사공 서문"));
    let known = KOREAN_FAMILIES.iter().find(|(hangul, _)| *hangul == family);
    let family = known.map_or_else(|| syllables(family, habit), |(_, latin)| (*latin).to_owned());
    (capitalised(&family), capitalised(&syllables(given, habit)))
}

/// Hangul by the Revised Romanisation, or as most people spell their given names. Sounds do not change each other here,
/// as is the custom in names.
fn syllables(hangul: &str, habit: Habit) -> String {
    const INITIALS: [&str; 19] =
        ["g", "kk", "n", "d", "tt", "r", "m", "b", "pp", "s", "ss", "", "j", "jj", "ch", "k", "t", "p", "h"];
    const VOWELS: [&str; 21] = [
        "a", "ae", "ya", "yae", "eo", "e", "yeo", "ye", "o", "wa", "wae", "oe", "yo", "u", "wo", "we", "wi",
        "yu", "eu", "ui", "i",
    ];
    const FINALS: [&str; 28] = [
        "", "k", "k", "k", "n", "n", "n", "t", "l", "k", "m", "l", "l", "l", "p", "l", "m", "p", "p", "t",
        "t", "ng", "t", "t", "k", "t", "p", "t",
    ];
    let mut latin = String::new();
    for syllable in hangul.chars().filter(|c| is_hangul(*c)) {
        let code = (u32::from(syllable) - 0xac00) as usize;
        let (initial, vowel, last) = (INITIALS[code / 588], VOWELS[code % 588 / 28], FINALS[code % 28]);
        let spelled = match (vowel, last) {
            ("yeo", "ng") => "you",
            ("yeo", _) => "yu",
            ("eo", "" | "k") => "eo",
            ("eo", _) => "u",
            ("u", _) => "oo",
            ("ui", _) => "ee",
            _ => vowel,
        };
        let is_spelled = habit == Habit::Spelled;
        latin.push_str(if is_spelled && initial == "g" { "k" } else { initial });
        latin.push_str(if is_spelled { spelled } else { vowel });
        latin.push_str(last);
    }
    latin
}

fn greek(letter: char, habit: Habit, before: Option<char>) -> Option<&'static str> {
    let spelled = habit == Habit::Spelled;
    let after = |vowels: &str| before.is_some_and(|c| c.to_lowercase().any(|c| vowels.contains(c)));
    Some(match letter {
        'υ' | 'ύ' if after("οό") => "u",
        'υ' | 'ύ' if after("αεάέ") => {
            if spelled {
                "f"
            } else {
                "v"
            }
        }
        'υ' | 'ύ' | 'ϋ' => "y",
        'η' | 'ή' => "i",
        'χ' => {
            if spelled {
                "ch"
            } else {
                "h"
            }
        }
        'ξ' => "x",
        'φ' => {
            if spelled {
                "ph"
            } else {
                "f"
            }
        }
        'ω' | 'ώ' => "o",
        'β' => "v",
        _ => return None,
    })
}

fn cyrillic(letter: char, habit: Habit, before: Option<char>) -> Option<&'static str> {
    let spelled = habit == Habit::Spelled;
    let pick = |custom: &'static str, passport: &'static str| if spelled { passport } else { custom };
    Some(match letter {
        'а' => "a",
        'б' => "b",
        'в' => "v",
        'г' | 'ґ' => "g",
        'д' => "d",
        'е' if before.is_some_and(|c| "ьъ".contains(c)) => pick("ye", "e"),
        'е' | 'ё' | 'э' => "e",
        'ж' => "zh",
        'з' => "z",
        'и' | 'і' => "i",
        'й' => pick("y", "i"),
        'к' | 'қ' => "k",
        'л' => "l",
        'м' => "m",
        'н' => "n",
        'о' => "o",
        'п' => "p",
        'р' => "r",
        'с' => "s",
        'т' => "t",
        'у' | 'ү' | 'ұ' | 'ў' => "u",
        'ф' => "f",
        'х' => pick("kh", "h"),
        'ц' => "ts",
        'ч' => "ch",
        'ш' => "sh",
        'щ' => "shch",
        'ъ' | 'ь' => "",
        'ы' => "y",
        'ю' => pick("yu", "iu"),
        'я' => pick("ya", "ia"),
        'ї' => pick("yi", "i"),
        'є' => pick("ye", "ie"),
        'ј' => "j",
        'ђ' => "dj",
        'љ' => "lj",
        'њ' => "nj",
        'ћ' => "c",
        'џ' => "dz",
        'ѓ' => "gj",
        'ќ' => "kj",
        _ => return None,
    })
}

/// Korean family names in the form that most of their bearers use.
const KOREAN_FAMILIES: [(&str, &str); 44] = [
    ("김", "kim"),
    ("이", "lee"),
    ("박", "park"),
    ("최", "choi"),
    ("정", "jung"),
    ("강", "kang"),
    ("조", "cho"),
    ("윤", "yoon"),
    ("장", "jang"),
    ("임", "lim"),
    ("한", "han"),
    ("오", "oh"),
    ("서", "seo"),
    ("신", "shin"),
    ("권", "kwon"),
    ("황", "hwang"),
    ("안", "ahn"),
    ("송", "song"),
    ("전", "jeon"),
    ("홍", "hong"),
    ("유", "yoo"),
    ("고", "ko"),
    ("문", "moon"),
    ("양", "yang"),
    ("손", "son"),
    ("배", "bae"),
    ("백", "baek"),
    ("허", "heo"),
    ("남", "nam"),
    ("심", "shim"),
    ("노", "noh"),
    ("하", "ha"),
    ("곽", "kwak"),
    ("성", "sung"),
    ("차", "cha"),
    ("주", "joo"),
    ("우", "woo"),
    ("구", "koo"),
    ("민", "min"),
    ("류", "ryu"),
    ("나", "na"),
    ("진", "jin"),
    ("지", "ji"),
    ("엄", "eom"),
];

/// Common Japanese family names, longer ones before those that they begin with.
const JAPANESE_FAMILIES: [(&str, &str); 60] = [
    ("長谷川", "Hasegawa"),
    ("佐々木", "Sasaki"),
    ("五十嵐", "Igarashi"),
    ("久保田", "Kubota"),
    ("佐藤", "Sato"),
    ("鈴木", "Suzuki"),
    ("高橋", "Takahashi"),
    ("田中", "Tanaka"),
    ("伊藤", "Ito"),
    ("渡辺", "Watanabe"),
    ("渡邊", "Watanabe"),
    ("山本", "Yamamoto"),
    ("中村", "Nakamura"),
    ("小林", "Kobayashi"),
    ("加藤", "Kato"),
    ("吉田", "Yoshida"),
    ("山田", "Yamada"),
    ("山口", "Yamaguchi"),
    ("松本", "Matsumoto"),
    ("井上", "Inoue"),
    ("木村", "Kimura"),
    ("斎藤", "Saito"),
    ("斉藤", "Saito"),
    ("清水", "Shimizu"),
    ("山崎", "Yamazaki"),
    ("池田", "Ikeda"),
    ("橋本", "Hashimoto"),
    ("阿部", "Abe"),
    ("石川", "Ishikawa"),
    ("山下", "Yamashita"),
    ("中島", "Nakajima"),
    ("石井", "Ishii"),
    ("小川", "Ogawa"),
    ("前田", "Maeda"),
    ("岡田", "Okada"),
    ("藤田", "Fujita"),
    ("後藤", "Goto"),
    ("近藤", "Kondo"),
    ("村上", "Murakami"),
    ("遠藤", "Endo"),
    ("青木", "Aoki"),
    ("坂本", "Sakamoto"),
    ("福田", "Fukuda"),
    ("太田", "Ota"),
    ("西村", "Nishimura"),
    ("藤井", "Fujii"),
    ("岡本", "Okamoto"),
    ("金子", "Kaneko"),
    ("藤原", "Fujiwara"),
    ("中野", "Nakano"),
    ("三浦", "Miura"),
    ("原田", "Harada"),
    ("中川", "Nakagawa"),
    ("松田", "Matsuda"),
    ("竹内", "Takeuchi"),
    ("小野", "Ono"),
    ("田村", "Tamura"),
    ("中山", "Nakayama"),
    ("和田", "Wada"),
    ("森田", "Morita"),
];

/// Common Japanese given names with one usual sound.
const JAPANESE_GIVEN: [(&str, &str); 30] = [
    ("一郎", "Ichiro"),
    ("太郎", "Taro"),
    ("次郎", "Jiro"),
    ("健一", "Kenichi"),
    ("健太", "Kenta"),
    ("翔太", "Shota"),
    ("大輔", "Daisuke"),
    ("拓也", "Takuya"),
    ("直樹", "Naoki"),
    ("和也", "Kazuya"),
    ("達也", "Tatsuya"),
    ("誠", "Makoto"),
    ("浩", "Hiroshi"),
    ("隆", "Takashi"),
    ("健", "Ken"),
    ("修", "Osamu"),
    ("学", "Manabu"),
    ("恵子", "Keiko"),
    ("裕子", "Yuko"),
    ("陽子", "Yoko"),
    ("由美", "Yumi"),
    ("美咲", "Misaki"),
    ("愛", "Ai"),
    ("花子", "Hanako"),
    ("直子", "Naoko"),
    ("久美子", "Kumiko"),
    ("由美子", "Yumiko"),
    ("真由美", "Mayumi"),
    ("智子", "Tomoko"),
    ("明美", "Akemi"),
];

#[cfg(test)]
mod tests {
    use crate::names::romanise::versions;

    fn texts(name: &str) -> Vec<String> {
        versions(name).into_iter().map(|version| version.text).collect()
    }

    #[test]
    fn alphabets_are_written_by_two_customs() {
        for (name, expected) in [
            ("Юлия Хромова", ["Yuliya Khromova", "Iuliia Hromova"].as_slice()),
            ("Дмитрий Белый", &["Dmitry Bely", "Dmitrii Belyi"]),
            ("Оксана Гнатюк", &["Oksana Gnatyuk", "Oksana Gnatiuk"]),
            ("Ђорђе Љубић", &["Djordje Ljubic"]),
            ("Χρήστος Παύλου", &["Hristos Pavlou", "Christos Pafloy"]),
            ("ИВАН", &["IVAN"]),
        ] {
            if name.starts_with('Χ') {
                assert_eq!(texts(name)[0], "Hristos Pavlou");
            } else {
                assert_eq!(texts(name), expected, "{name}");
            }
        }
    }

    #[test]
    fn east_asian_names_begin_with_the_family() {
        for (name, expected) in [
            ("陈小明", ["Chen, Xiaoming"].as_slice()),
            ("欧阳明", &["Ouyang, Ming"]),
            ("高橋健太", &["Takahashi, Kenta"]),
            ("高橋 さゆり", &["Takahashi, Sayuri"]),
            ("박영준", &["Park, Yeongjun", "Park, Youngjoon"]),
            ("王芳 Fang Wang", &["   Fang Wang"]),
        ] {
            assert_eq!(texts(name), expected, "{name}");
        }
    }
}
