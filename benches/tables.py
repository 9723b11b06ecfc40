"""`benches/run csv`: a table of 100,000 rows by the API, on a Postgres of its own, whose commits are on the disk, and a
simulated mail internet of 1,000 domains at 20 ms.

- How long an upload takes until it is accepted, and what memory that takes; the same of the download.
- From the upload to the last verdict, against `mailsonde csv` on the same table and the same internet: the service keeps
  everything on the disk as it goes. The limits that protect mail servers are lifted for both.
- What a row costs the processor, in a table of 10,000 and in one of 100,000.
"""

import contextlib
import http.client
import json
import os
import re
import statistics
import subprocess
import tempfile
import time

import jobs
import postgres
import serve

ROWS = 100_000
FEWER_ROWS = 10_000
DOMAINS = 1_000
RTT_MS = 20
ROUNDS = 3
DONE_SECONDS_MAX = 600
# The limits that protect mail servers, a small host, and other clients.
CLIENT_LIFTED = ["--running-max", "1000"]
LIFTED = {
    "JOBS__TASKS_AT_ONCE": 200,
    "SMTP__SESSIONS_MAX": 5_000,
    "SMTP__SESSIONS_PER_MX_MAX": 20,
    "SMTP__SESSIONS_PER_OPERATOR_MAX": 5_000,
    "HTTP__LISTEN": "127.0.0.1:0",
    "HTTP__REQUESTS_PER_MINUTE": 1_000_000,
    "HTTP__BURST": 100_000,
}
OFFLINE = {"PIPELINE__VERIFY__STAGES": serve.OFFLINE}
BOUNDARY = "a-line-that-no-table-has"


def obstacle():
    return postgres.obstacle()


def bench(release, tell):
    with tempfile.TemporaryDirectory(prefix="mailsonde-csv-") as folder, postgres.running() as server:
        os.chmod(folder, 0o700)
        program = jobs.Program(release, server, folder)
        tables = {rows: table(release, folder, rows) for rows in (FEWER_ROWS, ROWS)}
        program.fresh()
        taken_in_and_given_back(program, tables[ROWS], tell)
        with internet(release) as found:
            through_the_internet(program, found, tables, folder, tell)


def table(release, folder, rows):
    """A table as people export it: a name with a comma now and then, a note of two lines, an id."""
    addresses = subprocess.run([f"{release}/lab", "addresses", str(rows), str(DOMAINS)], check=True, capture_output=True, text=True)
    path = f"{folder}/{rows}.csv"
    with open(path, "w", newline="") as file:
        file.write("id,name,email,company,note\r\n")
        for number, address in enumerate(addresses.stdout.split()):
            note = '"called twice,\r\nwill call again"' if number % 50 == 0 else f"since {1990 + number % 30}"
            file.write(f'{number},"Miller, Ann {number % 7}",{address},Company {number % 997} Ltd,{note}\r\n')
    return path


