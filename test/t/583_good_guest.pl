# While pipelines wait for a target that does not answer: tablespaces and databases of
# others come and go, vacuum goes on; and a pipeline's own database can be dropped,
# copied and renamed as soon as the pipeline was stopped.

use strict;
use warnings;

use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time);

use dbmazz::Guest;
use dbmazz::Load;
use dbmazz::Node;
use dbmazz::Sandbox;

my $target = dbmazz::Sandbox->new;
my $node = loaded_node('main', $target, conf => "autovacuum = off\n");

sub sql { my ($text) = @_; return $node->safe_psql('postgres', $text) }

# Seconds that a statement takes; there is a checkpoint in each of them.
sub quick
{
	my ($statement) = @_;
	my $begin = time;
	my (undef, undef, $error) = $node->psql('postgres', $statement, timeout => 60);
	my $seconds = time - $begin;
	is($error, '', $statement);
	cmp_ok($seconds, '<', 3, sprintf '... takes %.3f s', $seconds);
	return;
}

# ---- the horizons move on ------------------------------------------------------------------

# What the slot keeps of the catalogs follows the position.
sub catalog_xmin_moves
{
	my ($when) = @_;
	my $xmin = sql('SELECT catalog_xmin FROM pg_replication_slots');
	sql('CREATE TABLE aside (id int); DROP TABLE aside') for 1 .. 3;
	my $moved = eval {
		wait_until('catalog_xmin', sub {
			# a checkpoint logs which transactions run, in the place of minutes of work
			sql('CHECKPOINT; INSERT INTO accounts VALUES (9000, 0) ON CONFLICT (id) DO UPDATE SET n = accounts.n + 1');
			return sql("SELECT catalog_xmin::text::bigint > $xmin + 2 FROM pg_replication_slots") eq 't';
		}, 30);
	};
	return ok($moved, "catalog_xmin moves on $when");
}

catalog_xmin_moves('while rows are sent');

# ---- others --------------------------------------------------------------------------------------

my $directory = PostgreSQL::Test::Utils::tempdir();
sql("CREATE TABLESPACE elsewhere LOCATION '$directory'");
sql('CREATE DATABASE model');
sql('CREATE TABLE there (id int) TABLESPACE elsewhere');
$target->freeze;
sql('UPDATE accounts SET n = n + 1 WHERE id <= 50');
$node->poll_query_until('postgres', 'SELECT buffered_batches > 0 FROM dbmazz.stat_pipeline') or die 'nothing to send';
answers_quickly($node);
quick('CREATE DATABASE copy1 TEMPLATE model STRATEGY file_copy');
quick('CREATE DATABASE copy2 TEMPLATE model STRATEGY wal_log TABLESPACE elsewhere');
quick('ALTER DATABASE copy2 SET TABLESPACE pg_default');
quick('DROP DATABASE copy1');
quick('DROP DATABASE copy2');
# its file stays until a checkpoint, or until all processes have closed it
sql('DROP TABLE there');
quick('DROP TABLESPACE elsewhere');

# Dead rows of a user's table go although nothing arrives.
sql('CREATE TABLE bloat (id int); INSERT INTO bloat SELECT generate_series(1, 1000); DELETE FROM bloat');
my ($status, $out, $report) = $node->psql('postgres', 'VACUUM (VERBOSE) bloat');
like($report, qr/tuples: 1000 removed, 0 remain/, 'vacuum removes what is dead');
$target->thaw;
all_rows_equal($node, $target, 'after the thaw');
catalog_xmin_moves('afterwards');

# ---- the database of a pipeline ---------------------------------------------------------------------

# One with a pipeline to the target that hangs.
my $number = 0;

