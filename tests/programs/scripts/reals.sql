-- Real numbers in SQLite, which parses and prints them through `long double`: x87 code on this guest.
CREATE TABLE sample (id INTEGER PRIMARY KEY, x REAL, y REAL);
WITH RECURSIVE n(i, r) AS (SELECT 1, 12345 UNION ALL SELECT i + 1, (r * 1103515245 + 12345) % 2147483648 FROM n WHERE i < 1500)
  INSERT INTO sample SELECT i, r / 65536 % 1000 / 8.0 - 40, r / 1024.0 FROM n;
SELECT count(*), sum(x), avg(y), min(x), max(y), total(x * y), round(avg(x), 4) FROM sample;
SELECT x, count(*) FROM sample GROUP BY x HAVING count(*) > 5 ORDER BY 2 DESC, 1 LIMIT 4;
SELECT 7.0 / 2, 1e300 * 1e10, 0.1 + 0.2, 0.1 + 0.2 = 0.3, round(2.5), round(-1.005, 2), 1e-320, 123456789012345678, 1.5e300, -0.0;
SELECT printf('%.3f|%e|%g|%.15g|%10.2f', 3.14159, 12345.678, 0.0001, 0.1, -2.5), CAST('12.5abc' AS REAL), CAST(1e18 AS INTEGER), typeof(1.0), quote(1.1);
SELECT julianday('2000-01-01 12:00'), strftime('%J %f', '2023-12-31 01:02:03.456'), json_extract('{"a":[1,{"b":2.5}]}', '$.a[1].b');
SELECT sqrt(2.0), pow(2, 0.5), ln(10), exp(1), sin(1), atan2(1, 2), pi(), ceil(1.2), 5.5 % 2;
