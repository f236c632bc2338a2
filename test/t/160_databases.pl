# Pipelines of several databases, several of one database, and what becomes of
# the databases.

use strict;
use warnings;

use Test::More;

use dbmazz::Compare;
use dbmazz::Node;
use dbmazz::Sandbox;

my $target = dbmazz::Sandbox->new;
my $node = dbmazz::Node->start_new('main', sandbox => $target, database => 'shop',
	conf => "dbmazz.checkpoint_interval = 100\ndbmazz.flush_interval = 0\n"
	  . "dbmazz.pipeline_buffer_size = 8MB\n");
$target->sql('CREATE DATABASE shop');

# pipeline => [database, table]
my %pipelines = (one => [ 'db1', 't1' ], two => [ 'db2', 't2' ], three => [ 'db2', 't3' ]);
my @names = sort keys %pipelines;

for my $database ('db1', 'db2')
{
	$node->safe_psql('postgres', "CREATE DATABASE $database");
	$node->safe_psql($database, 'CREATE EXTENSION dbmazz');
}
for my $name (@names)
{
	my ($database, $table) = @{ $pipelines{$name} };
	$node->safe_psql($database, <<~"SQL");
		CREATE TABLE $table (id int PRIMARY KEY, note text);
		CREATE PUBLICATION p_$table FOR TABLE $table;
		SELECT dbmazz.create_pipeline('$name', publication => 'p_$table', slot => 's_$name', copy => false);
		SQL
	$node->create_target($database, $table, $target, 'shop');
}

# A slot's name is the server's, not the database's.
my ($status, $out, $err) = $node->psql('db1',
	"SELECT dbmazz.create_pipeline('other', publication => 'p_t1', slot => 's_one', copy => false)");
like($err, qr/s_one/, 'two pipelines of a database cannot have the same slot');

$node->run_pipeline($pipelines{$_}[0], $_) for @names;
is($node->safe_psql('db1', q(SELECT string_agg(name, ' ') FROM dbmazz.stat_pipeline)), 'one',
	'a database shows its own pipelines');
is($node->safe_psql('db2', q(SELECT string_agg(name, ' ' ORDER BY name) FROM dbmazz.stat_pipeline)),
	'three two', 'of which it may have several');

sub write_rows
{
	my ($note) = @_;
	for my $name (@names)
	{
		my ($database, $table) = @{ $pipelines{$name} };
		$node->safe_psql($database, <<~"SQL");
			INSERT INTO $table SELECT i, '$note' FROM generate_series(1, 20) i
				ON CONFLICT (id) DO UPDATE SET note = $table.note || excluded.note;
			DELETE FROM $table WHERE id % 7 = length('$note') % 7;
			SQL
	}
	return;
}

sub compare
{
	my ($what) = @_;
	for my $name (@names)
	{
		my ($database, $table) = @{ $pipelines{$name} };
		$node->wait_for_target($database, $name);
		rows_equal($node, $database, $table, $target, "shop.$table", name => "$what: $table");
	}
	return;
}

write_rows('a');
compare('three pipelines');

# One stops, the others do not care.
$node->safe_psql('db2', q(SELECT dbmazz.stop_pipeline('two')));
$node->wait_for_state('db2', 'two', 'stopped');
$node->safe_psql('db2', q(INSERT INTO t2 VALUES (100, 'while it is stopped')));
$node->safe_psql('db2', q(INSERT INTO t3 VALUES (100, 'goes on')));
$node->wait_for_target('db2', 'three');
rows_equal($node, 'db2', 't3', $target, 'shop.t3');
$node->run_pipeline('db2', 'two');
write_rows('bb');
compare('stopped and started');

# ---- a restart of the server -----------------------------------------------------------

$node->safe_psql('db2', q(SELECT dbmazz.stop_pipeline('three')));
$node->wait_for_state('db2', 'three', 'stopped');
write_rows('ccc');
$node->restart;
$node->wait_for_state($pipelines{$_}[0], $_, 'streaming') for qw(one two);
pass('pipelines that ran start again by themselves');
is($node->safe_psql('db2', q(SELECT state FROM dbmazz.stat_pipeline WHERE name = 'three')), 'stopped',
	'one that was stopped does not');
$node->run_pipeline('db2', 'three');
write_rows('dddd');
compare('after a restart');

# ---- databases while pipelines run -------------------------------------------------------

# Copies of databases without a pipeline are not held up.
$node->safe_psql('postgres', 'CREATE DATABASE plain');
$node->safe_psql('postgres', "CREATE DATABASE copy_$_ TEMPLATE plain STRATEGY $_") for qw(file_copy wal_log);
$node->safe_psql('postgres', 'CREATE DATABASE copied TEMPLATE template0');
$node->safe_psql('postgres', "DROP DATABASE $_") for qw(plain copy_file_copy copy_wal_log copied);
pass('other databases come and go');
write_rows('eeeee');
compare('after that');

# One with a running pipeline stays.
($status, $out, $err) = $node->psql('postgres', 'DROP DATABASE db1');
isnt($status, 0, 'a database with a running pipeline is not dropped');
($status, $out, $err) = $node->psql('db1', 'DROP EXTENSION dbmazz CASCADE');
isnt($status, 0, 'nor is the extension');
like($err, qr/pipeline/, 'with the reason');
($status, $out, $err) = $node->psql('db1', 'SELECT dbmazz.drop_pipeline(\'one\')');
isnt($status, 0, 'nor a running pipeline');
like($err, qr/stop/, 'with the remedy');
write_rows('ffffff');
compare('nothing has happened');

# Stopped and dropped, everything may go.
$node->safe_psql('db1', q(SELECT dbmazz.stop_pipeline('one')));
$node->wait_for_state('db1', 'one', 'stopped');
$node->safe_psql('db1', q(SELECT dbmazz.drop_pipeline('one')));
ok($node->poll_query_until('postgres',
		q(SELECT NOT EXISTS (SELECT FROM pg_replication_slots WHERE slot_name = 's_one'))),
	'the slot goes with its pipeline');
$node->safe_psql('db1', 'DROP EXTENSION dbmazz');
$node->safe_psql('postgres', 'DROP DATABASE db1');
pass('then the database can be dropped');

@names = grep { $_ ne 'one' } @names;
write_rows('ggggggg');
compare('the others go on');

# Without the extension the publication and the tables are still there.
for my $name (@names)
{
	$node->safe_psql('db2', "SELECT dbmazz.stop_pipeline('$name')");
	$node->wait_for_state('db2', $name, 'stopped');
	$node->safe_psql('db2', "SELECT dbmazz.drop_pipeline('$name')");
}
$node->safe_psql('db2', 'DROP EXTENSION dbmazz');
is($node->safe_psql('db2', 'SELECT count(*) FROM pg_publication'), 2, 'publications are left alone');
is($node->safe_psql('postgres', 'SELECT count(*) FROM pg_replication_slots'), 0, 'no slot is left behind');

$node->stop;
done_testing();
