# A failure that dbmazz has never heard of: the load is tried again until it works or
# somebody acts, and everybody can see that.

use strict;
use warnings;

use PostgreSQL::Test::Utils;
use Test::More;

use dbmazz::Stream;

my ($node, $target) = start_stream(
	sql => 'CREATE TABLE orders (id int PRIMARY KEY, note text); CREATE TABLE items (id int PRIMARY KEY)',
	tables => [ 'orders', 'items' ],
	settings => ['flush_interval=0']);
my $message = 'the moon is in the wrong quarter';
my $log_start = -s $node->logfile;

$target->fault(fault => 'fail', message => $message, table => '^orders$');
query($node, "INSERT INTO orders VALUES (1, 'a'); INSERT INTO items VALUES (1)");
ok($node->poll_query_until('postgres',
		q(SELECT state = 'retrying' AND retries >= 3 FROM dbmazz.stat_pipeline)),
	'the view says that it is tried again, and how many attempts failed');
like(query($node, 'SELECT last_error FROM dbmazz.stat_pipeline'), qr/\Q$message\E/, 'with the text of the target');
is(query($node, q(SELECT last_error_time > state_since - interval '1 s' FROM dbmazz.stat_pipeline)), 't',
	'and since when');
is(stopped_tables($node), '', 'no table stops');
$target->wait_until('the other table', sub { $target->count('shop', 'items') == 1 });
like(slurp_file($node->logfile, $log_start), qr/load into orders failed, next attempt in \d+ ms: .*\Q$message\E/,
	'the log has it');
$target->clear_faults;
same_rows($node, $target, 'orders', 'items');
$node->wait_for_state('postgres', 'shop', 'streaming');
like(slurp_file($node->logfile, $log_start), qr/load into orders works again after \d+ failures/, 'and its end');
$node->stop;
done_testing();
