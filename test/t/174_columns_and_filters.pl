# Column lists and row filters, also such as change while the pipeline runs.

use strict;
use warnings;

use Test::More;

use dbmazz::Stream;

my ($node, $target) = start_stream(
	sql => <<~'SQL',
		CREATE TABLE listed (secret text NOT NULL, b text, id int PRIMARY KEY, a int, c numeric(8,2));
		CREATE TABLE listed_full (secret text, id int PRIMARY KEY, a int);
		CREATE TABLE listed_pair (a int, b int, c int, PRIMARY KEY (a, b));
		CREATE TABLE by_key (id int PRIMARY KEY, v text);
		CREATE TABLE by_value (id int PRIMARY KEY, region text, n int, t text);
		ALTER TABLE by_value REPLICA IDENTITY FULL;
		CREATE TABLE by_both (hidden int, id int PRIMARY KEY, region text, n int);
		ALTER TABLE by_both REPLICA IDENTITY FULL;
		CREATE TABLE parts (id int, region text, n int, PRIMARY KEY (id, region)) PARTITION BY LIST (region);
		CREATE TABLE parts_a (n int, region text NOT NULL, gone int, id int NOT NULL);
		ALTER TABLE parts_a DROP COLUMN gone;
		ALTER TABLE parts ATTACH PARTITION parts_a FOR VALUES IN ('a');
		CREATE TABLE parts_b PARTITION OF parts FOR VALUES IN ('b');
		ALTER TABLE parts_a REPLICA IDENTITY FULL;
		ALTER TABLE parts_b REPLICA IDENTITY FULL;
		ALTER TABLE parts REPLICA IDENTITY FULL;
		SQL
	tables => [qw(by_key by_value parts)],
	publication => q(TABLE listed (id, c, a), listed_pair (b, a), by_key WHERE (id BETWEEN 10 AND 19),
		by_value WHERE (region = 'north' OR n IS NULL), parts WHERE (n >= 0)),
	with => 'publish_via_partition_root = true',
	run => 0,
	conf => "dbmazz.pipeline_buffer_size = 8MB\n",
	settings => ['flush_interval=0']);

# Targets with no more than is published.
$target->sql($_, 'shop') for
	'CREATE TABLE listed (id INT NOT NULL, a INT, c DECIMAL(8,2)) PRIMARY KEY (id) DISTRIBUTED BY HASH (id)',
	'CREATE TABLE listed_pair (a INT NOT NULL, b INT NOT NULL) PRIMARY KEY (a, b) DISTRIBUTED BY HASH (a)',
	'CREATE TABLE by_both (id INT NOT NULL, region STRING) PRIMARY KEY (id) DISTRIBUTED BY HASH (id)';
$node->run_pipeline('postgres', 'shop');

sub equal
{
	my ($name, $source, $table, %options) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;

	arrived($node);
	return dbmazz::Compare::rows_equal($node, 'postgres', $source, $target, "shop.$table", name => $name, %options);
}

# ---- lists of columns ---------------------------------------------------------------

query($node, <<~'SQL');
	INSERT INTO listed SELECT 'secret', 'b' || i, i, i, i * 1.25 FROM generate_series(1, 40) i;
	UPDATE listed SET secret = 'changed', b = NULL WHERE id % 2 = 0;
	UPDATE listed SET a = NULL, c = -c WHERE id % 3 = 0;
	UPDATE listed SET id = id + 100, secret = 'moved' WHERE id % 5 = 0;
	DELETE FROM listed WHERE id % 7 = 0;
	INSERT INTO listed_pair SELECT i % 3, i, i FROM generate_series(1, 20) i;
	UPDATE listed_pair SET c = 0;
	UPDATE listed_pair SET a = a + 10 WHERE b % 2 = 0;
	DELETE FROM listed_pair WHERE b % 5 = 0;
	SQL
equal('a list in another order', 'listed', 'listed', columns => [qw(id c a)]);
equal('nothing but the key', 'listed_pair', 'listed_pair', columns => [qw(a b)]);

# More columns, then fewer, in mid-stream; the target has one more than is sent.
$target->sql('ALTER TABLE listed ADD COLUMN b STRING', 'shop');
query($node, <<~'SQL');
	ALTER PUBLICATION dbmazz_pub SET TABLE listed (id, c, a, b), listed_pair (b, a), by_key WHERE (id BETWEEN 10 AND 19),
		by_value WHERE (region = 'north' OR n IS NULL), parts WHERE (n >= 0);
	UPDATE listed SET b = 'b, too';
	INSERT INTO listed VALUES ('secret', 'new', 1000, 1, 1);
	SQL
