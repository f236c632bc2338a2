# Partitioned tables: leaf by leaf, and through their root.

use strict;
use warnings;

use Test::More;

use dbmazz::Stream;

my ($node, $target) = start_stream(
	sql => <<~'SQL',
		-- published leaf by leaf
		CREATE TABLE l (id int, part int, v text, PRIMARY KEY (id, part)) PARTITION BY LIST (part);
		CREATE TABLE l_1 PARTITION OF l FOR VALUES IN (1);
		CREATE TABLE l_2 (v text, part int NOT NULL, gone int, id int NOT NULL);
		ALTER TABLE l_2 DROP COLUMN gone;
		ALTER TABLE l ATTACH PARTITION l_2 FOR VALUES IN (2);
		CREATE TABLE l_3 PARTITION OF l FOR VALUES IN (3, 4) PARTITION BY RANGE (id);
		CREATE TABLE l_3a PARTITION OF l_3 FOR VALUES FROM (MINVALUE) TO (100);
		CREATE TABLE l_3b PARTITION OF l_3 FOR VALUES FROM (100) TO (MAXVALUE);
		ALTER TABLE l_1 REPLICA IDENTITY FULL;
		CREATE TABLE l_default PARTITION OF l DEFAULT;

		-- the same, published as the root
		CREATE TABLE r (id int, part int, v text, PRIMARY KEY (id, part)) PARTITION BY LIST (part);
		CREATE TABLE r_1 PARTITION OF r FOR VALUES IN (1);
		CREATE TABLE r_2 (v text, part int NOT NULL, gone int, id int NOT NULL);
		ALTER TABLE r_2 DROP COLUMN gone;
		ALTER TABLE r ATTACH PARTITION r_2 FOR VALUES IN (2);
		CREATE TABLE r_3 PARTITION OF r FOR VALUES IN (3, 4) PARTITION BY RANGE (id);
		CREATE TABLE r_3a PARTITION OF r_3 FOR VALUES FROM (MINVALUE) TO (100);
		CREATE TABLE r_3b PARTITION OF r_3 FOR VALUES FROM (100) TO (MAXVALUE);
		ALTER TABLE r_1 REPLICA IDENTITY FULL;
		CREATE TABLE r_default PARTITION OF r DEFAULT;
		SQL
	tables => [qw(l_1 l_2 l_3a l_3b l_default)],
	run => 0,
	publication => 'TABLE l',
	conf => "dbmazz.pipeline_buffer_size = 4MB\n",
	settings => ['flush_interval=0']);

my @leaves = qw(l_1 l_2 l_3a l_3b l_default);
$node->create_target('postgres', 'r', $target, 'shop');
query($node, <<~'SQL');
	CREATE PUBLICATION roots FOR TABLE r WITH (publish_via_partition_root = true);
	SELECT dbmazz.create_pipeline('roots', publication => 'roots', slot => 'roots', copy => false,
		settings => '{flush_interval=0}');
	SQL
$node->run_pipeline('postgres', $_) for 'shop', 'roots';

# Statements for both; "@" is the letter.
sub both
{
	my ($sql) = @_;
	for my $letter ('l', 'r')
	{
		(my $text = $sql) =~ s/@/$letter/g;
		query($node, $text);
	}
	return;
}

sub same
{
	my ($name) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;

	arrived($node);
	$node->wait_for_target('postgres', 'roots');
	dbmazz::Compare::rows_equal($node, 'postgres', $_, $target, "shop.$_", name => "$name: $_") for @leaves, 'r';
	is(stopped_tables($node), '', "$name: no table has stopped");
	return;
}

is(query($node, q(SELECT count(*) FROM pg_publication_tables WHERE pubname = 'dbmazz_pub')), scalar @leaves,
	'each leaf is a table of its own');

both(<<~'SQL');
	INSERT INTO @ SELECT i, i % 6 + 1, 'v' || i FROM generate_series(1, 200) i;
	UPDATE @ SET v = v || 'x' WHERE id % 3 = 0;
	DELETE FROM @ WHERE id % 11 = 0;
	SQL
same('rows');

# Rows that move: a DELETE here and an INSERT there, one row for the root.
both(<<~'SQL');
	UPDATE @ SET part = 2 WHERE part = 1 AND id % 2 = 0;
	UPDATE @ SET part = 1, v = 'moved' WHERE part = 2 AND id % 3 = 0;
	UPDATE @ SET id = id + 100 WHERE part = 3 AND id < 50;
	UPDATE @ SET id = id - 100 WHERE part = 3 AND id > 120;
	UPDATE @ SET part = part + 10 WHERE part > 4 AND id % 2 = 0;
	UPDATE @ SET part = 4 WHERE part > 10 AND id % 4 = 0;
	SQL
same('rows that move');

