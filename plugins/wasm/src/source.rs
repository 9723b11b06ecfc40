//! A plugin's file: reading it within limits, checking its digest, and making a component of whatever it holds – a
//! component or a core module, binary or text.

use std::{
    borrow::Cow,
    error::Error,
    fs,
    io::{self, Read},
    path::Path,
    time::SystemTime,
};

use sha2::{Digest, Sha256};
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::{Resolve, SourceMap, WorldId};

use crate::{
    PluginError,
    contained::contained,
    limits::{FILE_OCTETS_MAX, TEXT_OCTETS_MAX},
};

/// The interface, as authors get it: the name of each file and its text.
pub const WIT: [(&str, &str); 3] = [
    ("plugin.wit", include_str!("../../../wit/v1/plugin.wit")),
    ("imports.wit", include_str!("../../../wit/v1/imports.wit")),
    ("worlds.wit", include_str!("../../../wit/v1/worlds.wit")),
];

/// What a binary module begins with; a component has another version after it.
const MODULE: &[u8] = b"\0asm\x01\0\0\0";

/// What every WebAssembly binary begins with.
const BINARY: &[u8] = b"\0asm";

/// A file that was read.
pub(crate) struct Source {
    pub(crate) octets: Vec<u8>,
    /// SHA-256 of the file, in hexadecimal.
    pub(crate) digest: String,
    pub(crate) stamp: Stamp,
}

/// How a file looks from outside: another look tells whether it has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stamp {
    modified: Option<SystemTime>,
    octets: u64,
    #[cfg(unix)]
    inode: u64,
}

impl Stamp {
    pub(crate) fn of(path: &Path) -> Result<Self, PluginError> {
        let metadata =
            fs::metadata(path).map_err(|source| PluginError::Read { path: path.to_owned(), source })?;
        Ok(Self {
            modified: metadata.modified().ok(),
            octets: metadata.len(),
            #[cfg(unix)]
            inode: std::os::unix::fs::MetadataExt::ino(&metadata),
        })
    }
}

impl Source {
    /// Reads a file, which must have the pinned digest if there is one.
    pub(crate) fn read(path: &Path, pinned: Option<&str>) -> Result<Self, PluginError> {
        let stamp = Stamp::of(path)?;
        if stamp.octets > FILE_OCTETS_MAX {
            return Err(PluginError::TooLarge { path: path.to_owned(), octets: stamp.octets });
        }
        let octets = read(path).map_err(|source| PluginError::Read { path: path.to_owned(), source })?;
        let found = hex(&Sha256::digest(&octets));
        match pinned {
            Some(pinned) if !pinned.eq_ignore_ascii_case(&found) => {
                Err(PluginError::Digest { found, pinned: pinned.to_owned() })
            }
            _ => Ok(Self { octets, digest: found, stamp }),
        }
    }

    /// The component in the file.
    pub(crate) fn component(&self) -> Result<Cow<'_, [u8]>, PluginError> {
        componentize(&self.octets)
    }
}

/// The file's octets; no more than allowed, even if it grows meanwhile.
fn read(path: &Path) -> io::Result<Vec<u8>> {
    // A device has no end, and a pipe perhaps no beginning.
    if !fs::metadata(path)?.is_file() {
        return Err(io::Error::other("no file"));
    }
    let mut octets = Vec::new();
    fs::File::open(path)?.take(FILE_OCTETS_MAX).read_to_end(&mut octets)?;
    Ok(octets)
}

/// Makes a component of a component or a core module, binary or text. A module exports what the interface's canonical
/// ABI calls for; where it does not say which world it was made for, it is taken to be `full`.
///
/// # Errors
/// [`PluginError::Malformed`] for what is neither, or is damaged.
pub fn componentize(octets: &[u8]) -> Result<Cow<'_, [u8]>, PluginError> {
    if !octets.starts_with(BINARY) && octets.len() > TEXT_OCTETS_MAX {
        let why = format!("no binary, and as text larger than {TEXT_OCTETS_MAX} octets");
        return Err(PluginError::Malformed(why));
    }
    contained(|| {
        let binary =
            if octets.starts_with(BINARY) { Cow::Borrowed(octets) } else { wat::parse_bytes(octets)? };
        if binary.starts_with(MODULE) { encoded(binary.into_owned()).map(Cow::Owned) } else { Ok(binary) }
    })
}

/// A module as a component.
fn encoded(mut module: Vec<u8>) -> Result<Vec<u8>, Box<dyn Error + Send + Sync>> {
    if wit_component::metadata::decode(&module)?.0.is_none() {
        let (resolve, world) = interface("full")?;
        embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8)?;
    }
    Ok(ComponentEncoder::default().module(&module)?.validate(true).encode()?)
}

/// The interface, parsed, and one of its worlds.
///
/// # Errors
/// There is no such world.
pub fn interface(world: &str) -> Result<(Resolve, WorldId), Box<dyn Error + Send + Sync>> {
    let mut map = SourceMap::new();
    for (name, text) in WIT {
        map.push(Path::new(name), text);
    }
    let group = map.parse().map_err(|(_, error)| format!("{error}"))?;
    let mut resolve = Resolve::new();
    resolve.push_group(group)?;
    let packages: Vec<_> = resolve.packages.iter().map(|(id, _)| id).collect();
    let world = resolve.select_world(&packages, Some(world))?;
    Ok((resolve, world))
}

/// Octets in hexadecimal.
pub(crate) fn hex(octets: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |nibble: u8| char::from(DIGITS[usize::from(nibble)]);
    octets.iter().flat_map(|octet| [digit(octet >> 4), digit(octet & 15)]).collect()
}
