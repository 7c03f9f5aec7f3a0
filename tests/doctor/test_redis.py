"""Redis as it is, and as it should not be."""

import time
from pathlib import Path

from headrace_runtime.doctor.redis import redis

from tests.doctor.asked import asked, levels
from tests.servers import Redis
from tests.servers.places import free_port

PREFIX = "doctor"


async def test_a_redis_as_it_should_be_has_no_errors_and_keeps_nothing_of_it(tmp_path: Path) -> None:
    with Redis(tmp_path) as server:
        found = await asked(redis(server.url, PREFIX))

    assert levels(found) == {
        **dict.fromkeys(("connection", "version", "role", "maxmemory-policy", "memory"), "ok"),
        **dict.fromkeys(("persistence", "scripts", "clock"), "ok"),
        **({"flaws": "warning"} if "flaws" in found else {}),
    }
    assert found["persistence"].found == "append-only file, appendfsync everysec"


async def test_a_redis_that_evicts_is_an_error_that_names_the_setting(tmp_path: Path) -> None:
    with Redis(tmp_path, "maxmemory-policy allkeys-lru") as server:
        found = await asked(redis(server.url, PREFIX))

    assert found["maxmemory-policy"].level == "error"
    assert "allkeys-lru" in found["maxmemory-policy"].found
    assert "noeviction" in found["maxmemory-policy"].advice


async def test_a_redis_without_append_only_file_or_limit_is_warned_of(tmp_path: Path) -> None:
    with Redis(tmp_path, "appendonly no", "maxmemory 0", "maxmemory-policy volatile-lru") as server:
        found = await asked(redis(server.url, PREFIX))

    warned = {check for check, each in found.items() if each.level == "warning"}
    assert {"persistence", "memory", "maxmemory-policy"} <= warned


async def test_a_hoster_that_closes_config_is_no_error(tmp_path: Path) -> None:
    with Redis(tmp_path, 'rename-command CONFIG ""') as server:
        found = await asked(redis(server.url, PREFIX))

    assert found["persistence"].found == "append-only file"
    assert found["maxmemory-policy"].level == "ok"


async def test_a_replica_is_told_with_its_primary(tmp_path: Path) -> None:
    replica = Redis(tmp_path / "two", f"replicaof 127.0.0.1 {(primary := Redis(tmp_path / 'one')).port}")
    with primary, replica:
        found = await asked(redis(replica.url, PREFIX))

    assert found["role"].level == "error"
    assert f"127.0.0.1:{primary.port}" in found["role"].advice
    assert "scripts" not in found


async def test_a_cluster_without_our_slots_is_told(tmp_path: Path) -> None:
    with Redis(tmp_path, "cluster-enabled yes", f"cluster-port {free_port()}") as server:
        found = await asked(redis(server.url.removesuffix("/0"), PREFIX))

    assert found["role"].level == "warning" and "cluster" in found["role"].found
    assert found["scripts"].level == "error"


async def test_wrong_credentials_are_told_without_them(tmp_path: Path) -> None:
    with Redis(tmp_path, "requirepass another") as server:
        for url in (server.url, server.url.replace("redis://", "redis://:a-secret-of-mine@")):
            found = await asked(redis(url, PREFIX))

            assert levels(found) == {"connection": "error"}
            assert "credentials" in found["connection"].found
            assert "a-secret-of-mine" not in str(found)


async def test_one_that_is_away_or_frozen_is_told_in_time(tmp_path: Path) -> None:
    away = await asked(redis(f"redis://127.0.0.1:{free_port()}/0", PREFIX))
    with Redis(tmp_path) as server:
        server.pause()
        began = time.monotonic()
        frozen = await asked(redis(server.url, PREFIX))
        took = time.monotonic() - began
        server.resume()

    assert levels(away) == levels(frozen) == {"connection": "error"}
    assert "HEADRACE_REDIS_URL" in away["connection"].advice
    assert took < 6


async def test_an_address_that_is_none_is_told_with_its_setting() -> None:
    found = await asked(redis("localhost:6379", PREFIX))

    assert levels(found) == {"HEADRACE_REDIS_URL": "error"}
