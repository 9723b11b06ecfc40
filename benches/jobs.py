"""`benches/run jobs`: the queue and the jobs on a Postgres of their own, whose commits are on the disk.

- Tasks that do nothing: drained by `mailsonde work` and, at the same batch size on the same server, by apalis-postgres
  (`benches/peers/apalis-postgres`). Ours are tasks that close no job: one is claimed under a lease, handled, and removed
  under its fence, as any other is. What a worker does without tasks – starting, and noticing that there is nothing – is
  taken off; the peer's seconds do not hold it either.
- A list of 100,000 addresses: submitted, and worked at without asking anybody, against `mailsonde verify` from file to
  file. What both do without addresses is taken off.
- When a task that is due is taken, what a claim costs, and how long a killed worker's chunks wait.
"""

import contextlib
import json
import os
import re
import signal
import statistics
import subprocess
import tempfile
import time

import postgres

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
PEERS = os.path.join(ROOT, os.environ.get("CARGO_TARGET_DIR", "target"), "peers")
TASKS = 20_000
ITEMS = 100_000
RUNS = 3
# Longer than anything here needs; without it, what hangs would hang the bench.
RUN_SECONDS_MAX = 300
# The client of tasks that nobody submitted.
OWN = "00000000-0000-7000-8000-000000000000"

# Notes when each task was taken: the trigger runs within the claim.
WATCH = """
create table taken (task bigint, attempt int, at timestamptz, late_ms float8);
create function note() returns trigger language plpgsql as $$ begin
    insert into taken
    values (new.id, new.attempt, clock_timestamp(), extract(epoch from clock_timestamp() - new.due_at) * 1000);
    return null;
end $$;
create trigger note after update on task for each row
    when (old.state = 'ready' and new.state = 'running') execute function note();
"""


def obstacle():
    return postgres.obstacle()


class Program:
    """The binary, with a store and a folder of its own."""

    def __init__(self, release, server, folder):
        self.binary, self.server = f"{release}/mailsonde", server
        self.env = {**os.environ, "MAILSONDE_DATABASE__URL": server.url, "MAILSONDE_DATA__DIR": folder}

    def start(self, *args, prefix=(), settings=None, **options):
        env = {**self.env, **{f"MAILSONDE_{key}": str(value) for key, value in (settings or {}).items()}}
        return subprocess.Popen([*prefix, self.binary, *args], env=env, **options)

    def run(self, *args, settings=None, **options):
        """Seconds, and the peak of memory in MiB."""
        limit = ["timeout", "-k", "1", str(RUN_SECONDS_MAX)]
        began = time.monotonic()
        process = self.start(*args, prefix=limit, settings=settings, **options)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = status
        assert status == 0, f"mailsonde {args[0]} ended with status {status}"
        return time.monotonic() - began, usage.ru_maxrss / 1024

    def work_until_idle(self, **settings):
        """Seconds. It looks often, so that what has to be taken off is little."""
        return self.run("work", "--until-idle", settings={"JOBS__POLL": "50ms", **settings})[0]

    @contextlib.contextmanager
    def worker(self, **settings):
        """One that stays until it is killed; it dies with us."""
        process = self.start("work", prefix=postgres.TIED[:2] + ["KILL", "--"], settings=settings)
        try:
            yield process
        finally:
            process.kill()
            process.wait()

    def fresh(self):
        """An empty store."""
        self.server.create(postgres.NAME)
        self.run("migrate")
        self.server.sql("delete from task")

    def add_tasks(self, count, due="now()", deadline="now()"):
        task = f"'close', '{OWN}', {due}, {deadline} from generate_series(1, {count}) n"
        self.server.sql(f"insert into task (kind, client, due_at, deadline_at) select {task}")


