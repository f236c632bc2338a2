# Types of extensions, and such as no extension has: as columns, in arrays and
# domains, as keys, and too large to be sent with every change.

use strict;
use warnings;

use Test::More;

use dbmazz::Stream;

my ($node, $target) = start_stream(
	sql => <<~'SQL',
		CREATE TYPE shout;
		CREATE FUNCTION shout_in(cstring) RETURNS shout AS 'textin' LANGUAGE internal STRICT IMMUTABLE;
		CREATE FUNCTION shout_out(shout) RETURNS cstring AS 'textout' LANGUAGE internal STRICT IMMUTABLE;
		CREATE TYPE shout (INPUT = shout_in, OUTPUT = shout_out, STORAGE = extended);
		CREATE DOMAIN loud AS shout;
		CREATE TABLE own (id int PRIMARY KEY, v shout, many shout[], d loud, n int);
		SQL
	tables => ['own'],
	publication => 'ALL TABLES',
	settings => ['flush_interval=0']);

my $noise = q(string_agg(md5(g::text || i), ''));

# ---- a type that nobody knows ----------------------------------------------------------

query($node, <<~"SQL");
	INSERT INTO own SELECT i, ('{"' || i || '\\": ü')::shout, ARRAY['a b', NULL, '']::text[]::shout[],
		('d' || i)::shout, i FROM generate_series(1, 30) i;
	INSERT INTO own SELECT 100 + i, (SELECT $noise FROM generate_series(1, 400) g)::shout, NULL, NULL, i
		FROM generate_series(1, 10) i;
	UPDATE own SET n = -n WHERE id % 2 = 0;
	UPDATE own SET id = id + 1000 WHERE id % 3 = 0;
	UPDATE own SET v = NULL, d = '' WHERE id % 5 = 0;
	DELETE FROM own WHERE id % 7 = 0;
	SQL
same_rows($node, $target, 'own');

# ---- those of contrib ------------------------------------------------------------------

sub has_extension
{
	my ($name) = @_;
	return query($node, "SELECT count(*) FROM pg_available_extensions WHERE name = '$name'");
}

# Made while the pipeline runs: their types have not been seen before.
sub new_table
{
	my ($extension, $sql, $table) = @_;
	query($node, "CREATE EXTENSION $extension; $sql");
	return $node->create_target('postgres', $table, $target, 'shop');
}

SKIP:
{
	skip 'there is no hstore', 2 unless has_extension('hstore');
	my $ddl = new_table('hstore', <<~'SQL', 'tagged');
		CREATE TABLE tagged (id int PRIMARY KEY, tags hstore, more hstore[], n int);
		SQL
	like($ddl, qr/`tags` VARCHAR\(1048576\)/, 'hstore is text in the target');
	query($node, <<~"SQL");
		INSERT INTO tagged SELECT i, hstore(ARRAY['n', i::text, 'a "b"', NULL, '', '\\ ü']),
			ARRAY['a=>1', NULL, '']::hstore[], i FROM generate_series(1, 20) i;
		INSERT INTO tagged SELECT 100 + i, hstore('k', (SELECT $noise FROM generate_series(1, 400) g)), NULL, i
			FROM generate_series(1, 10) i;
		UPDATE tagged SET n = -n;
		UPDATE tagged SET id = id + 1000 WHERE id % 2 = 0;
		UPDATE tagged SET tags = (tags || 'x=>y'::hstore) - 'n'::text WHERE id % 3 = 0;
		DELETE FROM tagged WHERE id % 5 = 0;
		SQL
	same_rows($node, $target, 'tagged');
}

# Texts that are equal to the source's index and are two keys for the target.
SKIP:
{
	skip 'there is no citext', 2 unless has_extension('citext');
	my $ddl = new_table('citext', <<~'SQL', 'people');
		CREATE DOMAIN mail AS citext CHECK (VALUE LIKE '%@%');
		CREATE TABLE people (name citext PRIMARY KEY, mail mail, names citext[], big text, n int);
		SQL
	like($ddl, qr/`name` VARCHAR\(65533\) NOT NULL/, 'a key of type citext');
	query($node, <<~"SQL");
		INSERT INTO people SELECT 'Name ' || i, 'A' || i || '\@B', ARRAY['X', 'x'],
			(SELECT $noise FROM generate_series(1, 400) g), i FROM generate_series(1, 30) i;
		UPDATE people SET n = -n WHERE n % 2 = 0;
		UPDATE people SET name = upper(name) WHERE n % 3 = 0;
		UPDATE people SET name = lower(name), mail = lower(mail) WHERE n % 5 = 0;
		DELETE FROM people WHERE name = 'nAME 7';
		INSERT INTO people VALUES ('NAME 7', NULL, '{}', 'new', 7);
		SQL
	same_rows($node, $target, 'people');
}

SKIP:
{
	skip 'there is no ltree or cube', 1 unless has_extension('ltree') && has_extension('cube');
	query($node, 'CREATE EXTENSION cube');
	new_table('ltree', <<~'SQL', 'places');
		CREATE TABLE places (path ltree PRIMARY KEY, c cube, q lquery, n int);
		ALTER TABLE places REPLICA IDENTITY FULL;
		SQL
	query($node, <<~'SQL');
		INSERT INTO places SELECT ('Top.' || i || '.x')::ltree, cube(ARRAY[i, 0.1], ARRAY[i, 1e300]), '*.x@', i
			FROM generate_series(1, 20) i;
		UPDATE places SET path = path || 'moved' WHERE n % 2 = 0;
		UPDATE places SET c = NULL WHERE n % 3 = 0;
		DELETE FROM places WHERE n % 5 = 0;
		SQL
	same_rows($node, $target, 'places');
}

is(stopped_tables($node), '', 'no table has stopped');

done_testing();
