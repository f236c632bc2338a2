# A good guest, whatever the target does: frozen, slow or gone, it holds up neither a
# shutdown nor other databases nor vacuum.

use strict;
use warnings;

use PostgreSQL::Test::Utils;
use Test::More;

use dbmazz::Guest;
use dbmazz::Load;
use dbmazz::Sandbox;

my $target = dbmazz::Sandbox->new;
my $node = loaded_node('main', $target, conf => <<~'CONF');
	dbmazz.pipeline_buffer_size = 512kB
	CONF

sub change { $node->safe_psql('postgres', 'UPDATE accounts SET n = n + 1 WHERE id <= 100'); return }

# The shipper has something to send.
sub wait_for_batches
{
	return $node->poll_query_until('postgres',
		q(SELECT state <> 'starting' AND buffered_batches > 0 FROM dbmazz.stat_pipeline)) || die 'nothing to send';
}

# ---- the target does what it should ------------------------------------------------------

guest_in($node, 'idle', sub { all_rows_equal($node, $target, 'before it') });
$node->start;

my $load;
guest_in($node, 'under load', sub {
	$load = start_load($node);
	my $before = $node->safe_psql('postgres', 'SELECT rows FROM dbmazz.stat_pipeline');
	$node->poll_query_until('postgres', "SELECT rows > $before + 200 FROM dbmazz.stat_pipeline") or die 'no load';
}, may_have_xmin => 1);
stop_load($load);
$node->start;
all_rows_equal($node, $target, 'after load');

# ---- it hangs with its sockets open --------------------------------------------------------

guest_in($node, 'a frozen target', sub { $target->freeze; change(); wait_for_batches() });
$node->start;
guest_in($node, 'a frozen target that has never answered', \&wait_for_batches);
$node->start;

# More than the buffer takes, while nothing leaves.
guest_in($node, 'no room in the buffer', sub {
	$node->safe_psql('postgres',
		q(INSERT INTO accounts SELECT g, 0, repeat('x', 200) FROM generate_series(10001, 15000) g));
	$node->poll_query_until('postgres', q(SELECT EXISTS (SELECT FROM pg_stat_activity
		WHERE backend_type = 'dbmazz decoder' AND wait_event IN ('DbmazzDecoderSpace', 'Extension'))
		AND (SELECT buffered_bytes > 300000 FROM dbmazz.stat_pipeline))) or die 'there is room';
});
$target->thaw;
$node->start;
$node->safe_psql('postgres', 'DELETE FROM accounts WHERE id > 10000');
all_rows_equal($node, $target, 'after the thaw');

# ---- the body goes out slowly, or an answer is long in coming ------------------------------

for my $fault (
	{ fault => 'hold' },
	{ fault => 'slow_read', bytes_per_second => 100 },
	{ fault => 'be_no_continue', seconds => 20 },
	{ fault => 'fe_delay', seconds => 20 },
	{ fault => 'slow_commit', ms => 20000 })
{
	guest_in($node, $fault->{fault}, sub {
		$target->fault(%$fault, count => 1);
		change();
		wait_for_batches();
		$target->wait_until('the fault', sub { !@{ $target->ask(GET => 'faults')->{faults} } });
	});
	$target->clear_faults;
	$node->start;
	all_rows_equal($node, $target, "after $fault->{fault}");
}

# ---- it is not there ------------------------------------------------------------------------

$target->stop;
$node->adjust_conf('postgresql.conf', 'dbmazz.retry_max_delay', '1h');
$node->adjust_conf('postgresql.conf', 'dbmazz.retry_min_delay', '1h');
$node->reload;
guest_in($node, 'a target that is down, long before the next try', sub {
	change();
	$node->wait_for_state('postgres', 'p', 'retrying');
});

$target->start;
$node->adjust_conf('postgresql.conf', 'dbmazz.retry_max_delay', '300ms');
$node->adjust_conf('postgresql.conf', 'dbmazz.retry_min_delay', '20ms');
$node->start;
all_rows_equal($node, $target, 'at the end');
unlike(slurp_file($node->logfile), qr/TRAP|PANIC|terminated by signal/, 'nothing has crashed');
$node->stop;
done_testing();
