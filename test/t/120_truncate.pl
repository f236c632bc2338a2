# What a TRUNCATE does in each truncate_mode; what follows is not lost.

use strict;
use warnings;

use Test::More;

use dbmazz::Stream;

my ($node, $target) = start_stream(
	sql => <<~'SQL',
		CREATE TABLE orders (id int PRIMARY KEY, note text);
		CREATE TABLE items (id int PRIMARY KEY, note text);
		CREATE TABLE parents (id int PRIMARY KEY);
		CREATE TABLE children (id int PRIMARY KEY, parent int REFERENCES parents);
		SQL
	tables => [qw(orders items parents children)],
	settings => [ 'flush_interval=0', 'truncate_mode=stop' ]);

query($node, <<~'SQL');
	INSERT INTO orders SELECT i, 'a' FROM generate_series(1, 20) i;
	INSERT INTO items SELECT i, 'a' FROM generate_series(1, 20) i;
	INSERT INTO parents SELECT i FROM generate_series(1, 5) i;
	INSERT INTO children SELECT i, i FROM generate_series(1, 5) i;
	SQL
same_rows($node, $target, qw(orders items parents children));

query($node, <<~'SQL');
	BEGIN;
	UPDATE orders SET note = 'before' WHERE id = 1;
	UPDATE items SET note = 'same transaction' WHERE id = 1;
	TRUNCATE orders;
	INSERT INTO orders VALUES (1, 'after'), (100, 'after');
	UPDATE items SET note = 'behind it' WHERE id = 2;
	COMMIT;
	SQL
my $why = wait_for_stop($node, 'orders');
like($why, qr/"public\.orders" was truncated/, 'a truncated table stops');
like($why, qr/truncate_mode=apply.*truncate_mode=ignore/s, 'with a hint');
query($node, q(INSERT INTO items VALUES (100, 'goes on')));
query($node, q(INSERT INTO orders VALUES (101, 'waits')));
same_rows($node, $target, 'items');
is(stopped_tables($node), 'orders', 'other tables go on');
is($target->count('shop', 'orders'), 20, 'nothing of what follows is sent');

# The slot waits for the table that has stopped.
query($node, q(INSERT INTO items SELECT i, 'more' FROM generate_series(1000, 1100) i));
arrived($node);
ok($node->poll_query_until('postgres', <<~'SQL'), 'the checkpoint moves on');
	SELECT p.checkpoint_lsn > t.lsn FROM dbmazz.stat_pipeline p, dbmazz.stat_table t WHERE t.target = 'orders'
	SQL
is(query($node, <<~'SQL'), 't', 'the slot does not');
	SELECT p.confirmed_flush_lsn <= t.lsn FROM dbmazz.stat_pipeline p, dbmazz.stat_table t WHERE t.target = 'orders'
	SQL
is(query($node, q(SELECT retained_bytes > 0 FROM dbmazz.stat_table WHERE target = 'orders')), 't',
	'the view shows the WAL that is kept for it');

# Only stopped and started, it stops at the same place.
restart_stream($node);
wait_for_stop($node, 'orders');
query($node, q(INSERT INTO items VALUES (2000, 'once more')));
same_rows($node, $target, 'items');

# As the hint says.
$target->sql('TRUNCATE TABLE orders', 'shop');
restart_stream($node, sub {
	query($node, q(SELECT dbmazz.alter_pipeline('shop', settings => '{truncate_mode=ignore}')));
	query($node, q(INSERT INTO orders VALUES (102, 'while it was stopped')));
	query($node, q(DELETE FROM items WHERE id = 5));
});
arrived($node);
is(stopped_tables($node), '', 'it goes on');

# The update before the TRUNCATE was sent again, that is all.
is($target->sql('SELECT id, note FROM orders ORDER BY id', 'shop'),
	"1|after\n100|after\n101|waits\n102|while it was stopped", 'with all that came since');
same_rows($node, $target, qw(orders items));
ok($node->poll_query_until('postgres',
		q(SELECT confirmed_flush_lsn = checkpoint_lsn FROM dbmazz.stat_pipeline)),
	'the slot is not held back any more');

# Ignored: the target keeps the rows.
query($node, 'TRUNCATE parents, children');
query($node, 'INSERT INTO parents VALUES (3), (6)');
arrived($node);
is($target->count('shop', 'parents'), 6, 'rows stay in the target');
is($target->count('shop', 'children'), 5, 'of every table of the statement');
same_rows($node, $target, qw(orders items));

# Several tables in one statement.
restart_stream($node, sub {
	query($node, q(SELECT dbmazz.alter_pipeline('shop', settings => '{truncate_mode=auto}')));
});
query($node, 'TRUNCATE parents CASCADE');
wait_for_stop($node, $_) for qw(parents children);
query($node, q(INSERT INTO orders VALUES (200, 'x'); UPDATE items SET note = 'y' WHERE id < 10));
same_rows($node, $target, qw(orders items));
is(stopped_tables($node), 'children parents', 'one TRUNCATE stops all of its tables');

# auto and apply, where nobody has said how to truncate the target.
for my $mode (qw(auto apply))
{
	$target->sql("TRUNCATE TABLE $_", 'shop') for qw(parents children);
	restart_stream($node, sub {
		query($node, q(SELECT dbmazz.alter_pipeline('shop', settings => '{truncate_mode=ignore}')));
	});
	arrived($node);
	$node->poll_query_until('postgres', 'SELECT count(lsn) = 0 FROM dbmazz.stat_table')
	  or die 'a table has not caught up';
	restart_stream($node, sub {
		query($node, qq(SELECT dbmazz.alter_pipeline('shop', settings => '{truncate_mode=$mode}')));
	});
	query($node, 'INSERT INTO parents VALUES (1)');
	same_rows($node, $target, 'parents');
	my $rows = $target->count('shop', 'parents');
	query($node, 'TRUNCATE parents CASCADE');
	query($node, 'INSERT INTO parents VALUES (2)');
	like(wait_for_stop($node, 'parents'), qr/truncate/, "$mode: the table stops where the sink cannot truncate");
	wait_for_stop($node, 'children');
	is($target->count('shop', 'parents'), $rows, 'nothing of what follows is sent');
	query($node, "UPDATE items SET note = '$mode' WHERE id < 10");
	same_rows($node, $target, qw(orders items));
}

$node->stop;
done_testing();
