import json
import shutil
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from workbench.errors import ModelError
from workbench.models.registry import About, Registry
from workbench.models.shelf import Folder
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


def home(registry, name="churn"):
    return registry.shelf.root / name


def test_a_version_that_was_not_written_to_its_end_is_none(registry, monkeypatch):
    write = Folder.write

    def failing(shelf, path, content):
        if path.endswith("manifest.sig"):
            raise OSError("disk full")
        write(shelf, path, content)

    monkeypatch.setattr(Folder, "write", failing)
    with pytest.raises(OSError, match="disk full"):
        registry.publish("churn", Counter(), about=about())
    assert registry.versions("churn") == []
    assert [path.name for path in home(registry).rglob(".partial-*")] == []


def damaged(path, rng, others):
    """Change a file in one of the ways in which files change, by accident or not."""
    original = path.read_bytes()
    kind = rng.integers(5)
    if kind == 0:  # a bit
        changed = bytearray(original)
        changed[rng.integers(len(changed))] ^= 1 << int(rng.integers(8))
        return bytes(changed)
    if kind == 1:  # an end that is missing
        return original[: rng.integers(len(original))]
    if kind == 2:  # something added
        return original + rng.bytes(int(rng.integers(1, 20)))
    if kind == 3:  # the same file of another version, whole and well-formed
        return (others / path.name).read_bytes() if (others / path.name).exists() else b""
    return rng.bytes(int(rng.integers(0, 2 * len(original))))  # something else altogether


def test_five_hundred_changes_are_all_refused_before_anything_is_parsed(registry, monkeypatch):
    other = registry.publish("churn", Counter(42), about=about(1))
    version = registry.publish("churn", Counter(1234567), about=about(), alias="champion").version
    parsed = []
    monkeypatch.setattr(Counter, "from_files", classmethod(lambda cls, *_: parsed.append(cls)))
    rng, folder = np.random.default_rng(0), home(registry) / version
    for number in range(500):
        path = sorted(folder.iterdir())[number % 3]
        original = path.read_bytes()
        changed = damaged(path, rng, home(registry) / other.version)
        if changed == original:
            changed += b"!"
        path.write_bytes(changed)
        with pytest.raises(ModelError, match=r"not what was published|not signed"):
            registry.load(Counter, "churn")
        path.write_bytes(original)
    assert parsed == []


def test_a_model_that_somebody_else_signed_is_refused(registry, tmp_path):
    registry.publish("churn", Counter(1), about=about(), alias="champion")
    stranger = Registry(tmp_path / "models", key=tmp_path / "stranger.key")
    version = stranger.publish("churn", Counter(666), about=about(3)).version
    with pytest.raises(ModelError, match="is not signed with"):
        registry.load(Counter, "churn", version=version)
    with pytest.raises(ModelError, match="is not signed with"):
        registry.promote("churn", version)
    assert registry.load(Counter, "churn")[0].number == 1


def test_the_key_lies_beside_the_models_and_only_its_owner_reads_it(registry):
    registry.publish("churn", Counter(), about=about())
    key = registry.signer.path
    assert key.parent == registry.shelf.root.parent
    assert key.stat().st_mode & 0o077 == 0


def test_without_the_key_nothing_is_loaded(registry):
    registry.publish("churn", Counter(), about=about(), alias="champion")
    registry.signer.path.unlink()
    with pytest.raises(ModelError, match="no key at"):
        registry.load(Counter, "churn")


def test_a_missing_file_is_named(registry):
    version = registry.publish("churn", Counter(), about=about(), alias="champion").version
    (home(registry) / version / "number.txt").unlink()
    with pytest.raises(ModelError, match=r"cannot read .*number.txt"):
        registry.load(Counter, "churn")


def test_the_last_good_champion_keeps_serving_and_says_why(registry):
    registry.publish("churn", Counter(1), about=about(0), alias="champion")
    newer = registry.publish("churn", Counter(2), about=about(1), alias="champion").version
    (home(registry) / newer / "number.txt").write_bytes(b"3")
    serving = registry.serving(Counter, "churn")
    assert serving.model.number == 1
    assert "number.txt is not what was published" in serving.refused[0]


def test_a_rollback_brings_back_who_served_before(registry):
    versions = [registry.publish("churn", Counter(n), about=about(n), alias="champion").version for n in range(3)]
    assert registry.rollback("churn").version == versions[1]
    assert registry.load(Counter, "churn")[0].number == 1
    assert registry.rollback("churn").version == versions[0]
    with pytest.raises(ModelError, match="no earlier champion"):
        registry.rollback("churn")


def test_a_rollback_to_a_version_that_is_not_intact_is_refused(registry):
    versions = [registry.publish("churn", Counter(n), about=about(n), alias="champion").version for n in range(2)]
    (home(registry) / versions[0] / "number.txt").write_bytes(b"7")
    with pytest.raises(ModelError, match="not what was published"):
        registry.rollback("churn")
    assert registry.resolve("churn") == versions[1]


def test_a_version_under_another_name_is_refused(registry):
    version = registry.publish("churn", Counter(), about=about(), alias="champion").version
    shutil.copytree(home(registry), home(registry, "ltv"))
    with pytest.raises(ModelError, match="is of model 'churn'"):
        registry.load(Counter, "ltv", version=version)
    with pytest.raises(ModelError, match="is not signed"):
        registry.resolve("ltv")


def test_a_model_of_another_kind_is_refused(registry):
    registry.publish("churn", Stranger(), about=about(), alias="champion")
    with pytest.raises(ModelError, match="is a stranger model, not a counter model"):
        registry.load(Counter, "churn")


def test_an_alias_that_points_nowhere_or_was_edited_is_refused(registry):
    with pytest.raises(ModelError, match=r"no champion of model 'churn'.*train one first"):
        registry.load(Counter, "churn")
    registry.publish("churn", Counter(), about=about(), alias="champion")
    file = home(registry) / "champion.json"
    signature = file.read_bytes().partition(b"\n")[0]
    turns = json.dumps([{"version": "../../etc", "at": "2026-01-01T00:00:00+00:00", "why": ""}]).encode()
    file.write_bytes(signature + b"\n" + turns)
    with pytest.raises(ModelError, match="is not signed"):
        registry.load(Counter, "churn")


def test_an_extra_file_is_kept_and_verified_but_a_strange_one_is_not_a_model(registry):
    version = registry.publish("churn", Counter(), about=about(), extras={"card.html": b"<p>"}).version
    assert registry.intact("churn", version)[1]["card.html"] == b"<p>"
    strange = registry.publish("churn", Counter(), about=about(), extras={"code.pkl": b"."}).version
    with pytest.raises(ModelError, match="not a counter model"):
        registry.load(Counter, "churn", version=strange)


@pytest.mark.parametrize("name", ["../evil", "", "Churn", "a/b"])
def test_a_name_cannot_leave_the_folder(registry, name):
    with pytest.raises(ModelError, match="is no name"):
        registry.publish(name, Counter(), about=about())


def test_a_bucket_needs_a_key_that_does_not_lie_in_it():
    with pytest.raises(ModelError, match="set models_key"):
        Registry("memory://models")


def test_models_of_two_processes_share_one_key(tmp_path):
    one, other = (Registry(tmp_path / "models") for _ in range(2))
    one.publish("churn", Counter(1), about=about(0), alias="champion")
    other.publish("churn", Counter(2), about=about(1), alias="champion")
    assert one.load(Counter, "churn")[0].number == 2
    assert not list(Path(tmp_path).glob(".*key*"))
