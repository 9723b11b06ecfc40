//! The object `options`: what of the pipeline is done for a request, and what it says of the address. A form has them as
//! texts of its own.

use crate::{
    assembly::Choice,
    http::{Fields, Query},
};

/// See the module. Keys that are unknown are passed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Options {
    pub(super) choice: Choice,
    pub(super) include_email: bool,
}

impl Options {
    /// Those of a body; what is not said is as by default. What is wrong with them is noted in `body`.
    pub(super) fn read(body: &mut Fields<'_>) -> Self {
        let Some(mut options) = body.object("options") else {
            return Self { choice: Choice::default(), include_email: true };
        };
        let mut switch = |key: &str, default: bool| options.switch(key).unwrap_or(default);
        let read = Self { choice: chosen(&mut switch), include_email: switch("include_email", true) };
        body.add(options);
        read
    }
}

/// Those of a form, where they stand beside the file; what is not said is as by default.
pub(super) fn of_form(form: &mut Query) -> Choice {
    chosen(|key, default| form.switch(key).unwrap_or(default))
}

/// What switches say, each of which has a default.
fn chosen(mut switch: impl FnMut(&str, bool) -> bool) -> Choice {
    let default = Choice::default();
    Choice {
        check_smtp: switch("check_smtp", default.check_smtp),
        suggest_typo: switch("suggest_typo", default.suggest_typo),
        check_random: switch("check_random", default.check_random),
        check_domain_trust: switch("check_domain_trust", default.check_domain_trust),
        ..default
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::http::Refusal;

    fn read(body: &serde_json::Value) -> Result<Options, Refusal> {
        let mut fields = Fields::of_body(body)?;
        let options = Options::read(&mut fields);
        fields.finish().map(|()| options)
    }

    #[test]
    fn what_is_not_said_is_as_by_default() {
        for body in [json!({}), json!({ "options": null }), json!({ "options": { "unknown": 1 } })] {
            let options = read(&body).unwrap();
            assert_eq!(options, Options { choice: Choice::default(), include_email: true }, "{body}");
        }
        let options = read(&json!({ "options": { "check_smtp": false, "include_email": false } })).unwrap();
        assert_eq!(options.choice, Choice { check_smtp: false, ..Choice::default() });
        assert!(!options.include_email);
    }

    #[test]
    fn a_form_has_them_as_texts() {
        let read = |texts: &[(&str, &str)]| {
            let texts = texts.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect();
            let mut form = Query::of_form(texts, Vec::new());
            let choice = of_form(&mut form);
            form.finish().map(|()| choice)
        };
        let default = Choice::default();
        assert_eq!(read(&[]).unwrap(), default);
        assert_eq!(read(&[("check_smtp", ""), ("include_email", "?")]).unwrap(), default);
        for no in ["false", "0", "off", "no", "No", "FALSE"] {
            assert_eq!(read(&[("check_smtp", no)]).unwrap(), Choice { check_smtp: false, ..default }, "{no}");
        }
        let trust = [("check_domain_trust", "no"), ("check_domain_trust", "on")];
        assert_eq!(read(&trust).unwrap(), Choice { check_domain_trust: true, ..default });
        let refused = read(&[("suggest_typo", "maybe"), ("check_random", "2")]).unwrap_err();
        let Refusal::Unprocessable(wrong) = refused else { panic!("{refused:?}") };
        assert_eq!(
            (wrong.len(), format!("{:?}", wrong[0].loc)),
            (2, r#"[Key("body"), Key("suggest_typo")]"#.into())
        );
    }

    #[test]
    fn wrong_types_are_told_with_their_place() {
        let refused = read(&json!({ "options": { "check_smtp": "no", "suggest_typo": 1 } })).unwrap_err();
        let Refusal::Unprocessable(wrong) = refused else { panic!("{refused:?}") };
        let places: Vec<String> = wrong.iter().map(|invalid| format!("{:?}", invalid.loc)).collect();
        assert_eq!(places.len(), 2, "{places:?}");
        assert!(places[0].contains("check_smtp") && places[1].contains("suggest_typo"), "{places:?}");
    }
}
