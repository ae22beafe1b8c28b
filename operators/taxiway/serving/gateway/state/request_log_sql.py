"""The SQL of the request log."""

SCHEMA = """
PRAGMA journal_mode = WAL;
CREATE TABLE IF NOT EXISTS requests (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    request_id TEXT NOT NULL UNIQUE, at REAL NOT NULL, model TEXT NOT NULL, payload TEXT NOT NULL, call TEXT NOT NULL,
    champion_version INTEGER NOT NULL, champion_status INTEGER NOT NULL,
    champion_answer TEXT NOT NULL, champion_error TEXT NOT NULL, champion_ms REAL NOT NULL,
    challenger_version INTEGER, challenger_owner TEXT, mirror TEXT,
    challenger_status INTEGER, challenger_answer TEXT, challenger_error TEXT, challenger_ms REAL);
CREATE INDEX IF NOT EXISTS by_challenger ON requests (model, challenger_version, challenger_owner)
    WHERE challenger_version IS NOT NULL;
"""
INSERT = """
INSERT INTO requests (request_id, at, model, payload, call, champion_version, champion_status, champion_answer, champion_error,
champion_ms, challenger_version, challenger_owner, mirror) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
ANSWER = """
UPDATE requests SET challenger_status = ?, challenger_answer = ?, challenger_error = ?, challenger_ms = ? WHERE request_id = ?
"""
PAIRS = """
SELECT seq, request_id, call, at, champion_version, champion_answer, champion_error, champion_ms, challenger_answer,
challenger_error, challenger_ms FROM requests
WHERE model = ? AND challenger_version = ? AND challenger_owner = ? AND challenger_status IS NOT NULL ORDER BY seq DESC LIMIT ?
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
count(*) FILTER (WHERE challenger_status <> 200), count(*) FILTER (WHERE mirror = 'dropped') FROM requests
WHERE model = ? AND challenger_version = ? AND challenger_owner = ?
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
challenger_version, challenger_owner, mirror, challenger_status, challenger_answer, challenger_error, challenger_ms
FROM requests ORDER BY seq DESC LIMIT 1
"""
OLDEST_WITH_SIZE = """
SELECT seq, length(payload) + length(champion_answer) + length(champion_error) + coalesce(length(challenger_answer), 0)
+ coalesce(length(challenger_error), 0) + 200 FROM requests ORDER BY seq
"""
