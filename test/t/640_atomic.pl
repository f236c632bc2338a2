# atomic = transaction: readers of the target see whole transactions, whatever breaks.

use strict;
use warnings;

use PostgreSQL::Test::Utils;
use Test::More;

use dbmazz::Bank;
use dbmazz::Load;
use dbmazz::Sandbox;

use_seed();
my $target = dbmazz::Sandbox->new;
my $node = bank_node($target, conf => "restart_after_crash = off\n");

sub query { return $node->safe_psql('postgres', $_[0]) }

# All that was seen since the reader began was right, and enough of it was seen.
sub nothing_broken
{
	my ($reader, $when) = @_;
	my ($looks, @broken) = stop_reader($reader);
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	cmp_ok($looks, '>', 10, "the reader has looked $looks times $when");
	is(scalar(@broken), 0, "and saw no half transaction $when")
	  || diag(join "\n", @broken[0 .. ($#broken > 9 ? 9 : $#broken)]);
	return;
}

my $rate = 40;

sub under_load
{
	my ($when, $code) = @_;
	my $reader = start_reader($target);
	my $load = start_load($node, rate => $rate);
	$code->();
	wait_until('the reader to look', sub { (looks_of($reader))[0] >= 20 });
	stop_load($load);
	same_bank($node, $target, $when);
	nothing_broken($reader, $when);
	return;
}

sub groups { return scalar grep { $_->{call} eq 'commit' && $_->{outcome} eq 'OK' } $target->loads(stage => 'txn') }

under_load('while nothing breaks', sub {
	my $before = groups();
	wait_until('twenty groups', sub { groups() >= $before + 20 });
});
is(scalar($target->loads(stage => 'be')), 0, 'no table is loaded alone');

for my $role (qw(shipper decoder))
{
	under_load("after the end of the $role", sub {
		for my $i (1 .. 4)
		{
			my $epoch = epoch_of($node);
			query('SELECT pg_terminate_backend(' . $node->worker_pid($role) . ')');
			wait_for_workers($node, $epoch);
			random_seconds(1);
		}
	});
}

for my $point (qw(group_begun group_started group_loaded checkpoint_committed))
{
	under_load("after an error at $point", sub {
		my $epoch = epoch_of($node);
		break_at($node, $point, 'error');
		wait_for_workers($node, $epoch);
		clear_breaks($node);
	});
}

sub crash_under_load
{
	my ($point) = @_;
	under_load("after a crash at $point", sub {
		my $epoch = epoch_of($node);
		crash_at($node, $point, sub { });
		$node->start;
		wait_for_workers($node, $epoch);
	});
	return;
}

crash_under_load($_) for qw(group_begun group_started group_loaded);

under_load('after restarts of the target', sub {
	for my $i (1 .. 2)
	{
		random_seconds(1);
		$target->kill9;
		$target->start;
		my $before = groups();
		wait_until('a group', sub { groups() > $before });
	}
});

for my $fault (
	(map { my $call = $_; map { [ fault => 'txn_cut', call => $call, when => $_ ] } qw(before after) } qw(begin load commit)),
	[ fault => 'txn_cut', call => 'load', when => 'during' ],
	[ fault => 'txn_fail', call => 'begin' ], [ fault => 'txn_fail', call => 'load' ],
	[ fault => 'txn_fail', call => 'commit' ], [ fault => 'txn_status', call => 'commit', when => 'after' ],
	[ fault => 'txn_garbage', call => 'commit', when => 'after' ],
	[ fault => 'commit_undone' ], [ fault => 'publish_timeout' ], [ fault => 'fe_restart' ], [ fault => 'be_restart' ],
	[ fault => 'fe_follower', endpoint => 'transaction' ])
{
	my $when = 'after ' . join ' ', @$fault[ 1 .. $#$fault ];
	under_load($when, sub {
		my ($id) = @{ $target->fault(@$fault, count => 2)->{ids} };
		wait_until("the fault to strike: $when", sub {
			!grep { $_->{id} == $id } @{ $target->ask(GET => 'faults')->{faults} };
		});
	});
}
# each transaction is a group now, so there cannot be many of them
with_large_values($node);
$rate = 6;
under_load('with updates in part', sub {
	my $before = groups();
	wait_until('five groups', sub { groups() >= $before + 5 });
});
crash_under_load('group_loaded');

is(query(q(SELECT count(*) FROM dbmazz.stat_table WHERE state = 'stopped')), 0, 'no table has stopped');
is(query(q(SELECT string_agg(target, ' ' ORDER BY target) FROM dbmazz.stat_table)), 'bank_left bank_right moves',
	'the view shows tables only');
unlike(slurp_file($node->logfile), qr/a transaction is not sent as a whole/, 'no transaction was cut');
unlike(slurp_file($node->logfile), qr/TRAP|PANIC/, 'no assertion failed');

# ---- without it the same reader sees halves --------------------------------------------

query(q(SELECT dbmazz.stop_pipeline('p')));
$node->wait_for_state('postgres', 'p', 'stopped');
query(q(SELECT dbmazz.alter_pipeline('p', settings => '{atomic=none}')));
$node->run_pipeline('postgres', 'p');
my $reader = start_reader($target);
my $load = start_load($node, rate => 40);
wait_until('a half transaction', sub { (looks_of($reader))[1] });
stop_load($load);
my ($looks, @broken) = stop_reader($reader);
cmp_ok(scalar(@broken), '>', 0, 'with atomic = none halves are seen');
same_bank($node, $target, 'with atomic = none');

$node->stop;
done_testing();
