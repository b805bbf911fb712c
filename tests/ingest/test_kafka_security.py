"""A broker that speaks TLS and asks for a password, read by both clients."""

from __future__ import annotations

import gc
import uuid

import pytest

from tests.ingest.queue import message
from tests.ingest.test_kafka import Running, expected, ids, produce, wait_until
from tests.kafka_broker import PASSWORD, USER
from workbench.config import KafkaSettings
from workbench.errors import SourceError
from workbench.ingest import queues
from workbench.store.lake import LakeStore

pytestmark = [
    pytest.mark.kafka,
    # kafka-python leaves a connection that was refused to the garbage collector
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
WRONG = "not-the-one"


@pytest.fixture(params=["kafka-python", "confluent"])
def secure(request, broker):
    """Return the settings for the broker's secure address."""
    if broker.secure is None:
        pytest.skip("this broker has no secure address: it is not ours, or there is no keytool")
    topic = f"secure-{uuid.uuid4().hex[:8]}"
    return KafkaSettings(
        brokers=broker.secure,
        client=request.param,
        group=topic,
        events=topic,
        security_protocol="SASL_SSL",
        sasl_mechanism="SCRAM-SHA-512",
        sasl_username=USER,
        sasl_password=PASSWORD,
        ssl_cafile=str(broker.certificate),
    )


@pytest.fixture(autouse=True)
def collected():
    yield
    gc.collect()  # here, where that warning is expected


def changed(settings, **fields):
    return KafkaSettings.model_validate({**settings.model_dump(), **fields})


@pytest.mark.parametrize("mechanism", ["SCRAM-SHA-512", "PLAIN"])
def test_events_come_through_tls_and_a_password(secure, mechanism, tmp_path):
    settings = changed(secure, sasl_mechanism=mechanism)
    produce(settings, map(message, range(50)))
    lake = LakeStore(tmp_path / "lake")
    with Running(settings, lake):
        wait_until(lambda: len(ids(lake)) == 50)
    assert ids(lake) == expected(*range(50))


@pytest.mark.parametrize("mechanism", ["SCRAM-SHA-512", "PLAIN"])
def test_a_wrong_password_is_said_and_not_shown(secure, mechanism):
    settings = changed(secure, sasl_mechanism=mechanism, sasl_password=WRONG)
    with pytest.raises(SourceError) as refused:
        queues.bounds(settings, settings.events)
    assert WRONG not in str(refused.value)
    assert settings.brokers in str(refused.value)


def test_a_certificate_that_nobody_vouches_for_is_refused(secure):
    with pytest.raises(SourceError, match=secure.brokers):
        queues.bounds(changed(secure, ssl_cafile=None), secure.events)
