//! The pages of `docs/` that concern clients and operators, as this version of the program has them: `/docs` lists them,
//! `/docs/jobs` is one to read and `/docs/jobs.md` the same as it was written. `/llms.txt` and `/llms-full.txt` are made of
//! the same list, for programs that read.
//!
//! What concerns the program's own makers – decisions, the map of the sources – is not served.

mod endpoints;
mod html;
mod llms;

use std::{collections::BTreeMap, sync::LazyLock};

use axum::{
    extract::Path,
    http::{
        HeaderMap, HeaderValue,
        header::{CONTENT_SECURITY_POLICY, REFERRER_POLICY},
    },
    response::Response,
};

use super::{refusal::Refusal, shape::Shape, tagged::Tagged};

/// Where the pages are.
pub(super) const DOCS: &str = "/docs";

/// The index once more, for who comes to a folder.
pub(super) const FOLDER: &str = "/docs/";
pub(super) const PAGE: &str = "/docs/{page}";
pub(super) const LLMS: &str = "/llms.txt";
pub(super) const LLMS_FULL: &str = "/llms-full.txt";

const HTML: &str = "text/html; charset=utf-8";
const MARKDOWN: &str = "text/markdown; charset=utf-8";
const TEXT: &str = "text/plain; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";

/// What a page may do: look as it should, and nothing else.
const MAY: &str =
    "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// A page.
struct Page {
    /// Of its file and its path.
    name: &'static str,
    /// What it is about, in a sentence.
    about: &'static str,
    /// As it was written.
    text: &'static str,
}

impl Page {
    /// Its first heading.
    fn title(&self) -> &'static str {
        self.text.lines().next().and_then(|line| line.strip_prefix("# ")).unwrap_or(self.name)
    }
}

/// Pages for somebody.
struct Section {
    title: &'static str,
    pages: &'static [Page],
}

/// All of them, in the order in which they are listed.
const SECTIONS: [Section; 2] = [
    Section {
        title: "For clients",
        pages: &[
            Page {
                name: "api-email-verifier",
                about: "Verify one address, a batch or a table: `/api/v1/*` with the header `Api-Key`.",
                text: include_str!("../../../docs/api-email-verifier.md"),
            },
            Page {
                name: "api-relentless",
                about: "Find people's addresses and verify addresses, at once or as jobs: `/client/*`.",
                text: include_str!("../../../docs/api-relentless.md"),
            },
            Page {
                name: "api-tasks",
                about: "Tasks of up to 10,000 addresses and their jobs: `/api/v1/tasks*`.",
                text: include_str!("../../../docs/api-tasks.md"),
            },
            Page {
                name: "finder",
                about: "How a person's name and a domain become an address, and when none is claimed.",
                text: include_str!("../../../docs/finder.md"),
            },
            Page {
                name: "webhooks",
                about: "Being told when a job ends: what comes, how it is signed, and when it comes again.",
                text: include_str!("../../../docs/webhooks.md"),
            },
            Page {
                name: "csv",
                about: "How tables are read, and which columns they come back with.",
                text: include_str!("../../../docs/csv.md"),
            },
        ],
    },
    Section {
        title: "For operators",
        pages: &[
            Page {
                name: "clients",
                about: "Who is served: clients, their keys, what a key is good for, and hosts of products.",
                text: include_str!("../../../docs/clients.md"),
            },
            Page {
                name: "billing",
                about: "Credits: what costs one, when they are held and settled, and what a quota does.",
                text: include_str!("../../../docs/billing.md"),
            },
            Page {
                name: "jobs",
                about: "Work in the background: states, deadlines, limits, and what happens when something fails.",
                text: include_str!("../../../docs/jobs.md"),
            },
            Page {
                name: "relentless",
                about: "Relentless Identity: where it goes beyond the product, its limits, and what is used up.",
                text: include_str!("../../../docs/relentless.md"),
            },
            Page {
                name: "tasks",
                about: "The tasks product: where it goes beyond the product, its words, its limits, and what is used up.",
                text: include_str!("../../../docs/tasks.md"),
            },
            Page {
                name: "plugins",
                about: "Checks of one's own, as WebAssembly components.",
                text: include_str!("../../../docs/plugins.md"),
            },
        ],
    },
];

fn pages() -> impl Iterator<Item = &'static Page> {
    SECTIONS.iter().flat_map(|section| section.pages)
}

/// What stands below `/docs/`, by its name.
static FILES: LazyLock<BTreeMap<String, Tagged>> = LazyLock::new(|| {
    let pages = pages().flat_map(|page| {
        [
            (page.name.to_owned(), Tagged::new(html::page(page), HTML)),
            (format!("{}.md", page.name), Tagged::new(page.text, MARKDOWN)),
        ]
    });
    let style = ("style.css".to_owned(), Tagged::new(include_str!("manual/style.css"), CSS));
    pages.chain([style]).collect()
});

static INDEX: LazyLock<Tagged> = LazyLock::new(|| Tagged::new(html::index(), HTML));
static SHORT: LazyLock<Tagged> = LazyLock::new(|| Tagged::new(llms::short(), TEXT));
static FULL: LazyLock<Tagged> = LazyLock::new(|| Tagged::new(llms::full(), TEXT));

/// The list of pages.
pub(super) async fn index(theirs: HeaderMap) -> Response {
    shown(&INDEX, &theirs)
}

/// A page.
pub(super) async fn page(Path(name): Path<String>, theirs: HeaderMap) -> Response {
    FILES.get(&name).map_or_else(|| Shape::Ours.refuse(&Refusal::NoRoute), |file| shown(file, &theirs))
}

/// What there is, for programs that read.
pub(super) async fn llms(theirs: HeaderMap) -> Response {
    SHORT.answer(&theirs)
}

/// All of it.
pub(super) async fn llms_full(theirs: HeaderMap) -> Response {
    FULL.answer(&theirs)
}

fn shown(file: &Tagged, theirs: &HeaderMap) -> Response {
    let mut response = file.answer(theirs);
    let headers = response.headers_mut();
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(MAY));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    response
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use super::*;

    #[test]
    fn every_page_of_the_folder_is_served() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs");
        let files =
            fs::read_dir(folder).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap());
        let mut files: Vec<String> = files.filter(|name| name.contains(".md")).collect();
        let mut served: Vec<String> = pages().map(|page| format!("{}.md", page.name)).collect();
        files.sort_unstable();
        served.sort_unstable();
        assert_eq!(served, files);
    }

    #[test]
    fn every_page_has_a_title_of_its_own() {
        let mut titles: Vec<&str> = pages().map(Page::title).collect();
        titles.sort_unstable();
        assert!(titles.is_sorted_by(|one, next| one < next), "{titles:?}");
        assert!(pages().all(|page| page.text.starts_with("# ")));
    }
}
