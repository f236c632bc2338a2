# delivery = exactly_once: the server is killed between every two durable steps,
# and in the middle of every call, under load.  No row is missing and none is there
# twice.

use strict;
use warnings;

use PostgreSQL::Test::Utils;
use Test::More;

use dbmazz::Load;
use dbmazz::Once;
use dbmazz::Sandbox;

my @gaps = (
	[ batch_sealed => 'a batch is sealed, nothing is sent' ],
	[ request_started => 'a load is on its way' ],
	[ load_prepared => 'it is prepared, the row does not say so' ],
	[ load_decided => 'the row says so, nothing is committed' ],
	[ commit_started => 'the commit is on its way' ],
	[ load_committed => 'the shipper just heard that it is committed' ],
	[ checkpoint_committed => 'the position is durable' ],
	[ lsn_published => 'the decoder may confirm, but has not' ],
	[ slot_confirmed => 'the slot has moved' ],
	[ epoch_raised => 'a life has begun' ],
);
my $target = dbmazz::Sandbox->new;
my $node = once_node($target, conf => "restart_after_crash = off\n");

sub query { return $node->safe_psql('postgres', $_[0]) }

sub start_again
{
	my ($load, $epoch, $when) = @_;
	stop_load($load);
	$node->start;
	wait_for_workers($node, $epoch);
	each_row_once($node, $target, $when);
	return;
}

for my $gap (@gaps)
{
	my ($point, $what) = @$gap;
	subtest "$point: $what" => sub {
		my $load = start_load($node, rate => 12);
		my $epoch = epoch_of($node);
		crash_at($node, $point, sub {
			$node->psql('postgres', 'SELECT pg_terminate_backend(' . $node->worker_pid('decoder') . ')')
			  if $point eq 'epoch_raised';
		});
		start_again($load, $epoch, "after a crash at $point");
	};
}

# ---- the answer never comes, and the server is killed meanwhile ----------------------

for my $call (qw(begin load prepare commit))
{
	for my $when (qw(before after))
	{
		subtest "$call, killed $when it is carried out" => sub {
			my $load = start_load($node, rate => 12);
			my $epoch = epoch_of($node);
			$target->fault(fault => 'txn_delay', call => $call, when => $when, seconds => 60);
			wait_until("a delayed $call", sub {
				grep { $_->{fired} > 0 } @{ $target->ask(GET => 'faults')->{faults} };
			});
			crash_postmaster($node);
			$target->clear_faults;
			start_again($load, $epoch, "after a crash $when $call");
		};
	}
}

# ---- workers that end, a target that ends --------------------------------------------

for my $role (qw(decoder shipper))
{
	my $load = start_load($node, rate => 8);
	for my $i (1 .. 3)
	{
		my $epoch = epoch_of($node);
		query('SELECT pg_terminate_backend(' . $node->worker_pid($role) . ')');
		wait_for_workers($node, $epoch);
		random_seconds(0.5);
	}
	stop_load($load);
	each_row_once($node, $target, "after the end of the $role");
}
for my $i (1 .. 2)
{
	my $load = start_load($node, rate => 8);
	random_seconds(1);
	$target->kill9;
	$target->start;
	random_seconds(1);
	stop_load($load);
	each_row_once($node, $target, 'after a restart of the target');
}
{
	my $load = start_load($node, rate => 8);
	random_seconds(1);
	$target->kill9;
	my $epoch = epoch_of($node);
	crash_postmaster($node);
	$target->start;
	start_again($load, $epoch, 'after a crash of both');
}

# ---- a prepared load that the target gives up -------------------------------------------

my @aborts = (
	[ 'while we wait', sub { } ],
	[ 'while the server is down', sub {
		my $epoch = epoch_of($node);
		crash_postmaster($node);
		return $epoch;
	} ]);
for my $case (@aborts)
{
	my ($when, $code) = @$case;
	$target->fault(fault => 'txn_status', call => 'commit', when => 'before', status => 503);
	$target->clear_loads;
	churn($node, 2);
	wait_until('a prepared load', sub {
		grep { $_->{state} eq 'PREPARED' && $_->{table} eq 'events' } @{ $target->ask(GET => 'txns?db=shop')->{txns} };
	});
	my $epoch = $code->();
	my $http = HTTP::Tiny->new;
	for my $txn (grep { $_->{state} eq 'PREPARED' } @{ $target->ask(GET => 'txns?db=shop')->{txns} })
	{
		my $answer = $http->post('http://root:@127.0.0.1:' . $target->fe_port . '/api/transaction/rollback',
			{ headers => { db => 'shop', label => $txn->{label} } });
		like($answer->{content}, qr/"OK"/, 'rolled back by somebody else');
	}
	$target->clear_faults;
	if (defined $epoch)
	{
		$node->start;
		wait_for_workers($node, $epoch);
	}
	churn($node, 2);
	each_row_once($node, $target, "after a rollback $when");
}
like(slurp_file($node->logfile), qr/a prepared load into \S+ is sent again/, 'the log says so');
unlike(slurp_file($node->logfile), qr/TRAP|PANIC/, 'no assertion failed');
is(query(q(SELECT count(*) FROM dbmazz.stat_table WHERE state = 'stopped')), 0, 'no table has stopped');
$node->stop;
done_testing();
