# Settings that are changed while a pipeline runs, and settings of its own.

use strict;
use warnings;

use Test::More;
use Time::HiRes qw(time);

use dbmazz::Stream;

my ($node, $target) = start_stream(
	sql => <<~'SQL',
		CREATE TABLE orders (id int PRIMARY KEY, note text);
		CREATE TABLE items (id int PRIMARY KEY, note text);
		CREATE PUBLICATION items FOR TABLE items;
		SQL
	tables => [ 'orders', 'items' ],
	publication => 'TABLE orders',
	settings => [ 'flush_interval=1h', 'batch_max_rows=50' ]);

query($node, <<~'SQL');
	SELECT dbmazz.create_pipeline('items', publication => 'items', slot => 'items', copy => false,
		settings => '{flush_interval=0,batch_max_rows=1000}');
	SQL
$node->run_pipeline('postgres', 'items');

sub alter
{
	my ($settings) = @_;
	query($node, "SELECT dbmazz.alter_pipeline('shop', settings => '{$settings}')");
	return;
}

# Wait until the decoder holds a batch that is not due yet.
sub is_buffered
{
	return $node->poll_query_until('postgres',
		q(SELECT buffered_batches = 1 FROM dbmazz.stat_pipeline WHERE name = 'shop'));
}

sub loads_of { my ($table) = @_; return grep { $_->{outcome} eq 'Success' } $target->loads(table => $table) }

# ---- rows per load ---------------------------------------------------------------------

query($node, <<~'SQL');
	INSERT INTO orders SELECT i, 'a' FROM generate_series(1, 1010) i;
	INSERT INTO items SELECT i, 'a' FROM generate_series(1, 1010) i;
	SQL
$node->wait_for_target('postgres', 'items');
dbmazz::Compare::rows_equal($node, 'postgres', 'items', $target, 'shop.items');
$target->wait_until('all full batches', sub { $target->count('shop', 'orders') == 1000 });
ok(is_buffered(), 'the last rows wait');
is(join(' ', map { $_->{rows} } loads_of('orders')), join(' ', (50) x 20), 'each load has batch_max_rows');
is((sort { $b <=> $a } map { $_->{rows} } loads_of('items'))[0], 1000, "another pipeline's are its own");

# ---- flush_interval ------------------------------------------------------------------------

is(query($node, q(SELECT dbmazz.wait_for('shop', pg_current_wal_lsn(), '200 ms'))), 'f',
	'with an hour as interval they are not sent');
my $begin = time;
alter('flush_interval=0');
same_rows($node, $target, 'orders');
cmp_ok(time - $begin, '<', 10, 'a shorter interval takes effect while it runs');

alter('flush_interval=1h,batch_max_rows=DEFAULT');
# (a load of its own may be needed until both processes have the new value)
$target->wait_until('the longer interval', sub {
	query($node, q(INSERT INTO orders SELECT max(id) + 1, 'b' FROM orders));
	return query($node, q(SELECT dbmazz.wait_for('shop', pg_current_wal_lsn(), '300 ms'))) eq 'f';
});
ok(is_buffered(), 'and so does a longer one');
$target->clear_loads;
query($node, "UPDATE orders SET note = 'batch $_' WHERE id < 100") for 1 .. 5;
alter('flush_interval=100ms');
same_rows($node, $target, 'orders');
is(scalar(loads_of('orders')), 1, 'what has come meanwhile is one load');

# ---- of the server -----------------------------------------------------------------------------

alter('flush_interval=DEFAULT');
$node->append_conf('postgresql.conf', "dbmazz.flush_interval = 1h\ndbmazz.batch_max_rows = 7\n");
$node->reload;
$target->wait_until('the setting of the server', sub {
	$target->clear_loads;
	query($node, q(
		INSERT INTO orders SELECT m + i, 'c'
		FROM generate_series(1, 21) i, (SELECT max(id) m FROM orders) x));
	$target->wait_until('a load', sub { scalar(loads_of('orders')) });
	return (loads_of('orders'))[0]{rows} == 7;
});
pass('the server\'s setting counts where the pipeline has none');
query($node, q(INSERT INTO items SELECT i, 'b' FROM generate_series(2001, 2100) i));
$node->wait_for_target('postgres', 'items');
is((sort { $b <=> $a } map { $_->{rows} } loads_of('items'))[0], 100, 'and not where it has');

# ---- bytes per load ---------------------------------------------------------------------------------

alter('flush_interval=0,batch_max_rows=100000,batch_max_bytes=64kB');
arrived($node);
restart_stream($node);
$target->clear_loads;
query($node, q(INSERT INTO orders SELECT i, repeat('x', 1000) FROM generate_series(10001, 11000) i));
same_rows($node, $target, 'orders');
my @bytes = map { $_->{bytes} } loads_of('orders');
is(scalar(grep { $_ > 64 * 1024 + 2000 } @bytes), 0, 'no load is much larger than batch_max_bytes');
cmp_ok(scalar @bytes, '>=', 15, 'so there are many of them');

# ---- how many at once --------------------------------------------------------------------------------

query($node, <<~'SQL');
	CREATE TABLE a1 (id int PRIMARY KEY); CREATE TABLE a2 (id int PRIMARY KEY);
	CREATE TABLE a3 (id int PRIMARY KEY); CREATE TABLE a4 (id int PRIMARY KEY);
	SQL
$node->create_target('postgres', $_, $target, 'shop') for qw(a1 a2 a3 a4);
query($node, 'ALTER PUBLICATION dbmazz_pub ADD TABLE a1, a2, a3, a4');
restart_stream($node, sub { alter('max_connections=2') });
$target->fault(fault => 'hold');
query($node, 'INSERT INTO a1 VALUES (1); INSERT INTO a2 VALUES (1);
	INSERT INTO a3 VALUES (1); INSERT INTO a4 VALUES (1)');
$target->wait_until('two loads', sub { $target->held == 2 });
is(query($node, q(SELECT dbmazz.wait_for('shop', pg_current_wal_lsn(), '300 ms'))), 'f', 'all wait');
is(scalar($target->held), 2, 'there are no more than max_connections');
$target->clear_faults;
$target->release;
same_rows($node, $target, qw(orders a1 a2 a3 a4));

$node->stop;
done_testing();
