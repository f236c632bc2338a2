# Very many partitions (1,000 with DBMAZZ_TEST_LARGE=1), through their root and leaf by leaf.  Of the leaves all go to
# the null sink, and the first ones also to a target, where they are compared.

use strict;
use warnings;

use Test::More;
use Time::HiRes qw(time);

use dbmazz::Stream;

my $leaves = $ENV{DBMAZZ_TEST_LARGE} ? 1000 : 100;
my $compared = 10;

my ($node, $target) = start_stream(
	conf => "max_locks_per_transaction = 512\nlog_statement = none\n",
	sql => <<~"SQL",
		CREATE TABLE r (id int, part int, v text, PRIMARY KEY (id, part)) PARTITION BY LIST (part);
		CREATE TABLE l (LIKE r INCLUDING ALL) PARTITION BY LIST (part);
		DO \$\$ BEGIN
			FOR i IN 1..$leaves LOOP
				EXECUTE format('CREATE TABLE r_%1\$s PARTITION OF r FOR VALUES IN (%1\$s);
					CREATE TABLE l_%1\$s PARTITION OF l FOR VALUES IN (%1\$s)', i);
				IF i % 100 = 0 THEN COMMIT; END IF;
			END LOOP;
		END \$\$;
		SQL
	tables => ['r'],
	with => 'publish_via_partition_root = true',
	settings => ['flush_interval=50ms']);

$target->sql(query($node, <<~"SQL"), 'shop');
	SELECT string_agg(replace(dbmazz.target_ddl(('l_' || i)::regclass), E'\\n', ' '), E';\\n')
	FROM generate_series(1, $compared) i
	SQL
my $first = join ', ', map { "l_$_" } 1 .. $compared;
query($node, <<~"SQL");
	CREATE PUBLICATION leaves FOR TABLE l;
	SELECT dbmazz.create_pipeline('leaves', publication => 'leaves', slot => 'leaves', copy => false, sink => 'null',
		settings => '{flush_interval=50ms}');
	CREATE PUBLICATION first_leaves FOR TABLE $first;
	SELECT dbmazz.create_pipeline('some', publication => 'first_leaves', slot => 'some', copy => false,
		settings => '{flush_interval=50ms}');
	SQL
$node->run_pipeline('postgres', $_) for 'leaves', 'some';

# Statements for both; "@" is the letter.
sub both
{
	my ($sql) = @_;
	for my $letter ('r', 'l')
	{
		(my $text = $sql) =~ s/@/$letter/g;
		query($node, $text);
	}
	return;
}

# Rows of the leaves at the target, with those of the root in one order.
sub same
{
	my ($name) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my $begin = time;

	arrived($node);
	$node->wait_for_target('postgres', $_) for 'leaves', 'some';
	note(sprintf '%s: arrived after %.1f s', $name, time - $begin);
	dbmazz::Compare::rows_equal($node, 'postgres', 'r', $target, 'shop.r', name => "$name: through the root");
	my $source = query($node, "SELECT row_to_json(l) FROM l WHERE part <= $compared ORDER BY part, id");
	my $in_target = join "\n", map { @{ $target->rows('shop', "l_$_") } } 1 .. $compared;
	ok($source eq $in_target, "$name: leaf by leaf (" . scalar(split /\n/, $source) . ' rows)');
	is(stopped_tables($node), '', "$name: no table has stopped");
	return;
}

sub memory
{
	return map { $node->private_kb($node->worker_pid(@$_)) } [ 'decoder', 'shop' ], [ 'shipper', 'shop' ], [ 'decoder', 'leaves' ],
	  [ 'shipper', 'leaves' ];
}

my @before = memory();
both("INSERT INTO @ SELECT i, 1 + i % $leaves, 'v' || i FROM generate_series(1, 3 * $leaves) i");
same('rows');
my @after = memory();
note(sprintf 'memory for a partition in bytes: decoder %d, shipper %d through the root; %d and %d leaf by leaf',
	map { 1024 * ($after[$_] - $before[$_]) / $leaves } 0 .. 3);
cmp_ok(1024 * ($after[$_] - $before[$_]) / $leaves, '<', 40_000, "memory for a partition, decoder ($_)") for 0, 2;
cmp_ok($after[1] - $before[1], '<', 2048, 'the shipper needs one lane for the root');
cmp_ok(1024 * ($after[3] - $before[3]) / $leaves, '<', 8_000, 'and one for each leaf');
is(query($node, q(SELECT count(*), count(DISTINCT target) FROM dbmazz.stat_table WHERE pipeline = 'leaves')), "$leaves|$leaves",
	'all leaves have sent rows');

# In one transaction: changes, and rows that move from each partition to the next.
both(<<~"SQL");
	BEGIN;
	UPDATE @ SET v = v || 'x' WHERE id % 2 = 0;
	UPDATE @ SET part = 1 + part % $leaves WHERE id % 3 = 0;
	DELETE FROM @ WHERE id % 5 = 0;
	COMMIT;
	SQL
same('rows that move');

@before = memory();
both("UPDATE @ SET v = v || 'y'") for 1 .. 3;
same('more changes');
@after = memory();
cmp_ok($after[$_] - $before[$_], '<', 4096, "memory does not grow with rows ($_)") for 0 .. 3;

# All change their shape at once.
$target->sql("ALTER TABLE r ADD COLUMN n INT", 'shop');
$target->sql(join(";\n", map { "ALTER TABLE l_$_ ADD COLUMN n INT" } 1 .. $compared), 'shop');
both(<<~"SQL");
	ALTER TABLE @ ADD COLUMN n int DEFAULT 5;
	UPDATE @ SET n = part WHERE id % 2 = 1;
	UPDATE @ SET v = 'z' WHERE id % 2 = 0;
	SQL
same('a new column');

$node->stop;
$target->stop;
done_testing();
