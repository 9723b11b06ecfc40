//! Signatures of messages, by the Standard Webhooks specification: HMAC-SHA256 over `id.timestamp.body`, in base64,
//! after `v1,`. While secrets change, there is one for each, separated by spaces.

use std::fmt::Write as _;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use super::secrets::Secret;

/// What the header `webhook-signature` holds; none where there is no secret. `timestamp`: seconds since 1970.
pub(super) fn sign(secrets: &[Secret], id: &str, timestamp: i64, body: &[u8]) -> Option<String> {
    let head = format!("{id}.{timestamp}.");
    let signature = |secret: &Secret| {
        let mac = Hmac::<Sha256>::new_from_slice(secret.octets()).expect("a key may have any length");
        let mac = mac.chain_update(head.as_bytes()).chain_update(body);
        format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
    };
    let signatures: Vec<String> = secrets.iter().map(signature).collect();
    (!signatures.is_empty()).then(|| signatures.join(" "))
}

/// What the header `x-webhook-signature` holds, as the tasks product has it: `sha256=` and HMAC-SHA256 over the body in
/// hexadecimal, under the newest secret as it is written; none where there is none.
pub(super) fn sign_body(secrets: &[Secret], body: &[u8]) -> Option<String> {
    let written = secrets.first()?.written();
    let mac = Hmac::<Sha256>::new_from_slice(written.as_bytes()).expect("a key may have any length");
    let digest = mac.chain_update(body).finalize().into_bytes();
    let mut signature = "sha256=".to_owned();
    for octet in digest {
        // Writing to a text does not fail.
        let _ = write!(signature, "{octet:02x}");
    }
    Some(signature)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_alone_is_signed_under_the_newest_secret_as_it_is_written() {
        let (new, old) = (Secret::read("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap(), Secret::draw());
        // Python: hmac.new(b"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", b'{"test": 2432232314}', "sha256").hexdigest()
        let expected = "sha256=80ec8a89ce3cd22133a1066caecb4d04fea7467657c8514d717ec42c38a5c94c";
        assert_eq!(sign_body(&[new, old], BODY).as_deref(), Some(expected));
        assert_eq!(sign_body(&[], BODY), None);
    }

    /// The example that libraries of the specification are tested with.
    const ID: &str = "msg_p5jXN8AQM9LWM0D4loKWxJek";
    const BODY: &[u8] = br#"{"test": 2432232314}"#;
    const EXPECTED: &str = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";

    #[test]
    fn as_the_specification_has_it() {
        let secret = Secret::read("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        assert_eq!(sign(&[secret], ID, 1_614_265_330, BODY).as_deref(), Some(EXPECTED));
    }

    #[test]
    fn one_for_each_secret_and_none_without() {
        let (old, new) = (Secret::draw(), Secret::draw());
        let both = sign(&[old.clone(), new.clone()], ID, 1, BODY).unwrap();
        let alone = [old, new].map(|secret| sign(&[secret], ID, 1, BODY).unwrap());
        assert_eq!(both, alone.join(" "));
        assert_ne!(alone[0], alone[1]);
        assert_eq!(sign(&[], ID, 1, BODY), None);
    }
}
