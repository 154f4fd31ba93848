-- A database on disk (integers and text; reals.sql has the rest): thousands of rows, an index, joins, aggregates, a trigger, a window, recursion, integrity.
PRAGMA journal_mode = DELETE;
CREATE TABLE city (id INTEGER PRIMARY KEY, name TEXT UNIQUE, country TEXT);
CREATE TABLE person (id INTEGER PRIMARY KEY, name TEXT, city INTEGER REFERENCES city, born INTEGER, height INTEGER);
CREATE TABLE log (at INTEGER PRIMARY KEY AUTOINCREMENT, what TEXT);
CREATE TRIGGER moved AFTER UPDATE OF city ON person BEGIN INSERT INTO log (what) VALUES (old.id || ' moved from ' || old.city || ' to ' || new.city); END;
BEGIN;
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 40)
  INSERT INTO city SELECT i, 'city' || i, CASE i % 4 WHEN 0 THEN 'Norway' WHEN 1 THEN 'Peru' WHEN 2 THEN 'Japan' ELSE 'Kenya' END FROM n;
WITH RECURSIVE n(i, r) AS (SELECT 1, 12345 UNION ALL SELECT i + 1, (r * 1103515245 + 12345) % 2147483648 FROM n WHERE i < 8000)
  INSERT INTO person SELECT i, 'person' || (r / 65536 % 3000), 1 + r / 65536 % 40, 1930 + r / 131072 % 80, 1500 + r / 65536 % 500 FROM n;
COMMIT;
CREATE INDEX by_city ON person (city, born);
ANALYZE;
SELECT count(*), count(DISTINCT name), min(born), max(born), sum(height) FROM person;
SELECT country, count(*), sum(height) / count(*), sum(born) FROM person JOIN city ON city.id = person.city GROUP BY country ORDER BY country;
SELECT city.name, count(*) AS people FROM city LEFT JOIN person ON person.city = city.id AND born > 2000 GROUP BY city.id HAVING people > 40 ORDER BY people DESC, city.name LIMIT 5;
EXPLAIN QUERY PLAN SELECT * FROM person WHERE city = 7 AND born BETWEEN 1950 AND 1960;
SELECT id, name, born FROM person WHERE city = 7 AND born BETWEEN 1950 AND 1960 ORDER BY born, id LIMIT 6;
UPDATE person SET city = city + 1 WHERE city < 40 AND id % 97 = 0;
SELECT count(*), what FROM log WHERE at IN (1, 2, (SELECT max(at) FROM log)) GROUP BY what;
DELETE FROM person WHERE name LIKE '%9_9';
SELECT changes(), (SELECT count(*) FROM person);
SELECT name, height, rank() OVER (ORDER BY height DESC, id) AS place FROM person WHERE city = 3 ORDER BY place LIMIT 4;
SELECT upper(substr(name, 1, 3)), hex(name), length(name), instr(name, '1'), replace(name, 'person', 'p'), printf('%08d|%x|%s', height, born, quote(name)) FROM person WHERE id = 4321;
SELECT group_concat(b, ' ') FROM (SELECT born % 10 AS b FROM person GROUP BY b ORDER BY b);
SELECT 9223372036854775807 + 0, 7 / 2, -7 % 3, CAST('12abc' AS INTEGER), typeof(1 / 0), abs(-9), 5 & 6 | 8, ~7, 1 << 40;
SELECT date('2024-02-28', '+2 days'), strftime('%W %j', '2023-12-31'), json_extract('{"a":[1,{"b":"c"}]}', '$.a[1].b');
WITH RECURSIVE fib(n, a, b) AS (SELECT 1, 0, 1 UNION ALL SELECT n + 1, b, a + b FROM fib WHERE n < 80) SELECT n, a FROM fib WHERE n % 20 = 0;
PRAGMA integrity_check;
VACUUM;
PRAGMA page_count;
SELECT * FROM nowhere;
