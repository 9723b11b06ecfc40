"""`benches/run serve`: the API on a Postgres of its own, whose commits are on the disk, against an axum handler with
nothing around it (`benches/src/bin/bare.rs`), which reads and writes JSON of the same length.

- `POST /api/v1/verify` without DNS and mail servers: keys, limits, and credits that are on the disk before the answer is
  given. wrk asks; it, the service and Postgres share this machine's processors, and so do wrk and the peer.
- What the service takes when nobody asks, and how soon it is ready.
"""

import contextlib
import json
import os
import re
import shutil
import statistics
import subprocess
import tempfile
import time
import urllib.error
import urllib.request

import jobs
import postgres

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
CLIENTS = 16
ADDRESSES = 1_000
SECONDS = 5
ROUNDS = 5
# As users would have it, but for DNS, and for how often one may ask.
OFFLINE = '["syntax", "typo", "disposable", "free-provider", "role", "alias", "random-pattern", "history"]'
SETTINGS = {
    "PIPELINE__VERIFY__STAGES": OFFLINE,
    "HTTP__LISTEN": "127.0.0.1:0",
    "HTTP__REQUESTS_PER_MINUTE": 100_000_000,
    "HTTP__BURST": 1_000_000,
}
START_SECONDS_MAX = 30


def obstacle():
    return postgres.obstacle() or (None if shutil.which("wrk") else "wrk is not installed (Debian's package of that name)")


def bench(release, tell):
    with tempfile.TemporaryDirectory(prefix="mailsonde-serve-") as folder, postgres.running() as server:
        os.chmod(folder, 0o700)
        program = jobs.Program(release, server, folder)
        program.fresh()
        start_and_idle(program, tell)
        asked(program, release, folder, tell)


def start_and_idle(program, tell):
    with served(program) as (process, _):
        pass  # the first one makes what is kept on disk
    starts = []
    for _ in range(ROUNDS):
        with served(program) as (process, began):
            starts.append(ready(process, began))
            time.sleep(3)  # what a start leaves behind is given back by then
            resident = resident_mib(process)
    tell("from the start until it is ready", statistics.median(starts), 1, at_least=False, unit=" s")
    tell("resident when nobody asks", resident, 80, at_least=False, unit=" MiB")


@contextlib.contextmanager
def listening(process):
    """A started process whose first line ends with its address; it ends with us."""
    try:
        process.address = process.stdout.readline().split("//")[-1].strip()
        yield process
    finally:
        process.terminate()
        process.wait()


@contextlib.contextmanager
def served(program):
    began = time.monotonic()
    options = {"settings": SETTINGS, "prefix": postgres.TIED[:2] + ["KILL", "--"]}
    process = program.start("serve", stdout=subprocess.PIPE, text=True, **options)
    with listening(process):
        ready(process, began)
        yield process, began


def ready(process, began):
    """Seconds from the start until it says so."""
    while True:
        assert time.monotonic() - began < START_SECONDS_MAX, "it is never ready"
        with contextlib.suppress(urllib.error.HTTPError):
            urllib.request.urlopen(f"http://{process.address}/readyz").read()
            return time.monotonic() - began
        time.sleep(0.005)


def resident_mib(process):
    with open(f"/proc/{process.pid}/status") as status:
        return int(re.search(r"VmRSS:\s+(\d+) kB", status.read()).group(1)) / 1024


def asked(program, release, folder, tell):
    print(f"POST /api/v1/verify: {CLIENTS} clients, every answer paid for on the disk")
    keys, addresses = f"{folder}/shown-keys", f"{folder}/addresses"
    with open(keys, "w") as file:
        for number in range(CLIENTS):
            program.run("client", "create", f"client{number}", "--quota", "1000000000", stdout=subprocess.DEVNULL)
            program.run("key", "create", f"client{number}", "--for", "email-verifier", stdout=file)
    # Without a mail server, only who can be told for sure is paid for: that a domain is disposable is sure.
    with open(addresses, "w") as file:
        file.writelines(f"anna.becker{number}@mailinator.com\n" for number in range(ADDRESSES))
    with served(program) as (process, _):
        answered = 1
        with bare(release, answer_of(process, keys)) as peer:
            for connections in (64, 256):
                rounds = [[load(one, connections, keys, addresses) for one in (process, peer)] for _ in range(ROUNDS)]
                told(connections, rounds, tell)
                answered += sum(ours["answered"] for ours, _ in rounds)
        print(f"  resident after that: {resident_mib(process):.0f} MiB")
    paid_for(program, answered, ROUNDS * (64 + 256))


def told(connections, rounds, tell):
    ours, theirs = ({what: statistics.median(one[what] for one in side) for what in side[0]} for side in zip(*rounds))
    assert ours["failed"] == theirs["failed"] == 0, f"{ours['failed']} and {theirs['failed']} failed"
    print(f"  {connections} connections: {ours['per_second']:,.0f} a second, the peer {theirs['per_second']:,.0f}; p99 {ours['p99_ms']:.1f} ms")
    goal = 0.5 if connections == 256 else None
    # Each round against its own: a shared machine is faster in one than in the next.
    share = statistics.median(us["per_second"] / peer["per_second"] for us, peer in rounds)
    tell("  share of the peer's requests a second", share, goal)
    tell("  p99 over p50", ours["p99_ms"] / ours["median_ms"], 5, at_least=False)


def answer_of(process, keys):
    """What it answers to one request."""
    with open(keys) as file:
        headers = {"Api-Key": file.readline().strip(), "Content-Type": "application/json"}
    request = urllib.request.Request(f"http://{process.address}/api/v1/verify", b'{"email":"anna.becker@mailinator.com"}', headers)
    return urllib.request.urlopen(request).read().decode()


def bare(release, answer):
    peer = [*postgres.TIED[:2], "KILL", "--", f"{release}/bare", answer]
    return listening(subprocess.Popen(peer, stdout=subprocess.PIPE, text=True))


def load(process, connections, keys, addresses):
    wrk = ["wrk", "--threads", "1", "--connections", str(connections), "--duration", f"{SECONDS}s"]
    url = f"http://{process.address}/api/v1/verify"
    script = ["--script", f"{ROOT}/benches/serve.lua", url, "--", keys, addresses]
    said = subprocess.run([*wrk, *script], check=True, stdout=subprocess.PIPE, text=True).stdout
    return json.loads(re.search(r"^JSON (.*)$", said, re.M).group(1))


def paid_for(program, answered, unheard_max):
    [[settled]] = program.server.sql("select sum(settled) from usage")
    print(f"  {int(settled):,} credits were counted for {answered:,} answers")
    # wrk leaves with some requests unanswered, at most one on each connection.
    assert answered <= int(settled) <= answered + unheard_max, "not every answer was paid for once"
