"""A real ClickHouse server for tests: one that is named, or the engine of the npm package `@chdb/lib-linux-x64-gnu`.

The package holds the whole engine as a library. Run as a program, this module loads it and lets it listen for HTTP.
"""

from __future__ import annotations

import ctypes
import os
import platform
import shutil
import signal
import socket
import subprocess
import sys
import tarfile
import tempfile
import time
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path

CACHE = Path(__file__).parents[1] / ".cache" / "clickhouse"
PACKAGE, VERSION = "@chdb/lib-linux-x64-gnu", "26.7.3-stable.1"
LIBRARY = CACHE / VERSION / "libchdb.so"
NAMED = "WORKBENCH_TEST_CLICKHOUSE"
SECONDS = 60
FOREVER = 1_000_000


class NoServer(Exception):
    """This machine can run none; the message says what was tried."""


@dataclass
class Server:
    """One that answers.

    Attributes:
        dsn: `clickhouse://…`, as a setting has it.
        kind: What it is, for the head of the test report.
        port: Of its HTTP interface on this machine; 0 for one that is not ours.
    """

    dsn: str
    kind: str
    port: int = 0
    folder: Path | None = None
    process: subprocess.Popen | None = field(default=None, repr=False)

    @property
    def is_ours(self) -> bool:
        return self.folder is not None

    def start(self) -> None:
        """Start it, again if need be, on the data it has."""
        command = [sys.executable, __file__, str(LIBRARY), str(self.port), str(self.folder / "data")]
        with (self.folder / "server.log").open("ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
        wait_for(self.port, self.process)

    def stop(self, number: int = signal.SIGKILL) -> None:
        """Stop it, by default as a crash does."""
        if self.process is not None:
            self.process.send_signal(number)
            self.process.wait(timeout=60)
            self.process = None

    def close(self) -> None:
        """Stop it and remove what it wrote."""
        self.stop()
        if self.folder is not None:
            shutil.rmtree(self.folder, ignore_errors=True)


def server() -> Server:
    """Return a server that answers.

    Raises:
        NoServer: This machine has none.
    """
    named = os.environ.get(NAMED)
    if named:
        return Server(named, "the server that is named")
    library()
    folder, port = Path(tempfile.mkdtemp(prefix="workbench-clickhouse-")), free_port()
    started = Server(f"clickhouse://127.0.0.1:{port}/default", f"ClickHouse {VERSION}", port, folder)
    try:
        started.start()
    except BaseException:
        started.close()
        raise
    return started


def library() -> Path:
    """Return the engine as a library, which is fetched once.

    Raises:
        NoServer: It cannot be had on this machine.
    """
    if not LIBRARY.exists():
        _fetch()
    return LIBRARY


def chosen() -> str:
    """Say, without starting it, which server tests will run against."""
    if os.environ.get(NAMED):
        return f"the server that {NAMED} names"
    if LIBRARY.exists():
        return f"ClickHouse {VERSION} over HTTP (its library is cached)"
    fault = _fault()
    return f"none ({fault}, no {NAMED}): tests over HTTP are skipped" if fault else f"ClickHouse {VERSION} from npm"


def _fault() -> str:
    if (platform.system(), platform.machine()) != ("Linux", "x86_64"):
        return f"{PACKAGE} is not for {platform.system()} on {platform.machine()}"
    return "" if shutil.which("npm") else f"no npm to get {PACKAGE} with"


def _fetch() -> None:
    """Get the library once; another process may be doing the same."""
    if fault := _fault():
        raise NoServer(fault)
    CACHE.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix="library-", dir=CACHE))
    try:
        pack = ["npm", "pack", "--silent", f"{PACKAGE}@{VERSION}"]
        done = subprocess.run(pack, cwd=scratch, check=False, capture_output=True, text=True, timeout=300)
        if done.returncode:
            raise NoServer(f"npm cannot get {PACKAGE}: {done.stderr.strip()[:200]}")
        with tarfile.open(next(scratch.glob("*.tgz"))) as archive:
            archive.extract("package/libchdb.so", scratch, filter="data")
        LIBRARY.parent.mkdir(exist_ok=True)
        (scratch / "package" / "libchdb.so").replace(LIBRARY)
    except subprocess.TimeoutExpired as error:
        raise NoServer(f"npm cannot get {PACKAGE} in five minutes") from error
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def wait_for(port: int, process: subprocess.Popen | None = None) -> None:
    """Wait until it answers."""
    until = time.monotonic() + SECONDS
    while time.monotonic() < until:
        if process is not None and process.poll() is not None:
            raise NoServer(f"the server ended with {process.returncode}")
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/ping", timeout=2):
                return
        except OSError:
            time.sleep(0.05)
    raise NoServer(f"no ClickHouse answers at port {port} after {SECONDS} s")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def listen(library: str, port: int, path: str, *, config: str = "", tcp_port: int = 0) -> None:
    """Load the engine and let it listen, until it is killed: it keeps a query that never ends.

    Args:
        library: File of the engine.
        port: Of HTTP.
        path: Folder of its data.
        config: File of a server's configuration, such as of the cluster that it belongs to.
        tcp_port: Of the native protocol, by which the nodes of a cluster speak to each other; 0 for none.
    """
    engine = ctypes.CDLL(library, mode=os.RTLD_LOCAL | os.RTLD_DEEPBIND)
    sleep = f"SELECT sleepEachRow(1) FROM numbers({FOREVER}) SETTINGS max_block_size = 1, max_threads = 1"
    sleep += ", function_sleep_max_microseconds_per_block = 0 FORMAT Null"
    native = "SYSTEM START LISTEN TCP; " if tcp_port else ""
    words = [
        "clickhouse",
        *([f"--config-file={config}"] if config else []),
        f"--path={path}",
        f"--query=SYSTEM START LISTEN HTTP; {native}{sleep}",
        "--",
        f"--http_port={port}",
        *([f"--tcp_port={tcp_port}"] if tcp_port else []),
        "--listen_host=127.0.0.1",
    ]
    arguments = (ctypes.c_char_p * len(words))(*[word.encode() for word in words])
    run, why = engine.chdb_query_cmdline, engine.chdb_result_error
    run.restype, run.argtypes = ctypes.c_void_p, [ctypes.c_int, ctypes.POINTER(ctypes.c_char_p)]
    why.restype, why.argtypes = ctypes.c_char_p, [ctypes.c_void_p]
    ended = run(len(words), arguments)
    raise SystemExit(f"the engine ended: {why(ended)}")


if __name__ == "__main__":
    LIBRARY_FILE, PORT, FOLDER, CONFIG, TCP_PORT = (*sys.argv[1:], "", "0")[:5]
    listen(LIBRARY_FILE, int(PORT), FOLDER, config=CONFIG, tcp_port=int(TCP_PORT))
