//! The products, and what says of each what can be asked.

use mailsonde_tests::site::{client::Answer, served::Served};

/// The products, by their words.
pub(super) const PRODUCTS: [&str; 3] = ["email-verifier", "relentless", "tasks"];

/// Those that this version serves, with their documents.
pub(super) fn documents(served: &Served) -> Vec<(&'static str, Answer)> {
    let document = |product: &'static str| (product, served.get(&format!("/openapi/{product}.json")));
    let answered = PRODUCTS.map(document).into_iter();
    let documents: Vec<_> = answered.filter(|(_, answer)| answer.status == 200).collect();
    assert!(documents.iter().any(|(product, _)| *product == "email-verifier"), "{documents:?}");
    documents
}