def bench(release, tell):
    with tempfile.TemporaryDirectory(prefix="mailsonde-jobs-") as folder, postgres.running() as server:
        os.chmod(folder, 0o700)
        program = Program(release, server, folder)
        for part in (queue, submission_and_drain, pickup, dead_tuples, recovery):
            program.fresh()
            part(program, folder, tell)


def queue(program, _, tell):
    print(f"{TASKS:,} tasks that do nothing, against apalis-postgres 1.0 on the same Postgres")
    build = ["cargo", "build", "--release", "--locked", "--quiet", "--target-dir", PEERS]
    subprocess.run(build, check=True, cwd=f"{ROOT}/benches/peers/apalis-postgres")
    for batch in (10, 100):
        rounds = [(ours_drained(program, batch), peers_drained(program, batch)) for _ in range(RUNS)]
        ours, theirs = map(statistics.median, zip(*rounds))
        print(f"  batches of {batch}: {ours:,.0f} tasks a second, apalis-postgres {theirs:,.0f}")
        tell(f"times the peer, batches of {batch}", ours / theirs, 3)


def ours_drained(program, batch):
    """Tasks a second."""
    program.fresh()
    without = program.work_until_idle(JOBS__TASKS_AT_ONCE=batch)
    program.add_tasks(TASKS)
    seconds = program.work_until_idle(JOBS__TASKS_AT_ONCE=batch) - without
    assert program.server.sql("select count(*) from task") == [["0"]]
    return TASKS / seconds


def peers_drained(program, batch):
    program.server.create("peer")
    url = program.server.url_of("peer")
    options = ["--url", url, "--tasks", str(TASKS), "--batch", str(batch), "--concurrency", str(batch)]
    peer = [f"{PEERS}/release/apalis-postgres-peer", *options]
    done = subprocess.run(peer, check=True, stdout=subprocess.PIPE, text=True, timeout=RUN_SECONDS_MAX)
    return TASKS / json.loads(done.stdout)["drain_s"]


def submission_and_drain(program, folder, tell):
    print(f"A list of {ITEMS:,} addresses")
    with open(f"{folder}/list", "w") as file:
        subprocess.run([f"{os.path.dirname(program.binary)}/generate", str(ITEMS)], check=True, stdout=file)
    verify = ["verify", "--offline", "--format", "jsonl", "--input"]
    rounds = []
    for _ in range(RUNS):
        program.fresh()
        without = program.work_until_idle()
        idle = program.run("job", "list", stdout=subprocess.DEVNULL)[1]
        submitted, peak = program.run("job", "submit", "--offline", file.name, stdout=subprocess.DEVNULL)
        drained = program.work_until_idle() - without
        assert program.server.sql("select state, items from job") == [["completed", str(ITEMS)]]
        with open(f"{folder}/verdicts", "w") as verdicts:
            direct = program.run(*verify, file.name, stdout=verdicts)[0]
            direct -= program.run(*verify, os.devnull, stdout=verdicts)[0]
        rounds.append((submitted, peak - idle, drained, direct))
    submitted, more, drained, direct = (statistics.median(column) for column in zip(*rounds))
    tell("submitting it", submitted, 1, at_least=False, unit=" s")
    tell("memory for that, more than `job list`", more, 64, at_least=False, unit=" MiB")
    print(f"  drained in {drained:.2f} s, commits included; verified from file to file in {direct:.2f} s")
    tell("share of the rows a second from file to file", direct / drained, 0.6)


