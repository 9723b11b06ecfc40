//! What must never be shown: passwords and keys, whether as a setting of their own or within a URL.

/// What stands in the place of a secret.
pub(crate) const MASK: &str = "***";

/// Words that end the name of a secret setting. `key_file` is none: a path may be shown.
const SECRETS: [&str; 6] = ["password", "passphrase", "key", "keys", "secret", "token"];

/// Whether values of this key are secret as a whole.
pub(crate) fn is_secret(key: &str) -> bool {
    let last_word = key.rsplit(['_', '-']).next().unwrap_or(key);
    SECRETS.iter().any(|secret| last_word.eq_ignore_ascii_case(secret))
}

/// The text with the passwords of its URLs and of its `password=` parameters masked.
pub(crate) fn redacted(text: &str) -> String {
    without_parameter(&without_userinfo(text))
}

/// Masks the password of `scheme://user:password@host`. The authority ends at `/`, `?` or `#`, its user
/// information at its last `@` (RFC 3986, 3.2; a stray `@` in a password is part of it).
fn without_userinfo(text: &str) -> String {
    let Some((scheme, rest)) = text.split_once("://") else { return text.to_owned() };
    let (authority, _) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    // A raw `/` in a password would end the authority too early: then the last `@` of all counts.
    let at = if authority.contains('@') { authority.rfind('@') } else { rest.rfind('@') };
    match at.and_then(|at| Some((rest[..at].split_once(':')?.0, &rest[at..]))) {
        Some((user, host)) => format!("{scheme}://{user}:{MASK}{host}"),
        None => text.to_owned(),
    }
}

/// Masks `password=…`, which libpq takes in the query of a URL and in its own `name=value` form. There a
/// quoted value may hold anything, so the rest of the text goes too.
fn without_parameter(text: &str) -> String {
    const NAME: &str = "password=";
    let Some((before, rest)) = text.split_once(NAME) else { return text.to_owned() };
    let after = rest.find('&').filter(|_| before.contains("://")).map_or("", |end| &rest[end..]);
    format!("{before}{NAME}{MASK}{after}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_secrets() {
        for key in ["password", "key", "api_key", "webhook-secret", "TOKEN", "index_keys"] {
            assert!(is_secret(key), "{key}");
        }
        for key in ["key_file", "monkey", "keyboard", "url", "cache_entries"] {
            assert!(!is_secret(key), "{key}");
        }
    }

    #[test]
    fn passwords_in_urls() {
        for (text, shown) in [
            ("postgres://ada:pw@db/x", "postgres://ada:***@db/x"),
            ("postgres://ada:p:w@@db/x?y=a@b", "postgres://ada:***@db/x?y=a@b"),
            ("postgres://ada:p/w@db/x", "postgres://ada:***@db/x"),
            ("socks5://:pw@10.0.0.1:1080", "socks5://:***@10.0.0.1:1080"),
            ("postgres://ada@db:5432/x", "postgres://ada@db:5432/x"),
            ("postgres:///x?password=pw&user=ada", "postgres:///x?password=***&user=ada"),
            ("host=db password='p w' user=ada", "host=db password=***"),
            ("https://lists.example.net/a:b", "https://lists.example.net/a:b"),
            ("probe@example.org", "probe@example.org"),
        ] {
            assert_eq!(redacted(text), shown);
        }
    }
}
