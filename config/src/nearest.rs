//! The known name that a wrong one was probably meant to be.

/// The candidate nearest to `name`, if one is near enough to be a slip of the keyboard: one edit in
/// three letters (swapped neighbours are one), or a name cut short or too long at a word.
/// Case counts for nothing, nor does `-` in the place of `_`.
pub fn nearest<'c>(name: &str, candidates: impl IntoIterator<Item = &'c str>) -> Option<&'c str> {
    let name = fold(name);
    let distance = |candidate: &str| {
        let candidate = fold(candidate);
        let edits = strsim::damerau_levenshtein(&name, &candidate);
        let slip = edits <= (name.chars().count().max(candidate.chars().count()) / 3).max(1);
        (slip || is_part(&name, &candidate) || is_part(&candidate, &name)).then_some(edits)
    };
    let near = candidates.into_iter().filter_map(|candidate| Some((distance(candidate)?, candidate)));
    near.min().map(|(_, candidate)| candidate)
}

/// The end of a message about the unknown `name`: ``; did you mean `x`?`` with the nearest of the
/// candidates, else all of them, else nothing.
pub fn did_you_mean<'c>(name: &str, candidates: impl IntoIterator<Item = &'c str>) -> String {
    let mut candidates: Vec<&str> = candidates.into_iter().collect();
    if let Some(near) = nearest(name, candidates.iter().copied()) {
        return format!("; did you mean `{near}`?");
    }
    candidates.sort_unstable();
    candidates.dedup();
    if candidates.is_empty() { String::new() } else { format!("; known: {}", candidates.join(", ")) }
}

/// How names are compared: lower case, `_` for `-`.
pub(crate) fn fold(name: &str) -> String {
    name.to_ascii_lowercase().replace('-', "_")
}

/// Whether `part` is the first or the last words of `whole`.
fn is_part(part: &str, whole: &str) -> bool {
    let at_start = whole.strip_prefix(part).is_some_and(|rest| rest.starts_with('_'));
    let at_end = whole.strip_suffix(part).is_some_and(|rest| rest.ends_with('_'));
    !part.is_empty() && (at_start || at_end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_are_near_and_other_words_are_not() {
        let known = ["port", "hello_name", "mail_from", "connect_timeout", "reply_timeout", "never"];
        let near = |name| nearest(name, known);
        assert_eq!(near("prot"), Some("port"));
        assert_eq!(near("Hello-Name"), Some("hello_name"));
        assert_eq!(near("hello"), Some("hello_name"));
        assert_eq!(near("port_max"), Some("port"));
        assert_eq!(near("conect_timout"), Some("connect_timeout"));
        assert_eq!(near("timeout"), Some("reply_timeout"));
        assert_eq!(near("banana"), None);
        assert_eq!(near(""), None);
    }

    #[test]
    fn without_a_near_name_all_are_listed() {
        assert_eq!(did_you_mean("x", ["stop_on", "deadline", "stop_on"]), "; known: deadline, stop_on");
        assert_eq!(did_you_mean("x", []), "");
    }
}
