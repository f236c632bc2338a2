# An ERROR at each point of the way, one after the other, under load: both workers
# start again in a new epoch within seconds, the server goes on, no row is lost.

use strict;
use warnings;

use PostgreSQL::Test::Utils;
use Test::More;

use dbmazz::Load;
use dbmazz::Sandbox;

my @points = qw(batch_sealed request_started answer_received checkpoint_committed
  lsn_published slot_confirmed epoch_raised);
my $target = dbmazz::Sandbox->new;
my $node = loaded_node('main', $target);
my $log_start = -s $node->logfile;
my $load = start_load($node);

for my $point (@points)
{
	my $epoch = epoch_of($node);
	my $start = -s $node->logfile;
	break_at($node, $point, 'error');
	# this one is passed at the start of a life only
	$node->safe_psql('postgres', 'SELECT pg_terminate_backend(' . $node->worker_pid('shipper') . ')')
	  if $point eq 'epoch_raised';
	wait_until("an error at $point", sub {
		slurp_file($node->logfile, $start) =~ /ERROR:  debug point "$point" raised an error/;
	});
	my $since = time;
	my @workers = wait_for_workers($node, $epoch);
	cmp_ok(time - $since, '<=', 10, "$point: epoch $workers[2] follows $epoch within seconds");
}
clear_breaks($node);
stop_load($load);
all_rows_equal($node, $target);

# the slot is there, but not yet in the checkpoint
$node->safe_psql('postgres', "SELECT dbmazz.stop_pipeline('p')");
$node->wait_for_state('postgres', 'p', 'stopped');
$node->safe_psql('postgres', "SELECT dbmazz.drop_pipeline('p')");
$node->safe_psql('postgres', "SELECT dbmazz.create_pipeline('p', copy => false)");
my $start = -s $node->logfile;
break_at($node, 'slot_created', 'error');
$node->safe_psql('postgres', "SELECT dbmazz.start_pipeline('p')");
wait_until('an error at slot_created', sub {
	slurp_file($node->logfile, $start) =~ /ERROR:  debug point "slot_created" raised an error/;
});
$node->wait_for_state('postgres', 'p', 'streaming');
is($node->safe_psql('postgres', 'SELECT count(*) FROM pg_replication_slots'), 1,
	'slot_created: the slot that was made is used');
# changes count from the start of the new pipeline
$node->safe_psql('postgres', 'UPDATE accounts SET n = n + 1; UPDATE docs SET n = n + 1, body = body');
churn($node, 20);
all_rows_equal($node, $target, 'at the end');

my $log = slurp_file($node->logfile, $log_start);
unlike($log, qr/terminating any other active server processes/, 'the server did not re-initialise');
unlike($log, qr/TRAP|PANIC/, 'no assertion failed');
$node->stop;
done_testing();
