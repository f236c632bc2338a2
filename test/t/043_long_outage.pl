# A target that is down for very long: the pipeline tries it more often than in days
# of the default delays, without a limit, takes no more memory, keeps its place, and
# goes on by itself when the target is back.

use strict;
use warnings;

use Test::More;

use dbmazz::Stream;

my $attempts = 1000;
my ($node, $target) = start_stream(
	sql => <<~'SQL',
		CREATE TABLE orders (id int PRIMARY KEY, note text);
		CREATE TABLE items (id int PRIMARY KEY, note text);
		SQL
	tables => [qw(orders items)],
	conf => "dbmazz.retry_min_delay = 1\ndbmazz.retry_max_delay = 1\n",
	settings => [ 'flush_interval=0', 'pipeline_buffer_size=512kB', 'batch_max_bytes=64kB' ]);

query($node, q(INSERT INTO orders VALUES (1, 'before'); INSERT INTO items VALUES (1, 'before')));
same_rows($node, $target, qw(orders items));
$target->stop;

# More than the buffer holds, so that the decoder waits too.
query($node, q(INSERT INTO orders SELECT i, repeat('x', 500) FROM generate_series(2, 5000) i));
query($node, q(UPDATE orders SET note = 'changed' WHERE id % 3 = 0; DELETE FROM orders WHERE id % 7 = 0));
query($node, q(INSERT INTO items SELECT i, 'y' FROM generate_series(2, 500) i));
$node->wait_for_state('postgres', 'shop', 'retrying');
my $before = query($node, 'SELECT epoch, decoder_pid, shipper_pid, position_lsn FROM dbmazz.stat_pipeline');
$node->poll_query_until('postgres', 'SELECT retries > 100 FROM dbmazz.stat_pipeline');
my $memory = $node->private_kb($node->worker_pid('shipper'));

ok($node->poll_query_until('postgres', "SELECT retries > $attempts FROM dbmazz.stat_pipeline"),
	"$attempts attempts, and it goes on");
is(query($node, 'SELECT epoch, decoder_pid, shipper_pid, position_lsn FROM dbmazz.stat_pipeline'), $before,
	'in one life of the workers, at the same place');
cmp_ok($node->private_kb($node->worker_pid('shipper')) - $memory, '<', 1024, 'without more memory');
is(stopped_tables($node), '', 'no table has stopped');

# What the server does meanwhile does not change that.
query($node, q(CHECKPOINT; SELECT pg_switch_wal(); INSERT INTO items VALUES (1000, 'later')));
$target->start;
same_rows($node, $target, qw(orders items));
$node->wait_for_state('postgres', 'shop', 'streaming');

$node->stop;
done_testing();
