--
-- target_ddl: the target's table for every type and kind of key
--
CREATE EXTENSION dbmazz;
CREATE SCHEMA ddl_s;
SET search_path = ddl_s, public;
\pset format unaligned
\pset tuples_only on

CREATE TYPE mood AS ENUM ('sad', 'happy');
CREATE TYPE pair AS (a int, b text);
CREATE DOMAIN posint AS int CHECK (VALUE > 0);
CREATE DOMAIN price AS numeric(10,2);
CREATE DOMAIN shortname AS varchar(20) NOT NULL;
CREATE TABLE alltypes (
	id bigint PRIMARY KEY,
	c_bool boolean,
	c_int2 smallint,
	c_int4 integer,
	c_int8 bigint,
	c_oid oid,
	c_numeric numeric,
	c_numeric12_2 numeric(12,2),
	c_numeric38_0 numeric(38,0),
	c_numeric50_10 numeric(50,10),
	c_numeric3_5 numeric(3,5),
	c_numeric5_m2 numeric(5,-2),
	c_float4 real,
	c_float8 double precision,
	c_money money,
	c_char char(3),
	c_bpchar bpchar,
	c_varchar varchar,
	c_varchar50 varchar(50),
	c_varchar1000000 varchar(1000000),
	c_text text,
	c_name name,
	c_qchar "char",
	c_bytea bytea,
	c_date date,
	c_time time,
	c_timetz timetz,
	c_timestamp timestamp,
	c_timestamp0 timestamp(0),
	c_timestamptz timestamptz,
	c_interval interval,
	c_json json,
	c_jsonb jsonb,
	c_jsonpath jsonpath,
	c_uuid uuid,
	c_inet inet,
	c_cidr cidr,
	c_macaddr macaddr,
	c_macaddr8 macaddr8,
	c_bit bit(8),
	c_varbit bit varying(8),
	c_xml xml,
	c_point point,
	c_box box,
	c_tsvector tsvector,
	c_tsquery tsquery,
	c_int4range int4range,
	c_int4multirange int4multirange,
	c_int_array int[],
	c_text_array text[][],
	c_numeric_array numeric(5,2)[],
	c_mood mood,
	c_pair pair,
	c_posint posint,
	c_price price,
	c_shortname shortname,
	c_regclass regclass,
	c_lsn pg_lsn,
	c_xid8 xid8
);
SELECT dbmazz.target_ddl('alltypes');

-- keys: their order, several columns, their types
CREATE TABLE key_order (v text, b int, a int, PRIMARY KEY (a, b));
SELECT dbmazz.target_ddl('key_order');
CREATE TABLE key_types (
	k_bool boolean, k_numeric numeric(10,2), k_text text, k_char char(5),
	k_varchar varchar(10), k_date date, k_ts timestamptz, k_uuid uuid,
	k_bytea bytea, k_mood mood, k_price price, k_float float8,
	PRIMARY KEY (k_bool, k_numeric, k_text, k_char, k_varchar, k_date, k_ts,
				 k_uuid, k_bytea, k_mood, k_price, k_float));
SELECT dbmazz.target_ddl('key_types');
CREATE TABLE key_jsonb (k jsonb PRIMARY KEY, v int);
SELECT dbmazz.target_ddl('key_jsonb');

-- without a primary key: the replica identity
CREATE TABLE no_key (a int NOT NULL, b int NOT NULL, c int);
SELECT dbmazz.target_ddl('no_key');
ALTER TABLE no_key REPLICA IDENTITY FULL;
SELECT dbmazz.target_ddl('no_key');
CREATE UNIQUE INDEX no_key_b ON no_key (b);
ALTER TABLE no_key REPLICA IDENTITY USING INDEX no_key_b;
SELECT dbmazz.target_ddl('no_key');

-- dropped and generated columns, names that want quotes
CREATE TABLE odd ("Id" int PRIMARY KEY, gone int, "a`b" int, "select" int NOT NULL,
	gen int GENERATED ALWAYS AS ("select" * 2) STORED);
ALTER TABLE odd DROP COLUMN gone;
SELECT dbmazz.target_ddl('odd');

-- partitioned tables
CREATE TABLE parted (id int, day date, PRIMARY KEY (id, day)) PARTITION BY RANGE (day);
CREATE TABLE parted_1 PARTITION OF parted FOR VALUES FROM ('2020-01-01') TO ('2021-01-01');
SELECT dbmazz.target_ddl('parted');
SELECT dbmazz.target_ddl('parted_1');

-- the target's name
SET dbmazz.table_name_template = 'ods_{schema}_{table}_v1';
SELECT dbmazz.target_ddl('key_order');
RESET dbmazz.table_name_template;

-- a table with more columns than a first buffer holds
DO $$
BEGIN
	EXECUTE 'CREATE TABLE wide (id int PRIMARY KEY, '
		|| (SELECT string_agg(format('column_with_a_long_name_%s numeric(20,5)', i), ', ')
			FROM generate_series(1, 300) i) || ')';
END $$;
SELECT length(d) > 10000, d LIKE '%`column\_with\_a\_long\_name\_300`%', right(d, 1)
FROM dbmazz.target_ddl('wide') d;

-- what it refuses
CREATE VIEW a_view AS SELECT 1 AS id;
CREATE SEQUENCE a_sequence;
SELECT dbmazz.target_ddl('a_view');
SELECT dbmazz.target_ddl('a_sequence');
SELECT dbmazz.target_ddl('parted_1_pkey');
SELECT dbmazz.target_ddl('no_such_table');
SELECT dbmazz.target_ddl('key_order', 'null');
SELECT dbmazz.target_ddl('key_order', 'nowhere');
SELECT dbmazz.target_ddl(NULL) IS NULL;

\set VERBOSITY terse
SET client_min_messages = warning;
DROP SCHEMA ddl_s CASCADE;
DROP EXTENSION dbmazz;
