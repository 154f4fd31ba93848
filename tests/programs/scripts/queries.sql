-- What SQLite's own tests go through, chapter by chapter: types, expressions, queries, indexes, transactions, constraints, triggers, views, extensions.
.bail off
.headers on
.mode list
-- types and expressions
SELECT typeof(1), typeof(1.0), typeof('x'), typeof(x'00'), typeof(NULL), 1 = '1', 1 < 'a', x'01' > 'z';
SELECT 9223372036854775807 + 1, -9223372036854775808 % -1, 7 / 2, -7 / 2, 7 % -3, 7.5 % 2, 1 / 0, 1.0 / 0;
SELECT 1 << 62, 1 << 64, -1 >> 1, ~5, 6 & 3, 6 | 3, 0x7fffffffffffffff, 1e308 * 10, -1e308 * 10;
SELECT round(2.5), round(-2.5), round(1.005, 2), abs(-3), max(1, 'a', NULL), min(3, 2.5), coalesce(NULL, 4), nullif(1, 1), iif(1 > 2, 'a', 'b');
SELECT CAST('12abc' AS INTEGER), CAST('1e3' AS REAL), CAST(3.99 AS INTEGER), CAST(x'414243' AS TEXT), '5' + '6', 'a' || 1 || NULL;
SELECT 0.1 + 0.2, 1e15, 1e16, 123456789.123456789, 5e-324, 1.7976931348623157e308, printf('%.17g|%8.3f|%+d|%x|%,d', 0.1, 3.14159, 5, 255, 1234567);
SELECT upper('straße'), length('grün'), length(x'0102'), instr('hello', 'll'), substr('hello', -3, 2), replace('banana', 'an', 'AN'), trim('  x '), ltrim('xxay', 'x'), hex('abc'), quote(x'00ff'), quote('it''s'), unicode('€'), char(8364, 65);
SELECT 'abc' LIKE 'A%', 'abc' GLOB 'A*', 'a_c' LIKE 'a\_c' ESCAPE '\', 'x' IN ('y', NULL), NULL IS NULL, 5 BETWEEN 1 AND 5, NOT NULL, TRUE + TRUE;
SELECT CASE 3 WHEN 1 THEN 'one' WHEN 3 THEN 'three' ELSE 'other' END, CASE WHEN NULL THEN 1 ELSE 2 END;
-- dates
SELECT date('2024-02-28', '+1 day'), date('2023-02-28', '+1 day'), datetime(1709210096, 'unixepoch'), strftime('%j %W %w %s %J', '2024-12-31 23:59:59'), julianday('2000-01-01 12:00'), time('23:59:59', '+1 second');
SELECT date('2024-01-31', '+1 month'), date('2024-05-17', 'start of month', '-1 day'), date('2024-05-17', 'weekday 0'), datetime('bad');
-- tables, affinities, constraints
CREATE TABLE t (i INTEGER, r REAL, s TEXT, b BLOB, n NUMERIC);
INSERT INTO t VALUES ('1', '2', 3, 4, '5.0'), (1.5, 'x', x'41', 'text', '0x10'), (NULL, 1e100, 'ü', zeroblob(3), 1e20);
SELECT i, typeof(i), r, typeof(r), s, typeof(s), quote(b), typeof(b), n, typeof(n) FROM t;
CREATE TABLE item (id INTEGER PRIMARY KEY AUTOINCREMENT, code TEXT NOT NULL UNIQUE COLLATE NOCASE, price REAL CHECK (price > 0), tag TEXT DEFAULT 'none', twice REAL GENERATED ALWAYS AS (price * 2) STORED, half REAL AS (price / 2)) STRICT;
INSERT INTO item (code, price) VALUES ('A1', 1.5), ('b2', 2.25), ('C3', 4);
INSERT INTO item (code, price) VALUES ('a1', 9);
INSERT INTO item (code, price) VALUES ('D4', -1);
INSERT INTO item (code, price) VALUES (NULL, 1);
INSERT INTO item (code, price) VALUES ('E5', 'text');
INSERT OR IGNORE INTO item (code, price) VALUES ('B2', 7), ('F6', 8);
INSERT INTO item (code, price) VALUES ('a1', 3) ON CONFLICT (code) DO UPDATE SET price = excluded.price + item.price, tag = 'again' RETURNING id, code, price, twice, half;
UPDATE item SET price = price * 1.1 WHERE id IN (SELECT id FROM item ORDER BY price DESC LIMIT 2) RETURNING code, round(price, 3);
DELETE FROM item WHERE code = 'f6' RETURNING *;
SELECT * FROM item ORDER BY code COLLATE BINARY DESC;
SELECT seq FROM sqlite_sequence;
PRAGMA foreign_keys = ON;
CREATE TABLE parent (id INTEGER PRIMARY KEY, name TEXT);
CREATE TABLE child (id INTEGER PRIMARY KEY, parent INTEGER REFERENCES parent ON DELETE CASCADE ON UPDATE CASCADE DEFERRABLE INITIALLY DEFERRED);
INSERT INTO parent VALUES (1, 'one'), (2, 'two');
INSERT INTO child VALUES (10, 1), (11, 1), (12, 2);
INSERT INTO child VALUES (13, 99);
UPDATE parent SET id = 5 WHERE id = 1;
DELETE FROM parent WHERE id = 2;
SELECT * FROM child;
-- rows, made by recursion
CREATE TABLE sale (id INTEGER PRIMARY KEY, shop TEXT, day INTEGER, amount REAL, item INTEGER);
WITH RECURSIVE n (i, r) AS (SELECT 1, 12345 UNION ALL SELECT i + 1, (r * 1103515245 + 12345) % 2147483648 FROM n WHERE i < 4000)
  INSERT INTO sale SELECT i, 'shop' || (r / 65536 % 7), r / 1024 % 365, (r / 256 % 10000) / 8.0, r / 4096 % 50 FROM n;