sub make_database
{
	my $name = 'shop' . ++$number;
	sql("CREATE DATABASE $name");
	$node->safe_psql($name, <<~"SQL");
		CREATE EXTENSION dbmazz;
		CREATE TABLE orders (id int PRIMARY KEY);
		CREATE PUBLICATION dbmazz_pub FOR TABLE orders;
		SELECT dbmazz.create_pipeline('$name', slot => '$name', copy => false);
		SQL
	$node->run_pipeline($name, $name);
	$node->safe_psql($name, 'INSERT INTO orders VALUES (1)');
	$node->poll_query_until($name, 'SELECT buffered_batches > 0 FROM dbmazz.stat_pipeline') or die 'nothing to send';
	return $name;
}

# Statements in the database, and then, without a wait, one elsewhere.
sub right_after
{
	my ($name, $inside, $outside) = @_;
	my $begin = time;
	my (undef, undef, $error) = $node->psql($name,
		join("\n", map { "SELECT dbmazz.${_}_pipeline('$name');" } @$inside) . "\n\\c postgres\n$outside;\n",
		timeout => 60);
	my $seconds = time - $begin;
	is($error, '', "@$inside, $outside");
	cmp_ok($seconds, '<', 6, sprintf '... takes %.3f s', $seconds);
	return;
}

$target->freeze;
my $name = make_database();
(undef, undef, my $error) = $node->psql('postgres', "DROP DATABASE $name", timeout => 60);
like($error, qr/database "$name" is used by an active logical replication slot/, 'the server refuses while it runs');
right_after($name, ['stop'], "DROP DATABASE $name");
is(sql("SELECT count(*) FROM pg_replication_slots WHERE slot_name = '$name'"), 0, 'the slot goes with it');
for my $try (1 .. 3)
{
	$name = make_database();
	right_after($name, ['stop'], "DROP DATABASE $name");
}
$name = make_database();
right_after($name, [qw(stop drop)], "DROP DATABASE $name");

# One whose shipper does not leave: the server waits for sessions (5 s), and nobody else
# does; and who has enough of it can go.
{
	$name = make_database();
	my $frozen = sql("SELECT pid FROM pg_stat_activity WHERE backend_type = 'dbmazz shipper' AND datname = '$name'");
	kill 'STOP', $frozen;
	$node->safe_psql($name, "SELECT dbmazz.stop_pipeline('$name')");
	$node->poll_query_until('postgres', "SELECT NOT active FROM pg_replication_slots WHERE slot_name = '$name'")
	  or die 'the decoder stays';
	my $begin = time;
	(undef, undef, $error) = $node->psql('postgres', "SET statement_timeout = '300ms'; DROP DATABASE $name", timeout => 60);
	my $seconds = time - $begin;
	like($error, qr/canceling statement due to statement timeout/, 'DROP DATABASE can be cancelled');
	cmp_ok($seconds, '<', 2, sprintf '... within %.3f s', $seconds);
	$begin = time;
	(undef, undef, $error) = $node->psql('postgres', "DROP DATABASE $name", timeout => 60);
	$seconds = time - $begin;
	like($error, qr/database "$name" is being accessed by other users/, 'the server refuses while it is there');
	cmp_ok($seconds, '<', 8, sprintf '... after %.3f s', $seconds);
	kill 'CONT', $frozen;
	quick("DROP DATABASE $name");
}
$name = make_database();
right_after($name, ['stop'], "CREATE DATABASE other TEMPLATE $name");
is($node->safe_psql('other', 'SELECT count(*) FROM dbmazz.pipelines'), 1, 'the copy has the pipeline, which does not run');
right_after($name, [], "ALTER DATABASE $name RENAME TO renamed");
$target->thaw;
$node->safe_psql('renamed', "SELECT dbmazz.drop_pipeline('$name')");
sql('DROP DATABASE renamed');
sql('DROP DATABASE other');
all_rows_equal($node, $target, 'at the end');
is(sql('SELECT count(*) FROM pg_replication_slots'), 1, 'no slot is left behind');
unlike(slurp_file($node->logfile), qr/TRAP|PANIC|terminated by signal/, 'nothing has crashed');
$node->stop;
done_testing();
