import shutil
from datetime import timedelta

import numpy as np
import pytest

from workbench.errors import ModelError
from workbench.models.registry import About, Registry
from workbench.testing import START


class Counter:
    """The smallest model: one number in one file."""

    kind = "counter"
    file_names = frozenset({"number.txt"})
    feature_names_in_ = ("a", "b")

    def __init__(self, number=7):
        self.number = number

    def files(self):
        return {"number.txt": str(self.number).encode()}

    @classmethod
    def from_files(cls, files, features):
        assert features == cls.feature_names_in_
        return cls(int(files["number.txt"]))


class Stranger(Counter):
    kind = "stranger"


def about(day=0):
    return About(
        trained_until=START + timedelta(days=day),
        data_version="3-abc",
        feature_version="f00",
        horizon_days=28,
        metrics={"auc": 0.9},
    )


@pytest.fixture
def registry(tmp_path):
    return Registry(tmp_path / "models")


def test_what_was_published_is_loaded(registry):
    published = registry.publish("churn", Counter(3), about=about(), alias="champion")
    model, manifest = registry.load(Counter, "churn")
    assert model.number == 3
    assert manifest == published
    assert manifest.version.startswith("20260105-")


def test_an_old_version_stays_when_a_new_one_serves(registry):
    old = registry.publish("churn", Counter(1), about=about(0), alias="champion")
    new = registry.publish("churn", Counter(2), about=about(1), alias="champion")
    assert registry.load(Counter, "churn")[0].number == 2
    assert registry.load(Counter, "churn", version=old.version)[0].number == 1
    assert registry.versions("churn") == [old.version, new.version]
    registry.promote("churn", old.version)
    assert registry.load(Counter, "churn")[0].number == 1


def test_publishing_the_same_again_changes_nothing(registry):
    first, second = (registry.publish("churn", Counter(), about=about(), alias="champion") for _ in range(2))
    assert first.version == second.version
    assert registry.versions("churn") == [first.version]


def test_nothing_is_left_behind_when_publishing_fails(registry, monkeypatch):
    monkeypatch.setattr("workbench.models.registry.os.replace", lambda *_: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        registry.publish("churn", Counter(), about=about())
    assert list((registry.folder / "churn").iterdir()) == []


def test_no_byte_of_a_version_can_change_unnoticed(registry):
    version = registry.publish("churn", Counter(1234567), about=about(), alias="champion").version
    rng = np.random.default_rng(0)
    for path in (registry.folder / "churn" / version).iterdir():
        original = path.read_bytes()
        for _ in range(50):
            changed = bytearray(original)
            changed[rng.integers(len(changed))] ^= 1 << int(rng.integers(8))
            path.write_bytes(changed)
            with pytest.raises(ModelError, match="not what was published"):
                registry.load(Counter, "churn")
        path.write_bytes(original)
    assert registry.load(Counter, "churn")[0].number == 1234567


def test_a_cut_or_missing_file_is_refused(registry):
    version = registry.publish("churn", Counter(1234567), about=about(), alias="champion").version
    path = registry.folder / "churn" / version / "number.txt"
    path.write_bytes(path.read_bytes()[:3])
    with pytest.raises(ModelError, match="not what was published"):
        registry.load(Counter, "churn")
    path.unlink()
    with pytest.raises(ModelError, match="cannot read"):
        registry.load(Counter, "churn")


def test_a_version_under_another_name_is_refused(registry):
    version = registry.publish("churn", Counter(), about=about(), alias="champion").version
    shutil.copytree(registry.folder / "churn", registry.folder / "ltv")
    with pytest.raises(ModelError, match="is of model 'churn'"):
        registry.load(Counter, "ltv", version=version)


def test_a_model_of_another_kind_is_refused(registry):
    registry.publish("churn", Stranger(), about=about(), alias="champion")
    with pytest.raises(ModelError, match="is a stranger model, not a counter model"):
        registry.load(Counter, "churn")


def test_an_alias_that_points_nowhere_is_refused(registry):
    with pytest.raises(ModelError, match=r"no champion of model 'churn'.*train one first"):
        registry.load(Counter, "churn")
    registry.publish("churn", Counter(), about=about(), alias="champion")
    (registry.folder / "churn" / "champion").write_text("../../etc/passwd")
    with pytest.raises(ModelError, match="is no version"):
        registry.load(Counter, "churn")


@pytest.mark.parametrize("name", ["../evil", "", "Churn", "a/b"])
def test_a_name_cannot_leave_the_folder(registry, name):
    with pytest.raises(ModelError, match="is no name"):
        registry.publish(name, Counter(), about=about())
