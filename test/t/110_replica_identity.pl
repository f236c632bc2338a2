# Every replica identity; deletes where the target has columns that are NOT NULL.

use strict;
use warnings;

use Test::More;

use dbmazz::Stream;

my ($node, $target) = start_stream(
	sql => <<~'SQL',
		CREATE TABLE filler (id int PRIMARY KEY, b bool NOT NULL, i2 smallint NOT NULL, i4 int NOT NULL,
			i8 bigint NOT NULL, f4 real NOT NULL, f8 float8 NOT NULL, n numeric(20,5) NOT NULL, nn numeric NOT NULL,
			c char(3) NOT NULL, v varchar(5) NOT NULL, t text NOT NULL, bin bytea NOT NULL, d date NOT NULL,
			ts timestamp NOT NULL, tz timestamptz NOT NULL, u uuid NOT NULL, j jsonb NOT NULL,
			a int[] NOT NULL, iv interval NOT NULL);
		CREATE TABLE by_index (a int NOT NULL, b text NOT NULL, c int, UNIQUE (a, b));
		ALTER TABLE by_index REPLICA IDENTITY USING INDEX by_index_a_b_key;
		CREATE TABLE mixed (id int PRIMARY KEY, a int NOT NULL, c text);
		CREATE UNIQUE INDEX mixed_key ON mixed (id, a);
		ALTER TABLE mixed REPLICA IDENTITY USING INDEX mixed_key;
		CREATE TABLE whole (id int PRIMARY KEY, a int, t text);
		ALTER TABLE whole REPLICA IDENTITY FULL;
		CREATE TABLE swapped (x text, id2 int, y int, id1 int, PRIMARY KEY (id1, id2));
		CREATE TABLE included (id int, extra text, v int, PRIMARY KEY (id) INCLUDE (extra));
		SQL
	tables => [qw(filler by_index mixed whole swapped included)],
	settings => ['flush_interval=0']);

query($node, <<~'SQL');
	INSERT INTO filler SELECT i, true, i, i, i, i, i, i, i, 'c', 'v', 't', 'bin', '2024-01-01', '2024-01-01',
		'2024-01-01', md5(i::text)::uuid, '{"a": 1}', '{1}', '1 day' FROM generate_series(1, 30) i;
	DELETE FROM filler WHERE id % 3 = 0;
	UPDATE filler SET id = id + 100 WHERE id % 5 = 0;
	SQL
same_rows($node, $target, 'filler');
query($node, 'DELETE FROM filler WHERE id > 100');
same_rows($node, $target, 'filler');

# Columns that only the target has, and that may not be NULL.
$target->sql(q(ALTER TABLE filler ADD COLUMN loaded DATETIME NOT NULL DEFAULT '2024-01-01 00:00:00'), 'shop');
query($node, 'DELETE FROM filler WHERE id < 10');
same_rows($node, $target, 'filler');

query($node, <<~'SQL');
	INSERT INTO by_index SELECT i, 'b' || i, i FROM generate_series(1, 20) i;
	UPDATE by_index SET c = -c WHERE a % 2 = 0;
	UPDATE by_index SET b = b || 'x' WHERE a % 3 = 0;
	UPDATE by_index SET a = a + 100 WHERE a % 5 = 0;
	DELETE FROM by_index WHERE a % 7 = 0;
	INSERT INTO mixed SELECT i, i, 'c' FROM generate_series(1, 20) i;
	UPDATE mixed SET a = -a WHERE id % 2 = 0;
	UPDATE mixed SET id = id + 100 WHERE id % 3 = 0;
	UPDATE mixed SET c = 'd', a = 0 WHERE id % 4 = 0;
	DELETE FROM mixed WHERE id % 5 = 0;
	INSERT INTO whole SELECT i, NULLIF(i % 3, 0), NULLIF('t' || i % 4, 't0') FROM generate_series(1, 40) i;
	UPDATE whole SET a = NULL WHERE id % 5 = 0;
	UPDATE whole SET id = id + 100, t = 'moved' WHERE id % 4 = 0;
	UPDATE whole SET t = t;
	DELETE FROM whole WHERE a IS NULL AND id % 2 = 0;
	INSERT INTO swapped SELECT 'x' || i, i % 4, i, i FROM generate_series(1, 40) i;
	UPDATE swapped SET id2 = id2 + 10 WHERE id1 % 2 = 0;
	UPDATE swapped SET x = NULL WHERE id1 % 3 = 0;
	DELETE FROM swapped WHERE id1 % 5 = 0;
	INSERT INTO included SELECT i, 'e' || i, i FROM generate_series(1, 20) i;
	UPDATE included SET extra = 'changed' WHERE id % 2 = 0;
	UPDATE included SET id = id + 50 WHERE id % 3 = 0;
	DELETE FROM included WHERE id % 5 = 0;
	SQL
