# A good guest in the middle of what takes longer than a load: TRUNCATE, a replay of
# dead letters, a load that is prepared, a new slot, a large transaction, a standby
# that lags; while others hold locks; and while it starts.

use strict;
use warnings;

use PostgreSQL::Test::Utils;
use Test::More;

use dbmazz::Guest;
use dbmazz::Load;
use dbmazz::Sandbox;

my $target = dbmazz::Sandbox->new;
my $node = loaded_node('main', $target, conf => <<~"CONF");
	dbmazz.delivery = exactly_once
	dbmazz.batch_max_rows = 1000
	dbmazz.on_bad_row = dead_letter
	dbmazz.starrocks_mysql_address = '127.0.0.1:@{[ $target->mysql_port ]}'
	max_prepared_transactions = 5
	CONF

sub sql { my ($text) = @_; return $node->safe_psql('postgres', $text) }

sub wait_for { my ($question) = @_; return $node->poll_query_until('postgres', "SELECT $question") || die "not so: $question" }

# A transaction that nobody ends, and what it has locked.
sub prepare
{
	my ($statement) = @_;
	sql("BEGIN; $statement; PREPARE TRANSACTION 'other'");
	return;
}

sub start_with { $node->start; sql(@_); return }

# ---- at work --------------------------------------------------------------------------------

guest_in($node, 'TRUNCATE', sub {
	$target->fault(fault => 'mysql_hold', statement => 'TRUNCATE');
	sql('TRUNCATE docs');
	wait_until('a TRUNCATE', sub { $target->held_statements });
});
$target->clear_faults;
$target->release;
$node->start;
all_rows_equal($node, $target, 'after TRUNCATE');

guest_in($node, 'between prepare and commit', sub {
	$target->fault(fault => 'txn_delay', call => 'commit', when => 'before', seconds => 60, count => 1);
	sql(q(INSERT INTO accounts VALUES (5000, 0, 'prepared') ON CONFLICT (id) DO UPDATE SET n = accounts.n + 1));
	wait_until('a commit', sub { !@{ $target->ask(GET => 'faults')->{faults} } });
});
$node->start;
all_rows_equal($node, $target, 'after a commit');

$target->fault(fault => 'reject_rows', where => 'id = 5001');
sql(q(INSERT INTO accounts VALUES (5001, 0, 'bad')));
wait_for('EXISTS (SELECT FROM dbmazz.dead_letters)');
$target->clear_faults;
guest_in($node, 'a replay of dead letters', sub {
	$target->fault(fault => 'hold', count => 1);
	sql(q(SELECT dbmazz.replay_dead_letters('p')));
	wait_until('a load', sub { $target->held });
});
$node->start;
wait_for('NOT EXISTS (SELECT FROM dbmazz.dead_letters)');
all_rows_equal($node, $target, 'after a replay');

guest_in($node, 'a large transaction', sub {
	sql(q(INSERT INTO accounts SELECT g, 0, md5(g::text) FROM generate_series(10001, 30000) g));
	wait_for('rows > 100 AND buffered_batches > 0 FROM dbmazz.stat_pipeline');
}, may_have_xmin => 1);
start_with('TRUNCATE accounts');

# ---- locks of others ------------------------------------------------------------------------

guest_in($node, 'rows to be read again in a table that is locked', sub {
	sql(q(INSERT INTO docs VALUES (7000, 1, repeat('x', 5000), 0)));
	all_rows_equal($node, $target, 'before it');
	my $start = -s $node->logfile;
	break_at($node, 'before_reread', 'wait');
	sql(q(UPDATE docs SET id = 7001 WHERE id = 7000));
	wait_until('the shipper', sub { slurp_file($node->logfile, $start) =~ /"before_reread" was reached/ });
	prepare('LOCK TABLE docs');
	clear_breaks($node);
});
start_with(q(ROLLBACK PREPARED 'other'));
all_rows_equal($node, $target, 'after the lock');

