"""What answers mean, as tables: no server is asked."""

import errno
from datetime import timedelta
from typing import Any

import pytest
from headrace_runtime.doctor import Finding
from headrace_runtime.doctor.rules import clocks, embedded, isolation, mongo, ports, rabbitmq, redis, versions
from headrace_runtime.doctor.rules import elasticsearch as search

GB = 1024**3
SET = {"setName": "rs0", "isWritablePrimary": True}


def level(found: Finding | None) -> str:
    """The level; what is not ok says what to do."""
    if found is None:
        return "nothing"
    assert found.level == "ok" or found.advice.endswith("."), found
    return found.level


def worst(found: list[Finding]) -> str:
    return max((level(each) for each in found), key=["ok", "warning", "error"].index)


@pytest.mark.parametrize(
    ("text", "found"),
    [("7.0.28", (7, 0, 28)), ("8.2", (8, 2, 0)), ("3.13.0-rc.1", (3, 13, 0)), ("10", (10, 0, 0)), ("?", (0, 0, 0))],
)
def test_versions_are_read(text: str, found: tuple[int, int, int]) -> None:
    assert versions.parsed(text) == found


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("4.2.8", "error"),
        ("4.4.30", "error"),
        ("5.0.31", "warning"),
        ("5.0.32", "ok"),
        ("6.0.26", "warning"),
        ("7.0.28", "ok"),
        ("7.3.4", "warning"),
        ("8.0.16", "warning"),
        ("8.0.17", "ok"),
        ("8.1.0", "warning"),
        ("8.2.2", "warning"),
        ("8.2.3", "ok"),
        ("9.0.0", "ok"),
        ("", "warning"),
    ],
)
def test_a_mongodb_is_5_0_or_newer_and_without_mongobleed(text: str, found: str) -> None:
    assert worst(mongo.version(text)) == found


@pytest.mark.parametrize(
    ("hello", "found"),
    [
        (SET, "ok"),
        ({"msg": "isdbgrid"}, "ok"),
        ({"isWritablePrimary": True}, "error"),
        ({**SET, "isWritablePrimary": False}, "error"),
    ],
)
def test_a_mongodb_is_a_set_or_sharded_and_takes_writes(hello: dict[str, Any], found: str) -> None:
    assert level(mongo.topology(hello)) == found


@pytest.mark.parametrize(
    ("states", "found"),
    [
        (["PRIMARY", "SECONDARY", "SECONDARY"], "ok"),
        (["PRIMARY", "SECONDARY", "ARBITER"], "ok"),
        (["PRIMARY"], "warning"),
        (["PRIMARY", "SECONDARY", "RECOVERING"], "warning"),
        (["PRIMARY", "(not reachable/healthy)", "DOWN"], "error"),
        (["PRIMARY", "DOWN"], "error"),
    ],
)
def test_a_set_has_a_majority_and_better_all(states: list[str], found: str) -> None:
    status = {"members": [{"name": f"m{number}", "stateStr": each} for number, each in enumerate(states)]}
    assert level(mongo.members(status)) == found


def test_a_majority_without_journal_is_warned_of() -> None:
    assert level(mongo.defaults({}, {"writeConcernMajorityJournalDefault": False})) == "warning"
    assert level(mongo.defaults({"defaultWriteConcern": {"w": 1}}, {})) == "ok"


@pytest.mark.parametrize(("used", "found"), [(10, "ok"), (80, "warning"), (90, "error")])
def test_the_disk_of_mongodb_has_room(used: int, found: str) -> None:
    assert level(mongo.disk({"fsTotalSize": 100 * GB, "fsUsedSize": used * GB})) == found
    assert mongo.disk({}) is None


@pytest.mark.parametrize(
    ("kept", "known", "found"), [(None, 3, "ok"), (2, 3, "ok"), (3, 3, "ok"), (4, 3, "error"), (4, None, "ok")]
)
def test_a_schema_is_not_newer_than_this_release(kept: int | None, known: int | None, found: str) -> None:
    assert level(mongo.schema("headrace_executor", kept, known)) == found


@pytest.mark.parametrize(
    ("server", "found"),
    [
        ({"redis_version": "6.0.16"}, "error"),
        ({"redis_version": "6.2.19"}, "warning"),
        ({"redis_version": "6.2.20"}, "ok"),
        ({"redis_version": "7.0.15"}, "warning"),
        ({"redis_version": "7.2.11"}, "ok"),
        ({"redis_version": "8.2.1"}, "warning"),
        ({"redis_version": "8.2.2"}, "ok"),
        ({"redis_version": "8.4.0"}, "ok"),
        ({"redis_version": "7.2.4", "valkey_version": "8.0.5"}, "warning"),
        ({"redis_version": "7.2.4", "valkey_version": "8.1.4"}, "ok"),
        ({"redis_version": "7.2.4", "valkey_version": "9.0.0"}, "ok"),
    ],
)
def test_a_redis_is_6_2_or_newer_and_without_the_flaw_of_its_scripts(server: dict[str, str], found: str) -> None:
    assert worst(redis.version(server)) == found


