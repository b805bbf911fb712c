"""What another program does to the table of a lake, written byte by byte after the Delta protocol."""

from __future__ import annotations

import json
import struct
import uuid
import zlib

DIGITS = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#"
MAGIC = 1681511377
COOKIE_NO_RUNS, COOKIE_RUNS = 12346, 12347


def z85(data):
    """Encode bytes, a multiple of four, by ZeroMQ RFC 32."""
    text = ""
    for start in range(0, len(data), 4):
        value, digits = int.from_bytes(data[start : start + 4], "big"), ""
        for _ in range(5):
            value, digit = divmod(value, 85)
            digits = DIGITS[digit] + digits
        text += digits
    return text


def roaring(rows, *, kind="array"):
    """Serialize row numbers below 65,536 as the protocol does: magic, count of keys, key, 32-bit roaring bitmap."""
    rows = sorted(rows)
    if kind == "array":
        body = struct.pack("<HH", 0, len(rows) - 1) + struct.pack("<I", 16)
        body = struct.pack("<II", COOKIE_NO_RUNS, 1) + body + b"".join(struct.pack("<H", row) for row in rows)
    elif kind == "runs":
        runs = [[row, row] for row in rows[:1]]
        for row in rows[1:]:
            if row == runs[-1][1] + 1:
                runs[-1][1] = row
            else:
                runs.append([row, row])
        body = struct.pack("<I", COOKIE_RUNS) + b"\x01" + struct.pack("<HH", 0, len(rows) - 1)
        body += struct.pack("<H", len(runs)) + b"".join(struct.pack("<HH", low, high - low) for low, high in runs)
    else:
        bits = bytearray(8192)
        for row in rows:
            bits[row // 8] |= 1 << (row % 8)
        body = struct.pack("<II", COOKIE_NO_RUNS, 1) + struct.pack("<HH", 0, len(rows) - 1)
        body += struct.pack("<I", 16) + bytes(bits)
    return struct.pack("<I", MAGIC) + struct.pack("<Q", 1) + struct.pack("<I", 0) + body


def stored(root, data, *, storage="u", prefix=""):
    """Store a vector inline, or in a file beside the table named relatively or absolutely; return its descriptor."""
    descriptor = {"storageType": storage, "sizeInBytes": len(data)}
    if storage == "i":
        return {**descriptor, "pathOrInlineDv": z85(data + b"\0" * (-len(data) % 4))}
    name = uuid.uuid4()
    path = root / prefix / f"deletion_vector_{name}.bin"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"\x01" + struct.pack(">I", len(data)) + data + struct.pack(">I", zlib.crc32(data)))
    where = prefix + z85(name.bytes) if storage == "u" else path.as_uri()
    return {**descriptor, "pathOrInlineDv": where, "offset": 1}


def commit(root, *actions):
    """Write actions as the next version of the log."""
    log = root / "_delta_log"
    version = max(int(path.stem) for path in log.glob("*.json")) + 1
    (log / f"{version:020}.json").write_text("\n".join(json.dumps(action) for action in actions) + "\n")


def entries(root, kind):
    """List the actions of a kind in the log, oldest first."""
    lines = [line for path in sorted((root / "_delta_log").glob("*.json")) for line in path.read_text().splitlines()]
    return [action[kind] for line in lines if kind in (action := json.loads(line))]


def upgraded(root, *features, reader=3, writer=7, configuration=None):
    """Return the actions that make a table require features of its readers and writers."""
    metadata = entries(root, "metaData")[-1]
    metadata["configuration"] |= configuration or {}
    protocol = {"minReaderVersion": reader, "minWriterVersion": writer}
    if reader == 3:
        protocol["readerFeatures"] = list(features)
    if writer == 7:
        protocol["writerFeatures"] = list(features)
    return {"protocol": protocol}, {"metaData": metadata}


def delete_rows(root, path, rows, *, storage="u", kind="array", prefix=""):
    """Delete rows of a data file as Spark does: the file is removed, and added again with a deletion vector."""
    add = next(entry for entry in reversed(entries(root, "add")) if entry["path"] == path)
    vector = stored(root, roaring(rows, kind=kind), storage=storage, prefix=prefix) | {"cardinality": len(rows)}
    removed = {key: add[key] for key in ("path", "partitionValues", "size")}
    removed |= {"dataChange": True, "deletionTimestamp": 1, "extendedFileMetadata": True}
    if add.get("deletionVector"):
        removed["deletionVector"] = add["deletionVector"]
    upgrade = upgraded(root, "deletionVectors", configuration={"delta.enableDeletionVectors": "true"})
    commit(root, *upgrade, {"remove": removed}, {"add": {**add, "deletionVector": vector}})
