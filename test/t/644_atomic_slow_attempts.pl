# atomic = transaction: what the earlier attempts at a group that is late say of whether
# it may be made smaller, and how small.

use strict;
use warnings;

use List::Util qw(max);
use PostgreSQL::Test::Utils;
use Test::More;

use dbmazz::Bank;
use dbmazz::Load;
use dbmazz::Sandbox;

my $target = dbmazz::Sandbox->new;
my $node = bank_node($target, conf => large_groups());

sub query { return $node->safe_psql('postgres', $_[0]) }
sub txns { my ($state) = @_; return grep { $_->{state} eq $state } @{ $target->ask(GET => 'txns?db=shop')->{txns} } }
sub times_late { return scalar(() = slurp_file($node->logfile) =~ /a transaction of several tables took longer than a load may/g) }
sub wait_held { return wait_until('a group to begin', sub { @{ $target->ask(GET => 'held')->{requests} } }) }

# Of one life; labels name it.
sub most_aborted
{
	my %of;
	$of{ (split /-/, $_->{label})[1] }++ for txns('ABORTED');
	return max(0, values %of);
}

# Stop the pipeline, to be started with these settings.
sub set_up
{
	my ($settings) = @_;
	query(q(SELECT dbmazz.stop_pipeline('p')));
	$node->wait_for_state('postgres', 'p', 'stopped');
	query("SELECT dbmazz.alter_pipeline('p', settings => '{$settings}')");
	return;
}
my $reader = start_reader($target);

# The frontend has not even got the begin, so it does not know the label. As no commit was
# sent, nothing of the group is there.
$target->fault(fault => 'fe_hold', endpoint => 'begin', count => 1);
query(large_moves(1001, 1001));
wait_held();
query(large_moves(1002, 1070));
wait_for_decoder($node);
my ($lost) = @{ $target->fault(fault => 'txn_garbage', call => 'begin', when => 'before', skip => 1, count => 1)->{ids} };
$target->fault(fault => 'slow_read', bytes_per_second => 110_000);
$target->release;
wait_until('the begin to fail', sub { !grep { $_->{id} == $lost } @{ $target->ask(GET => 'faults')->{faults} } });
wait_until('groups to be made smaller', sub { times_late() });
$target->clear_faults;
same_bank($node, $target, 'after a begin whose answer was lost');

my ($looks, @broken) = stop_reader($reader);
is(scalar(@broken), 0, "a reader saw no half transaction in $looks looks") || diag($broken[0]);

# Without groups anything that was committed may have been sent, so the first group ends
# behind that. It cannot be made as small as it should be: that ends, too.
set_up('atomic=none');
$node->run_pipeline('postgres', 'p');
query(large_moves(2001, 2001));
$node->wait_for_target('postgres', 'p');
set_up('atomic=transaction');
query(large_moves(2002, 2070));
# the limit that groups have learned does not outlive the server
$node->restart;
my $late = times_late();
$target->fault(fault => 'slow_read', bytes_per_second => 110_000);
$target->fault(fault => 'fe_hold', endpoint => 'begin', count => 1);
query(q(SELECT dbmazz.start_pipeline('p')));
wait_held();
query(large_moves(2071, 2071));
my $epoch = epoch_of($node);
query('SELECT pg_terminate_backend(' . $node->worker_pid('shipper') . ')');
wait_for_workers($node, $epoch);
$target->release;
wait_until('two attempts of one life', sub { most_aborted() >= 2 });
cmp_ok(times_late(), '>', $late + 1, 'it was made smaller as long as that may help');
$target->clear_faults;
same_bank($node, $target, 'after a group that had to end somewhere');
is(scalar(txns('PREPARE')), 0, 'none is left open');

$node->stop;
unlike(slurp_file($node->logfile), qr/TRAP|PANIC/, 'no assertion failed');
done_testing();
