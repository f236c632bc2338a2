# Memory is bounded: many tables, wide rows and large transactions on small pools.

use strict;
use warnings;

use Test::More;

use dbmazz::Stream;

my $tables = 300;

my ($node, $target) = start_stream(
	conf => "dbmazz.buffer_size = 1MB\ndbmazz.pipeline_buffer_size = 512kB\n",
	sql => <<~"SQL",
		CREATE SCHEMA many;
		DO \$\$ BEGIN
			FOR i IN 1..$tables LOOP
				EXECUTE format('CREATE TABLE many.t%s (id int PRIMARY KEY, note text)', i);
			END LOOP;
		END \$\$;
		CREATE TABLE wide (id int PRIMARY KEY, body text);
		ALTER TABLE wide ALTER body SET STORAGE EXTERNAL;
		CREATE TABLE wide2 (LIKE wide INCLUDING ALL);
		CREATE TABLE big (id int PRIMARY KEY, a int, note text);
		SQL
	tables => ['big'],
	run => 0,
	publication => 'TABLE wide, big, TABLES IN SCHEMA many',
	settings => ['flush_interval=1s']);

# All targets of the schema at once: one connection instead of 300.
$target->sql(query($node, <<~"SQL"), 'shop');
	SELECT string_agg(replace(dbmazz.target_ddl(('many.t' || i)::regclass), E'\\n', ' '), E';\\n')
	FROM generate_series(1, $tables) i
	SQL
$target->sql(<<~"SQL", 'shop') for 'wide', 'wide2';
	CREATE TABLE $_ (id INT NOT NULL, body VARCHAR(1048576))
	PRIMARY KEY (id) DISTRIBUTED BY HASH (id)
	SQL
$node->run_pipeline('postgres', 'shop');

# ---- every table gets rows in one transaction, on eight segments ---------------

query($node, <<~"SQL");
	DO \$\$ BEGIN
		FOR r IN 1..2 LOOP
			FOR i IN 1..$tables / (r * r * r * r) LOOP
				EXECUTE format('INSERT INTO many.t%s VALUES (%s, %L)', i, r, 'row ' || r || ' of ' || i);
			END LOOP;
		END LOOP;
	END \$\$
	SQL
arrived($node);
my $source = query($node, join ' UNION ALL ',
	map { "SELECT $_ AS t, id, note FROM many.t$_" } 1 .. $tables);
my $in_target = $target->sql(join(' UNION ALL ',
		map { "SELECT $_ AS t, id, note FROM t$_" } 1 .. $tables), 'shop');
is(join("\n", sort split /\n/, $in_target), join("\n", sort split /\n/, $source),
	"all rows of $tables tables");
is(scalar(split /\n/, $source), $tables + int($tables / 16), 'as many as were inserted');

# ---- two pipelines with rows of half a pool --------------------------------------

query($node, <<~'SQL');
	CREATE PUBLICATION second FOR TABLE wide2;
	SELECT dbmazz.create_pipeline('second', publication => 'second', slot => 'second',
		copy => false, settings => '{flush_interval=0}');
	SQL
$node->run_pipeline('postgres', 'second');

my @pids = map { $node->worker_pid($_, 'shop') } qw(decoder shipper);
my @before = map { $node->private_kb($_) } @pids;
cmp_ok(scalar(grep { $_ > 0 } @before), '==', 2, 'memory of the workers can be seen');

query($node, <<~'SQL');
	INSERT INTO wide SELECT i, repeat(chr(65 + i % 26), 200000 + i * 3000) FROM generate_series(1, 40) i;
	INSERT INTO wide2 SELECT i, repeat(chr(65 + i % 26), 300000 - i * 3000) FROM generate_series(1, 40) i;
	UPDATE wide SET body = body || '"\' || id WHERE id % 4 = 0;
	DELETE FROM wide WHERE id % 5 = 0;
	DELETE FROM wide2 WHERE id % 5 = 0;
	SQL
same_rows($node, $target, 'wide');
$node->wait_for_target('postgres', 'second');
dbmazz::Compare::rows_equal($node, 'postgres', 'wide2', $target, 'shop.wide2');

# ---- a row that does not fit -----------------------------------------------------

query($node, q(INSERT INTO wide VALUES (1000, repeat('x', 600000)), (1001, 'after')));
like(wait_for_stop($node, 'wide'), qr/larger than .*512 kB.*\n.*dbmazz\.pipeline_buffer_size/s,
	'a row larger than the reservation stops its table');
query($node, q(INSERT INTO big VALUES (1, 1, 'goes on')));
same_rows($node, $target, 'big');
is(stopped_tables($node), 'wide', 'and no other');

# More room, and it goes on from there.
query($node, q(SELECT dbmazz.stop_pipeline('second')));
$node->wait_for_state('postgres', 'second', 'stopped');
query($node, q(SELECT dbmazz.drop_pipeline('second')));
restart_stream($node, sub {
	query($node, q(SELECT dbmazz.alter_pipeline('shop', settings => '{flush_interval=0,pipeline_buffer_size=1MB}')));
});
same_rows($node, $target, 'wide');
is(stopped_tables($node), '', 'with a larger reservation it goes on');

# ---- a transaction far larger than everything --------------------------------------

# The target is slow, so that the decoder has to wait for it all the time.
@pids = map { $node->worker_pid($_, 'shop') } qw(decoder shipper);
@before = map { $node->private_kb($_) } @pids;
$target->fault(fault => 'slow_commit', ms => 20, count => 30);
query($node, <<~'SQL');
	SET synchronous_commit = off;
	INSERT INTO big SELECT i, i, 'row number ' || i FROM generate_series(2, 100000) i;
	SQL
my $most = 0;
$target->wait_until('the large transaction', sub {
	for (0 .. 1)
	{
		my $more = $node->private_kb($pids[$_]) - $before[$_];
		$most = $more if $more > $most;
	}
	return query($node, q(
		SELECT pg_current_wal_lsn() <= position_lsn
		FROM dbmazz.stat_pipeline WHERE name = 'shop')) eq 't'
	  || $target->count('shop', 'big') == 100000;
});
same_rows($node, $target, 'big');
# logical_decoding_work_mem is 64 MB; the queue is not private memory
cmp_ok($most, '<', 64 * 1024 + 32 * 1024, "no worker grew beyond its share ($most kB)");

$node->stop;
done_testing();
