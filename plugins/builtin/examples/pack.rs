//! Vendors a list: packs lines of text into a list of a data folder, as `mailsonde data refresh` does for operators.
//!
//! `cargo run -p mailsonde-builtin --example pack -- FOLDER LIST TEXT NAME VERSION DATE LICENCE [curated|broad] [--force]`
//!
//! Called by `data/refresh.py`; it is not part of the service.

#![allow(clippy::print_stderr)] // a command-line tool

use std::{env, error::Error, fs, path::Path};

use mailsonde_builtin::lists::{ListName, Refresh, Source, refresh};
use mailsonde_engine::Tier;

fn main() -> Result<(), Box<dyn Error>> {
    let (options, words): (Vec<String>, Vec<String>) =
        env::args().skip(1).partition(|word| word.starts_with("--"));
    let [folder, list, text, name, version, date, licence, tier @ ..] = words.as_slice() else {
        return Err("usage: pack FOLDER LIST TEXT NAME VERSION DATE LICENCE [curated|broad] [--force]".into());
    };
    let tier = match tier.first().map(String::as_str) {
        None => None,
        Some("curated") => Some(Tier::Curated),
        Some("broad") => Some(Tier::Broad),
        Some(other) => return Err(format!("no such tier: {other}").into()),
    };
    let change = Refresh {
        list: ListName::from_name(list).ok_or_else(|| format!("no such list: {list}"))?,
        text: &fs::read_to_string(text)?,
        source: Source {
            name: name.clone(),
            version: version.clone(),
            date: date.clone(),
            licence: licence.clone(),
            tier,
            entries: 0,
        },
        force: options.iter().any(|option| option == "--force"),
    };
    let done = refresh(Path::new(folder), &change)?;
    for line in &done.refused {
        eprintln!("{text}:{}: {}", line.number, line.reason);
    }
    eprintln!("{list}: {} entries, before {}; {} kept out", done.after, done.before, done.kept_out);
    Ok(())
}
