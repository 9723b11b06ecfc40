//! Patterns of recipients: `jane@a.test`, `*@b.test`, `member*@c.test`. One `*` at most, letters of any case.

/// Whether `recipient` is one of those that `pattern` means.
pub(crate) fn fits(pattern: &str, recipient: &str) -> bool {
    let Some((start, end)) = pattern.split_once('*') else { return pattern.eq_ignore_ascii_case(recipient) };
    let (pattern_octets, octets) = (start.len() + end.len(), recipient.as_bytes());
    octets.len() >= pattern_octets
        && octets[..start.len()].eq_ignore_ascii_case(start.as_bytes())
        && octets[octets.len() - end.len()..].eq_ignore_ascii_case(end.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::fits;

    #[test]
    fn star_stands_for_anything() {
        assert!(fits("*@b.test", "who.ever@b.test"));
        assert!(fits("member*@c.test", "Member7@c.test"));
        assert!(fits("member*@c.test", "member@c.test"));
        assert!(fits("*", ""));
        assert!(!fits("member*@c.test", "memb@c.test"));
        assert!(!fits("*@b.test", "jane@a.b.test.org"));
        assert!(!fits("ab*ba", "aba"));
    }

    #[test]
    fn without_a_star_it_is_the_address_itself() {
        assert!(fits("jane@a.test", "JANE@A.test"));
        assert!(!fits("jane@a.test", "jane.doe@a.test"));
    }
}