CREATE INDEX sale_shop_day ON sale (shop, day);
CREATE INDEX sale_large ON sale (amount) WHERE amount > 1000;
CREATE INDEX sale_expression ON sale (day % 7);
ANALYZE;
EXPLAIN QUERY PLAN SELECT * FROM sale WHERE shop = 'shop3' AND day BETWEEN 10 AND 20;
EXPLAIN QUERY PLAN SELECT count(*) FROM sale WHERE day % 7 = 3;
EXPLAIN QUERY PLAN SELECT s.id FROM sale s JOIN item i ON i.id = s.item WHERE s.amount > 1200 ORDER BY s.amount;
SELECT count(*), sum(amount), avg(amount), total(day), min(amount), max(amount), group_concat(DISTINCT shop) FROM (SELECT * FROM sale ORDER BY shop);
SELECT shop, count(*) AS c, round(sum(amount), 3), count(DISTINCT day), max(day) FILTER (WHERE amount > 1200) FROM sale GROUP BY shop HAVING c > 500 ORDER BY 3 DESC;
SELECT day % 7, count(*), sum(CASE WHEN amount > 600 THEN 1 ELSE 0 END) FROM sale WHERE day % 7 IN (1, 3, 5) GROUP BY 1;
SELECT shop, day, amount FROM sale WHERE shop = 'shop2' AND day < 12 ORDER BY day, amount LIMIT 5 OFFSET 2;
SELECT id, amount FROM sale WHERE amount > 1240 ORDER BY amount DESC, id LIMIT 5;
-- joins, sets, subqueries
SELECT i.code, count(s.id), round(total(s.amount), 2) FROM item i LEFT JOIN sale s ON s.item = i.id GROUP BY i.id ORDER BY i.id;
SELECT count(*) FROM sale a JOIN sale b ON a.day = b.day AND a.shop = b.shop AND a.id < b.id;
SELECT p.name, c.id FROM parent p FULL OUTER JOIN child c ON c.parent = p.id ORDER BY 1, 2;
SELECT shop FROM sale WHERE day = 1 INTERSECT SELECT shop FROM sale WHERE day = 2 EXCEPT SELECT 'shop0' UNION ALL SELECT 'end' ORDER BY 1;
SELECT shop, (SELECT max(amount) FROM sale s WHERE s.shop = o.shop AND s.day < 30) FROM (SELECT DISTINCT shop FROM sale) o WHERE EXISTS (SELECT 1 FROM sale s WHERE s.shop = o.shop AND s.day = 100) ORDER BY shop;
SELECT * FROM (VALUES (1, 'a'), (2, 'b')) v NATURAL JOIN (SELECT 2 AS column1, 'z' AS other);
-- windows
SELECT id, shop, amount, row_number() OVER w, rank() OVER (ORDER BY amount), round(sum(amount) OVER (w ROWS BETWEEN 2 PRECEDING AND CURRENT ROW), 2), lag(amount, 1, -1) OVER w, ntile(3) OVER (ORDER BY id), first_value(id) OVER w, cume_dist() OVER (ORDER BY day) FROM sale WHERE id <= 12 WINDOW w AS (PARTITION BY shop ORDER BY id) ORDER BY id;
SELECT day, sum(amount) OVER (ORDER BY day RANGE BETWEEN 3 PRECEDING AND 3 FOLLOWING EXCLUDE CURRENT ROW) FROM sale WHERE shop = 'shop1' AND day < 8 ORDER BY day, 2;
-- recursion
WITH RECURSIVE fib (a, b) AS (VALUES (0, 1) UNION ALL SELECT b, a + b FROM fib LIMIT 60) SELECT max(a) FROM fib;
WITH RECURSIVE xaxis (x) AS (VALUES (-2.0) UNION ALL SELECT x + 0.1 FROM xaxis WHERE x < 1.1), yaxis (y) AS (VALUES (-1.0) UNION ALL SELECT y + 0.2 FROM yaxis WHERE y < 1.0),
  m (iter, cx, cy, x, y) AS (SELECT 0, x, y, 0.0, 0.0 FROM xaxis, yaxis UNION ALL SELECT iter + 1, cx, cy, x * x - y * y + cx, 2.0 * x * y + cy FROM m WHERE (x * x + y * y) < 4.0 AND iter < 20),
  m2 (iter, cx, cy) AS (SELECT max(iter), cx, cy FROM m GROUP BY cx, cy), a (t) AS (SELECT group_concat(substr(' .+*#', 1 + min(iter / 5, 4), 1), '') FROM m2 GROUP BY cy)
  SELECT group_concat(rtrim(t), x'0a') FROM a;