@pytest.mark.parametrize(
    ("policy", "maxmemory", "found"),
    [("noeviction", 0, "ok"), ("allkeys-lru", 0, "warning"), ("allkeys-lru", 1, "error"), ("volatile-ttl", 1, "error")],
)
def test_a_redis_throws_nothing_away(policy: str, maxmemory: int, found: str) -> None:
    assert level(redis.eviction({"maxmemory_policy": policy, "maxmemory": maxmemory})) == found


@pytest.mark.parametrize(
    ("used", "most", "found"), [(1, 0, "warning"), (1, 100, "ok"), (80, 100, "warning"), (100, 100, "error")]
)
def test_a_redis_has_a_limit_and_room_below_it(used: int, most: int, found: str) -> None:
    assert level(redis.memory({"used_memory": used, "maxmemory": most})) == found


@pytest.mark.parametrize(
    ("told", "fsync", "found"),
    [
        ({"aof_enabled": 1, "aof_last_write_status": "ok"}, "everysec", "ok"),
        ({"aof_enabled": 1}, "", "ok"),
        ({"aof_enabled": 1}, "no", "warning"),
        ({"aof_enabled": 0}, "everysec", "warning"),
        ({"aof_enabled": 1, "aof_last_write_status": "err"}, "always", "error"),
    ],
)
def test_a_redis_keeps_its_writes(told: dict[str, Any], fsync: str, found: str) -> None:
    assert level(redis.persistence(told, fsync)) == found


@pytest.mark.parametrize(
    ("replication", "cluster", "found"),
    [
        ({"role": "master"}, {}, "ok"),
        ({"role": "master"}, {"cluster_enabled": 1}, "warning"),
        ({"role": "slave", "master_host": "h", "master_port": 1}, {}, "error"),
    ],
)
def test_a_redis_takes_writes(replication: dict[str, Any], cluster: dict[str, Any], found: str) -> None:
    assert level(redis.role(replication, cluster)) == found


@pytest.mark.parametrize(
    ("version", "found"), [("3.9.29", "error"), ("3.10.8", "ok"), ("4.1.3", "ok"), ("", "warning")]
)
def test_a_rabbitmq_is_3_10_or_newer(version: str, found: str) -> None:
    assert level(rabbitmq.version({"version": version})) == found


def test_a_queue_of_other_arguments_tells_which_and_how_to_mend_it() -> None:
    said = (
        "PRECONDITION_FAILED - inequivalent arg 'x-max-length' for queue 'headrace.run.ready.executors' in vhost '/': "
        "received the value '10000' of type 'signedint' but current is the value '7' of type 'signedint'"
    )
    found = rabbitmq.other_arguments("headrace.run.ready.executors", said)

    assert found.found == "x-max-length is 7, not 10000"
    assert "rabbitmqctl delete_queue headrace.run.ready.executors" in found.advice


@pytest.mark.parametrize(
    ("nodes", "found"),
    [
        (["8.19.7"], "ok"),
        (["9.1.0", "9.1.0"], "ok"),
        (["7.17.29"], "error"),
        (["8.19.7", "7.17.0"], "error"),
        (["8.18.0", "8.19.7"], "warning"),
        (["10.0.0"], "warning"),
    ],
)
def test_every_node_of_elasticsearch_is_8_or_9(nodes: list[str], found: str) -> None:
    assert level(search.versions(nodes)) == found


@pytest.mark.parametrize(
    ("status", "nodes", "replicas", "found", "named"),
    [
        ("green", 3, 1, "ok", False),
        ("yellow", 1, 1, "warning", True),
        ("yellow", 3, 1, "warning", False),
        ("red", 3, 1, "error", False),
    ],
)
def test_shards_and_copies_have_their_place(status: str, nodes: int, replicas: int, found: str, named: bool) -> None:
    told = search.health({"status": status, "number_of_nodes": nodes, "number_of_data_nodes": nodes}, replicas)

    assert level(told) == found
    assert ("HEADRACE_ELASTICSEARCH_REPLICAS" in told.advice) == named


@pytest.mark.parametrize(
    ("mark", "headroom", "total", "least"),
    [
        ("85%", "-1", 100, 15),
        ("0.9", "-1", 100, 10),
        ("85%", "200gb", 10_000 * GB, 200 * GB),
        ("85%", "200gb", 100 * GB, 15 * GB),
        ("10gb", "-1", 100 * GB, 10 * GB),
        ("500mb", "1gb", 100 * GB, 500 * 1024**2),
        ("", "-1", 100, 0),
    ],
)
def test_watermarks_are_read_as_elasticsearch_means_them(mark: str, headroom: str, total: int, least: float) -> None:
    assert search.least_free(mark, headroom, total) == pytest.approx(least)


