//! Columns: whether the first row names them, and which one has the addresses.
//!
//! A first row without an address is a header. The column of addresses is the one that is named so; where none is, the
//! one that holds them.

use std::collections::{HashMap, HashSet};

/// Of the cells in a column that nobody named, so many hundredths must look like addresses.
const SHARE_MIN_PERCENT: usize = 50;

/// Octets of an address at most.
const ADDRESS_OCTETS_MAX: usize = 320;

/// Names of columns with addresses, folded.
const NAMES: &[&str] = &[
    "email",
    "mail",
    "emailaddress",
    "emailaddr",
    "mailaddress",
    "emailid",
    "email1",
    "primaryemail",
    "contactemail",
    "customeremail",
    "useremail",
    "subscriberemail",
    "workemail",
    "businessemail",
    "personalemail",
    "recipientemail",
    // French
    "courriel",
    "adresseemail",
    "adressemail",
    "adressecourriel",
    "adressedecourriel",
    "adresseelectronique",
    "adressedemessagerie",
    // German, Dutch, Nordic
    "emailadresse",
    "mailadresse",
    "emailadres",
    "mailadres",
    "epost",
    "epostadress",
    "epostadresse",
    "sahkoposti",
    "sahkopostiosoite",
    // Spanish, Portuguese, Italian
    "correo",
    "correoelectronico",
    "direcciondecorreo",
    "direcciondecorreoelectronico",
    "direcciondeemail",
    "enderecodeemail",
    "correioeletronico",
    "indirizzoemail",
    "indirizzomail",
    "postaelettronica",
    "indirizzodipostaelettronica",
    // Polish, Czech, Turkish, Russian
    "adresemail",
    "poczta",
    "eposta",
    "epostaadresi",
    "почта",
    "элпочта",
    "электроннаяпочта",
    // Chinese, Japanese, Korean
    "邮箱",
    "电子邮件",
    "电子邮箱",
    "メール",
    "メールアドレス",
    "이메일",
];

/// Whether a cell may be an address: something before an `@`, a domain of several labels behind it, no white space
/// within. Whether it is one, others say.
pub(crate) fn is_plausible(cell: &[u8]) -> bool {
    let cell = cell.trim_ascii();
    let Some(at) = cell.iter().rposition(|octet| *octet == b'@') else { return false };
    let (local, domain) = (&cell[..at], &cell[at + 1..]);
    let is_inner = |dot: usize| dot > 0 && dot + 1 < domain.len();
    cell.len() <= ADDRESS_OCTETS_MAX
        && !local.is_empty()
        && domain.iter().rposition(|octet| *octet == b'.').is_some_and(is_inner)
        && !cell.iter().any(|octet| octet.is_ascii_whitespace() || octet.is_ascii_control())
}

/// Columns of addresses are called so.
pub(crate) fn is_name(name: &str) -> bool {
    NAMES.contains(&&*fold(name))
}

/// A name without case, accents, and everything but letters and digits.
pub(crate) fn fold(name: &str) -> String {
    name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).map(without_accent).collect()
}

/// The letters that occur in names of columns; others stay.
fn without_accent(c: char) -> char {
    match c {
        'à' | 'á' | 'â' | 'ã' | 'ä' | 'å' => 'a',
        'ç' => 'c',
        'è' | 'é' | 'ê' | 'ë' => 'e',
        'ì' | 'í' | 'î' | 'ï' => 'i',
        'ñ' => 'n',
        'ò' | 'ó' | 'ô' | 'õ' | 'ö' | 'ø' => 'o',
        'ù' | 'ú' | 'û' | 'ü' => 'u',
        _ => c,
    }
}

/// What the cells of a column look like.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Content {
    /// Cells with something in them.
    pub(crate) filled: usize,
    /// Cells that may be addresses.
    pub(crate) plausible: usize,
}

impl Content {
    /// Counts a cell.
    pub(crate) fn add(&mut self, cell: &[u8]) {
        self.filled += usize::from(!cell.trim_ascii().is_empty());
        self.plausible += usize::from(is_plausible(cell));
    }

    fn is_mostly_plausible(self) -> bool {
        self.plausible > 0 && self.plausible * 100 >= self.filled * SHARE_MIN_PERCENT
    }

    /// Whether a larger share of the cells may be addresses.
    fn is_better_than(self, other: Self) -> bool {
        (self.plausible * other.filled, self.plausible) > (other.plausible * self.filled, other.plausible)
    }
}

/// The column of addresses. `header`: the names of columns, where they have any; `contents`: what is in them.
pub(crate) fn find(header: Option<&[String]>, contents: &[Content]) -> Option<usize> {
    let content = |column: usize| contents.get(column).copied().unwrap_or_default();
    let named = header.unwrap_or_default().iter().enumerate();
    let named = named.filter(|(_, name)| is_name(name)).map(|(column, _)| column);
    // The first of several that are equally good.
    let by_name =
        named.reduce(
            |best, column| {
                if content(column).plausible > content(best).plausible { column } else { best }
            },
        );
    let holding = (0..contents.len()).filter(|column| content(*column).is_mostly_plausible());
    by_name.or_else(|| {
        holding
            .reduce(|best, column| if content(column).is_better_than(content(best)) { column } else { best })
    })
}

