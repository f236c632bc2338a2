--
-- The life of a pipeline, with the sink that takes everything
--
CREATE EXTENSION dbmazz;
CREATE TABLE pipe_t (id int PRIMARY KEY, v text);
CREATE PUBLICATION dbmazz_pub FOR TABLE pipe_t;
CREATE PUBLICATION pipe_pub2 FOR TABLE pipe_t;

SELECT dbmazz.create_pipeline('pipe', sink => 'null', copy => false,
	settings => '{FLUSH_INTERVAL=10ms,batch_max_rows=500}');
SELECT name, owner = current_user::regrole AS mine, publication, slot_name,
	sink, server, encoding, settings, enabled, uid ~ '^[0-9a-f]{16}$' AS uid
FROM dbmazz.pipelines;
SELECT name, state, decoder_pid, shipper_pid, slot_name, start_lsn, rows,
	last_error FROM dbmazz.stat_pipeline;

-- it writes a request only
SELECT count(*) FROM pg_replication_slots;

-- settings: replaced, added, taken away
SELECT dbmazz.alter_pipeline('pipe', settings => '{flush_interval=20ms,max_connections=2}');
SELECT settings FROM dbmazz.pipelines;
SELECT dbmazz.alter_pipeline('pipe', settings => '{Flush_Interval=5ms,batch_max_rows=Default,retry_max_delay=DEFAULT}');
SELECT settings FROM dbmazz.pipelines;
SELECT dbmazz.alter_pipeline('pipe', settings => '{"table_name_template={schema}_{table}"}');
SELECT settings FROM dbmazz.pipelines;

SELECT dbmazz.stop_pipeline('pipe');
SELECT dbmazz.start_pipeline('pipe');
SELECT dbmazz.wait_for('pipe', pg_current_wal_insert_lsn(), '60s');
SELECT name, state, decoder_pid > 0 AS decoder, shipper_pid > 0 AS shipper,
	epoch, start_lsn IS NOT NULL AS start_lsn, last_error
FROM dbmazz.stat_pipeline;
SELECT slot_name, plugin, slot_type, database = current_database() AS here,
	temporary, active
FROM pg_replication_slots;

INSERT INTO pipe_t SELECT i, 'row ' || i FROM generate_series(1, 1000) i;
UPDATE pipe_t SET v = 'changed' WHERE id <= 100;
DELETE FROM pipe_t WHERE id > 900;
SELECT dbmazz.wait_for('pipe', pg_current_wal_insert_lsn(), '60s');
SELECT changes, rows BETWEEN 1000 AND 1200 AS rows, bytes > 10000 AS bytes,
	batches > 0 AS batches, retries, buffered_batches, lag,
	position_lsn >= start_lsn AS position, last_error
FROM dbmazz.stat_pipeline;
SELECT pipeline, relid = 'pipe_t'::regclass AS relid, relation, target, state,
	lsn, retained_bytes, error
FROM dbmazz.stat_table;

-- its own position, but not a position to come
SELECT dbmazz.wait_for('pipe', '0/0');
SELECT dbmazz.wait_for('pipe', start_lsn) FROM dbmazz.stat_pipeline;

-- while it runs
SELECT dbmazz.start_pipeline('pipe');
SELECT dbmazz.drop_pipeline('pipe');
SELECT dbmazz.alter_pipeline('pipe', settings => '{flush_interval=7ms}');
SELECT dbmazz.alter_pipeline('pipe', settings => '{table_name_template=DEFAULT}');
SELECT dbmazz.alter_pipeline('pipe', publication => 'pipe_pub2');
CREATE SERVER pipe_server FOREIGN DATA WRAPPER dbmazz OPTIONS (sink 'null');
SELECT dbmazz.alter_pipeline('pipe', server => 'pipe_server');
SELECT publication, server, settings FROM dbmazz.pipelines;
DROP EXTENSION dbmazz CASCADE;
DROP SCHEMA dbmazz CASCADE;
SELECT dbmazz.wait_for('pipe', pg_current_wal_insert_lsn(), '60s');

-- the checkpoint follows
DO $$
BEGIN
	FOR i IN 1 .. 600 LOOP
		EXIT WHEN (SELECT rows >= 1000 FROM dbmazz.checkpoints);
		PERFORM pg_sleep(0.1);
	END LOOP;
END $$;

-- stop: the workers leave, the slot stays
SELECT dbmazz.stop_pipeline('pipe');
DO $$
BEGIN
	FOR i IN 1 .. 600 LOOP
		EXIT WHEN (SELECT state = 'stopped' FROM dbmazz.stat_pipeline);
		PERFORM pg_sleep(0.1);
	END LOOP;
END $$;
SELECT name, state, decoder_pid, shipper_pid, checkpoint_lsn >= start_lsn AS checkpoint,
	position_lsn = checkpoint_lsn AS position, lag_bytes >= 0 AS lag_bytes, lag,
	rows BETWEEN 1000 AND 1200 AS rows
FROM dbmazz.stat_pipeline;
SELECT slot_name, active FROM pg_replication_slots;
DROP EXTENSION dbmazz CASCADE;
SELECT dbmazz.wait_for('pipe', pg_current_wal_insert_lsn());
SELECT dbmazz.stop_pipeline('pipe');

-- while it is stopped
CREATE PUBLICATION pipe_young FOR TABLE pipe_t;
SELECT dbmazz.alter_pipeline('pipe', publication => 'pipe_young');
SELECT dbmazz.alter_pipeline('pipe', publication => 'pipe_pub2');
SELECT dbmazz.alter_pipeline('pipe', settings => '{table_name_template=DEFAULT}');
SELECT dbmazz.alter_pipeline('pipe', server => 'pipe_server');
SELECT publication, server, settings FROM dbmazz.pipelines;
SELECT dbmazz.alter_pipeline('pipe', server => '');
SELECT publication, server, settings FROM dbmazz.pipelines;

-- again: a new epoch, and the totals go on
INSERT INTO pipe_t VALUES (2000, 'while it was stopped');
SELECT dbmazz.start_pipeline('pipe');
SELECT dbmazz.wait_for('pipe', pg_current_wal_insert_lsn(), '60s');
SELECT state, epoch, rows > 1000 AS rows, last_error FROM dbmazz.stat_pipeline;

-- stop and drop
SELECT dbmazz.stop_pipeline('pipe');
SELECT dbmazz.drop_pipeline('pipe');
SELECT count(*) FROM dbmazz.pipelines;
SELECT count(*) FROM dbmazz.run_state;
SELECT count(*) FROM dbmazz.checkpoints;
SELECT count(*) FROM dbmazz.pipeline_tables;
SELECT count(*) FROM pg_replication_slots;

DROP SERVER pipe_server;
DROP PUBLICATION dbmazz_pub, pipe_pub2, pipe_young;
DROP TABLE pipe_t;
DROP EXTENSION dbmazz;
