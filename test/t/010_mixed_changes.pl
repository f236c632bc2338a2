# Inserts, updates, deletes and changed keys, in all orders, arrive as they are.

use strict;
use warnings;

use Test::More;

use dbmazz::Stream;

my ($node, $target) = start_stream(
	sql => <<~'SQL',
		CREATE TABLE orders (id bigint PRIMARY KEY, customer int NOT NULL,
			amount numeric(12,2), note text, placed_at timestamptz);
		CREATE TABLE items (order_id bigint, line int, sku varchar(40) NOT NULL,
			quantity int, PRIMARY KEY (order_id, line));
		SQL
	tables => [ 'orders', 'items' ],
	settings => ['flush_interval=0']);

my @tables = ('orders', 'items');

# The loads of a table that succeeded, in order.
sub loads
{
	my ($table) = @_;
	return grep { $_->{outcome} eq 'Success' } $target->loads(table => $table);
}

sub run_all
{
	my ($what) = @_;

	query($node, <<~'SQL');
		INSERT INTO orders SELECT i, i % 97, i * 1.37, 'order ' || i,
			'2024-01-01 00:00+00'::timestamptz + i * interval '61 s'
			FROM generate_series(1, 2000) i;
		INSERT INTO items SELECT i, l, 'sku-' || i * l, l
			FROM generate_series(1, 500) i, generate_series(1, 3) l;
		SQL
	same_rows($node, $target, @tables);

	query($node, <<~'SQL');
		UPDATE orders SET amount = amount * 2, note = NULL WHERE id % 3 = 0;
		DELETE FROM orders WHERE id % 7 = 0;
		UPDATE items SET quantity = quantity + 10 WHERE line = 2;
		DELETE FROM items WHERE line = 3;
		SQL
	same_rows($node, $target, @tables);

	# every key moves away: the old one must not stay
	query($node, <<~'SQL');
		UPDATE orders SET id = id + 1000000;
		UPDATE items SET line = line + 100 WHERE order_id % 2 = 0;
		SQL
	same_rows($node, $target, @tables);

	# and to keys that another row has just left, in one statement and transaction
	query($node, <<~'SQL');
		BEGIN;
		UPDATE orders SET id = -id;
		UPDATE orders SET id = -id + 1;
		UPDATE orders SET id = id - 1000001 WHERE id % 2 = 0;
		COMMIT;
		SQL
	same_rows($node, $target, @tables);

	# several operations of one key in a transaction
	query($node, <<~'SQL');
		BEGIN;
		INSERT INTO orders VALUES (-1, 1, 1, 'a'), (-2, 1, 1, 'a'), (-3, 1, 1, 'a'), (-4, 1, 1, 'a');
		DELETE FROM orders WHERE id IN (-1, -3);
		INSERT INTO orders VALUES (-1, 2, 2, 'b');
		UPDATE orders SET note = 'c' WHERE id IN (-1, -2);
		DELETE FROM orders WHERE id = -2;
		UPDATE orders SET id = -5 WHERE id = -4;
		UPDATE orders SET id = -4 WHERE id = -5;
		UPDATE orders SET id = -6 WHERE id = -4;
		COMMIT;
		SQL
	is(query($node, 'SELECT string_agg(id::text, $$ $$ ORDER BY id) FROM orders WHERE id < 0'),
		'-6 -1', "$what: what is left of the rows of one transaction");
	same_rows($node, $target, @tables);

	# and in transactions of their own that meet in one batch
	query($node, <<~"SQL") for 1 .. 3;
		INSERT INTO orders VALUES (-10, 1, 1, 'a');
		UPDATE orders SET note = 'b' WHERE id = -10;
		DELETE FROM orders WHERE id = -10;
		INSERT INTO orders VALUES (-10, 2, 2, 'c');
		UPDATE orders SET id = -11 WHERE id = -10;
		DELETE FROM orders WHERE id = -11;
		SQL
	query($node, q(INSERT INTO orders VALUES (-10, 3, 3, 'last')));

	# what is rolled back never arrives
	query($node, <<~'SQL');
		BEGIN;
		INSERT INTO orders VALUES (-20, 1, 1, 'stays');
		SAVEPOINT a;
		INSERT INTO orders VALUES (-21, 1, 1, 'goes');
		UPDATE orders SET note = 'goes' WHERE id = -20;
		SAVEPOINT b;
		DELETE FROM orders WHERE id = -20;
		RELEASE b;
		ROLLBACK TO a;
		INSERT INTO orders VALUES (-22, 1, 1, 'stays');
		SAVEPOINT c;
		UPDATE orders SET id = -23 WHERE id = -22;
		RELEASE c;
		COMMIT;
		BEGIN;
		DELETE FROM orders;
		ROLLBACK;
		SQL
	query($node, <<~'SQL');
		COPY items FROM stdin;
		-1	1	tab\there	1
		-1	2	line\nhere	\N
		-1	3	back\\\\slash "quoted"	3
		\.
		SQL
	same_rows($node, $target, @tables);

	query($node, 'DELETE FROM orders; DELETE FROM items');
	same_rows($node, $target, @tables);
	is($target->count('shop', 'orders') + $target->count('shop', 'items'), 0,
		"$what: all rows are gone");
	return;
}

run_all('flush_interval 0');
query($node, q(SELECT dbmazz.alter_pipeline('shop', settings => '{flush_interval=1s}')));
run_all('flush_interval 1s');

is(stopped_tables($node), '', 'no table has stopped');
my @bad = grep { $_->{outcome} ne 'Success' } $target->loads(stage => 'be');
is(scalar @bad, 0, 'no load failed');

# A key is sent once per load: the rows of a burst become one.
query($node, q(INSERT INTO orders VALUES (1, 1, 0, 'first')));
arrived($node);
$target->clear_loads;
query($node, <<~'SQL');
	BEGIN;
	INSERT INTO orders VALUES (2, 0, 0, 'second');
	DO $$ BEGIN
		FOR i IN 1..500 LOOP
			UPDATE orders SET amount = i WHERE id = 1;
		END LOOP;
	END $$;
	COMMIT;
	SQL
same_rows($node, $target, 'orders');
my $rows = 0;
$rows += $_->{rows} for loads('orders');
is($rows, 2, 'of 501 changes of two keys two rows were sent');

$node->stop;
done_testing();
