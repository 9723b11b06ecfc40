//! Items: inputs that wait to be verified, by the rows in which they were submitted.
//!
//! ```json
//! {"v":1,"rows":[[1,"a@example.com"],[2,"c@example.com",7]]}
//! ```
//!
//! A row is its number, its input, and the identity under which to come back; an object may follow with whatever later
//! versions know of a row.

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

#[derive(Serialize, Deserialize)]
struct Columns<S>(
    u32,
    S,
    #[serde(default, skip_serializing_if = "Option::is_none")] Option<EgressId>,
    #[serde(default, skip_serializing)] Later,
);

/// What this version knows nothing of.
#[derive(Default, Deserialize)]
struct Later {}

/// The text of items.
pub(crate) fn write(items: &[Item]) -> Vec<u8> {
    let rows: Vec<_> =
        items.iter().map(|item| Columns(item.row, &item.input, item.egress, Later {})).collect();
    serde_json::to_vec(&Text { v: Version, rows }).expect("numbers and texts are JSON")
}

/// The items of a text.
pub(crate) fn read(text: &[u8]) -> Result<Vec<Item>, RowsError> {
    let Text { v: _, rows } = super::read::<Text<Vec<Columns<Box<str>>>>>(text)?;
    Ok(rows.into_iter().map(|Columns(row, input, egress, _)| Item { row, input, egress }).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(row: u32, input: &str, egress: Option<u16>) -> Item {
        Item { row, input: input.into(), egress: egress.map(EgressId) }
    }

    #[test]
    fn the_text_is_as_small_as_it_is_shown() {
        let items = [item(1, "a@example.com", None), item(2, "c@example.com", Some(7))];
        let text = write(&items);
        assert_eq!(text, br#"{"v":1,"rows":[[1,"a@example.com"],[2,"c@example.com",7]]}"#);
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
