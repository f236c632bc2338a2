--
-- The functions and transactions: nothing happens unless it is committed
--
CREATE EXTENSION dbmazz;
CREATE TABLE tx_t (id int PRIMARY KEY);
CREATE PUBLICATION dbmazz_pub FOR TABLE tx_t;

CREATE FUNCTION tx_wait_for_state(wanted text) RETURNS text AS $$
BEGIN
	FOR i IN 1 .. 600 LOOP
		EXIT WHEN (SELECT state = wanted FROM dbmazz.stat_pipeline);
		PERFORM pg_sleep(0.1);
	END LOOP;
	RETURN (SELECT state FROM dbmazz.stat_pipeline);
END $$ LANGUAGE plpgsql;

-- create, and start, rolled back
BEGIN;
SELECT dbmazz.create_pipeline('tx', sink => 'null', copy => false);
SELECT dbmazz.start_pipeline('tx');
ROLLBACK;
SELECT count(*) FROM dbmazz.pipelines;

-- publication, pipeline and start in one transaction
DROP PUBLICATION dbmazz_pub;
BEGIN;
CREATE PUBLICATION dbmazz_pub FOR TABLE tx_t;
SELECT dbmazz.create_pipeline('tx', sink => 'null', copy => false,
	settings => '{flush_interval=0}');
SELECT dbmazz.start_pipeline('tx');
-- it has not begun, so waiting would never end
SELECT dbmazz.wait_for('tx', '0/0');
ROLLBACK;
BEGIN;
CREATE PUBLICATION dbmazz_pub FOR TABLE tx_t;
SELECT dbmazz.create_pipeline('tx', sink => 'null', copy => false,
	settings => '{flush_interval=0}');
SELECT dbmazz.start_pipeline('tx');
COMMIT;
SELECT dbmazz.wait_for('tx', pg_current_wal_insert_lsn(), '60s');

-- stop, rolled back
BEGIN;
SELECT dbmazz.stop_pipeline('tx');
ROLLBACK;
INSERT INTO tx_t VALUES (1);
SELECT dbmazz.wait_for('tx', pg_current_wal_insert_lsn(), '60s');

-- a stop that is not committed is not seen by the workers
BEGIN;
SELECT dbmazz.stop_pipeline('tx');
SELECT dbmazz.drop_pipeline('tx');
ROLLBACK;

-- the caller's own changes come when they are committed
BEGIN;
INSERT INTO tx_t VALUES (2);
SELECT dbmazz.wait_for('tx', pg_current_wal_insert_lsn(), '60s');
COMMIT;

-- in a transaction that sees one snapshot
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT dbmazz.wait_for('tx', pg_current_wal_insert_lsn(), '60s');
COMMIT;
BEGIN READ ONLY;
SELECT dbmazz.wait_for('tx', pg_current_wal_insert_lsn(), '60s');
SELECT dbmazz.stop_pipeline('tx');
ROLLBACK;

-- savepoints
BEGIN;
SAVEPOINT s;
SELECT dbmazz.stop_pipeline('tx');
ROLLBACK TO s;
SELECT dbmazz.wait_for('tx', pg_current_wal_insert_lsn(), '60s');
COMMIT;

SELECT dbmazz.stop_pipeline('tx');
SELECT tx_wait_for_state('stopped');

-- drop, rolled back: the slot is still there
BEGIN;
SELECT dbmazz.drop_pipeline('tx');
SELECT count(*) FROM dbmazz.pipelines;
SELECT count(*) FROM pg_replication_slots;
ROLLBACK;
SELECT count(*) FROM dbmazz.pipelines;
SELECT count(*) FROM pg_replication_slots;
BEGIN;
SAVEPOINT s;
SELECT dbmazz.drop_pipeline('tx');
ROLLBACK TO s;
COMMIT;
SELECT count(*) FROM pg_replication_slots;

-- a slot that somebody else has made since is not ours to drop
SELECT pg_drop_replication_slot('dbmazz_slot');
SELECT slot_name FROM pg_create_logical_replication_slot('dbmazz_slot', 'test_decoding');
SELECT dbmazz.drop_pipeline('tx');
SELECT slot_name, plugin FROM pg_replication_slots;
SELECT pg_drop_replication_slot('dbmazz_slot');

-- a slot that is gone is no reason not to drop the pipeline; in a savepoint
SELECT dbmazz.create_pipeline('tx', sink => 'null', copy => false);
SELECT dbmazz.start_pipeline('tx');
SELECT dbmazz.wait_for('tx', pg_current_wal_insert_lsn(), '60s');
SELECT dbmazz.stop_pipeline('tx');
SELECT tx_wait_for_state('stopped');
SELECT pg_drop_replication_slot('dbmazz_slot');
BEGIN;
SAVEPOINT s;
SELECT dbmazz.drop_pipeline('tx');
RELEASE s;
COMMIT;
SELECT count(*) FROM dbmazz.pipelines;
SELECT count(*) FROM pg_replication_slots;

DROP FUNCTION tx_wait_for_state;
DROP PUBLICATION dbmazz_pub;
DROP TABLE tx_t;
DROP EXTENSION dbmazz;
