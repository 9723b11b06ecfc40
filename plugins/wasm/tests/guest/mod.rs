//! Guests for tests, written as WebAssembly text: a prelude that knows the interface's layouts, and the few lines in
//! which a guest differs. The host makes components of them, so that nothing but cargo is needed.

#![allow(dead_code)] // each test uses what it needs of it
#![allow(clippy::unwrap_used)] // a guest that cannot be built fails its test

use std::fmt::Write;

const PRELUDE: &str = include_str!("prelude.wat");

/// Where the texts begin; before them is room for what guests write at fixed places.
const TEXTS: usize = 4_096;

/// Where memory that guests ask for begins.
const HEAP: usize = 128 << 10;

/// Functions that guests import: interface, name, and the type that the canonical ABI gives it.
const IMPORTS: &[(&str, &str, &str)] = &[
    ("mailsonde:stage/log@1.0.0", "write", "(param i32 i32 i32)"),
    ("mailsonde:stage/clock@1.0.0", "now", "(result f64)"),
    ("mailsonde:stage/config@1.0.0", "json", "(param i32)"),
    ("mailsonde:stage/dns@1.0.0", "lookup-many", "(param i32 i32 i32)"),
    ("mailsonde:stage/cache@1.0.0", "get-many", "(param i32 i32 i32)"),
    ("mailsonde:stage/cache@1.0.0", "set-many", "(param i32 i32) (result i32)"),
    ("wasi:cli/stderr@0.2.0", "get-stderr", "(result i32)"),
    ("wasi:io/streams@0.2.0", "[method]output-stream.blocking-write-and-flush", "(param i32 i32 i32 i32)"),
    ("wasi:random/random@0.2.0", "get-random-bytes", "(param i64 i32)"),
];

/// A guest to be built.
#[derive(Debug, Clone)]
pub(crate) struct Guest {
    id: String,
    version: String,
    reads: Vec<String>,
    may_read: Vec<String>,
    writes: Vec<String>,
    batch_hint: u32,
    imports: Vec<&'static str>,
    texts: Vec<(String, Vec<u8>)>,
    items: String,
    check: String,
    check_many: String,
    configure: String,
    describe: String,
}

impl Guest {
    /// A guest that says of every subject that it was seen: risky, 0.5.
    pub(crate) fn named(id: &str) -> Self {
        Self {
            id: id.into(),
            version: "1.0.0".into(),
            reads: Vec::new(),
            may_read: Vec::new(),
            writes: Vec::new(),
            batch_hint: 0,
            imports: Vec::new(),
            texts: vec![("seen".into(), b"seen".into())],
            items: String::new(),
            check: "(call $see (local.get $outcome))".into(),
            check_many: "(call $check_each (local.get $subjects) (local.get $count))".into(),
            configure: "(call $alloc (i32.const 12) (i32.const 4))".into(),
            describe: "(i32.const DESCRIPTION)".into(),
        }
    }

    /// Its version, for people.
    pub(crate) fn version(mut self, version: &str) -> Self {
        self.version = version.into();
        self
    }

    /// A fact that it needs.
    pub(crate) fn reads(mut self, key: &str) -> Self {
        self.reads.push(key.into());
        self
    }

    /// A fact that it uses.
    pub(crate) fn may_read(mut self, key: &str) -> Self {
        self.may_read.push(key.into());
        self
    }

    /// A fact that it writes.
    pub(crate) fn writes(mut self, key: &str) -> Self {
        self.writes.push(key.into());
        self
    }

    /// Subjects of a call.
    pub(crate) fn batch_hint(mut self, subjects: u32) -> Self {
        self.batch_hint = subjects;
        self
    }

    /// A function of the host, as `$write`, `$now`, `$lookup-many`.
    pub(crate) fn imports(mut self, function: &'static str) -> Self {
        assert!(IMPORTS.iter().any(|(_, name, _)| *name == function), "no function {function}");
        self.imports.push(function);
        self
    }

    /// A text, or other octets: `(global.get $name) (global.get $name_len)`.
    pub(crate) fn text(mut self, name: &str, text: impl AsRef<[u8]>) -> Self {
        self.texts.push((name.into(), text.as_ref().into()));
        self
    }

    /// Something beside its functions: a table, a global, a function of its own.
    pub(crate) fn item(mut self, item: &str) -> Self {
        self.items.push_str(item);
        self
    }

    /// What it does at each subject: has `$subject`, `$outcome` and a `$scratch`, returns nothing.
    pub(crate) fn check(mut self, body: &str) -> Self {
        self.check = body.into();
        self
    }