# There and back in one transaction, and two rows that change places.
both(<<~'SQL');
	BEGIN;
	UPDATE @ SET part = 2 WHERE part = 1;
	UPDATE @ SET part = 5 WHERE part = 2 AND id % 2 = 0;
	UPDATE @ SET part = 1 WHERE part = 5 AND id % 2 = 0;
	UPDATE @ SET v = 'last' WHERE part = 1;
	DELETE FROM @ WHERE part = 1 AND id % 7 = 0;
	INSERT INTO @ SELECT id, 1, 'instead' FROM @ WHERE part = 2 ON CONFLICT (id, part) DO NOTHING;
	COMMIT;
	BEGIN;
	INSERT INTO @ VALUES (1000, 1, 'a'), (1000, 2, 'b');
	UPDATE @ SET part = 9 WHERE id = 1000 AND part = 1;
	UPDATE @ SET part = 1 WHERE id = 1000 AND part = 2;
	UPDATE @ SET part = 2 WHERE id = 1000 AND part = 9;
	COMMIT;
	SQL
same('places swapped');

# ---- partitions come and go ------------------------------------------------------------

# New ones of every kind, in the transaction that fills them.
$target->sql('CREATE TABLE l_20 (id INT NOT NULL, part INT NOT NULL, v STRING)
	PRIMARY KEY (id, part) DISTRIBUTED BY HASH (id)', 'shop');
$target->sql('CREATE TABLE l_30x (id INT NOT NULL, part INT NOT NULL, v STRING)
	PRIMARY KEY (id, part) DISTRIBUTED BY HASH (id)', 'shop');
push @leaves, 'l_20', 'l_30x';
both(<<~'SQL');
	BEGIN;
	INSERT INTO @ VALUES (2000, 1, 'before');
	CREATE TABLE @_20 PARTITION OF @ FOR VALUES IN (20);
	INSERT INTO @ SELECT i, 20, 'new' FROM generate_series(1, 30) i;
	UPDATE @ SET part = 20 WHERE id = 2000;
	CREATE TABLE @_30 PARTITION OF @ FOR VALUES IN (30) PARTITION BY HASH (id);
	CREATE TABLE @_30x PARTITION OF @_30 FOR VALUES WITH (MODULUS 1, REMAINDER 0);
	INSERT INTO @ SELECT i, 30, 'new' FROM generate_series(101, 130) i;
	UPDATE @ SET part = 30 WHERE part = 20 AND id % 2 = 0;
	COMMIT;
	SQL
same('new partitions');

# A table with rows becomes a partition: its rows of before are not sent.
$target->sql('CREATE TABLE l_40 (id INT NOT NULL, part INT NOT NULL, v STRING)
	PRIMARY KEY (id, part) DISTRIBUTED BY HASH (id)', 'shop');
both(<<~'SQL');
	CREATE TABLE @_40 (x date, v text, part int NOT NULL, id int NOT NULL, PRIMARY KEY (id, part));
	ALTER TABLE @_40 DROP COLUMN x;
	INSERT INTO @_40 SELECT 'before', 40, i FROM generate_series(1, 10) i;
	ALTER TABLE @ ATTACH PARTITION @_40 FOR VALUES IN (40);
	INSERT INTO @ SELECT i, 40, 'later' FROM generate_series(101, 110) i;
	SQL
arrived($node);
$node->wait_for_target('postgres', 'roots');
for my $table ('r', 'l_40')
{
	is($target->sql("SELECT count(*), min(v) FROM $table WHERE part = 40", 'shop'), '10|later',
		"rows that came with an attached partition are not sent: $table");
}
both(q(UPDATE @ SET v = 'touched' WHERE part = 40));
push @leaves, 'l_40';
same('but with any change of them');

# Detached: no longer published, but a table that goes on by itself may be.
both(<<~'SQL');
	BEGIN;
	UPDATE @ SET v = 'still' WHERE part = 2;
	DELETE FROM @ WHERE part = 20 AND id > 10;
	ALTER TABLE @ DETACH PARTITION @_20;
	INSERT INTO @_20 VALUES (9000, 20, 'not sent');
	DELETE FROM @_20 WHERE id < 5;
	INSERT INTO @ VALUES (9001, 21, 'sent');
	COMMIT;
	SQL
arrived($node);
$node->wait_for_target('postgres', 'roots');
is($target->sql("SELECT count(*) FROM $_ WHERE part = 20 AND id < 5", 'shop'), 2,
	"the target keeps the rows of a detached partition: $_") for 'l_20', 'r';
is($target->sql("SELECT count(*) FROM $_ WHERE id = 9000", 'shop'), 0,
	"and gets no more: $_") for 'l_20', 'r';
@leaves = grep { $_ ne 'l_20' } @leaves;
$target->sql('DELETE FROM r WHERE part = 20', 'shop');
same('the others go on');

# Back again, as it is now.
$target->sql('TRUNCATE TABLE l_20', 'shop');
both(<<~'SQL');
	ALTER TABLE @ ATTACH PARTITION @_20 FOR VALUES IN (20);
	UPDATE @ SET v = 'back' WHERE part = 20;
	DROP TABLE @_30;
	SQL
$target->sql('DELETE FROM r WHERE part = 30', 'shop');
push @leaves, 'l_20';
@leaves = grep { $_ ne 'l_30x' } @leaves;
same('attached again, another dropped');

# ---- columns ------------------------------------------------------------------------------

$target->sql("ALTER TABLE $_ ADD COLUMN n INT", 'shop') for @leaves, 'r';
both(<<~'SQL');
	BEGIN;
	UPDATE @ SET v = 'old shape' WHERE id % 4 = 0;
	ALTER TABLE @ ADD COLUMN n int DEFAULT 5;
	UPDATE @ SET v = 'new shape' WHERE id % 3 = 0;
	INSERT INTO @ VALUES (5000, 1, 'x', 1), (5000, 2, 'x', 2), (5000, 3, 'x', 3);
	ALTER TABLE @ RENAME COLUMN v TO w;
	ALTER TABLE @ RENAME COLUMN w TO v;
	UPDATE @ SET n = part;
	COMMIT;
	SQL
same('a new column');

# ---- the identity of partitions -----------------------------------------------------------

both(<<~'SQL');
	ALTER TABLE @_1 REPLICA IDENTITY DEFAULT;
	ALTER TABLE @_2 REPLICA IDENTITY FULL;
	ALTER TABLE @_3a REPLICA IDENTITY USING INDEX @_3a_pkey;
	UPDATE @ SET id = id + 20000 WHERE id % 2 = 0;
	DELETE FROM @ WHERE id % 3 = 0;
	SQL
same('other identities');

# ---- published both ways at once -------------------------------------------------------------

# A leaf has the root's name in another schema: one target, which is refused.
query($node, <<~'SQL');
	CREATE SCHEMA archive;
	CREATE TABLE archive.r (id int, part int, v text, PRIMARY KEY (id, part)) PARTITION BY LIST (part);
	CREATE TABLE archive.leaf PARTITION OF archive.r FOR VALUES IN (1);
	CREATE SCHEMA old;
	CREATE TABLE old.r PARTITION OF archive.r FOR VALUES IN (2);
	CREATE PUBLICATION archive FOR TABLE archive.r;
	CREATE PUBLICATION clash FOR TABLE archive.r, r;
	SELECT dbmazz.create_pipeline('clash', publication => 'clash', slot => 'clash', copy => false);
	SELECT dbmazz.create_pipeline('archive', publication => 'archive', slot => 'archive', copy => false,
		settings => '{"table_name_template={schema}_{table}"}');
	SQL
my ($status, $out, $err) = $node->psql('postgres', q(SELECT dbmazz.start_pipeline('clash')));
is($status, 0, 'the name of a root is free where its leaves are published') or diag $err;
query($node, q(SELECT dbmazz.stop_pipeline('clash')));
$target->sql("CREATE TABLE $_ (id INT NOT NULL, part INT NOT NULL, v STRING)
	PRIMARY KEY (id, part) DISTRIBUTED BY HASH (id)", 'shop') for 'archive_leaf', 'old_r';
$node->run_pipeline('postgres', 'archive');
query($node, <<~'SQL');
	INSERT INTO archive.r SELECT i, i % 2 + 1, 'x' FROM generate_series(1, 10) i;
	UPDATE archive.r SET part = 2 WHERE id = 2;
	SQL
$node->wait_for_target('postgres', 'archive');
dbmazz::Compare::rows_equal($node, 'postgres', "$_->[0]", $target, "shop.$_->[1]")
	for [ 'archive.leaf', 'archive_leaf' ], [ 'old.r', 'old_r' ];

# From the leaves to the root while it runs: the rows so far must be loaded there.
$target->sql('CREATE TABLE l (id INT NOT NULL, part INT NOT NULL, v STRING, n INT)
	PRIMARY KEY (id, part) DISTRIBUTED BY HASH (id)', 'shop');
query($node, <<~'SQL');
	ALTER PUBLICATION dbmazz_pub SET (publish_via_partition_root = true);
	UPDATE l SET n = n + 1;
	INSERT INTO l VALUES (30000, 1, 'x', 1);
	SQL
arrived($node);
dbmazz::Compare::rows_equal($node, 'postgres', 'l', $target, 'shop.l', name => 'from leaves to the root');

is(stopped_tables($node), '', 'no table has stopped');
$node->stop;
done_testing();
