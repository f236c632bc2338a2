# The four interleavings that recovery has to rule out, each brought about on
# purpose: (a) a transaction cut in two batches with a crash between them, (b) a
# load from before the crash that could commit after the restart, (c) a partial
# update that is byte by byte the same as an earlier one, after a replay, (d) the
# end of the decoder alone while a batch is under way.

use strict;
use warnings;

use PostgreSQL::Test::Utils;
use Test::More;

use dbmazz::Load;
use dbmazz::Sandbox;

my $target = dbmazz::Sandbox->new;
# A killed worker leaves the server down, so that the target can be looked at.
my $node = loaded_node('main', $target, conf => <<~'CONF');
	restart_after_crash = off
	CONF
$node->safe_psql('postgres', <<~'SQL');
	DELETE FROM accounts;
	DELETE FROM docs;
	INSERT INTO accounts SELECT g, 0, 'first' FROM generate_series(1, 250) g;
	INSERT INTO docs SELECT g, 1, repeat(md5(g::text), 80), 0 FROM generate_series(1, 20) g;
	SQL
$node->wait_for_target('postgres', 'p');

sub target_values
{
	my ($what, $table, $where) = @_;
	return $target->sql("SELECT $what FROM $table WHERE $where", 'shop');
}

# The state of a label in the target.
sub label_state
{
	my ($label) = @_;
	my ($found) = grep { $_->{label} eq $label } @{ $target->ask(GET => 'txns?db=shop')->{txns} };
	return $found ? $found->{state} : 'UNKNOWN';
}

# Committed loads of a table, of the epoch and no other if one is given: labels
# have the time when it began before the number.
sub committed
{
	my ($table, $epoch) = @_;
	return grep { $_->{outcome} =~ /^(COMMITTED|Success)$/ && (!$epoch || $_->{label} =~ /^\w+-\d+0$epoch-/) }
	  $target->loads(table => $table, stage => 'be');
}

# Let the next load of a table stay in PREPARE; returns its label.
sub hold_next
{
	my ($table, $sql) = @_;
	$target->fault(fault => 'hold', count => 1, table => "^$table\$");
	$node->safe_psql('postgres', $sql);
	$target->wait_until('a load that is held', sub { $target->held });
	my ($held) = $target->held;
	return ref $held ? $held->{label} : $held;
}

subtest 'a: a transaction in two batches, a crash between them' => sub {
	for my $point (qw(batch_sealed answer_received))
	{
		$node->safe_psql('postgres', "UPDATE accounts SET note = 'before $point'");
		$node->wait_for_target('postgres', 'p');
		crash_at($node, $point, sub {
			$node->psql('postgres', "UPDATE accounts SET note = 'cut at $point'");
		});
		my $cut = target_values('count(*)', 'accounts', "note = 'cut at $point'");
		cmp_ok($cut, '<', 250, "$point: not all of the transaction was loaded ($cut)");
		cmp_ok($cut, '>', 0, "$point: but some of it") if $point eq 'answer_received';
		$node->start;
		all_rows_equal($node, $target, "after a crash at $point");
	}
};

subtest 'b: a load of the old epoch that could still commit' => sub {
	# the new epoch cancels it
	my $label = hold_next('accounts', "UPDATE accounts SET note = 'old' WHERE id = 1");
	crash_postmaster($node);
	is(label_state($label), 'PREPARE', 'the old load is under way when the server is down');
	$node->start;
	$node->safe_psql('postgres', "UPDATE accounts SET note = 'new' WHERE id = 1");
	all_rows_equal($node, $target, 'after the old load was settled');
	is(label_state($label), 'ABORTED', 'the old load was cancelled');
	$target->release;
	is(target_values('note', 'accounts', 'id = 1'), 'new', 'a release brings nothing back');

	# it commits while the server is down
	$label = hold_next('accounts', "UPDATE accounts SET note = 'older' WHERE id = 2");
	crash_postmaster($node);
	$target->release;
	$target->wait_until('the old load', sub { label_state($label) ne 'PREPARE' });
	is(target_values('note', 'accounts', 'id = 2'), 'older', 'the old load came after the crash');
	$node->start;
	$node->safe_psql('postgres', "UPDATE accounts SET note = 'newer' WHERE id = 2");
	all_rows_equal($node, $target, 'when the old load had committed');

	# it cannot be cancelled: nothing of the lane may be loaded until it is final
	$label = hold_next('accounts', "UPDATE accounts SET note = 'oldest' WHERE id = 3");
	$target->fault(fault => 'fe_status', status => 503, endpoint => 'cancel');
	crash_postmaster($node);
	$node->start;
	my $epoch = (wait_for_workers($node, 0))[2];
	$node->safe_psql('postgres', "UPDATE accounts SET note = 'newest' WHERE id = 3");
	$node->safe_psql('postgres', 'UPDATE docs SET n = n + 1');
	$target->wait_until('the other lane', sub { committed('docs', $epoch) });
	is(label_state($label), 'PREPARE', 'the old load is still there');
	is(scalar committed('accounts', $epoch), 0, 'its lane waits, the other does not');
	$target->release;
	$target->wait_until('the lane', sub { committed('accounts', $epoch) });
	is(label_state($label), 'VISIBLE', 'the old load committed first');
	$target->clear_faults;
	all_rows_equal($node, $target, 'at the end');
	is(target_values('note', 'accounts', 'id = 3'), 'newest', 'its value did not stay');
};

