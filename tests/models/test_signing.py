import shlex
import stat
import subprocess
from concurrent.futures import ThreadPoolExecutor

import pytest

from workbench.errors import ModelError
from workbench.models.signing import Signer


def test_a_signature_is_of_one_content_one_purpose_and_one_key(tmp_path):
    ann, bob = Signer(tmp_path / "ann.key"), Signer(tmp_path / "bob.key")
    bob.sign("manifest", b"")
    signature = ann.sign("manifest", b"churn")
    assert ann.verify("manifest", b"churn", signature)
    assert ann.verify("manifest", b"churn", signature + "\n")
    assert not ann.verify("manifest", b"churN", signature)
    assert not ann.verify("champion of churn", b"churn", signature)
    assert not ann.verify("manifest", b"churn", "ü" + signature[1:])
    assert not bob.verify("manifest", b"churn", signature)


def test_a_key_is_made_once_for_its_owner_alone(tmp_path):
    path = tmp_path / "keys" / "models.key"
    with ThreadPoolExecutor(8) as pool:
        signatures = set(pool.map(lambda _: Signer(path).sign("manifest", b"x"), range(32)))
    assert len(signatures) == 1
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [each.name for each in path.parent.iterdir()] == ["models.key"]


def test_without_its_key_nothing_is_verified(tmp_path):
    with pytest.raises(ModelError, match=r"no key at .*models.key"):
        Signer(tmp_path / "models.key").verify("manifest", b"", "")
    (tmp_path / "short").write_bytes(b"1234")
    (tmp_path / "short").chmod(0o600)
    with pytest.raises(ModelError, match="holds 4 bytes; a key has at least 32"):
        Signer(tmp_path / "short").sign("manifest", b"")


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o620, 0o602, 0o666, 0o777, 0o610])
def test_a_key_that_is_open_to_others_is_refused_with_what_to_type(tmp_path, mode):
    signer = Signer(tmp_path / "my models.key")
    signature = signer.sign("manifest", b"churn")
    signer.path.chmod(mode)
    for ask in (lambda: signer.sign("manifest", b"churn"), lambda: signer.verify("manifest", b"churn", signature)):
        with pytest.raises(ModelError, match=f"open to others \\(mode {mode:04o}\\): chmod 600 ") as refused:
            ask()
    command = str(refused.value).rpartition(": ")[2]
    subprocess.run(shlex.split(command), check=True)
    assert signer.verify("manifest", b"churn", signature)
