# Tables that come into the publication while the pipeline runs: rows that its owner
# may not read do not leave the database.

use strict;
use warnings;

use Test::More;

use dbmazz::Compare;
use dbmazz::Node;
use dbmazz::Sandbox;
use dbmazz::Stream;

my $target = dbmazz::Sandbox->new;
my $node = dbmazz::Node->start_new('main', sandbox => $target, database => 'shop',
	conf => "dbmazz.checkpoint_interval = 100\ndbmazz.flush_interval = 0\n");
query($node, <<~'SQL');
	CREATE ROLE etl;
	GRANT USAGE ON SCHEMA dbmazz TO etl;
	GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA dbmazz TO etl;
	CREATE TABLE orders (id int PRIMARY KEY, note text);
	CREATE TABLE parts (id int PRIMARY KEY, note text) PARTITION BY RANGE (id);
	CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM (0) TO (100);
	CREATE TABLE whole (id int PRIMARY KEY, note text) PARTITION BY RANGE (id);
	CREATE TABLE secret (id int PRIMARY KEY, note text);
	CREATE TABLE columns (id int PRIMARY KEY, note text, hidden text);
	CREATE TABLE policies (id int PRIMARY KEY, note text);
	ALTER TABLE policies ENABLE ROW LEVEL SECURITY;
	GRANT SELECT ON policies, orders, parts TO etl;
	CREATE PUBLICATION dbmazz_pub FOR TABLE orders, parts;
	SQL
$target->sql('CREATE DATABASE shop');
$node->create_target('postgres', $_, $target, 'shop') for qw(orders parts_1 secret policies columns);
query($node, <<~'SQL');
	SET ROLE etl;
	SELECT dbmazz.create_pipeline('shop', copy => false);
	SELECT dbmazz.start_pipeline('shop');
	SQL
$node->wait_for_state('postgres', 'shop', 'streaming');
query($node, "INSERT INTO orders VALUES (1, 'a'); INSERT INTO parts VALUES (1, 'a')");
same_rows($node, $target, 'orders', 'parts_1');

# ---- a table without the privilege -----------------------------------------------------

query($node, <<~'SQL');
	ALTER PUBLICATION dbmazz_pub ADD TABLE secret;
	INSERT INTO secret VALUES (1, 'nobody should know');
	INSERT INTO orders VALUES (2, 'a');
	SQL
my $why = wait_for_stop($node, 'secret');
like($why, qr/permission denied for table "public\.secret".*GRANT SELECT/is, 'the table stops, with a hint');
same_rows($node, $target, 'orders');
is($target->count('shop', 'secret'), 0, 'no row of it was sent');
is(scalar $target->loads(table => 'secret'), 0, 'none was on its way');

# The privilege comes later than the rows.
query($node, "INSERT INTO secret VALUES (2, 'b'); UPDATE secret SET note = 'c' WHERE id = 1");
restart_stream($node, sub { query($node, 'GRANT SELECT ON secret TO etl') });
same_rows($node, $target, 'orders', 'secret');
is(stopped_tables($node), '', 'it goes on when it is granted');
query($node, "UPDATE secret SET note = 'd'");
same_rows($node, $target, 'secret');

# A revoked one counts for rows that are written afterwards.
query($node, "REVOKE SELECT ON secret FROM etl; UPDATE secret SET note = 'nobody should know'");
like(wait_for_stop($node, 'secret'), qr/permission denied/, 'the table stops when it is revoked');
is($target->sql("SELECT count(*) FROM secret WHERE note = 'd'", 'shop'), 2, 'no row of later was sent');
restart_stream($node, sub { query($node, 'GRANT SELECT ON secret TO etl') });
same_rows($node, $target, 'secret');

# Published columns are enough.
query($node, <<~'SQL');
	GRANT SELECT (id, note) ON columns TO etl;
	ALTER PUBLICATION dbmazz_pub ADD TABLE columns (id, note);
	INSERT INTO columns VALUES (1, 'a', 'nobody should know');
	SQL
arrived($node);
is($target->sql('SELECT id, note, hidden FROM columns', 'shop'), '1|a|', 'columns that may be read');

# ---- partitions ------------------------------------------------------------------------

query($node, 'CREATE TABLE parts_2 PARTITION OF parts FOR VALUES FROM (100) TO (200)');
$node->create_target('postgres', $_, $target, 'shop') for qw(parts_2 whole);
query($node, "INSERT INTO parts VALUES (101, 'a')");
same_rows($node, $target, 'parts_1', 'parts_2');
is(stopped_tables($node), '', 'a new partition may be read by the right to read its root');

# Published as its root, of which the owner has no right.
query($node, <<~'SQL');
	ALTER PUBLICATION dbmazz_pub SET (publish_via_partition_root = true);
	ALTER PUBLICATION dbmazz_pub ADD TABLE whole;
	CREATE TABLE whole_1 PARTITION OF whole FOR VALUES FROM (0) TO (100);
	GRANT SELECT ON whole_1 TO etl;
	INSERT INTO whole VALUES (1, 'a');
	SQL
$why = wait_for_stop($node, 'whole');
like($why, qr/permission denied for table "public\.whole"/, 'a root without the privilege');
restart_stream($node, sub { query($node, 'GRANT SELECT ON whole TO etl') });
same_rows($node, $target, 'whole');

# ---- row-level security, and a table that is gone -----------------------------------------

query($node, <<~'SQL');
	ALTER PUBLICATION dbmazz_pub ADD TABLE policies;
	INSERT INTO policies VALUES (1, 'nobody should know');
	SQL
$why = wait_for_stop($node, 'policies');
like($why, qr/row-level security of table "public\.policies".*BYPASSRLS/s, 'policies that apply to the owner');
restart_stream($node, sub { query($node, 'ALTER ROLE etl BYPASSRLS') });
same_rows($node, $target, 'policies');

query($node, <<~'SQL');
	BEGIN;
	CREATE TABLE gone (id int PRIMARY KEY, note text);
	ALTER PUBLICATION dbmazz_pub ADD TABLE gone;
	INSERT INTO gone VALUES (1, 'nobody should know');
	DROP TABLE gone;
	COMMIT;
	SQL
$why = wait_for_stop($node, 'gone');
like($why, qr/permission denied for table "public\.gone".*pg_read_all_data/s, 'a table that was dropped since');
$target->sql('CREATE TABLE gone (id INT NOT NULL, note STRING) PRIMARY KEY (id) DISTRIBUTED BY HASH (id)', 'shop');
restart_stream($node, sub { query($node, 'GRANT pg_read_all_data TO etl') });
arrived($node);
is($target->count('shop', 'gone'), 1, 'somebody who may read all gets it');
is(stopped_tables($node), '', 'nothing has stopped');

$node->stop;
done_testing();
