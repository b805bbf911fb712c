"""A real broker for tests: one that is named, Apache Kafka itself where Maven and Java are, or one from PyPI."""

from __future__ import annotations

import base64
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from dataclasses import dataclass, field
from pathlib import Path

CACHE = Path(__file__).parents[1] / ".cache" / "kafka"
VERSION = "4.1.0"
SECONDS = 40
POM = f"""\
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>workbench</groupId><artifactId>broker</artifactId><version>1</version>
  <dependencies>
    <dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>{VERSION}</version></dependency>
    <dependency><groupId>org.slf4j</groupId><artifactId>slf4j-nop</artifactId><version>1.7.36</version></dependency>
  </dependencies>
</project>
"""
PROPERTIES = """\
process.roles=broker,controller
node.id=1
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}{secure_listener}
advertised.listeners=PLAINTEXT://127.0.0.1:{port}{secure_listener}
controller.listener.names=CONTROLLER
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SECURE:SASL_SSL
inter.broker.listener.name=PLAINTEXT
controller.quorum.bootstrap.servers=127.0.0.1:{controller}
log.dirs={folder}/data
num.partitions=4
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.replication.factor=1
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
log.cleaner.enable=false
auto.create.topics.enable=false
message.max.bytes=8388608
"""
SECURE = """\
listener.name.secure.ssl.keystore.location={folder}/broker.p12
listener.name.secure.ssl.keystore.type=PKCS12
listener.name.secure.ssl.keystore.password={password}
listener.name.secure.sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-512
listener.name.secure.plain.sasl.jaas.config={modules}.plain.PlainLoginModule required user_{user}="{password}";
listener.name.secure.scram-sha-512.sasl.jaas.config={modules}.scram.ScramLoginModule required;
"""
MODULES = "org.apache.kafka.common.security"
USER, PASSWORD = "analytics", "only-for-tests"
JVM = ["-Xmx384m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]


class NoBroker(Exception):
    """This machine can run none; the message says what was tried."""


@dataclass
class Broker:
    """One that answers.

    Attributes:
        address: `host:port`.
        kind: What it is, for the head of the test report.
        command: How it was started; empty for one that is not ours.
        secure: Where it speaks TLS and asks who one is; `None` where it does not.
        session: The shortest session of a group in seconds that it accepts.
    """

    address: str
    kind: str
    command: list[str] = field(default_factory=list)
    folder: Path | None = None
    process: subprocess.Popen | None = None
    secure: str | None = None
    session: float = 6

    @property
    def certificate(self) -> Path:
        """The certificate by which the secure address is known."""
        return self.folder / "broker.pem"

    def start(self) -> None:
        """Start it, again if need be, on the data it has."""
        log = (self.folder / "broker.log").open("ab")
        with log:
            self.process = subprocess.Popen(self.command, stdout=log, stderr=log, start_new_session=True)
        wait_for(self.address, self.process)

    def stop(self, number: int = signal.SIGTERM) -> None:
        """Stop it; `SIGKILL` to see what a crash leaves."""
        if self.process is not None:
            self.process.send_signal(number)
            self.process.wait(timeout=60)
            self.process = None

    @property
    def is_ours(self) -> bool:
        return bool(self.command)

    def cpu_seconds(self) -> float:
        """Return how long it has kept a core busy; 0 for one that is not ours."""
        if self.process is None:
            return 0.0
        user, system = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()[11:13]
        return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")

    def partition(self, source: str) -> Path:
        """Return the folder of a partition's log."""
        return self.folder / "data" / source

    def close(self) -> None:
        """Stop it and remove what it wrote."""
        if self.process is not None:
            self.stop(signal.SIGKILL)
        if self.folder is not None:
            shutil.rmtree(self.folder, ignore_errors=True)


def broker(port: int | None = None) -> Broker:
    """Return a broker that answers, the best this machine has.

    Raises:
        NoBroker: It has none.
    """
    named = os.environ.get("WORKBENCH_TEST_KAFKA")
    if named:
        return Broker(named, f"the broker at {named}")
    tried = []
    for make in (_apache, _noida):
        try:
            return make(port or _free_port())
        except NoBroker as error:
            tried.append(str(error))
    raise NoBroker("; ".join(tried))


def chosen() -> str:
    """Say, without starting it, which broker tests will run against."""
    if os.environ.get("WORKBENCH_TEST_KAFKA"):
        return f"the broker at {os.environ['WORKBENCH_TEST_KAFKA']}, which WORKBENCH_TEST_KAFKA names"
    java, mvn, jars = shutil.which("java"), shutil.which("mvn"), (CACHE / VERSION / "complete").exists()
    if java and (mvn or jars):
        return f"Apache Kafka {VERSION} in KRaft mode ({'jars are cached' if jars else 'jars come from Maven'})"
    if (Path(sys.executable).parent / "noida-db").exists():
        return "noida-db, for there is no Java or no Maven for Apache Kafka"
    return "none (no WORKBENCH_TEST_KAFKA, no Java or Maven, no noida-db): its tests are skipped"


def _apache(port: int) -> Broker:
    """Start Apache Kafka in KRaft mode."""
    java, mvn = shutil.which("java"), shutil.which("mvn")
    if java is None:
        raise NoBroker("no Java for Apache Kafka")
    jars = CACHE / VERSION
    if not (jars / "complete").exists():
        if mvn is None:
            raise NoBroker("no Maven to get Apache Kafka with")
        _fetch(jars, mvn)
    folder = Path(tempfile.mkdtemp(prefix="workbench-kafka-"))
    secure = f"localhost:{_free_port()}" if _certified(folder) else None
    text = PROPERTIES.format(
        port=port,
        controller=_free_port(),
        folder=folder,
        secure_listener=f",SECURE://{secure}" if secure else "",
    )
    if secure:
        text += SECURE.format(folder=folder, user=USER, password=PASSWORD, modules=MODULES)
    properties = folder / "server.properties"
    properties.write_text(text)
    jvm = [java, *JVM, "-cp", f"{jars}/*"]
    identity = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
    storage = ["kafka.tools.StorageTool", "format", "--standalone", "-t", identity, "-c", str(properties)]
    scram = ["--add-scram", f"SCRAM-SHA-512=[name={USER},password={PASSWORD}]"]
    subprocess.run([*jvm, *storage, *scram], check=True, capture_output=True)
    command = [*jvm, "kafka.Kafka", str(properties)]
    return _running(Broker(f"127.0.0.1:{port}", f"Apache Kafka {VERSION}", command, folder, secure=secure, session=3))


def _certified(folder: Path) -> bool:
    """Make a key and its certificate for localhost, where Java's tool for it is."""
    keytool = shutil.which("keytool")
    if keytool is None:
        return False
    store = [
        "-keystore",
        str(folder / "broker.p12"),
        "-storetype",
        "PKCS12",
        "-storepass",
        PASSWORD,
        "-alias",
        "broker",
    ]
    kind = ["-keyalg", "EC", "-dname", "CN=localhost", "-ext", "SAN=dns:localhost", "-validity", "2"]
    for action in (["-genkeypair", *kind], ["-exportcert", "-rfc", "-file", str(folder / "broker.pem")]):
        subprocess.run([keytool, *action, *store], check=True, capture_output=True)
    return True


def _running(started: Broker) -> Broker:
    """Start a broker; leave nothing of it behind if that does not work, or is interrupted."""
    try:
        started.start()
    except BaseException:
        started.close()
        raise
    return started


def _fetch(jars: Path, mvn: str) -> None:
    """Get the jars once; another process may be doing the same."""
    jars.parent.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix="jars-", dir=jars.parent))
    (scratch / "pom.xml").write_text(POM)
    wanted = {"cwd": scratch, "capture_output": True, "text": True, "timeout": 300}
    copy = ["dependency:copy-dependencies", "-DincludeScope=runtime", f"-DoutputDirectory={scratch}"]
    try:
        done = subprocess.run([mvn, "-q", "-B", *copy], check=False, **wanted)
        if done.returncode:
            raise NoBroker(f"Maven cannot get Apache Kafka: {(done.stdout or done.stderr).strip()[:200]}")
        (scratch / "complete").touch()
        if not jars.exists():
            scratch.rename(jars)
    except subprocess.TimeoutExpired as error:
        raise NoBroker("Maven cannot get Apache Kafka in five minutes") from error
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _noida(port: int) -> Broker:
    """Start the broker of the package `noida-db`, if it is installed."""
    binary = Path(sys.executable).parent / "noida-db"
    if not binary.exists():
        raise NoBroker("the package noida-db is not installed")
    folder = Path(tempfile.mkdtemp(prefix="workbench-noida-"))
    command = [str(binary), "start", "--only", "kafka", "--kafka-port", str(port), "--data-dir", str(folder)]
    return _running(Broker(f"127.0.0.1:{port}", "noida-db", command, folder))


def wait_for(address: str, process: subprocess.Popen | None = None) -> None:
    """Wait until something listens."""
    host, _, port = address.rpartition(":")
    until = time.monotonic() + SECONDS
    while time.monotonic() < until:
        if process is not None and process.poll() is not None:
            raise NoBroker(f"the broker ended with {process.returncode}")
        try:
            socket.create_connection((host, int(port)), timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise NoBroker(f"nothing listens at {address} after {SECONDS} s")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