guest_in($node, 'a checkpoint row that is locked', sub {
	prepare('LOCK TABLE dbmazz.checkpoints IN EXCLUSIVE MODE');
	sql('UPDATE accounts SET n = n + 1');
	sql(q(INSERT INTO accounts VALUES (1, 1, 'a') ON CONFLICT (id) DO UPDATE SET n = accounts.n + 1));
	wait_for(q(EXISTS (SELECT FROM pg_stat_activity WHERE backend_type = 'dbmazz shipper' AND wait_event_type = 'Lock')));
}, may_have_xmin => 1);
start_with(q(ROLLBACK PREPARED 'other'));
all_rows_equal($node, $target, 'after the lock');

# With nothing to do but the last checkpoint when it leaves.
sql(q(SELECT dbmazz.alter_pipeline('p', settings => '{checkpoint_interval=1h}')));
all_rows_equal($node, $target, 'before a checkpoint that can wait');
guest_in($node, 'a last checkpoint whose row is locked', sub {
	sql(q(INSERT INTO accounts VALUES (2, 1, 'a') ON CONFLICT (id) DO UPDATE SET n = accounts.n + 1));
	all_rows_equal($node, $target, 'before it');
	prepare('LOCK TABLE dbmazz.checkpoints IN EXCLUSIVE MODE');
});
start_with(q(ROLLBACK PREPARED 'other'));
all_rows_equal($node, $target, 'after the lock');

# ---- the beginning ----------------------------------------------------------------------------

guest_in($node, 'a new slot that waits for a transaction', sub {
	prepare('CREATE TABLE aside (id int)');
	sql(q(SELECT dbmazz.create_pipeline('q', slot => 'q', sink => 'null', copy => false,
		settings => '{delivery=at_least_once}')));
	sql(q(SELECT dbmazz.start_pipeline('q')));
	$node->wait_for_state('postgres', 'q', 'creating slot');
	wait_for(q(EXISTS (SELECT FROM pg_stat_activity WHERE backend_type = 'dbmazz decoder'
		AND application_name LIKE '%: q' AND wait_event_type = 'Lock')));
}, may_have_xmin => 1);
start_with(q(ROLLBACK PREPARED 'other'));
$node->wait_for_state('postgres', 'q', 'streaming');
sql(q(SELECT dbmazz.stop_pipeline('q')));
sql(q(SELECT dbmazz.drop_pipeline('q')));

for my $try (1 .. 4)
{
	$node->stop if $node->{_pid};
	$node->start;
	# wherever it is by now
	random_seconds(0.1);
	subtest "just started: $try" => sub { stops_quickly($node) };
}

# ---- standbys -----------------------------------------------------------------------------------

$node->start;
SKIP:
{
	skip 'failover slots are of PostgreSQL 17', 1 if $node->pg_version < 17;
	guest_in($node, 'a failover slot whose standby is away', sub {
		sql(q(SELECT pg_create_physical_replication_slot('standby', true)));
		$node->append_conf('postgresql.conf', "synchronized_standby_slots = 'standby'\n");
		$node->reload;
		sql(q(SELECT dbmazz.alter_pipeline('p', settings => '{failover=on}')));
		sql(q(SELECT dbmazz.stop_pipeline('p')));
		$node->wait_for_state('postgres', 'p', 'stopped');
		$node->run_pipeline('postgres', 'p');
		sql(q(INSERT INTO accounts VALUES (3, 1, 'waits') ON CONFLICT (id) DO UPDATE SET n = accounts.n + 1));
		is(sql(q(SELECT dbmazz.wait_for('p', pg_current_wal_insert_lsn(), '1s'))), 'f', 'it waits');
	});
	$node->adjust_conf('postgresql.conf', 'synchronized_standby_slots', q(''));
	$node->start;
}
all_rows_equal($node, $target, 'at the end');
unlike(slurp_file($node->logfile), qr/TRAP|PANIC|terminated by signal/, 'nothing has crashed');
$node->stop;
done_testing();