equal('a longer list', 'listed', 'listed', columns => [qw(id c a b)]);
query($node, <<~'SQL');
	BEGIN;
	UPDATE listed SET c = 1, a = 1 WHERE id % 2 = 0;
	ALTER PUBLICATION dbmazz_pub SET TABLE listed (a, id), listed_pair (b, a), by_key WHERE (id BETWEEN 10 AND 19),
		by_value WHERE (region = 'north' OR n IS NULL), parts WHERE (n >= 0);
	UPDATE listed SET a = 2 WHERE id % 3 = 0;
	COMMIT;
	UPDATE listed SET c = c + 1, a = 3 WHERE id % 9 = 0;
	DELETE FROM listed WHERE id = 1000;
	SQL
equal('a shorter list', 'listed', 'listed', columns => [qw(id a)]);

# Without a list again: then the target has to have all.
$target->sql("ALTER TABLE listed ADD COLUMN secret STRING", 'shop');
query($node, <<~'SQL');
	ALTER PUBLICATION dbmazz_pub SET TABLE listed, listed_pair (b, a), by_key WHERE (id BETWEEN 10 AND 19),
		by_value WHERE (region = 'north' OR n IS NULL), parts WHERE (n >= 0);
	UPDATE listed SET c = c;
	SQL
equal('no list', 'listed', 'listed');

# The key must be in it: refused at the start,
my ($status, $out, $err) = $node->psql('postgres', <<~'SQL');
	CREATE PUBLICATION nokey FOR TABLE listed_full (a), listed_pair (a, c) WITH (publish = 'insert');
	SELECT dbmazz.create_pipeline('nokey', publication => 'nokey', slot => 'nokey', copy => false);
	SELECT dbmazz.start_pipeline('nokey');
	SQL