subtest 'b: a load under one of many labels' => sub {
	# where labels are soon used up, more are covered at a time
	$node->safe_psql('postgres', q(SELECT dbmazz.create_pipeline('quick', slot => 'quick', sink => 'null', copy => false,
		settings => '{batch_max_rows=1, flush_interval=0}')));
	$node->run_pipeline('postgres', 'quick');
	my $most = q(SELECT max(labels) FROM dbmazz.pipeline_tables
		JOIN dbmazz.pipeline ON id = pipeline WHERE name = 'quick');
	is($node->safe_psql('postgres', $most), '', 'nothing was sent');
	$node->safe_psql('postgres', 'UPDATE accounts SET n = n + 1 WHERE id <= 5');
	$node->wait_for_target('postgres', 'quick');
	is($node->safe_psql('postgres', $most), 8, 'few labels at first');
	wait_until('more labels', sub {
		$node->safe_psql('postgres', 'UPDATE accounts SET n = n + 1 WHERE id <= 200');
		$node->wait_for_target('postgres', 'quick');
		return $node->safe_psql('postgres', $most) > 8;
	});
	cmp_ok($node->safe_psql('postgres', $most), '<=', 128, 'but not any number');
	$node->safe_psql('postgres', q(SELECT dbmazz.stop_pipeline('quick')));
	$node->wait_for_state('postgres', 'quick', 'stopped');
	$node->safe_psql('postgres', q(SELECT dbmazz.drop_pipeline('quick')));

	# a later life asks for each of them
	my $label = hold_next('accounts', "UPDATE accounts SET note = 'old' WHERE id = 4");
	my $epoch = epoch_of($node);
	$node->safe_psql('postgres', q(SELECT dbmazz.stop_pipeline('p')));
	$node->wait_for_state('postgres', 'p', 'stopped');
	is(label_state($label), 'PREPARE', 'the old load is under way');
	$node->safe_psql('postgres', q(UPDATE dbmazz.pipeline_tables SET sequence = sequence - 40, labels = 64
		WHERE target = 'accounts'));
	$node->safe_psql('postgres', q(SELECT dbmazz.start_pipeline('p')));
	wait_for_workers($node, $epoch);
	$node->safe_psql('postgres', "UPDATE accounts SET note = 'new' WHERE id = 4");
	all_rows_equal($node, $target, 'after it was settled');
	is(label_state($label), 'ABORTED', 'the old load was cancelled');
	$target->release;
};

subtest 'c: the same partial update twice, and a replay' => sub {
	$node->safe_psql('postgres', 'UPDATE docs SET n = 1 WHERE id = 5');
	$node->wait_for_target('postgres', 'p');
	# from here on a restart begins again
	$node->safe_psql('postgres', q(SELECT dbmazz.alter_pipeline('p', settings => '{checkpoint_interval=1h}')));
	my $epoch = epoch_of($node);
	$target->clear_loads;
	for my $sql ('UPDATE docs SET n = 7 WHERE id = 5',
		q(UPDATE docs SET n = 8, body = repeat(md5('other'), 80) WHERE id = 5),
		'UPDATE docs SET n = 7 WHERE id = 5')
	{
		$node->safe_psql('postgres', $sql);
		$node->wait_for_target('postgres', 'p');
	}
	my @first = committed('docs', $epoch);
	is(scalar @first, 3, 'three loads');
	is($first[0]{bytes}, $first[2]{bytes}, 'the first and the last are alike');
	$target->clear_loads;
	crash_postmaster($node);
	$node->start;
	wait_for_workers($node, $epoch);
	all_rows_equal($node, $target, 'after the replay');
	my @replayed = committed('docs');
	cmp_ok(scalar @replayed, '>=', 3, 'the loads were made again');
	is(scalar(grep { $_->{label} =~ /^\w+-\d+0$epoch-/ } @replayed), 0, 'under labels of their own');
	is(target_values('n', 'docs', 'id = 5'), 7, 'the last value counts');
	$node->safe_psql('postgres', q(SELECT dbmazz.alter_pipeline('p', settings => '{checkpoint_interval=50ms}')));
};

subtest 'd: the decoder alone ends while a batch is under way' => sub {
	for my $fault ({ fault => 'hold' }, { fault => 'slow_commit', ms => 700 })
	{
		my $name = $fault->{fault};
		my $epoch = epoch_of($node);
		my $last = $target->ask(GET => 'loads')->{last};
		$target->fault(%$fault, count => 1, table => '^accounts$');
		$node->safe_psql('postgres', "UPDATE accounts SET note = '$name' WHERE id < 20");
		$target->wait_until('the load', sub {
			grep { $_->{outcome} =~ /RUNNING|HELD/ } $target->loads(table => 'accounts', since => $last);
		});
		my ($decoder, $shipper) = workers_of($node);
		$node->safe_psql('postgres', "SELECT pg_terminate_backend($decoder, 5000)");
		my @workers = wait_for_workers($node, $epoch);
		isnt($workers[1], $shipper, "$name: the shipper was replaced too");
		$node->safe_psql('postgres', "UPDATE accounts SET note = 'after $name' WHERE id < 10");
		all_rows_equal($node, $target, "after $name");
		$target->release;
		all_rows_equal($node, $target, "after $name and a release");
		$target->clear_faults;
	}
};

all_rows_equal($node, $target, 'in the end');
$node->stop;
done_testing();
