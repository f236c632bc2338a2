# Every way to commit, or not to; what is in a transaction and is no row.

use strict;
use warnings;

use Test::More;

use dbmazz::Stream;

my ($node, $target) = start_stream(
	sql => <<~'SQL',
		CREATE TABLE orders (id int PRIMARY KEY, v text, n int DEFAULT 0);
		CREATE TABLE items (id int, line int, v text, PRIMARY KEY (id, line));
		CREATE UNLOGGED TABLE unlogged (id int PRIMARY KEY);
		CREATE SEQUENCE numbers;
		SQL
	tables => [qw(orders items)],
	publication => 'ALL TABLES',
	conf => "max_prepared_transactions = 10\n",
	settings => [ 'flush_interval=0', 'decoder_work_mem=64kB' ]);

my @tables = qw(orders items);

# ---- prepared transactions -------------------------------------------------------------

query($node, <<~'SQL');
	INSERT INTO orders SELECT i, 'first' FROM generate_series(1, 20) i;
	BEGIN;
	UPDATE orders SET v = 'prepared' WHERE id <= 3;
	DELETE FROM orders WHERE id = 4;
	INSERT INTO items VALUES (1, 1, 'prepared');
	PREPARE TRANSACTION 'one';
	UPDATE orders SET v = 'meanwhile' WHERE id > 10;
	SQL
arrived($node);
is($target->sql(q(SELECT count(*) FROM orders WHERE v = 'prepared'), 'shop'), 0, 'PREPARE sends nothing');
query($node, q(COMMIT PREPARED 'one'));
same_rows($node, $target, @tables);
query($node, <<~'SQL');
	BEGIN;
	DELETE FROM orders;
	INSERT INTO orders VALUES (1000, 'never');
	PREPARE TRANSACTION 'two';
	ROLLBACK PREPARED 'two';
	UPDATE orders SET n = 1 WHERE id = 1;
	SQL
same_rows($node, $target, @tables);

# Across restarts of the pipeline and of the server, with others in between and DDL of its own.
$target->sql('ALTER TABLE items ADD COLUMN x INT', 'shop');
query($node, <<~'SQL');
	BEGIN;
	INSERT INTO items SELECT i, 2, 'three' FROM generate_series(1, 500) i;
	SAVEPOINT s;
	DELETE FROM items;
	ROLLBACK TO s;
	ALTER TABLE items ADD COLUMN x int DEFAULT 5;
	UPDATE items SET x = id WHERE id % 2 = 0;
	PREPARE TRANSACTION 'three';
	BEGIN;
	UPDATE orders SET v = 'four' WHERE id = 10;
	PREPARE TRANSACTION 'four';
	UPDATE orders SET n = 2 WHERE id = 2;
	SQL
same_rows($node, $target, 'orders');
# start_pipeline would wait for the lock on the table
$node->restart;
$node->wait_for_state('postgres', 'shop', 'streaming');
query($node, q(UPDATE orders SET n = 4 WHERE id = 5));
query($node, q(COMMIT PREPARED 'three'));
query($node, q(ROLLBACK PREPARED 'four'));
query($node, 'UPDATE items SET x = x');
same_rows($node, $target, @tables);

# Committed while the pipeline is stopped.
query($node, q(BEGIN; UPDATE orders SET v = 'five' WHERE id < 5; PREPARE TRANSACTION 'five'));
restart_stream($node, sub { query($node, q(COMMIT PREPARED 'five')) });
same_rows($node, $target, @tables);

# ---- subtransactions --------------------------------------------------------------------

query($node, <<~'SQL');
	DO $$
	BEGIN
		-- a subtransaction each; more than a snapshot lists, and every third one fails
		FOR i IN 1..300 LOOP
			BEGIN
				INSERT INTO orders VALUES (10000 + i, 'sub ' || i);
				UPDATE orders SET n = i WHERE id = 10000 + i - 1;
				INSERT INTO items VALUES (i, 9, 'sub', i);
				IF i % 3 = 0 THEN
					RAISE EXCEPTION 'no';
				END IF;
			EXCEPTION WHEN OTHERS THEN
				UPDATE orders SET v = v || '!' WHERE id = 10000 + i - 1;
			END;
		END LOOP;
	END $$;
	SQL
same_rows($node, $target, @tables);

