"""The SQL of the request log."""

VERSION = 3
"""The version of the schema, which is the `user_version` of the file.

Files of version 0 have no `caller`, `total_ms` and `rolled`; those of version 1 have no labels, and those of version 2 no
versions.
"""

_LABELS = """
CREATE TABLE labels (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    request_id TEXT NOT NULL, row INTEGER NOT NULL, model TEXT NOT NULL, predicted_at REAL NOT NULL,
    label TEXT NOT NULL, at REAL NOT NULL, caller TEXT NOT NULL);
CREATE INDEX labels_of_request ON labels (request_id, row);
"""
_VERSIONS = """
CREATE TABLE versions (model TEXT NOT NULL, version INTEGER NOT NULL, content TEXT NOT NULL, PRIMARY KEY (model, version));
"""

SCHEMA = f"""
BEGIN IMMEDIATE;
CREATE TABLE IF NOT EXISTS requests (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    request_id TEXT NOT NULL UNIQUE, at REAL NOT NULL, model TEXT NOT NULL, payload TEXT NOT NULL, call TEXT NOT NULL,
    champion_version INTEGER NOT NULL, champion_status INTEGER NOT NULL,
    champion_answer TEXT NOT NULL, champion_error TEXT NOT NULL, champion_ms REAL NOT NULL,
    challenger_version INTEGER, challenger_owner TEXT, mirror TEXT,
    challenger_status INTEGER, challenger_answer TEXT, challenger_error TEXT, challenger_ms REAL,
    caller TEXT NOT NULL DEFAULT '', total_ms REAL);
CREATE INDEX IF NOT EXISTS by_challenger ON requests (model, challenger_version, challenger_owner)
    WHERE challenger_version IS NOT NULL;
CREATE TABLE rolled (log_id TEXT NOT NULL, seq INTEGER NOT NULL, labels INTEGER NOT NULL DEFAULT 0);
INSERT INTO rolled (log_id, seq) VALUES (lower(hex(randomblob(8))), 0);
{_LABELS}
{_VERSIONS}
PRAGMA user_version = {VERSION};
COMMIT;
"""  # noqa: S608 (no values)
# The query fails if the table is not that of version 0: another program's file is not changed.
MIGRATIONS = {
    0: """
BEGIN IMMEDIATE;
SELECT seq, request_id, at, model, payload, call, champion_version, champion_status, champion_answer, champion_error, champion_ms,
challenger_version, challenger_owner, mirror, challenger_status, challenger_answer, challenger_error, challenger_ms
FROM requests LIMIT 0;
ALTER TABLE requests ADD COLUMN caller TEXT NOT NULL DEFAULT '';
ALTER TABLE requests ADD COLUMN total_ms REAL;
CREATE TABLE rolled (log_id TEXT NOT NULL, seq INTEGER NOT NULL);
INSERT INTO rolled VALUES (lower(hex(randomblob(8))), 0);
PRAGMA user_version = 1;
COMMIT;
""",
    1: f"""
BEGIN IMMEDIATE;
ALTER TABLE rolled ADD COLUMN labels INTEGER NOT NULL DEFAULT 0;
{_LABELS}
PRAGMA user_version = 2;
COMMIT;
""",
    2: f"""
BEGIN IMMEDIATE;
{_VERSIONS}
PRAGMA user_version = 3;
COMMIT;
""",
}
"""The statements that bring a file of a version to the next one, in one transaction."""
INSERT = """
INSERT INTO requests (request_id, at, model, payload, call, champion_version, champion_status, champion_answer, champion_error,
champion_ms, challenger_version, challenger_owner, mirror, caller, total_ms) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
SET_VERSION = """
INSERT INTO versions (model, version, content) VALUES (?, ?, ?)
ON CONFLICT (model, version) DO UPDATE SET content = excluded.content WHERE content <> excluded.content
"""
ANSWER = """
UPDATE requests SET challenger_status = ?, challenger_answer = ?, challenger_error = ?, challenger_ms = ? WHERE request_id = ?
"""
PAIRS = """
SELECT seq, request_id, call, at, champion_version, champion_answer, champion_error, champion_ms, challenger_answer,
challenger_error, challenger_ms FROM requests
WHERE model = ? AND challenger_version = ? AND challenger_owner = ? AND challenger_status IS NOT NULL ORDER BY seq DESC LIMIT ?
"""
LABELLED_PAIRS = """
SELECT (SELECT min(seq) FROM labels WHERE labels.request_id = requests.request_id) AS labelled,
request_id, call, at, champion_version, champion_answer, champion_error, champion_ms, challenger_answer, challenger_error, challenger_ms
FROM requests WHERE model = ? AND challenger_version = ? AND challenger_owner = ? AND challenger_status IS NOT NULL
AND labelled IS NOT NULL ORDER BY labelled LIMIT ?
"""
LABELS_OF_PAIRS = """
SELECT request_id, row, label FROM labels WHERE request_id IN
(SELECT request_id FROM requests WHERE model = ? AND challenger_version = ? AND challenger_owner = ?) ORDER BY seq
"""
BODIES = """
SELECT request_id, payload FROM requests
WHERE model = ? AND challenger_version = ? AND challenger_owner = ? AND challenger_status IS NOT NULL ORDER BY seq DESC LIMIT ?
"""
ANSWERS = {
    "champion": """
