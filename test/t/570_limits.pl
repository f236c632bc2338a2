# Not enough of something: no worker slot, no replication slot, no buffer space, a
# database that goes away.  The state says so, and the pipeline starts by itself
# when there is room.

use strict;
use warnings;

use PostgreSQL::Test::Utils;
use Test::More;

use dbmazz::Load;
use dbmazz::Sandbox;

my $target = dbmazz::Sandbox->new;
# Launcher, scan worker and two others, which one pipeline needs; the server's own
# launcher of logical replication is out of the way.
my $node = loaded_node('main', $target, conf => <<~'CONF');
	max_worker_processes = 4
	max_logical_replication_workers = 0
	max_replication_slots = 2
	CONF
my $null = q(sink => 'null', copy => false);

sub message
{
	my ($pipeline) = @_;
	return $node->safe_psql('postgres',
		"SELECT last_error || ' ' || last_error_hint FROM dbmazz.stat_pipeline WHERE name = '$pipeline'");
}

subtest 'no worker slot' => sub {
	$node->safe_psql('postgres', "SELECT dbmazz.create_pipeline('q', slot => 'q', $null)");
	my ($ret, undef, $err) = $node->psql('postgres', "SELECT dbmazz.start_pipeline('q')");
	if ($ret == 0)
	{
		# the check is a lower bound; the launcher knows for sure
		$node->wait_for_state('postgres', 'q', 'backoff');
		$err = message('q');
	}
	like($err, qr/worker/, 'it says what is missing');
	like($err, qr/max_worker_processes/, 'and what to do');

	# enabled when there were more
	$node->adjust_conf('postgresql.conf', 'max_worker_processes', 6);
	$node->restart;
	$node->run_pipeline('postgres', 'q');
	$node->adjust_conf('postgresql.conf', 'max_worker_processes', 4);
	$node->restart;
	my $first = wait_until('one of the two to have no worker slot', sub {
		$node->safe_psql('postgres', "SELECT name FROM dbmazz.stat_pipeline WHERE state = 'backoff'");
	});
	like(message($first), qr/no background worker slot is free.*max_worker_processes/, 'the state says so');
	my $other = $first eq 'p' ? 'q' : 'p';
	$node->wait_for_state('postgres', $other, 'streaming');
	$node->safe_psql('postgres', "SELECT dbmazz.stop_pipeline('$other')");
	$node->wait_for_state('postgres', $other, 'stopped');
	$node->wait_for_state('postgres', $first, 'streaming');
	pass('it starts by itself when there is room');
	$node->safe_psql('postgres', "SELECT dbmazz.stop_pipeline('$first')");
	$node->wait_for_state('postgres', $first, 'stopped');
	$node->adjust_conf('postgresql.conf', 'max_worker_processes', 8);
	$node->restart;
	$node->run_pipeline('postgres', $_) for qw(p q);
	churn($node, 10);
	all_rows_equal($node, $target);
};

subtest 'no replication slot' => sub {
	my ($ret, undef, $err) = $node->psql('postgres', "SELECT dbmazz.create_pipeline('r', slot => 'r', $null)");
	isnt($ret, 0, 'create_pipeline refuses');
	like($err, qr/all replication slots are in use.*max_replication_slots/s, 'and says what to do');

	# the last one is taken between the check and the attempt
	$node->safe_psql('postgres', <<~"SQL");
		SELECT dbmazz.stop_pipeline('q');
		SQL
	$node->wait_for_state('postgres', 'q', 'stopped');
	$node->safe_psql('postgres', "SELECT dbmazz.drop_pipeline('q')");
	$node->safe_psql('postgres', "SELECT dbmazz.create_pipeline('r', slot => 'r', $null)");
	my $log = -s $node->logfile;
	break_at($node, 'epoch_raised', 'wait');
	$node->safe_psql('postgres', "SELECT dbmazz.start_pipeline('r')");
	wait_until('the shipper', sub { slurp_file($node->logfile, $log) =~ /debug point "epoch_raised" was reached/ });
	$node->safe_psql('postgres', "SELECT pg_create_physical_replication_slot('other')");
	clear_breaks($node);
	$node->wait_for_state('postgres', 'r', 'backoff');
	like(message('r'), qr/all replication slots are in use/, 'the state says so');
	$node->safe_psql('postgres', "SELECT pg_drop_replication_slot('other')");
	$node->wait_for_state('postgres', 'r', 'streaming');
	pass('it starts by itself when there is room');
	$node->safe_psql('postgres', "SELECT dbmazz.stop_pipeline('r')");
	$node->wait_for_state('postgres', 'r', 'stopped');
	$node->safe_psql('postgres', "SELECT dbmazz.drop_pipeline('r')");
};

