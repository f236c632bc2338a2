# Updates that leave large (TOASTed) values alone: what was not sent is kept.

use strict;
use warnings;

use Test::More;

use dbmazz::Stream;

my $wide = join ', ', map { "c$_ text" } 1 .. 70;
my $external = join ', ', map { "ALTER c$_ SET STORAGE EXTERNAL" } 1 .. 70;

my ($node, $target) = start_stream(
	sql => <<~"SQL",
		CREATE FUNCTION large(i int) RETURNS text LANGUAGE sql
			AS 'SELECT repeat(md5(i::text), 80)';
		CREATE TABLE docs (id int PRIMARY KEY, title text, body text, extra text, n int);
		ALTER TABLE docs ALTER body SET STORAGE EXTERNAL, ALTER extra SET STORAGE EXTERNAL;
		CREATE TABLE docs_full (LIKE docs INCLUDING ALL);
		ALTER TABLE docs_full REPLICA IDENTITY FULL;
		CREATE TABLE wide (id int PRIMARY KEY, $wide);
		ALTER TABLE wide $external;
		CREATE TABLE late (LIKE docs INCLUDING ALL);
		SQL
	tables => [qw(docs docs_full wide late)],
	settings => [ 'flush_interval=0', 'batch_max_rows=100' ]);

sub settings
{
	my (@settings) = @_;
	my $list = join ', ', map { "'$_'" } @settings;
	query($node, "SELECT dbmazz.alter_pipeline('shop', settings => ARRAY[$list])");
	return;
}

# ---- one statement at a time -------------------------------------------------