SELECT champion_version, request_id, payload, champion_answer FROM requests
WHERE model = ? AND champion_status = 200 ORDER BY seq""",
    "challenger": """
SELECT challenger_version, request_id, payload, challenger_answer FROM requests
WHERE model = ? AND challenger_status = 200 ORDER BY seq""",
}
COUNTS = """
SELECT count(*) FILTER (WHERE mirror = 'queued'), count(*) FILTER (WHERE challenger_status = 200),
count(*) FILTER (WHERE challenger_status <> 200), count(*) FILTER (WHERE mirror = 'dropped'),
count(*) FILTER (WHERE challenger_status = 200 AND EXISTS (SELECT * FROM labels WHERE labels.request_id = requests.request_id))
FROM requests WHERE model = ? AND challenger_version = ? AND challenger_owner = ?
"""
DROPPED = """
SELECT count(*) FROM requests
WHERE model = ? AND challenger_version = ? AND challenger_owner = ? AND mirror = 'dropped' AND seq >= ?
"""
# A challenger answers (nearly) in the order of the requests, so a request without an answer that is older than its newest answer is
# lost, and a newer one is still in progress.
LOST = """
SELECT count(*) FROM requests
WHERE model = ?1 AND challenger_version = ?2 AND challenger_owner = ?3 AND mirror = 'queued' AND challenger_status IS NULL
AND seq >= ?4 AND seq < (SELECT max(seq) FROM requests WHERE model = ?1 AND challenger_version = ?2 AND challenger_owner = ?3
AND challenger_status IS NOT NULL)
"""
ALL_COLUMNS = """
SELECT seq, request_id, at, model, payload, call, champion_version, champion_status, champion_answer, champion_error, champion_ms,
challenger_version, challenger_owner, mirror, challenger_status, challenger_answer, challenger_error, challenger_ms,
caller, total_ms FROM requests ORDER BY seq DESC LIMIT 1
"""
DELETE_MANY = """
DELETE FROM requests WHERE seq <= (SELECT seq FROM rolled) AND seq <= (SELECT max(seq) FROM requests) - ?
"""
DELETE_MANY_LABELS = """
DELETE FROM labels WHERE seq <= (SELECT labels FROM rolled) AND seq <= (SELECT max(seq) FROM labels) - ?
"""
DELETE_UNTIL = "DELETE FROM requests WHERE seq <= ?"
OLDEST_ROLLED = """
SELECT seq, length(payload) + length(champion_answer) + length(champion_error) + coalesce(length(challenger_answer), 0)
+ coalesce(length(challenger_error), 0) + 200 FROM requests WHERE seq <= (SELECT seq FROM rolled) ORDER BY seq
"""
ROLLED = "SELECT log_id, seq, labels FROM rolled"
SET_ROLLED = {"requests": "UPDATE rolled SET seq = ?", "labels": "UPDATE rolled SET labels = ?"}
VERSIONS_OF = "SELECT content FROM versions WHERE ?1 IS NULL OR model = ?1 ORDER BY version"
VERSION_OF = "SELECT content FROM versions WHERE model = ? AND version = ?"
NOT_ROLLED = "SELECT coalesce((SELECT max(seq) FROM requests), 0) - (SELECT seq FROM rolled)"
# The requests end before the first one that a challenger may still answer.
TO_ROLL = {
    "requests": """
SELECT *, call AS call_id, at AS partition_at FROM requests WHERE seq > ?1
AND seq < coalesce((SELECT min(seq) FROM requests WHERE seq > ?1 AND mirror = 'queued' AND challenger_status IS NULL AND at > ?2),
9223372036854775807) ORDER BY seq""",
    "labels": "SELECT *, predicted_at AS partition_at FROM labels WHERE seq > ?1 ORDER BY seq",
}
"""The requests and the labels that are to be written to Parquet files, in their order."""
PROBE = "UPDATE rolled SET seq = seq"
ADD_LABELS = """
INSERT INTO labels (request_id, row, model, predicted_at, label, at, caller) VALUES (?, ?, ?, ?, ?, ?, ?)
"""
REQUESTS_OF = """
SELECT request_id, model, at, champion_status, CASE champion_status WHEN 200 THEN json_array_length(champion_answer) END FROM requests
WHERE request_id IN ({marks})
"""
NUMBERS_OF = """
SELECT request_id FROM requests WHERE request_id IN ({marks}) AND champion_status = 200
AND json_type(champion_answer, '$[0]') IN ('integer', 'real')
"""
LABELS_OF = "SELECT request_id, row, label, caller FROM labels WHERE request_id IN ({marks}) ORDER BY seq"
NOT_ROLLED_CHARACTERS = "SELECT coalesce(sum(length(payload)), 0) FROM requests WHERE seq > (SELECT seq FROM rolled)"
POSITIONS = {kind: f"SELECT seq, request_id FROM {kind} WHERE seq BETWEEN ? AND ?" for kind in ("requests", "labels")}  # noqa: S608 (no values)
SET_LOG_ID = "UPDATE rolled SET log_id = lower(hex(randomblob(8)))"
NOT_ROLLED_OF = """
SELECT *, call AS call_id FROM requests WHERE model = ? AND seq > (SELECT seq FROM rolled) AND champion_status = 200 ORDER BY seq
"""
READ_ALL = ("SELECT max(length(payload || champion_answer)) FROM requests", "SELECT max(length(label)) FROM labels")