like($err, qr/column "id" of the key of table public\.listed_full is not published/, 'a list without the key');
like($err, qr/HINT:  Add the column to the publication's column list/, 'with a hint');
($status, $out, $err) = $node->psql('postgres', <<~'SQL');
	ALTER PUBLICATION nokey SET TABLE listed_pair (a, c);
	SELECT dbmazz.start_pipeline('nokey');
	SQL
like($err, qr/column "b" of the key of table public\.listed_pair is not published/, 'half of the key');

# by the server itself where rows are updated,
($status, $out, $err) = $node->psql('postgres', <<~'SQL');
	CREATE PUBLICATION narrow FOR TABLE listed_full (a);
	INSERT INTO listed_full VALUES ('s', 1, 1);
	UPDATE listed_full SET a = 2;
	SQL
like($err, qr/cannot update table "listed_full"/, 'the server refuses updates then');
query($node, 'DROP PUBLICATION narrow');

# and where it is taken away from a table that is being replicated, that table stops.
$target->sql('CREATE TABLE listed_full (id INT NOT NULL, a INT, secret STRING)
	PRIMARY KEY (id) DISTRIBUTED BY HASH (id)', 'shop');
query($node, <<~'SQL');
	ALTER PUBLICATION nokey SET TABLE listed_full (id, a);
	SELECT dbmazz.start_pipeline('nokey');
	SQL
$node->wait_for_state('postgres', 'nokey', 'streaming');
query($node, <<~'SQL');
	INSERT INTO listed_full VALUES ('s', 2, 2);
	ALTER PUBLICATION nokey SET TABLE listed_full (a);
	INSERT INTO listed_full VALUES ('s', 3, 3);
	SQL
like(wait_for_stop($node, 'listed_full'), qr/has key columns that the publication leaves out/,
	'a key that is published no more stops the table');
is($target->sql('SELECT id, a FROM listed_full', 'shop'), '2|2', 'behind what was sent before');
query($node, q(SELECT dbmazz.stop_pipeline('nokey')));
$node->wait_for_state('postgres', 'nokey', 'stopped');
query($node, q(SELECT dbmazz.drop_pipeline('nokey'); DROP PUBLICATION nokey));

# ---- row filters ------------------------------------------------------------------------

query($node, <<~'SQL');
	CREATE VIEW by_key_passes AS SELECT * FROM by_key WHERE id BETWEEN 10 AND 19;
	CREATE VIEW by_value_passes AS SELECT * FROM by_value WHERE region = 'north' OR n IS NULL;
	CREATE VIEW parts_pass AS SELECT * FROM parts WHERE n >= 0;
	SQL

sub filters
{
	my ($name) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;

	equal("$name: by key", 'by_key_passes', 'by_key', key => ['id']);
	equal("$name: by value", 'by_value_passes', 'by_value', key => ['id']);
	equal("$name: partitions", 'parts_pass', 'parts', key => [ 'id', 'region' ]);
	return;
}

query($node, <<~'SQL');
	INSERT INTO by_key SELECT i, 'v' || i FROM generate_series(1, 30) i;
	UPDATE by_key SET id = -id WHERE id IN (10, 11, 25);
	UPDATE by_key SET id = id + 30 WHERE id IN (1, 2, 3);
	UPDATE by_key SET id = id - 21 WHERE id IN (31, 32);
	UPDATE by_key SET v = 'touched' WHERE id % 3 = 0;
	DELETE FROM by_key WHERE id % 5 = 0;
	INSERT INTO by_value SELECT i, CASE i % 3 WHEN 0 THEN 'north' WHEN 1 THEN 'south' END, NULLIF(i % 4, 0), 't'
		FROM generate_series(1, 60) i;
	UPDATE by_value SET region = 'north' WHERE id % 5 = 0;
	UPDATE by_value SET region = NULL, t = 'null is not true' WHERE id % 6 = 0;
	UPDATE by_value SET n = NULL WHERE id % 7 = 0;
	UPDATE by_value SET id = id + 100, n = 1, region = 'south' WHERE id % 8 = 0;
	UPDATE by_value SET id = id + 200, region = 'north' WHERE id % 9 = 0;
	BEGIN;
	UPDATE by_value SET region = 'south', n = 1 WHERE id < 30;
	UPDATE by_value SET region = 'north', t = 'back' WHERE id < 20;
	UPDATE by_value SET region = 'south' WHERE id < 10;
	DELETE FROM by_value WHERE id IN (5, 15, 25);
	INSERT INTO by_value VALUES (15, 'north', 1, 'anew'), (25, 'south', 1, 'anew');
	COMMIT;
	INSERT INTO parts SELECT i, CASE i % 2 WHEN 0 THEN 'a' ELSE 'b' END, i % 5 - 1 FROM generate_series(1, 40) i;
	UPDATE parts SET n = -n WHERE id % 3 = 0;
	UPDATE parts SET region = 'b', n = n - 1 WHERE region = 'a' AND id % 4 = 0;
	UPDATE parts SET n = 0 WHERE n < 0 AND id % 2 = 0;
	DELETE FROM parts WHERE id % 11 = 0;
	SQL
filters('filters');
for my $view (qw(by_key_passes by_value_passes parts_pass))
{
	cmp_ok(query($node, "SELECT count(*) FROM $view"), '>', 3, "$view: some rows pass");
}

# A filter that changes counts for what comes after it: no row moves by itself.
query($node, <<~'SQL');
	ALTER PUBLICATION dbmazz_pub SET TABLE listed, listed_pair (b, a), by_key,
		by_value WHERE (id > 0), parts WHERE (n >= 0), by_both (id, region) WHERE (n > 5 AND hidden IS NULL);
	CREATE OR REPLACE VIEW by_key_passes AS SELECT * FROM by_key;
	CREATE OR REPLACE VIEW by_value_passes AS SELECT * FROM by_value;
	UPDATE by_key SET v = v || '.';
	UPDATE by_value SET t = t || '.';
	SQL
filters('changed filters');

# A list of columns and a filter by columns that are not in it: the server wants
# the identity in both, so only inserts can be published so.
query($node, <<~'SQL');
	ALTER PUBLICATION dbmazz_pub SET (publish = 'insert');
	CREATE VIEW by_both_passes AS SELECT id, region FROM by_both WHERE n > 5 AND hidden IS NULL;
	INSERT INTO by_both SELECT NULLIF(i % 3, 0), i, 'r' || i, i FROM generate_series(1, 40) i;
	UPDATE by_both SET n = 100, region = 'not sent';
	UPDATE by_both SET n = id, region = 'r' || id;
	SQL
equal('a list of columns and a filter', 'by_both_passes', 'by_both', key => ['id']);

is(stopped_tables($node), '', 'no table has stopped');
$node->stop;
done_testing();
