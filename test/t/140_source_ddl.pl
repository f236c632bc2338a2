# DDL in the source in mid-stream: each row is sent as the table was then.

use strict;
use warnings;

use Test::More;

use dbmazz::Stream;

my ($node, $target) = start_stream(
	sql => <<~'SQL',
		CREATE TABLE orders (id int PRIMARY KEY, note text, amount int);
		CREATE TABLE again (id int PRIMARY KEY, note text);
		CREATE TABLE before (id int PRIMARY KEY, note text);
		CREATE TABLE other (id int PRIMARY KEY, note text);
		SQL
	tables => [qw(orders again before other)],
	publication => 'ALL TABLES',
	settings => ['flush_interval=300ms']);

sub steps
{
	query($node, $_) for @_;
	return;
}

# ---- columns come and go -----------------------------------------------------------

steps(q(INSERT INTO orders SELECT i, 'a', i FROM generate_series(1, 30) i));
$target->sql('ALTER TABLE orders ADD COLUMN extra BIGINT', 'shop');
steps(
	'ALTER TABLE orders ADD COLUMN extra bigint DEFAULT 7',
	q(INSERT INTO orders SELECT i, 'b', i, i FROM generate_series(31, 40) i),
	'UPDATE orders SET extra = -id WHERE id < 40');
arrived($node);
is($target->sql('SELECT count(*) FROM orders WHERE extra IS NULL', 'shop'), 0, 'a column that was added');
same_rows($node, $target, 'orders');

# In one transaction, with rows before and behind; and rolled back.
steps(<<~'SQL');
	BEGIN;
	UPDATE orders SET amount = 100 WHERE id = 1;
	ALTER TABLE orders ADD COLUMN gone int;
	UPDATE orders SET gone = 1, amount = 200 WHERE id = 2;
	ALTER TABLE orders DROP COLUMN gone;
	UPDATE orders SET amount = 300 WHERE id = 3;
	ROLLBACK;
	BEGIN;
	UPDATE orders SET amount = 100 WHERE id = 1;
	SAVEPOINT a;
	ALTER TABLE orders ADD COLUMN never int;
	UPDATE orders SET never = 1;
	ROLLBACK TO a;
	UPDATE orders SET amount = 300 WHERE id = 3;
	COMMIT;
	SQL
same_rows($node, $target, 'orders');

# The target keeps a column that the source has dropped.
steps(
	q(UPDATE orders SET note = 'last words'),
	'ALTER TABLE orders DROP COLUMN note',
	'UPDATE orders SET amount = amount + 1 WHERE id % 2 = 0',
	'INSERT INTO orders VALUES (50, 50, 50)',
	'DELETE FROM orders WHERE id = 7');
same_rows($node, $target, 'orders');
is($target->sql('SELECT count(*) FROM orders WHERE note IS NULL', 'shop'), 21,
	'of rows that were written whole since then');

# Another type, of which the old rows were sent as such.
$target->sql('ALTER TABLE orders MODIFY COLUMN amount BIGINT', 'shop');
steps(
	'UPDATE orders SET amount = 5 WHERE id = 5',
	'ALTER TABLE orders ALTER amount TYPE bigint',
	'UPDATE orders SET amount = 10000000000 WHERE id = 6');
same_rows($node, $target, 'orders');

# A column gets another name: what bears it in the target is another column.
$target->sql('ALTER TABLE orders RENAME COLUMN extra TO more', 'shop');
steps('ALTER TABLE orders RENAME COLUMN extra TO more', 'UPDATE orders SET more = 1 WHERE id < 10');
same_rows($node, $target, 'orders');

# ---- tables -------------------------------------------------------------------------

# Dropped and created again: another table for the server, the same lane.
for my $round (1 .. 3)
{
	steps(
		"INSERT INTO again SELECT i, 'round $round' FROM generate_series(1, 20) i
			ON CONFLICT (id) DO UPDATE SET note = excluded.note",
		'UPDATE again SET note = note || $$.$$',
		'DELETE FROM again',
		'DROP TABLE again',
		'CREATE TABLE again (id int PRIMARY KEY, note text)',
		"INSERT INTO again SELECT i, 'new $round' FROM generate_series(11, 30) i",
		'DELETE FROM again WHERE id % 3 = 0');
}
same_rows($node, $target, 'again');
is(query($node, q(SELECT count(DISTINCT target) = count(*) FROM dbmazz.stat_table)), 't', 'one lane per target');

# A new name is another target.
$target->sql('CREATE TABLE after (id INT NOT NULL, note STRING) PRIMARY KEY (id) DISTRIBUTED BY HASH (id)', 'shop');
steps(
	q(INSERT INTO before VALUES (1, 'before')),
	'ALTER TABLE before RENAME TO after',
	q(INSERT INTO after VALUES (2, 'after')),
	'CREATE TABLE before (id int PRIMARY KEY, note text)',
	q(INSERT INTO before VALUES (3, 'another')),
	q(UPDATE after SET note = 'after, too' WHERE id = 2));
arrived($node);
is($target->sql('SELECT id FROM before ORDER BY id', 'shop'), "1\n3", 'rows under the old name');
is($target->sql('SELECT id, note FROM after ORDER BY id', 'shop'), '2|after, too', 'rows under the new one');

# Made while it runs: the publication has it, the target has not.
steps('CREATE TABLE young (id int PRIMARY KEY, t text)', q(INSERT INTO young VALUES (1, 'x')));
like(wait_for_stop($node, 'young'), qr/CREATE TABLE/, 'a new table without a target stops');
steps(q(INSERT INTO young VALUES (2, 'y')));
restart_stream($node, sub { $node->create_target('postgres', 'young', $target, 'shop') });
same_rows($node, $target, qw(young orders again));

# A rewrite of the table and its index changes nothing.
steps('VACUUM FULL orders', 'CLUSTER again USING again_pkey', 'REINDEX TABLE orders',
	'UPDATE orders SET amount = -amount', 'UPDATE again SET note = upper(note)',
	'ALTER TABLE orders SET UNLOGGED', 'ALTER TABLE orders SET LOGGED',
	'UPDATE orders SET amount = amount + 1');
same_rows($node, $target, qw(orders again));

# Its key is another one.
$target->sql('DROP TABLE other', 'shop');
$target->sql('CREATE TABLE other (note VARCHAR(100) NOT NULL, id INT)
	PRIMARY KEY (note) DISTRIBUTED BY HASH (note)', 'shop');
steps(
	'ALTER TABLE other DROP CONSTRAINT other_pkey, ADD PRIMARY KEY (note), ALTER id DROP NOT NULL',
	q(INSERT INTO other VALUES (1, 'a'), (2, 'b'), (NULL, 'c')),
	q(UPDATE other SET note = 'd' WHERE id = 2),
	q(DELETE FROM other WHERE id = 1));
same_rows($node, $target, qw(other orders again young));
is(stopped_tables($node), '', 'no table has stopped');

$node->stop;
done_testing();