for my $table ('docs', 'docs_full')
{
	query($node, <<~"SQL");
		INSERT INTO $table SELECT i, 'title ' || i, large(i), large(-i), i
			FROM generate_series(1, 60) i;
		SQL
	arrived($node);
	$target->clear_loads;
	query($node, "UPDATE $table SET title = 'new', n = n + 1 WHERE id <= 30");
	query($node, "UPDATE $table SET body = large(id + 1000) WHERE id BETWEEN 11 AND 40");
	query($node, "UPDATE $table SET extra = NULL, title = NULL WHERE id BETWEEN 21 AND 50");
	query($node, "UPDATE $table SET body = '', extra = large(7) WHERE id BETWEEN 25 AND 28");
	query($node, "UPDATE $table SET id = id + 100, body = 'x', extra = large(8) WHERE id > 55");
	same_rows($node, $target, $table);
	my @partial = grep { ($_->{headers}{partial_update} // '') eq 'true' }
	  $target->loads(table => $table);
	if ($table eq 'docs')
	{
		cmp_ok(scalar @partial, '>', 0, 'kept values are not sent');
	}
	else
	{
		is(scalar @partial, 0, 'with replica identity FULL every row is whole');
	}
}

query($node, <<~'SQL');
	UPDATE docs_full SET id = id + 1000 WHERE id <= 5;
	UPDATE docs_full SET id = id - 1000, title = 'back' WHERE id > 1000;
	SQL
same_rows($node, $target, 'docs_full');

# ---- 70 columns, each with a large value -------------------------------------

{
	my $large = join ', ', map { "large(i * 100 + $_)" } 1 .. 70;
	query($node, "INSERT INTO wide SELECT i, $large FROM generate_series(1, 4) i");
	query($node, q(UPDATE wide SET c1 = 'one' WHERE id = 1));
	query($node, q(UPDATE wide SET c64 = 'sixty-four', c65 = NULL WHERE id = 2));
	query($node, q(UPDATE wide SET c70 = 'last' WHERE id = 3));
	query($node, q(UPDATE wide SET id = id WHERE id = 4));
	same_rows($node, $target, 'wide');
	query($node, "UPDATE wide SET c$_ = 'value $_' WHERE id = 1 + $_ % 4") for 1 .. 70;
	same_rows($node, $target, 'wide');
}

# ---- the order of one key's changes over sets of columns ----------------------

# A batch of one set is sealed while another stays open; then both kinds of
# update of one row follow each other.
query($node, <<~'SQL');
	INSERT INTO docs SELECT i, 'a', large(i), large(i), 0 FROM generate_series(1001, 1030) i;
	SQL
arrived($node);
restart_stream($node, sub { settings('flush_interval=1h', 'batch_max_rows=10') });
query($node, <<~'SQL');
	BEGIN;
	INSERT INTO docs VALUES (2001, 'whole', 'small', 'small', 0);
	DO $$ BEGIN
		FOR i IN 1001..1010 LOOP
			UPDATE docs SET title = 'partial' WHERE id = i;
		END LOOP;
	END $$;
	UPDATE docs SET title = 'first', body = large(1), extra = large(2) WHERE id = 1020;
	UPDATE docs SET title = 'second' WHERE id = 1020;
	COMMIT;
	SQL
settings('flush_interval=0', 'batch_max_rows=10');
same_rows($node, $target, 'docs');

# Of three sets one is sealed, and a row is in both others.
query($node, <<~'SQL');
	INSERT INTO docs SELECT i, 'a', large(i), large(i), 0 FROM generate_series(3001, 3030) i;
	SQL
arrived($node);
restart_stream($node, sub { settings('flush_interval=1h', 'batch_max_rows=10') });
query($node, <<~'SQL');
	BEGIN;
	UPDATE docs SET title = 'first' WHERE id = 3020;
	UPDATE docs SET title = 'second', body = large(1), extra = large(2) WHERE id = 3020;
	UPDATE docs SET extra = large(n) WHERE id BETWEEN 3001 AND 3010;
	UPDATE docs SET title = 'third' WHERE id = 3020;
	COMMIT;
	SQL
settings('flush_interval=0', 'batch_max_rows=10');
same_rows($node, $target, 'docs');

# Random changes of few keys, with small and with large batches.
sub random_changes
{
	my ($seed) = @_;
	query($node, <<~"SQL");
		SELECT setseed($seed);
		DO \$\$
		DECLARE k int;
		BEGIN
			FOR i IN 1..300 LOOP
				k := 5000 + (random() * 25)::int;
				CASE (random() * 7)::int
				WHEN 0 THEN DELETE FROM docs WHERE id = k;
				WHEN 1 THEN UPDATE docs SET title = 't' || i, body = large(i), extra = large(-i) WHERE id = k;
				WHEN 2 THEN UPDATE docs SET body = large(i) WHERE id = k;
				WHEN 3 THEN UPDATE docs SET extra = large(i), n = i WHERE id = k;
				WHEN 4 THEN UPDATE docs SET body = NULL WHERE id = k;
				ELSE UPDATE docs SET title = 'u' || i, n = i WHERE id = k;
				END CASE;
				INSERT INTO docs VALUES (k, 'i' || i, large(i), large(i + 1), i) ON CONFLICT DO NOTHING;
				IF i % (1 + (random() * 20)::int) = 0 THEN
					COMMIT;
				END IF;
			END LOOP;
		END \$\$;
		SQL
	return;
}

my $seed = 0;
for my $case ([ 'flush_interval=0', 'batch_max_rows=100000' ],
	[ 'flush_interval=0', 'batch_max_rows=3' ],
	[ 'flush_interval=300ms', 'batch_max_rows=100000' ],
	[ 'flush_interval=300ms', 'batch_max_rows=7' ])
{
	settings(@$case);
	random_changes($seed += 0.1);
	same_rows($node, $target, 'docs');
}

# Many keys; every tenth comes in turns in one set and in the other, whole and partial.
# What is known of all of them is forgotten with the batches, and gathered again.
settings('flush_interval=300ms', 'batch_max_rows=100000');
query($node, <<~'SQL');
	INSERT INTO docs SELECT i, 'a', CASE WHEN i % 10 = 0 THEN large(i) END, 'small', 0
		FROM generate_series(10001, 12000) i;
	DO $$ BEGIN
		FOR r IN 1..5 LOOP
			UPDATE docs SET title = 'r' || r, n = r,
				body = CASE WHEN id % 10 = 0 AND (id / 10 + r) % 2 = 0 THEN large(id + r) ELSE body END
				WHERE id > 10000;
		END LOOP;
	END $$;
	SQL
same_rows($node, $target, 'docs');

# ---- a table that stops loses nothing of the sets that were not sent -----------

settings('flush_interval=0');
query($node, q(INSERT INTO late SELECT i, 'a', large(i), large(i), 0 FROM generate_series(1, 5) i));
arrived($node);
$target->sql('ALTER TABLE late DROP COLUMN extra', 'shop');
restart_stream($node, sub { settings('flush_interval=1h', 'batch_max_rows=10') });
query($node, q(UPDATE late SET title = 'kept' WHERE id = 1));
query($node, q(INSERT INTO late SELECT i, 'b', 'b', 'b', 1 FROM generate_series(11, 20) i));
like(wait_for_stop($node, 'late'), qr/extra/, 'a missing column stops the table');
settings('flush_interval=0');
query($node, q(INSERT INTO docs VALUES (8000, 'moves the position', NULL, NULL, 1)));
same_rows($node, $target, 'docs');
$target->sql('ALTER TABLE late ADD COLUMN extra STRING', 'shop');
restart_stream($node);
arrived($node);
is($target->sql('SELECT title FROM late WHERE id = 1', 'shop'), 'kept',
	'an update that waited in another batch when the table stopped');

$node->stop;
done_testing();
