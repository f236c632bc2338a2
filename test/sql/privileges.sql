--
-- Who may do what
--
CREATE ROLE regress_dbmazz_owner;
CREATE ROLE regress_dbmazz_other;
CREATE ROLE regress_dbmazz_monitor IN ROLE pg_monitor;

-- the schema, which DROP EXTENSION leaves, must not be somebody else's
SET client_min_messages = error;
DROP SCHEMA IF EXISTS dbmazz;
RESET client_min_messages;
\set SHOW_CONTEXT never
CREATE SCHEMA dbmazz AUTHORIZATION regress_dbmazz_other;
CREATE EXTENSION dbmazz;
ALTER SCHEMA dbmazz OWNER TO CURRENT_USER;
GRANT CREATE ON SCHEMA dbmazz TO regress_dbmazz_other;
CREATE EXTENSION dbmazz;
REVOKE CREATE ON SCHEMA dbmazz FROM regress_dbmazz_other;
GRANT CREATE ON SCHEMA dbmazz TO PUBLIC;
CREATE EXTENSION dbmazz;
REVOKE ALL ON SCHEMA dbmazz FROM PUBLIC, regress_dbmazz_other;

-- nor have anything of others, who could create objects once; of superusers it may
CREATE FUNCTION dbmazz.stop_pipeline(text) RETURNS void LANGUAGE sql AS '';
ALTER FUNCTION dbmazz.stop_pipeline(text) OWNER TO regress_dbmazz_other;
CREATE EXTENSION dbmazz;
DROP FUNCTION dbmazz.stop_pipeline(text);
CREATE TYPE dbmazz.state AS ENUM ('stopped');
ALTER TYPE dbmazz.state OWNER TO regress_dbmazz_other;
CREATE EXTENSION dbmazz;
DROP TYPE dbmazz.state;
CREATE TABLE dbmazz.pipeline (id int);
ALTER TABLE dbmazz.pipeline OWNER TO regress_dbmazz_other;
CREATE EXTENSION dbmazz;
DROP TABLE dbmazz.pipeline;
CREATE FUNCTION dbmazz.taken(oid, regclass) RETURNS bool LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''an operator of others was called''; END';
CREATE OPERATOR dbmazz.= (LEFTARG = oid, RIGHTARG = regclass, FUNCTION = dbmazz.taken);
ALTER FUNCTION dbmazz.taken(oid, regclass) OWNER TO regress_dbmazz_other;
ALTER OPERATOR dbmazz.= (oid, regclass) OWNER TO regress_dbmazz_other;
CREATE EXTENSION dbmazz;
DROP OPERATOR dbmazz.= (oid, regclass);
DROP FUNCTION dbmazz.taken(oid, regclass);
CREATE FUNCTION dbmazz.of_mine() RETURNS void LANGUAGE sql AS '';
\set SHOW_CONTEXT errors

-- default privileges are not for these objects
ALTER DEFAULT PRIVILEGES GRANT ALL ON TABLES TO PUBLIC, regress_dbmazz_other;
ALTER DEFAULT PRIVILEGES GRANT ALL ON SEQUENCES TO PUBLIC, regress_dbmazz_other;
ALTER DEFAULT PRIVILEGES GRANT ALL ON FUNCTIONS TO PUBLIC, regress_dbmazz_other;
CREATE EXTENSION dbmazz;
DROP FUNCTION dbmazz.of_mine();
ALTER DEFAULT PRIVILEGES REVOKE ALL ON TABLES FROM PUBLIC, regress_dbmazz_other;
ALTER DEFAULT PRIVILEGES REVOKE ALL ON SEQUENCES FROM PUBLIC, regress_dbmazz_other;
ALTER DEFAULT PRIVILEGES REVOKE ALL ON FUNCTIONS FROM PUBLIC, regress_dbmazz_other;
ALTER DEFAULT PRIVILEGES GRANT EXECUTE ON FUNCTIONS TO PUBLIC;
GRANT pg_monitor TO regress_dbmazz_owner;
CREATE TABLE priv_t (id int PRIMARY KEY, secret text);
CREATE PUBLICATION priv_pub FOR TABLE priv_t;

-- nothing is for everybody
SELECT p.oid::regprocedure AS function
FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
WHERE nspname = 'dbmazz' AND has_function_privilege('regress_dbmazz_other', p.oid, 'EXECUTE');
SELECT c.oid::regclass AS relation
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE nspname = 'dbmazz' AND relkind IN ('r', 'v', 'S')
	AND has_table_privilege('regress_dbmazz_other', c.oid, 'SELECT, INSERT, UPDATE, DELETE');
SET ROLE regress_dbmazz_other;
SELECT dbmazz.create_pipeline('priv', 'priv_pub', sink => 'null', copy => false);
SELECT * FROM dbmazz.pipelines;
CREATE SERVER priv_server FOREIGN DATA WRAPPER dbmazz;
RESET ROLE;

-- pg_monitor sees the views, and nothing else
SELECT c.relname, has_table_privilege('regress_dbmazz_monitor', c.oid, 'SELECT') AS sees,
	has_table_privilege('regress_dbmazz_monitor', c.oid, 'INSERT, UPDATE, DELETE') AS writes
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE nspname = 'dbmazz' AND relkind IN ('r', 'v') ORDER BY relname COLLATE "C";
SELECT p.proname, has_function_privilege('regress_dbmazz_monitor', p.oid, 'EXECUTE') AS runs
FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
WHERE nspname = 'dbmazz' ORDER BY proname COLLATE "C";
SET ROLE regress_dbmazz_monitor;
SELECT count(*) FROM dbmazz.pipelines;
SELECT count(*) FROM dbmazz.stat_pipeline;
SELECT count(*) FROM dbmazz.stat_table;
SELECT count(*) FROM dbmazz.dead_letters;
SELECT count(*) FROM dbmazz.pipeline;
SELECT dbmazz.stop_pipeline('priv');
RESET ROLE;

