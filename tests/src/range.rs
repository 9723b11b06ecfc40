//! Many addresses in a few letters, as a shell writes them: `member{1..30}@a.test`.

use anyhow::{Context as _, Result};

/// The text once for each number of its `{1..30}`, or itself alone.
///
/// # Errors
/// Braces that hold no range.
pub fn expanded(text: &str) -> Result<Vec<String>> {
    let Some((before, rest)) = text.split_once('{') else { return Ok(vec![text.to_owned()]) };
    let (range, after) = rest.split_once('}').context("a range without end")?;
    let (first, last) = range.split_once("..").context("expected a range such as {1..30}")?;
    let numbers = first.parse::<u32>()?..=last.parse()?;
    Ok(numbers.map(|number| format!("{before}{number}{after}")).collect())
}

#[cfg(test)]
mod tests {
    use super::expanded;

    #[test]
    fn a_range_is_many_and_anything_else_itself() {
        assert_eq!(expanded("m{9..11}@a.test").unwrap(), ["m9@a.test", "m10@a.test", "m11@a.test"]);
        assert_eq!(expanded("jane@a.test").unwrap(), ["jane@a.test"]);
        for nonsense in ["m{1..2@a.test", "m{1-2}@a.test", "m{a..b}@a.test"] {
            assert!(expanded(nonsense).is_err(), "{nonsense}");
        }
    }
}
