//! Whose a file is: code that is run must be ours, and nobody else's to write.

use std::fs::Metadata;

/// Whether nobody but us, and the machine's administrator, could have written it.
#[cfg(unix)]
pub(super) fn is_ours_alone(metadata: &Metadata) -> bool {
    use std::os::unix::fs::MetadataExt;
    let is_writable_by_others = metadata.mode() & 0o022 != 0;
    let is_ours = metadata.uid() == ADMINISTRATOR || our_id() == Some(metadata.uid());
    is_ours && !is_writable_by_others
}

#[cfg(not(unix))]
pub(super) fn is_ours_alone(_: &Metadata) -> bool {
    true
}

#[cfg(unix)]
const ADMINISTRATOR: u32 = 0;

/// The user that we are. None where it cannot be told: then nothing is ours.
#[cfg(unix)]
fn our_id() -> Option<u32> {
    use std::{fs, os::unix::fs::MetadataExt, sync::OnceLock};
    static OURS: OnceLock<Option<u32>> = OnceLock::new();
    // The standard library does not tell. Linux shows each process as a folder of its user; elsewhere a new file's
    // owner tells.
    *OURS.get_or_init(|| {
        if let Ok(process) = fs::metadata("/proc/self") {
            return Some(process.uid());
        }
        let path = std::env::temp_dir().join(format!("mailsonde-{}", std::process::id()));
        let owner = fs::File::create_new(&path).ok()?.metadata().ok()?.uid();
        let _ = fs::remove_file(path);
        Some(owner)
    })
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::{MetadataExt, PermissionsExt};

    use super::*;

    #[test]
    fn we_know_who_we_are() {
        let file = tempfile::NamedTempFile::new().unwrap();
        assert_eq!(our_id(), Some(file.as_file().metadata().unwrap().uid()));
    }

    #[test]
    fn what_others_may_write_to_is_not_ours_alone() {
        let file = tempfile::NamedTempFile::new().unwrap();
        for (mode, is_ours) in [(0o600, true), (0o644, true), (0o620, false), (0o602, false)] {
            file.as_file().set_permissions(std::fs::Permissions::from_mode(mode)).unwrap();
            assert_eq!(is_ours_alone(&file.as_file().metadata().unwrap()), is_ours, "{mode:o}");
        }
    }
}
