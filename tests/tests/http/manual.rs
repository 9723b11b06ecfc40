//! The pages of documentation, as a browser and a program that reads have them.

use mailsonde_tests::site::{Site, client::Answer, served::Served};

use crate::browser::open;

/// Pages that there are, of both kinds of readers.
const SOME: [&str; 3] = ["api-relentless", "finder", "jobs"];

/// What a text links to, in Markdown.
fn links(text: &str) -> Vec<&str> {
    text.split("](").skip(1).filter_map(|rest| rest.split(')').next()).collect()
}

fn is(answer: &Answer, media_type: &str) {
    assert_eq!((answer.status, answer.header("content-type")), (200, media_type), "{answer:?}");
    assert_eq!(answer.header("x-content-type-options"), "nosniff", "{answer:?}");
    assert_eq!(answer.header("cache-control"), "no-cache", "{answer:?}");
}

/// It is not sent again to who has it, and not at all to who asks about it.
fn is_tagged(served: &Served, path: &str, first: &Answer) {
    let tag = first.header("etag");
    let again = served
        .ask(format!("GET {path} HTTP/1.1\r\nHost: x\r\nIf-None-Match: {tag}\r\nConnection: close\r\n\r\n"));
    assert_eq!((again.status, &*again.body, again.header("etag")), (304, "", tag), "{path}");
    let head = served.head(path);
    let length = first.body.len().to_string();
    assert_eq!(
        (head.status, head.header("etag"), head.header("content-length")),
        (200, tag, &*length),
        "{path}"
    );
}

#[test]
fn a_page_is_there_to_read_and_as_it_was_written() {
    let site = Site::new(&[]);
    let served = site.serve();
    for name in SOME {
        let path = format!("/docs/{name}");
        let page = served.get(&path);
        is(&page, "text/html; charset=utf-8");
        is_tagged(&served, &path, &page);
        let may = page.header("content-security-policy");
        assert!(may.starts_with("default-src 'none'; style-src 'self';") && !may.contains("script"), "{may}");
        assert!(
            page.body.contains(&format!("href=\"{path}.md\"")) && !page.body.contains("<script"),
            "{page:?}"
        );

        let written = served.get(&format!("{path}.md"));
        is(&written, "text/markdown; charset=utf-8");
        is_tagged(&served, &format!("{path}.md"), &written);
        let title = written.body.lines().next().unwrap().strip_prefix("# ").unwrap();
        assert!(page.body.contains(&format!("{title}</h1>")), "{page:?}");
        // Links between pages lead from the one kind to the other pages of the same kind.
        for link in links(&written.body).into_iter().filter_map(|link| link.strip_suffix(".md")) {
            if !link.contains('/') {
                assert_eq!(served.get(&format!("/docs/{link}.md")).status, 200, "{name} leads to {link}");
                assert!(page.body.contains(&format!("href=\"/docs/{link}\"")), "{name} leads to {link}");
            }
        }
    }
    let index = served.get("/docs");
    is(&index, "text/html; charset=utf-8");
    assert_eq!(served.get("/docs/").body, index.body);
    let style = served.get("/docs/style.css");
    is(&style, "text/css; charset=utf-8");
    for unknown in ["/docs/other", "/docs/other.md", "/docs/../ARCHITECTURE.md", "/docs/decisions/README.md"]
    {
        let refused = served.get(unknown);
        assert_eq!((refused.status, refused.header("content-type")), (404, "application/problem+json"));
    }
}

#[test]
fn programs_find_every_page_and_every_document() {
    let site = Site::new(&[]);
    let served = site.serve();
    let short = served.get("/llms.txt");
    is(&short, "text/plain; charset=utf-8");
    is_tagged(&served, "/llms.txt", &short);
    assert!(short.body.starts_with("# mailsonde\n\n> "), "{short:?}");
    let full = served.get("/llms-full.txt");
    is(&full, "text/plain; charset=utf-8");
    is_tagged(&served, "/llms-full.txt", &full);
    let links = links(&short.body);
    for name in SOME {
        assert!(links.contains(&&*format!("/docs/{name}.md")), "{links:?}");
    }
    for link in links {
        let there = served.get(link);
        assert_eq!(there.status, 200, "{link}");
        match there.header("content-type") {
            "text/markdown; charset=utf-8" => assert!(full.body.contains(&there.body), "{link}"),
            "application/json" => {
                for (path, methods) in there.json()["paths"].as_object().unwrap() {
                    for method in methods.as_object().unwrap().keys() {
                        let heading = format!("\n## {} {path}: ", method.to_uppercase());
                        assert!(full.body.contains(&heading), "{link}: {heading}");
                    }
                }
            }
            other => assert_eq!((link, other), ("/llms-full.txt", "text/plain; charset=utf-8")),
        }
    }
}

#[test]
fn a_browser_shows_a_page_without_a_complaint_and_asks_for_its_style_alone() {
    let site = Site::new(&[]);
    let served = site.serve();
    for path in ["/docs", "/docs/api-relentless", "/docs/jobs"] {
        let opened = open(&served, path);
        assert!(opened.console.is_empty(), "{path}: {:#?}", opened.console);
        let style = format!("http://{}/docs/style.css", served.address);
        assert!(
            opened.asked.iter().all(|asked| *asked == style) && !opened.asked.is_empty(),
            "{:?}",
            opened.asked
        );
        assert!(opened.drawn.contains("<main>"), "{path}: {}", opened.drawn);
    }
}
