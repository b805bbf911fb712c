from __future__ import annotations

import pytest

from workbench.config import KafkaSettings
from workbench.errors import InvalidArgument, SourceError
from workbench.ingest import kafka, kafka_fast, queues
from workbench.ingest.base import Fetched, partition_of

SECURE = KafkaSettings(
    security_protocol="SASL_SSL",
    sasl_mechanism="SCRAM-SHA-512",
    sasl_username="ann",
    sasl_password="hunter2",  # noqa: S106
    ssl_cafile="ca.pem",
)


def test_a_client_that_is_not_installed_is_named(monkeypatch):
    monkeypatch.setitem(queues._CLIENTS, "confluent", ("workbench.ingest.no_such_client", "kafka-fast"))
    with pytest.raises(SourceError, match=r"confluent is not installed: install workbench\[kafka-fast\]"):
        queues.bounds(KafkaSettings(client="confluent"), "events")


@pytest.mark.parametrize("url", ["http://a/b", "kafka://a:1", "kafka://ann:hunter2@a:1/events", "kafka://a:1/ev ents"])
def test_what_names_no_topic_is_refused_and_not_repeated(url):
    with pytest.raises(InvalidArgument, match="kafka://host:port/topic") as caught:
        queues.at(url, KafkaSettings())
    assert "hunter2" not in str(caught.value)


def test_security_is_passed_on_in_the_words_of_each_client():
    assert kafka._security(SECURE) == {
        "security_protocol": "SASL_SSL",
        "sasl_mechanism": "SCRAM-SHA-512",
        "sasl_plain_username": "ann",
        "sasl_plain_password": "hunter2",
        "ssl_cafile": "ca.pem",
    }
    assert kafka_fast._security(SECURE) == {
        "bootstrap.servers": "127.0.0.1:9092",
        "security.protocol": "SASL_SSL",
        "sasl.mechanism": "SCRAM-SHA-512",
        "sasl.username": "ann",
        "sasl.password": "hunter2",
        "ssl.ca.location": "ca.pem",
    }


@pytest.mark.parametrize("client", [kafka, kafka_fast])
def test_a_key_that_is_open_to_others_is_refused_with_what_to_type(client, tmp_path):
    key = tmp_path / "client.key"
    key.write_text("a key")
    key.chmod(0o640)
    settings = KafkaSettings(ssl_keyfile=str(key))
    with pytest.raises(SourceError, match=rf"open to others \(mode 0640\): chmod 600 {key}"):
        client._security(settings)
    key.chmod(0o600)
    assert str(key) in client._security(settings).values()


def test_a_secret_is_never_printed():
    assert "hunter2" not in repr(SECURE) + str(SECURE) + str(dict(SECURE))


def test_what_was_fetched_before_an_offset_is_left_out():
    fetched = Fetched("t-0", [3, 5, 9], [b"a", b"b", b"c"], 10)
    assert fetched.since(5).values == [b"b", b"c"]
    assert fetched.since(4).offsets == [5, 9]
    assert fetched.since(10).values == []
    assert fetched.since(0) is fetched


@pytest.mark.parametrize("name", ["events", "events-", "-3", "events-x"])
def test_what_is_no_partition_is_refused(name):
    with pytest.raises(InvalidArgument, match="no partition"):
        partition_of(name)
