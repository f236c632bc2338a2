# A pipeline whose workers end again and again without getting on is started after
# longer and longer delays, though each life loads something; one that gets on
# starts again quickly.

use strict;
use warnings;

use PostgreSQL::Test::Utils;
use Test::More;

use dbmazz::Load;
use dbmazz::Sandbox;

my $target = dbmazz::Sandbox->new;
my $node = loaded_node('main', $target);
$node->safe_psql('postgres', <<~'SQL');
	DELETE FROM accounts;
	DELETE FROM docs;
	INSERT INTO accounts SELECT g, 0, 'first' FROM generate_series(1, 20) g;
	INSERT INTO docs SELECT g, 1, 'text', 0 FROM generate_series(1, 20) g;
	SQL
all_rows_equal($node, $target, 'to begin with');

sub delays
{
	my ($from) = @_;
	return slurp_file($node->logfile, $from) =~ /pipeline "p" restarts in (\d+) ms/g;
}

# One table of the transaction is loaded in each life, the other never is: so the
# position does not move.
my $log_start = -s $node->logfile;
$target->fault(fault => 'fe_status', status => 503, table => '^docs$');
my $epoch = epoch_of($node);
$node->safe_psql('postgres', "BEGIN; UPDATE accounts SET note = 'again'; UPDATE docs SET n = 1; COMMIT");
for my $round (1 .. 4)
{
	my $decoder = (workers_of($node))[0];
	wait_until("a load of life $round", sub {
		grep { $_->{outcome} eq 'Success' && $_->{label} =~ /^\w+-\d+0$epoch-/ }
		  $target->loads(table => 'accounts', stage => 'be');
	});
	# the shipper has the answer when only the other table's batch is left
	wait_until('the answer', sub {
		$node->safe_psql('postgres', 'SELECT state, buffered_batches FROM dbmazz.stat_pipeline') eq 'retrying|1';
	});
	$node->safe_psql('postgres', "SELECT pg_terminate_backend($decoder, 10000)");
	$epoch = (wait_for_workers($node, $epoch))[2];
}
is(join(' ', delays($log_start)), '250 500 1000', 'the delay grows up to restart_max_delay');

my $stuck = $node->safe_psql('postgres', 'SELECT lsn FROM dbmazz.checkpoints');
$target->clear_faults;
all_rows_equal($node, $target, 'when the target takes all');
wait_until('a checkpoint', sub {
	$node->safe_psql('postgres', "SELECT lsn > '$stuck' FROM dbmazz.checkpoints") eq 't';
});
$log_start = -s $node->logfile;
my ($decoder) = workers_of($node);
$node->safe_psql('postgres', "SELECT pg_terminate_backend($decoder, 10000)");
wait_for_workers($node, $epoch);
is(join(' ', delays($log_start)), '250', 'a life that got on is followed by another one soon');
all_rows_equal($node, $target, 'at the end');
$node->stop;
done_testing();
