# DDL in the middle of transactions that change rows before and after it; names that change hands.

use strict;
use warnings;

use Test::More;

use dbmazz::Stream;

my ($node, $target) = start_stream(
	sql => <<~'SQL',
		CREATE TABLE items (id int PRIMARY KEY, a int, b varchar(10), c text);
		CREATE TABLE live (id int PRIMARY KEY, v text);
		CREATE TABLE next (id int PRIMARY KEY, v text, w int);
		CREATE TABLE moved (id int PRIMARY KEY, v text);
		CREATE TABLE again (id int PRIMARY KEY, v text);
		CREATE TABLE keyed (id int PRIMARY KEY, other int NOT NULL, v text);
		CREATE SCHEMA attic;
		SQL
	tables => [qw(items live next moved again keyed)],
	publication => 'ALL TABLES',
	settings => ['flush_interval=0']);

sub columns
{
	my ($table, @definitions) = @_;
	$target->sql("ALTER TABLE $table ADD COLUMN $_", 'shop') for @definitions;
	return;
}

# ---- columns, rows before and behind in one transaction ---------------------------------

columns('items', 'd BIGINT', 'e VARCHAR(100)', 'bb VARCHAR(400)', 'f BOOLEAN');
$target->sql('ALTER TABLE items MODIFY COLUMN a BIGINT', 'shop');
query($node, <<~'SQL');
	INSERT INTO items SELECT i, i, 'b' || i, repeat('c', 10) FROM generate_series(1, 40) i;
	BEGIN;
	UPDATE items SET b = 'before' WHERE id % 2 = 0;
	INSERT INTO items VALUES (100, 1, 'before', 'x');
	ALTER TABLE items ADD COLUMN d bigint DEFAULT 10000000000, ADD COLUMN e text NOT NULL DEFAULT 'e''"\';
	UPDATE items SET a = a + 1 WHERE id % 3 = 0;
	DELETE FROM items WHERE id % 7 = 0;
	INSERT INTO items VALUES (101, 1, 'after', 'x');
	ALTER TABLE items ALTER a TYPE bigint, ALTER b TYPE text;
	UPDATE items SET a = 10000000000, b = 'longer than before' WHERE id % 5 = 0;
	ALTER TABLE items DROP COLUMN c;
	UPDATE items SET d = -d WHERE id % 4 = 0;
	INSERT INTO items VALUES (102, 1, 'last', 1, 'e');
	COMMIT;
	SQL
arrived($node);

# rows of before were not sent again, so the target does not know the default
is($target->sql('SELECT count(*) FROM items WHERE e IS NULL', 'shop') > 0, 1, 'ADD COLUMN sends no row');
query($node, 'UPDATE items SET a = a');
same_rows($node, $target, 'items');

# Names and columns change places.
query($node, <<~'SQL');
	BEGIN;
	UPDATE items SET b = 'to b' WHERE id % 2 = 0;
	ALTER TABLE items RENAME COLUMN b TO bb;
	UPDATE items SET bb = 'to bb' WHERE id % 3 = 0;
	ALTER TABLE items RENAME COLUMN e TO b;
	UPDATE items SET b = 'was e' WHERE id % 5 = 0;
	ALTER TABLE items ADD COLUMN f boolean;
	ALTER TABLE items ALTER f SET DEFAULT true, ALTER b DROP NOT NULL;
	INSERT INTO items (id, b) VALUES (200, NULL);
	UPDATE items SET f = id % 2 = 0;
	COMMIT;
	SQL
same_rows($node, $target, 'items');
query($node, <<~'SQL');
	BEGIN;
	ALTER TABLE items RENAME COLUMN b TO swap;
	ALTER TABLE items RENAME COLUMN bb TO b;
	ALTER TABLE items RENAME COLUMN swap TO bb;
	UPDATE items SET b = b, bb = coalesce(bb, 'none');
	ALTER TABLE items ALTER bb SET NOT NULL;
	UPDATE items SET bb = bb || '.' WHERE id % 2 = 0;
	COMMIT;
	SQL
