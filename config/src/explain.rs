//! Turns serde's errors into sentences for the person who wrote the setting.

use figment::error::{Actual, Error, Kind, OneOf};

use crate::{
    ConfigError, Settings, did_you_mean, nearest,
    path::KeyPath,
    secret::{MASK, redacted},
};

impl Settings {
    /// What `error`, from reading the value at `base`, means. `also` are keys that may stand beside those
    /// that the type itself knows.
    pub(crate) fn explain(&self, base: &KeyPath, error: Error, also: &[&'static str]) -> ConfigError {
        let path = base.join(&error.path);
        let place = self.place(&path);
        let secret = path.is_secret();
        let wrong = |expected, found| ConfigError::WrongValue {
            place: place.clone(),
            path: path.to_string(),
            expected,
            found,
        };
        match error.kind {
            Kind::UnknownField(key, known) => ConfigError::UnknownKey {
                place,
                table: path.parent().unwrap_or_default().to_string(),
                hint: did_you_mean(&key, known.iter().chain(also).copied()),
                key,
            },
            Kind::MissingField(key) => {
                ConfigError::MissingKey { place, table: path.to_string(), key: key.into_owned() }
            }
            Kind::InvalidType(actual, expected) | Kind::InvalidValue(actual, expected) => {
                let expected = in_words(&expected);
                let found = found(&actual, &expected, secret);
                wrong(expected, found)
            }
            Kind::UnknownVariant(name, known) => {
                let hint = nearest(&name, known.iter().copied());
                let hint = hint.map_or_else(String::new, |near| format!("; did you mean {near:?}?"));
                wrong(
                    in_words(&OneOf(known).to_string()),
                    format!("{}{hint}", found(&Actual::Str(name), "", secret)),
                )
            }
            Kind::InvalidLength(elements, expected) => {
                wrong(in_words(&expected), format!("a list of length {elements}"))
            }
            other => ConfigError::Invalid { place, path: path.to_string(), message: other.to_string() },
        }
    }
}

/// What serde expected, in words. Types that name themselves well (`a duration`) are left as they are.
fn in_words(expected: &str) -> String {
    match expected {
        "u8" => "an integer 0..255",
        "u16" => "an integer 0..65535",
        "u32" => "an integer 0..4294967295",
        "u64" | "usize" => "an integer, 0 or more",
        "a nonzero u8" => "an integer 1..255",
        "a nonzero u16" => "an integer 1..65535",
        "a nonzero u32" => "an integer 1..4294967295",
        "a nonzero u64" | "a nonzero usize" => "an integer, 1 or more",
        "i8" | "i16" | "i32" | "i64" | "isize" => "an integer",
        "f32" | "f64" => "a number",
        "a boolean" => "true or false",
        "a sequence" => A_LIST,
        "a map" => A_TABLE,
        "a duration" => "a duration such as \"10s\" or \"5m\"",
        "path string" => A_STRING,
        // figment's `OneOf` puts names in back quotes; values are written in double ones.
        other => return other.replace('`', "\""),
    }
    .to_owned()
}

const A_STRING: &str = "a string";
const A_LIST: &str = "a list";
const A_TABLE: &str = "a table";

/// The value that was found, as TOML writes it, and how to write what was probably meant.
fn found(actual: &Actual, expected: &str, secret: bool) -> String {
    let value = match actual {
        Actual::Seq => return A_LIST.to_owned(),
        Actual::Map => return A_TABLE.to_owned(),
        _ if secret => MASK.to_owned(),
        Actual::Bool(flag) => flag.to_string(),
        Actual::Unsigned(number) => number.to_string(),
        Actual::Signed(number) => number.to_string(),
        Actual::Float(number) => number.to_string(),
        Actual::Char(letter) => format!("\"{letter}\""),
        Actual::Str(text) => format!("{:?}", redacted(text)),
        other => other.to_string(),
    };
    match (actual, expected) {
        (Actual::Bool(_) | Actual::Unsigned(_) | Actual::Signed(_) | Actual::Float(_), A_STRING) => {
            format!("{value}; as text it is \"{value}\", with the quotes")
        }
        (Actual::Str(_), A_LIST) => format!("{value}; write [{value}]"),
        _ => value,
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, net::IpAddr, num::NonZeroU16, path::PathBuf, time::Duration};

    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields, default)]
    #[derive(Default)]
    struct Smtp {
        port: Option<NonZeroU16>,
        hello_name: String,
        never: Vec<String>,
        strict: bool,
        share: f32,
        small: u8,
        folder: PathBuf,
        bind: Option<IpAddr>,
        pair: Option<(u8, u8)>,
        #[serde(with = "humantime_serde::option")]
        wait: Option<Duration>,
        destinations: Destinations,
        api_key: String,
        proxy: u16,
        operator: BTreeMap<String, Operator>,
    }

    #[derive(Debug, Default, Deserialize)]
    #[serde(rename_all = "lowercase")]
    enum Destinations {
        #[default]
        Public,
        Any,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only read")]
    struct Operator {
        sessions_max: u32,
    }

    fn error(toml: &str, variables: &[(&str, &str)]) -> String {
        let settings = Settings::from_parts(&format!("[probe]\n{toml}"), variables).unwrap();
        settings.section::<Smtp>("probe").unwrap_err().to_string()
    }

    #[test]
    fn mistakes_in_the_file() {
        for (toml, message) in [
            ("prot = 25", "2: unknown key `prot` in [probe]; did you mean `port`?"),
            ("\n\nhelloName = 'x'", "4: unknown key `helloName` in [probe]; did you mean `hello_name`?"),
            ("operator.google.x = 1", "2: unknown key `x` in [probe.operator.google]; known: sessions_max"),
            (
                "operator = { google = { \"a b\" = 1 } }",
                "2: unknown key `a b` in [probe.operator.google]; known: sessions_max",
            ),
            ("[probe.oprator.google]", "2: unknown key `oprator` in [probe]; did you mean `operator`?"),
            ("[probe.operator.\"a.b\"]", "2: [probe.operator.\"a.b\"] needs the key `sessions_max`"),
            ("port = 'abc'", "2: probe.port: expected an integer 1..65535, found \"abc\""),
            ("port = 0", "2: probe.port: expected an integer 1..65535, found 0"),
            ("port = 65536", "2: probe.port: expected an integer 1..65535, found 65536"),
            ("port = 2.5", "2: probe.port: expected an integer 1..65535, found 2.5"),
            ("port = [25]", "2: probe.port: expected an integer 1..65535, found a list"),
            ("port.x = 25", "2: probe.port: expected an integer 1..65535, found a table"),
            ("small = -1", "2: probe.small: expected an integer 0..255, found -1"),
            ("share = 'x'", "2: probe.share: expected a number, found \"x\""),
            ("strict = 'yes'", "2: probe.strict: expected true or false, found \"yes\""),
            (
                "hello_name = 1",
                "2: probe.hello_name: expected a string, found 1; as text it is \"1\", with the quotes",
            ),
            (
                "folder = false",
                "2: probe.folder: expected a string, found false; as text it is \"false\", with the quotes",
            ),
            (
                "never = 'a.example'",
                "2: probe.never: expected a list, found \"a.example\"; write [\"a.example\"]",
            ),
            (
                "never = [\n'a.example',\n5,\n]",
                "4: probe.never.1: expected a string, found 5; as text it is \"5\", with the quotes",
            ),
            ("pair = [1]", "2: probe.pair: expected a tuple of size 2, found a list of length 1"),
            ("bind = 'x'", "2: probe.bind: invalid IP address syntax"),
            ("wait = 'soon'", "2: probe.wait: expected a duration such as \"10s\" or \"5m\", found \"soon\""),
            ("wait = 10", "2: probe.wait: expected a duration such as \"10s\" or \"5m\", found 10"),
            (
                "destinations = 'pubic'",
                "2: probe.destinations: expected \"public\" or \"any\", found \"pubic\"; did you mean \"public\"?",
            ),
            ("destinations = 1", "2: probe.destinations: expected \"public\" or \"any\", found 1"),
            ("operator = 'x'", "2: probe.operator: expected a table, found \"x\""),
            ("operator.google = 4", "2: probe.operator.google: expected a table, found 4"),
            (
                "api_key = 123",
                "2: probe.api_key: expected a string, found ***; as text it is \"***\", with the quotes",
            ),
            (
                "proxy = 'socks5://a:pw@b'",
                "2: probe.proxy: expected an integer 0..65535, found \"socks5://a:***@b\"",
            ),
        ] {
            assert_eq!(error(toml, &[]), format!("mailsonde.toml:{message}"), "{toml}");
        }
    }

    #[test]
    fn mistakes_in_the_environment() {
        for (name, value, message) in [
            ("MAILSONDE_PROBE__PORT", "abc", "expected an integer 1..65535, found \"abc\""),
            ("MAILSONDE_PROBE__PORT", "", "expected an integer 1..65535, found \"\""),
            ("MAILSONDE_PROBE__PROT", "25", "unknown key `prot` in [probe]; did you mean `port`?"),
            ("MAILSONDE_PROBE__PORT__X", "25", "probe.port: expected an integer 1..65535, found a table"),
            (
                "MAILSONDE_PROBE__NEVER",
                "a.example",
                "expected a list, found \"a.example\"; write [\"a.example\"]",
            ),
            (
                "MAILSONDE_PROBE__NEVER",
                "[a.example, 5]",
                "probe.never.1: expected a string, found 5; as text it is \"5\", with the quotes",
            ),
            (
                "MAILSONDE_PROBE__HELLO_NAME",
                "true",
                "expected a string, found true; as text it is \"true\", with the quotes",
            ),
            (
                "MAILSONDE_PROBE__OPERATOR__GOOGLE__X",
                "1",
                "unknown key `x` in [probe.operator.google]; known: sessions_max",
            ),
            ("MAILSONDE_PROBE", "5", "expected a table, found 5"),
        ] {
            assert_eq!(
                error("", &[(name, value)]),
                format!("environment variable {name}: {message}"),
                "{value}"
            );
        }
    }

    #[test]
    fn an_error_points_at_the_layer_whose_value_counts() {
        let variable = [("MAILSONDE_PROBE__SMALL", "7")];
        assert_eq!(
            error("small = 'x'\nport = 'y'", &variable),
            "mailsonde.toml:3: probe.port: expected an integer 1..65535, found \"y\""
        );
        // Of two spellings of one variable the later counts.
        let variables = [("MAILSONDE_PROBE__SMALL", "x"), ("mailsonde_probe__small", "y")];
        assert_eq!(
            error("", &variables),
            "environment variable mailsonde_probe__small: expected an integer 0..255, found \"y\""
        );
        // A table that the file begins and the environment adds to is shown where the file has it.
        let variable = [("MAILSONDE_PROBE__OPERATOR__GOOGLE", "{}")];
        assert_eq!(
            error("[probe.operator.google]", &variable),
            "mailsonde.toml:2: [probe.operator.google] needs the key `sessions_max`"
        );
    }
}
