//! What guests log and print: so many lines of a call, each on one line, and no address in full.

use std::{
    fmt,
    sync::{Arc, Mutex},
};

use mailsonde_wasm::{InstanceKind, WasmStage};
use tracing::{
    Event, Level, Metadata, Subscriber,
    field::{Field, Visit},
    span,
};

use crate::{
    guest::Guest,
    pipeline::{SEEN, load, load_with, refusal, run_now, struck_in, try_load},
};

/// Collects the lines of a plugin.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<(Level, String)>>>);

impl Subscriber for Lines {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("mailsonde_wasm")
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut line = Line::default();
        event.record(&mut line);
        assert_eq!(line.plugin, "plugin", "{}", line.message);
        self.0.lock().unwrap().push((*event.metadata().level(), line.message));
    }

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}

#[derive(Default)]
struct Line {
    plugin: String,
    message: String,
}

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            self.message = format!("{value:?}");
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "plugin" {
            value.clone_into(&mut self.plugin);
        }
    }
}

/// What is logged while the plugin looks at one struck address.
fn logged(stage: &Arc<WasmStage>) -> Vec<(Level, String)> {
    let lines = Lines::default();
    tracing::subscriber::with_default(lines.clone(), || {
        assert_eq!(run_now(stage, &["x@example.com"]), [SEEN]);
    });
    let lines = lines.0.lock().unwrap();
    lines.clone()
}

/// Says a text so many times.
fn talker(text: impl AsRef<[u8]>, times: u32) -> Guest {
    Guest::named("talker")
        .imports("write")
        .text("text", text)
        .when_struck(&repeat(times, "(call $write (i32.const 1) (global.get $text) (global.get $text_len))"))
}

/// Prints a text so many times.
fn printer(text: impl AsRef<[u8]>, times: u32) -> Arc<WasmStage> {
    let guest = Guest::named("printer")
        .imports("get-stderr")
        .imports("[method]output-stream.blocking-write-and-flush")
        .text("text", text)
        .item("(global $stderr (mut i32) (i32.const 0))")
        .when_struck(&format!(
            "(global.set $stderr (call $get-stderr)) {}",
            repeat(
                times,
                "(call $blocking-write-and-flush
                   (global.get $stderr) (global.get $text) (global.get $text_len) (i32.const 64))",
            )
        ));
    try_load(guest.component_with_wasi(), |config| config.cpu_max = crate::pipeline::AMPLE).unwrap()
}

fn repeat(times: u32, call: &str) -> String {
    format!(
        "(local.set $scratch (i32.const {times}))
         (loop $more
           {call}
           (br_if $more (local.tee $scratch (i32.sub (local.get $scratch) (i32.const 1)))))
         (call $see (local.get $outcome))"
    )
}

fn warning(message: &str) -> (Level, String) {
    (Level::WARN, message.to_owned())
}

#[test]
fn addresses_are_shortened() {
    let lines = logged(&load(&talker("saw jane.doe@example.com and <bob@example.org>", 1)));
    assert_eq!(lines, [(Level::INFO, "saw j…@example.com and <b…@example.org>".to_owned())]);
}

#[test]
fn a_flood_is_cut_off_and_counted() {
    let mut lines = logged(&load(&talker("jane.doe@example.com", 5_000)));
    assert_eq!(lines.pop(), Some(warning("4900 more lines of this call are dropped")));
    assert_eq!(lines, vec![(Level::INFO, "j…@example.com".to_owned()); 100]);
}

#[test]
fn a_flood_is_counted_when_its_call_ends() {
    let stage = load_with(&talker("line", 150), |config| config.instance = InstanceKind::Warm);
    for _ in 0..2 {
        let mut lines = logged(&stage);
        assert_eq!(stage.stats().warm, 1);
        assert_eq!(lines.pop(), Some(warning("50 more lines of this call are dropped")));
        assert_eq!(lines.len(), 100);
    }
}

#[test]
fn exactly_as_many_as_allowed_are_no_flood() {
    assert_eq!(logged(&load(&talker("line", 100))).len(), 100);
}

