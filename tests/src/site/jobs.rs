//! Jobs of an installation, by its commands, and the processes that work at them.

use serde_json::Value;

use super::{MARK, Site, process::Process};

impl Site {
    /// Starts a process that works.
    pub fn worker(&self) -> Process {
        self.start_process(&["--log", "debug", "work"])
    }

    /// Starts a process that works, and waits until it is at work at some chunk.
    pub fn worker_at_work(&self) -> Process {
        self.worker_that(str::to_owned)
    }

    /// Starts a process that works, and waits until it is at work. `None`: no chunk of this job is left, others have done
    /// what there was.
    pub fn worker_at(&self, job: &str) -> Option<Process> {
        let left = format!("exists (select from task where kind = 'chunk' and job = '{job}')");
        let is_left = || self.query(&format!("select {left}")) == "t";
        if !is_left() {
            return None;
        }
        let worker = self.worker_that(|is_at_work| format!("{is_at_work} or not {left}"));
        is_left().then_some(worker)
    }

    /// Starts a process that works, and waits for a condition made of that it is at work at some chunk.
    fn worker_that(&self, condition: impl Fn(&str) -> String) -> Process {
        let known = self.query("select coalesce(string_agg(quote_literal(id), ','), '''''') from worker");
        let worker = self.worker();
        let is_at_work = format!(
            "exists (select from task where kind = 'chunk' and state = 'running' and worker::text not in ({known}))"
        );
        self.wait(&format!("select {}", condition(&is_at_work)), "t");
        worker
    }

    /// Submits these inputs. Returns the job's id.
    pub fn submit(&self, inputs: &[String], args: &[&str]) -> String {
        let args: Vec<&str> = ["job", "submit", "-"].into_iter().chain(args.iter().copied()).collect();
        let run = self.run_with(&args, &inputs.join("\n"));
        assert!(run.status.success(), "{}", run.stderr);
        run.stdout.trim().to_owned()
    }

    /// What there is to tell of a job.
    pub fn job(&self, id: &str) -> Value {
        serde_json::from_str(&self.print(&["job", "show", id, "--format", "json"])).unwrap()
    }

    /// The verdicts of a job.
    pub fn results(&self, id: &str) -> Vec<Value> {
        self.command(&["job", "results", id, "--format", "jsonl"]).json_lines().unwrap()
    }

    /// Waits until a job has ended in this state.
    pub fn wait_for(&self, job: &str, state: &str) {
        self.wait(&format!("select state from job where id = '{job}'"), state);
    }

    /// Waits until so many chunks are at work at least.
    pub fn wait_until_at_work(&self) {
        self.wait("select count(*) > 0 from task where kind = 'chunk' and state = 'running'", "t");
    }

    /// A job that ended in this state has a verdict for each of its inputs, once and in order; its counts are those of
    /// the verdicts; nothing of it is left to do. Returns the verdicts.
    pub fn is_whole(&self, job: &str, state: &str, inputs: &[String]) -> Vec<Value> {
        let told = self.job(job);
        assert_eq!(told["state"], state, "{told}");
        let results = self.results(job);
        assert_eq!(results.len(), inputs.len(), "{told}");
        for (result, input) in results.iter().zip(inputs) {
            assert_eq!(result["email"], **input);
        }
        let counts = told["categories"].as_object().unwrap();
        for (category, count) in counts {
            let counted = results.iter().filter(|result| result["category"] == **category).count();
            assert_eq!(*count, counted, "{category}: {told}");
        }
        let counted: u64 = counts.values().filter_map(Value::as_u64).sum();
        assert_eq!(usize::try_from(counted).unwrap(), inputs.len(), "{told}");
        let left = format!("select count(*) from task where job = '{job}' and state <> 'dead'");
        assert_eq!(self.query(&left), "0");
        self.has_nothing_twice();
        results
    }

    /// No chunk has more verdicts than items.
    pub fn has_nothing_twice(&self) {
        let twice = "select count(*) from chunk join lateral (select sum(final) from part where part.job = chunk.job \
                     and part.chunk = chunk.no) parts on true where sum > items";
        assert_eq!(self.query(twice), "0", "no chunk has more verdicts than items");
    }

    /// A whole job all of whose verdicts are written down.
    pub fn is_done(&self, job: &str, inputs: &[String]) {
        self.is_whole(job, "completed", inputs);
        let written = format!("select coalesce(sum(final), 0) from part where job = '{job}'");
        assert_eq!(self.query(&written), inputs.len().to_string());
        assert_eq!(self.query(&format!("select count(*) from chunk where job = '{job}' and dead")), "0");
    }
}

/// So many addresses, all different, at 700 domains.
pub fn addresses(count: usize) -> Vec<String> {
    (0..count).map(|number| format!("{MARK}{number}@domain{}.test", number % 700)).collect()
}
