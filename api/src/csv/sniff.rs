//! The delimiter of a table, told from its beginning: the one that cuts rows into equally many cells, and leaves cells
//! that look like cells.
//!
//! Equal lengths alone are not enough: where prices have a decimal comma, the comma cuts as evenly as the semicolon.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::rows::Splitter;

/// How much of the score is what the cells look like.
const LOOKS: f64 = 0.6;

/// What is left of the score where the table would end within quotes.
const OPEN: f64 = 0.1;

/// Scores that differ by less are equal.
const NOTHING: f64 = 1e-9;

/// What stands between cells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Delimiter {
    /// A comma.
    #[serde(rename = ",")]
    Comma,
    /// A semicolon.
    #[serde(rename = ";")]
    Semicolon,
    /// A tabulator.
    #[serde(rename = "\t")]
    Tab,
    /// A vertical bar.
    #[serde(rename = "|")]
    Bar,
}

impl Delimiter {
    /// Of several that serve equally well, the first is taken.
    pub(crate) const ALL: [Self; 4] = [Self::Comma, Self::Semicolon, Self::Tab, Self::Bar];

    /// Its octet, the same in all encodings.
    pub(crate) fn octet(self) -> u8 {
        match self {
            Self::Comma => b',',
            Self::Semicolon => b';',
            Self::Tab => b'\t',
            Self::Bar => b'|',
        }
    }

    /// The delimiter of a table that begins with `head`. `is_whole`: nothing comes behind. A comma, where rows have one
    /// cell each.
    pub(crate) fn of(head: &[u8], is_whole: bool) -> Self {
        let mut best = (Self::Comma, NOTHING);
        for delimiter in Self::ALL {
            let score = score(head, is_whole, delimiter);
            if score > best.1 + NOTHING {
                best = (delimiter, score);
            }
        }
        best.0
    }
}

/// Cells, and those of them that look like cells.
#[derive(Debug, Clone, Copy, Default)]
struct Looks {
    cells: u32,
    good: u32,
}

/// How well a delimiter serves, up to 1; 0 where no row has several cells.
fn score(head: &[u8], is_whole: bool, delimiter: Delimiter) -> f64 {
    // How often rows of each width occur.
    let mut widths: BTreeMap<usize, u32> = BTreeMap::new();
    let (mut all, mut row) = (Looks::default(), Looks::default());
    let mut width = 0;
    let mut last = None;
    let is_open = Splitter::new(delimiter).split(head, |cell, ends_row| {
        width += 1;
        if let Some(is_good) = looks_good(cell, delimiter) {
            row.cells += 1;
            row.good += u32::from(is_good);
        }
        if ends_row {
            *widths.entry(width).or_default() += 1;
            all.cells += row.cells;
            all.good += row.good;
            last = Some((width, row));
            (width, row) = (0, Looks::default());
        }
    });
    // A beginning may end in the middle of a row. One that is all there is of it is better than nothing.
    if !is_whole
        && widths.values().sum::<u32>() > 1
        && let Some((width, row)) = last
    {
        all.cells -= row.cells;
        all.good -= row.good;
        widths.entry(width).and_modify(|count| *count -= 1);
    }
    let rows: u32 = widths.values().sum();
    let usual = widths.iter().filter(|(width, _)| **width > 1).map(|(_, count)| *count).max();
    let evenness = f64::from(usual.unwrap_or_default()) / f64::from(rows.max(1));
    let looks = f64::from(all.good) / f64::from(all.cells.max(1));
    evenness * (1.0 - LOOKS + LOOKS * looks) * if is_open && is_whole { OPEN } else { 1.0 }
}

/// Whether a cell, as it is written, looks like one that was meant; an empty one tells nothing.
fn looks_good(cell: &[u8], delimiter: Delimiter) -> Option<bool> {
    if cell.trim_ascii().is_empty() {
        return None;
    }
    if is_quoted(cell) {
        return Some(true);
    }
    // A sentence was cut behind its comma.
    if cell[0] == b' ' {
        return Some(false);
    }
    let is_other =
        |octet: u8| Delimiter::ALL.iter().any(|other| other.octet() == octet && *other != delimiter);
    let cuts = |(at, octet): (usize, &u8)| {
        let is_in_sentence = matches!(octet, b',' | b';') && cell.get(at + 1) == Some(&b' ');
        is_other(*octet) && !is_in_sentence
    };
    Some(is_number(cell) || !cell.trim_ascii().iter().enumerate().any(cuts))
}

/// Whether a cell stands in quotes, all of it.
pub(super) fn is_quoted(cell: &[u8]) -> bool {
    let [b'"', within @ .., b'"'] = cell else { return false };
    let mut quotes = within.iter().copied().peekable();
    while let Some(octet) = quotes.next() {
        if octet == b'"' && quotes.next_if_eq(&b'"').is_none() {
            return false;
        }
    }
    true
}

/// A number with its signs, currency and separators; not what a semicolon or a bar might be cut from.
fn is_number(cell: &[u8]) -> bool {
    let is_part = |octet: &u8| octet.is_ascii_digit() || b" .,'+-()%$".contains(octet) || !octet.is_ascii();
    cell.iter().any(u8::is_ascii_digit) && cell.iter().all(is_part)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(head: &str) -> Delimiter {
        Delimiter::of(head.as_bytes(), true)
    }

    #[test]
    fn the_one_that_cuts_evenly_is_taken() {
        assert_eq!(of("email,name\na@b.example,Jane\n"), Delimiter::Comma);
        assert_eq!(of("email;name\na@b.example;Jane\n"), Delimiter::Semicolon);
        assert_eq!(of("email\tname\na@b.example\tJane\n"), Delimiter::Tab);
        assert_eq!(of("email|name\na@b.example|Jane\n"), Delimiter::Bar);
    }

    #[test]
    fn what_occurs_within_cells_is_no_delimiter() {
        // Decimal commas, sentences, lists in quotes, rows of unequal length.
        assert_eq!(of("email;price\na@b.example;1,50\nb@b.example;2,75\n"), Delimiter::Semicolon);
        assert_eq!(of("a@b.example\tRue 12, Paris\nb@b.example\tRue 13, Paris\n"), Delimiter::Tab);
        assert_eq!(of("id,tags\n1,\"a;b;c\"\n2,\"d;e;f\"\n"), Delimiter::Comma);
        assert_eq!(of("a|b|c\n1|2\n3,4|5|6\n7|8|9\n"), Delimiter::Bar);
        assert_eq!(of("name|note\nJane|\"x,y\nz,w\"\n"), Delimiter::Bar);
    }

    #[test]
    fn a_single_column_has_commas_between_nothing() {
        assert_eq!(of("email\na@b.example\n"), Delimiter::Comma);
        assert_eq!(of(""), Delimiter::Comma);
    }

    #[test]
    fn a_row_that_is_cut_off_counts_for_nothing() {
        let head = "a;b;c\n1;2;3\n4,5";
        assert_eq!(Delimiter::of(head.as_bytes(), false), Delimiter::Semicolon);
        let evenness = |is_whole| score(head.as_bytes(), is_whole, Delimiter::Semicolon);
        assert!(evenness(false) > evenness(true));
    }

    #[test]
    fn quotes_must_be_whole() {
        for (cell, quoted) in [
            ("\"a\"", true),
            ("\"\"", true),
            ("\"a\"\"b\"", true),
            ("\"a\"b\"", false),
            ("\"", false),
            ("\"a", false),
            ("a", false),
            ("\"a\"\"", false),
        ] {
            assert_eq!(is_quoted(cell.as_bytes()), quoted, "{cell}");
        }
    }
}
