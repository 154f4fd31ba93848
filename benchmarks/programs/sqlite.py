"""SQLite's shell."""

from __future__ import annotations

from metaphrase.benchmarks.programs import Program

SCRIPT = """
PRAGMA journal_mode = OFF;
CREATE TABLE sample (id INTEGER PRIMARY KEY, kind INTEGER, label TEXT, amount REAL);
WITH RECURSIVE counter(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM counter WHERE n < {rows})
INSERT INTO sample
SELECT n, n * 7919 % 1013, printf('%x-%d', n * 2654435761 % 4294967296, n % 97), n * 0.25 FROM counter;
CREATE INDEX by_kind ON sample (kind, amount);
SELECT count(*), sum(amount), min(label), max(label) FROM sample;
SELECT kind, count(*), avg(amount) FROM sample WHERE label LIKE 'a%' GROUP BY kind ORDER BY 3 DESC LIMIT 5;
SELECT count(*) FROM sample a JOIN sample b ON b.kind = a.kind AND b.amount < 100 WHERE a.id % 3 = 0;
SELECT substr(label, 1, 2), count(*) FROM sample GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT 5;
"""

BENCHMARK = Program(
    "SQLite in memory: inserting, indexing, joining and grouping rows in its byte-code machine.",
    group="interpreters",
    executables=("/usr/bin/sqlite3",),
    package="sqlite3",
    size=500_000,
    arguments=lambda inputs, size: [":memory:", SCRIPT.format(rows=size)],
)