@pytest.mark.parametrize(("free", "found"), [(50, "ok"), (14, "warning"), (9, "warning"), (4, "error")])
def test_a_disk_past_a_watermark_is_told(free: int, found: str) -> None:
    prefix = "cluster.routing.allocation.disk.watermark"
    settings = {f"{prefix}.low": "85%", f"{prefix}.high": "90%", f"{prefix}.flood_stage": "95%"}
    node = {"name": "one", "total_in_bytes": 100 * GB, "available_in_bytes": free * GB}

    assert [level(each) for each in search.disks(settings, [node])] == [found]


@pytest.mark.parametrize(
    ("cluster", "indices", "found"),
    [
        ({}, {"a": {}}, "ok"),
        ({}, {"a": {"index.blocks.read_only_allow_delete": "true"}}, "error"),
        ({}, {"a": {"index.blocks.write": True}}, "error"),
        ({}, {"a": {"index.blocks.write": "false"}}, "ok"),
        ({"cluster.blocks.read_only": "true"}, {}, "error"),
    ],
)
def test_a_block_is_an_error(cluster: dict[str, Any], indices: dict[str, Any], found: str) -> None:
    assert worst(search.blocks(cluster, indices)) == found


@pytest.mark.parametrize(
    ("seconds", "found"),
    [(0.2, "ok"), (-0.9, "ok"), (1.5, "warning"), (-30, "warning"), (61, "error"), (-3600, "error")],
)
def test_clocks_agree(seconds: float, found: str) -> None:
    assert level(clocks.skew(timedelta(seconds=seconds))) == found


@pytest.mark.parametrize(
    ("kind", "found"),
    [
        ("ext4", "ok"),
        ("xfs", "ok"),
        ("", "ok"),
        ("fuseblk", "ok"),
        ("nfs4", "error"),
        ("cifs", "error"),
        ("9p", "error"),
        ("fuse.sshfs", "error"),
        ("tmpfs", "warning"),
        ("overlay", "warning"),
    ],
)
def test_the_data_lie_on_a_local_disk(kind: str, found: str) -> None:
    assert level(embedded.file_system(kind)) == found


@pytest.mark.parametrize(
    ("free", "files", "found"),
    [(10 * GB, 1000, "ok"), (GB // 2, 1000, "warning"), (1024, 1000, "error"), (10 * GB, 5, "error")],
)
def test_there_is_room(free: int, files: int, found: str) -> None:
    assert level(embedded.room(free, files)) == found


def test_interpreter_sqlite_and_files_are_judged() -> None:
    assert level(embedded.python((3, 10, 9))) == "error"
    assert level(embedded.python((3, 13, 0))) == "ok"
    assert level(embedded.sqlite("3.34.1", True)) == "error"
    assert level(embedded.sqlite("3.40.1", False)) == "error"
    assert level(embedded.sqlite("3.40.1", True)) == "ok"
    assert level(embedded.integrity("a.db", ["ok"])) == "ok"
    assert level(embedded.integrity("a.db", None)) == "warning"
    assert level(embedded.integrity("a.db", ["row 1 missing from index"])) == "error"
    assert level(embedded.schema("a.db", 2, 1)) == "error"
    assert level(embedded.schema("a.db", 1, 2)) == "nothing"


@pytest.mark.parametrize(
    ("failure", "status", "is_ours", "found", "word"),
    [
        (0, None, False, "ok", "free"),
        (errno.EADDRINUSE, 200, True, "ok", "ready"),
        (errno.EADDRINUSE, 503, True, "warning", "not ready"),
        (errno.EADDRINUSE, 404, False, "error", "no Headrace"),
        (errno.EADDRINUSE, None, False, "error", "no Headrace"),
        (errno.EACCES, None, False, "error", "may not be used"),
        (errno.EADDRNOTAVAIL, None, False, "error", "no address"),
    ],
)
def test_the_port_is_free_or_ours(failure: int, status: int | None, is_ours: bool, found: str, word: str) -> None:
    told = ports.port("127.0.0.1:2200", failure, status, is_ours, "")

    assert level(told) == found
    assert word in told.found


@pytest.mark.parametrize(
    ("landlock", "actions", "machine", "libc", "found"),
    [
        (7, ["errno", "user_notif"], "x86_64", "glibc", "ok"),
        (6, ["errno", "user_notif"], "aarch64", "glibc", "ok"),
        (5, ["errno", "user_notif"], "x86_64", "glibc", "warning"),
        (0, ["errno", "user_notif"], "x86_64", "glibc", "warning"),
        (7, ["errno"], "x86_64", "glibc", "warning"),
        (7, [], "x86_64", "glibc", "warning"),
        (7, ["errno", "user_notif"], "riscv64", "glibc", "warning"),
        (7, ["errno", "user_notif"], "x86_64", "", "warning"),
    ],
)
def test_a_kernel_confines_published_components_or_is_said_not_to(
    landlock: int, actions: list[str], machine: str, libc: str, found: str
) -> None:
    assert level(isolation.isolation(landlock, actions, machine, libc)) == found
