//! Items: inputs that wait to be verified, by the rows in which they were submitted.
//!
//! ```json
//! {"v":1,"rows":[[1,"a@example.com"],[2,"c@example.com",7],[3,"A@example.com",null,{"duplicate_of":1}]]}
//! ```
//!
//! A row is its number, its input, and the identity under which to come back; an object follows where there is something
//! rare to tell, and takes whatever later versions know of a row.

use std::fmt;

use mailsonde_engine::EgressId;
use serde::{Deserialize, Serialize};

use super::{RowsError, Version};

/// An input that waits.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Item {
    /// Its place in the job.
    pub(crate) row: u32,
    /// The input as submitted.
    pub(crate) input: Box<str>,
    /// The identity to come back under, where a server asked us to come back.
    pub(crate) egress: Option<EgressId>,
    /// The row in which the same mailbox stands, where nobody is to be asked about it once more.
    pub(crate) duplicate_of: Option<u32>,
}

/// Without the input: no address gets into a log in full.
impl fmt::Debug for Item {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Item").field("row", &self.row).field("egress", &self.egress).finish_non_exhaustive()
    }
}

#[derive(Serialize, Deserialize)]
struct Text<R> {
    v: Version,
    rows: R,
}

/// A row that is read.
#[derive(Deserialize)]
struct Columns(u32, Box<str>, #[serde(default)] Option<EgressId>, #[serde(default)] Rare);

/// What few rows have.
#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
struct Rare {
    duplicate_of: Option<u32>,
}

/// A row that is written, no longer than it must be.
#[derive(Serialize)]
#[serde(untagged)]
enum Written<'a> {
    Usual(u32, &'a str),
    Returning(u32, &'a str, EgressId),
    Rare(u32, &'a str, Option<EgressId>, Rare),
}

impl<'a> Written<'a> {
    fn of(item: &'a Item) -> Self {
        match (item.duplicate_of, item.egress) {
            (None, None) => Self::Usual(item.row, &item.input),
            (None, Some(egress)) => Self::Returning(item.row, &item.input, egress),
            (duplicate_of, egress) => Self::Rare(item.row, &item.input, egress, Rare { duplicate_of }),
        }
    }
}

/// The text of items.
pub(crate) fn write(items: &[Item]) -> Vec<u8> {
    let rows: Vec<Written<'_>> = items.iter().map(Written::of).collect();
    serde_json::to_vec(&Text { v: Version, rows }).expect("numbers and texts are JSON")
}

/// The items of a text.
pub(crate) fn read(text: &[u8]) -> Result<Vec<Item>, RowsError> {
    let Text { v: _, rows } = super::read::<Text<Vec<Columns>>>(text)?;
    let item = |Columns(row, input, egress, Rare { duplicate_of })| Item { row, input, egress, duplicate_of };
    Ok(rows.into_iter().map(item).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(row: u32, input: &str, egress: Option<u16>) -> Item {
        Item { row, input: input.into(), egress: egress.map(EgressId), duplicate_of: None }
    }

    #[test]
    fn the_text_is_as_small_as_it_is_shown() {
        let items = [item(1, "a@example.com", None), item(2, "c@example.com", Some(7))];
        let text = write(&items);
        assert_eq!(text, br#"{"v":1,"rows":[[1,"a@example.com"],[2,"c@example.com",7]]}"#);
    }

    #[test]
    fn a_duplicate_names_the_first_row() {
        let of = |row, egress| Item { duplicate_of: Some(1), ..item(row, "A@example.com", egress) };
        let items = [of(2, None), of(3, Some(7))];
        let text = write(&items);
        let rows = r#"[2,"A@example.com",null,{"duplicate_of":1}],[3,"A@example.com",7,{"duplicate_of":1}]"#;
        assert_eq!(text, format!(r#"{{"v":1,"rows":[{rows}]}}"#).into_bytes());
        assert_eq!(read(&text).unwrap(), items);
    }

    #[test]
    fn every_input_is_read_back() {
        let inputs = [
            "",
            " ",
            "a@b",
            "\"quo\\\"ted\"@x",
            "jörg@bücher.example",
            "a\0\r\n\u{202e}@b",
            "😀",
            "[1,\"x\"]",
        ];
        let mut items: Vec<_> = (0..).zip(inputs).map(|(row, input)| item(row, input, None)).collect();
        items.extend([item(u32::MAX, "last@example.com", Some(u16::MAX)), item(3, "again", Some(0))]);
        assert_eq!(read(&write(&items)), Ok(items));
        assert_eq!(read(&write(&[])), Ok(vec![]));
    }

    #[test]
    fn what_a_later_version_adds_is_passed_over() {
        let text = r#"{"v":1,"by":{"x":[1]},"rows":[[1,"a",null,{"name":"A"}],[2,"b",7,{}],[3,"c"]],"z":0}"#;
        let items = vec![item(1, "a", None), item(2, "b", Some(7)), item(3, "c", None)];
        assert_eq!(read(text.as_bytes()), Ok(items));
    }

    #[test]
    fn another_layout_is_refused_and_nothing_is_quoted() {
        assert_eq!(read(br#"{"v":2,"rows":{"of":"another kind"}}"#), Err(RowsError::Newer(2)));
        for text in [
            &b"jane@example.com"[..],
            br#"{"v":1,"rows":["jane@example.com"]}"#,
            br#"{"v":1,"rows":[["jane@example.com",1]]}"#,
            br#"{"v":1,"rows":[[1,"jane@example.com","jane"]]}"#,
            br#"{"v":0,"rows":[]}"#,
            br#"{"rows":[]}"#,
            b"",
        ] {
            let error = read(text).unwrap_err();
            assert!(matches!(error, RowsError::Malformed { .. }), "{error:?}");
            assert!(!format!("{error} {error:?}").contains("jane"));
        }
    }

    #[test]
    fn debugging_shows_no_input() {
        assert!(!format!("{:?}", item(1, "jane@example.com", None)).contains("jane"));
    }
}
