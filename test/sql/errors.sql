--
-- Bad input: an error with a code and a hint, and nothing has changed
--
CREATE EXTENSION dbmazz;
CREATE TABLE err_t (id int PRIMARY KEY, v text);
CREATE PUBLICATION err_pub FOR TABLE err_t;

-- arguments
SELECT dbmazz.create_pipeline(NULL, copy => false);
SELECT dbmazz.create_pipeline('err', NULL, copy => false);
SELECT dbmazz.create_pipeline('err', slot => NULL, copy => false);
SELECT dbmazz.create_pipeline('err', sink => NULL, copy => false);
SELECT dbmazz.alter_pipeline(NULL);
SELECT dbmazz.wait_for(NULL, '0/0');
SELECT dbmazz.wait_for('err', NULL);

-- names
SELECT dbmazz.create_pipeline('', 'err_pub', sink => 'null', copy => false);
SELECT dbmazz.create_pipeline('Err', 'err_pub', sink => 'null', copy => false);
SELECT dbmazz.create_pipeline('err-1', 'err_pub', sink => 'null', copy => false);
SELECT dbmazz.create_pipeline('err 1', 'err_pub', sink => 'null', copy => false);
SELECT dbmazz.create_pipeline('größe', 'err_pub', sink => 'null', copy => false);
\set VERBOSITY terse
SELECT dbmazz.create_pipeline('err', 'err_pub', 'Bad-Slot', sink => 'null', copy => false);
\set VERBOSITY default

-- the initial copy
SELECT dbmazz.create_pipeline('err', 'err_pub', sink => 'null');
SELECT dbmazz.create_pipeline('err', 'err_pub', sink => 'null', copy => NULL);

-- things that are not there
SELECT dbmazz.create_pipeline('err', 'no_pub', sink => 'null', copy => false);
SELECT dbmazz.create_pipeline('err', 'err_pub', sink => 'nowhere', copy => false);
SELECT dbmazz.create_pipeline('err', 'err_pub', sink => '../../x', copy => false);
SELECT dbmazz.alter_pipeline('nope');
SELECT dbmazz.start_pipeline('nope');
SELECT dbmazz.stop_pipeline('nope');
SELECT dbmazz.drop_pipeline('nope');
SELECT dbmazz.wait_for('nope', '0/0');

-- settings
SELECT dbmazz.create_pipeline('err', 'err_pub', sink => 'null', copy => false,
	settings => '{flush_intervall=1s}');
SELECT dbmazz.create_pipeline('err', 'err_pub', sink => 'null', copy => false,
	settings => '{flush_interval}');
SELECT dbmazz.create_pipeline('err', 'err_pub', sink => 'null', copy => false,
	settings => '{NULL}');
SELECT dbmazz.create_pipeline('err', 'err_pub', sink => 'null', copy => false,
	settings => '{buffer_size=1GB}');
SELECT dbmazz.create_pipeline('err', 'err_pub', sink => 'null', copy => false,
	settings => '{restart_max_delay=1s}');
SELECT dbmazz.create_pipeline('err', 'err_pub', sink => 'null', copy => false,
	settings => '{starrocks_password=swordfish}');
SELECT dbmazz.create_pipeline('err', 'err_pub', sink => 'null', copy => false,
	settings => '{table_name_template=all}');
SELECT dbmazz.create_pipeline('err', 'err_pub', sink => 'null', copy => false,
	settings => '{no_such=DEFAULT}');
\set VERBOSITY sqlstate
SELECT dbmazz.create_pipeline('err', 'err_pub', sink => 'null', copy => false,
	settings => '{flush_interval=-1}');
SELECT dbmazz.create_pipeline('err', 'err_pub', sink => 'null', copy => false,
	settings => '{flush_interval=soon}');
SELECT dbmazz.create_pipeline('err', 'err_pub', sink => 'null', copy => false,
	settings => '{truncate_mode=never}');
SELECT dbmazz.create_pipeline('err', 'err_pub', sink => 'null', copy => false,
	settings => '{batch_max_bytes=1}');
\set VERBOSITY default

-- nothing has come of it
SELECT count(*) FROM dbmazz.pipelines;
SELECT count(*) FROM dbmazz.run_state;

