# Restarts of the server under load, fast and immediate: pipelines start again by
# themselves and no row is lost.  All the time the slot stays at or behind the
# durable row of the checkpoint.

use strict;
use warnings;

use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes ();

use dbmazz::Load;
use dbmazz::Sandbox;

use_seed();
my $target = dbmazz::Sandbox->new;
my $node = loaded_node('main', $target, conf => "dbmazz.heartbeat_interval = 1s\n");
my $epoch = epoch_of($node);
my ($samples, $beyond, %slots) = (0, 0);

sub look_at_slot
{
	my ($within, $values) = slot_within_row($node);
	$samples++;
	$slots{$values} = 1;
	return if $within eq 't';
	$beyond++;
	return diag("slot and row: $values");
}

for my $mode (qw(fast immediate fast immediate))
{
	my $load = start_load($node);
	look_at_slot() for 1 .. 10;
	random_seconds(0.5);
	my $start = time;
	$node->stop($mode);
	cmp_ok(time - $start, '<=', 3, "$mode: the server stops at once");
	stop_load($load);
	$node->start;
	my @workers = wait_for_workers($node, $epoch);
	cmp_ok($workers[2], '>', $epoch, "$mode: both workers are there again, in a new epoch");
	$epoch = $workers[2];
}

# Others write WAL: the position moves at each heartbeat, the row does not.
$node->wait_for_target('postgres', 'p');
$node->safe_psql('postgres', 'CREATE TABLE others (n int)');
my $until = Time::HiRes::time() + 2.5;
while (Time::HiRes::time() < $until)
{
	$node->safe_psql('postgres', 'INSERT INTO others VALUES (1)');
	look_at_slot();
}
is($beyond, 0, "the slot was never beyond the row, in $samples looks");
cmp_ok(scalar keys %slots, '>', 5, 'and it moved meanwhile');
all_rows_equal($node, $target);

# nothing is wanted of a pipeline that was stopped
$node->safe_psql('postgres', "SELECT dbmazz.stop_pipeline('p')");
$node->wait_for_state('postgres', 'p', 'stopped');
churn($node, 20);
$node->restart;
is(epoch_of($node), $epoch, 'a stopped pipeline stays stopped');
is($node->worker_pid('shipper'), '', 'without workers');
$node->run_pipeline('postgres', 'p');
unlike(slurp_file($node->logfile), qr/TRAP|PANIC/, 'no assertion failed');
all_rows_equal($node, $target, 'at the end');
$node->stop;
done_testing();
