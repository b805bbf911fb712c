import json
import re
import shutil
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from workbench.errors import ModelError
from workbench.models.aliases import AliasError
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


SPOILT = {
    "cut": lambda content: content[: len(content) // 2],
    "empty": lambda _: b"",
    "edited": lambda content: content.replace(b"by hand", b"by eve!"),
    "noise": lambda _: bytes(range(256)),
}


def literally(registry, error):
    """Type what an error says, as far as it is a command of models."""
    _, action, name, version = re.search(r"workbench (models) (promote) (\S+) (\S+)$", str(error)).groups()
    registry.intact(name, version)
    getattr(registry, action)(name, version, why="as the error says")


@pytest.mark.parametrize("spoil", SPOILT.values(), ids=SPOILT)
def test_a_spoilt_alias_is_mended_by_what_its_error_says(registry, spoil):
    registry.publish("churn", Counter(1), about=about(0), alias="champion")
    newest = registry.publish("churn", Counter(2), about=about(1)).version
    registry.promote("churn", newest, why="by hand")
    file = home(registry) / "champion.json"
    file.write_bytes(spoil(file.read_bytes()))
    for ask in (registry.resolve, registry.turns, registry.rollback, lambda name: registry.serving(Counter, name)):
        with pytest.raises(AliasError) as error:
            ask("churn")
    assert registry.overview()["refused"].tolist() == [str(error.value)]
    literally(registry, error.value)
    assert registry.load(Counter, "churn")[0].number == 2
    assert [turn.version for turn in registry.turns("churn")] == [newest]
    assert "the alias was not what was written last" in registry.turns("churn")[0].why


def test_the_error_names_a_version_that_can_serve(registry):
    good, bad = (registry.publish("churn", Counter(n), about=about(n), alias="champion").version for n in range(2))
    (home(registry) / bad / "number.txt").write_text("7")
    (home(registry) / "champion.json").write_bytes(b"")
    with pytest.raises(AliasError, match=f"workbench models promote churn {good}$") as error:
        registry.resolve("churn")
    literally(registry, error.value)
    assert registry.load(Counter, "churn")[0].number == 0


def test_an_older_alias_that_is_put_back_is_noticed_and_mended_by_what_is_said(registry):
    file, contents = home(registry) / "champion.json", []
    for number in range(3):
        registry.publish("churn", Counter(number), about=about(number), alias="champion")
        contents.append(file.read_bytes())
    for older in contents[:2]:
        file.write_bytes(older)
        for ask in (registry.resolve, registry.rollback, lambda name: registry.serving(Counter, name)):
            with pytest.raises(AliasError, match="is older than one that was used here") as error:
                ask("churn")
    with pytest.raises(AliasError, match="is older"):
        Registry(registry.shelf.root).resolve("churn")  # another process of this machine
    literally(registry, error.value)
    assert registry.load(Counter, "churn")[0].number == 2
    file.write_bytes(contents[2])  # once the newest, now an older one
    with pytest.raises(AliasError, match="is older"):
        registry.resolve("churn")


def test_a_rollback_is_no_alias_that_was_put_back(registry):
    versions = [registry.publish("churn", Counter(n), about=about(n), alias="champion").version for n in range(2)]
    before = (home(registry) / "champion.json").read_bytes()
    registry.rollback("churn")
    assert Registry(registry.shelf.root).resolve("churn") == versions[0]
    (home(registry) / "champion.json").write_bytes(before)
    with pytest.raises(AliasError, match="is older"):
        registry.resolve("churn")


def test_an_alias_that_was_taken_away_is_noticed_but_not_that_all_models_were(registry):
    registry.publish("churn", Counter(1), about=about(0), alias="champion")
    (home(registry) / "champion.json").unlink()
    with pytest.raises(AliasError, match="is gone; let a version serve") as error:
        registry.turns("churn")
    literally(registry, error.value)
    assert registry.load(Counter, "churn")[0].number == 1
    shutil.rmtree(home(registry))
    assert registry.turns("churn") == []
    registry.publish("churn", Counter(2), about=about(1), alias="champion")
    assert registry.load(Counter, "churn")[0].number == 2


def test_an_alias_of_before_there_were_numbers_is_read_until_a_newer_one_was(registry):
    version = registry.publish("churn", Counter(1), about=about(0)).version
    turns = json.dumps([{"version": version, "at": "2026-01-01T00:00:00+00:00", "why": ""}]).encode()
    old = registry.signer.sign("champion of churn", turns).encode() + b"\n" + turns
    (home(registry) / "champion.json").write_bytes(old)
    assert registry.resolve("churn") == version
    registry.publish("churn", Counter(2), about=about(1), alias="champion")
    (home(registry) / "champion.json").write_bytes(old)
    with pytest.raises(AliasError, match="is older"):
        registry.resolve("churn")


def test_processes_that_promote_at_once_raise_no_false_alarm(registry):
    versions = [registry.publish("churn", Counter(n), about=about(n), alias="champion").version for n in range(2)]

    def work(number):
        own = Registry(registry.shelf.root)
        for turn in range(20):
            own.promote("churn", versions[(number + turn) % 2])
            own.resolve("churn")

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(4)))


def test_where_nothing_can_be_kept_beside_the_key_aliases_are_verified_all_the_same(registry, caplog):
    registry.publish("churn", Counter(0), about=about(0), alias="champion")
    folder = registry.signer.path.with_name("models.key.aliases")
    shutil.rmtree(folder)
    folder.write_text("no folder")
    with pytest.raises(ModelError, match="cannot read"):
        registry.resolve("churn")
    folder.unlink()
    (folder.parent / "gone").symlink_to("/proc/none")
    folder.symlink_to("/proc/none")
    assert registry.load(Counter, "churn")[0].number == 0
    assert "will not be noticed" in caplog.text