def pickup(program, _, tell):
    print("From when a task is due until it is taken: 1,000 in ten seconds, known beforehand, so that nobody rings for them")
    program.server.sql(WATCH)
    for title, backlog, goal in (("idle", 0, 100), ("busy", 300_000, 100)):
        program.server.sql("truncate taken; delete from task")
        # What comes later than they do, and lasts for all that time.
        program.add_tasks(backlog, deadline="now() + interval '1 day'")
        [[last]] = program.server.sql("select coalesce(max(id), 0) from task")
        with program.worker():
            program.add_tasks(1000, due="now() + interval '1 second' + n * interval '10 ms'")
            time.sleep(12)
            [[left]] = program.server.sql("select count(*) from task")
        assert (int(left) > 0) == (backlog > 0), f"{left} tasks are left"
        share = "percentile_cont({}) within group (order by late_ms)"
        figures = f"select count(*), {share.format(0.5)}, {share.format(0.99)} from taken where task > {last}"
        [[taken, median, p99]] = program.server.sql(figures)
        assert taken == "1000", f"{taken} were taken"
        tell(f"{title}: median", float(median), unit=" ms")
        tell(f"{title}: p99", float(p99), goal, at_least=False, unit=" ms")


def dead_tuples(program, _, tell):
    print("What a claim of 32 tasks costs, 1,000 ready")
    claim = claim_statement()
    program.add_tasks(1000)
    program.server.sql("vacuum analyze task")
    clean = explained(program, claim)
    program.server.sql("delete from task")
    with held_xmin(program):
        program.add_tasks(100_000)
        program.server.sql("update task set state = 'running'")
        program.server.sql("delete from task")
        program.add_tasks(1000)
        dead = explained(program, claim)
    for title, (millis, buffers) in (("no dead tuples", clean), ("100,000 dead tuples that nobody may remove", dead)):
        print(f"  {title}: {millis:.2f} ms, {buffers:,} buffers")
    tell("a claim among dead tuples", dead[0], 100, at_least=False, unit=" ms")


def claim_statement():
    with open(f"{ROOT}/api/src/store/tasks.rs") as source:
        return re.search(r'CLAIM: &str = "(.*?)";', source.read(), re.S).group(1)


def explained(program, claim):
    """Milliseconds and buffers; the best of some."""
    explain = f"begin; explain (analyze, buffers, format json) execute claim('{OWN}', 30, 32); rollback; select '---';"
    text = program.server.sql(f"prepare claim(uuid, float8, bigint) as {claim};" + explain * RUNS)
    plans = [json.loads(plan)[0] for plan in "\n".join(line for [line] in text).split("---")[:-1]]
    buffers = ("Shared Hit Blocks", "Shared Read Blocks")
    return min((plan["Execution Time"], sum(plan["Plan"][which] for which in buffers)) for plan in plans)


@contextlib.contextmanager
def held_xmin(program):
    """A transaction that looks at what was there before, and goes on looking."""
    psql = [f"{program.server.bin}/psql", "-XqAt", program.server.url]
    process = subprocess.Popen(psql, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    process.stdin.write("begin isolation level repeatable read; select 1;\n")
    process.stdin.flush()
    process.stdout.readline()
    yield
    process.communicate("rollback;")


def recovery(program, folder, tell):
    lease = 3
    print(f"A worker is killed, its lease is {lease} s, and another one works")
    program.server.sql(WATCH)
    program.run("job", "submit", "--offline", f"{folder}/list", stdout=subprocess.DEVNULL)
    with program.worker(JOBS__LEASE=f"{lease}s") as killed:
        while int(program.server.sql("select count(*) from taken")[0][0]) < 40:
            pass  # it is done within a second
        killed.send_signal(signal.SIGKILL)
        killed.wait()
        [[since, held]] = program.server.sql("select clock_timestamp(), count(*) from task where state = 'running'")
        assert int(held) > 0, "nothing was at work any more"
    with program.worker(JOBS__LEASE=f"{lease}s"):
        until = time.monotonic() + 10 * lease
        while int(program.server.sql("select count(*) from taken where attempt = 1")[0][0]) < int(held):
            assert time.monotonic() < until, "they were not taken over"
            time.sleep(0.05)
    [[seconds]] = program.server.sql(f"select extract(epoch from max(at) - '{since}') from taken where attempt = 1")
    print(f"  {held} chunks were at work")
    tell("until the last of them is at work again", float(seconds), lease * 4 / 3, at_least=False, unit=" s")
