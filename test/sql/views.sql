--
-- The views: their columns, and what is dumped
--
CREATE EXTENSION dbmazz;
\d dbmazz.pipelines
\d dbmazz.stat_pipeline
\d dbmazz.stat_table

-- pg_dump takes the pipelines along, but nothing of how far they came
SELECT conf.relid::regclass AS dumped, extcondition[nr] AS condition
FROM pg_extension, unnest(extconfig) WITH ORDINALITY AS conf (relid, nr)
WHERE extname = 'dbmazz' ORDER BY conf.relid::regclass::text COLLATE "C";

-- stopped tables as the shipper writes them
CREATE TABLE view_t (id int PRIMARY KEY);
CREATE PUBLICATION dbmazz_pub FOR TABLE view_t;
SELECT dbmazz.create_pipeline('view', sink => 'null', copy => false);
INSERT INTO dbmazz.pipeline_tables
	(pipeline, target, relation, source, epoch, sequence, state, lsn, error, detail, hint)
SELECT id, 'view_t', 'view_t'::regclass, 'public.view_t', 3, 7, 'stopped', '0/10',
	'no such column', 'A detail.', 'A hint.'
FROM dbmazz.pipelines;
INSERT INTO dbmazz.checkpoints
	(pipeline, uid, slot, slot_state, epoch, start_lsn, lsn, destination,
	 name_template, system_identifier, timeline, rows, bytes, batches)
SELECT id, uid, slot_name, 'created', 3, '0/10', '0/20', 'null:', '{table}', 1, 1, 11, 22, 33
FROM dbmazz.pipelines;
SELECT pipeline, relation, target, state, lsn, retained_bytes > 0 AS retained,
	error, detail, hint
FROM dbmazz.stat_table;
SELECT name, state, epoch, slot_name, start_lsn, checkpoint_lsn,
	confirmed_flush_lsn, position_lsn, decoded_lsn, lag_bytes > 0 AS lag_bytes,
	lag, rows, changes, bytes, batches, retries, buffered_batches,
	buffered_bytes, last_error
FROM dbmazz.stat_pipeline;

-- the destination in the checkpoint changes by an explicit command only
UPDATE dbmazz.checkpoints SET destination = 'null:elsewhere';
SELECT dbmazz.alter_pipeline('view', settings => '{flush_interval=1s}');
SELECT destination <> 'null:elsewhere' AS changed FROM dbmazz.checkpoints;
SELECT dbmazz.alter_pipeline('view');
SELECT destination <> 'null:elsewhere' AS changed FROM dbmazz.checkpoints;
SELECT dbmazz.alter_pipeline('view');
UPDATE dbmazz.checkpoints SET destination = 'null:elsewhere';
SELECT dbmazz.alter_pipeline('view', settings => '{null_delay_ms=1}');
SELECT destination <> 'null:elsewhere' AS changed FROM dbmazz.checkpoints;

-- a pipeline that was restored from a dump has no identity yet
DELETE FROM dbmazz.run_state;
SELECT name, enabled, uid FROM dbmazz.pipelines;
SELECT name, state FROM dbmazz.stat_pipeline;
DELETE FROM dbmazz.pipeline_tables;
DELETE FROM dbmazz.checkpoints;
SELECT dbmazz.start_pipeline('view');
SELECT dbmazz.wait_for('view', pg_current_wal_insert_lsn(), '60s');
SELECT enabled, uid ~ '^[0-9a-f]{16}$' AS uid FROM dbmazz.pipelines;
SELECT dbmazz.stop_pipeline('view');
SELECT dbmazz.drop_pipeline('view');

DROP PUBLICATION dbmazz_pub;
DROP TABLE view_t;
DROP EXTENSION dbmazz;
