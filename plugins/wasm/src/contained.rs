//! Decoders and compilers of others, at work on files of others.

use std::{
    any::Any,
    error::Error,
    panic::{AssertUnwindSafe, catch_unwind},
};

use crate::{PluginError, error::shown};

/// Runs a decoder. A damaged file can be such that a decoder panics over it instead of refusing it; that must cost the
/// file, not the process. What the decoder had begun is dropped with the panic, so nothing half done is seen by anyone.
pub(crate) fn contained<T>(
    decode: impl FnOnce() -> Result<T, Box<dyn Error + Send + Sync>>,
) -> Result<T, PluginError> {
    match catch_unwind(AssertUnwindSafe(decode)) {
        Ok(Ok(decoded)) => Ok(decoded),
        Ok(Err(error)) => Err(PluginError::Malformed(shown(&causes(&*error)))),
        Err(panic) => Err(PluginError::Malformed(shown(&format!("the decoder gave up: {}", said(&*panic))))),
    }
}

/// The error with all that caused it: the first line alone often names a step, and the last one what is wrong.
fn causes(error: &(dyn Error + 'static)) -> String {
    let chain = std::iter::successors(Some(error), |error: &&(dyn Error + 'static)| (*error).source());
    chain.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

fn said(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("it panicked")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_a_refusal() {
        let refused = contained::<()>(|| panic!("index {} is out of range", 7));
        assert_eq!(
            refused.unwrap_err().to_string(),
            "no WebAssembly component: the decoder gave up: index 7 is out of range"
        );
    }

    #[test]
    fn causes_are_named() {
        let cause = PluginError::Malformed("two".into());
        let error = PluginError::Read { path: "one".into(), source: std::io::Error::other(cause) };
        let refused = contained::<()>(|| Err(error.into()));
        assert!(refused.unwrap_err().to_string().contains("two"));
    }
}
