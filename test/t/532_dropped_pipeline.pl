# A pipeline is dropped, or sent elsewhere, while a load of it is still under way
# at the target, and another one takes the tables over: the old load must not
# commit over rows of the new pipeline.

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
	INSERT INTO accounts SELECT g, 0, 'first' FROM generate_series(1, 5) g;
	INSERT INTO docs VALUES (5000, 1, 'text', 0);
	SQL
all_rows_equal($node, $target, 'to begin with');

sub target_note
{
	my ($id) = @_;
	return $target->sql("SELECT note FROM accounts WHERE id = $id", 'shop');
}

sub label_state
{
	my ($label) = @_;
	my ($found) = grep { $_->{label} eq $label } @{ $target->ask(GET => 'txns?db=shop')->{txns} };
	return $found ? $found->{state} : 'UNKNOWN';
}

# The lanes that are kept: "database:table" of each.
sub kept
{
	return $node->safe_psql('postgres', <<~'SQL');
		SELECT string_agg(substring(destination FROM '[^/]*$') || ':' || target, ' '
			ORDER BY destination, target)
		FROM dbmazz.dropped_lanes
		SQL
}

# Stop the pipeline while a load is held; returns the load's label.
sub stop_with_held_load
{
	my ($sql) = @_;
	$target->fault(fault => 'hold', count => 1, table => '^accounts$');
	$node->safe_psql('postgres', $sql);
	$target->wait_until('a load that is held', sub { $target->held });
	my ($held) = $target->held;
	$node->safe_psql('postgres', q(SELECT dbmazz.stop_pipeline('p')));
	$node->wait_for_state('postgres', 'p', 'stopped');
	return $held->{label};
}

sub drop_pipeline { $node->safe_psql('postgres', q(SELECT dbmazz.drop_pipeline('p'))); return }

sub next_pipeline
{
	$node->safe_psql('postgres', q(SELECT dbmazz.create_pipeline('p', copy => false)));
	$node->run_pipeline('postgres', 'p');
	return;
}

subtest 'the old load is cancelled' => sub {
	my $label = stop_with_held_load("UPDATE accounts SET note = 'old' WHERE id = 1");
	drop_pipeline();
	is(kept(), 'shop:accounts shop:docs', 'the labels of its lanes are kept');
	is(label_state($label), 'PREPARE', 'the old load is under way');
	next_pipeline();
	$node->safe_psql('postgres', "UPDATE accounts SET note = 'new' WHERE id = 1");
	all_rows_equal($node, $target, 'with the new pipeline');
	is(label_state($label), 'ABORTED', 'the old load was cancelled');
	is(kept(), 'shop:docs', 'its labels are kept no longer, those of the other lane are');
	$target->release;
	is(target_note(1), 'new', 'a release brings nothing back');
	$node->safe_psql('postgres', 'UPDATE docs SET n = 1 WHERE id = 5000');
	all_rows_equal($node, $target, 'with loads of the other lane');
	is(kept(), '', 'nothing is kept');
};

subtest 'the old load cannot be cancelled' => sub {
	my $label = stop_with_held_load("UPDATE accounts SET note = 'old' WHERE id = 2");
	$target->fault(fault => 'fe_status', status => 503, endpoint => 'cancel');
	drop_pipeline();
	next_pipeline();
	$target->clear_loads;
	$node->safe_psql('postgres', "UPDATE accounts SET note = 'new' WHERE id = 2");
	$node->safe_psql('postgres', 'UPDATE docs SET n = 2 WHERE id = 5000');
	$target->wait_until('the other lane', sub { $target->loads(table => 'docs', stage => 'be') });
	$node->wait_for_state('postgres', 'p', 'retrying');
	is(scalar $target->loads(table => 'accounts'), 0, 'its lane waits');
	# another life of the new pipeline knows of it, too
	my ($decoder, $shipper, $epoch) = workers_of($node);
	$node->safe_psql('postgres', "SELECT pg_terminate_backend($shipper, 5000)");
	wait_for_workers($node, $epoch);
	$node->wait_for_state('postgres', 'p', 'retrying');
	is(label_state($label), 'PREPARE', 'the old load is still there');
	is(scalar $target->loads(table => 'accounts'), 0, 'its lane waits in the next life');
	$target->release;
	all_rows_equal($node, $target, 'when the old load has committed');
	is(label_state($label), 'VISIBLE', 'it committed first');
	is(target_note(2), 'new', 'its value did not stay');
	$target->clear_faults;
};

subtest 'a pipeline that nobody starts hands them on' => sub {
	my $label = stop_with_held_load("UPDATE accounts SET note = 'old' WHERE id = 3");
	drop_pipeline();
	next_pipeline();
	$node->safe_psql('postgres', q(SELECT dbmazz.stop_pipeline('p')));
	$node->wait_for_state('postgres', 'p', 'stopped');
	drop_pipeline();
	next_pipeline();
	$node->safe_psql('postgres', "UPDATE accounts SET note = 'new' WHERE id = 3");
	all_rows_equal($node, $target, 'with the next but one');
	is(label_state($label), 'ABORTED', 'the old load was cancelled');
};

subtest 'a pipeline that goes on elsewhere' => sub {
	$node->safe_psql('postgres', "UPDATE docs SET n = 3 WHERE id = 5000; UPDATE accounts SET n = 4");
	$node->wait_for_target('postgres', 'p');
	my $label = stop_with_held_load("UPDATE accounts SET note = 'old' WHERE id = 4");
	$node->safe_psql('postgres',
		q(SELECT dbmazz.alter_pipeline('p', settings => '{starrocks_database=other}')));
	is(kept(), 'shop:accounts shop:docs', 'its labels at the old destination are kept');
	drop_pipeline();
	is(kept(), 'other:accounts other:docs shop:accounts shop:docs', 'and those at the new one');
	next_pipeline();
	$node->safe_psql('postgres', "UPDATE accounts SET note = 'new' WHERE id = 4");
	all_rows_equal($node, $target, 'with another pipeline at the old destination');
	is(label_state($label), 'ABORTED', 'the old load was cancelled');
	is(kept(), 'other:accounts other:docs shop:docs', 'only what was settled is forgotten');
};

subtest 'after some days they do not matter' => sub {
	$node->safe_psql('postgres', <<~'SQL');
		UPDATE dbmazz.dropped_lanes SET dropped_at = now() - interval '8 days'
		WHERE destination LIKE '%other' AND target = 'accounts';
		UPDATE dbmazz.dropped_lanes SET dropped_at = now() - interval '6 days'
		WHERE destination LIKE '%other' AND target = 'docs';
		SELECT dbmazz.stop_pipeline('p');
		SQL
	drop_pipeline();
	is(kept(), 'other:docs shop:accounts shop:docs', 'old ones are gone');
};

$node->stop;
done_testing();