same_rows($node, $target, 'items');

# Subtransactions that do and undo.
columns('items', 'kept INT');
query($node, <<~'SQL');
	BEGIN;
	UPDATE items SET a = 1 WHERE id % 2 = 0;
	SAVEPOINT one;
	ALTER TABLE items ADD COLUMN gone int DEFAULT 1;
	UPDATE items SET gone = 2, a = 2;
	INSERT INTO items (id, bb, gone) VALUES (300, 'gone', 1);
	ROLLBACK TO one;
	ALTER TABLE items ADD COLUMN kept int DEFAULT 3;
	UPDATE items SET kept = 4, a = 4 WHERE id % 3 = 0;
	SAVEPOINT two;
	ALTER TABLE items ALTER kept TYPE text;
	UPDATE items SET kept = 'not a number';
	ROLLBACK TO two;
	UPDATE items SET kept = coalesce(kept, 0) + 1;
	RELEASE two;
	COMMIT;
	BEGIN;
	ALTER TABLE items ADD COLUMN never int;
	UPDATE items SET never = 1;
	ROLLBACK;
	UPDATE items SET a = a + 1 WHERE id < 10;
	SQL
same_rows($node, $target, 'items');

# A large value that stays, on both sides of an ALTER.
columns('items', 'big STRING');
query($node, <<~'SQL');
	ALTER TABLE items ADD COLUMN big text;
	ALTER TABLE items ALTER big SET STORAGE EXTERNAL;
	UPDATE items SET big = repeat(id::text, 3000) WHERE id % 2 = 0;
	BEGIN;
	UPDATE items SET a = 7 WHERE id % 4 = 0;
	ALTER TABLE items DROP COLUMN kept;
	UPDATE items SET a = a + 1 WHERE id % 4 = 0;
	ALTER TABLE items ADD COLUMN kept int;
	UPDATE items SET a = a + 1, kept = id WHERE id % 3 = 0;
	UPDATE items SET kept = 0 WHERE kept IS NULL;
	COMMIT;
	SQL
same_rows($node, $target, 'items');

# ---- tables --------------------------------------------------------------------------------

# Two tables change names, as one does to fill a table anew: rows before go to the one, behind to the other.
columns('live', 'w INT');
query($node, <<~'SQL');
	INSERT INTO live SELECT i, 'live' FROM generate_series(1, 10) i;
	INSERT INTO next SELECT i, 'next', i FROM generate_series(1, 10) i;
	SQL
arrived($node);
query($node, <<~'SQL');
	BEGIN;
	UPDATE live SET v = 'first live' WHERE id <= 2;
	UPDATE next SET v = 'first next' WHERE id <= 2;
	ALTER TABLE live RENAME TO aside;
	ALTER TABLE next RENAME TO live;
	ALTER TABLE aside RENAME TO next;
	UPDATE live SET v = 'then live' WHERE id IN (2, 3);
	UPDATE next SET v = 'then next' WHERE id IN (2, 3);
	COMMIT;
	SQL
arrived($node);
is($target->sql('SELECT id, v FROM live WHERE id < 5 ORDER BY id', 'shop'),
	"1|first live\n2|then live\n3|then live\n4|live", 'names swapped: live');
is($target->sql('SELECT id, v FROM next WHERE id < 5 ORDER BY id', 'shop'),
	"1|first next\n2|then next\n3|then next\n4|next", 'names swapped: next');
query($node, 'UPDATE live SET v = v; UPDATE next SET v = v');
arrived($node);
dbmazz::Compare::rows_equal($node, 'postgres', $_, $target, "shop.$_") for 'live', 'next';

# To another schema and back: the template has no schema, so the target stays.
query($node, <<~'SQL');
	INSERT INTO moved SELECT i, 'public' FROM generate_series(1, 10) i;
	BEGIN;
	UPDATE moved SET v = 'before' WHERE id = 1;
	ALTER TABLE moved SET SCHEMA attic;
	UPDATE attic.moved SET v = 'attic' WHERE id = 2;
	DELETE FROM attic.moved WHERE id = 3;
	COMMIT;
	INSERT INTO attic.moved VALUES (11, 'attic');
	ALTER SCHEMA attic RENAME TO cellar;
	UPDATE cellar.moved SET v = 'cellar' WHERE id = 4;
	SQL
