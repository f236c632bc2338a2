# Answers that do not come, come too late, or make no sense: whatever became of a
# load, it is settled under its own label, and the target ends with every row.

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
	INSERT INTO accounts SELECT g, 0, 'first' FROM generate_series(1, 50) g;
	SQL
$node->wait_for_target('postgres', 'p');

# One fault on one load of accounts; others may follow when its state is asked for.
my @cases = (
	[ 'cut before the body' => { fault => 'be_cut', when => 'before_body' } ],
	[ 'cut during the body' => { fault => 'be_cut', when => 'during_body', bytes => 100 } ],
	[ 'cut after the body' => { fault => 'be_cut', when => 'after_body' } ],
	[ 'closed after the body' => { fault => 'be_cut', when => 'after_body', reset => \0 } ],
	[ 'cut after the commit' => { fault => 'be_cut', when => 'after_commit' } ],
	[ 'status unknown, committed' => { fault => 'txn_status_unknown', committed => \1, seconds => 0.3 } ],
	[ 'status unknown, aborted' => { fault => 'txn_status_unknown', committed => \0, seconds => 0.3 } ],
	[ 'publish timeout' => { fault => 'publish_timeout', seconds => 0.3 } ],
	[ 'garbage, committed' => { fault => 'be_garbage', commit => \1 } ],
	[ 'garbage, not committed' => { fault => 'be_garbage', commit => \0 } ],
	[ 'truncated, committed' => { fault => 'be_truncate', commit => \1 } ],
	[ 'truncated, not committed' => { fault => 'be_truncate', commit => \0 } ],
	[ 'endless, committed' => { fault => 'be_endless', commit => \1 } ],
	[ 'endless, not committed' => { fault => 'be_endless', commit => \0 } ],
	[ 'status 500, committed' => { fault => 'be_status', status => 500, commit => \1 } ],
	[ 'status 500, not committed' => { fault => 'be_status', status => 500, commit => \0 } ],
	[ 'frontend cut' => { fault => 'fe_cut' } ],
	[ 'frontend garbage' => { fault => 'fe_garbage' } ],
	[ 'frontend truncated' => { fault => 'fe_truncate' } ],
	[ 'frontend endless' => { fault => 'fe_endless' } ],
	[ 'no backend' => { fault => 'fe_no_backend' } ],
	[ 'too many versions' => { fault => 'too_many_versions' } ],
	[ 'an unknown failure' => { fault => 'fail' } ],
	[ 'cut after the commit, state garbage' => { fault => 'be_cut', when => 'after_commit' },
		{ fault => 'fe_garbage', endpoint => 'get_load_state' } ],
	[ 'cut after the commit, state endless' => { fault => 'be_cut', when => 'after_commit' },
		{ fault => 'fe_endless', endpoint => 'get_load_state' } ],
	[ 'cut after the commit, state truncated' => { fault => 'be_cut', when => 'after_commit' },
		{ fault => 'fe_truncate', endpoint => 'get_load_state' } ],
	[ 'cut after the commit, state 500' => { fault => 'be_cut', when => 'after_commit' },
		{ fault => 'fe_status', status => 500, endpoint => 'get_load_state' } ],
	[ 'publish timeout, state cut' => { fault => 'publish_timeout', seconds => 0.3 },
		{ fault => 'fe_cut', endpoint => 'get_load_state' } ],
	[ 'a used label as Fail' => { fault => 'be_cut', when => 'after_commit' }, { fault => 'label_used_as_fail' },
		{ fault => 'fe_status', status => 200, body => '{"status":"OK","state":"UNKNOWN"}',
			endpoint => 'get_load_state' } ],
	[ 'the label is forgotten' => { fault => 'be_cut', when => 'after_commit' },
		{ fault => 'label_retention', max_num => 0 } ],
);

my $round = 0;
my $epoch = epoch_of($node);
for my $case (@cases)
{
	my ($name, @faults) = @$case;
	subtest $name => sub {
		$round++;
		$target->clear_loads;
		for my $fault (@faults)
		{
			my %once = $fault->{fault} eq 'label_retention' ? () : (count => 1);
			my %where = ($fault->{endpoint} // '') eq 'get_load_state'
			  || $fault->{fault} eq 'label_retention' ? () : (table => '^accounts$');
			$target->fault(%$fault, %once, %where);
		}
		# in the end the rows that are inserted must be there, the deleted ones not
		$node->safe_psql('postgres', <<~"SQL");
			BEGIN;
			UPDATE accounts SET n = $round, note = '$name' WHERE id BETWEEN $round AND $round + 9;
			DELETE FROM accounts WHERE id = 100 + $round - 1;
			INSERT INTO accounts VALUES (100 + $round, $round, '$name');
			COMMIT;
			SQL
		all_rows_equal($node, $target);
		$target->clear_faults('label_retention');
		is(scalar @{ $target->ask(GET => 'faults')->{faults} }, 0, 'the fault struck');
		my %labels = map { $_->{label} => 1 } $target->loads(table => 'accounts', stage => 'be');
		is(scalar keys %labels, 1, 'all attempts had the same label');
		$target->clear_faults;
	};
}

# All at once, at random, under load.
use_seed();
my $load = start_load($node);
for my $case (@cases)
{
	my ($name, $fault) = @$case;
	$target->fault(%$fault, probability => 0.03) if $fault->{fault} ne 'label_retention';
}
random_seconds(4) for 1 .. 2;
stop_load($load);
my @odd = grep { $_->{outcome} !~ /COMMITTED|Success/ } $target->loads(stage => 'be');
$target->clear_faults;
cmp_ok(scalar @odd, '>', 0, scalar(@odd) . ' loads had an odd end');
is(epoch_of($node), $epoch, 'no worker ended');
unlike(slurp_file($node->logfile), qr/TRAP|PANIC/, 'no assertion failed');
all_rows_equal($node, $target, 'at the end');
$node->stop;
done_testing();
