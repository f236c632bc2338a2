# Hundreds of tables in a publication, or 5,000 (DBMAZZ_TEST_LARGE=1): how long it takes to make the pipeline and to
# start it, the first row of each table, what the processes need for each, and that nothing grows any more then.  Their
# rows go to the null sink; those of the first tables also to a target, where they are compared.

use strict;
use warnings;

use Test::More;
use Time::HiRes qw(time);

use dbmazz::Stream;

my $tables = $ENV{DBMAZZ_TEST_LARGE} ? 5000 : 500;
my $compared = 20;

# What README.md says that a table of three columns costs, in bytes, the server's own caches included.
my %limit = (decoder => 40_000, shipper => 8_000);

my ($node, $target) = start_stream(
	conf => "dbmazz.buffer_size = 64MB\nmax_locks_per_transaction = 256\nlog_statement = none\n",
	sql => <<~"SQL",
		CREATE SCHEMA many;
		DO \$\$ BEGIN
			FOR i IN 1..$tables LOOP
				EXECUTE format('CREATE TABLE many.t%s (id int PRIMARY KEY, note text, n bigint)', i);
				IF i % 200 = 0 THEN COMMIT; END IF;
			END LOOP;
		END \$\$;
		-- rows for each table, some of them in one transaction
		CREATE PROCEDURE change(sql text) LANGUAGE plpgsql AS \$\$ BEGIN
			FOR i IN 1..$tables LOOP
				EXECUTE format(sql, 'many.t' || i, i);
				IF i % 100 = 0 THEN COMMIT; END IF;
			END LOOP;
		END \$\$;
		CREATE FUNCTION all_rows() RETURNS TABLE (line text) LANGUAGE plpgsql AS \$\$ BEGIN
			FOR i IN 1..$compared LOOP
				RETURN QUERY EXECUTE format('SELECT %s || '' '' || row_to_json(t) FROM many.t%s t ORDER BY id', i, i);
			END LOOP;
		END \$\$;
		SQL
	publication => 'TABLE ' . join(', ', map { "many.t$_" } 1 .. $compared),
	settings => ['flush_interval=50ms'],
	run => 0);

# All targets at once: one connection instead of many.
$target->sql(query($node, <<~"SQL"), 'shop');
	SELECT string_agg(replace(dbmazz.target_ddl(('many.t' || i)::regclass), E'\\n', ' '), E';\\n')
	FROM generate_series(1, $compared) i
	SQL
$node->run_pipeline('postgres', 'shop');
query($node, 'CREATE PUBLICATION many FOR TABLES IN SCHEMA many');

sub timed
{
	my ($what, $code) = @_;
	my $begin = time;
	my $result = $code->();
	note(sprintf '%s: %.2f s', $what, time - $begin);
	return $result;
}

# All changes so far have been sent; every row of each table that has a target is there.
my $changes = 0;

sub same_everywhere
{
	my ($name) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;

	arrived($node);
	is(query($node, q(SELECT changes FROM dbmazz.stat_pipeline WHERE name = 'many')), $changes,
		"$name: all $changes changes were sent");
	my $source = query($node, 'SELECT * FROM all_rows()');
	my $in_target = join "\n", map {
		my $i = $_;
		map { "$i $_" } @{ $target->rows('shop', "t$i") }
	} 1 .. $compared;
	ok($source eq $in_target, sprintf '%s: %d rows of %d tables', $name, scalar(split /\n/, $source), $compared);
	return;
}

my %pid;
my %kb;