#[test]
fn a_line_is_one_line_and_has_an_end() {
    let lines = logged(&load(&talker("one\ntwo\r\u{1b}[31mthree", 1)));
    assert_eq!(lines[0].1, "one two  [31mthree");
    let long = format!("{} jane.doe@example.com", "word ".repeat(1_000));
    let lines = logged(&load(&talker(long, 1)));
    assert!(lines[0].1.len() <= 1_024 + " …".len() && lines[0].1.ends_with("word …"), "{lines:?}");
}

#[test]
fn a_line_that_is_no_text_is_the_calls_fault() {
    let stage = load(&talker([b'a', 0xff], 1));
    let said = struck_in(&stage);
    assert!(said.starts_with("it returned ") && said.contains("utf-8"), "{said}");
}

#[test]
fn a_megabyte_is_not_taken() {
    let guest = Guest::named("talker").imports("write").when_struck(
        "(call $write (i32.const 1) (call $alloc (i32.const 2000000) (i32.const 1)) (i32.const 2000000))",
    );
    assert_eq!(crate::pipeline::struck(&guest), "it handed over too much at once");
}

#[test]
fn what_is_printed_is_logged() {
    let lines = logged(&printer("panicked at jane.doe@example.com:\n\n  in main\n", 1));
    assert_eq!(lines, [warning("panicked at j…@example.com:"), warning("  in main")]);
}

#[test]
fn a_flood_of_prints_is_cut_off_and_counted() {
    // More than is kept of it: 100 KiB.
    let text = "jane.doe@example.com\n".repeat(100);
    let mut lines = logged(&printer(text, 100));
    assert_eq!(lines.pop(), Some(warning("9900 more lines of this call are dropped")));
    assert_eq!(lines, vec![warning("j…@example.com"); 100]);
}

#[test]
fn what_is_cut_in_the_middle_of_an_address_shows_nothing_of_it() {
    // The limit of what is kept falls between `jane.doe` and `@example.com`.
    let long = format!("{}\n", "x".repeat(4_000 - 1));
    let last = format!("{} jane.doe@example.com\n", "y".repeat((100 << 10) - 25 * 4_000 - 9));
    let guest = Guest::named("printer")
        .imports("get-stderr")
        .imports("[method]output-stream.blocking-write-and-flush")
        .text("long", long)
        .text("last", last)
        .item("(global $stderr (mut i32) (i32.const 0))")
        .when_struck(&format!(
            "(global.set $stderr (call $get-stderr))
             {}
             (call $blocking-write-and-flush
               (global.get $stderr) (global.get $last) (global.get $last_len) (i32.const 64))",
            repeat(
                25,
                "(call $blocking-write-and-flush
                   (global.get $stderr) (global.get $long) (global.get $long_len) (i32.const 64))"
            )
        ));
    let stage =
        try_load(guest.component_with_wasi(), |config| config.cpu_max = crate::pipeline::AMPLE).unwrap();
    let lines = logged(&stage);
    assert_eq!(lines.len(), 26);
    assert!(lines.iter().all(|(_, line)| !line.contains("jane")), "{lines:?}");
    assert_eq!(lines[25], warning("1 more lines of this call are dropped"));
}

#[test]
fn what_a_plugin_says_of_itself_is_fit_to_be_shown() {
    let escape = Guest::named("painter").version("1.0\u{1b}[2J");
    assert_eq!(refusal(escape.wat()), "`describe` says: a version that is no short text on one line");
    let long = Guest::named("painter").version(&"1".repeat(65));
    assert_eq!(refusal(long.wat()), "`describe` says: a version that is no short text on one line");
    let guest = Guest::named("painter")
        .text("no", "rules.3:\n\u{1b}[2Jnot for jane.doe@example.com")
        .configure("(call $refuse (global.get $no) (global.get $no_len))");
    assert_eq!(refusal(guest.wat()), "it refuses its configuration: rules.3:  [2Jnot for j…@example.com");
}
