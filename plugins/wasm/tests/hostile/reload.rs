//! A new version takes over without a gap, and only if it is right.

use std::sync::Arc;

use mailsonde_wasm::{Grant, Host, InstanceKind, PluginError, WasmStage};

use crate::{
    guest::Guest,
    pipeline::{Folder, Nobody, SEEN, run, run_now, runtime},
    time::{Gate, asking, load_with_gate},
};

/// Says this of everybody.
fn saying(word: &str) -> Guest {
    Guest::named("speaker").text("word", word).check(
        "(call $opine (local.get $outcome) (i32.const 2) (global.get $word) (global.get $word_len)
           (f64.const 0.5))",
    )
}

fn load(folder: &Folder, guest: &Guest) -> Arc<WasmStage> {
    let config = folder.write(guest.wat());
    Arc::new(Host::new(None).unwrap().load("plugin", config, Arc::new(Nobody)).unwrap())
}

fn says(stage: &Arc<WasmStage>) -> String {
    run_now(stage, &["jane@example.com"]).remove(0)
}

#[test]
fn a_new_version_takes_over() {
    let folder = Folder::new();
    let stage = load(&folder, &saying("old"));
    assert_eq!(says(&stage), "risky old 0.5");
    let digest = stage.digest();
    assert!(!stage.has_changed());
    folder.write(saying("newer").version("2.0.0").wat());
    assert!(stage.has_changed());
    assert_eq!(says(&stage), "risky old 0.5");
    stage.reload().unwrap();
    assert_eq!(says(&stage), "risky newer 0.5");
    assert!(!stage.has_changed());
    assert_ne!(stage.digest(), digest);
    assert_eq!((stage.description().version.as_str(), stage.stats().reloads), ("2.0.0", 1));
}

#[test]
fn what_runs_goes_on_with_the_old_version() {
    let gate = Arc::new(Gate::default());
    let (folder, stage) = load_with_gate(&asking(), &gate);
    runtime().block_on(async {
        let running = tokio::spawn({
            let stage = stage.clone();
            async move { run(&stage, &["x@example.com"]).await }
        });
        gate.asked.notified().await;
        // The new version asks nobody.
        let new = Guest::named("asking").text("new", "new").when_struck(
            "(call $opine (local.get $outcome) (i32.const 2) (global.get $new) (global.get $new_len)
               (f64.const 0.5))",
        );
        folder.write(new.wat());
        let reloading = stage.clone();
        tokio::task::spawn_blocking(move || reloading.reload()).await.unwrap().unwrap();
        assert_eq!(run(&stage, &["x@example.com"]).await, ["risky new 0.5"]);
        assert!(!running.is_finished());
        gate.open.notify_one();
        assert_eq!(running.await.unwrap(), [SEEN]);
    });
}

#[test]
fn a_bad_version_leaves_the_old_one_running() {
    let folder = Folder::new();
    let stage = load(&folder, &saying("old"));
    let whole = saying("newer").module();
    let asks = "(call $lookup-many (i32.const 0) (i32.const 0) (i32.const 8))";
    let bad: [Vec<u8>; 6] = [
        Vec::new(),
        b"hello".to_vec(),
        whole[..whole.len() / 2].to_vec(),
        saying("newer").configure("(call $refuse (i32.const 0) (i32.const 0))").module(),
        saying("newer").check("unreachable").module(),
        saying("newer").imports("lookup-many").check(asks).module(),
    ];
    for octets in bad {
        folder.write(octets);
        assert!(stage.reload().is_err());
        // It was looked at, and is not looked at again until it changes.
        assert!(!stage.has_changed());
        assert_eq!(says(&stage), "risky old 0.5");
    }
    std::fs::remove_file(folder.file()).unwrap();
    assert!(matches!(stage.reload(), Err(PluginError::Read { .. })));
    assert_eq!(says(&stage), "risky old 0.5");
    assert_eq!(stage.stats().reloads, 0);
    folder.write(whole);
    stage.reload().unwrap();
    assert_eq!(says(&stage), "risky newer 0.5");
}

#[test]
fn other_facts_need_another_pipeline() {
    let folder = Folder::new();
    let stage = load(&folder, &saying("old").writes("speaker.a"));
    for other in [
        saying("newer"),
        saying("newer").writes("speaker.b"),
        saying("newer").writes("speaker.a").writes("speaker.b"),
        saying("newer").writes("speaker.a").reads("role.type"),
    ] {
        folder.write(other.wat());
        assert!(matches!(stage.reload(), Err(PluginError::OtherFacts)));
        assert_eq!(says(&stage), "risky old 0.5");
    }
    // What it can do without is no matter of order.
    folder.write(saying("newer").writes("speaker.a").may_read("role.type").wat());
    stage.reload().unwrap();
    assert_eq!(says(&stage), "risky newer 0.5");
}

#[test]
fn a_pinned_file_is_not_replaced() {
    let folder = Folder::new();
    let mut config = folder.write(saying("old").wat());
    let host = Host::new(None).unwrap();
    config.sha256 = Some(host.inspect(&folder.file()).unwrap().digest);
    let stage = Arc::new(host.load("plugin", config, Arc::new(Nobody)).unwrap());
    folder.write(saying("newer").wat());
    assert!(matches!(stage.reload(), Err(PluginError::Digest { .. })));
    assert_eq!(says(&stage), "risky old 0.5");
}

#[test]
fn warm_instances_of_the_old_version_serve_nobody() {
    let folder = Folder::new();
    let mut config = folder.write(saying("old").wat());
    (config.instance, config.grants) = (InstanceKind::Warm, vec![Grant::Cache]);
    let stage = Arc::new(Host::new(None).unwrap().load("plugin", config, Arc::new(Nobody)).unwrap());
    assert_eq!((says(&stage).as_str(), stage.stats().warm), ("risky old 0.5", 1));
    folder.write(saying("newer").wat());
    stage.reload().unwrap();
    assert_eq!((stage.stats().warm, says(&stage).as_str()), (0, "risky newer 0.5"));
}

/// Room passes: an older version that is still at work takes it.
#[test]
fn a_version_for_which_there_is_no_room_is_tried_again() {
    let folder = Folder::new();
    let mut config = folder.write(saying("old").wat());
    config.instances_max = 600;
    let stage = Arc::new(Host::new(None).unwrap().load("plugin", config, Arc::new(Nobody)).unwrap());
    folder.write(saying("newer").wat());
    for _ in 0..2 {
        assert!(stage.has_changed());
        let refused = stage.reload();
        assert!(matches!(refused, Err(PluginError::NoRoom { instances: 600, .. })), "{refused:?}");
    }
    assert_eq!(says(&stage), "risky old 0.5");
}