sub look_at_memory
{
	my %now = map { $_ => $node->private_kb($pid{$_}) } keys %pid;
	my %grown = map { $_ => $now{$_} - ($kb{$_} // 0) } keys %now;
	%kb = %now;
	return %grown;
}

sub sent { return $node->wait_for_target('postgres', 'many') }

sub shared_memory
{
	return query($node, q(SELECT sum(allocated_size) FROM pg_shmem_allocations WHERE name LIKE 'dbmazz%'));
}

# ---- create, start ---------------------------------------------------------------------------------

my $shared = shared_memory();
cmp_ok($shared, '>', 0, 'shared memory can be seen');
timed('create_pipeline', sub {
	query($node, q(SELECT dbmazz.create_pipeline('many', publication => 'many', slot => 'many', sink => 'null', copy => false,
		settings => '{flush_interval=50ms}')));
});
timed('start_pipeline until it streams', sub { $node->run_pipeline('postgres', 'many') });
$pid{$_} = $node->worker_pid($_, $_ eq 'launcher' ? undef : 'many') for qw(launcher decoder shipper);
look_at_memory();
cmp_ok($kb{$_}, '>', 0, "memory of the $_ can be seen") for sort keys %pid;

# ---- rows --------------------------------------------------------------------------------------------

timed('the first row of each table', sub {
	query($node, q(CALL change('INSERT INTO %s SELECT %s, repeat(''n'', 20), 1')));
	$changes += $tables;
	sent();
});
my %grown = look_at_memory();
note("memory for a table, $_: " . int(1024 * $grown{$_} / $tables) . ' bytes') for sort keys %grown;
cmp_ok(1024 * $grown{$_} / $tables, '<', $limit{$_}, "memory for a table, $_") for sort keys %limit;
cmp_ok($grown{launcher}, '<', 512, 'the launcher needs none');
is(shared_memory(), $shared, 'nor does shared memory');
same_everywhere('the first row of each table');

for my $round (1 .. 2)
{
	timed("more changes of each table, $round", sub {
		query($node, q(CALL change('INSERT INTO %1$s SELECT i, ''x'', i FROM generate_series(10000, 10003) i
			ON CONFLICT (id) DO UPDATE SET n = excluded.n + 1')));
		query($node, q(CALL change('UPDATE %1$s SET note = ''y'' WHERE id = %2$s; DELETE FROM %1$s WHERE id = 10002')));
		$changes += 6 * $tables;
		sent();
	});
	%grown = look_at_memory();
	note("memory, $_: $grown{$_} kB more") for sort keys %grown;
}
cmp_ok($grown{$_}, '<', 4096, "memory does not grow with rows, $_") for sort keys %grown;
same_everywhere('changes of each table');

# All of them say once more what they are, for the decoder's caches were emptied.
query($node, 'CREATE PUBLICATION another FOR TABLE many.t1; DROP PUBLICATION another');
query($node, q(CALL change('UPDATE %s SET n = -n')));
$changes += 4 * $tables;
sent();
%grown = look_at_memory();
note("memory, $_: $grown{$_} kB more") for sort keys %grown;
cmp_ok($grown{$_}, '<', 4096, "nor with descriptions that say the same, $_") for sort keys %grown;

# ---- looking ---------------------------------------------------------------------------------------

is(timed('dbmazz.stat_table', sub { query($node, q(SELECT count(*) FROM dbmazz.stat_table WHERE pipeline = 'many')) }), $tables,
	'dbmazz.stat_table shows all of them');
is(timed('dbmazz.stat_pipeline', sub { query($node, q(SELECT state FROM dbmazz.stat_pipeline WHERE name = 'many')) }), 'streaming',
	'the pipeline streams');

# ---- again -----------------------------------------------------------------------------------------

timed('stop and start', sub {
	query($node, q(SELECT dbmazz.stop_pipeline('many')));
	$node->wait_for_state('postgres', 'many', 'stopped');
	$node->run_pipeline('postgres', 'many');
});
restart_stream($node);
$changes = $tables;				# of this life
timed('the first row of each table behind that', sub {
	query($node, q(CALL change('INSERT INTO %s SELECT -%s, ''again'', 2')));
	sent();
});
same_everywhere('the first row of each table behind a restart');
is(stopped_tables($node), '', 'no table has stopped');

$node->stop;
$target->stop;
done_testing();
