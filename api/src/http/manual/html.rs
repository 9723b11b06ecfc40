//! Markdown as pages that are read: no script, one style sheet, a name for every heading, and links that lead somewhere.

use std::fmt::Write as _;

use pulldown_cmark::{Alignment, CowStr, Event, Options, Parser, Tag, TagEnd, html::push_html};

use super::{DOCS, Page, SECTIONS, pages};

/// What the pages use of what is not in the first Markdown.
const KNOWN: Options = Options::ENABLE_TABLES.union(Options::ENABLE_STRIKETHROUGH);

/// A page.
pub(super) fn page(page: &Page) -> String {
    let mut written = String::with_capacity(2 * page.text.len());
    push_html(&mut written, prepared(page.text).into_iter());
    let aside = format!("<a href=\"{DOCS}/{}.md\">as Markdown</a>", page.name);
    framed(page.title(), &aside, &written)
}

/// The list of pages.
pub(super) fn index() -> String {
    let mut list = String::from(
        "# Documentation\n\nWhat can be asked, endpoint by endpoint, stands in [the API reference](/api/reference).\n",
    );
    for section in &SECTIONS {
        // Writing to a text cannot fail.
        let _ = write!(list, "\n## {}\n\n", section.title);
        for page in section.pages {
            let _ = writeln!(list, "- [{}]({}.md): {}", page.title(), page.name, page.about);
        }
    }
    let mut written = String::new();
    push_html(&mut written, prepared(&list).into_iter());
    framed("Documentation", "<a href=\"/llms.txt\">for programs</a>", &written)
}

fn framed(title: &str, aside: &str, body: &str) -> String {
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n<title>mailsonde: {title}</title>\n\
         <link rel=\"stylesheet\" href=\"{DOCS}/style.css\">\n</head>\n<body>\n\
         <header><a href=\"{DOCS}\">mailsonde</a> <a href=\"/api/reference\">API reference</a> {aside}</header>\n\
         <main>\n{body}</main>\n</body>\n</html>\n"
    )
}

/// What a text consists of, as it is to be written.
fn prepared(text: &str) -> Vec<Event<'_>> {
    let mut events: Vec<Event> = Parser::new_ext(text, KNOWN).collect();
    name_headings(&mut events);
    // Whether the links that are open lead somewhere; none stands in another.
    let mut leads = true;
    events.retain_mut(|event| match event {
        Event::Start(Tag::Link { dest_url, .. }) => {
            let place = place(dest_url);
            leads = place.is_some();
            if let Some(place) = place {
                *dest_url = CowStr::from(place);
            }
            leads
        }
        Event::End(TagEnd::Link) => leads,
        Event::Start(Tag::Table(columns)) => {
            // Would be styles in the page, which has none.
            columns.fill(Alignment::None);
            true
        }
        _ => true,
    });
    events
}

/// Where a link leads when the page is served. None: to what is not, files of the sources.
fn place(link: &str) -> Option<String> {
    if link.starts_with("https://") || link.starts_with('/') || link.starts_with('#') {
        return Some(link.to_owned());
    }
    let (file, part) = link.split_at(link.find('#').unwrap_or(link.len()));
    let name = file.strip_suffix(".md")?;
    pages().any(|page| page.name == name).then(|| format!("{DOCS}/{name}{part}"))
}

/// Gives headings their names, so that links lead to them.
fn name_headings(events: &mut [Event]) {
    for at in 0..events.len() {
        if !matches!(events[at], Event::Start(Tag::Heading { .. })) {
            continue;
        }
        let inner = events[at..].iter().take_while(|event| !matches!(event, Event::End(TagEnd::Heading(_))));
        let said: String = inner
            .filter_map(|event| match event {
                Event::Text(text) | Event::Code(text) => Some(&**text),
                _ => None,
            })
            .collect();
        if let Event::Start(Tag::Heading { id, .. }) = &mut events[at] {
            *id = Some(CowStr::from(named(&said)));
        }
    }
}

/// As those name headings who show Markdown: `## Ten commands` is `#ten-commands`.
fn named(heading: &str) -> String {
    let sign = |sign: char| match sign {
        ' ' => Some('-'),
        '-' | '_' => Some(sign),
        _ if sign.is_alphanumeric() => Some(sign),
        _ => None,
    };
    heading.to_lowercase().chars().filter_map(sign).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(text: &str) -> String {
        let mut written = String::new();
        push_html(&mut written, prepared(text).into_iter());
        written
    }

    #[test]
    fn links_lead_to_pages_and_what_is_not_served_is_no_link() {
        for (text, html) in [
            ("[a](jobs.md)", "<p><a href=\"/docs/jobs\">a</a></p>\n"),
            ("[a](jobs.md#limits)", "<p><a href=\"/docs/jobs#limits\">a</a></p>\n"),
            ("[a](#limits)", "<p><a href=\"#limits\">a</a></p>\n"),
            ("[a](/openapi.json)", "<p><a href=\"/openapi.json\">a</a></p>\n"),
            ("[a](https://example.org/)", "<p><a href=\"https://example.org/\">a</a></p>\n"),
            ("[`a`](../wit/v1) b", "<p><code>a</code> b</p>\n"),
            ("[a](decisions/0009-own-queue.md) [b](csv.md)", "<p>a <a href=\"/docs/csv\">b</a></p>\n"),
            ("[a](javascript:alert)", "<p>a</p>\n"),
        ] {
            assert_eq!(written(text), html, "{text}");
        }
    }

    #[test]
    fn headings_have_names_and_tables_no_styles() {
        assert_eq!(
            written("## What `outcome` says"),
            "<h2 id=\"what-outcome-says\">What <code>outcome</code> says</h2>\n"
        );
        let table = written("|a|b|\n|--:|---|\n|1|2|\n");
        assert!(table.contains("<th>a</th>") && !table.contains("style"), "{table}");
    }

    #[test]
    fn every_link_of_every_page_leads_to_what_is_there() {
        for from in pages() {
            let html = page(from);
            for link in html.split("href=\"").skip(1).filter_map(|rest| rest.split('"').next()) {
                let (path, part) = link.split_once('#').unwrap_or((link, ""));
                let name = path.strip_prefix("/docs/").unwrap_or_default();
                let Some(to) = pages().find(|page| page.name == name) else { continue };
                let is_there = part.is_empty() || page(to).contains(&format!(" id=\"{part}\""));
                assert!(is_there, "{} leads to {link}", from.name);
            }
            for part in html.split("href=\"#").skip(1).filter_map(|rest| rest.split('"').next()) {
                assert!(html.contains(&format!(" id=\"{part}\"")), "{} leads to #{part}", from.name);
            }
        }
    }
}
