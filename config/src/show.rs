//! The configuration in effect as TOML: each value that is no default with its source, and no secrets.

use figment::{error::Actual, value::Value};

use crate::{
    Place, Settings,
    path::{KeyPath, quoted},
    secret::{MASK, is_secret, redacted},
};

impl Settings {
    /// The configuration in effect as TOML, in the order of default.toml. Behind each value that is not
    /// built in stands where it comes from. Passwords and keys are masked.
    pub fn show(&self) -> String {
        let mut lines = Vec::new();
        self.show_table(&KeyPath::root(), self.merged(), &mut lines);
        lines.join("\n") + "\n"
    }

    fn show_table(&self, path: &KeyPath, table: &Value, lines: &mut Vec<String>) {
        let mut entries: Vec<_> = table.as_dict().into_iter().flatten().collect();
        entries.sort_by_key(|(key, _)| self.default_order(&path.child(key.as_str())));
        let (tables, values): (Vec<_>, Vec<_>) =
            entries.into_iter().partition(|(_, value)| value.as_dict().is_some());
        if *path != KeyPath::root() && (tables.is_empty() || !values.is_empty()) {
            lines.extend((!lines.is_empty()).then(String::new));
            lines.push(format!("[{path}]"));
        }
        for (key, value) in values {
            let path = path.child(key);
            let source = match self.place(&path) {
                Place::Default { .. } => String::new(),
                place => format!(" # {place}"),
            };
            lines.push(format!("{} = {}{source}", quoted(key), shown(value, path.is_secret())));
        }
        for (key, table) in tables {
            self.show_table(&path.child(key), table, lines);
        }
    }

    /// The line of a setting in default.toml; what is not there comes last.
    fn default_order(&self, path: &KeyPath) -> usize {
        match self.default_place(path) {
            Some(Place::Default { line }) => *line,
            _ => usize::MAX,
        }
    }
}

/// The value as TOML, masked where it is secret.
fn shown(value: &Value, secret: bool) -> String {
    match value {
        Value::Dict(_, table) => {
            let entry = |(key, value): (&String, &Value)| {
                format!("{} = {}", quoted(key), shown(value, secret || is_secret(key)))
            };
            format!("{{ {} }}", table.iter().map(entry).collect::<Vec<_>>().join(", "))
        }
        Value::Array(_, items) => {
            let items: Vec<String> = items.iter().map(|item| shown(item, secret)).collect();
            format!("[{}]", items.join(", "))
        }
        // An empty secret is none, and that is worth seeing.
        Value::String(_, text) if text.is_empty() => "\"\"".to_owned(),
        _ if secret => format!("{MASK:?}"),
        Value::String(_, text) => toml::Value::from(redacted(text)).to_string(),
        Value::Char(_, letter) => toml::Value::from(letter.to_string()).to_string(),
        Value::Bool(_, flag) => flag.to_string(),
        Value::Num(..) => match value.to_actual() {
            Actual::Unsigned(number) => number.to_string(),
            Actual::Signed(number) => number.to_string(),
            Actual::Float(number) => toml::Value::from(number).to_string(),
            other => other.to_string(),
        },
        Value::Empty(..) => "\"\"".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_default_has_its_source() {
        let toml =
            "[smtp]\nport = 25\nnever = ['a.example']\n[stage.acme]\nconfig = { list = [{ a = 1.5 }] }";
        let variables = [
            ("MAILSONDE_SMTP__MAIL_FROM", "probe@example.org"),
            ("MAILSONDE_DNS__ATTEMPTS", "3"),
            ("MAILSONDE_STAGE__ACME__WEIGHTS", "[-1, 0.5]"),
        ];
        let shown = Settings::from_parts(toml, &variables).unwrap().show();
        for line in [
            "port = 25 # mailsonde.toml:2",
            "hello_name = \"\"",
            "mail_from = \"probe@example.org\" # environment variable MAILSONDE_SMTP__MAIL_FROM",
            "never = [\"a.example\"] # mailsonde.toml:3",
            "[stage.acme.config]",
            "list = [{ a = 1.5 }] # mailsonde.toml:5",
            "attempts = 3 # environment variable MAILSONDE_DNS__ATTEMPTS",
            "weights = [-1, 0.5] # environment variable MAILSONDE_STAGE__ACME__WEIGHTS",
            "timeout = \"2s\"",
        ] {
            assert!(shown.lines().any(|shown| shown == line), "`{line}` is not in\n{shown}");
        }
        assert!(shown.starts_with("[pipeline.verify]\n"), "{shown}");
    }

    #[test]
    fn what_is_shown_says_the_same_again() {
        let toml = "[\"a b\".c]\ntext = \"x # \\\"y\\\"\\n z\"\nempty = {}\nbig = 9223372036854775807\nhalf = 0.5\n[x]\n";
        let first: Settings = toml.parse().unwrap();
        let again: Settings = first.show().parse().unwrap();
        assert_eq!(again.merged(), first.merged());
    }

    #[test]
    fn secrets_are_masked() {
        let toml = concat!(
            "[database]\nurl = 'postgres://ada:hush@db/x'\n",
            "[seal]\nkey = 'hush'\nkeys = ['hush', 1234]\nkey_file = '/etc/seal'\npassword = ''\nkeys_by_id.keys = { 7 = 'hush' }\n",
            "[stage.acme]\nconfig.list = [{ token = 'hush' }]\n",
        );
        let settings = Settings::from_parts(toml, &[("MAILSONDE_SEAL__SECRET", "hush")]).unwrap();
        for shown in [settings.show(), format!("{settings:?}")] {
            assert!(!shown.contains("hush") && !shown.contains("1234"), "{shown}");
            assert!(shown.contains("url = \"postgres://ada:***@db/x\" # mailsonde.toml:2\n"), "{shown}");
            assert!(
                shown.contains("key_file = \"/etc/seal\"") && shown.contains("password = \"\""),
                "{shown}"
            );
        }
    }
}
