# The slot is lost, or the server is not the one that it was: the pipeline fails
# and names the function that lets it go on.  What is missing afterwards is marked
# table by table until somebody has loaded it.

use strict;
use warnings;

use PostgreSQL::Test::Utils;
use Test::More;

use dbmazz::Load;
use dbmazz::Sandbox;

my $target = dbmazz::Sandbox->new;
my $node = loaded_node('main', $target);

sub sql { my ($text) = @_; return $node->safe_psql('postgres', $text) }

sub refused
{
	my ($text, $message, $hint) = @_;
	my ($ret, $out, $err) = $node->psql('postgres', $text);
	like($err, $message, "refused: $text");
	like($err, $hint, 'with a hint');
	return;
}

sub stop_it
{
	sql("SELECT dbmazz.stop_pipeline('p')");
	return $node->wait_for_state('postgres', 'p', 'stopped');
}

# It has failed, once, and says why and which function helps.
sub has_failed
{
	my ($name, $message, $function) = @_;
	$node->wait_for_state('postgres', 'p', 'failed');
	my ($said, $advice) = split /\|/, sql("SELECT last_error, last_error_hint FROM dbmazz.stat_pipeline WHERE name = 'p'");
	like($said, $message, "$name: it says why");
	like($advice, qr/dbmazz\.$function\(\)/, "$name: it names the function");
	my $epoch = epoch_of($node);
	my ($ret, undef, $err) = $node->psql('postgres', "SELECT dbmazz.wait_for('p', pg_current_wal_lsn(), '5s')");
	like($err, qr/has failed/, "$name: wait_for does not wait");
	is(epoch_of($node), $epoch, "$name: it is not tried again");
	return;
}

# Load the tables anew, as the hint says, and take the marks away.
sub reload
{
	my ($name) = @_;
	is(sql('SELECT count(*) FROM dbmazz.stat_table WHERE gap_from IS NOT NULL AND gap_to > gap_from'),
		2, "$name: both tables have a gap");
	$target->sql("DELETE FROM $_ WHERE id > -1", 'shop') for qw(accounts docs);
	sql('UPDATE accounts SET n = n; UPDATE docs SET n = n, body = body || 1');
	$node->wait_for_target('postgres', 'p');
	sql("SELECT dbmazz.table_reloaded('p', target) FROM dbmazz.stat_table WHERE gap_from IS NOT NULL");
	is(sql('SELECT count(*) FROM dbmazz.gaps'), 0, "$name: the marks are gone");
	return all_rows_equal($node, $target, "after $name");
}

# repair, start, load
sub repair
{
	my ($name) = @_;
	stop_it();
	churn($node, 10);
	my ($ret, $out, $err) = $node->psql('postgres', "SELECT dbmazz.repair_pipeline('p')");
	is($ret, 0, "$name: repaired");
	like($err, qr/will begin with a new slot.*2 target tables are marked.*load the tables/s, "$name: it says what that means");
	is(sql('SELECT count(*) FROM dbmazz.stat_table WHERE gap_from IS NOT NULL AND gap_to IS NULL'),
		2, "$name: the tables are marked");
	$node->run_pipeline('postgres', 'p');
	churn($node, 10);
	return reload($name);
}

# ---- what is refused ---------------------------------------------------------

sql(q(SELECT dbmazz.create_pipeline('q', slot => 'q', sink => 'null', copy => false)));
for my $function (qw(repair_pipeline accept_identity))
{
	refused("SELECT dbmazz.$function('p')", qr/pipeline "p" is running/, qr/dbmazz\.stop_pipeline\(\)/);
	refused("SELECT dbmazz.$function('q')", qr/pipeline "q" has had no slot yet/, qr/dbmazz\.start_pipeline\(\)/);
	refused("SELECT dbmazz.$function('x')", qr/pipeline "x" does not exist/, qr/dbmazz\.pipelines/);
}
sql(q(SELECT dbmazz.drop_pipeline('q')));
refused("SELECT dbmazz.table_reloaded('p', 'accounts')", qr/"accounts" of pipeline "p" is not marked/, qr/gap_from/);
stop_it();
refused("SELECT dbmazz.accept_identity('p')", qr/on the server and the timeline that it was on before/, qr/repair_pipeline/);

# ---- the slot ----------------------------------------------------------------

subtest 'advanced' => sub {
	churn($node, 10);
	sql("SELECT pg_replication_slot_advance('dbmazz_slot', pg_current_wal_lsn())");
	sql("SELECT dbmazz.start_pipeline('p')");
	has_failed('advanced', qr/slot "dbmazz_slot" is ahead of the checkpoint/, 'repair_pipeline');
	repair('advanced');
};

subtest 'made again' => sub {
	stop_it();
	churn($node, 10);
	sql("SELECT pg_drop_replication_slot('dbmazz_slot')");
	sql("SELECT pg_create_logical_replication_slot('dbmazz_slot', 'pgoutput')");
	sql("SELECT dbmazz.start_pipeline('p')");
	has_failed('made again', qr/slot "dbmazz_slot" is ahead of the checkpoint/, 'repair_pipeline');
	repair('made again');
};

subtest 'dropped' => sub {
	stop_it();
	sql("SELECT pg_drop_replication_slot('dbmazz_slot')");
	sql("SELECT dbmazz.start_pipeline('p')");
	has_failed('dropped', qr/slot "dbmazz_slot" does not exist any more/, 'repair_pipeline');
	repair('dropped');
};

