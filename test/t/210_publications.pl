# What a publication leaves out: columns, rows, partitions, operations.

use strict;
use warnings;

use Test::More;

use dbmazz::Stream;

my ($node, $target) = start_stream(
	sql => <<~'SQL',
		CREATE TABLE columns (secret text, id int PRIMARY KEY, a int, b text);
		CREATE TABLE filtered (id int PRIMARY KEY, region text NOT NULL, v int);
		ALTER TABLE filtered REPLICA IDENTITY FULL;
		CREATE TABLE generated (id int PRIMARY KEY, a int, twice int NOT NULL GENERATED ALWAYS AS (a * 2) STORED,
			s bigint GENERATED ALWAYS AS IDENTITY, b text DEFAULT 'x');
		CREATE TABLE leaf_parent (id int, region text, v int, PRIMARY KEY (id, region)) PARTITION BY LIST (region);
		CREATE TABLE leaf_north PARTITION OF leaf_parent FOR VALUES IN ('north');
		CREATE TABLE leaf_south (v int, region text NOT NULL, gone text, id int NOT NULL);
		ALTER TABLE leaf_south DROP COLUMN gone;
		ALTER TABLE leaf_parent ATTACH PARTITION leaf_south FOR VALUES IN ('south');
		CREATE TABLE root (LIKE leaf_parent, PRIMARY KEY (id, region)) PARTITION BY LIST (region);
		CREATE TABLE root_north PARTITION OF root FOR VALUES IN ('north');
		CREATE TABLE root_south (v int, region text NOT NULL, gone text, id int NOT NULL);
		ALTER TABLE root_south DROP COLUMN gone;
		ALTER TABLE root ATTACH PARTITION root_south FOR VALUES IN ('south');
		CREATE TABLE inserts (id int PRIMARY KEY, t text);
		SQL
	tables => [qw(filtered leaf_north leaf_south)],
	run => 0,
	publication => q(TABLE columns (id, b, a), filtered WHERE (region = 'north' AND v >= 0), generated, leaf_parent),
	conf => "dbmazz.pipeline_buffer_size = 8MB\n",
	settings => ['flush_interval=0']);

# Targets without what is not published.
$target->sql($_, 'shop') for
	'CREATE TABLE columns (id INT NOT NULL, a INT, b STRING) PRIMARY KEY (id) DISTRIBUTED BY HASH (id)',
	'CREATE TABLE inserts (id INT NOT NULL, t STRING) PRIMARY KEY (id) DISTRIBUTED BY HASH (id)';
$node->create_target('postgres', 'root', $target, 'shop');
$node->create_target('postgres', 'generated', $target, 'shop');

my %more = (
	roots => q(TABLE root WITH (publish_via_partition_root = true)),
	inserts => q(TABLE inserts WITH (publish = 'insert')));
for my $name (sort keys %more)
{
	query($node, <<~"SQL");
		CREATE PUBLICATION $name FOR $more{$name};
		SELECT dbmazz.create_pipeline('$name', publication => '$name', slot => '$name', copy => false,
			settings => '{flush_interval=0}');
		SQL
	$node->run_pipeline('postgres', $name);
}
$node->run_pipeline('postgres', 'shop');

# ---- columns ------------------------------------------------------------------------------

query($node, <<~'SQL');
	INSERT INTO columns SELECT 'secret ' || i, i, i, 'b' || i FROM generate_series(1, 30) i;
	UPDATE columns SET secret = 'more' WHERE id < 10;
	UPDATE columns SET id = id + 100, a = NULL WHERE id > 20;
	DELETE FROM columns WHERE id % 3 = 0;
	SQL
arrived($node);
dbmazz::Compare::rows_equal($node, 'postgres', 'columns', $target, 'shop.columns',
	columns => [qw(id a b)], name => 'a list of columns');

query($node, <<~'SQL');
	INSERT INTO generated (id, a) SELECT i, i FROM generate_series(1, 30) i;
	UPDATE generated SET a = a + 1 WHERE id % 2 = 0;
	DELETE FROM generated WHERE id % 5 = 0;
	SQL
arrived($node);
is(stopped_tables($node), '', 'generated columns are no obstacle');
dbmazz::Compare::rows_equal($node, 'postgres', 'generated', $target, 'shop.generated',
	columns => [qw(id a s b)], name => 'a table with a generated column');

# ---- rows --------------------------------------------------------------------------------------

query($node, <<~'SQL');
	CREATE VIEW passing AS SELECT * FROM filtered WHERE region = 'north' AND v >= 0;
	INSERT INTO filtered
		SELECT i, CASE i % 2 WHEN 0 THEN 'north' ELSE 'south' END, i % 5 - 1 FROM generate_series(1, 60) i;
	UPDATE filtered SET region = 'north' WHERE id % 3 = 0;
	UPDATE filtered SET region = 'south' WHERE id % 4 = 0;
	UPDATE filtered SET v = -v WHERE id % 7 = 0;
	UPDATE filtered SET id = id + 1000 WHERE id % 10 = 0;
	DELETE FROM filtered WHERE id % 11 = 0;
	UPDATE filtered SET region = 'south', v = -1 WHERE id % 2 = 0;
	UPDATE filtered SET region = 'north', v = 1 WHERE id % 2 = 0;
	SQL
