# Stop and start under load, and what somebody did to the slot meanwhile: the
# pipeline fails once, says why and what to do, and does not try for ever.

use strict;
use warnings;

use PostgreSQL::Test::Utils;
use Test::More;

use dbmazz::Load;
use dbmazz::Sandbox;

my $target = dbmazz::Sandbox->new;
my $node = loaded_node('main', $target);

sub stop_it
{
	$node->safe_psql('postgres', "SELECT dbmazz.stop_pipeline('p')");
	return $node->wait_for_state('postgres', 'p', 'stopped');
}

# Begin again: changes count from here on, so all rows are changed.
sub begin_anew
{
	stop_it();
	$node->safe_psql('postgres', "SELECT dbmazz.drop_pipeline('p')");
	$node->safe_psql('postgres', "SELECT dbmazz.create_pipeline('p', copy => false)");
	$node->run_pipeline('postgres', 'p');
	$node->safe_psql('postgres', <<~'SQL');
		DELETE FROM accounts;
		DELETE FROM docs;
		SQL
	churn($node, 30);
	$target->sql("DELETE FROM $_ WHERE id > 0", 'shop') for qw(accounts docs);
	return $node->safe_psql('postgres', 'UPDATE accounts SET n = n; UPDATE docs SET n = n, body = body || 1');
}

# State, message and hint of a pipeline that has failed; it fails once only.
sub fails_once
{
	my ($name, $message, $hint) = @_;
	my $log = -s $node->logfile;
	$node->safe_psql('postgres', "SELECT dbmazz.start_pipeline('p')");
	$node->wait_for_state('postgres', 'p', 'failed');
	my ($said, $advice) = split /\|/, $node->safe_psql('postgres',
		"SELECT last_error, last_error_hint FROM dbmazz.stat_pipeline WHERE name = 'p'");
	like($said, $message, "$name: it says why");
	like($advice, $hint, "$name: it says what to do");
	wait_until('the workers to leave', sub { !$node->worker_pid('shipper') && !$node->worker_pid('decoder') });
	my $epoch = epoch_of($node);

	# the launcher has work now, and so has looked at this one as well
	$node->safe_psql('postgres', q(SELECT dbmazz.create_pipeline('q', slot => 'q', sink => 'null', copy => false)));
	$node->run_pipeline('postgres', 'q');
	$node->safe_psql('postgres', "SELECT dbmazz.stop_pipeline('q')");
	$node->wait_for_state('postgres', 'q', 'stopped');
	$node->safe_psql('postgres', "SELECT dbmazz.drop_pipeline('q')");
	is(epoch_of($node), $epoch, "$name: it is not tried again");
	my $count = () = slurp_file($node->logfile, $log) =~ /WARNING:.*$message/g;
	is($count, 1, "$name: one line in the log");
	my ($ret, undef, $err) = $node->psql('postgres',
		"SELECT dbmazz.wait_for('p', pg_current_wal_lsn(), '5s')");
	like($err, qr/has failed/, "$name: wait_for does not wait");
	return;
}

subtest 'stop and start under load' => sub {
	my $load = start_load($node);
	for my $round (1 .. 5)
	{
		stop_it();
		is($node->worker_pid('shipper') . $node->worker_pid('decoder'), '', "round $round: no worker is left");
		$node->run_pipeline('postgres', 'p');
	}
	# without waiting for anything between them
	for (1 .. 10)
	{
		$node->safe_psql('postgres', "SELECT dbmazz.stop_pipeline('p')");
		$node->safe_psql('postgres', "SELECT dbmazz.start_pipeline('p')");
	}
	$node->wait_for_state('postgres', 'p', 'streaming');
	stop_load($load);
	all_rows_equal($node, $target);
};

subtest 'the slot was advanced' => sub {
	stop_it();
	churn($node, 10);
	$node->safe_psql('postgres', "SELECT pg_replication_slot_advance('dbmazz_slot', pg_current_wal_lsn())");
	fails_once('advanced', qr/slot "dbmazz_slot" is ahead of the checkpoint/, qr/load the tables anew/);
	begin_anew();
	all_rows_equal($node, $target);
};

subtest 'the slot was dropped' => sub {
	stop_it();
	$node->safe_psql('postgres', "SELECT pg_drop_replication_slot('dbmazz_slot')");
	fails_once('dropped', qr/slot "dbmazz_slot" does not exist any more/, qr/dbmazz\.repair_pipeline\(\)/);
	begin_anew();
	all_rows_equal($node, $target);
};

subtest 'the slot of another takes the name' => sub {
	stop_it();
	$node->safe_psql('postgres', <<~'SQL');
		SELECT dbmazz.drop_pipeline('p');
		SELECT dbmazz.create_pipeline('p', copy => false);
		SQL
	# made between the check in start_pipeline() and the worker's attempt
	break_at($node, 'epoch_raised', 'wait');
	my $log = -s $node->logfile;
	$node->safe_psql('postgres', "SELECT dbmazz.start_pipeline('p')");
	wait_until('the shipper', sub { slurp_file($node->logfile, $log) =~ /debug point "epoch_raised" was reached/ });
	$node->safe_psql('postgres', "SELECT pg_create_logical_replication_slot('dbmazz_slot', 'pgoutput')");
	my $lsn = $node->safe_psql('postgres', 'SELECT confirmed_flush_lsn FROM pg_replication_slots');
	clear_breaks($node);
	$node->wait_for_state('postgres', 'p', 'failed');
	fails_once('foreign', qr/slot "dbmazz_slot" already exists/, qr/Drop that slot/);
	churn($node, 5);
	is($node->safe_psql('postgres', 'SELECT confirmed_flush_lsn FROM pg_replication_slots'),
		$lsn, 'the slot of another is left alone');
	$node->safe_psql('postgres', "SELECT pg_drop_replication_slot('dbmazz_slot')");
	begin_anew();
	all_rows_equal($node, $target);
};

subtest 'the slot waits for an open transaction' => sub {
	stop_it();
	$node->safe_psql('postgres', <<~'SQL');
		SELECT dbmazz.drop_pipeline('p');
		SELECT dbmazz.create_pipeline('p', copy => false);
		SQL
	my $session = $node->background_psql('postgres');
	$session->query_safe("BEGIN; INSERT INTO accounts VALUES (5000, 0, 'open')");
	$node->safe_psql('postgres', "SELECT dbmazz.start_pipeline('p')");
	$node->wait_for_state('postgres', 'p', 'creating slot');
	stop_it();
	is($node->safe_psql('postgres', 'SELECT count(*) FROM pg_replication_slots'), 0, 'stopped, nothing is left');
	$node->safe_psql('postgres', "SELECT dbmazz.start_pipeline('p')");
	$node->wait_for_state('postgres', 'p', 'creating slot');
	$session->query_safe('COMMIT');
	$session->quit;
	$node->wait_for_state('postgres', 'p', 'streaming');
	begin_anew();
	all_rows_equal($node, $target);
};

unlike(slurp_file($node->logfile), qr/TRAP|PANIC/, 'no assertion failed');
all_rows_equal($node, $target, 'at the end');
$node->stop;
done_testing();