-- a role that was given the functions
GRANT USAGE ON SCHEMA dbmazz TO regress_dbmazz_owner, regress_dbmazz_other;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA dbmazz TO regress_dbmazz_owner, regress_dbmazz_other;
SET ROLE regress_dbmazz_owner;
SELECT dbmazz.create_pipeline('priv', 'priv_pub', sink => 'null', copy => false);
RESET ROLE;
GRANT SELECT (id) ON priv_t TO regress_dbmazz_owner;
SET ROLE regress_dbmazz_owner;
SELECT dbmazz.create_pipeline('priv', 'priv_pub', sink => 'null', copy => false);
RESET ROLE;
ALTER PUBLICATION priv_pub SET TABLE priv_t (id);
SET ROLE regress_dbmazz_owner;
-- published columns are enough
SELECT dbmazz.create_pipeline('priv', 'priv_pub', sink => 'null', copy => false);
SELECT name, owner FROM dbmazz.pipelines;
RESET ROLE;
ALTER PUBLICATION priv_pub SET TABLE priv_t;
SET ROLE regress_dbmazz_owner;
SELECT dbmazz.start_pipeline('priv');
RESET ROLE;
GRANT SELECT ON priv_t TO regress_dbmazz_owner;

-- row-level security
ALTER TABLE priv_t ENABLE ROW LEVEL SECURITY;
SET ROLE regress_dbmazz_owner;
SELECT dbmazz.start_pipeline('priv');
RESET ROLE;
ALTER TABLE priv_t DISABLE ROW LEVEL SECURITY;

-- somebody else's pipeline
SET ROLE regress_dbmazz_other;
SELECT dbmazz.start_pipeline('priv');
SELECT dbmazz.stop_pipeline('priv');
SELECT dbmazz.alter_pipeline('priv');
SELECT dbmazz.drop_pipeline('priv');
RESET ROLE;

-- an owner may tune a pipeline, but not send rows and the default password
-- elsewhere, nor write files of the server
SET ROLE regress_dbmazz_owner;
SELECT dbmazz.alter_pipeline('priv', settings => '{flush_interval=10ms}');
\set VERBOSITY sqlstate
SELECT dbmazz.alter_pipeline('priv', settings => '{starrocks_url=http://evil:8030}');
\set VERBOSITY default
SELECT dbmazz.create_pipeline('priv2', 'priv_pub', 'priv_slot', sink => 'file', copy => false);
RESET ROLE;
GRANT SET ON PARAMETER dbmazz.null_delay_ms TO regress_dbmazz_owner;
SET ROLE regress_dbmazz_owner;
SELECT dbmazz.alter_pipeline('priv', settings => '{null_delay_ms=1}');
RESET ROLE;
SELECT settings FROM dbmazz.pipelines;

-- a server needs USAGE, its credentials are the owner's
CREATE SERVER priv_server FOREIGN DATA WRAPPER dbmazz OPTIONS (sink 'null');
SET ROLE regress_dbmazz_owner;
SELECT dbmazz.alter_pipeline('priv', server => 'priv_server');
RESET ROLE;
GRANT USAGE ON FOREIGN SERVER priv_server TO regress_dbmazz_owner;
SET ROLE regress_dbmazz_owner;
SELECT dbmazz.alter_pipeline('priv', server => 'priv_server');

-- and it runs on behalf of its owner
SELECT dbmazz.start_pipeline('priv');
SELECT dbmazz.wait_for('priv', pg_current_wal_insert_lsn(), '60s');
SELECT name, last_error FROM dbmazz.stat_pipeline;
SELECT dbmazz.stop_pipeline('priv');
SELECT dbmazz.drop_pipeline('priv');
RESET ROLE;

-- the caller's search_path and operators are not used
CREATE SCHEMA priv_evil;
CREATE FUNCTION priv_evil.never(name, name) RETURNS boolean AS
$$ BEGIN RAISE EXCEPTION 'as %', current_user; END $$ LANGUAGE plpgsql;
CREATE OPERATOR priv_evil.= (LEFTARG = name, RIGHTARG = name, FUNCTION = priv_evil.never);
GRANT USAGE ON SCHEMA priv_evil TO regress_dbmazz_owner;
SET search_path = priv_evil, pg_catalog, public;
SELECT dbmazz.create_pipeline('priv', 'priv_pub', sink => 'null', copy => false);
SELECT dbmazz.alter_pipeline('priv', settings => '{flush_interval=1s}');
SELECT dbmazz.drop_pipeline('priv');
RESET search_path;

DROP SCHEMA priv_evil CASCADE;
DROP SERVER priv_server;
DROP PUBLICATION priv_pub;
DROP TABLE priv_t;
REVOKE ALL ON PARAMETER dbmazz.null_delay_ms FROM regress_dbmazz_owner;
REVOKE ALL ON SCHEMA dbmazz FROM regress_dbmazz_owner, regress_dbmazz_other;
DROP EXTENSION dbmazz;
DROP ROLE regress_dbmazz_owner, regress_dbmazz_other, regress_dbmazz_monitor;
