# pg_upgrade with a pipeline: up to 16 the slot stays behind, and a new one takes
# its place before writers are let in; from 17 on the slot comes along.  In both
# ways no row is missing, and none is loaded anew.
#
# The upgrade is from the server that is tested to itself; with the environment
# variable DBMAZZ_OLD_SERVER from an older one: its directory with bin/, with dbmazz
# installed.

use strict;
use warnings;

use PostgreSQL::Test::Utils;
use Test::More;

use dbmazz::Load;
use dbmazz::Sandbox;

my $old_server = $ENV{DBMAZZ_OLD_SERVER};
my $target = dbmazz::Sandbox->new;
my $old = loaded_node('old', $target, install_path => $old_server);
my $brings_slot = $old->pg_version >= 17;

my $load = start_load($old);
wait_until('some load', sub { $old->safe_psql('postgres', 'SELECT rows > 300 FROM dbmazz.stat_pipeline') eq 't' });
stop_load($load);
all_rows_equal($old, $target, 'before');
$old->safe_psql('postgres', "SELECT dbmazz.stop_pipeline('p')");
$old->wait_for_state('postgres', 'p', 'stopped');
$old->safe_psql('postgres', 'SELECT pg_replication_slot_advance(slot_name, pg_current_wal_lsn()) FROM dbmazz.pipelines')
  if $brings_slot;
my $pipeline = $old->safe_psql('postgres', 'SELECT uid, epoch FROM dbmazz.pipelines JOIN dbmazz.stat_pipeline USING (id)');
$old->stop;

my $new = dbmazz::Node->start_new('new', sandbox => $target, database => 'shop',
	conf => dbmazz::Load::settle_settings(), extension => 0, start => 0);
my $bindir = $new->config_data('--bindir');
chdir PostgreSQL::Test::Utils::tempdir() or die;
command_ok(
	[
		'pg_upgrade', '--no-sync', '-d', $old->data_dir, '-D', $new->data_dir,
		'-b', $old_server ? "$old_server/bin" : $bindir, '-B', $bindir, '-s', $new->host, '-p', $old->port, '-P', $new->port
	],
	'pg_upgrade');
$new->start;
is($new->safe_psql('postgres', 'SELECT uid, epoch FROM dbmazz.pipelines JOIN dbmazz.stat_pipeline USING (id)'),
	$pipeline, 'the pipeline is there, with its identity');
unlike(slurp_file($new->logfile), qr/dbmazz decoder|dbmazz shipper/, 'nothing has run');

$new->safe_psql('postgres', "SELECT dbmazz.start_pipeline('p')");
$new->wait_for_state('postgres', 'p', 'failed');
like($new->safe_psql('postgres', 'SELECT last_error FROM dbmazz.stat_pipeline'),
	qr/written by another server/, 'it does not go on by itself');
$new->safe_psql('postgres', "SELECT dbmazz.stop_pipeline('p')");
my ($ret, $out, $err) = $new->psql('postgres', "SELECT dbmazz.accept_identity('p')");
if ($brings_slot)
{
	is($ret, 0, 'the slot has come along') or diag($err);
}
else
{
	like($err, qr/does not exist on this server.*repair_pipeline/s, 'the slot has not come along');
	$new->safe_psql('postgres', "SELECT dbmazz.repair_pipeline('p', reload => false)");
}
$new->run_pipeline('postgres', 'p');
is($new->safe_psql('postgres', 'SELECT count(*) FROM dbmazz.stat_table WHERE gap_from IS NOT NULL'), 0,
	'no table must be loaded anew');
churn($new, 40);
unlike(slurp_file($new->logfile), qr/TRAP|PANIC/, 'no assertion failed');
all_rows_equal($new, $target, 'at the end');
$new->stop;
done_testing();
