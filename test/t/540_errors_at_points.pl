# An ERROR at each point of the way, one after the other, under load: both workers
# start again in a new epoch within seconds, the server goes on, no row is lost.

use strict;
use warnings;

use PostgreSQL::Test::Utils;
use Test::More;

use dbmazz::Load;
use dbmazz::Sandbox;

# the last ones are passed when a life ends or begins
my @points = qw(batch_sealed label_covered request_started answer_received checkpoint_committed
  lsn_published slot_confirmed);
my @between = qw(life_ended life_begun epoch_raised);
my $target = dbmazz::Sandbox->new;
my $node = loaded_node('main', $target);
my $log_start = -s $node->logfile;
my $load = start_load($node);

for my $point (@points, @between)
{
	my $epoch = epoch_of($node);
	my $start = -s $node->logfile;
	break_at($node, $point, 'error');
	$node->safe_psql('postgres', 'SELECT pg_terminate_backend(' . $node->worker_pid('shipper') . ')')
	  if grep { $_ eq $point } @between;
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

# around the moment when the slot is made
for my $point (qw(slot_marked slot_created slot_recorded))
{
	$node->safe_psql('postgres', "SELECT dbmazz.stop_pipeline('p')");
	$node->wait_for_state('postgres', 'p', 'stopped');
	$node->safe_psql('postgres', "SELECT dbmazz.drop_pipeline('p')");
	$node->safe_psql('postgres', "SELECT dbmazz.create_pipeline('p', copy => false)");
	my $start = -s $node->logfile;
	break_at($node, $point, 'error');
	$node->safe_psql('postgres', "SELECT dbmazz.start_pipeline('p')");
	wait_until("an error at $point", sub {
		slurp_file($node->logfile, $start) =~ /ERROR:  debug point "$point" raised an error/;
	});
	$node->wait_for_state('postgres', 'p', 'streaming');
	is($node->safe_psql('postgres', 'SELECT count(*) FROM pg_replication_slots'), 1, "$point: there is one slot");
	is($node->safe_psql('postgres', 'SELECT slot_state FROM dbmazz.checkpoints'), 'created',
		"$point: the row says that it is made");
}
# changes count from the start of the new pipeline
$node->safe_psql('postgres', 'UPDATE accounts SET n = n + 1; UPDATE docs SET n = n + 1, body = body');
churn($node, 20);
all_rows_equal($node, $target, 'at the end');

my $log = slurp_file($node->logfile, $log_start);
unlike($log, qr/terminating any other active server processes/, 'the server did not re-initialise');
unlike($log, qr/TRAP|PANIC/, 'no assertion failed');
$node->stop;
done_testing();
