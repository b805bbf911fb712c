from __future__ import annotations

from pathlib import Path

import yaml

SERVICES = yaml.safe_load((Path(__file__).parents[1] / "compose.yaml").read_text())["services"]


def test_the_servers_of_a_cluster_listen_on_this_machine_only():
    assert SERVICES.keys() == {"kafka", "clickhouse", "redis", "s3"}
    for name, service in SERVICES.items():
        assert all(port.startswith("127.0.0.1:") for port in service["ports"]), name


def test_every_image_has_a_version():
    for name, service in SERVICES.items():
        assert service["image"].rpartition(":")[2] not in {"", "latest"}, name
