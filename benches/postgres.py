"""A Postgres of the bench's own for `benches/jobs.py`, with its stock settings: what is committed is on the disk.

On a Unix socket in a folder that goes away with it. It ends when the bench ends, however that ends. Postgres refuses to
be root: then it is `nobody`, whom every system has.
"""

import contextlib
import glob
import os
import shutil
import subprocess
import tempfile
import time

NAME = "mailsonde"
READY_SECONDS_MAX = 30
# It dies when we die.
TIED = ["setpriv", "--pdeathsig", "INT"]
NOBODY = ["--reuid=65534", "--regid=65534", "--clear-groups"]


def programs():
    """The folder of the newest version's programs; None if there is none."""
    versions = glob.glob("/usr/lib/postgresql/*/bin/postgres")
    newest = max(versions, key=lambda path: int(path.split("/")[4]), default=None)
    return newest and os.path.dirname(newest)


def obstacle():
    """Why this machine cannot run it; None if it can."""
    if not programs():
        return "tests/setup installs Postgres"
    return None if shutil.which("setpriv") else "setpriv is not installed (util-linux)"


class Server:
    """A running server; `url` is that of its database."""

    def __init__(self, folder):
        self.socket, self.bin = folder, programs()
        self.url = self.url_of(NAME)

    def url_of(self, database):
        return f"postgres://{NAME}@{self.socket.replace('/', '%2F')}/{database}"

    def sql(self, text, database=NAME):
        """What SQL returns: a list of rows, each a list of texts."""
        command = [f"{self.bin}/psql", "-XqAt", "-v", "ON_ERROR_STOP=1", "-F", "\t", self.url_of(database)]
        quiet = {**os.environ, "PGOPTIONS": "-c client_min_messages=warning"}
        done = subprocess.run(command, input=text, check=True, stdout=subprocess.PIPE, text=True, env=quiet)
        return [line.split("\t") for line in done.stdout.splitlines()]

    def create(self, database):
        """An empty database instead of the one of that name."""
        self.sql(f"drop database if exists {database} with (force)", "postgres")
        self.sql(f"create database {database}", "postgres")


@contextlib.contextmanager
def running():
    with tempfile.TemporaryDirectory(prefix="mailsonde-bench-", ignore_cleanup_errors=True) as folder:
        os.chmod(folder, 0o777)
        tied = TIED + (NOBODY if os.geteuid() == 0 else []) + ["--"]
        server = Server(folder)
        initdb = [f"{server.bin}/initdb", "--username", NAME, "--encoding=UTF8", "--locale=C", "--auth=trust"]
        subprocess.run([*tied, *initdb, f"{folder}/data"], check=True, stdout=subprocess.DEVNULL, cwd="/")
        with open(f"{folder}/log", "w") as log:
            postgres = [f"{server.bin}/postgres", "-D", f"{folder}/data", "-k", folder, "-c", "listen_addresses="]
            process = subprocess.Popen(tied + postgres, stdout=log, stderr=log, cwd="/")
        try:
            wait_until_ready(server, process)
            server.create(NAME)
            yield server
        finally:
            process.send_signal(2)  # the quick end in good order
            process.wait()


def wait_until_ready(server, process):
    ready = [f"{server.bin}/pg_isready", "--quiet", "--host", server.socket]
    until = time.monotonic() + READY_SECONDS_MAX
    while subprocess.run(ready).returncode != 0:
        if process.poll() is not None or time.monotonic() > until:
            raise SystemExit("Postgres did not start")
        time.sleep(0.05)
