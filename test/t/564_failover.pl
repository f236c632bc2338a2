# dbmazz.failover: the standby has a copy of the slot, and the target never has
# what the standby has not.  So after the primary is gone, in order or by kill -9
# under load, the pipeline goes on at the promoted standby, and no row is missing
# or too many.  Before PostgreSQL 17 the setting is refused.

use strict;
use warnings;

use PostgreSQL::Test::Utils;
use Test::More;

use dbmazz::Load;
use dbmazz::Sandbox;

my $target = dbmazz::Sandbox->new;
my $node = loaded_node('main', $target);

sub sql { my ($text) = @_; return $node->safe_psql('postgres', $text) }

if ($node->pg_version < 17)
{
	my $hint = qr/dbmazz\.failover = on needs PostgreSQL 17/;
	my ($ret, $out, $err) = $node->psql('postgres',
		q(SELECT dbmazz.create_pipeline('f', slot => 'f', copy => false, settings => '{failover=on}')));
	like($err, qr/this server has no failover slots.*$hint/s, 'create_pipeline refuses it');
	($ret, $out, $err) = $node->psql('postgres', q(SELECT dbmazz.alter_pipeline('p', settings => '{failover=on}')));
	like($err, qr/this server has no failover slots/, 'so does alter_pipeline');
	$node->append_conf('postgresql.conf', "dbmazz.failover = on\n");
	$node->restart;
	$node->wait_for_state('postgres', 'p', 'failed');
	like(sql('SELECT last_error_hint FROM dbmazz.stat_pipeline'), $hint, 'a value of the server fails the pipeline');
	($ret, $out, $err) = $node->psql('postgres', q(SELECT dbmazz.start_pipeline('p')));
	like($err, qr/this server has no failover slots/, 'which cannot be started');
	$node->adjust_conf('postgresql.conf', 'dbmazz.failover', 'off');
	$node->reload;
	wait_until('the setting', sub { sql('SHOW dbmazz.failover') eq 'off' });
	$node->run_pipeline('postgres', 'p');
	churn($node, 20);
	all_rows_equal($node, $target, 'at the end');
	$node->stop;
	done_testing();
	exit;
}

my $count = 0;

# A standby of the node that synchronizes slots.
sub make_standby
{
	my $name = 'standby' . ++$count;
	sql("SELECT pg_create_physical_replication_slot('$name', true)");
	$node->backup($name);
	my $standby = dbmazz::Node->new($name);
	$standby->init_from_backup($node, $name, has_streaming => 1);
	my $connection = $node->connstr . ' dbname=postgres';
	$standby->append_conf('postgresql.conf', <<~"CONF");
		primary_conninfo = '$connection'
		primary_slot_name = '$name'
		hot_standby_feedback = on
		sync_replication_slots = on
		synchronized_standby_slots = ''
		CONF
	$standby->start;
	$node->append_conf('postgresql.conf', "synchronized_standby_slots = '$name'\n");
	$node->reload;
	return $standby;
}

# Wait until the standby has a copy of the slot that survives a promotion.
sub wait_for_copy
{
	my ($standby) = @_;
	wait_until('the slot at the standby', sub {
		churn($node, 2);
		return $standby->safe_psql('postgres',
			q(SELECT count(*) FROM pg_replication_slots WHERE slot_name = 'dbmazz_slot' AND synced AND NOT temporary)) == 1;
	});
	return;
}

# The pipeline at the promoted standby: it fails until somebody accepts that.
sub go_on
{
	my ($name) = @_;
	$node->wait_for_state('postgres', 'p', 'failed');
	like(sql('SELECT last_error FROM dbmazz.stat_pipeline'), qr/written on another timeline/, "$name: it has noticed");
	sql("SELECT dbmazz.stop_pipeline('p')");
	$node->wait_for_state('postgres', 'p', 'stopped');
	my ($ret, $out, $err) = $node->psql('postgres', "SELECT dbmazz.accept_identity('p')");
	is($err, '', "$name: the slot is not ahead of the checkpoint");
	$node->run_pipeline('postgres', 'p');
	return;
}

sql("SELECT dbmazz.alter_pipeline('p', settings => '{failover=on}')");
sql("SELECT dbmazz.stop_pipeline('p')");
$node->wait_for_state('postgres', 'p', 'stopped');
$node->run_pipeline('postgres', 'p');
is(sql('SELECT failover FROM pg_replication_slots'), 't', 'the slot is a failover slot');
churn($node, 20);
all_rows_equal($node, $target, 'without a standby');

# ---- the standby is behind ------------------------------------------------------

my $standby = make_standby();
churn($node, 20);
all_rows_equal($node, $target, 'with a standby');
wait_for_copy($standby);
$standby->stop;
sql("INSERT INTO accounts VALUES (9000, 0, 'not at the standby')");
is(sql("SELECT dbmazz.wait_for('p', pg_current_wal_insert_lsn(), '3s')"), 'f', 'a change waits for the standby');
is($target->sql('SELECT count(*) FROM accounts WHERE id = 9000', 'shop'), 0, 'it is not in the target');
my $workers = join ' ', map { $node->worker_pid($_) } qw(decoder shipper);
sql("SELECT dbmazz.stop_pipeline('p')");
$node->wait_for_state('postgres', 'p', 'stopped');
$node->run_pipeline('postgres', 'p');
isnt(join(' ', map { $node->worker_pid($_) } qw(decoder shipper)), $workers, 'stop and start work meanwhile');
$standby->start;
all_rows_equal($node, $target, 'when it is back');

# ---- the primary is shut down in order --------------------------------------------

my $load = start_load($node);
wait_for_copy($standby);
stop_load($load);
$node->stop;
$standby->promote;
$node = $standby;
go_on('planned');
churn($node, 20);
all_rows_equal($node, $target, 'after a planned promotion');

# ---- the primary is killed under load -----------------------------------------------

$standby = make_standby();
wait_for_copy($standby);
my $before = sql('SELECT pg_current_wal_lsn()');
$load = start_load($node);
wait_until('some load', sub { sql("SELECT pg_current_wal_lsn() - '$before' > 300000 AND rows > 0 FROM dbmazz.stat_pipeline") eq 't' });
crash_postmaster($node);
stop_load($load);
$standby->promote;
$node = $standby;
go_on('killed');
churn($node, 20);
all_rows_equal($node, $target, 'after an unplanned promotion');

sql("SELECT dbmazz.alter_pipeline('p', settings => '{failover=off}')");
sql("SELECT dbmazz.stop_pipeline('p')");
$node->wait_for_state('postgres', 'p', 'stopped');
$node->run_pipeline('postgres', 'p');
is(sql(q(SELECT failover FROM pg_replication_slots WHERE slot_name = 'dbmazz_slot')), 'f', 'switched off again');
unlike(slurp_file($node->logfile), qr/TRAP|PANIC/, 'no assertion failed');
churn($node, 10);
all_rows_equal($node, $target, 'at the end');
$node->stop;
done_testing();