WITH RECURSIVE queens (n, placed, used) AS (SELECT 0, '', 0 UNION ALL SELECT n + 1, placed || c.column1, used FROM queens, (VALUES (1), (2), (3), (4), (5), (6)) c WHERE n < 6 AND NOT EXISTS (SELECT 1 FROM (VALUES (1), (2), (3), (4), (5), (6)) k WHERE k.column1 <= n AND (substr(placed, k.column1, 1) = c.column1 || '' OR abs(substr(placed, k.column1, 1) - c.column1) = n + 1 - k.column1))) SELECT placed FROM queens WHERE n = 6;
-- views, triggers
CREATE VIEW large AS SELECT id, shop, amount FROM sale WHERE amount > 1245;
CREATE TABLE audit (what TEXT);
CREATE TRIGGER large_insert INSTEAD OF INSERT ON large BEGIN INSERT INTO sale (shop, day, amount) VALUES (new.shop, 0, new.amount); END;
CREATE TRIGGER sale_after AFTER INSERT ON sale WHEN new.amount > 2000 BEGIN INSERT INTO audit VALUES ('insert ' || new.id); SELECT RAISE(IGNORE); END;
CREATE TRIGGER sale_before BEFORE DELETE ON sale WHEN old.id = 1 BEGIN SELECT RAISE(ABORT, 'the first stays'); END;
INSERT INTO large (shop, amount) VALUES ('new', 5000);
DELETE FROM sale WHERE id < 3;
DROP TRIGGER sale_before;
SELECT * FROM audit; SELECT count(*), max(id) FROM sale; SELECT * FROM large WHERE shop = 'new';
-- transactions
BEGIN; DELETE FROM sale; SAVEPOINT a; INSERT INTO sale VALUES (1, 'x', 1, 1, 1); ROLLBACK TO a; SELECT count(*) FROM sale; ROLLBACK; SELECT count(*) FROM sale;
BEGIN IMMEDIATE; UPDATE sale SET amount = amount + 1 WHERE shop = 'shop4'; SELECT changes(), total_changes() > 4000; COMMIT;
PRAGMA journal_mode = WAL; UPDATE sale SET day = day + 1 WHERE id % 3 = 0; PRAGMA wal_checkpoint(TRUNCATE); PRAGMA journal_mode = DELETE;
-- schema changes, attached databases, vacuum
DROP TRIGGER large_insert; ALTER TABLE sale RENAME COLUMN amount TO value; ALTER TABLE sale ADD COLUMN note TEXT DEFAULT 'n'; ALTER TABLE audit RENAME TO history; ALTER TABLE sale DROP COLUMN item;
SELECT name, type FROM sqlite_master ORDER BY name; SELECT sql FROM sqlite_master WHERE name = 'large';
ATTACH 'second.db' AS second; CREATE TABLE second.copy AS SELECT shop, sum(value) AS total FROM sale GROUP BY shop; SELECT count(*), round(sum(total)) FROM second.copy; DETACH second;
VACUUM; PRAGMA integrity_check; PRAGMA foreign_key_check; PRAGMA page_count; PRAGMA user_version = 7; PRAGMA user_version;
CREATE TABLE pair (a, b, PRIMARY KEY (a, b)) WITHOUT ROWID; INSERT INTO pair SELECT id % 20, id % 13 FROM sale WHERE true ON CONFLICT DO NOTHING; SELECT count(*), sum(a * b) FROM pair; SELECT * FROM pair WHERE (a, b) > (19, 10);
-- JSON
SELECT json('{"a" : [1, 2.50, "x"]}'), json_extract('{"a":[1,{"b":null}]}', '$.a[1].b'), '{"a":{"b":5}}' -> 'a', '{"a":{"b":5}}' ->> '$.a.b', json_array(1, 'two', NULL, json('[3]')), json_valid('{bad');
SELECT key, value, type FROM json_each('[10,"x",null,{"a":1},true]'); SELECT json_group_array(shop) FROM (SELECT DISTINCT shop FROM sale ORDER BY shop); SELECT json_set('{"a":1}', '$.b', 2, '$.a', 3), json_remove('[0,1,2]', '$[1]'), json_patch('{"a":1,"b":2}', '{"b":null}');
-- full text, R-trees, series
CREATE VIRTUAL TABLE prose USING fts5 (title, body, tokenize = 'porter'); INSERT INTO prose VALUES ('first', 'the quick brown foxes are jumping'), ('second', 'a fox jumped over lazy dogs'), ('third', 'nothing of interest');
SELECT title, highlight(prose, 1, '[', ']'), round(bm25(prose), 6) FROM prose WHERE prose MATCH 'fox AND jump*' ORDER BY rank; SELECT title FROM prose WHERE prose MATCH '"brown fox" OR interest'; INSERT INTO prose (prose) VALUES ('integrity-check');
CREATE VIRTUAL TABLE box USING rtree (id, x0, x1, y0, y1); INSERT INTO box SELECT id, id % 40, id % 40 + 2.5, id % 23, id % 23 + 1.5 FROM sale WHERE id < 1000; SELECT count(*), sum(id) FROM box WHERE x0 < 10 AND x1 > 5 AND y0 < 8 AND y1 > 6;
-- mathematics of the shell
SELECT sqrt(2), pi(), exp(1), ln(10), log(100), log2(8), sin(1), cos(1), atan2(1, 2), power(2, 0.5), floor(-2.5), ceil(2.1), trunc(-2.9), mod(10.5, 3), degrees(pi()), tanh(0.5);
-- output
.mode box
SELECT id, code, price FROM item LIMIT 2;
.mode json
SELECT id, code, price FROM item LIMIT 2;
.mode quote
SELECT * FROM t;
.mode csv
SELECT 'a,b' AS "x y", 'quote"d', 1.5;
.mode list
.dump pair
.schema item
SELECT missing FROM t;
SELECT * FROM t WHERE;
.exit 5