arrived($node);
dbmazz::Compare::rows_equal($node, 'postgres', 'by_index', $target, 'shop.by_index', key => [ 'a', 'b' ]);
same_rows($node, $target, qw(mixed whole swapped included));

# The identity changes while it runs.
query($node, <<~'SQL');
	ALTER TABLE whole REPLICA IDENTITY DEFAULT;
	UPDATE whole SET id = id + 1000 WHERE id < 20;
	DELETE FROM whole WHERE id % 3 = 0;
	ALTER TABLE swapped REPLICA IDENTITY FULL;
	UPDATE swapped SET id1 = id1 + 1000 WHERE id1 < 20;
	DELETE FROM swapped WHERE id1 % 3 = 0;
	SQL
same_rows($node, $target, qw(whole swapped));

# NOTHING is enough for inserts, and refused for more.
query($node, <<~'SQL');
	CREATE TABLE log (id int PRIMARY KEY, t text);
	ALTER TABLE log REPLICA IDENTITY NOTHING;
	CREATE PUBLICATION inserts FOR TABLE log WITH (publish = 'insert');
	CREATE PUBLICATION everything FOR TABLE log;
	CREATE TABLE keyless (id int);
	CREATE PUBLICATION keyless FOR TABLE keyless;
	CREATE TABLE narrow (id int PRIMARY KEY, a int NOT NULL UNIQUE);
	ALTER TABLE narrow REPLICA IDENTITY USING INDEX narrow_a_key;
	CREATE PUBLICATION narrow FOR TABLE narrow;
	SELECT dbmazz.create_pipeline('log', publication => 'inserts', slot => 'log', copy => false,
		settings => '{flush_interval=0}');
	SQL
$node->create_target('postgres', 'log', $target, 'shop');
$node->run_pipeline('postgres', 'log');
query($node, q(INSERT INTO log SELECT i, 'x' FROM generate_series(1, 10) i));
$node->wait_for_target('postgres', 'log');
dbmazz::Compare::rows_equal($node, 'postgres', 'log', $target, 'shop.log');

for my $case ([ everything => qr/table public\.log has replica identity "nothing"/ ],
	[ keyless => qr/table public\.keyless has no key/ ],
	[ narrow => qr/replica identity of table public\.narrow lacks column "id"/ ])
{
	my ($publication, $message) = @$case;
	my ($status, $out, $err) = $node->psql('postgres', <<~"SQL");
		SELECT dbmazz.create_pipeline('refused_$publication', publication => '$publication',
			slot => 'refused', copy => false);
		SELECT dbmazz.start_pipeline('refused_$publication');
		SQL
	like($err, $message, "publication $publication is refused");
	like($err, qr/HINT:/, 'with a hint');
	$node->psql('postgres', "SELECT dbmazz.drop_pipeline('refused_$publication')");
}

# What becomes unfit while it runs stops alone.
query($node, <<~'SQL');
	ALTER TABLE by_index REPLICA IDENTITY FULL;
	UPDATE by_index SET c = 0 WHERE a = 1;
	SQL
like(wait_for_stop($node, 'by_index'), qr/"public\.by_index".*primary key/,
	'a table whose key is gone stops');
query($node, 'UPDATE mixed SET c = c || c');
same_rows($node, $target, qw(filler mixed whole swapped included));

$node->stop;
done_testing();
