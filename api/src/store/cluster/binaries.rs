//! Which Postgres is installed, and which of several a cluster needs.

use std::{
    env,
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use super::{error::ClusterError, owner::Owner, program};

/// The oldest version that the service knows.
pub(super) const VERSION_MIN: u32 = 15;

/// The programs that have to be in one folder.
const PROGRAMS: [&str; 3] = ["initdb", "pg_ctl", "postgres"];

/// Printing a version takes milliseconds; this is for a disk that has to wake up.
const VERSION_WITHIN: Duration = Duration::from_secs(20);

/// Folders `parent/prefix*/below`. The star is any text, or none; where all is prefix, it is the version.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    parent: &'static str,
    prefix: &'static str,
    below: &'static str,
}

/// Where packages put the programs: Debian's, those of Postgres' own for Red Hat, its sources, and Homebrew's.
pub(super) const PLACES: &[Place] = &[
    Place { parent: "/usr/lib/postgresql", prefix: "", below: "bin" },
    Place { parent: "/usr", prefix: "pgsql-", below: "bin" },
    Place { parent: "/usr/local", prefix: "pgsql", below: "bin" },
    Place { parent: "/opt/homebrew/opt", prefix: "postgresql@", below: "bin" },
];

/// The programs of one version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Binaries {
    /// Where they are.
    pub(super) folder: PathBuf,
    /// The major version.
    pub(super) version: u32,
}

/// All that are found in `places`, and where the `pg_ctl` of `path` really is. None twice.
pub(super) fn installed(places: &[Place], path: Option<&OsStr>, owner: &Owner) -> Vec<Binaries> {
    let of_path = path.into_iter().flat_map(env::split_paths).filter_map(|folder| {
        // Often a link to one of several versions.
        Some(fs::canonicalize(folder.join("pg_ctl")).ok()?.parent()?.to_owned())
    });
    let mut folders: Vec<PathBuf> = of_path.chain(places.iter().flat_map(|place| place.folders())).collect();
    folders.sort();
    folders.dedup();
    folders.retain(|folder| PROGRAMS.iter().all(|program| folder.join(program).is_file()));
    folders.into_iter().filter_map(|folder| Binaries::of(folder, owner)).collect()
}

impl Place {
    fn folders(self) -> impl Iterator<Item = PathBuf> {
        let entries = fs::read_dir(self.parent).into_iter().flatten().flatten();
        let fits = move |name: &OsStr| name.as_encoded_bytes().starts_with(self.prefix.as_bytes());
        let folders = entries.filter(move |entry| fits(&entry.file_name()));
        folders.filter_map(move |entry| fs::canonicalize(entry.path().join(self.below)).ok())
    }
}

impl Binaries {
    /// None if they do not say their version.
    fn of(folder: PathBuf, owner: &Owner) -> Option<Self> {
        let mut postgres = owner.command(&folder.join("postgres"));
        postgres.arg("--version");
        let version = version(&program::succeed(postgres, VERSION_WITHIN).ok()?)?;
        Some(Self { folder, version })
    }

    /// Where a program of it is.
    pub(super) fn program(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }
}

/// The major version in `postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)`, or `17beta1`.
fn version(line: &str) -> Option<u32> {
    let number =
        line.split_whitespace().find(|word| word.starts_with(|first: char| first.is_ascii_digit()))?;
    let end = number.find(|digit: char| !digit.is_ascii_digit()).unwrap_or(number.len());
    number[..end].parse().ok()
}

/// Those that are new enough, the newest first.
///
/// # Errors
/// There is none.
pub(super) fn usable(mut installed: Vec<Binaries>) -> Result<Vec<Binaries>, ClusterError> {
    installed.sort_by_key(|binaries| std::cmp::Reverse(binaries.version));
    match installed.first() {
        None => Err(ClusterError::NotInstalled),
        Some(newest) if newest.version < VERSION_MIN => {
            Err(ClusterError::TooOld { folder: newest.folder.clone(), newest: newest.version })
        }
        Some(_) => {
            installed.retain(|binaries| binaries.version >= VERSION_MIN);
            Ok(installed)
        }
    }
}

/// The ones for the cluster in `data`: of the version that made it, or the newest if there is none yet.
///
/// # Errors
/// The version that made it is not there, or cannot be read.
pub(super) fn choose(usable: Vec<Binaries>, data: &Path) -> Result<Binaries, ClusterError> {
    let Some(made_by) = made_by(data)? else {
        return usable.into_iter().next().ok_or(ClusterError::NotInstalled);
    };
    let versions: Vec<_> = usable.iter().map(|binaries| binaries.version.to_string()).collect();
    usable.into_iter().find(|binaries| binaries.version == made_by).ok_or_else(|| {
        ClusterError::OtherVersion { folder: data.to_owned(), made_by, installed: versions.join(", ") }
    })
}

/// The version that made a cluster; none if there is no cluster.
fn made_by(data: &Path) -> Result<Option<u32>, ClusterError> {
    if !data.exists() {
        return Ok(None);
    }
    let file = data.join("PG_VERSION");
    let text = fs::read_to_string(&file).map_err(ClusterError::file(&file))?;
    let version = text.trim().parse().map_err(std::io::Error::other).map_err(ClusterError::file(&file))?;
    Ok(Some(version))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn some(versions: &[u32]) -> Vec<Binaries> {
        versions
            .iter()
            .map(|&version| Binaries { folder: format!("/pg/{version}").into(), version })
            .collect()
    }

    #[test]
    fn the_major_version_is_read_from_releases_and_from_betas() {
        assert_eq!(version("postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)\n"), Some(15));
        assert_eq!(version("postgres (PostgreSQL) 19beta1"), Some(19));
        assert_eq!(version("postgres: command not found"), None);
    }

    #[test]
    fn what_is_too_old_is_not_used() {
        assert_eq!(usable(some(&[14, 17, 15])).unwrap(), some(&[17, 15]));
        let error = usable(some(&[13, 14])).unwrap_err().to_string();
        assert!(error.starts_with("Postgres 14 in /pg/14 is too old: install 15 or newer"), "{error}");
    }

    #[test]
    fn a_cluster_gets_the_version_that_made_it_and_a_new_one_the_newest() {
        let data = tempfile::tempdir().unwrap();
        assert_eq!(choose(some(&[17, 15]), &data.path().join("none")).unwrap().version, 17);
        fs::write(data.path().join("PG_VERSION"), "15\n").unwrap();
        assert_eq!(choose(some(&[17, 15]), data.path()).unwrap().version, 15);
        let error = choose(some(&[18, 17]), data.path()).unwrap_err().to_string();
        assert!(error.contains("is of Postgres 15, but installed is 18, 17:"), "{error}");
    }
}
