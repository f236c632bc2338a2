--
-- Which tables a publication sends, and which of them start_pipeline accepts
--
CREATE EXTENSION dbmazz;

CREATE FUNCTION tab_try(publication name, settings text[] DEFAULT '{}')
RETURNS text AS $$
BEGIN
	PERFORM dbmazz.create_pipeline('tab', publication, sink => 'null',
								   copy => false, settings => settings);
	PERFORM dbmazz.start_pipeline('tab');
	RAISE EXCEPTION 'accepted';
EXCEPTION WHEN OTHERS THEN
	RETURN SQLERRM;
END $$ LANGUAGE plpgsql;

-- no tables at all
CREATE PUBLICATION tab_none;
SELECT tab_try('tab_none');

-- our own tables are not sent, also when all are
CREATE PUBLICATION tab_all FOR ALL TABLES;
SELECT tab_try('tab_all');
CREATE TABLE tab_a (id int PRIMARY KEY, v text);
SELECT tab_try('tab_all');
CREATE TABLE tab_nokey (v text);
SELECT tab_try('tab_all');
DROP TABLE tab_nokey;
CREATE UNLOGGED TABLE tab_unlogged (v text);
CREATE TEMP TABLE tab_temp (v text);
SELECT tab_try('tab_all');
DROP PUBLICATION tab_all;

-- all tables of a schema
CREATE SCHEMA tab_s;
CREATE TABLE tab_s.tab_a (id int PRIMARY KEY);
CREATE PUBLICATION tab_schema FOR TABLES IN SCHEMA tab_s;
SELECT tab_try('tab_schema');
ALTER PUBLICATION tab_schema ADD TABLE tab_a;
SELECT tab_try('tab_schema');
SELECT tab_try('tab_schema', '{"table_name_template={schema}_{table}"}');
-- two names can still become one
CREATE SCHEMA tab_s_tab;
CREATE TABLE tab_s_tab.a (id int PRIMARY KEY);
ALTER PUBLICATION tab_schema SET TABLES IN SCHEMA tab_s, tab_s_tab;
SELECT tab_try('tab_schema', '{"table_name_template={schema}_{table}"}');
SET dbmazz.table_name_template = '{schema}__{table}';
SELECT tab_try('tab_schema');
RESET dbmazz.table_name_template;

-- partitions, or their root
CREATE TABLE tab_parted (id int, day int, v text) PARTITION BY LIST (day);
CREATE TABLE tab_parted_1 PARTITION OF tab_parted FOR VALUES IN (1);
CREATE TABLE tab_parted_2 PARTITION OF tab_parted FOR VALUES IN (2);
ALTER TABLE tab_parted_1 ADD PRIMARY KEY (id);
CREATE PUBLICATION tab_parts FOR TABLE tab_parted;
SELECT tab_try('tab_parts');
ALTER TABLE tab_parted_2 ADD PRIMARY KEY (id);
SELECT tab_try('tab_parts');
CREATE PUBLICATION tab_root FOR TABLE tab_parted
	WITH (publish_via_partition_root = true);
SELECT tab_try('tab_root');
ALTER TABLE tab_parted_1 DROP CONSTRAINT tab_parted_1_pkey;
ALTER TABLE tab_parted_2 DROP CONSTRAINT tab_parted_2_pkey;
ALTER TABLE tab_parted ADD PRIMARY KEY (id, day);
SELECT tab_try('tab_root');

-- replica identities: by default, full, by index, none
CREATE TABLE tab_id (a int, b int NOT NULL, c int NOT NULL, PRIMARY KEY (a));
CREATE UNIQUE INDEX tab_id_ab ON tab_id (b, a);
CREATE UNIQUE INDEX tab_id_c ON tab_id (c);
CREATE PUBLICATION tab_ids FOR TABLE tab_id;
CREATE PUBLICATION tab_inserts FOR TABLE tab_id WITH (publish = 'insert');
SELECT tab_try('tab_ids');
ALTER TABLE tab_id REPLICA IDENTITY FULL;
SELECT tab_try('tab_ids');
ALTER TABLE tab_id REPLICA IDENTITY USING INDEX tab_id_ab;
SELECT tab_try('tab_ids');
ALTER TABLE tab_id REPLICA IDENTITY USING INDEX tab_id_c;
SELECT tab_try('tab_ids');
SELECT tab_try('tab_inserts');
ALTER TABLE tab_id REPLICA IDENTITY NOTHING;
SELECT tab_try('tab_ids');
SELECT tab_try('tab_inserts');
-- without a primary key the index is the key
ALTER TABLE tab_id DROP CONSTRAINT tab_id_pkey;
SELECT tab_try('tab_inserts');
ALTER TABLE tab_id REPLICA IDENTITY USING INDEX tab_id_c;
SELECT tab_try('tab_ids');

-- column lists
CREATE PUBLICATION tab_columns FOR TABLE tab_a (id);
SELECT tab_try('tab_columns');
CREATE PUBLICATION tab_no_key FOR TABLE tab_a (v) WITH (publish = 'insert');
SELECT tab_try('tab_no_key');

SELECT count(*) FROM dbmazz.pipelines;
DROP PUBLICATION tab_none, tab_schema, tab_parts, tab_root, tab_ids,
	tab_inserts, tab_columns, tab_no_key;
DROP FUNCTION tab_try;
DROP TABLE tab_a, tab_unlogged, tab_temp, tab_s.tab_a, tab_s_tab.a, tab_parted, tab_id;
DROP SCHEMA tab_s, tab_s_tab;
DROP EXTENSION dbmazz;