-- names that are taken
SELECT dbmazz.create_pipeline('err', 'err_pub', sink => 'null', copy => false);
SELECT dbmazz.create_pipeline('err', 'err_pub', 'err_slot', sink => 'null', copy => false);
SELECT dbmazz.create_pipeline('err2', 'err_pub', sink => 'null', copy => false);
SELECT slot_name FROM pg_create_logical_replication_slot('err_slot', 'pgoutput');
SELECT slot_name FROM pg_create_logical_replication_slot('err_slot_2', 'pgoutput');
SELECT dbmazz.create_pipeline('err2', 'err_pub', 'err_slot', sink => 'null', copy => false);
SELECT pg_drop_replication_slot('err_slot');
SELECT pg_drop_replication_slot('err_slot_2');

-- no free slot
DO $$
BEGIN
	FOR i IN 1 .. current_setting('max_replication_slots')::int LOOP
		PERFORM pg_create_physical_replication_slot('err_full_' || i);
	END LOOP;
END $$;
SELECT dbmazz.create_pipeline('err2', 'err_pub', 'err_slot', sink => 'null', copy => false);
SELECT dbmazz.start_pipeline('err');
SELECT count(pg_drop_replication_slot(slot_name)) > 0 AS dropped
FROM pg_replication_slots WHERE slot_name LIKE 'err_full_%';

-- somebody took the slot after create_pipeline
SELECT slot_name FROM pg_create_logical_replication_slot('dbmazz_slot', 'pgoutput');
SELECT dbmazz.start_pipeline('err');
SELECT pg_drop_replication_slot('dbmazz_slot');

-- tables that cannot be replicated, by name
CREATE TABLE err_nokey (id int);
ALTER PUBLICATION err_pub ADD TABLE err_nokey;
SELECT dbmazz.start_pipeline('err');
ALTER TABLE err_nokey REPLICA IDENTITY FULL;
SELECT dbmazz.start_pipeline('err');
ALTER PUBLICATION err_pub DROP TABLE err_nokey;

CREATE TABLE err_deferred (id int PRIMARY KEY DEFERRABLE);
ALTER PUBLICATION err_pub ADD TABLE err_deferred;
\set VERBOSITY terse
SELECT dbmazz.start_pipeline('err');
\set VERBOSITY default
ALTER PUBLICATION err_pub DROP TABLE err_deferred;

CREATE TABLE err_identity (a int, b int, c int NOT NULL, PRIMARY KEY (a, b));
CREATE UNIQUE INDEX err_identity_c ON err_identity (c);
ALTER TABLE err_identity REPLICA IDENTITY USING INDEX err_identity_c;
ALTER PUBLICATION err_pub ADD TABLE err_identity;
SELECT dbmazz.start_pipeline('err');
ALTER TABLE err_identity REPLICA IDENTITY NOTHING;
SELECT dbmazz.start_pipeline('err');
ALTER PUBLICATION err_pub DROP TABLE err_identity;

CREATE TABLE err_columns (a int PRIMARY KEY, b int, c int);
CREATE PUBLICATION err_pub_columns FOR TABLE err_columns (b, c)
	WITH (publish = 'insert');
SELECT dbmazz.alter_pipeline('err', publication => 'err_pub_columns');
SELECT dbmazz.start_pipeline('err');
SELECT dbmazz.alter_pipeline('err', publication => 'no_pub');
SELECT dbmazz.alter_pipeline('err', publication => 'err_pub');

-- two tables, one target
CREATE SCHEMA err_s;
CREATE TABLE err_s.err_t (id int PRIMARY KEY);
ALTER PUBLICATION err_pub ADD TABLE err_s.err_t;
SELECT dbmazz.start_pipeline('err');

-- the publication went away
DROP PUBLICATION err_pub;
SELECT dbmazz.start_pipeline('err');

SELECT name, state FROM dbmazz.stat_pipeline;
SELECT count(*) FROM pg_replication_slots;

-- what waiting refuses
SELECT dbmazz.wait_for('err', '0/0');
SELECT dbmazz.wait_for('err', '0/0', '-1s');
\set VERBOSITY terse
SELECT dbmazz.wait_for('err', 'FFFFFFFF/FFFFFFF0');
\set VERBOSITY default

SELECT dbmazz.drop_pipeline('err');
DROP PUBLICATION err_pub_columns;
DROP TABLE err_t, err_s.err_t, err_nokey, err_deferred, err_identity, err_columns;
DROP SCHEMA err_s;
DROP EXTENSION dbmazz;
