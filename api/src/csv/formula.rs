//! Cells that a spreadsheet would take for a formula and run. A cell that begins with an apostrophe is text to it.

use std::borrow::Cow;

/// What a formula begins with, or what a spreadsheet drops before it.
const BEGINNINGS: &[u8] = b"=+-@\t\r";

/// What makes text of a formula.
pub(crate) const GUARD: char = '\'';

/// Whether a cell, without its quotes, would be run.
pub(crate) fn is_formula(cell: &[u8]) -> bool {
    cell.first().is_some_and(|first| BEGINNINGS.contains(first))
}

/// The cell, which is no formula in any case.
pub(crate) fn guarded(cell: &str) -> Cow<'_, str> {
    if is_formula(cell.as_bytes()) { Cow::Owned(format!("{GUARD}{cell}")) } else { Cow::Borrowed(cell) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_formula_becomes_text_and_text_stays() {
        for formula in ["=HYPERLINK(\"http://x\")", "+1", "-2", "@x", "\t=1", "\r=1"] {
            let cell = guarded(formula);
            assert_eq!(cell, format!("'{formula}"));
            assert_eq!(guarded(&cell), cell, "once is enough");
        }
        for text in ["", "jane@example.com", " =1", "0.98", "'=1"] {
            assert_eq!(guarded(text), text);
        }
    }
}