# Nested, with large ones that are spilled and thrown away.
query($node, <<~'SQL');
	BEGIN;
	INSERT INTO orders SELECT i, repeat('x', 100) FROM generate_series(20001, 23000) i;
	SAVEPOINT a;
	UPDATE orders SET v = repeat('y', 100) WHERE id > 20000;
	SAVEPOINT b;
	DELETE FROM orders WHERE id > 20000 AND id % 2 = 0;
	SAVEPOINT c;
	UPDATE orders SET id = id + 10000 WHERE id > 20000;
	ROLLBACK TO c;
	UPDATE orders SET n = 1 WHERE id > 20000 AND id % 3 = 0;
	RELEASE b;
	SAVEPOINT d;
	DELETE FROM orders;
	ROLLBACK TO d;
	RELEASE a;
	SAVEPOINT a;
	INSERT INTO orders SELECT i, 'gone' FROM generate_series(30001, 33000) i;
	ROLLBACK TO a;
	INSERT INTO orders VALUES (30001, 'stays');
	COMMIT;
	SQL
same_rows($node, $target, 'orders');
cmp_ok(query($node, 'SELECT spill_txns FROM pg_stat_replication_slots'), '>', 0, 'some went to disk');

# Two sessions at once, the longer one first.
my $other = $node->background_psql('postgres', on_error_stop => 1) if $node->can('background_psql')
  && $node->pg_version >= 16;
SKIP:
{
	skip 'no background session before 16', 1 unless $other;
	$other->query_safe('BEGIN; UPDATE orders SET v = $$slow$$ WHERE id = 6');
	query($node, 'UPDATE orders SET v = $$fast$$ WHERE id = 7; DELETE FROM orders WHERE id = 8');
	same_rows($node, $target, 'items');
	$other->query_safe('UPDATE orders SET v = v || $$.$$ WHERE id IN (6, 7); COMMIT');
	$other->quit;
	same_rows($node, $target, 'orders');
}

# ---- what is no row ------------------------------------------------------------------------

# Each of these is a transaction of its own, or part of one, and leaves nothing in the target.
my @nothing = (
	'BEGIN; SELECT pg_current_xact_id(); COMMIT',
	q(SELECT pg_logical_emit_message(true, 'prefix', 'transactional')),
	q(SELECT pg_logical_emit_message(false, 'dbmazz', 'not transactional')),
	q(BEGIN; SELECT pg_logical_emit_message(false, '', repeat('x', 100000)); ROLLBACK),
	'CREATE TABLE unused (id int PRIMARY KEY); ALTER TABLE unused ADD COLUMN v text; DROP TABLE unused',
	'BEGIN; CREATE TABLE unused (id int PRIMARY KEY); DROP TABLE unused; COMMIT',
	q(SELECT nextval('numbers') FROM generate_series(1, 100); SELECT setval('numbers', 5)),
	q(SELECT lo_unlink(lo_from_bytea(0, 'large'))),
	q(SELECT lo_from_bytea(4242, repeat('large', 10000)::bytea)),
	'INSERT INTO unlogged SELECT generate_series(1, 100); UPDATE unlogged SET id = -id; TRUNCATE unlogged',
	'CREATE TEMP TABLE passing (id int PRIMARY KEY); INSERT INTO passing VALUES (1); UPDATE passing SET id = 2',
	'CREATE MATERIALIZED VIEW seen AS SELECT * FROM orders; REFRESH MATERIALIZED VIEW seen; DROP MATERIALIZED VIEW seen',
	'CREATE VIEW looked AS SELECT id, v FROM orders',
	'DELETE FROM orders WHERE false; UPDATE orders SET v = v WHERE false',
	'VACUUM orders; ANALYZE items; CHECKPOINT; SELECT pg_switch_wal()',
	'BEGIN; LOCK TABLE orders; SELECT * FROM orders WHERE id = 1 FOR UPDATE; COMMIT',
	'CREATE ROLE nobody; GRANT SELECT ON orders TO nobody; REVOKE ALL ON orders FROM nobody; DROP ROLE nobody');
arrived($node);
$target->clear_loads;
query($node, $_) for @nothing;
arrived($node);
is(scalar $target->loads(stage => 'be'), 0, 'nothing was sent for what is no row');
is(query($node, q(SELECT string_agg(target, ' ' ORDER BY target) FROM dbmazz.stat_table)), 'items orders',
	'and of no other table');

