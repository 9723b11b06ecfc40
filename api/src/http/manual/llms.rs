//! The same pages for programs that read: `/llms.txt` (<https://llmstxt.org>) names them, and `/llms-full.txt` is all of
//! them with every endpoint.

use std::fmt::Write as _;

use super::{DOCS, LLMS_FULL, SECTIONS, endpoints, pages};
use crate::{
    access::Facade,
    http::document::{document_of, name_of, path_of},
};

/// What both begin with.
const ABOUT: &str = "# mailsonde\n\n\
    > Finds out whether email addresses work, and finds the addresses of people, without sending mail: a self-hosted \
    service with the HTTP interfaces of three products.\n\n\
    Each product has its own paths, keys and vocabulary. Who has a key of one needs its page and its OpenAPI document alone.\n";

/// What there is.
pub(super) fn short() -> String {
    let mut text = String::from(ABOUT);
    for section in &SECTIONS {
        // Writing to a text cannot fail.
        let _ = write!(text, "\n## {}\n\n", section.title);
        for page in section.pages {
            let _ = writeln!(text, "- [{}]({DOCS}/{}.md): {}", page.title(), page.name, page.about);
        }
    }
    text.push_str("\n## OpenAPI\n\n");
    for facade in Facade::ALL {
        let _ = writeln!(text, "- [{}]({}): this product alone", name_of(facade), path_of(facade));
    }
    text.push_str("- [All products](/openapi.json): in one document\n");
    let _ = write!(
        text,
        "\n## Optional\n\n- [Everything in one text]({LLMS_FULL}): the pages above and every endpoint\n"
    );
    text
}

/// All of it.
pub(super) fn full() -> String {
    let mut text = String::from(ABOUT);
    for page in pages() {
        let _ = write!(text, "\n---\n\n{}", page.text);
    }
    for facade in Facade::ALL {
        let _ = write!(text, "\n---\n\n# Endpoints of {}\n", name_of(facade));
        endpoints::write(&mut text, &document_of(facade));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_short_one_has_the_form_of_its_convention() {
        let text = short();
        let mut lines = text.lines().filter(|line| !line.is_empty());
        assert_eq!(lines.next(), Some("# mailsonde"));
        assert!(lines.next().is_some_and(|line| line.starts_with("> ")));
        let rest: Vec<&str> = lines.skip(1).collect();
        assert!(rest.iter().all(|line| line.starts_with("## ") || line.starts_with("- [")), "{rest:#?}");
        assert!(rest.contains(&"## Optional"));
    }

    #[test]
    fn the_long_one_has_every_page_and_every_operation() {
        let text = full();
        for page in pages() {
            assert!(text.contains(page.text), "{}", page.name);
        }
        for document in Facade::ALL.into_iter().map(document_of) {
            let document = serde_json::to_value(document).unwrap();
            for (path, methods) in document["paths"].as_object().unwrap() {
                for (method, said) in methods.as_object().unwrap() {
                    let heading = format!(
                        "\n## {} {path}: {}\n",
                        method.to_uppercase(),
                        said["summary"].as_str().unwrap()
                    );
                    assert!(text.contains(&heading), "{heading}");
                }
            }
        }
    }
}