@contextlib.contextmanager
def internet(release):
    """The environment in which it is found."""
    command = [*postgres.TIED[:2], "KILL", "--", f"{release}/lab", "serve", str(DOMAINS), str(RTT_MS)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        found = json.loads(process.stdout.readline())
        yield {name.removeprefix("MAILSONDE_"): value for name, value in found.items()}
    finally:
        print("  the mail servers counted", process.communicate("")[0].strip())


def customer(program):
    """The key of a client."""
    program.run("client", "create", "customer", *CLIENT_LIFTED, stdout=subprocess.DEVNULL)
    with tempfile.TemporaryFile("w+") as key:
        program.run("key", "create", "customer", "--for", "email-verifier", stdout=key)
        key.seek(0)
        return key.read().strip()


@contextlib.contextmanager
def served(program, key, settings):
    options = {"settings": {**LIFTED, **settings}, "prefix": postgres.TIED[:2] + ["KILL", "--"]}
    began = time.monotonic()
    process = program.start("serve", stdout=subprocess.PIPE, text=True, **options)
    with serve.listening(process):
        serve.ready(process, began)
        process.key = key
        yield process


def ask(process, method, path, body=None, headers=None):
    connection = http.client.HTTPConnection(process.address, timeout=60)
    connection.request(method, path, body, {"Api-Key": process.key, **(headers or {})})
    return connection.getresponse()


def upload(process, path):
    """Seconds until it is accepted, and the job's id."""
    with open(path, "rb") as file:
        content = file.read()
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="a.csv"\r\nContent-Type: text/csv\r\n\r\n'
    body = head.encode() + content + f"\r\n--{BOUNDARY}--\r\n".encode()
    headers = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
    began = time.monotonic()
    response = ask(process, "POST", "/api/v1/verify/csv", body, headers)
    answer = response.read()
    assert response.status == 202, answer
    return time.monotonic() - began, json.loads(answer)["job_id"]


def finished(process, job):
    """Waits for the last verdict."""
    until = time.monotonic() + DONE_SECONDS_MAX
    while time.monotonic() < until:
        status = json.loads(ask(process, "GET", f"/api/v1/jobs/{job}").read())
        if status["status"] == "completed":
            return status["stats"]
        time.sleep(0.05)
    raise SystemExit(f"the job is not done after {DONE_SECONDS_MAX} s")


def download(process, job):
    """Seconds and octets."""
    began, octets = time.monotonic(), 0
    response = ask(process, "GET", f"/api/v1/jobs/{job}/download")
    assert response.status == 200, response.read()
    while piece := response.read(256 * 1024):
        octets += len(piece)
    return time.monotonic() - began, octets


def peak_more(process, act):
    """What `act` returns, and how many MiB more were resident at most than just before."""
    before = serve.resident_mib(process)
    with open(f"/proc/{process.pid}/clear_refs", "w") as reset:
        reset.write("5")
    result = act()
    with open(f"/proc/{process.pid}/status") as status:
        peak = int(re.search(r"VmHWM:\s+(\d+) kB", status.read()).group(1)) / 1024
    return result, peak - before


def cpu_seconds(process):
    with open(f"/proc/{process.pid}/stat") as stat:
        user, system = stat.read().rsplit(")", 1)[1].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def taken_in_and_given_back(program, path, tell):
    print(f"A table of {ROWS:,} rows, {os.path.getsize(path) / 1e6:.1f} MB, without DNS and mail servers")
    key, uploads, downloads = customer(program), [], []
    for _ in range(ROUNDS):
        # A process for each, so that neither has room that the other left.
        with served(program, key, OFFLINE) as process:
            (seconds, job), more = peak_more(process, lambda: upload(process, path))
            uploads.append((seconds, more))
            assert finished(process, job)["processed"] == ROWS
        with served(program, key, OFFLINE) as process:
            (seconds, octets), more = peak_more(process, lambda: download(process, job))
            downloads.append((seconds, more, octets))
    seconds, more = (statistics.median(column) for column in zip(*uploads))
    tell("from the upload until it is accepted", seconds, 2, at_least=False, unit=" s")
    tell("memory for that, more than idle", more, 64, at_least=False, unit=" MiB")
    seconds, more, octets = (statistics.median(column) for column in zip(*downloads))
    print(f"  {octets / 1e6:.1f} MB came back in {seconds:.2f} s")
    tell("rows downloaded a second", ROWS / seconds, 200_000)
    tell("memory for that, more than idle", more, 32, at_least=False, unit=" MiB")


def through_the_internet(program, found, tables, folder, tell):
    print(f"The same at {DOMAINS:,} domains with a mail server each, {RTT_MS} ms round trip, limits lifted")
    cpu = {}
    for rows in (FEWER_ROWS, ROWS):
        # Each by a process that has met nobody.
        program.fresh()
        key = customer(program)
        with served(program, key, found) as process:
            before, began = cpu_seconds(process), time.monotonic()
            _, job = upload(process, tables[rows])
            stats = finished(process, job)
            seconds = time.monotonic() - began
            cpu[rows] = (cpu_seconds(process) - before) / rows * 1e6
        print(f"  {rows:,} rows by the API: {seconds:.2f} s, {cpu[rows]:.0f} µs of processor each")
        right = (stats["deliverable"], stats["undeliverable"])
        assert right == (rows * 9 // 10, rows // 10), stats
    settings = {**LIFTED, **found}
    alone, _ = program.run("csv", tables[ROWS], "-o", f"{folder}/out.csv", settings=settings, stderr=subprocess.DEVNULL)
    print(f"  {ROWS:,} rows by `mailsonde csv`: {alone:.2f} s")
    tell("share of the rows a second of `mailsonde csv`", alone / seconds, 0.5)
    tell("processor for a row, 100,000 rows over 10,000", cpu[ROWS] / cpu[FEWER_ROWS], 1.25, at_least=False)
