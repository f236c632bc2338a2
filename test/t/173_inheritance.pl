# Classic inheritance: each table is one of its own, whatever a statement goes through.

use strict;
use warnings;

use Test::More;

use dbmazz::Stream;

my ($node, $target) = start_stream(
	sql => <<~'SQL',
		CREATE TABLE people (id int PRIMARY KEY, name text);
		CREATE TABLE workers (wage numeric(10,2), PRIMARY KEY (id)) INHERITS (people);
		CREATE TABLE managers (team text, PRIMARY KEY (id)) INHERITS (workers);
		CREATE TABLE places (id int, name text NOT NULL, PRIMARY KEY (name));
		CREATE TABLE towns (size bigint, PRIMARY KEY (id)) INHERITS (places);
		CREATE TABLE alone (id int PRIMARY KEY, name text);
		CREATE TABLE of_alone (x int, PRIMARY KEY (id)) INHERITS (alone);
		SQL
	tables => [qw(people workers managers places towns alone)],
	publication => 'TABLE people, places, ONLY alone',
	settings => ['flush_interval=0']);

# The rows of the tables themselves, without those of their children.
sub same
{
	my ($name, @tables) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;

	arrived($node);
	for my $table (@tables)
	{
		dbmazz::Compare::rows_equal($node, 'postgres', "ONLY $table", $target, "shop.$table",
			name => "$name: $table");
	}
	return;
}

my @family = qw(people workers managers);

query($node, <<~'SQL');
	INSERT INTO people SELECT i, 'person ' || i FROM generate_series(1, 20) i;
	INSERT INTO workers SELECT i, 'worker ' || i, i * 1.5 FROM generate_series(11, 30) i;
	INSERT INTO managers SELECT i, 'manager ' || i, i * 2.5, 'team ' || i FROM generate_series(21, 40) i;
	SQL
same('rows of parent and children', @family);
is($target->count('shop', 'people'), 20, 'the parent has its own rows only');

# Through the parent, and without the children; a key may be there once per table.
query($node, <<~'SQL');
	UPDATE people SET name = upper(name) WHERE id % 2 = 0;
	UPDATE ONLY people SET name = name || ' (only)' WHERE id % 3 = 0;
	UPDATE workers SET wage = -wage, id = id + 100 WHERE id % 5 = 0;
	DELETE FROM people WHERE id % 7 = 0;
	DELETE FROM ONLY workers WHERE id % 4 = 0;
	SQL
same('through the parent', @family);

# Columns come and go through the parent; key of a child is another than the parent's.
$target->sql("ALTER TABLE $_ ADD COLUMN born DATE", 'shop') for @family;
query($node, <<~'SQL');
	BEGIN;
	UPDATE people SET name = 'before' WHERE id % 3 = 0;
	ALTER TABLE people ADD COLUMN born date DEFAULT '2000-01-01';
	UPDATE people SET name = 'after' WHERE id % 5 = 0;
	COMMIT;
	UPDATE people SET born = '1999-12-31' WHERE id % 2 = 0;
	UPDATE people SET born = born;
	INSERT INTO places VALUES (1, 'here'), (2, 'there');
	INSERT INTO towns VALUES (1, 'here', 100), (2, 'here', 200), (3, 'there', 300);
	UPDATE places SET name = name || '!' WHERE id = 1;
	DELETE FROM places WHERE name = 'there';
	UPDATE towns SET id = 4 - id;
	SQL
same('columns through the parent', @family, 'places', 'towns');

# A table joins the family, and leaves it: FOR TABLE without ONLY lists the children of that time.
query($node, <<~'SQL');
	CREATE TABLE guests (LIKE people INCLUDING ALL);
	ALTER TABLE guests INHERIT people;
	INSERT INTO guests VALUES (500, 'not published');
	UPDATE people SET name = 'all of them' WHERE id >= 20;
	ALTER TABLE managers NO INHERIT workers;
	UPDATE people SET name = 'not the managers';
	UPDATE managers SET team = 'the managers';
	SQL
same('the family changes', @family);
is(query($node, q(SELECT count(*) FROM dbmazz.stat_table WHERE target = 'guests')), 0,
	'a child that came later is not published');

# ONLY at the publication.
query($node, <<~'SQL');
	INSERT INTO alone VALUES (1, 'a'), (2, 'b');
	INSERT INTO of_alone VALUES (2, 'not published', 1), (3, 'not published', 1);
	UPDATE alone SET name = name || '!';
	SQL
same('ONLY', 'alone');
is(query($node, q(SELECT count(*) FROM dbmazz.stat_table WHERE target = 'of_alone')), 0,
	'children are left out with ONLY');

is(stopped_tables($node), '', 'no table has stopped');
$node->stop;
done_testing();
