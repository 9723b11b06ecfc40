use super::*;
#[test]
fn x() {
    assert!(parse("Jane Doe").is_ok());
}
