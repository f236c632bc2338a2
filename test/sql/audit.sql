--
-- Audit columns, soft deletes and change logs: what goes together, and the DDL
--
CREATE EXTENSION dbmazz;
CREATE TABLE audited (id int PRIMARY KEY, note text NOT NULL, doc jsonb);
CREATE TABLE keyless (a int NOT NULL, b text);
CREATE TABLE clash (id int PRIMARY KEY, "DBMAZZ_is_deleted" boolean);
CREATE PUBLICATION audit_pub FOR TABLE audited;
\pset format unaligned
\pset tuples_only on
\set url starrocks_url=http://127.0.0.1:1

-- settings that do not go together
SELECT dbmazz.create_pipeline('audit', 'audit_pub', copy => false,
	settings => ARRAY[:'url', 'starrocks_database=d', 'delete_mode=soft']);
SELECT dbmazz.create_pipeline('audit', 'audit_pub', copy => false,
	settings => ARRAY[:'url', 'starrocks_database=d', 'change_log=all']);
SELECT dbmazz.create_pipeline('audit', 'audit_pub', copy => false,
	settings => ARRAY[:'url', 'starrocks_database=d', 'change_log=some', 'audit_columns=on']);
SELECT dbmazz.create_pipeline('audit', 'audit_pub', copy => false,
	settings => ARRAY[:'url', 'starrocks_database=d', 'delete_mode=SOFT', 'audit_columns=Yes']);
SELECT dbmazz.alter_pipeline('audit', settings => '{audit_columns=off}');
SELECT dbmazz.alter_pipeline('audit', settings => '{audit_columns=default}');
SELECT dbmazz.alter_pipeline('audit', settings => '{audit_columns=off, delete_mode=hard}');
SELECT dbmazz.alter_pipeline('audit', settings => '{change_log=keyless}');
SELECT dbmazz.alter_pipeline('audit', settings => '{change_log=keyless, audit_columns=1}');

-- the server's values count where the pipeline has none
SET dbmazz.delete_mode = soft;
SELECT dbmazz.alter_pipeline('audit', settings => '{change_log=default, delete_mode=default, audit_columns=default}');
SET dbmazz.audit_columns = on;
SELECT dbmazz.alter_pipeline('audit', settings => '{change_log=default, delete_mode=default, audit_columns=default}');
RESET dbmazz.audit_columns;
SELECT dbmazz.start_pipeline('audit');
RESET dbmazz.delete_mode;

-- the target of a pipeline
SELECT dbmazz.target_ddl('audited');
SELECT dbmazz.target_ddl('audited', pipeline => 'audit');
SELECT dbmazz.alter_pipeline('audit', settings => '{audit_columns=on}');
SELECT dbmazz.target_ddl('audited', pipeline => 'audit');
SELECT dbmazz.target_ddl('keyless', pipeline => 'audit');
SELECT dbmazz.alter_pipeline('audit', settings =>
	'{delete_mode=soft, change_log=keyless, "table_name_template={schema}_{table}"}');
SELECT dbmazz.target_ddl('audited', pipeline => 'audit');
SELECT dbmazz.target_ddl('keyless', pipeline => 'audit');
SELECT dbmazz.alter_pipeline('audit', settings => '{change_log=all}');
SELECT dbmazz.target_ddl('audited', pipeline => 'audit');
SELECT dbmazz.target_ddl('clash', pipeline => 'audit');
SELECT dbmazz.target_ddl('audited', pipeline => 'nobody');
SELECT dbmazz.target_ddl('audited', NULL) IS NULL;

-- the session's settings
SET dbmazz.change_log = keyless;
SELECT dbmazz.target_ddl('keyless');
SET dbmazz.audit_columns = on;
SELECT dbmazz.target_ddl('keyless');
RESET dbmazz.audit_columns;
RESET dbmazz.change_log;

-- tables that cannot be
ALTER PUBLICATION audit_pub SET TABLE audited, clash;
SELECT dbmazz.start_pipeline('audit');
ALTER PUBLICATION audit_pub SET TABLE keyless;
SELECT dbmazz.alter_pipeline('audit', settings => '{change_log=default}');
SELECT dbmazz.start_pipeline('audit');

SELECT dbmazz.drop_pipeline('audit');
DROP PUBLICATION audit_pub;
DROP TABLE audited, keyless, clash;
DROP EXTENSION dbmazz;