# The same in transactions that have rows as well.
query($node, "BEGIN; UPDATE orders SET n = n + 1 WHERE id = 1; $_; UPDATE orders SET n = n + 1 WHERE id = 2; COMMIT")
  for grep { !/BEGIN|VACUUM|lo_from_bytea\(4242|CREATE VIEW|ROLE/ } @nothing;
same_rows($node, $target, @tables);

# An UPDATE that changes nothing is one all the same, and does no harm.
query($node, 'UPDATE orders SET v = v, n = n; UPDATE items SET id = id, line = line');
same_rows($node, $target, @tables);

# ---- statements -------------------------------------------------------------------------------

query($node, <<~'SQL');
	INSERT INTO orders VALUES (1, 'conflict'), (40001, 'new') ON CONFLICT DO NOTHING;
	INSERT INTO orders VALUES (1, 'conflict'), (40002, 'new')
		ON CONFLICT (id) DO UPDATE SET v = excluded.v || orders.n, id = orders.id + 50000;
	INSERT INTO orders VALUES (2, 'conflict') ON CONFLICT (id) DO UPDATE SET v = 'not' WHERE orders.n < -1;
	WITH gone AS (DELETE FROM orders WHERE id BETWEEN 20001 AND 20100 RETURNING *),
		made AS (INSERT INTO items SELECT id, 77, v, n FROM gone RETURNING id)
		UPDATE orders SET n = 77 WHERE id IN (SELECT id - 5000 FROM made);
	UPDATE orders o SET v = i.v FROM items i WHERE o.id = i.id AND i.line = 9;
	DELETE FROM items i USING orders o WHERE o.id = i.id AND i.line = 77 AND o.id % 2 = 0;
	MERGE INTO orders o USING (SELECT i AS id FROM generate_series(10, 60010, 500) i) s ON o.id = s.id
		WHEN MATCHED AND o.id < 12 THEN DELETE
		WHEN MATCHED THEN UPDATE SET v = 'merged'
		WHEN NOT MATCHED AND s.id % 1000 = 10 THEN INSERT VALUES (s.id, 'merged', 1)
		WHEN NOT MATCHED THEN DO NOTHING;
	COPY items (id, v, line) FROM stdin;
	-1	\N	1
	-1		2
	-1	\\.x	3
	-1	a\tb\nc\\d	4
	\.
	INSERT INTO items SELECT 70000 + i, 1, NULL, NULL FROM generate_series(1, 2000) i;
	SQL
same_rows($node, $target, @tables);
query($node, <<~'SQL');
	BEGIN;
	COPY orders (id, v) FROM stdin (FORMAT csv, FREEZE false);
	80001,"a ""quoted"" one"
	80002,
	80003,""
	\.
	CREATE TABLE copied AS SELECT * FROM orders WHERE id < 10;
	DECLARE c CURSOR FOR SELECT * FROM orders WHERE id > 80000 ORDER BY id FOR UPDATE;
	FETCH c;
	UPDATE orders SET v = 'by cursor' WHERE CURRENT OF c;
	FETCH c;
	DELETE FROM orders WHERE CURRENT OF c;
	COMMIT;
	SQL
same_rows($node, $target, @tables);
like(wait_for_stop($node, 'copied'), qr/has neither a primary key/,
	'a table that CREATE TABLE AS made has no key, and stops alone');

# With a target it goes on from its first row once it has a key; CTAS leaves the rows without one.
query($node, 'DROP TABLE copied');
query($node, q(UPDATE orders SET v = 'all goes on' WHERE id % 10 = 0));
same_rows($node, $target, @tables);

# FOR TABLES IN SCHEMA: tables that are made later, and such as move in and out.
query($node, <<~'SQL');
	CREATE SCHEMA live;
	CREATE TABLE live.early (id int PRIMARY KEY, v text);
	CREATE TABLE wanderer (id int PRIMARY KEY, v text);
	SELECT dbmazz.stop_pipeline('shop');
	CREATE PUBLICATION live FOR TABLES IN SCHEMA live;
	SELECT dbmazz.create_pipeline('live', publication => 'live', slot => 'live', copy => false,
		settings => '{flush_interval=0}');
	SQL
$node->create_target('postgres', $_, $target, 'shop') for 'live.early', 'wanderer';
$node->run_pipeline('postgres', 'live');
query($node, <<~'SQL');
	INSERT INTO live.early VALUES (1, 'early');
	CREATE TABLE live.late (id int PRIMARY KEY, v text);
	SQL
$node->create_target('postgres', 'live.late', $target, 'shop');
query($node, <<~'SQL');
	INSERT INTO live.late VALUES (1, 'late'), (2, 'late');
	INSERT INTO wanderer VALUES (1, 'outside');
	BEGIN;
	UPDATE live.late SET id = -1 WHERE id = 1;
	ALTER TABLE wanderer SET SCHEMA live;
	INSERT INTO live.wanderer VALUES (2, 'inside');
	COMMIT;
	ALTER TABLE live.wanderer SET SCHEMA public;
	INSERT INTO wanderer VALUES (3, 'outside');
	SQL
$node->wait_for_target('postgres', 'live');
dbmazz::Compare::rows_equal($node, 'postgres', "live.$_", $target, "shop.$_") for 'early', 'late';
is($target->sql('SELECT id, v FROM wanderer ORDER BY id', 'shop'), '2|inside',
	'a table is published while it is in the schema');

$node->stop;
done_testing();