arrived($node);
dbmazz::Compare::rows_equal($node, 'postgres', 'cellar.moved', $target, 'shop.moved');
query($node, q(ALTER TABLE cellar.moved SET SCHEMA public; UPDATE moved SET v = 'back' WHERE id > 5));
same_rows($node, $target, 'moved');

# Dropped and made again in one transaction: the target keeps what was not deleted.
query($node, <<~'SQL');
	INSERT INTO again SELECT i, 'first' FROM generate_series(1, 10) i;
	BEGIN;
	UPDATE again SET v = 'before the drop' WHERE id = 1;
	DELETE FROM again WHERE id > 5;
	DROP TABLE again;
	CREATE TABLE again (v text, id bigint PRIMARY KEY);
	INSERT INTO again SELECT 'second', i FROM generate_series(1, 3) i;
	COMMIT;
	SQL
arrived($node);
is($target->sql('SELECT id, v FROM again ORDER BY id', 'shop'),
	"1|second\n2|second\n3|second\n4|first\n5|first", 'a table that was made again');
query($node, q(INSERT INTO again VALUES ('second', 4), ('second', 5); UPDATE again SET v = v || id));
same_rows($node, $target, 'again');

# Its key is dropped for a while; what needs none goes on, for an INSERT is one of the row it was.
query($node, <<~'SQL');
	INSERT INTO keyed SELECT i, i, 'v' FROM generate_series(1, 10) i;
	BEGIN;
	UPDATE keyed SET v = 'before' WHERE id = 1;
	ALTER TABLE keyed DROP CONSTRAINT keyed_pkey;
	ALTER TABLE keyed ADD PRIMARY KEY (id);
	UPDATE keyed SET v = 'after' WHERE id = 2;
	COMMIT;
	UPDATE keyed SET id = id + 10 WHERE id > 5;
	SQL
same_rows($node, $target, 'keyed');

# Another owner, comments, indexes, triggers, rules, statistics, storage: no matter.
query($node, <<~'SQL');
	CREATE ROLE somebody;
	BEGIN;
	UPDATE keyed SET v = 'one' WHERE id = 1;
	ALTER TABLE keyed OWNER TO somebody;
	COMMENT ON TABLE keyed IS 'a comment';
	CREATE INDEX ON keyed (v);
	CREATE STATISTICS keyed_stats ON id, other FROM keyed;
	ALTER TABLE keyed SET (fillfactor = 50), ALTER v SET STORAGE MAIN, ALTER v SET STATISTICS 10;
	ALTER TABLE keyed ADD CHECK (id > 0), ADD UNIQUE (other), ENABLE ROW LEVEL SECURITY;
	CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.v = NEW.v || '+'; RETURN NEW; END $$;
	CREATE TRIGGER touch BEFORE UPDATE ON keyed FOR EACH ROW EXECUTE FUNCTION touch();
	UPDATE keyed SET v = 'two' WHERE id = 2;
	ANALYZE keyed;
	COMMIT;
	UPDATE keyed SET v = 'three' WHERE id = 3;
	SQL
same_rows($node, $target, 'keyed');
is(query($node, q(SELECT v FROM keyed WHERE id = 3)), 'three+', 'triggers are at work');

# What became NULL where the target does not take it stops the table, and goes on with the remedy.
query($node, q(ALTER TABLE keyed ALTER other DROP NOT NULL; UPDATE keyed SET other = NULL WHERE id = 1));
ok(wait_for_stop($node, 'keyed'), 'a NULL that the target does not take');
restart_stream($node, sub { $target->sql('ALTER TABLE keyed MODIFY COLUMN other INT NULL', 'shop') });
same_rows($node, $target, 'keyed', 'items', 'moved', 'again');

is(stopped_tables($node), '', 'no table has stopped');
$node->stop;
done_testing();