subtest 'no buffer space' => sub {
	$node->safe_psql('postgres',
		"SELECT dbmazz.create_pipeline('s', slot => 's', $null, settings => '{pipeline_buffer_size=64MB}')");
	$node->safe_psql('postgres', "SELECT dbmazz.start_pipeline('s')");
	$node->wait_for_state('postgres', 's', 'backoff');
	like(message('s'), qr/buffer space.*buffer_size/, 'the state says so');
	$node->safe_psql('postgres', "SELECT dbmazz.stop_pipeline('s')");
	$node->wait_for_state('postgres', 's', 'stopped');
	$node->safe_psql('postgres', "SELECT dbmazz.alter_pipeline('s', settings => '{pipeline_buffer_size=1MB}')");
	$node->run_pipeline('postgres', 's');
	pass('a smaller one fits');
	$node->safe_psql('postgres', "SELECT dbmazz.stop_pipeline('s')");
	$node->wait_for_state('postgres', 's', 'stopped');
	$node->safe_psql('postgres', "SELECT dbmazz.drop_pipeline('s')");
};

subtest 'a look at a database that does not come to its end' => sub {
	# whose lock comes right after the stop's, so that the scan worker waits
	my $first = $node->background_psql('postgres');
	my $second = $node->background_psql('postgres');
	$node->safe_psql('postgres', <<~"SQL");
		SELECT dbmazz.create_pipeline('t', slot => 't', $null);
		SELECT dbmazz.start_pipeline('t');
		SQL
	$node->wait_for_state('postgres', 't', 'streaming');
	$first->query_safe("BEGIN; SELECT dbmazz.stop_pipeline('t')");
	$second->query_until(qr/begun/, <<~'SQL');
		\echo begun
		BEGIN;
		LOCK dbmazz.pipeline IN ACCESS EXCLUSIVE MODE;
		SQL
	my $waiting = q(SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock');
	wait_until('the lock to be wanted', sub { $node->safe_psql('postgres', $waiting) });
	$first->query_safe('COMMIT');
	my $scan = wait_until('the scan worker to wait', sub {
		$node->safe_psql('postgres', "$waiting AND backend_type = 'dbmazz scan'");
	});
	is($node->safe_psql('postgres', "SELECT pg_terminate_backend($scan, 10000)"), 't', 'the look is ended');
	$second->query_safe('COMMIT');
	$_->quit for $first, $second;
	$node->wait_for_state('postgres', 't', 'stopped');
	pass('the stop is carried out');
	$node->safe_psql('postgres', "SELECT dbmazz.drop_pipeline('t')");
};

subtest 'the database is dropped while the pipeline waits for its next try' => sub {
	$node->safe_psql('postgres', 'CREATE DATABASE other');
	$node->safe_psql('other', <<~"SQL");
		CREATE EXTENSION dbmazz;
		CREATE TABLE t (id int PRIMARY KEY);
		CREATE PUBLICATION dbmazz_pub FOR TABLE t;
		SELECT dbmazz.create_pipeline('u', slot => 'u', $null, settings => '{pipeline_buffer_size=64MB}');
		SELECT dbmazz.start_pipeline('u');
		SQL
	$node->wait_for_state('other', 'u', 'backoff');
	wait_until('the database to be free', sub {
		$node->psql('postgres', 'DROP DATABASE other') == 0;
	});
	# its place in shared memory is given back
	wait_until('the end of it in the log', sub {
		slurp_file($node->logfile) =~ /pipeline "u" is gone with its database/;
	});
	pass('the pipeline is gone, too');
};

unlike(slurp_file($node->logfile), qr/TRAP|PANIC/, 'no assertion failed');
all_rows_equal($node, $target, 'at the end');
$node->stop;
done_testing();
