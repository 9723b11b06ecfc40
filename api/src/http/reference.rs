//! `GET /api/reference`: the products' documents as a page, drawn by [Scalar](https://github.com/scalar/scalar) in the browser. Its
//! script is not ours and not in this repository: it comes with a crate, of which nothing else is used, and is in every
//! build.
//!
//! Nothing goes out: the script comes from here, its own features that ask others are switched off in `reference/start.js`,
//! and the browser is told to ask nobody else, should one be forgotten.

use std::sync::LazyLock;

use axum::{
    http::{
        HeaderMap, HeaderValue,
        header::{CONTENT_SECURITY_POLICY, REFERRER_POLICY},
    },
    response::Response,
};
use serde_json::{Value, json};
use tokio::task::spawn_blocking;

use super::{document::name_of, refusal::Refusal, shape::Shape, tagged::Tagged};
use crate::access::Facade;

/// Where people are sent who want to know what there is.
pub(crate) const REFERENCE: &str = "/api/reference";

/// What the page asks for. Below it, so that a proxy that lets through the one lets through the others.
pub(super) const SCALAR: &str = "/api/reference/scalar.js";
pub(super) const START: &str = "/api/reference/start.js";
pub(super) const DOCUMENT: &str = "/api/reference/openapi.json";

/// What the page may do. Scalar writes style sheets and attributes while it draws, of which it gives only the first the
/// nonce that would tell them from others; without pictures and fonts from elsewhere, none can be used to tell anybody
/// anything. It draws its pictures itself and takes the fonts that the system has.
const MAY: &str = "default-src 'none'; script-src 'self'; style-src 'unsafe-inline'; connect-src 'self'; \
                   base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const HTML: &str = "text/html; charset=utf-8";
const JAVASCRIPT: &str = "text/javascript; charset=utf-8";

static PAGE: LazyLock<Tagged> = LazyLock::new(|| Tagged::new(include_str!("reference/page.html"), HTML));
/// Made when somebody asks: the crate hands out a copy.
static SCALAR_SCRIPT: LazyLock<Tagged> = LazyLock::new(|| Tagged::new(script(), JAVASCRIPT));
static START_SCRIPT: LazyLock<Tagged> = LazyLock::new(|| Tagged::new(start_script(), JAVASCRIPT));

/// Where the page asks for a product's document.
pub(super) fn source_of(facade: Facade) -> String {
    format!("{REFERENCE}/{}.json", facade.word())
}

/// What is drawn: a product each. `/api/reference?api=tasks` shows the one of this word.
fn sources() -> Vec<Value> {
    let source =
        |facade| json!({ "slug": Facade::word(facade), "title": name_of(facade), "url": source_of(facade) });
    Facade::ALL.into_iter().map(source).collect()
}

/// The script, which is the same whatever is served, after what is.
fn start_script() -> String {
    format!("const SOURCES = {};\n{}", Value::Array(sources()), include_str!("reference/start.js"))
}

/// Scalar, as its makers build it for browsers.
fn script() -> Vec<u8> {
    scalar_api_reference::get_asset("scalar.js").expect("the crate's version is pinned, and that one has it")
}

/// The page.
pub(super) async fn page(theirs: HeaderMap) -> Response {
    let mut response = PAGE.answer(&theirs);
    let headers = response.headers_mut();
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(MAY));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    response
}

/// What draws it.
pub(super) async fn scalar(theirs: HeaderMap) -> Response {
    // The first time that takes milliseconds, for which others of this thread would wait.
    let answered = spawn_blocking(move || SCALAR_SCRIPT.answer(&theirs)).await;
    answered.unwrap_or_else(|_| Shape::Ours.refuse(&Refusal::Internal))
}

/// What says how.
pub(super) async fn start(theirs: HeaderMap) -> Response {
    START_SCRIPT.answer(&theirs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_asks_for_what_is_served_and_for_nothing_else() {
        let page = include_str!("reference/page.html");
        let asked: Vec<&str> =
            page.split("src=\"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
        assert_eq!(asked, [SCALAR, START]);
        assert!(page.contains(&format!("href=\"{DOCUMENT}\"")));
        let script = start_script();
        for facade in Facade::ALL {
            assert!(script.contains(&format!("\"url\":\"{}\"", source_of(facade))), "{script}");
        }
    }

    #[test]
    fn the_script_is_the_one_that_the_notice_names() {
        let notice = include_str!("../../../NOTICE");
        let (_, named) = notice.split_once("copy of @scalar/api-reference ").unwrap();
        let version = named.lines().next().unwrap();
        let script = String::from_utf8(script()).unwrap();
        assert!(script.contains(&format!("* @scalar/api-reference {version}\n")), "{version}");
    }
}
