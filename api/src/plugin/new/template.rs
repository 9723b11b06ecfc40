//! Texts with open words and parts that are left out: as much of it as the project of a plugin needs.
//!
//! `@NAME@` is replaced by a value. A line `@if dns` begins a part that is written only if that flag is set; `@else`
//! turns that round, and `@end` ends it. Parts may stand in parts.

use std::collections::HashMap;

/// The text for these values and flags.
pub(super) fn expand(text: &str, values: &HashMap<&'static str, String>, flags: &[&str]) -> String {
    let mut result = String::with_capacity(text.len());
    let mut open: Vec<bool> = Vec::new();
    for line in text.split_inclusive('\n') {
        match line.trim() {
            "@else" => open.iter_mut().next_back().into_iter().for_each(|holds| *holds = !*holds),
            "@end" => drop(open.pop()),
            marker if marker.starts_with("@if ") => open.push(flags.contains(&&marker["@if ".len()..])),
            _ if open.iter().all(|holds| *holds) => result.push_str(line),
            _ => {}
        }
    }
    for (word, value) in values {
        result = result.replace(&format!("@{word}@"), value);
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_written_where_their_flag_is_set() {
        let text = "a\n@if dns\nb\n@if cache\nc\n@else\nd\n@end\n@end\n@NAME@\n";
        let expand = |flags: &[&str]| expand(text, &HashMap::from([("NAME", "e".to_owned())]), flags);
        assert_eq!(expand(&[]), "a\ne\n");
        assert_eq!(expand(&["dns"]), "a\nb\nd\ne\n");
        assert_eq!(expand(&["cache"]), "a\ne\n");
        assert_eq!(expand(&["dns", "cache"]), "a\nb\nc\ne\n");
    }
}
