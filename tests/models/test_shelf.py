import os

import pytest

from tests.models.test_registry import Counter, about
from workbench.errors import ModelError
from workbench.models.registry import Registry
from workbench.models.shelf import Bucket, shelf

BUCKET = "workbench-models"


@pytest.fixture(scope="module")
def s3():
    """An S3 on this machine, with an empty bucket."""
    from moto.server import ThreadedMotoServer  # noqa: PLC0415 - loads half of AWS

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    given = {
        "AWS_ACCESS_KEY_ID": "ann",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ENDPOINT_URL_S3": f"http://{host}:{port}",
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    before = {name: os.environ.get(name) for name in given}
    os.environ.update(given)
    Bucket(f"s3://{BUCKET}")._files.mkdir(BUCKET)
    yield f"s3://{BUCKET}/models"
    for name, value in before.items():
        os.environ.pop(name) if value is None else os.environ.update({name: value})
    server.stop()


@pytest.fixture(params=["folder", "memory", "s3"])
def place(request, tmp_path):
    if request.param == "s3":
        return request.getfixturevalue("s3")
    return tmp_path / "models" if request.param == "folder" else f"memory://{tmp_path.name}"


def test_what_was_written_is_read_and_listed(place):
    kept = shelf(place)
    assert kept.names("churn") == []
    kept.write("churn/1/a.txt", b"one")
    kept.write("churn/1/b.txt", b"two")
    kept.write("churn/1/a.txt", b"three")
    assert kept.read("churn/1/a.txt") == b"three"
    assert kept.names("churn/1") == ["a.txt", "b.txt"]
    assert kept.names("churn") == ["1"]
    with pytest.raises(ModelError, match="cannot read"):
        kept.read("churn/2/a.txt")


def test_a_registry_is_the_same_wherever_it_is(place, tmp_path):
    registry = Registry(f"{place}/registry", key=tmp_path / "key")
    first, second = (registry.publish("ltv", Counter(n), about=about(n), alias="champion").version for n in (1, 2))
    again = Registry(f"{place}/registry", key=tmp_path / "key")
    assert again.names() == ["ltv"]
    assert again.versions("ltv") == sorted([first, second])
    assert again.load(Counter, "ltv")[0].number == 2
    assert again.rollback("ltv").version == first
    again.shelf.write(f"ltv/{first}/number.txt", b"9")
    with pytest.raises(ModelError, match="not what was published"):
        registry.load(Counter, "ltv")


def test_a_kind_of_place_that_nobody_knows_is_named():
    with pytest.raises(ModelError, match="cannot open nowhere://"):
        shelf("nowhere://bucket/models")