arrived($node);
dbmazz::Compare::rows_equal($node, 'postgres', 'passing', $target, 'shop.filtered',
	key => ['id'], name => 'rows that move into the filter and out of it');
cmp_ok(query($node, 'SELECT count(*) FROM passing'), '>', 0, 'some are in it');

# ---- partitions ----------------------------------------------------------------------------------

for my $table ('leaf_parent', 'root')
{
	query($node, <<~"SQL");
		INSERT INTO $table SELECT i, CASE i % 2 WHEN 0 THEN 'north' ELSE 'south' END, i FROM generate_series(1, 40) i;
		UPDATE $table SET v = -v WHERE id % 3 = 0;
		UPDATE $table SET region = 'south' WHERE id % 4 = 0;
		UPDATE $table SET id = id + 100 WHERE id % 5 = 0;
		DELETE FROM $table WHERE id % 7 = 0;
		SQL
}
same_rows($node, $target, qw(leaf_north leaf_south));
$node->wait_for_target('postgres', 'roots');
dbmazz::Compare::rows_equal($node, 'postgres', 'root', $target, 'shop.root');

# Partitions come and go.
$target->sql('CREATE TABLE leaf_east (id INT NOT NULL, region VARCHAR(100) NOT NULL, v INT)
	PRIMARY KEY (id, region) DISTRIBUTED BY HASH (id)', 'shop');
query($node, <<~'SQL');
	CREATE TABLE leaf_east PARTITION OF leaf_parent FOR VALUES IN ('east');
	CREATE TABLE root_east PARTITION OF root FOR VALUES IN ('east');
	UPDATE leaf_parent SET region = 'east' WHERE id % 2 = 0;
	UPDATE root SET region = 'east' WHERE id % 2 = 0;
	SQL
same_rows($node, $target, qw(leaf_north leaf_south leaf_east));
$node->wait_for_target('postgres', 'roots');
dbmazz::Compare::rows_equal($node, 'postgres', 'root', $target, 'shop.root', name => 'a new partition');
query($node, <<~'SQL');
	ALTER TABLE root DETACH PARTITION root_east;
	INSERT INTO root_east VALUES (5000, 'east', 1);
	UPDATE root SET v = 0;
	SQL
$node->wait_for_target('postgres', 'roots');
is($target->sql('SELECT count(*) FROM root WHERE id = 5000', 'shop'), 0, 'a partition that was detached is not sent');
is($target->sql(q(SELECT count(*) FROM root WHERE v = 0 AND region <> 'east'), 'shop'),
	query($node, 'SELECT count(*) FROM root'), 'the others are');

# ---- operations ------------------------------------------------------------------------------------

query($node, q(INSERT INTO inserts SELECT i, 'x' FROM generate_series(1, 10) i));
query($node, 'CREATE TABLE all_inserts (LIKE inserts INCLUDING ALL); INSERT INTO all_inserts SELECT * FROM inserts');
query($node, q(UPDATE inserts SET t = 'y'; DELETE FROM inserts WHERE id < 5; TRUNCATE inserts));
query($node, q(INSERT INTO inserts VALUES (1, 'again'), (20, 'new')));
query($node, q(INSERT INTO all_inserts VALUES (1, 'again'), (20, 'new') ON CONFLICT (id) DO UPDATE SET t = excluded.t));
$node->wait_for_target('postgres', 'inserts');
dbmazz::Compare::rows_equal($node, 'postgres', 'all_inserts', $target, 'shop.inserts', name => 'inserts only');

# ---- tables come and go ----------------------------------------------------------------------------------

query($node, 'CREATE TABLE added (id int PRIMARY KEY, t text)');
$node->create_target('postgres', 'added', $target, 'shop');
query($node, q(INSERT INTO added VALUES (1, 'not published yet')));
query($node, 'ALTER PUBLICATION dbmazz_pub ADD TABLE added');
query($node, q(INSERT INTO added VALUES (2, 'published')));
arrived($node);
is($target->sql('SELECT id FROM added ORDER BY id', 'shop'), '2', 'a table that is added');
query($node, q(
	ALTER PUBLICATION dbmazz_pub DROP TABLE added;
	INSERT INTO added VALUES (3, 'no more'); UPDATE columns SET b = 'z'));
arrived($node);
is($target->sql('SELECT id FROM added ORDER BY id', 'shop'), '2', 'and taken out again');
dbmazz::Compare::rows_equal($node, 'postgres', 'columns', $target, 'shop.columns', columns => [qw(id a b)]);
is(stopped_tables($node), '', 'no table has stopped');

$node->stop;
done_testing();
