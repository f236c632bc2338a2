# A table whose target does not fit stops with the command that repairs it; it
# goes on from its own place, and nothing is lost meanwhile.

use strict;
use warnings;

use Test::More;

use dbmazz::Stream;

my ($node, $target) = start_stream(
	sql => <<~'SQL',
		CREATE TABLE orders (id int PRIMARY KEY, note text, amount numeric(10,2));
		CREATE TABLE items (id int PRIMARY KEY, note text);
		CREATE TABLE missing (id int PRIMARY KEY, note text);
		CREATE TABLE small (id int PRIMARY KEY, v int, note varchar(200));
		SQL
	tables => [qw(orders items small)],
	publication => 'TABLE orders, items, missing, small',
	settings => ['flush_interval=0']);

# A hint's statement, to be run in the target as it is.
sub hinted
{
	my ($text, $what) = @_;
	my ($statement) = $text =~ /($what .*?;)/s;
	ok($statement, "the hint has a statement: $what") or diag($text);
	return $statement // 'SELECT 1';
}

query($node, <<~'SQL');
	INSERT INTO orders SELECT i, 'a', i FROM generate_series(1, 50) i;
	INSERT INTO items SELECT i, 'a' FROM generate_series(1, 50) i;
	INSERT INTO small SELECT i, i, 'a' FROM generate_series(1, 50) i;
	SQL
same_rows($node, $target, qw(orders items small));
my $items_before = query($node, 'SELECT shipper_pid FROM dbmazz.stat_pipeline');

# ---- a column that the target lacks ---------------------------------------------

query($node, <<~'SQL');
	ALTER TABLE orders ADD COLUMN discount numeric(5,2);
	UPDATE orders SET discount = id / 10.0 WHERE id <= 10;
	UPDATE items SET note = 'b' WHERE id <= 10;
	SQL
my $why = wait_for_stop($node, 'orders');
like($why, qr/"orders".*"discount"/, 'a missing column stops the table');
my $statement = hinted($why, 'ALTER TABLE');
same_rows($node, $target, qw(items small));

# Changes of all kinds while it waits.
query($node, <<~'SQL');
	INSERT INTO orders SELECT i, 'while stopped', i, 1 FROM generate_series(51, 80) i;
	DELETE FROM orders WHERE id % 7 = 0;
	UPDATE orders SET id = id + 1000 WHERE id % 5 = 0;
	UPDATE items SET id = id + 1000 WHERE id % 5 = 0;
	SQL
same_rows($node, $target, qw(items small));
is(stopped_tables($node), 'orders', 'the others did not stop');
is(query($node, 'SELECT shipper_pid FROM dbmazz.stat_pipeline'), $items_before,
	'nor did the pipeline');
is(query($node, <<~'SQL'), 't', 'the slot is held back');
	SELECT p.confirmed_flush_lsn <= t.lsn AND t.lsn < p.position_lsn
	FROM dbmazz.stat_pipeline p, dbmazz.stat_table t WHERE t.target = 'orders'
	SQL

# Repaired while the pipeline is stopped; more changes come meanwhile.
$target->clear_loads;
restart_stream($node, sub {
	$target->sql($statement, 'shop');
	query($node, q(UPDATE orders SET note = 'at night' WHERE id < 5; DELETE FROM items WHERE id < 5));
});
same_rows($node, $target, qw(orders items small));
is(stopped_tables($node), '', 'it goes on');
my $again = 0;
$again += $_->{rows} for $target->loads(table => 'small');
is($again, 0, 'tables that had not stopped do not begin again');
ok($node->poll_query_until('postgres',
		q(SELECT confirmed_flush_lsn = checkpoint_lsn FROM dbmazz.stat_pipeline)),
	'the slot moves on');
is(query($node, q(SELECT count(*) FROM dbmazz.stat_table WHERE lsn IS NOT NULL OR error IS NOT NULL)), 0,
	'no table has a position of its own any more');

# ---- a table that the target lacks -------------------------------------------------

query($node, q(INSERT INTO missing SELECT i, 'a' FROM generate_series(1, 20) i));
$why = wait_for_stop($node, 'missing');
$statement = hinted($why, 'CREATE TABLE');
query($node, q(UPDATE missing SET note = 'b' WHERE id > 10; UPDATE items SET note = 'c'));
same_rows($node, $target, 'items');
restart_stream($node, sub { $target->sql($statement, 'shop') });
same_rows($node, $target, qw(orders items missing small));

# ---- a row that does not fit --------------------------------------------------------

$target->sql('ALTER TABLE small MODIFY COLUMN note VARCHAR(20)', 'shop');
query($node, <<~'SQL');
	INSERT INTO small SELECT i, i, 'fits' FROM generate_series(101, 200) i;
	INSERT INTO small VALUES (201, 0, repeat('x', 100));
	INSERT INTO small VALUES (202, 0, 'behind it');
	SQL
$why = wait_for_stop($node, 'small');
like($why, qr/note/, 'a bad row stops the table, and the message names the column');
query($node, q(DELETE FROM items WHERE id % 2 = 0));
same_rows($node, $target, qw(orders items missing));
restart_stream($node, sub { $target->sql('ALTER TABLE small MODIFY COLUMN note VARCHAR(800)', 'shop') });
same_rows($node, $target, qw(orders items missing small));

# ---- two tables that stop at different places, and one that stops again --------------

query($node, q(ALTER TABLE orders ADD COLUMN more int; UPDATE orders SET more = 1 WHERE id = 1));
wait_for_stop($node, 'orders');
query($node, q(UPDATE items SET note = 'd'));
arrived($node);
query($node, q(ALTER TABLE items ADD COLUMN more int; UPDATE items SET more = 1, note = 'e' WHERE id > 10;
	UPDATE orders SET more = 2 WHERE id = 2));
wait_for_stop($node, 'items');
query($node, q(INSERT INTO small VALUES (300, 1, 'goes on')));
same_rows($node, $target, qw(missing small));

restart_stream($node, sub { $target->sql('ALTER TABLE items ADD COLUMN more INT', 'shop') });
wait_for_stop($node, 'orders');
arrived($node);
is(stopped_tables($node), 'orders', 'one is repaired, the other stops again');
restart_stream($node, sub {
	$target->sql('ALTER TABLE orders ADD COLUMN more INT', 'shop');
	query($node, q(UPDATE orders SET amount = 1; UPDATE items SET note = note || 'f'));
});
same_rows($node, $target, qw(orders items missing small));
is(stopped_tables($node), '', 'all go on');

$node->stop;
done_testing();
