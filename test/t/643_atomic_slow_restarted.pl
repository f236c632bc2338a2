# atomic = transaction: a group that the target does not load in time is made smaller by a
# later life, too, but no group is that may be in the target.

use strict;
use warnings;

use PostgreSQL::Test::Utils;
use Test::More;

use dbmazz::Bank;
use dbmazz::Load;
use dbmazz::Sandbox;

my $target = dbmazz::Sandbox->new;
my $node = bank_node($target, conf => large_groups());

sub query { return $node->safe_psql('postgres', $_[0]) }
sub txns { my ($state) = @_; return scalar grep { $_->{state} eq $state } @{ $target->ask(GET => 'txns?db=shop')->{txns} } }
sub times_late { return scalar(() = slurp_file($node->logfile) =~ /a transaction of several tables took longer than a load may/g) }
sub commits { return scalar grep { $_->{call} eq 'commit' && $_->{outcome} eq 'OK' } $target->loads(stage => 'txn') }
sub wait_held { return wait_until('a group to begin', sub { @{ $target->ask(GET => 'held')->{requests} } }) }
sub slow { $target->fault(fault => 'slow_read', bytes_per_second => 110_000, @_); return }

sub end_shipper
{
	my $epoch = epoch_of($node);
	query('SELECT pg_terminate_backend(' . $node->worker_pid('shipper') . ')');
	wait_for_workers($node, $epoch);
	return;
}

# While the first transaction is on its way the others become one group, which a slow
# target takes 5 s for.  It is about to begin.
sub one_group
{
	my ($first, $last) = @_;
	my $before = txns('VISIBLE');
	$target->fault(fault => 'fe_hold', endpoint => 'begin', count => 2);
	for my $range ([ $first, $first ], [ $first + 1, $last ])
	{
		query(large_moves(@$range));
		wait_held();
	}
	wait_for_decoder($node);
	$target->release;
	wait_until('the first one', sub { txns('VISIBLE') > $before });
	wait_held();
	return;
}

sub restarted
{
	$target->fault(fault => 'fe_restart', count => 1);
	$target->fault(fault => 'label_retention', max_num => 0);
	return;
}

# The label of the group that is in the target.
sub forgotten
{
	my ($label) = map { $_->{label} } reverse grep { $_->{state} eq 'VISIBLE' } @{ $target->ask(GET => 'txns?db=shop')->{txns} };
	$target->fault(fault => 'txn_fail', call => 'rollback', label => $label, status => 'FAILED',
		message => "stream load task $label does not exist");
	$target->fault(fault => 'fe_status', endpoint => 'get_load_state', label => $label, status => 200,
		body => '{"status":"OK","state":"UNKNOWN"}');
	return;
}
my $reader = start_reader($target);

# The life ends when the group is in the target, before it has said so.  To cut it now
# would show the past, so it is sent as it is; also where the frontend was restarted, which
# takes it for aborted then, and the label is forgotten; or is forgotten, but not that of the
# attempt before it, which was aborted.
my $first = 1001;
for my $case ('', 'restarted', 'forgotten')
{
	one_group($first, $first + 69);
	$first += 100;
	my $epoch = epoch_of($node);
	my ($visible, $aborted) = (txns('VISIBLE'), txns('ABORTED'));
	break_at($node, 'group_loaded', 'error');
	$target->fault(fault => 'txn_fail', call => 'load', count => 1) if $case eq 'forgotten';
	slow(skip => 3) unless $case;
	$target->fault(fault => 'fe_hold', endpoint => 'rollback', skip => $case eq 'forgotten' ? 1 : 0, count => 1) if $case;
	$target->release;
	wait_for_workers($node, $epoch);
	is(txns('VISIBLE'), $visible + 1, 'the group is in the target');
	if ($case)
	{
		wait_held();
		restarted() if $case eq 'restarted';
		forgotten() if $case eq 'forgotten';
		$target->fault(fault => 'fe_hold', endpoint => 'begin', count => 1);
		$target->release;
		wait_held();
		$target->clear_faults;
		slow();
		$aborted = txns('ABORTED');
		$target->release;
	}
	wait_until('two attempts', sub { txns('ABORTED') >= $aborted + 2 });
	is(times_late(), 0, 'a group that is in the target is not made smaller');
	wait_until('the view to say what helps', sub {
		query(q(SELECT last_error_hint FROM dbmazz.stat_pipeline WHERE name = 'p')) =~ /dbmazz\.starrocks_load_timeout/;
	});
	clear_breaks($node);
	$target->clear_faults;
	same_bank($node, $target, 'after a group that was in the target');
}

# The answer to the commit is late, and by then the server does not know the label any
# more.  So the group may be in the target (it is), and is sent again as it is.
one_group(2001, 2070);
my $commits = commits();
$target->fault(fault => 'txn_delay', call => 'commit', when => 'after', seconds => 3, count => 1);
$target->fault(fault => 'label_retention', max_num => 0);
$target->release;
wait_until('it to be committed once more', sub { commits() >= $commits + 2 });
$target->clear_faults;
same_bank($node, $target, 'after a group whose label was forgotten');
is(times_late(), 0, 'nor is one made smaller that the server has forgotten');

# The life ends while the group is under way.  Nothing of it is in the target, so a later
# life may cut it.
one_group(3001, 3070);
slow();
$target->release;
wait_until('the group to be under way', sub { txns('PREPARE') });
end_shipper();
same_bank($node, $target, 'after a slow group of an earlier life');
cmp_ok(times_late(), '>', 0, 'it was made smaller');
like(slurp_file($node->logfile), qr/HINT:  .*dbmazz\.starrocks_load_timeout/, 'with a hint that names the setting');
$target->clear_faults;

my ($looks, @broken) = stop_reader($reader);
is(scalar(@broken), 0, "a reader saw no half transaction in $looks looks") || diag($broken[0]);
is(txns('PREPARE'), 0, 'none is left open');

$node->stop;
unlike(slurp_file($node->logfile), qr/TRAP|PANIC/, 'no assertion failed');
done_testing();
