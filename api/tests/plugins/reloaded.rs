//! New versions of plugins take over while others work.

use std::{fs, sync::Arc, time::Duration};

use mailsonde::{Inputs, Parts, Verifier, keep_plugins_fresh};
use mailsonde_engine::{Finding, Policy};

use super::{Folder, guest::Guest};

const TOML: &str = "[stage.mine]\nwasm = 'DIR/mine.wat'\n[pipeline.signup]\nstages = ['syntax', 'mine']\n";

/// Much longer than a look at the file and a reload take, also on a machine with other things to do.
const SOON: Duration = Duration::from_secs(30);

fn saying(reason: &str) -> Guest {
    Guest::named("mine").version(reason).text("word", reason).check(
        "(call $opine (local.get $outcome) (i32.const 2) (global.get $word) (global.get $word_len) (f64.const 0.5))",
    )
}

/// The reason that the plugin gives now.
async fn reason(verifier: &Verifier) -> String {
    let inputs = vec!["jane@a.example".to_owned()];
    let answer = verifier.verify(Inputs { first_row: 1, inputs }).await;
    let findings = &answer.verdicts[0].evidence.findings;
    let reason = findings.iter().find_map(|recorded| match &recorded.finding {
        Finding::Opinion(opinion) => Some(opinion.reason.to_string()),
        _ => None,
    });
    reason.unwrap_or_else(|| panic!("no opinion in {findings:?}"))
}

#[test]
fn a_changed_file_takes_over_and_a_bad_one_does_not() {
    let folder = Folder::new();
    folder.guest("mine", &saying("first"));
    let settings = folder.settings(TOML);
    let parts = Parts::new(&settings).unwrap();
    let pipeline = mailsonde::pipeline(&settings, &parts, "signup", &[]).unwrap();
    let verifier = Arc::new(Verifier::new(pipeline, Policy::default(), SOON));
    let [plugin] = &parts.plugins()[..] else { panic!("one plugin") };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let watch = tokio::spawn(keep_plugins_fresh(parts.plugins()));
        assert_eq!(reason(&verifier).await, "first");

        // Whole or not at all, as whoever copies files should do it.
        let replace = |guest: &[u8]| {
            let new = folder.write("new", guest);
            fs::rename(new, folder.path().join("mine.wat")).unwrap();
        };
        replace(saying("second").wat().as_bytes());
        let taken_over = async {
            // Nothing fails meanwhile: each run has the one answer or the other.
            while reason(&verifier).await == "first" {}
            assert_eq!(reason(&verifier).await, "second");
        };
        tokio::time::timeout(SOON, taken_over).await.expect("the new version takes over");
        assert_eq!((plugin.stats().reloads, plugin.description().version), (1, "second".to_owned()));

        replace(b"(module (nothing))");
        let looked_at = async {
            // The file counts as seen once it has been refused.
            while plugin.has_changed() {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(SOON, looked_at).await.expect("the file is looked at");
        assert_eq!(reason(&verifier).await, "second");
        replace(saying("third").wat().as_bytes());
        let taken_over = async { while reason(&verifier).await != "third" {} };
        tokio::time::timeout(SOON, taken_over).await.expect("a good version takes over again");
        watch.abort();
    });
}

/// SIGHUP is a daemon's: it is heeded where no terminal could send it.
#[cfg(unix)]
#[test]
fn sighup_loads_plugins_anew_without_a_terminal() {
    use std::{
        io::{BufRead, BufReader, Write},
        process::{Command, Stdio},
    };

    let folder = Folder::new();
    folder.guest("mine", &saying("first"));
    let toml = folder.toml(&TOML.replace("signup", "verify"));
    let mut command = Command::new("setsid"); // a session of its own has no terminal
    let program = folder.command(Some(&toml), &["--log", "info", "verify", "--format", "jsonl", "-"]);
    command.arg(program.get_program()).args(program.get_args()).current_dir(folder.path());
    command.envs(program.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let mut verdicts = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut log = BufReader::new(child.stderr.take().unwrap()).lines();
    // A verdict says that the process is at work, and so heeds the signal.
    stdin.write_all(b"jane@a.example\n").unwrap();
    verdicts.next().unwrap().unwrap();
    let hangup = Command::new("kill").args(["-HUP", &child.id().to_string()]).status().unwrap();
    assert!(hangup.success());
    let line = log.next().expect("the process goes on and tells what it did").unwrap();
    assert!(line.starts_with("plugin mine: a new version takes over: first, sha256 "), "{line}");
    stdin.write_all(b"jane@b.example\n").unwrap();
    assert!(verdicts.next().unwrap().unwrap().contains("jane@b.example"));
    drop(stdin);
    assert!(child.wait().unwrap().success());
}