    /// What it does at a struck subject; it sees the others.
    pub(crate) fn when_struck(self, body: &str) -> Self {
        self.check(&format!(
            "(if (call $is_struck (local.get $subject))
               (then {body})
               (else (call $see (local.get $outcome))))"
        ))
    }

    /// What it does at a call: has `$subjects`, `$count` and a `$scratch`, returns a list of outcomes.
    pub(crate) fn check_many(mut self, body: &str) -> Self {
        self.check_many = body.into();
        self
    }

    /// What it does at a call in which a subject is struck; else it sees them.
    pub(crate) fn when_any_struck(self, body: &str) -> Self {
        self.check_many(&format!(
            "(if (result i32) (call $is_any_struck (local.get $subjects) (local.get $count))
               (then {body})
               (else (call $check_each (local.get $subjects) (local.get $count))))"
        ))
    }

    /// What `configure` does: returns a result.
    pub(crate) fn configure(mut self, body: &str) -> Self {
        self.configure = body.into();
        self
    }

    /// What `describe` does: returns a description, such as the usual one at `DESCRIPTION`.
    pub(crate) fn describe(mut self, body: &str) -> Self {
        self.describe = body.into();
        self
    }

    /// The guest as text: a core module.
    pub(crate) fn wat(&self) -> String {
        let mut texts = Texts { octets: Vec::new(), globals: String::new() };
        for (name, text) in &self.texts {
            texts.name(name, text);
        }
        let description = self.description(&mut texts);
        let imports: String = self.imports.iter().map(|name| import(name)).collect();
        let mut data = String::new();
        texts.octets.iter().for_each(|octet| write!(data, "\\{octet:02x}").unwrap());
        assert!(TEXTS + texts.octets.len() < HEAP, "too many texts");
        let Self { items, check, check_many, configure, describe, .. } = self;
        let Texts { globals, .. } = texts;
        format!(
            r#"(module
{imports}
{PRELUDE}
  (data (i32.const {TEXTS}) "{data}")
{globals}
{items}
  (func $check (param $subject i32) (param $outcome i32)
    (local $scratch i32)
    {check})
  (func (export "mailsonde:stage/plugin@1.0.0#describe") (result i32)
    {describe})
  (func (export "mailsonde:stage/plugin@1.0.0#configure") (result i32)
    {configure})
  (func (export "mailsonde:stage/plugin@1.0.0#check-many") (param $subjects i32) (param $count i32) (result i32)
    (local $scratch i32)
    {check_many})
)"#
        )
        .replace("DESCRIPTION", &description.to_string())
        .replace("HEAP", &HEAP.to_string())
    }

    /// Lays out what `describe` returns.
    fn description(&self, texts: &mut Texts) -> usize {
        let mut record = Vec::new();
        for text in [&self.id, &self.version] {
            record.extend([texts.push(text.as_bytes()), text.len()]);
        }
        for keys in [&self.reads, &self.may_read, &self.writes] {
            let list: Vec<usize> =
                keys.iter().flat_map(|key| [texts.push(key.as_bytes()), key.len()]).collect();
            record.extend([texts.push(&words(&list)), keys.len()]);
        }
        record.push(self.batch_hint as usize);
        texts.push(&words(&record))
    }
}

/// Octets that are in a guest's memory from the beginning.
struct Texts {
    octets: Vec<u8>,
    globals: String,
}

impl Texts {
    /// Returns where they are.
    fn push(&mut self, octets: &[u8]) -> usize {
        self.octets.resize(self.octets.len().next_multiple_of(4), 0);
        let begin = TEXTS + self.octets.len();
        self.octets.extend_from_slice(octets);
        begin
    }

    fn name(&mut self, name: &str, octets: &[u8]) {
        let begin = self.push(octets);
        let count = octets.len();
        writeln!(self.globals, "  (global ${name} i32 (i32.const {begin}))").unwrap();
        writeln!(self.globals, "  (global ${name}_len i32 (i32.const {count}))").unwrap();
    }
}

fn words(words: &[usize]) -> Vec<u8> {
    words.iter().flat_map(|word| u32::try_from(*word).unwrap().to_le_bytes()).collect()
}

fn import(function: &str) -> String {
    let (interface, name, kind) = IMPORTS.iter().find(|(_, name, _)| *name == function).unwrap();
    let word = name.rsplit_once('.').map_or(*name, |(_, word)| word);
    format!("  (import \"{interface}\" \"{name}\" (func ${word} {kind}))\n")
}
