-- make told
CREATE TABLE IF NOT EXISTS "planner"."told_0a1b" (tk varchar NOT NULL, tline varchar NOT NULL, tlayout varchar NOT NULL);

-- make found
CREATE TABLE "planner"."found_0a1b" AS
SELECT coalesce(c.mk, tk) AS fk, c.mline AS fline, tline AS fwas, tlayout AS fwaslayout, c.fit AS fit
FROM (
  SELECT mk, mline, CASE WHEN keyless = 'n' AND count(*) OVER (PARTITION BY mk) = 1 THEN 'y' ELSE 'n' END AS fit
  FROM (
    SELECT
      (coalesce(TO_VARCHAR(q."id"), chr(92) || 'N')) AS mk,
      coalesce(TO_VARCHAR(q."id"), chr(92) || 'N')
      || chr(9) || coalesce(replace(replace(replace(replace(replace(replace(replace(COLLATE(TO_VARCHAR(q."na""m`e"), 'utf8'), chr(92), chr(92) || chr(92)), chr(8), chr(92) || 'b'), chr(9), chr(92) || 't'), chr(10), chr(92) || 'n'), chr(11), chr(92) || 'v'), chr(12), chr(92) || 'f'), chr(13), chr(92) || 'r'), chr(92) || 'N')
      || chr(9) || coalesce(CONCAT(RTRIM(RTRIM(TO_CHAR(CONVERT_TIMEZONE('UTC', q."at"), 'YYYY-MM-DD HH24:MI:SS.FF9'), '0'), '.'), '+00'), chr(92) || 'N') AS mline,
      CASE WHEN q."id" IS NULL THEN 'y' ELSE 'n' END AS keyless
    FROM (
select * from accounts
    ) q
  ) e
) c
FULL OUTER JOIN "planner"."told_0a1b" ON c.mk = tk
WHERE c.mk IS NULL OR tk IS NULL OR c.mline <> tline OR tlayout <> '2' OR c.fit = 'n';

-- look without a table
SELECT coalesce(c.mk, tk) AS fk, c.mline AS fline, tline AS fwas, tlayout AS fwaslayout, c.fit AS fit
FROM (
  SELECT mk, mline, CASE WHEN keyless = 'n' AND count(*) OVER (PARTITION BY mk) = 1 THEN 'y' ELSE 'n' END AS fit
  FROM (
    SELECT
      (coalesce(TO_VARCHAR(q."id"), chr(92) || 'N')) AS mk,
      coalesce(TO_VARCHAR(q."id"), chr(92) || 'N')
      || chr(9) || coalesce(replace(replace(replace(replace(replace(replace(replace(COLLATE(TO_VARCHAR(q."na""m`e"), 'utf8'), chr(92), chr(92) || chr(92)), chr(8), chr(92) || 'b'), chr(9), chr(92) || 't'), chr(10), chr(92) || 'n'), chr(11), chr(92) || 'v'), chr(12), chr(92) || 'f'), chr(13), chr(92) || 'r'), chr(92) || 'N')
      || chr(9) || coalesce(CONCAT(RTRIM(RTRIM(TO_CHAR(CONVERT_TIMEZONE('UTC', q."at"), 'YYYY-MM-DD HH24:MI:SS.FF9'), '0'), '.'), '+00'), chr(92) || 'N') AS mline,
      CASE WHEN q."id" IS NULL THEN 'y' ELSE 'n' END AS keyless
    FROM (
select * from accounts
    ) q
  ) e
) c
FULL OUTER JOIN "planner"."told_0a1b" ON c.mk = tk
WHERE 1 = 1;

