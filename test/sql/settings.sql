--
-- The settings: defaults, ranges, units, the reserved prefix, the password
--
CREATE EXTENSION dbmazz;
SET datestyle = 'ISO';

-- every setting with its default and range, as README.md has them (one more is
-- there in builds for tests)
SELECT name, setting, unit, context, vartype, min_val, max_val, enumvals
FROM pg_settings WHERE name LIKE 'dbmazz.%' AND name <> 'dbmazz.debug_point'
ORDER BY name COLLATE "C";

SELECT name, short_desc
FROM pg_settings WHERE name LIKE 'dbmazz.%' AND name <> 'dbmazz.debug_point'
ORDER BY name COLLATE "C";

-- units
SET dbmazz.flush_interval = '200ms';
SHOW dbmazz.flush_interval;
SET dbmazz.flush_interval = '2min';
SHOW dbmazz.flush_interval;
SET dbmazz.batch_max_bytes = '64MB';
SHOW dbmazz.batch_max_bytes;
RESET dbmazz.flush_interval;
RESET dbmazz.batch_max_bytes;

-- names and ranges; the messages differ between the servers' versions
\set VERBOSITY sqlstate
SET dbmazz.no_such_setting = 1;
SET dbmazz.flush_interval = -1;
SET dbmazz.flush_interval = '2h';
SET dbmazz.flush_interval = 'soon';
SET dbmazz.batch_max_rows = 0;
SET dbmazz.batch_max_rows = 10000001;
SET dbmazz.batch_max_bytes = '63kB';
SET dbmazz.pipeline_buffer_size = '511kB';
SET dbmazz.checkpoint_interval = '9ms';
SET dbmazz.heartbeat_interval = '999ms';
SET dbmazz.max_connections = 65;
SET dbmazz.decoder_work_mem = '63kB';
SET dbmazz.truncate_mode = 'never';
SET dbmazz.starrocks_tls_verify = 'perhaps';
SET dbmazz.starrocks_load_timeout = '999ms';
-- only at server start, only by a reload
SET dbmazz.buffer_size = '128MB';
SET dbmazz.max_pipelines = 3;
SET dbmazz.restart_max_delay = '1s';
\set VERBOSITY default

-- the template
SET dbmazz.table_name_template = '{schema}_{table}';
SET dbmazz.table_name_template = 'ods_{table}';
SET dbmazz.table_name_template = '{schema}';
SET dbmazz.table_name_template = '';
SET dbmazz.table_name_template = '{table}{';
SET dbmazz.table_name_template = '{Table}';
SET dbmazz.table_name_template = '{table}/x';
SET dbmazz.table_name_template = '`{table}`';
SHOW dbmazz.table_name_template;
RESET dbmazz.table_name_template;

-- the password is never shown, whether there is one or not
SHOW dbmazz.starrocks_password;
SET dbmazz.starrocks_password = 'swordfish';
SHOW dbmazz.starrocks_password;
SELECT current_setting('dbmazz.starrocks_password');
SELECT count(*) FROM pg_settings WHERE name = 'dbmazz.starrocks_password';
SELECT count(*) FROM pg_settings
WHERE setting || coalesce(reset_val, '') || coalesce(boot_val, '')
	LIKE '%swordfish%';
RESET dbmazz.starrocks_password;
SHOW dbmazz.starrocks_password;
-- nor stored where everybody can read it
ALTER ROLE CURRENT_USER SET dbmazz.starrocks_password = 'swordfish';
ALTER DATABASE :"DBNAME" SET dbmazz.starrocks_password = 'swordfish';
CREATE FUNCTION keeps_it() RETURNS int LANGUAGE sql
SET dbmazz.starrocks_password = 'swordfish' AS 'SELECT 1';
SELECT count(*) FROM pg_db_role_setting WHERE setconfig::text LIKE '%dbmazz%';

-- not even to those who may see all settings; and only superusers set it
CREATE ROLE regress_dbmazz_reader IN ROLE pg_monitor;
SET ROLE regress_dbmazz_reader;
SHOW dbmazz.starrocks_password;
\set VERBOSITY sqlstate
SET dbmazz.starrocks_password = 'x';
SET dbmazz.starrocks_url = 'http://elsewhere:8030';
SET dbmazz.flush_interval = '1s';
\set VERBOSITY default
RESET ROLE;
DROP ROLE regress_dbmazz_reader;

DROP EXTENSION dbmazz;
