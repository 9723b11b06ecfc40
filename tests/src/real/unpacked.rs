//! Packages that `tests/setup` unpacks instead of installing them: Debian lets no two mail servers be installed at
//! once. What they are linked with is either installed or unpacked beside them.

use std::path::PathBuf;

use anyhow::{Result, ensure};

/// Where `tests/setup` unpacks, a folder per package.
const CACHE: &str = "/var/cache/mailsonde-tests";

/// The root of an unpacked package.
pub fn root(package: &str) -> Result<PathBuf> {
    let root = PathBuf::from(CACHE).join(package);
    ensure!(root.is_dir(), "{} is missing: tests/setup unpacks it", root.display());
    Ok(root)
}

#[cfg(test)]
mod tests {
    #[test]
    fn missing_package_is_an_error_that_says_what_to_do() {
        let error = super::root("no-such-package").unwrap_err().to_string();
        assert!(error.contains("no-such-package") && error.contains("tests/setup"), "{error}");
    }
}
