//! The page that describes the API, in a real browser: it is drawn whole for each product, says nothing of errors, and asks
//! nobody but the service.

use mailsonde_tests::site::{Site, client::Answer};
use serde_json::Value;

use crate::{
    browser::open,
    products::{PRODUCTS, documents},
};

/// What the document has: the tag, the method and the path of each operation.
fn operations(document: &Answer) -> Vec<(String, String, String)> {
    let document = document.json();
    let paths = document["paths"].as_object().unwrap().iter();
    let operations = paths.flat_map(|(path, methods)| {
        methods.as_object().unwrap().iter().map(move |(method, said)| {
            let tag = said["tags"][0].as_str().unwrap().to_lowercase();
            (tag, method.to_uppercase(), path.clone())
        })
    });
    operations.collect()
}

#[test]
fn a_browser_draws_every_operation_and_asks_nobody_else() {
    let site = Site::new(&[]);
    let served = site.serve();
    for (product, document) in documents(&served) {
        let opened = open(&served, &format!("/api/reference?api={product}"));

        // It greets with its name and version, and has nothing to say of styles, scripts or pictures that it may not have.
        let others: Vec<&String> =
            opened.console.iter().filter(|line| !line.contains("\"@scalar/api-reference@")).collect();
        assert!(others.is_empty() && opened.console.len() == 1, "{:#?}", opened.console);

        let below = format!("http://{}/api/reference", served.address);
        let own = [&format!("{product}.json"), "scalar.js", "start.js"].map(|name| format!("{below}/{name}"));
        assert!(own.iter().all(|own| opened.asked.contains(own)), "{:?}", opened.asked);
        assert!(opened.asked.iter().all(|asked| asked.starts_with(&below)), "{:?}", opened.asked);

        let operations = operations(&document);
        assert!(!operations.is_empty(), "{product}");
        for (tag, method, path) in operations {
            // Where it will stand when somebody comes so far, and where its section lists it.
            let place = format!("tag/{tag}/{method}{path}\"");
            let listed = format!("class=\"endpoint-path\">{path}</span>");
            let is_drawn = opened.drawn.contains(&place) && opened.drawn.contains(&listed);
            assert!(is_drawn, "{product}: {method} {path}");
        }
        if product == "email-verifier" {
            // The first is drawn in full: its fields, what it answers, and to where it would be sent.
            let address = format!("{}</span>", served.address);
            for part in ["verify.body.email\"", "verify.responses.402\"", &address] {
                assert!(opened.drawn.contains(part), "{part}: {}", opened.drawn);
            }
        }
    }
}

#[test]
fn each_product_has_a_document_of_its_own_and_the_whole_has_all_of_them() {
    let site = Site::new(&[]);
    let served = site.serve();
    let whole = served.get("/openapi.json").json();
    for product in PRODUCTS {
        let path = format!("/openapi/{product}.json");
        let printed = site.run(&["openapi", "--facade", product]);
        let document = served.get(&path);
        if !printed.status.success() {
            // What is not served has none.
            assert_eq!((document.status, document.header("content-type")), (404, "application/problem+json"));
            continue;
        }
        let printed: Value = serde_json::from_str(&printed.stdout).unwrap();
        assert_eq!(document.json(), printed, "{product}");
        for (path, methods) in printed["paths"].as_object().unwrap() {
            for method in methods.as_object().unwrap().keys() {
                assert!(whole["paths"][path].get(method).is_some(), "{product}: {method} {path}");
            }
        }
        assert_eq!(served.get(&format!("/api/reference/{product}.json")).body, document.body);
        let head = served.head(&path);
        assert_eq!((head.status, head.header("etag")), (200, document.header("etag")), "{product}");
    }
    assert_eq!(served.get("/openapi/other.json").status, 404);
}

#[test]
fn who_has_the_page_is_not_sent_it_again_and_it_may_do_little() {
    let site = Site::new(&[]);
    let served = site.serve();
    for (path, media_type) in [
        ("/api/reference", "text/html; charset=utf-8"),
        ("/api/reference/scalar.js", "text/javascript; charset=utf-8"),
        ("/api/reference/start.js", "text/javascript; charset=utf-8"),
        ("/api/reference/openapi.json", "application/json"),
        ("/api/reference/email-verifier.json", "application/json"),
        ("/openapi/email-verifier.json", "application/json"),
    ] {
        let first = served.get(path);
        assert_eq!((first.status, first.header("content-type")), (200, media_type), "{path}");
        assert_eq!(first.header("x-content-type-options"), "nosniff", "{path}");
        assert_eq!(first.header("cache-control"), "no-cache", "{path}");
        let tag = first.header("etag");
        let again = served.ask(format!(
            "GET {path} HTTP/1.1\r\nHost: x\r\nIf-None-Match: {tag}\r\nConnection: close\r\n\r\n"
        ));
        assert_eq!((again.status, &*again.body, again.header("etag")), (304, "", tag), "{path}");
    }
    let page = served.get("/api/reference");
    let may = page.header("content-security-policy");
    assert!(may.starts_with("default-src 'none'; script-src 'self';"), "{may}");
    assert!(may.contains("; connect-src 'self';") && !may.contains("unsafe-eval"), "{may}");
    // Of all that is let in, styles alone may stand in the page.
    assert_eq!(may.matches("unsafe-inline").count(), 1, "{may}");
    assert!(may.contains("style-src 'unsafe-inline'"), "{may}");
    let document = served.get("/api/reference/openapi.json");
    assert_eq!(document.body, served.get("/openapi.json").body);
}
