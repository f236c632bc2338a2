# Hundreds of descriptions of tables, or 10,000 (DBMAZZ_TEST_LARGE=1): what is dropped is freed, and what is replaced.

use strict;
use warnings;

use Test::More;
use Time::HiRes qw(time);

use dbmazz::Stream;

my $changes = $ENV{DBMAZZ_TEST_LARGE} ? 10_000 : 500;
my $shapes = $changes / 100;

my ($node, $target) = start_stream(
	conf => "log_statement = none\nautovacuum_naptime = 5s\n",
	sql => <<~'SQL',
		CREATE SCHEMA churn;
		CREATE TABLE churn.still (id int PRIMARY KEY, v text);
		CREATE TABLE shaped (id int PRIMARY KEY, a int, b text, c text);
		ALTER TABLE shaped ALTER c SET STORAGE EXTERNAL;
		INSERT INTO shaped SELECT i, i, 'b' || i, repeat('c', 3000) FROM generate_series(1, 20) i;

		-- n times: a table of a new name, with rows before and behind each kind of ALTER TABLE, is dropped
		CREATE PROCEDURE churn.change(first int, n int) LANGUAGE plpgsql AS $$
		BEGIN
			FOR i IN first .. first + n - 1 LOOP
				EXECUTE format('CREATE TABLE churn.t%s (id int PRIMARY KEY, a int, b text)', i);
				EXECUTE format('INSERT INTO churn.t%s VALUES (1, 1, ''x'')', i);
				COMMIT;
				EXECUTE format('ALTER TABLE churn.t%s ADD c numeric DEFAULT 7', i);
				EXECUTE format('UPDATE churn.t%s SET a = 2', i);
				EXECUTE format('ALTER TABLE churn.t%s RENAME b TO bb', i);
				EXECUTE format('UPDATE churn.t%s SET bb = ''y''', i);
				COMMIT;
				EXECUTE format('ALTER TABLE churn.t%s DROP a', i);
				EXECUTE format('INSERT INTO churn.t%s VALUES (2)', i);
				EXECUTE format('ALTER TABLE churn.t%s REPLICA IDENTITY FULL', i);
				EXECUTE format('DELETE FROM churn.t%s', i);
				COMMIT;
				EXECUTE format('DROP TABLE churn.t%s', i);
				UPDATE churn.still SET v = i::text;
				COMMIT;
			END LOOP;
		END $$;
		SQL
	tables => ['shaped'],
	settings => ['flush_interval=0']);
query($node, <<~'SQL');
	INSERT INTO churn.still VALUES (1, '');
	CREATE PUBLICATION churn FOR TABLES IN SCHEMA churn;
	SELECT dbmazz.create_pipeline('churn', publication => 'churn', slot => 'churn', copy => false, sink => 'null',
		settings => '{flush_interval=0}');
	SQL
$node->run_pipeline('postgres', 'churn');

# ---- descriptions without end -------------------------------------------------------------------------

my @roles = qw(decoder shipper);
my %pid = map { $_ => $node->worker_pid($_, 'churn') } @roles;

sub memory
{
	return { map { $_ => $node->private_kb($pid{$_}) } @roles };
}

my $rounds = int($changes / 5 / 10);
my @seen;
for my $part (0 .. 9)
{
	my $begin = time;

	query($node, sprintf 'CALL churn.change(%d, %d)', 1 + $part * $rounds, $rounds);
	$node->wait_for_target('postgres', 'churn');
	push @seen, memory();
	note(sprintf '%d tables, %.1f s: %s', $rounds * ($part + 1), time - $begin,
		join ', ', map { "$_ $seen[-1]{$_} kB" } @roles);
}
is($node->worker_pid($_, 'churn'), $pid{$_}, "the $_ is still the same process") for @roles;

# The first part fills caches.  pgoutput keeps its entry of each table, and the shipper the lane of each target.
my %limit = (decoder => 7_000, shipper => 5_000);
for (@roles)
{
	my $bytes = int(1024 * ($seen[-1]{$_} - $seen[0]{$_}) / (9 * $rounds));
	cmp_ok($bytes, '<', $limit{$_}, "bytes for a table that was dropped, $_");
}

# Nothing of that is ours: the decoder has forgotten them.
my $log = -s $node->logfile;
query($node, "SELECT pg_log_backend_memory_contexts($pid{decoder})");
$node->wait_for_log(qr/Grand total/, $log);
my @contexts = PostgreSQL::Test::Utils::slurp_file($node->logfile, $log) =~ /level: \d+; (dbmazz relation|dbmazz fast path table):/g;
cmp_ok(scalar @contexts, '>', 0, 'contexts of the decoder can be seen');
cmp_ok(scalar @contexts, '<', 20, 'it knows of no more tables than there are');

# ---- one table, whose rows are in the target -----------------------------------------------------------

$target->sql("ALTER TABLE shaped ADD COLUMN $_", 'shop') for 'x VARCHAR(1000)', 'extra INT';
my @ddl = (
	'RENAME b TO x', 'RENAME x TO b', 'ALTER a TYPE bigint', 'ALTER a TYPE int', 'REPLICA IDENTITY FULL',
	'REPLICA IDENTITY DEFAULT', 'ADD extra int DEFAULT 3', 'DROP extra', 'ALTER b SET STATISTICS 7', 'ALTER a SET NOT NULL',
	'ALTER a DROP NOT NULL');

sub reshape
{
	my ($n) = @_;
	query($node, join '', map { <<~"SQL" } 1 .. $n);
		ALTER TABLE shaped $ddl[ ($_ - 1) % @ddl ];
		UPDATE shaped SET a = $_ WHERE id % 5 = $_ % 5;
		UPDATE shaped SET c = repeat('d', 3000 + $_) WHERE id = 1 + $_ % 20;
		SQL
	return;
}

$target->sql('ALTER TABLE shaped MODIFY COLUMN a BIGINT', 'shop');
%pid = map { $_ => $node->worker_pid($_, 'shop') } @roles;
reshape(@ddl * 5);
arrived($node);
my $before = memory();
reshape(@ddl * $shapes);
# what was changed under the other name is there under that
query($node, 'UPDATE shaped SET a = -a');
same_rows($node, $target, 'shaped');
my $after = memory();
for (@roles)
{
	my $grown = $after->{$_} - $before->{$_};
	cmp_ok($grown, '<', 2048, "the $_ does not grow with " . @ddl * $shapes . " shapes of a table ($grown kB)");
}
is(stopped_tables($node), '', 'no table has stopped');

$node->stop;
$target->stop;
done_testing();