subtest 'invalidated while it runs' => sub {
	$target->fault(fault => 'fe_status', status => 503);
	sql("ALTER SYSTEM SET max_slot_wal_keep_size = '16MB'");
	sql('SELECT pg_reload_conf()');
	for (1 .. 8)
	{
		churn($node, 2);
		sql('SELECT pg_switch_wal()');
	}
	sql('CHECKPOINT');
	has_failed('invalidated', qr/slot "dbmazz_slot" was invalidated by the server/, 'repair_pipeline');
	$target->clear_faults;
	sql('ALTER SYSTEM RESET max_slot_wal_keep_size');
	sql('SELECT pg_reload_conf()');
	repair('invalidated');
};

# ---- the publication -----------------------------------------------------------

subtest 'publication dropped' => sub {
	sql('DROP PUBLICATION dbmazz_pub');
	churn($node, 10);
	has_failed('publication', qr/publication "dbmazz_pub" was dropped/, 'repair_pipeline');
	stop_it();
	refused("SELECT dbmazz.repair_pipeline('p')", qr/publication "dbmazz_pub" does not exist/, qr/CREATE PUBLICATION/);
	sql('CREATE PUBLICATION dbmazz_pub FOR TABLE accounts, docs');
	sql("SELECT dbmazz.start_pipeline('p')");
	has_failed('publication made again', qr/publication "dbmazz_pub" was dropped/, 'repair_pipeline');
	repair('publication');
};

# ---- gaps add up, and end for tables that are loaded --------------------------

subtest 'a second repair before the tables are loaded' => sub {
	stop_it();
	sql("SELECT dbmazz.repair_pipeline('p')");
	refused("SELECT dbmazz.repair_pipeline('p')", qr/has had no slot yet/, qr/start_pipeline/);
	$node->run_pipeline('postgres', 'p');
	my $from = sql('SELECT string_agg(gap_from::text, $$ $$ ORDER BY target) FROM dbmazz.stat_table');
	sql("SELECT dbmazz.table_reloaded('p', 'docs')");
	churn($node, 5);
	$node->wait_for_target('postgres', 'p');
	stop_it();
	sql("SELECT dbmazz.repair_pipeline('p')");
	is(sql(q(SELECT gap_from = '%s' FROM dbmazz.gaps WHERE target = 'accounts') =~ s/%s/(split ' ', $from)[0]/er),
		't', 'a gap that was not filled begins where it began');
	is(sql(q(SELECT gap_from > '%s' FROM dbmazz.gaps WHERE target = 'docs') =~ s/%s/(split ' ', $from)[1]/er),
		't', 'one that was filled does not');
	$node->run_pipeline('postgres', 'p');
	reload('two repairs');
};

subtest 'without a reload' => sub {
	stop_it();
	sql("SELECT dbmazz.repair_pipeline('p', reload => false)");
	is(sql('SELECT count(*) FROM dbmazz.gaps'), 0, 'nothing was written meanwhile, nothing is marked');
	$node->run_pipeline('postgres', 'p');
	churn($node, 10);
	all_rows_equal($node, $target, 'without a reload');
};

# ---- the server ----------------------------------------------------------------

# The system identifier is put into the checkpoint by hand: what pg_upgrade leaves
# looks like that.
subtest 'another server' => sub {
	stop_it();
	sql('UPDATE dbmazz.checkpoints SET system_identifier = 1');
	sql("SELECT dbmazz.start_pipeline('p')");
	has_failed('another server', qr/written by another server/, 'accept_identity');
	stop_it();
	churn($node, 10);
	sql("SELECT dbmazz.accept_identity('p')");
	$node->run_pipeline('postgres', 'p');
	churn($node, 10);
	all_rows_equal($node, $target, 'with its slot');

	stop_it();
	sql("SELECT pg_replication_slot_advance('dbmazz_slot', pg_current_wal_lsn())");
	sql('UPDATE dbmazz.checkpoints SET system_identifier = 1');
	my ($ret, $out, $err) = $node->psql('postgres', "SELECT dbmazz.accept_identity('p')");
	like($err, qr/NOTICE:  pipeline "p" goes on at .*counts as sent/s, 'a slot that is further on');
	$node->run_pipeline('postgres', 'p');
	churn($node, 10);
	all_rows_equal($node, $target, 'with a slot that was further on');
};

# The server is made anew from a backup; what was committed since is gone, but the
# target has it.
subtest 'restored from a backup' => sub {
	$node->wait_for_target('postgres', 'p');
	$node->backup('restored');
	my $restored = dbmazz::Node->new('restored');
	$restored->init_from_backup($node, 'restored');
	churn($node, 20);
	sql("INSERT INTO accounts VALUES (8000, 0, 'of a history that is gone')");
	$node->wait_for_target('postgres', 'p');
	$node->stop;
	$node = $restored;
	$node->start;
	has_failed('restored', qr/slot "dbmazz_slot" does not exist any more/, 'repair_pipeline');
	repair('restored');
};

subtest 'promoted without the slot' => sub {
	$node->backup('copy');
	my $standby = dbmazz::Node->new('standby');
	$standby->init_from_backup($node, 'copy', has_streaming => 1);
	$standby->start;
	churn($node, 10);
	$node->wait_for_target('postgres', 'p');
	$node->wait_for_catchup($standby, 'replay');
	$node->stop;
	$standby->promote;
	$node = $standby;
	has_failed('promoted', qr/written on another timeline/, 'accept_identity');
	stop_it();
	refused("SELECT dbmazz.accept_identity('p')", qr/slot "dbmazz_slot" does not exist on this server/, qr/repair_pipeline/);
	repair('promoted');
};

unlike(slurp_file($node->logfile), qr/TRAP|PANIC/, 'no assertion failed');
churn($node, 10);
all_rows_equal($node, $target, 'at the end');
$node->stop;
done_testing();
