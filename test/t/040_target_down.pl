# A target that is down, hangs, or refuses is tried again until it works.

use strict;
use warnings;

use Test::More;

use dbmazz::Stream;

my ($node, $target) = start_stream(
	sql => <<~'SQL',
		CREATE TABLE orders (id int PRIMARY KEY, note text);
		CREATE TABLE items (id int PRIMARY KEY, note text);
		SQL
	tables => [qw(orders items)],
	conf => "dbmazz.starrocks_connect_timeout = 1s\ndbmazz.retry_max_delay = 300\n",
	settings => ['flush_interval=0']);

sub write_rows
{
	query($node, <<~'SQL');
		INSERT INTO orders SELECT i, 'new' FROM generate_series(1, 50) i
			ON CONFLICT (id) DO UPDATE SET note = orders.note || '.';
		INSERT INTO items SELECT coalesce(max(id), 0) + 1, 'new' FROM items;
		UPDATE orders SET id = (SELECT max(id) FROM orders) + id WHERE id <= 50 AND id % 10 = 0;
		DELETE FROM orders WHERE id % 7 = 0;
		SQL
	return;
}

sub state_is
{
	my ($state) = @_;
	return $node->wait_for_state('postgres', 'shop', $state);
}

write_rows();
same_rows($node, $target, qw(orders items));
my $pids = query($node, 'SELECT decoder_pid, shipper_pid FROM dbmazz.stat_pipeline');

# ---- down and back -------------------------------------------------------------

for my $how ('stop', 'kill9')
{
	$target->$how;
	write_rows();
	ok(state_is('retrying'), "after $how the view shows it");
	my $retries = query($node, 'SELECT retries FROM dbmazz.stat_pipeline');
	ok($node->poll_query_until('postgres',
			"SELECT retries > $retries + 3 FROM dbmazz.stat_pipeline"), 'it is tried again and again');
	isnt(query($node, 'SELECT last_error FROM dbmazz.stat_pipeline'), '', 'with the reason');
	ok(query($node, 'SELECT lag > $$0 s$$ AND lag_bytes > 0 FROM dbmazz.stat_pipeline') eq 't',
		'and the lag');
	write_rows();
	is(query($node, "SELECT dbmazz.wait_for('shop', pg_current_wal_lsn(), '100 ms')"), 'f',
		'wait_for gives up in time');
	$target->start;
	same_rows($node, $target, qw(orders items));
	ok(state_is('streaming'), 'then all is well');
}

# ---- answers that are errors ------------------------------------------------------

for my $fault (
	{ fault => 'fe_status', status => 401 },
	{ fault => 'fe_status', status => 503 },
	{ fault => 'fe_no_backend' },
	{ fault => 'fe_garbage' },
	{ fault => 'fe_cut' },
	{ fault => 'be_status', status => 500 },
	{ fault => 'be_cut', when => 'after_body' },
	{ fault => 'too_many_versions' },
	{ fault => 'memory_limit' })
{
	my $name = join ' ', map { $fault->{$_} } grep { $fault->{$_} } qw(fault status when);

	$target->fault(%$fault);
	write_rows();
	ok(state_is('retrying'), "$name: it is tried again");
	$target->clear_faults;
	arrived($node);
	ok(state_is('streaming'), "$name: and works again");
}
same_rows($node, $target, qw(orders items));

# One table fails, the other goes on.
$target->fault(fault => 'be_status', status => 500, table => '^orders$');
write_rows();
my $items = query($node, 'SELECT count(*) FROM items');
$target->wait_until('the other table', sub { $target->count('shop', 'items') == $items });
ok(state_is('retrying'), 'one lane fails');

# It disappears while it fails: that is no failure that will pass.
$target->sql('ALTER TABLE orders RENAME old', 'shop');
$target->clear_faults;
like(wait_for_stop($node, 'orders'), qr/orders/, 'a table that is missing stops');
ok(state_is('streaming'), 'a stopped table is not tried again');
$target->sql('ALTER TABLE old RENAME orders', 'shop');
restart_stream($node);
same_rows($node, $target, qw(orders items));

my $log = $node->logfile;
my $failed = grep { /load into orders failed/ } split /\n/, PostgreSQL::Test::Utils::slurp_file($log);
cmp_ok($failed, '<', 80, "not every attempt is in the server's log ($failed)");

$node->stop;
done_testing();
