# The launcher's look into a database is slow: it has read that a pipeline should
# run, then the pipeline is stopped and dropped.  It must not come back, not even
# for the moment in which its workers find that they are nobody's.

use strict;
use warnings;

use IPC::Run ();
use PostgreSQL::Test::Utils;
use Test::More;

use dbmazz::Load;
use dbmazz::Sandbox;

my $target = dbmazz::Sandbox->new;
my $node = loaded_node('main', $target);
$node->safe_psql('postgres', 'CREATE DATABASE other');
$node->safe_psql('other', <<~'SQL');
	CREATE EXTENSION dbmazz;
	CREATE PUBLICATION dbmazz_pub FOR ALL TABLES;
	SELECT dbmazz.create_pipeline('q', slot => 'q', sink => 'null', copy => false);
	SQL
my $log_start = -s $node->logfile;

# Start "q" and keep the look that would register it, behind its snapshot.
sub start_and_hold_look
{
	my $start = -s $node->logfile;
	break_at($node, 'pipelines_read', 'wait');
	$node->safe_psql('other', "SELECT dbmazz.start_pipeline('q')");
	wait_until('the look', sub { slurp_file($node->logfile, $start) =~ /"pipelines_read" was reached/ });
	return;
}

# All that the launcher had to do before is done when this has run and stopped.
sub run_another
{
	$node->safe_psql('postgres', q(SELECT dbmazz.create_pipeline('r', slot => 'r', sink => 'null', copy => false)));
	$node->run_pipeline('postgres', 'r');
	$node->safe_psql('postgres', "SELECT dbmazz.stop_pipeline('r')");
	$node->wait_for_state('postgres', 'r', 'stopped');
	return $node->safe_psql('postgres', "SELECT dbmazz.drop_pipeline('r')");
}

# ---- in one transaction ------------------------------------------------------

start_and_hold_look();
my ($ret, $out, $err) = $node->psql('other', "BEGIN; SELECT dbmazz.stop_pipeline('q'); SELECT dbmazz.drop_pipeline('q')");
like($err, qr/pipeline "q" is running/, 'a stop that is not committed is none');
($ret, $out, $err) = $node->psql('other', <<~'SQL');
	BEGIN; SELECT dbmazz.stop_pipeline('q');
	SELECT dbmazz.alter_pipeline('q', settings => ARRAY['table_name_template=x_{table}'])
	SQL
like($err, qr/cannot change the table names of pipeline "q" while it is running/, 'nor for a change');

# ---- a stop, and no more -----------------------------------------------------

$node->safe_psql('other', "SELECT dbmazz.stop_pipeline('q')");
clear_breaks($node);
run_another();
is($node->safe_psql('postgres', "SELECT count(*) FROM pg_replication_slots WHERE slot_name = 'q'"), 0, 'it was not begun');

# ---- a change ----------------------------------------------------------------

start_and_hold_look();
$node->safe_psql('other', "SELECT dbmazz.stop_pipeline('q')");
$node->safe_psql('other', "SELECT dbmazz.alter_pipeline('q', settings => ARRAY['table_name_template=x_{table}'])");
clear_breaks($node);
run_another();
unlike(slurp_file($node->logfile, $log_start), qr/replication slot "q"|pipeline "q" starts/, 'it did not run');

# ---- a drop between the making of the slot and its entry in the checkpoint --------

my $made = -s $node->logfile;
break_at($node, 'slot_created', 'wait');
$node->safe_psql('other', "SELECT dbmazz.start_pipeline('q')");
wait_until('the slot', sub { slurp_file($node->logfile, $made) =~ /"slot_created" was reached/ });
$node->safe_psql('other', "SELECT dbmazz.stop_pipeline('q')");
$node->wait_for_state('other', 'q', 'stopped');
is($node->safe_psql('postgres', "SELECT count(*) FROM pg_replication_slots WHERE slot_name = 'q'"), 1,
	'a stop leaves the slot');
($ret, $out, $err) = $node->psql('other', "SELECT dbmazz.drop_pipeline('q')");
is($ret . $err, '0', 'the pipeline is dropped');
is($node->safe_psql('postgres', "SELECT count(*) FROM pg_replication_slots WHERE slot_name = 'q'"), 0,
	'and the slot with it');
clear_breaks($node);
$node->safe_psql('other', q(SELECT dbmazz.create_pipeline('q', slot => 'q', sink => 'null', copy => false)));

# ---- a drop, and DROP EXTENSION right behind it --------------------------------

start_and_hold_look();
$node->safe_psql('other', "SELECT dbmazz.stop_pipeline('q')");
$node->safe_psql('other', "SELECT dbmazz.drop_pipeline('q')");
my ($drop_out, $drop_err) = ('', '');
my $drop = IPC::Run::start(
	[ 'psql', '-XAtq', '-v', 'ON_ERROR_STOP=1', '-d', $node->connstr('other'), '-c', 'DROP EXTENSION dbmazz' ],
	'<', \undef, '>', \$drop_out, '2>', \$drop_err);
ok($node->poll_query_until('postgres',
		"SELECT EXISTS (SELECT FROM pg_stat_activity WHERE query = 'DROP EXTENSION dbmazz' AND wait_event_type = 'Lock')"),
	'DROP EXTENSION waits for the look');
clear_breaks($node);
ok($drop->finish, 'and is not refused then') or diag($drop_err);
is($drop_err, '', 'without a word');

run_another();
my $log = slurp_file($node->logfile, $log_start);
unlike($log, qr/not in the catalogs any more/, 'no worker was started for it');
$node->safe_psql('postgres', 'DROP DATABASE other');
is($node->safe_psql('postgres', 'SELECT string_agg(slot_name, $$ $$) FROM pg_replication_slots'),
	'dbmazz_slot', 'nor has a slot come back');
unlike($log, qr/TRAP|PANIC/, 'no assertion failed');

churn($node, 20);
all_rows_equal($node, $target, 'at the end');
$node->stop;
done_testing();