/// What a column is called that has no name. Columns count from 1.
pub(crate) fn unnamed(column: usize) -> String {
    format!("column_{}", column + 1)
}

/// Names that are taken.
#[derive(Default)]
pub(super) struct Taken {
    names: HashSet<String>,
    /// For names that came again, the number that is tried next: all below are taken.
    next: HashMap<String, usize>,
}

impl Taken {
    /// Takes a name that none of the others has: itself, or itself with a number.
    pub(super) fn take(&mut self, name: &str) -> String {
        let mut free = name.to_owned();
        if self.names.contains(name) {
            let next = self.next.entry(name.to_owned()).or_insert(2);
            while self.names.contains(&free) {
                free = format!("{name}_{next}");
                *next += 1;
            }
        }
        self.names.insert(free.clone());
        free
    }
}

/// A name for each column, none of them twice, so that a row can be told by names.
pub(crate) fn names(header: &[String], width: usize) -> Vec<String> {
    let mut taken = Taken::default();
    let of = |column: usize| header.get(column).map(|name| name.trim()).filter(|name| !name.is_empty());
    (0..width).map(|column| taken.take(&of(column).map_or_else(|| unnamed(column), str::to_owned))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn strings(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    fn found(header: &[&str], contents: &[(usize, usize)]) -> Option<usize> {
        let contents: Vec<_> = contents
            .iter()
            .map(|(filled, plausible)| Content { filled: *filled, plausible: *plausible })
            .collect();
        find(Some(&strings(header)).filter(|names| !names.is_empty()).map(|names| &**names), &contents)
    }

    #[test]
    fn a_plausible_address_has_two_sides() {
        for cell in
            ["jane@example.com", " jane@example.com ", "\"a@b\"@c.example", "josé@exämple.fr", "a@b.c"]
        {
            assert!(is_plausible(cell.as_bytes()), "{cell}");
        }
        for cell in [
            "",
            "@",
            "jane",
            "@jane",
            "jane@",
            "jane@example",
            "@b.c",
            "jane doe@example.com",
            "a@b.",
            "a@.b",
        ] {
            assert!(!is_plausible(cell.as_bytes()), "{cell}");
        }
        assert!(!is_plausible(format!("{}@b.example", "a".repeat(320)).as_bytes()));
    }

    #[test]
    fn names_are_known_in_every_spelling() {
        for name in
            ["email", "E-Mail", "E_MAIL", " Email Address ", "Adresse e\u{301}lectronique", "COURRIEL"]
        {
            assert_eq!(found(&["id", name], &[(5, 0), (5, 0)]), Some(1), "{name}");
        }
        for name in NAMES {
            assert_eq!(fold(name), *name, "a folded name");
        }
        assert_eq!(found(&["id", "mailing"], &[(5, 0), (5, 0)]), None);
    }

    #[test]
    fn of_two_names_the_one_with_more_addresses_counts() {
        assert_eq!(found(&["mail", "email"], &[(5, 1), (5, 4)]), Some(1));
        assert_eq!(found(&["mail", "email"], &[(5, 4), (5, 4)]), Some(0));
        assert_eq!(
            found(&["email", "contact"], &[(5, 0), (5, 5)]),
            Some(0),
            "a name is worth more than content"
        );
    }

    #[test]
    fn without_a_name_half_of_the_cells_must_be_addresses() {
        assert_eq!(found(&["a", "b", "c"], &[(10, 5), (10, 4), (0, 0)]), Some(0));
        assert_eq!(found(&["a", "b"], &[(10, 5), (2, 2)]), Some(1));
        assert_eq!(found(&["a", "b"], &[(10, 4), (10, 0)]), None);
        assert_eq!(found(&[], &[(1, 0), (4, 4)]), Some(1));
        assert_eq!(found(&[], &[(4, 4), (4, 4)]), Some(0), "the first of equals");
    }

    #[test]
    fn names_are_unique() {
        assert_eq!(
            names(&strings(&["a", "", "a", "column_2", " a "]), 6),
            ["a", "column_2", "a_2", "column_2_2", "a_3", "column_6"]
        );
        assert_eq!(names(&strings(&["a_2", "a", "a", "a_3", "a"]), 5), ["a_2", "a", "a_3", "a_3_2", "a_4"]);
    }

    #[test]
    fn names_that_repeat_are_not_tried_from_the_first_number_each_time() {
        // Twenty thousand million tries, if they were.
        let many = 200_000;
        let names = names(&vec!["a".to_owned(); many], many);
        assert_eq!(names[many - 1], format!("a_{many}"));
    }
}