-- take as told
INSERT INTO "planner"."told_0a1b" (tk, tline, tlayout)
SELECT fk, fline, '2' FROM (
SELECT coalesce(c.mk, tk) AS fk, c.mline AS fline, tline AS fwas, tlayout AS fwaslayout, c.fit AS fit
FROM (
  SELECT mk, mline, CASE WHEN keyless = 'n' AND count(*) OVER (PARTITION BY mk) = 1 THEN 'y' ELSE 'n' END AS fit
  FROM (
    SELECT
      (coalesce(TO_VARCHAR(q."id"), chr(92) || 'N')) AS mk,
      coalesce(TO_VARCHAR(q."id"), chr(92) || 'N')
      || chr(9) || coalesce(replace(replace(replace(replace(replace(replace(replace(COLLATE(TO_VARCHAR(q."na""m`e"), 'utf8'), chr(92), chr(92) || chr(92)), chr(8), chr(92) || 'b'), chr(9), chr(92) || 't'), chr(10), chr(92) || 'n'), chr(11), chr(92) || 'v'), chr(12), chr(92) || 'f'), chr(13), chr(92) || 'r'), chr(92) || 'N')
      || chr(9) || coalesce(CONCAT(RTRIM(RTRIM(TO_CHAR(CONVERT_TIMEZONE('UTC', q."at"), 'YYYY-MM-DD HH24:MI:SS.FF9'), '0'), '.'), '+00'), chr(92) || 'N') AS mline,
      CASE WHEN q."id" IS NULL THEN 'y' ELSE 'n' END AS keyless
    FROM (
select * from accounts
    ) q
  ) e
) c
FULL OUTER JOIN "planner"."told_0a1b" ON c.mk = tk
WHERE 1 = 1
) f WHERE fit = 'y';

-- fill told
INSERT INTO "planner"."told_0a1b" (tk, tline, tlayout) VALUES
(hex_decode_string('69742773'), hex_decode_string('69742773095c4e'), '2');

-- make kept
CREATE TABLE IF NOT EXISTS "planner"."kept_0a1b" (ek varchar NOT NULL, eline varchar, act varchar NOT NULL);

-- fill kept
INSERT INTO "planner"."kept_0a1b" (ek, eline, act) VALUES
(hex_decode_string('31'), NULL, 'leave'),
(hex_decode_string('32'), hex_decode_string('3209646f756274'), 'put');

-- what goes
DELETE FROM "planner"."told_0a1b" WHERE EXISTS (SELECT 1 FROM "planner"."found_0a1b" WHERE fk = tk AND (fit = 'y' OR fline IS NULL)) AND NOT EXISTS (SELECT 1 FROM "planner"."kept_0a1b" WHERE ek = tk AND act <> 'take');

-- what was in doubt
DELETE FROM "planner"."told_0a1b" WHERE EXISTS (SELECT 1 FROM "planner"."kept_0a1b" WHERE ek = tk AND act = 'put');

-- what comes
INSERT INTO "planner"."told_0a1b" (tk, tline, tlayout) SELECT fk, fline, '2' FROM "planner"."found_0a1b" WHERE fit = 'y' AND NOT EXISTS (SELECT 1 FROM "planner"."kept_0a1b" WHERE ek = fk AND act <> 'take');

-- what is in doubt now
INSERT INTO "planner"."told_0a1b" (tk, tline, tlayout) SELECT ek, eline, '2' FROM "planner"."kept_0a1b" WHERE act = 'put';

-- what goes, few taken
DELETE FROM "planner"."told_0a1b" WHERE EXISTS (SELECT 1 FROM "planner"."found_0a1b" WHERE fk = tk AND (fit = 'y' OR fline IS NULL)) AND EXISTS (SELECT 1 FROM "planner"."kept_0a1b" WHERE ek = tk AND act = 'take');

-- what comes, few taken
INSERT INTO "planner"."told_0a1b" (tk, tline, tlayout) SELECT fk, fline, '2' FROM "planner"."found_0a1b" WHERE fit = 'y' AND EXISTS (SELECT 1 FROM "planner"."kept_0a1b" WHERE ek = fk AND act = 'take');

-- one key
SELECT tline AS "tline", tlayout AS "tlayout" FROM "planner"."told_0a1b" WHERE tk = hex_decode_string('78273b2064726f70207461626c6520793b202d2d');

-- drop
DROP TABLE IF EXISTS "planner"."found_0a1b";
